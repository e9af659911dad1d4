"""DINO (Caron et al., 2021)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.joint_embedding import _multi_crop

# Share of the training in which the teacher's temperature warms up.
_WARMUP = 0.3


@dataclass(kw_only=True, eq=False, repr=False)
class DINO(SSLTransformer):
    """A student predicts a teacher's output for other views; no labels [1]_.

    The teacher is a moving average of the student. Centring its output keeps one
    prototype from winning always, sharpening it keeps all from being equal: without
    either the embedding collapses. The prototypes stay as they are in the first
    epoch, or tenth of the training if that is shorter.
    The defaults suit some thousand rows; [1]_ trains on a million with 65536
    prototypes, a teacher's temperature of 0.04 to 0.07 and a momentum from 0.996.
    Unlike there, ``transform`` embeds by the student, which in short trainings is ahead
    of its teacher, and ``score`` centres each batch by its own mean.

    Parameters
    ----------
    n_prototypes : int, default=1024
        Width of the output that is predicted.
    momentum : float, default=0.99
        Of the teacher: its own share in a step; rises to 1 by half a cosine.
    student_temperature : float, default=0.1
        Divides the student's output.
    teacher_temperature : float, default=0.02
        Divides the teacher's centred output.
    warmup_teacher_temperature : float, default=0.02
        What the teacher's temperature starts from; it moves linearly over the first
        three tenths of the training.
    n_local_views : int, default=4
        Further views, small and of small crops, that the student sees. There are none
        where views have no such kind, as those of tables, images are smaller than 32
        pixels or the encoder takes one size of images alone.
    projection_dim : int, default=256
        Width of the head's output, which is compared to the prototypes.
    {training_parameters}

    Attributes
    ----------
    n_local_views_ : int
        The number used.
    {fitted_attributes}

    References
    ----------
    .. [1] M. Caron, H. Touvron, I. Misra, H. Jegou, J. Mairal, P. Bojanowski, A.
       Joulin, "Emerging Properties in Self-Supervised Vision Transformers", ICCV 2021.
       https://arxiv.org/abs/2104.14294

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import DINO
    >>> X, y = load_wine(return_X_y=True)
    >>> DINO(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    n_prototypes: int = 1024
    momentum: float = 0.99
    student_temperature: float = 0.1
    teacher_temperature: float = 0.02
    warmup_teacher_temperature: float = 0.02
    n_local_views: int = 4
    projection_dim: int = 256
    max_grad_norm: float | None = 3.0

    def _check_parameters(self):
        super()._check_parameters()
        check_number("momentum", self.momentum, Real, 0, 1)
        for name in "student", "teacher", "warmup_teacher":
            name += "_temperature"
            check_number(name, getattr(self, name), Real, 0, strict=True)
        check_number("n_prototypes", self.n_prototypes, Integral, 2)
        check_number("n_local_views", self.n_local_views, Integral, 0)
        check_number("projection_dim", self.projection_dim, Integral, 1)

    def _default_learning_rate(self, encoder):
        return 1e-3

    def _build_task(self, task):
        from sklearn_ssl.encoders.prototypes import PrototypeHead, RunningCenter
        from sklearn_ssl.engine.ema import make_teacher
        from sklearn_ssl.joint_embedding._parts import student

        _multi_crop.prepare(task, self.n_local_views)
        shape = task.n_outputs, self.projection_dim, self.n_prototypes
        task.head = PrototypeHead(*shape, n_hidden=2)
        task.teacher = make_teacher(student(task, task.head))
        task.center = RunningCenter(self.n_prototypes)

    def _begin_epoch(self, task):
        _multi_crop.begin_epoch(task)

    def _loss(self, task, batch):
        import torch

        views, local = _multi_crop.draw(task, batch)
        z = _multi_crop.embed(task, views, local)
        student = task.head(z, fixed=_multi_crop.prototypes_fixed(task))
        with torch.no_grad():
            teacher = torch.stack([task.teacher(view) for view in views])
        start, end = self.warmup_teacher_temperature, self.teacher_temperature
        # A `partial_fit` has no end by which to tell the warm-up's.
        endless = task.max_epochs is None
        warmth = 1.0 if endless else min(task.progress / _WARMUP, 1.0)
        return objectives.dino_cross_entropy(
            student.unflatten(0, (len(views) + len(local), -1)),
            teacher,
            task.center(teacher),
            self.student_temperature,
            start + (end - start) * warmth,
        )

    def _after_step(self, task):
        from sklearn_ssl.engine.ema import cosine_momentum, follow
        from sklearn_ssl.joint_embedding._parts import student

        momentum = cosine_momentum(self.momentum, task.progress)
        follow(task.teacher, student(task, task.head), momentum)
