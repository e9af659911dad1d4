"""Masked autoencoder (He et al., 2022)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl._parameters import check_number
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.views import Identity


@dataclass(kw_only=True, eq=False, repr=False)
class MaskedAutoencoder(SSLTransformer):
    """Reconstruct the hidden tokens of a row from the visible ones [1]_.

    The tokens of an image are patches, those of a table its columns. The encoder sees
    the visible ones alone; a light decoder, which is thrown away, adds a learned token
    at each hidden place. The loss counts hidden tokens only: the squared error of
    pixels normalized by patch; the squared error of numbers and the cross-entropy of
    categories.

    Parameters
    ----------
    mask_ratio : "auto" or float, default="auto"
        Share of the tokens that are hidden, at least one. "auto" is 0.75 for images
        and, as in [2]_, 0.5 for tables: a column can be told from the others less
        often than a patch from its neighbours.
    decoder_dim : int, default=64
        Width of the decoder; a multiple of 16.
    decoder_depth : int, default=1
        Number of blocks of the decoder.
    {training_parameters}

    Attributes
    ----------
    mask_ratio_ : float
        What "auto" became.
    {fitted_attributes}

    References
    ----------
    .. [1] K. He, X. Chen, S. Xie, Y. Li, P. Dollar, R. Girshick, "Masked Autoencoders
       Are Scalable Vision Learners", CVPR 2022. https://arxiv.org/abs/2111.06377
    .. [2] T. Du, L. Melis, T. Wang, "ReMasker: Imputing Tabular Data with Masked
       Autoencoding", ICLR 2024. https://arxiv.org/abs/2309.13793

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import MaskedAutoencoder
    >>> X, y = load_wine(return_X_y=True)
    >>> mae = MaskedAutoencoder(max_epochs=2, random_state=0)
    >>> mae.fit_transform(X).shape
    (178, 143)
    """

    mask_ratio: float | str = "auto"
    decoder_dim: int = 64
    decoder_depth: int = 1

    def _check_parameters(self):
        super()._check_parameters()
        ratio = self.mask_ratio
        check_number("mask_ratio", ratio, Real, 0, 1, strict=True, words=("auto",))
        check_number("decoder_dim", self.decoder_dim, Integral, 16)
        if self.decoder_dim % 16:
            raise ValueError(
                f"decoder_dim must be a multiple of 16, got {self.decoder_dim!r}."
            )
        check_number("decoder_depth", self.decoder_depth, Integral, 1)

    def _default_encoder(self, modality):
        return modality.default_token_encoder()

    def _default_views(self, modality):
        return Identity()

    def _build_task(self, task):
        from torch import nn

        from sklearn_ssl.encoders.transformer import Transformer
        from sklearn_ssl.masked.hiding import prepare_hiding

        prepare_hiding(task, self.mask_ratio)
        width = self.decoder_dim
        task.decoder = nn.Sequential(
            nn.Linear(task.mask_token.numel(), width),
            Transformer(width, self.decoder_depth, width // 16),
        )
        parts = task.encoder.parts(task.inputs(task.inputs.example(2)))
        task.head = task.inputs.token_head(width, parts.shape[2])

    def _loss(self, task, batch):
        from sklearn_ssl.masked.hiding import hide

        batch = task.view(batch)
        x = task.inputs(batch)
        tokens = task.encoder.tokens(x)
        hidden, visible = hide(task, tokens)
        encoded = task.encoder.encode_tokens(tokens.gather(1, visible))
        restored = task.mask_token.expand_as(tokens).scatter(1, visible, encoded)
        output = task.head(task.decoder(restored + task.encoder.positions))
        return task.inputs.token_loss(output, batch, task.encoder.parts(x), hidden)
