"""VICReg (Bardes et al., 2022)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number
from sklearn_ssl.base import SSLTransformer


@dataclass(kw_only=True, eq=False, repr=False)
class VICReg(SSLTransformer):
    """Two views of a row agree while dimensions vary and do not correlate [1]_.

    Invariance, variance and covariance are three terms of the loss. There are no
    negatives, and nothing ties one view's network to the other's.

    Parameters
    ----------
    invariance_weight : float, default=25.0
        Weight of the squared distance between the views.
    variance_weight : float, default=25.0
        Weight of the shortfall of a dimension's standard deviation from 1: without it
        all embeddings collapse to one.
    covariance_weight : float, default=1.0
        Weight of the squared covariances between dimensions.
    projection_dim : int, default=512
        Width of the head's layers. Wider is better, in [1]_ up to 8192.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    References
    ----------
    .. [1] A. Bardes, J. Ponce, Y. LeCun, "VICReg: Variance-Invariance-Covariance
       Regularization for Self-Supervised Learning", ICLR 2022.
       https://arxiv.org/abs/2105.04906

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import VICReg
    >>> X, y = load_wine(return_X_y=True)
    >>> VICReg(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    invariance_weight: float = 25.0
    variance_weight: float = 25.0
    covariance_weight: float = 1.0
    projection_dim: int = 512

    def _check_parameters(self):
        super()._check_parameters()
        for name in ("invariance_weight", "variance_weight", "covariance_weight"):
            check_number(name, getattr(self, name), Real, 0)
        check_number("projection_dim", self.projection_dim, Integral, 1)

    def _build_task(self, task):
        from sklearn_ssl.encoders.mlp import projection_head

        width = self.projection_dim
        task.head = projection_head(task.n_outputs, width, width, n_hidden=2)

    def _loss(self, task, batch):
        views = task.view(batch), task.view(batch)
        z1, z2 = task.head(task.embed(*views)).chunk(2)
        weights = self.invariance_weight, self.variance_weight, self.covariance_weight
        return objectives.vicreg(z1, z2, *weights)
