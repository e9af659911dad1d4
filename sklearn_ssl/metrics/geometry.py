"""Where an embedding lies on the sphere."""

import numpy as np
from scipy.special import logsumexp
from sklearn.preprocessing import normalize
from sklearn.utils import check_array, gen_batches

_BLOCK = 1000  # rows whose distances to all others are held at a time


def embedding_std(Z):
    r"""Spread of an embedding's directions [1]_: 0 has collapsed, 1 fills the sphere.

    .. math:: \frac1{\sqrt d} \sum_{j=1}^d \operatorname{std}_i
        \frac{z_{ij}}{\|z_i\|_2}

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding.

    Returns
    -------
    std : float
        From 0 to 1. It tells a collapse, and not much beyond.

    References
    ----------
    .. [1] X. Chen, K. He, "Exploring Simple Siamese Representation Learning", CVPR
       2021, section 4.1. https://arxiv.org/abs/2011.10566

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ssl.metrics import embedding_std
    >>> Z = np.random.default_rng(0).normal(size=(1000, 32))
    >>> print(f"{embedding_std(Z):.2f} {embedding_std(Z + 100):.2f}")
    1.00 0.01
    """
    Z = _directions(Z)
    return float(Z.std(axis=0).mean() * Z.shape[1] ** 0.5)


def alignment(Z1, Z2, *, exponent=2.0):
    r"""Distance between two views of a row [1]_.

    .. math:: \frac1n \sum_i \Big\| \frac{z_i}{\|z_i\|_2} -
        \frac{z'_i}{\|z'_i\|_2} \Big\|_2^a

    Parameters
    ----------
    Z1, Z2 : array-like of shape (n, d)
        Embeddings of two views of each row.
    exponent : float, default=2.0
        The a above.

    Returns
    -------
    distance : float
        From 0, no difference, to 4 for ``exponent=2``. Lower is better only between
        embeddings of like :func:`uniformity`: of one that has collapsed it is 0.

    References
    ----------
    .. [1] T. Wang, P. Isola, "Understanding Contrastive Representation Learning through
       Alignment and Uniformity on the Hypersphere", ICML 2020.
       https://arxiv.org/abs/2005.10242

    Examples
    --------
    >>> from sklearn_ssl.metrics import alignment
    >>> alignment([[1, 0], [0, 3]], [[2, 0], [0, -1]])
    2.0
    """
    Z1, Z2 = _directions(Z1), _directions(Z2)
    if Z1.shape != Z2.shape:
        raise ValueError(
            "Z1 and Z2 must hold views of the same rows, got shapes "
            f"{Z1.shape} and {Z2.shape}."
        )
    return float((np.linalg.norm(Z1 - Z2, axis=1) ** exponent).mean())


def uniformity(Z, *, t=2.0):
    r"""How far from evenly an embedding covers the sphere [1]_.

    .. math:: \log \frac{1}{n (n - 1)} \sum_{i \ne j} \exp \Big( -t \Big\|
        \frac{z_i}{\|z_i\|_2} - \frac{z_j}{\|z_j\|_2} \Big\|_2^2 \Big)

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding.
    t : float, default=2.0
        How local the measure is.

    Returns
    -------
    log_potential : float
        At most 0, which is all rows at one point. Lower is more uniform.

    References
    ----------
    .. [1] T. Wang, P. Isola, "Understanding Contrastive Representation Learning through
       Alignment and Uniformity on the Hypersphere", ICML 2020.
       https://arxiv.org/abs/2005.10242

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ssl.metrics import uniformity
    >>> print(f"{uniformity(np.eye(10)):.1f} {abs(uniformity(np.ones((10, 3)))):.1f}")
    -4.0 0.0
    """
    Z = _directions(Z)
    n = len(Z)
    squares = (Z**2).sum(axis=1)
    parts = []
    for rows in gen_batches(n, _BLOCK):
        distances = squares[rows, None] + squares - 2 * Z[rows] @ Z.T
        exponents = -t * distances.clip(0)
        exponents[np.arange(len(exponents)), np.arange(n)[rows]] = -np.inf
        parts.append(logsumexp(exponents))
    return float(logsumexp(parts) - np.log(n) - np.log(n - 1))


def as_embedding(Z):
    """Z as floats of shape (n, d), two rows or more; ValueError if it is not."""
    return check_array(Z, dtype=np.float64, input_name="Z", ensure_min_samples=2)


def _directions(Z):
    return normalize(as_embedding(Z))
