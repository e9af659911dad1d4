"""Encoders: the networks whose output is the embedding.

The classes here hold parameters only; each builds its network, from the module of the
same name, when a fit begins. None of them imports torch before that. `learning_rate` is
the one that suits the network when an estimator's is "auto".
"""

import inspect
from copy import deepcopy
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

from sklearn.base import BaseEstimator, clone

from sklearn_ssl._parameters import check_number, check_option, unless_auto

__all__ = ["MLP", "ConvNet", "FTTransformer", "ResNet", "ViT"]


@dataclass(kw_only=True, eq=False, repr=False)
class MLP(BaseEstimator):
    """Multilayer perceptron, for tables.

    Parameters
    ----------
    hidden : tuple of int, default=(256, 256, 256, 256)
        Width of each layer; the last is the width of the embedding.
    dropout : float, default=0.0
        Share of the units of each layer that are zeroed while training.
    numbers : {"linear", "periodic", "piecewise"}, default="linear"
        How the numbers of a table enter: "linear" as they are, else embedded [1]_.
        "periodic" takes sines and cosines of 48 trained frequencies, "piecewise" how
        far a number has come through each of 48 bins between quantiles of the training
        rows; of these, a linear map of the column's own and ReLU make 24 values, all 0
        where the number is missing.
    frequency_init_scale : float, default=0.1
        Standard deviation of the frequencies of "periodic" before training, for
        numbers that are scaled. Below 0.2 was best for half of the authors' data sets;
        too small does less harm than too large. With the 0.01 of their package, rows
        are at first nearly alike, which is close to a collapse.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features
       in Tabular Deep Learning", NeurIPS 2022. https://arxiv.org/abs/2203.05556

    Examples
    --------
    >>> from sklearn_ssl import SCARF
    >>> from sklearn_ssl.encoders import MLP
    >>> SCARF(encoder=MLP(hidden=(64, 32))).get_params()["encoder__hidden"]
    (64, 32)
    """

    learning_rate: ClassVar[float] = 1e-3

    hidden: tuple = (256, 256, 256, 256)
    dropout: float = 0.0
    numbers: str = "linear"
    frequency_init_scale: float = 0.1

    def build(self, input_shape, columns=None, bin_edges=None):
        """Build the network for inputs of shape (n, *input_shape).

        Of a table, `columns` lists the inputs of each column and `bin_edges` the bounds
        of the bins of the number columns, which come first; None means numbers alone.
        """
        from sklearn_ssl.encoders.mlp import MLPNetwork

        _check_widths("hidden", self.hidden)
        _check_dropout(self.dropout)
        n_inputs = _flat(input_shape, self)
        embedding = _number_embedding(self, n_inputs, columns, bin_edges)
        return MLPNetwork(n_inputs, self.hidden, self.dropout, embedding)


@dataclass(kw_only=True, eq=False, repr=False)
class ConvNet(BaseEstimator):
    """Small convolutional network: quick on a CPU, for images up to about 64 pixels.

    Parameters
    ----------
    channels : tuple of int, default=(32, 64, 64, 128, 128, 256)
        Channels of each convolution. The mean and the maximum of the last over the
        image make the embedding, which is twice as wide.
    """

    learning_rate: ClassVar[float] = 5e-3

    channels: tuple = (32, 64, 64, 128, 128, 256)

    def build(self, input_shape):
        """Build the network for inputs of shape (n, *input_shape)."""
        from sklearn_ssl.encoders.convnet import ConvNetNetwork

        _check_widths("channels", self.channels)
        channels, *size = _image(input_shape, self)
        return ConvNetNetwork(channels, tuple(size), tuple(self.channels))


@dataclass(kw_only=True, eq=False, repr=False)
class ResNet(BaseEstimator):
    """Residual network (He et al., 2016), with a 3x3 stem for small images.

    Parameters
    ----------
    depth : {18, 34, 50}, default=18
        Number of layers.
    width : int, default=64
        Channels of the first stage.
    small_stem : "auto" or bool, default="auto"
        Whether the first layer is a 3x3 convolution without pooling; "auto" does this
        for images up to 64 pixels.
    """

    learning_rate: ClassVar[float] = 1e-3

    depth: int = 18
    width: int = 64
    small_stem: object = "auto"

    def build(self, input_shape):
        """Build the network for inputs of shape (n, *input_shape)."""
        from sklearn_ssl.encoders.resnet import DEPTHS, ResNetNetwork

        check_number("encoder: depth", self.depth, Integral, 1)
        check_option("encoder: depth", self.depth, tuple(DEPTHS))
        check_number("encoder: width", self.width, Integral, 1)
        check_option("encoder: small_stem", self.small_stem, ("auto", True, False))
        channels, *size = _image(input_shape, self)
        return ResNetNetwork(
            channels, tuple(size), self.depth, self.width, self.small_stem
        )


