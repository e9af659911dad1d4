"""SAINT (Somepalli et al., 2021), its pretraining."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.views import Corruption


@dataclass(kw_only=True, eq=False, repr=False)
class SAINT(SSLTransformer):
    """A row attracts a mixture of itself and others, from which it is restored [1]_.

    A row is mixed twice: some cells are replaced by those of another row (CutMix), then
    the tokens of its columns, which a transformer reads, are averaged with those of one
    more (mixup). The row must know its mixture among those of other rows, and all its
    cells are predicted from the mixture's tokens.

    Parameters
    ----------
    cutmix_rate : float, default=0.1
        Chance of a cell to be replaced; all those of a row come from one other. Ignored
        if `views` are given.
    mixup_weight : float, default=0.2
        Weight of the other row's tokens; that of the row's own is the rest.
    temperature : float, default=0.7
        Divides the similarities.
    projection_dim : int, default=128
        Width of the heads' output, on which the contrast works.
    denoising_weight : float, default=10.0
        Weight of the prediction of cells; that of the contrast is 1.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    See Also
    --------
    SCARF : The contrast alone, with each replaced cell from a row of its own.
    sklearn_ssl.views.Corruption : CutMix, with ``donors="row"``.

    Notes
    -----
    The loss is :func:`~sklearn_ssl.objectives.info_nce`, in which rows ask for their
    mixtures, each side through a head of its own, plus `denoising_weight` times the
    mean error of a cell: squared for numbers, cross-entropy for categories and for
    being missing. A column is predicted from its token by a hidden layer and a linear
    one of its own.

    There is no attention between rows, which [1]_ adds to that between columns: a row's
    embedding would depend on the rows beside it. Other differences:

    - In [1]_ the row itself has the small weight in mixup, so that most of what the
      tokens hold is another row's; here the other has it.
    - Errors are averaged over columns, and not added up, so that the width of a table
      does not decide how they weigh against the contrast.
    - The heads read the embedding, in which tokens are pooled, and not all tokens side
      by side; similarities are cosines.
    - Replaced cells come from any training row, not from the batch.
    - The encoder and its learning rate are those of
      :class:`~sklearn_ssl.encoders.FTTransformer`: a number becomes a token by a linear
      map.

    References
    ----------
    .. [1] G. Somepalli, M. Goldblum, A. Schwarzschild, C. B. Bruss, T. Goldstein,
       "SAINT: Improved Neural Networks for Tabular Data via Row Attention and
       Contrastive Pre-Training", 2021. https://arxiv.org/abs/2106.01342

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SAINT
    >>> X, y = load_wine(return_X_y=True)
    >>> SAINT(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 143)
    """

    modalities: ClassVar[tuple] = ("table",)

    cutmix_rate: float = 0.1
    mixup_weight: float = 0.2
    temperature: float = 0.7
    projection_dim: int = 128
    denoising_weight: float = 10.0

    def _check_parameters(self):
        super()._check_parameters()
        check_number("cutmix_rate", self.cutmix_rate, Real, 0, 1)
        check_number("mixup_weight", self.mixup_weight, Real, 0, 1)
        check_number("temperature", self.temperature, Real, 0, strict=True)
        check_number("projection_dim", self.projection_dim, Integral, 1)
        check_number("denoising_weight", self.denoising_weight, Real, 0)

    def _default_encoder(self, modality):
        return modality.default_token_encoder()

    def _default_views(self, modality):
        return Corruption(rate=self.cutmix_rate, exact=False, donors="row")

    def _build_task(self, task):
        from torch import nn

        from sklearn_ssl.encoders.ft_transformer import ColumnLinear
        from sklearn_ssl.encoders.mlp import projection_head

        if not hasattr(task.encoder, "encode_tokens"):
            raise ValueError(
                "SAINT mixes the tokens of columns, and the encoder has none. Pass "
                "encoder='auto' or 'ft_transformer'."
            )
        n, d = task.n_outputs, self.projection_dim
        task.head = projection_head(n, n, d, batch_norm=False)
        task.mixture_head = projection_head(n, n, d, batch_norm=False)
        n_columns, dim = task.encoder.positions.shape
        task.denoiser = nn.Sequential(
            ColumnLinear(n_columns, dim, dim),
            nn.ReLU(),
            task.inputs.token_head(dim, n_values=None),
        )

    def _loss(self, task, batch):
        from torch import cat, ones_like

        x = cat([task.inputs(batch), task.inputs(task.view(batch))])
        own, view = task.encoder.tokens(x).chunk(2)
        # In training batches are shuffled: the row before is a random one.
        mixture = view.lerp(view.roll(1, dims=0), self.mixup_weight)
        encoded = task.encoder.encode_tokens(cat([own, mixture]))
        z, z_mixture = task.encoder.pool(encoded).chunk(2)
        contrast = objectives.info_nce(
            task.head(z), task.mixture_head(z_mixture), self.temperature
        )
        restored = task.denoiser(encoded[len(own) :])
        everywhere = ones_like(restored[..., 0]).bool()
        error = task.inputs.token_loss(restored, batch, None, everywhere)
        return contrast + self.denoising_weight * error
