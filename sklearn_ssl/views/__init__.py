"""Views: random transformations that keep the meaning of a row.

A view is called as ``view(batch, source, generator)`` with a batch (dict of tensors),
the rows that it may borrow from (dict of tensors) and a ``torch.Generator``, and
returns a new batch. Of data of more than some 4 million cells or pixels the rows to
borrow from are some, evenly spaced. The classes here hold parameters; ``adapt`` returns
a copy in which each "auto" is replaced by the value that suits the data. The
computations are in the modules of this package, which import torch.
"""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

from sklearn.base import BaseEstimator, clone

from sklearn_ssl._arrays import spread_rows
from sklearn_ssl._parameters import check_number, check_option, unless_auto

__all__ = ["Corruption", "Identity", "ImageViews", "PatchMasking"]

_MIN_SIZE_OF_LOCAL_VIEWS = 32


@dataclass(kw_only=True, eq=False, repr=False)
class Corruption(BaseEstimator):
    """Replace random cells of a table by the same column's cell of a random row.

    A category is replaced as a whole, and a number together with its being missing. Of
    a table of more than some 4 million cells evenly spaced rows lend theirs, as many as
    hold about so many, but at least 1024.

    Parameters
    ----------
    rate : float, default=0.6
        Share of the cells that are replaced.
    exact : bool, default=True
        Replace exactly ``floor(rate * n_columns)`` cells, at least one, in each row
        (SCARF); otherwise each cell has its chance (swap noise).
    donors : {"cell", "row"}, default="cell"
        Draw a row to borrow from for each "cell", so that columns are replaced
        independently, or one for all that are replaced in a "row" (CutMix).
    """

    rate: float = 0.6
    exact: bool = True
    donors: str = "cell"

    def adapt(self, modality, arrays):
        """Return a copy that knows the table."""
        _check_kind(self, "table", modality)
        check_number("views: rate", self.rate, Real, 0, 1)
        check_option("views: exact", self.exact, (True, False))
        check_option("views: donors", self.donors, ("cell", "row"))
        adapted = clone(self)
        adapted.missing_columns_ = [int(i) for i in modality.missing_columns_]
        return adapted

    def __call__(self, batch, source, generator):
        """Return a corrupted batch."""
        from sklearn_ssl.views.tabular import corrupt

        return corrupt(
            batch,
            source,
            generator,
            self.rate,
            self.exact,
            self.missing_columns_,
            self.donors,
        )


@dataclass(kw_only=True, eq=False, repr=False)
class Identity(BaseEstimator):
    """Leave a batch of any modality as it is."""

    def adapt(self, modality, arrays):
        """Return a copy."""
        return clone(self)

    def __call__(self, batch, source, generator):
        """Return the batch."""
        return batch