@dataclass(kw_only=True, eq=False, repr=False)
class ViT(BaseEstimator):
    """Vision transformer (Dosovitskiy et al., 2021) of a size for small images.

    The tokens are patches, their positions fixed sines and cosines. Mean and maximum of
    the encoded tokens make the embedding: methods that predict tokens train each of
    them, but would not train a class token.

    Parameters
    ----------
    patch_size : "auto" or int, default="auto"
        Side of a patch in pixels; images are padded to whole patches. "auto" makes
        about 7 patches along the longer side, of 2 to 16 pixels.
    dim : int, default=128
        Width of a token, a multiple of 4; the embedding is twice as wide.
    depth : int, default=4
        Number of blocks.
    heads : int, default=4
        Attentions side by side in each block; divides `dim`.
    """

    learning_rate: ClassVar[float] = 1e-3

    patch_size: object = "auto"
    dim: int = 128
    depth: int = 4
    heads: int = 4

    def build(self, input_shape):
        """Build the network for inputs of shape (n, *input_shape)."""
        from sklearn_ssl.encoders.vit import ViTNetwork, auto_patch_size

        check_number(
            "encoder: patch_size", self.patch_size, Integral, 1, words=("auto",)
        )
        _check_transformer(self, multiple_of=4)
        channels, *size = _image(input_shape, self)
        patch_size = unless_auto(self.patch_size, auto_patch_size(size))
        return ViTNetwork(
            channels, tuple(size), patch_size, self.dim, self.depth, self.heads
        )


@dataclass(kw_only=True, eq=False, repr=False)
class FTTransformer(BaseEstimator):
    """Transformer for tables whose tokens are the columns (Gorishniy et al., 2021).

    Mean and maximum of the encoded tokens make the embedding: methods that predict
    tokens train each of them, but would not train a class token. Unlike the authors',
    the blocks are those of :class:`ViT`: GELU, a norm before each attention, and no
    dropout in it.

    Parameters
    ----------
    dim : int, default=64
        Width of a token; the embedding is twice as wide.
    depth : int, default=3
        Number of blocks.
    heads : int, default=8
        Attentions side by side in each block; divides `dim`.
    dropout : float, default=0.0
        Share of the hidden units of each block that are zeroed while training.
    numbers : {"linear", "periodic", "piecewise"}, default="linear"
        How the numbers of a table enter, as in :class:`MLP`. What "periodic" and
        "piecewise" make of a number is then mapped to the width of a token.
    frequency_init_scale : float, default=0.1
        Standard deviation of the frequencies of "periodic" before training.
    """

    learning_rate: ClassVar[float] = 1e-3

    dim: int = 64
    depth: int = 3
    heads: int = 8
    dropout: float = 0.0
    numbers: str = "linear"
    frequency_init_scale: float = 0.1

    def build(self, input_shape, columns=None, bin_edges=None):
        """Build the network for inputs of shape (n, *input_shape).

        Of a table, `columns` lists the inputs of each column and `bin_edges` the bounds
        of the bins of the number columns, which come first; None means numbers alone.
        """
        from sklearn_ssl.encoders.ft_transformer import FTTransformerNetwork

        _check_transformer(self)
        _check_dropout(self.dropout)
        n_inputs = _flat(input_shape, self)
        embedding = _number_embedding(self, n_inputs, columns, bin_edges)
        columns = _columns(n_inputs, columns)
        return FTTransformerNetwork(
            columns, self.dim, self.depth, self.heads, self.dropout, embedding
        )


@dataclass(kw_only=True, eq=False, repr=False)
class Custom(BaseEstimator):
    """Wraps an ``nn.Module``, or a factory of one, that was passed as ``encoder``."""

    learning_rate: ClassVar[float] = 1e-3

    module: object

    def build(self, input_shape):
        """Copy the module, or call the factory."""
        if not isinstance(self.module, type) and hasattr(self.module, "state_dict"):
            return deepcopy(self.module)
        if "input_shape" in inspect.signature(self.module).parameters:
            return self.module(input_shape=tuple(input_shape))
        return self.module()


