"""Images as arrays, lists of PIL images or flattened rows."""

from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.base import BaseEstimator

from sklearn_ssl._parameters import check_number

_MAX_CHANNELS = 4
# Embeddings of images carry more than a table's few columns do: a larger norm, that is
# less regularization by a classifier of default settings.
_EMBEDDING_NORM = 10.0
# Pixels may lie outside of the training images' range, by so many times that at most:
# what lies beyond has another scale.
_MAX_SPANS_OUTSIDE = 4


@dataclass(kw_only=True, eq=False, repr=False)
class Image(BaseEstimator):
    """Images of one size.

    Parameters
    ----------
    shape : tuple of int or None, default=None
        Shape of one image, (height, width) or with channels first or last, if the rows
        of X are flattened images.
    channels : {"auto", "first", "last"}, default="auto"
        Where the channels are in images of three dimensions. "auto" takes the axis
        that alone can be channels: at most 4 long.

    Attributes
    ----------
    shape_ : tuple of int
        (channels, height, width).
    range_ : tuple of float
        The pixel values that stand for 0 and 1: 0 and 255 for uint8, the extremes of
        the training images otherwise.
    mean_, std_ : ndarray of shape (channels,)
        Statistics of the training pixels once they lie in [0, 1].
    mirror_symmetric_ : bool
        Whether mirrored training images look like training images; present once views
        asked for it.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ssl.modalities import Image
    >>> X, _ = load_digits(return_X_y=True)
    >>> Image(shape=(8, 8)).fit(X).to_arrays(X)["pixels"].shape
    (1797, 1, 8, 8)
    """

    name: ClassVar[str] = "image"
    norms: ClassVar[tuple] = (_EMBEDDING_NORM,)
    rows_to_see: ClassVar[int] = 140_000

    shape: tuple | None = None
    channels: str = "auto"

    def fit(self, X):
        """Learn the images' shape, range and statistics.

        Parameters
        ----------
        X : array-like or list of PIL images

        Returns
        -------
        self : Image
        """
        if self.channels not in ("auto", "first", "last"):
            raise ValueError(
                "modality: channels must be 'auto', 'first' or 'last', got "
                f"{self.channels!r}."
            )
        if self.shape is not None:
            self._check_shape()
        raw = self._read(X)
        self._channels_last = self._has_channels_last(raw.shape)
        pixels = self._channels_first(raw)
        self.shape_ = pixels.shape[1:]
        self._is_uint8 = pixels.dtype == np.uint8
        low, high = 0.0, 255.0
        if not self._is_uint8:
            low, high = float(pixels.min()), float(pixels.max())
            high = high if high > low else low + 1.0
        self.range_ = low, high
        total = squares = 0.0
        for start in range(0, len(pixels), 1024):  # float64 of all would take 8 times X
            block = (pixels[start : start + 1024].astype(np.float64) - low) / (
                high - low
            )
            total = total + block.sum((0, 2, 3))
            squares = squares + (block**2).sum((0, 2, 3))
        count = pixels.size // pixels.shape[1]
        self.mean_ = total / count
        std = np.sqrt(np.maximum(squares / count - self.mean_**2, 0))
        self.std_ = np.where(std > 1e-7, std, 1.0)
        return self

    def to_arrays(self, X):
        """Turn images into an array.

        Parameters
        ----------
        X : array-like or list of PIL images
            Images of the shape of `fit`.

        Returns
        -------
        arrays : dict of str to ndarray
            "pixels" of shape (n, channels, height, width): uint8 stays uint8,
            everything else becomes float32.

        Raises
        ------
        ValueError
            If the images differ from the training images in shape or scale, or hold
            NaN or infinity.
        """
        pixels = self._channels_first(self._read(X))
        if pixels.shape[1:] != self.shape_:
            raise ValueError(
                f"X holds images of (channels, height, width) {pixels.shape[1:]}, but "
                f"the training images had {self.shape_}. Resize them."
            )
        if self._is_uint8 and pixels.dtype != np.uint8:
            if 0 < pixels.max() <= 1 and (pixels % 1).any():
                raise ValueError(
                    "X holds fractions up to 1, but the training images were uint8, 0 "
                    "to 255. Pass (255 * X).astype('uint8')."
                )
        if not (self._is_uint8 and pixels.dtype == np.uint8):
            self._check_range(pixels)
        if not self._is_uint8 and pixels.dtype == np.uint8:
            pixels = pixels.astype(np.float32)
        return {"pixels": np.ascontiguousarray(pixels)}

    def input_layer(self):
        """Build the network's input layer."""
        from sklearn_ssl.encoders.inputs import ImageInput

        return ImageInput(self.shape_, *self.range_, self.mean_, self.std_)

    def default_encoder(self):
        """A ConvNet up to 64 pixels, a ResNet-18 beyond."""
        from sklearn_ssl.encoders import ConvNet, ResNet

        return ConvNet() if max(self.shape_[1:]) <= 64 else ResNet(depth=18)

    def default_token_encoder(self):
        """A transformer whose tokens are patches."""
        from sklearn_ssl.encoders import ViT

        return ViT()

    def default_batch_size(self, n_rows):
        """Between 64 and 256: few images need small batches for enough steps."""
        return 2 ** round(np.log2(np.clip(n_rows / 64, 64, 256)))

    def default_views(self):
        """Crops, flips, small rotations and changes of intensity."""
        from sklearn_ssl.views import ImageViews

        return ImageViews()

    def corruption(self, rate):
        """Views that leave an image to be restored: hidden patches."""
        from sklearn_ssl.views import PatchMasking

        return PatchMasking(rate=rate)

    def _read(self, X):
        if is_list_of_images(X):
            X = _stack_pil(X)
        elif isinstance(X, list | tuple):
            X = _stack_arrays(X)
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        X = frame.to_numpy() if isinstance(frame, nw.DataFrame) else np.asarray(X)
        if X.dtype.kind == "c":
            raise ValueError(
                "Complex data not supported. Pass images of real numbers, as np.abs(X)."
            )
        if X.dtype.kind not in "buif":
            try:
                X = X.astype(np.float64)
            except (TypeError, ValueError) as error:
                message = f"Images must hold numbers: {error}."
                raise type(error)(message) from error
        if len(X) == 0:
            raise ValueError(
                f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 "
                "is required."
            )
        if X.dtype != np.uint8:
            X = X.astype(np.float32, copy=False)
            _check_finite(X)
        if X.ndim == 2:
            X = self._unflatten(X)
        if X.ndim not in (3, 4):
            raise ValueError(
                "Images must have shape (n, height, width) or that with channels, got "
                f"an array of shape {X.shape}."
            )
        return X

    def _check_range(self, pixels):
        low, high = self.range_
        lowest, highest = float(pixels.min()), float(pixels.max())
        if max(highest - high, low - lowest) > _MAX_SPANS_OUTSIDE * (high - low):
            raise ValueError(
                f"X holds numbers from {lowest:g} to {highest:g}, but the training "
                f"images held {low:g} to {high:g}. Scale them alike, as X / 255 does "
                "uint8 for training images of 0 to 1."
            )

    def _check_shape(self):
        shape = self.shape
        if not isinstance(shape, tuple | list) or len(shape) not in (2, 3):
            raise ValueError(
                "modality: shape must be (height, width), or that with channels, got "
                f"{shape!r}."
            )
        for i, side in enumerate(shape):
            check_number(f"modality: shape[{i}]", side, Integral, 1)

    def _unflatten(self, X):
        if self.shape is None:
            raise ValueError(
                f"X has shape {X.shape}: to read its rows as flattened images, pass "
                "modality=Image(shape=(height, width)), with "
                "from sklearn_ssl.modalities import Image."
            )
        if np.prod(self.shape) != X.shape[1]:
            raise ValueError(
                f"modality: shape={tuple(self.shape)} makes {np.prod(self.shape)} "
                f"pixels, but X has {X.shape[1]} columns."
            )
        return X.reshape(len(X), *self.shape)

    def _has_channels_last(self, shape):
        if len(shape) == 3:
            return None
        first, last = shape[1] <= _MAX_CHANNELS, shape[3] <= _MAX_CHANNELS
        if self.channels != "auto":
            return self.channels == "last"
        if first == last:
            raise ValueError(
                f"In images of shape {shape[1:]} the channels may be the first or the "
                "last axis. Pass modality=Image(channels='first') or 'last', with "
                "from sklearn_ssl.modalities import Image."
            )
        return last

    def _channels_first(self, raw):
        if (raw.ndim == 3) != (self._channels_last is None):
            expected = 3 if self._channels_last is None else 4
            raise ValueError(
                f"X has {raw.ndim} dimensions, but the training images had {expected}."
            )
        if raw.ndim == 3:
            return raw[:, None]
        return raw.transpose(0, 3, 1, 2) if self._channels_last else raw


