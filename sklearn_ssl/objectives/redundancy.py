"""Losses without negatives: views agree, dimensions neither die nor repeat."""

import torch
from torch.nn import functional as F

from sklearn_ssl.objectives.precision import full, full_precision


def barlow_twins(z1, z2, redundancy_weight=0.0051):
    r"""Barlow Twins: the correlations between two views' dimensions form an identity.

    .. math::
        \sum_i (1 - C_{ii})^2 + \lambda \sum_i \sum_{j \ne i} C_{ij}^2, \qquad
        C = \frac{1}{N} \hat Z_1^\top \hat Z_2

    where each dimension of :math:`\hat Z_1`, and apart from it of :math:`\hat Z_2`, has
    mean 0 and (biased) variance 1 over the batch, as batch normalization without gain
    and shift makes it, with 1e-5 added to the variance (Zbontar et al., 2021,
    https://arxiv.org/abs/2103.03230). This is the sum over dimensions; implementations
    scale it by constants of their own.

    Parameters
    ----------
    z1, z2 : tensor of shape (N, D)
        The two views.
    redundancy_weight : float
        The :math:`\lambda` above.

    Returns
    -------
    loss : scalar tensor
    """
    with full_precision(z1):
        z1, z2 = _standardized(full(z1)), _standardized(full(z2))
        correlation = z1.T @ z2 / len(z1)
        on_diagonal = (1 - correlation.diagonal()).square().sum()
        return on_diagonal + redundancy_weight * _off_diagonal_squares(correlation)


def vicreg(z1, z2, invariance_weight=25.0, variance_weight=25.0, covariance_weight=1.0):
    r"""VICReg: invariance between views, variance and covariance within each.

    .. math::
        \frac{\lambda}{ND} \sum_{i,d} (z^1_{id} - z^2_{id})^2
        + \frac{\mu}{2} \sum_{v} \frac{1}{D} \sum_d
        \max\left(0, 1 - \sqrt{\operatorname{Var}(z^v_d) + 10^{-4}}\right)
        + \nu \sum_{v} \frac{1}{D} \sum_{d \ne e} \operatorname{Cov}(z^v_d, z^v_e)^2

    over views v = 1, 2, with variances and covariances over the batch divided by N - 1
    (Bardes et al., 2022, https://arxiv.org/abs/2105.04906). As in the authors' code the
    invariance is a mean over dimensions and the variance term a mean over views; the
    paper writes sums for both. A single row has variance and covariance 0.

    Parameters
    ----------
    z1, z2 : tensor of shape (N, D)
        The two views.
    invariance_weight, variance_weight, covariance_weight : float
        The :math:`\lambda, \mu, \nu` above.

    Returns
    -------
    loss : scalar tensor
    """
    with full_precision(z1):
        z1, z2 = full(z1), full(z2)
        variance = covariance = 0.0
        for z in (z1, z2):
            centred = z - z.mean(0)
            products = centred.T @ centred / max(len(z) - 1, 1)
            std = (products.diagonal() + 1e-4).sqrt()
            variance = variance + F.relu(1 - std).mean() / 2
            covariance = covariance + _off_diagonal_squares(products) / z.shape[1]
        return (
            invariance_weight * F.mse_loss(z1, z2)
            + variance_weight * variance
            + covariance_weight * covariance
        )


def lejepa(views, directions, gaussian_weight=0.05, n_points=17, limit=5.0):
    r"""LeJEPA: views agree, and each view's distribution is a standard normal one.

    .. math::
        \frac{1 - \lambda}{VND} \sum_{v,i,d} (z^v_{id} - \bar z_{id})^2
        + \frac{\lambda}{VM} \sum_{v,m} T(Z^v a_m), \qquad
        T(x) = N \int_{-t_{\max}}^{t_{\max}}
        \Big| \frac{1}{N} \sum_i e^{\mathrm{i} t x_i} - e^{-t^2 / 2} \Big|^2
        e^{-t^2 / 2} \, dt

    with :math:`\bar z` the mean over views. The second term, SIGReg, is the test for
    normality of Epps and Pulley along directions :math:`a_m`, integrated by trapezoids
    (Balestriero and LeCun, 2025, https://arxiv.org/abs/2511.08544). As in the authors'
    code the first term is a mean over dimensions; the paper writes a sum.

    Parameters
    ----------
    views : tensor of shape (V, N, D)
        Views of the same rows.
    directions : tensor of shape (M, D)
        Vectors of length 1. A few suffice if they are drawn anew for each step.
    gaussian_weight : float
        The :math:`\lambda` above, from 0 to 1.
    n_points : int
        Points, an odd number, at which the integrand is evaluated.
    limit : float
        The :math:`t_{\max}` above.

    Returns
    -------
    loss : scalar tensor
    """
    with full_precision(views):
        z = full(views)
        invariance = (z - z.mean(0)).square().mean()
        # The integrand is even: the points from 0 on, twice.
        t = torch.linspace(0, limit, n_points // 2 + 1, dtype=z.dtype, device=z.device)
        normal = (-t.square() / 2).exp()
        weights = 2 * (t[1] - t[0]) * normal
        weights[[0, -1]] /= 2
        angles = (z @ directions.to(z.dtype).T).unsqueeze(-1) * t
        real, imaginary = angles.cos().mean(1), angles.sin().mean(1)
        distance = (real - normal).square() + imaginary.square()
        normality = z.shape[1] * (distance @ weights).mean()
        return (1 - gaussian_weight) * invariance + gaussian_weight * normality


def _standardized(z):
    centred = z - z.mean(0)
    return centred / (centred.square().mean(0) + 1e-5).sqrt()


def _off_diagonal_squares(matrix):
    return matrix.square().sum() - matrix.diagonal().square().sum()
