"""BYOL (Grill et al., 2020)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number, unless_auto
from sklearn_ssl.base import SSLTransformer


@dataclass(kw_only=True, eq=False, repr=False)
class BYOL(SSLTransformer):
    """Predict, from one view, a teacher's projection of the other view [1]_.

    The teacher is a moving average of the network that is trained. There are no
    negatives.

    Parameters
    ----------
    momentum : float or "auto", default="auto"
        Share of itself that the teacher keeps at the first step; the share rises to 1
        by half a cosine. "auto" is 0.97 for fewer than 100 epochs, 0.996 from 1000 on
        and 0.99 between [1]_, and in ``partial_fit``.
    hidden_dim : int, default=512
        Width of the hidden layers of the projector and the predictor.
    projection_dim : int, default=256
        Width of the projections. Unlike those of [1]_ they are normalized over the
        batch, from which small data gain most.
    {training_parameters}

    Attributes
    ----------
    momentum_ : float
        The teacher's momentum at the first step.
    {fitted_attributes}

    References
    ----------
    .. [1] J.-B. Grill, F. Strub, F. Altché, et al., "Bootstrap Your Own Latent: A New
       Approach to Self-Supervised Learning", NeurIPS 2020.
       https://arxiv.org/abs/2006.07733

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import BYOL
    >>> X, y = load_wine(return_X_y=True)
    >>> BYOL(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    momentum: float | str = "auto"
    hidden_dim: int = 512
    projection_dim: int = 256

    def _check_parameters(self):
        super()._check_parameters()
        check_number("momentum", self.momentum, Real, 0, 1, words=("auto",))
        check_number("hidden_dim", self.hidden_dim, Integral, 1)
        check_number("projection_dim", self.projection_dim, Integral, 1)

    def _default_learning_rate(self, encoder):
        return 1e-3

    def _build_task(self, task):
        from sklearn_ssl.encoders.mlp import projection_head
        from sklearn_ssl.engine.ema import make_teacher
        from sklearn_ssl.joint_embedding._parts import student

        hidden, width = self.hidden_dim, self.projection_dim
        task.projector = projection_head(
            task.n_outputs, hidden, width, output_norm=True
        )
        task.predictor = projection_head(width, hidden, width)
        task.teacher = make_teacher(student(task, task.projector))
        momentum = unless_auto(self.momentum, _momentum_for(task.max_epochs))
        task.adapted["momentum"] = momentum

    def _loss(self, task, batch):
        from torch import no_grad

        views = task.view(batch), task.view(batch)
        p1, p2 = task.predictor(task.projector(task.embed(*views))).chunk(2)
        with no_grad():
            z1, z2 = (task.teacher(view) for view in views)
        forward = objectives.negative_cosine(p1, z2)
        backward = objectives.negative_cosine(p2, z1)
        return (forward + backward) / 2

    def _after_step(self, task):
        from sklearn_ssl.engine.ema import cosine_momentum, follow
        from sklearn_ssl.joint_embedding._parts import student

        momentum = cosine_momentum(task.adapted["momentum"], task.progress)
        follow(task.teacher, student(task, task.projector), momentum)


def _momentum_for(max_epochs):
    if max_epochs is None or 100 <= max_epochs < 1000:
        return 0.99
    return 0.97 if max_epochs < 100 else 0.996