def is_list_of_images(X):
    """Whether X is a list of PIL images, without importing PIL."""
    return isinstance(X, list | tuple) and len(X) > 0 and hasattr(X[0], "getbands")


def _stack_pil(images):
    first = images[0]
    for i, image in enumerate(images):
        if not hasattr(image, "getbands"):
            raise TypeError(f"X[{i}] is {type(image).__name__}, not a PIL image.")
        if (image.size, image.mode) != (first.size, first.mode):
            raise ValueError(
                f"X[{i}] has size {image.size} and mode {image.mode!r}, but X[0] has "
                f"{first.size} and {first.mode!r}. Resize and convert the images to "
                "one size and mode."
            )
    if first.mode in ("P", "1", "CMYK", "YCbCr", "LA"):
        # Palettes and packed modes hold no intensities to vary.
        mode = "L" if first.mode in ("1", "LA") else "RGB"
        images = [image.convert(mode) for image in images]
    return np.stack([np.asarray(image) for image in images])


def _stack_arrays(X):
    arrays = [np.asarray(x) for x in X]
    for i, array in enumerate(arrays):
        if array.dtype.kind != arrays[0].dtype.kind:
            raise ValueError(
                f"X[{i}] holds {array.dtype} and X[0] {arrays[0].dtype} pixels. Give "
                "both as uint8, or both as numbers of one scale."
            )
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"X[{i}] has shape {array.shape}, but X[0] has {arrays[0].shape}. "
                "Resize the images to one size."
            )
    return np.stack(arrays) if arrays else np.empty((0, 1, 1))


def _check_finite(X):
    # The sum is finite if all values are, and costs less than looking at each.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(X.sum(dtype=np.float64)):
            return
    bad = ~np.isfinite(X).all(axis=tuple(range(1, X.ndim)))
    if bad.any():
        kind = "NaN" if np.isnan(X).any() else "infinity"
        raise ValueError(
            f"Input X contains {kind}: image {int(bad.argmax())} is the first. Images "
            "must be finite; fill or drop such pixels."
        )