_NAMES = {
    "mlp": MLP(),
    "convnet": ConvNet(),
    "resnet18": ResNet(depth=18),
    "resnet34": ResNet(depth=34),
    "resnet50": ResNet(depth=50),
    "vit": ViT(),
    "ft_transformer": FTTransformer(),
}


def resolve_encoder(encoder, default):
    """The component for an ``encoder`` parameter.

    Parameters
    ----------
    encoder : str, component, nn.Module or callable
    default : component
        What "auto" stands for.

    Raises
    ------
    ValueError, TypeError
        If `encoder` is none of these.
    """
    if isinstance(encoder, str):
        if encoder == "auto":
            return default
        if encoder not in _NAMES:
            raise ValueError(
                f"encoder={encoder!r} is unknown. Choose one of "
                f"{sorted(['auto', *_NAMES])}, or pass a component of "
                "sklearn_ssl.encoders, an nn.Module or a factory of one."
            )
        return clone(_NAMES[encoder])
    if hasattr(encoder, "build"):
        return clone(encoder)
    if hasattr(encoder, "state_dict") or callable(encoder):
        return Custom(module=encoder)
    raise TypeError(
        "encoder must be a name, a component of sklearn_ssl.encoders, an nn.Module or "
        f"a factory of one, got {encoder!r}."
    )


# What networks raise on an input that they were not made for.
REFUSALS = RuntimeError, ValueError, TypeError, IndexError, AssertionError


def build_network(encoder, inputs, shape):
    """The network of a component for a shape; it may ask what the inputs are."""
    asked = inspect.signature(encoder.build).parameters
    known = {"columns": "columns_of_output", "bin_edges": "bin_edges"}
    told = {name: getattr(inputs, known[name], None) for name in known if name in asked}
    network = encoder.build(shape, **told)
    if not hasattr(network, "state_dict"):
        raise TypeError(
            f"{encoder!r} must make an nn.Module, but returned {network!r}."
        )
    return network


def _number_embedding(encoder, n_inputs, columns, bin_edges):
    """The module that embeds the numbers among the inputs; None if they stay."""
    options = ("linear", "periodic", "piecewise")
    check_option("encoder: numbers", encoder.numbers, options)
    scale = encoder.frequency_init_scale
    check_number("encoder: frequency_init_scale", scale, Real, 0, strict=True)
    n_numbers = n_inputs if bin_edges is None else len(bin_edges)
    if encoder.numbers == "linear" or not n_numbers:
        return None
    from sklearn_ssl.encoders import number_embeddings

    if encoder.numbers == "periodic":
        encoding = number_embeddings.Periodic(n_numbers, scale)
    elif bin_edges is not None:
        encoding = number_embeddings.PiecewiseLinear(bin_edges)
    else:
        raise ValueError(
            "encoder: numbers='piecewise' needs the quantiles of columns, which only a "
            "table has. Pass numbers='linear' or numbers='periodic'."
        )
    columns = _columns(n_inputs, columns)
    return number_embeddings.NumberEmbedding(encoding, columns)


def _columns(n_inputs, columns):
    return [[i] for i in range(n_inputs)] if columns is None else columns


def _check_transformer(encoder, multiple_of=1):
    for name in ("dim", "depth", "heads"):
        check_number(f"encoder: {name}", getattr(encoder, name), Integral, 1)
    for divisor in (encoder.heads, multiple_of):
        if encoder.dim % divisor:
            raise ValueError(
                f"encoder: dim must be a multiple of {divisor}, got {encoder.dim!r}."
            )


def _check_widths(name, widths):
    if not isinstance(widths, tuple | list) or not widths:
        raise ValueError(f"encoder: {name} must be a tuple of ints, got {widths!r}.")
    for width in widths:
        check_number(f"encoder: {name}", width, Integral, 1)


def _check_dropout(share):
    check_number("encoder: dropout", share, Real, 0, 1)
    if share == 1:
        raise ValueError("encoder: dropout must be below 1, or no unit is left.")


def _flat(input_shape, encoder):
    if len(input_shape) != 1:
        raise ValueError(
            f"{encoder!r} takes rows of numbers, but the modality gives tensors of "
            f"shape {('n', *input_shape)}. Pass encoder='auto'."
        )
    return input_shape[0]


def _image(input_shape, encoder):
    if len(input_shape) != 3:
        raise ValueError(
            f"{encoder!r} takes images, but the modality gives tensors of shape "
            f"{('n', *input_shape)}. Pass modality='image' (for flattened rows "
            "modality=Image(shape=(height, width))), or encoder='auto'."
        )
    return input_shape
