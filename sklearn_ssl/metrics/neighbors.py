"""What the neighbourhoods of an embedding say."""

from numbers import Integral, Real

import numpy as np
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from sklearn.utils import check_consistent_length, column_or_1d

from sklearn_ssl._labels import find_unlabeled
from sklearn_ssl._parameters import check_number
from sklearn_ssl.metrics.geometry import as_embedding


def knn_score(Z, y, *, n_neighbors=20, temperature=0.07, unlabeled="auto"):
    r"""Accuracy with which the neighbours of a row tell its class [1]_.

    Each labelled row is left out in turn; its k nearest labelled rows by cosine
    similarity s vote with the weight :math:`\exp(s / \tau)`.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding.
    y : array-like of shape (n,)
        Classes; rows that are marked as unlabelled are left out.
    n_neighbors : int, default=20
        The k above; at most the number of labelled rows less one. The source takes 200,
        of more than a million rows.
    temperature : float, default=0.07
        The :math:`\tau` above.
    unlabeled : "auto", None, or a label, default="auto"
        What marks a row without a label in y, as in
        :class:`~sklearn_ssl.semi_supervised.SSLClassifier`. ``None``: all rows have
        one.

    Returns
    -------
    accuracy : float
        Higher is better.

    Raises
    ------
    ValueError
        If fewer than two rows have a label, or y is not one label a row.

    References
    ----------
    .. [1] Z. Wu, Y. Xiong, S. Yu, D. Lin, "Unsupervised Feature Learning via
       Non-Parametric Instance Discrimination", CVPR 2018.
       https://arxiv.org/abs/1805.01978

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ssl.metrics import knn_score
    >>> X, y = load_iris(return_X_y=True)
    >>> print(f"{knn_score(X, y):.2f}")
    0.98
    """
    check_number("n_neighbors", n_neighbors, Integral, 1)
    check_number("temperature", temperature, Real, 0, strict=True)
    Z = as_embedding(Z)
    y = column_or_1d(np.asarray(y), warn=True)
    check_consistent_length(Z, y)
    labeled = ~find_unlabeled(y, unlabeled)
    Z, y = normalize(Z[labeled]), y[labeled]
    if len(y) < 2:
        raise ValueError(f"knn_score needs two labelled rows or more, got {len(y)}.")
    classes, y = np.unique(y.tolist(), return_inverse=True)
    rows, distances = _nearest(Z, min(n_neighbors, len(y) - 1))
    # Of unit vectors, s = 1 - distance² / 2. A constant changes no vote; without the
    # nearest's own, all weights may be too small for a float.
    squares = distances**2
    weights = np.exp((squares[:, :1] - squares) / (2 * temperature))
    votes = np.zeros((len(y), len(classes)))
    np.add.at(votes, (np.arange(len(y))[:, None], y[rows]), weights)
    return float((votes.argmax(axis=1) == y).mean())


def intrinsic_dimension(Z):
    r"""TwoNN [1]_: the dimension in which the rows of an embedding lie, locally.

    With the distances :math:`r_1, r_2` of a row to its two nearest rows,
    :math:`\log(r_2 / r_1)` is exponentially distributed with the dimension as its rate;
    this is the estimate of greatest likelihood,

    .. math:: n \Big/ \sum_i \log(r_{i2} / r_{i1}),

    but at most d, and one less than there are rows: where the two nearest are equally
    far, as between the corners of a simplex, the estimate has no bound.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding. Of equal rows one counts.

    Returns
    -------
    dimension : float
        From 0, which is fewer than three different rows, to d.

    References
    ----------
    .. [1] E. Facco, M. d'Errico, A. Rodriguez, A. Laio, "Estimating the Intrinsic
       Dimension of Datasets by a Minimal Neighborhood Information", Scientific Reports
       2017. https://arxiv.org/abs/1803.06992

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ssl.metrics import intrinsic_dimension
    >>> plane = np.random.default_rng(0).normal(size=(2000, 2))
    >>> print(f"{intrinsic_dimension(np.hstack([plane, plane**2])):.1f}")
    2.0
    """
    Z = as_embedding(Z)
    # Distances between rows far from the origin would be lost in rounding.
    Z = np.unique(Z - Z.mean(axis=0), axis=0)
    if len(Z) < 3:
        return 0.0
    _, distances = _nearest(Z, 2)
    nearest, second = distances[distances[:, 0] > 0].T
    n, most = len(nearest), min(len(Z) - 1, Z.shape[1])
    if n == 0:  # all differences are rounding
        return 0.0
    return float(n / max(np.log(second / nearest).sum(), n / most))


def cluster_learnability(Z, *, n_clusters=None, random_state=0):
    r"""How well neighbours tell the cluster of a row [1]_.

    The directions of the rows are clustered by k-means; each row is then left out in
    turn and takes the cluster of its nearest row.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding.
    n_clusters : int or None, default=None
        ``None`` is the square root of n.
    random_state : int, default=0
        Of k-means.

    Returns
    -------
    accuracy : float
        From 0 to 1.

    References
    ----------
    .. [1] Y. Lu, Z. Liu, A. Baratin, R. Laroche, A. Courville, A. Sordoni, "Using
       Representation Expressiveness and Learnability to Evaluate Self-Supervised
       Learning Methods", TMLR 2023. https://arxiv.org/abs/2206.01251

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ssl.metrics import cluster_learnability
    >>> X, _ = load_iris(return_X_y=True)
    >>> cluster_learnability(X) > 0.7
    True
    """
    Z = normalize(as_embedding(Z))
    n_distinct = len(np.unique(Z, axis=0))
    wanted = int(len(Z) ** 0.5) if n_clusters is None else n_clusters
    kmeans = KMeans(min(wanted, n_distinct), random_state=random_state)
    clusters = kmeans.fit_predict(Z)
    rows, _ = _nearest(Z, 1)
    return float((clusters[rows[:, 0]] == clusters).mean())


def clid(Z, *, n_clusters=None, random_state=0):
    r"""Cluster learnability and intrinsic dimension in one number, after [1]_.

    .. math:: \mathrm{CL} + \frac{\log(1 + \mathrm{ID})}{\log(1 + d)}

    of :func:`cluster_learnability` and :func:`intrinsic_dimension`. The source adds the
    two after it has standardized each over the embeddings that it compares; that cannot
    be done for one alone, so the dimension enters here by its logarithm, as a share of
    that of all columns. Compare embeddings of one width.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding.
    n_clusters : int or None, default=None
        ``None`` is the square root of n.
    random_state : int, default=0
        Of k-means.

    Returns
    -------
    clid : float
        From 0 to 2. Higher is better, according to the source.

    References
    ----------
    .. [1] Y. Lu, Z. Liu, A. Baratin, R. Laroche, A. Courville, A. Sordoni, "Using
       Representation Expressiveness and Learnability to Evaluate Self-Supervised
       Learning Methods", TMLR 2023. https://arxiv.org/abs/2206.01251

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ssl.metrics import clid
    >>> X, _ = load_iris(return_X_y=True)
    >>> 1 < clid(X) < 2
    True
    """
    learnable = cluster_learnability(
        Z, n_clusters=n_clusters, random_state=random_state
    )
    dimension = np.log1p(intrinsic_dimension(Z)) / np.log1p(np.shape(Z)[1])
    return float(learnable + dimension)


def _nearest(Z, n_neighbors):
    """Row numbers and distances of the nearest other rows, nearest first."""
    finder = NearestNeighbors(n_neighbors=n_neighbors).fit(Z)
    distances, rows = finder.kneighbors()
    return rows, distances