@dataclass(kw_only=True, eq=False, repr=False)
class ImageViews(BaseEstimator):
    """Crop, flip, turn and recolour each image, and resize it to what it was.

    Parameters
    ----------
    crop_scale : tuple of float, default=(0.4, 1.0)
        Range of the share of the image's area that is kept.
    crop_ratio : tuple of float, default=(0.75, 1.33)
        Range of the crop's width over height, relative to the image's own.
    flip : "auto" or float, default="auto"
        Chance of a horizontal flip. "auto" is 0.5 if mirrored training images look like
        training images, as photographs do and characters do not, and 0 otherwise.
    rotation : float, default=15.0
        Degrees, to either side.
    shear : float, default=0.1
        Sideways shift of pixels, as a share of their height above the centre, to either
        side.
    brightness : float, default=0.4
        Largest relative change of the intensity.
    contrast : float, default=0.4
        Largest relative change of the distance from the image's mean.
    saturation : float, default=0.2
        Largest relative change of the colourfulness, for three channels.
    hue : float, default=0.02
        Largest turn of the colours, in turns, for three channels.
    p_gray : float, default=0.1
        Chance of losing the colour, for three channels.
    p_blur : float, default=0.5
        Chance of a Gaussian blur.
    blur_sigma : tuple of float, default=(0.1, 1.5)
        Range of its standard deviation, in pixels.
    p_erase : float, default=0.25
        Chance of an erased rectangle.
    erase_scale : tuple of float, default=(0.02, 0.2)
        Range of its share of the image's area.
    """

    # Supervised training may show them as well.
    keeps_labels: ClassVar[bool] = True

    crop_scale: tuple = (0.4, 1.0)
    crop_ratio: tuple = (3 / 4, 4 / 3)
    flip: object = "auto"
    rotation: float = 15.0
    shear: float = 0.1
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.2
    hue: float = 0.02
    p_gray: float = 0.1
    p_blur: float = 0.5
    blur_sigma: tuple = (0.1, 1.5)
    p_erase: float = 0.25
    erase_scale: tuple = (0.02, 0.2)

    def adapt(self, modality, arrays):
        """Return a copy whose flip is decided."""
        _check_kind(self, "image", modality)
        self._check()
        adapted = clone(self)
        if self.flip == "auto":
            adapted.flip = 0.5 if _mirror_symmetric(modality, arrays["pixels"]) else 0.0
        adapted.size_ = modality.shape_[1:]
        return adapted

    def local(self):
        """Return views of half the size, of small crops, for multi-crop training.

        Returns
        -------
        views : ImageViews or None
            Adapted like these, with crops between a quarter of their smallest area and
            that. None for images smaller than 32 pixels.
        """
        if min(self.size_) < _MIN_SIZE_OF_LOCAL_VIEWS:
            return None
        smallest = self.crop_scale[0]
        local = clone(self).set_params(crop_scale=(smallest / 4, smallest))
        local.size_ = tuple(side // 2 for side in self.size_)
        return local

    def _check(self):
        if self.flip != "auto":
            check_number("views: flip", self.flip, Real, 0, 1)
        for name in ("p_gray", "p_blur", "p_erase"):
            check_number(f"views: {name}", getattr(self, name), Real, 0, 1)
        for name in "rotation shear brightness contrast saturation hue".split():
            check_number(f"views: {name}", getattr(self, name), Real, 0)
        for name in ("crop_scale", "crop_ratio", "blur_sigma", "erase_scale"):
            values = getattr(self, name)
            if not isinstance(values, tuple | list) or len(values) != 2:
                raise ValueError(
                    f"views: {name} must be a pair (low, high), got {values!r}."
                )
            high = 1 if name.endswith("scale") else None
            check_number(f"views: {name}[1]", values[1], Real, 0, high)
            check_number(f"views: {name}[0]", values[0], Real, 0, values[1])
        if 0 in (self.crop_scale[0], self.crop_ratio[0], self.blur_sigma[0]):
            raise ValueError(
                "views: crop_scale, crop_ratio and blur_sigma must be above 0."
            )

    def __call__(self, batch, source, generator):
        """Return a varied batch; `source` is not used."""
        from sklearn_ssl.views.image import augment

        parameters = self.get_params(deep=False) | {"size": self.size_}
        return {"pixels": augment(batch["pixels"], generator, **parameters)}


@dataclass(kw_only=True, eq=False, repr=False)
class PatchMasking(BaseEstimator):
    """Hide random squares of each image behind the mean of the training pixels.

    Parameters
    ----------
    rate : float, default=0.5
        Chance of each square to be hidden.
    size : "auto" or int, default="auto"
        Pixels a side. "auto" is an eighth of the image's shorter side: single pixels
        of a larger image could be told from their neighbours.
    """

    rate: float = 0.5
    size: object = "auto"

    def adapt(self, modality, arrays):
        """Return a copy that knows the size and the mean of the images."""
        _check_kind(self, "image", modality)
        check_number("views: rate", self.rate, Real, 0, 1)
        check_number("views: size", self.size, Integral, 1, words=("auto",))
        adapted = clone(self)
        if self.size == "auto":
            adapted.size = max(round(min(modality.shape_[1:]) / 8), 1)
        adapted.fill_ = [float(value) for value in modality.mean_]
        return adapted

    def __call__(self, batch, source, generator):
        """Return a masked batch; `source` is not used."""
        from sklearn_ssl.views.image import mask_patches

        pixels = batch["pixels"]
        masked = mask_patches(pixels, generator, self.rate, self.size, self.fill_)
        return {"pixels": masked}


def _check_kind(views, kind, modality):
    if modality.name != kind:
        raise ValueError(
            f"{views!r} works on {kind}s, and X was read as modality="
            f"{modality.name!r}. Pass views='auto'."
        )


def _mirror_symmetric(modality, pixels):
    # Decided once: a later, smaller chunk of `partial_fit` does not decide again.
    if not hasattr(modality, "mirror_symmetric_"):
        from torch import from_numpy

        from sklearn_ssl.views.image import mirror_symmetric

        rows = spread_rows(len(pixels), 500)
        modality.mirror_symmetric_ = mirror_symmetric(from_numpy(pixels[rows]))
    return modality.mirror_symmetric_


def resolve_views(views, default, modality, arrays):
    """The adapted component, or the callable, for a ``views`` parameter.

    Raises
    ------
    TypeError
        If `views` is neither "auto" nor a component nor callable.
    """
    views = unless_auto(views, default)
    if hasattr(views, "adapt"):
        return views.adapt(modality, arrays)
    if callable(views):
        return views
    raise TypeError(
        "views must be 'auto', a component of sklearn_ssl.views or a callable "
        f"view(batch, source, generator), got {views!r}."
    )
