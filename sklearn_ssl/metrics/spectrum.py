"""How many directions an embedding fills."""

import numpy as np
from scipy.linalg import eigh
from sklearn.utils import check_array

from sklearn_ssl.metrics.geometry import as_embedding

_EPS = 1e-7


def effective_rank(Z):
    r"""RankMe [1]_: the number of directions that an embedding fills, softly counted.

    With the singular values :math:`s_k` of Z, which is not centred,

    .. math:: \exp\Big(-\sum_k p_k \log p_k\Big), \quad p_k = s_k / \|s\|_1 + 10^{-7}.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding.

    Returns
    -------
    rank : float
        From 1, all rows on one line through the origin, to min(n, d); 0 if Z is 0.
        Higher is better, according to the source, among fits of one method.

    References
    ----------
    .. [1] Q. Garrido, R. Balestriero, L. Najman, Y. LeCun, "RankMe: Assessing the
       Downstream Performance of Pretrained Self-Supervised Representations by Their
       Rank", ICML 2023. https://arxiv.org/abs/2210.02885

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ssl.metrics import effective_rank
    >>> print(f"{effective_rank(np.eye(5)):.2f}")
    5.00
    """
    return _effective_number(np.linalg.svd(as_embedding(Z), compute_uv=False))


def alpha_req(Z):
    r"""Alpha-ReQ [1]_: how fast the variances of an embedding's directions decay.

    The eigenvalues of the covariance of Z, in decreasing order, are taken to follow
    :math:`\lambda_j \propto j^{-\alpha}`; the slope of :math:`\log \lambda_j`
    against :math:`\log j` is fitted by least squares. Directions whose standard
    deviation is rounding of float32 are left out, and all others fitted; public
    implementations fit a range of j, and so their values differ from these.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Embedding.

    Returns
    -------
    alpha : float
        Best near 1, according to the source: below, the embedding is rough; above, few
        directions carry it. Infinite if at most one direction varies.

    References
    ----------
    .. [1] K. K. Agrawal, A. K. Mondal, A. Ghosh, B. Richards, "α-ReQ: Assessing
       Representation Quality in Self-Supervised Learning by Measuring Eigenspectrum
       Decay", NeurIPS 2022. https://openreview.net/forum?id=ii9X4vtZGTZ

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ssl.metrics import alpha_req
    >>> rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(500, 20)))[0]
    >>> Z = (rotation - rotation.mean(axis=0)) * np.arange(1, 21) ** -0.5
    >>> print(f"{alpha_req(Z):.1f}")
    1.0
    """
    Z = as_embedding(Z)
    s = np.linalg.svd(Z - Z.mean(axis=0), compute_uv=False)
    floor = max(Z.shape) * np.finfo(np.float32).eps * np.linalg.norm(Z, 2)
    s = s[s > floor]
    if len(s) < 2:
        return np.inf
    return float(-np.polyfit(np.log(np.arange(1, len(s) + 1)), 2 * np.log(s), 1)[0])


def lidar(Z_views, *, delta=1e-4):
    r"""LiDAR [1]_: the number of directions in which rows differ more than their views.

    With the mean :math:`\mu_i` of the views of row i,

    .. math::

        \Sigma_b = \frac1n \sum_i (\mu_i - \mu)(\mu_i - \mu)^\top, \quad
        \Sigma_w = \frac1{nq} \sum_{i,v} (z_{iv} - \mu_i)(z_{iv} - \mu_i)^\top
        + \delta I

    and the eigenvalues :math:`\lambda_k` of
    :math:`\Sigma_w^{-1/2} \Sigma_b \Sigma_w^{-1/2}` it is

    .. math:: \exp\Big(-\sum_k p_k \log p_k\Big), \quad
        p_k = \lambda_k / \|\lambda\|_1 + 10^{-7}.

    Parameters
    ----------
    Z_views : array-like of shape (n, n_views, d)
        Embeddings of at least two views of each row. The source takes 1000 rows and 50
        views.
    delta : float, default=1e-4
        Added to the variances inside a row.

    Returns
    -------
    rank : float
        From 1 to d, 0 if all rows are equal. Higher is better, according to the source.

    References
    ----------
    .. [1] V. Thilak et al., "LiDAR: Sensing Linear Probing Performance in Joint
       Embedding SSL Architectures", ICLR 2024. https://arxiv.org/abs/2312.04000

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ssl.metrics import lidar
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(500, 1, 8)) * [5, 5, 5, 0, 0, 0, 0, 0]
    >>> print(f"{lidar(rows + rng.normal(size=(500, 10, 8))):.1f}")
    3.1
    """
    Z_views = check_array(
        Z_views, dtype=np.float64, allow_nd=True, ensure_2d=False, input_name="Z_views"
    )
    if Z_views.ndim != 3 or Z_views.shape[1] < 2:
        raise ValueError(
            "Z_views must have shape (n, n_views, d) with at least two views, got "
            f"{Z_views.shape}."
        )
    n, n_views, d = Z_views.shape
    means = Z_views.mean(axis=1)
    between = means - means.mean(axis=0)
    within = (Z_views - means[:, None]).reshape(-1, d)
    eigenvalues = eigh(
        between.T @ between / n,
        within.T @ within / (n * n_views) + delta * np.eye(d),
        eigvals_only=True,
    )
    return _effective_number(eigenvalues.clip(0))


def _effective_number(values):
    """Exponential of the entropy of the values' shares."""
    if not values.any():
        return 0.0
    p = values / values.sum() + _EPS
    return float(np.exp(-(p * np.log(p)).sum()))
