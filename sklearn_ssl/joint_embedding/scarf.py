"""SCARF (Bahri et al., 2022)."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.views import Corruption


@dataclass(kw_only=True, eq=False, repr=False)
class SCARF(SSLTransformer):
    """A row attracts a corrupted copy of itself and repels those of other rows [1]_.

    In the copy, a random subset of the columns takes values from other rows, each
    column from another.

    Parameters
    ----------
    corruption_rate : float, default=0.6
        Share of the columns that are replaced: floor(rate * n_columns), at least one.
        Ignored if `views` are given.
    temperature : float, default=1.0
        Divides the similarities.
    projection_dim : int, default=256
        Width of the head's output, on which the loss works.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    References
    ----------
    .. [1] D. Bahri, H. Jiang, Y. Tay, D. Metzler, "SCARF: Self-Supervised Contrastive
       Learning using Random Feature Corruption", ICLR 2022.
       https://arxiv.org/abs/2106.15147

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SCARF
    >>> X, y = load_wine(return_X_y=True)
    >>> SCARF(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    modalities: ClassVar[tuple] = ("table",)

    corruption_rate: float = 0.6
    temperature: float = 1.0
    projection_dim: int = 256
    batch_size: int | str = 128
    early_stopping: bool = True
    n_iter_no_change: int = 3

    def _check_parameters(self):
        super()._check_parameters()
        check_number("corruption_rate", self.corruption_rate, Real, 0, 1)
        check_number("temperature", self.temperature, Real, 0, strict=True)
        check_number("projection_dim", self.projection_dim, Integral, 1)

    def _default_views(self, modality):
        return Corruption(rate=self.corruption_rate)

    def _build_task(self, task):
        from sklearn_ssl.encoders.mlp import projection_head

        width = self.projection_dim
        task.head = projection_head(task.n_outputs, width, width, batch_norm=False)

    def _loss(self, task, batch):
        z, z_corrupted = task.head(task.embed(batch, task.view(batch))).chunk(2)
        return objectives.info_nce(z, z_corrupted, self.temperature)
