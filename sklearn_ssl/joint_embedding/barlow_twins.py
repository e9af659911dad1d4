"""Barlow Twins (Zbontar et al., 2021)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number
from sklearn_ssl.base import SSLTransformer


@dataclass(kw_only=True, eq=False, repr=False)
class BarlowTwins(SSLTransformer):
    """Each dimension agrees between two views and differs from the others [1]_.

    There are no negatives: as every dimension is standardized over the batch and must
    not correlate with the others, the embedding can neither be constant nor repeat
    itself.

    Parameters
    ----------
    redundancy_weight : float, default=0.0051
        Weight of the correlations between different dimensions.
    projection_dim : int, default=512
        Width of the head's layers. Wider is better, in [1]_ up to 8192.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    References
    ----------
    .. [1] J. Zbontar, L. Jing, I. Misra, Y. LeCun, S. Deny, "Barlow Twins:
       Self-Supervised Learning via Redundancy Reduction", ICML 2021.
       https://arxiv.org/abs/2103.03230

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import BarlowTwins
    >>> X, y = load_wine(return_X_y=True)
    >>> BarlowTwins(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    redundancy_weight: float = 0.0051
    projection_dim: int = 512

    def _check_parameters(self):
        super()._check_parameters()
        check_number("redundancy_weight", self.redundancy_weight, Real, 0)
        check_number("projection_dim", self.projection_dim, Integral, 1)

    def _build_task(self, task):
        from sklearn_ssl.encoders.mlp import projection_head

        width = self.projection_dim
        task.head = projection_head(task.n_outputs, width, width, n_hidden=2)

    def _loss(self, task, batch):
        views = task.view(batch), task.view(batch)
        z1, z2 = task.head(task.embed(*views)).chunk(2)
        return objectives.barlow_twins(z1, z2, self.redundancy_weight)
