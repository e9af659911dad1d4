"""MoCo v2 and v3 (He et al., 2020; Chen et al., 2020 and 2021)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number, check_option, unless_auto
from sklearn_ssl.base import SSLTransformer


@dataclass(kw_only=True, eq=False, repr=False)
class MoCo(SSLTransformer):
    """Pick a teacher's key of the same row, among many of other rows [1]_ [2]_ [3]_.

    The teacher is a moving average of the network that is trained.

    Parameters
    ----------
    version : {2, 3}, default=2
        Where the other rows' keys come from: in 2, a queue of those of the latest
        batches; in 3, the batch itself, as in SimCLR, with a predictor after the
        projector of the network that is trained.
    momentum : float, default=0.99
        Share of itself that the teacher keeps at a step; in version 3 it rises to 1 by
        half a cosine. 0.999 in [1]_, where there are a hundred times as many steps.
    temperature : float, default=0.2
        Divides the similarities.
    queue_length : int or "auto", default="auto"
        Keys in the queue of version 2. "auto" is a quarter of the rows of the first
        fit, at most 65536: few of its keys are of the row that looks for its own.
    projection_dim : int, default=128
        Width of the projections, on which the loss works.
    {training_parameters}

    Attributes
    ----------
    queue_length_ : int
        Keys in the queue; 0 in version 3.
    {fitted_attributes}

    Notes
    -----
    ``score`` and early stopping contrast the rows of a batch with each other in both
    versions: a queue holds what the last training batches left there.

    References
    ----------
    .. [1] K. He, H. Fan, Y. Wu, S. Xie, R. Girshick, "Momentum Contrast for
       Unsupervised Visual Representation Learning", CVPR 2020.
       https://arxiv.org/abs/1911.05722
    .. [2] X. Chen, H. Fan, R. Girshick, K. He, "Improved Baselines with Momentum
       Contrastive Learning", 2020. https://arxiv.org/abs/2003.04297
    .. [3] X. Chen, S. Xie, K. He, "An Empirical Study of Training Self-Supervised
       Vision Transformers", ICCV 2021. https://arxiv.org/abs/2104.02057

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import MoCo
    >>> X, y = load_wine(return_X_y=True)
    >>> moco = MoCo(max_epochs=2, random_state=0).fit(X)
    >>> moco.transform(X).shape
    (178, 271)
    >>> moco.queue_length_
    44
    """

    version: int = 2
    momentum: float = 0.99
    temperature: float = 0.2
    queue_length: int | str = "auto"
    projection_dim: int = 128

    def _check_parameters(self):
        super()._check_parameters()
        check_option("version", self.version, (2, 3))
        check_number("momentum", self.momentum, Real, 0, 1)
        check_number("temperature", self.temperature, Real, 0, strict=True)
        check_number("queue_length", self.queue_length, Integral, 1, words=("auto",))
        check_number("projection_dim", self.projection_dim, Integral, 1)

    def _build_task(self, task):
        from sklearn_ssl.encoders.mlp import projection_head
        from sklearn_ssl.engine.ema import make_teacher
        from sklearn_ssl.joint_embedding import _parts

        hidden, width, is_v3 = task.n_outputs, self.projection_dim, self.version == 3
        # Normalized hidden layers are not in [2], but without them an encoder that
        # learns fast collapses before the queue has filled.
        task.projector = projection_head(hidden, hidden, width, output_norm=is_v3)
        task.teacher = make_teacher(_parts.student(task, task.projector))
        length = 0
        if is_v3:
            task.predictor = projection_head(width, hidden, width)
        else:
            default = _parts.default_queue_length(task.n_rows)
            length = unless_auto(self.queue_length, default)
            task.queue = _parts.Queue(length, width)
        task.adapted["queue_length"] = length

    def _loss(self, task, batch):
        from torch import no_grad

        views = task.view(batch), task.view(batch)
        queries = task.projector(task.embed(*views))
        with no_grad():
            k1, k2 = (task.teacher(view) for view in views)
        if self.version == 3:
            q1, q2 = task.predictor(queries).chunk(2)
            # The factor keeps the gradient's size whatever the temperature.
            return 2 * self.temperature * self._contrast(q1, q2, k1, k2)
        q1, q2 = queries.chunk(2)
        negatives = task.queue.keys if task.training else None
        loss = self._contrast(q1, q2, k1, k2, negatives) / 2
        if task.training:
            # After the loss, and of one view: else rows meet their own keys.
            task.queue.enqueue(k2)
        return loss

    def _contrast(self, q1, q2, k1, k2, negatives=None):
        """Both directions, added up."""
        forward = objectives.info_nce(q1, k2, self.temperature, negatives)
        return forward + objectives.info_nce(q2, k1, self.temperature, negatives)

    def _after_step(self, task):
        from sklearn_ssl.engine.ema import cosine_momentum, follow
        from sklearn_ssl.joint_embedding._parts import student

        # In version 2 it is constant.
        progress = task.progress if self.version == 3 else 0.0
        follow(
            task.teacher,
            student(task, task.projector),
            cosine_momentum(self.momentum, progress),
        )
