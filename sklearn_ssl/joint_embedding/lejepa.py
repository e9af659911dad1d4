"""LeJEPA (Balestriero and LeCun, 2025)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number
from sklearn_ssl.base import SSLTransformer


@dataclass(kw_only=True, eq=False, repr=False)
class LeJEPA(SSLTransformer):
    """Views of a row agree while rows spread like a standard normal distribution [1]_.

    At each step the projections are tested for normality along directions drawn anew.
    There are no negatives, no teacher, no predictor and no stopped gradient, and one
    parameter weighs the two terms of the loss.

    Parameters
    ----------
    gaussian_weight : float, default=0.05
        Share of the test of normality in the loss, from 0 to 1; the rest is the squared
        distance of the views from their mean. At 0 all embeddings collapse to one.
    n_views : int, default=2
        Views of a row at each step.
    n_directions : int, default=256
        Directions drawn at each step.
    hidden_dim : int, default=512
        Width of the projector's hidden layers.
    projection_dim : int, default=64
        Width of the projector's output, which is to be normal.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    References
    ----------
    .. [1] R. Balestriero, Y. LeCun, "LeJEPA: Provable and Scalable Self-Supervised
       Learning Without the Heuristics", 2025. https://arxiv.org/abs/2511.08544

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import LeJEPA
    >>> X, y = load_wine(return_X_y=True)
    >>> LeJEPA(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    gaussian_weight: float = 0.05
    n_views: int = 2
    n_directions: int = 256
    hidden_dim: int = 512
    projection_dim: int = 64

    def _check_parameters(self):
        super()._check_parameters()
        check_number("gaussian_weight", self.gaussian_weight, Real, 0, 1)
        check_number("n_views", self.n_views, Integral, 2)
        for name in ("n_directions", "hidden_dim", "projection_dim"):
            check_number(name, getattr(self, name), Integral, 1)

    def _build_task(self, task):
        from sklearn_ssl.encoders.mlp import projection_head

        widths = task.n_outputs, self.hidden_dim, self.projection_dim
        task.projector = projection_head(*widths, n_hidden=2)

    def _loss(self, task, batch):
        import torch
        from torch.nn import functional as F

        views = [task.view(batch) for _ in range(self.n_views)]
        z = task.projector(task.embed(*views)).unflatten(0, (self.n_views, -1))
        shape = self.n_directions, self.projection_dim
        like = {"generator": task.generator, "device": z.device}
        directions = F.normalize(torch.randn(shape, **like), dim=1)
        return objectives.lejepa(z, directions, self.gaussian_weight)
