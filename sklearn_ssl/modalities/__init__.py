"""Modalities: what X is, and how it becomes tensors."""

from math import isqrt

import numpy as np
from sklearn.base import clone

from sklearn_ssl._parameters import check_is_instance
from sklearn_ssl.modalities.columns import as_frame, as_table
from sklearn_ssl.modalities.concat import concat_rows, with_unlabeled
from sklearn_ssl.modalities.image import Image, is_list_of_images
from sklearn_ssl.modalities.streaming import read_rows
from sklearn_ssl.modalities.tabular import Tabular

__all__ = [
    "Image",
    "Tabular",
    "as_2d",
    "as_table",
    "concat_rows",
    "read_rows",
    "resolve_modality",
    "with_unlabeled",
]

_CLASSES = {"table": Tabular, "image": Image}


def as_2d(modality, X):
    """Check X if it is a table or images as flattened rows.

    Returns
    -------
    X : ndarray or narwhals DataFrame; unchanged if it is neither
    is_2d : bool

    Raises
    ------
    TypeError
        If X is a LazyFrame, or another kind that :func:`as_table` refuses.
    """
    as_frame(X)  # first: a LazyFrame that is asked for its columns warns
    is_2d = modality.name == "table" or hasattr(X, "columns")
    if getattr(modality, "shape", None) is not None:
        ndim = getattr(X, "ndim", None)
        if isinstance(X, list | tuple) and not is_list_of_images(X):
            ndim = np.ndim(X[0]) + 1 if X else 1
        is_2d = is_2d or ndim in (0, 1, 2)
    return (as_table(X) if is_2d else X), is_2d


def resolve_modality(modality, X, supported, name):
    """The unfitted component for a ``modality`` parameter.

    Parameters
    ----------
    modality : str or component
    X : object
        The data, looked at only if `modality` is "auto".
    supported : tuple of str
        Modalities that the method can take.
    name : str
        Name of the method, for messages.

    Raises
    ------
    ValueError
        If X is ambiguous, or is of a kind that the method does not take.
    TypeError
        If `modality` is neither a name nor a component.
    """
    check_is_instance("modality", modality)
    if not isinstance(modality, str):
        if getattr(modality, "name", None) not in _CLASSES:
            raise TypeError(
                f"modality must be one of {['auto', *supported]} or a component of "
                f"sklearn_ssl.modalities, got {modality!r}."
            )
        kind = modality.name
    elif modality == "auto":
        kind = _guess(X, supported, name)
        if kind == "table" and supported == ("image",):
            return Image(shape=_shape_of_flattened(X))
    elif modality in _CLASSES:
        kind = modality
    else:
        raise ValueError(
            f"modality={modality!r} is unknown. Choose one of {['auto', *supported]}."
        )
    if kind not in supported:
        raise ValueError(
            f"{name} takes modality {' or '.join(map(repr, supported))}, and X was "
            f"read as {kind!r}. Name the modality if X is not that."
        )
    return _CLASSES[kind]() if isinstance(modality, str) else clone(modality)


def _shape_of_flattened(X):
    """Square if the number of columns is a square, else a strip of one row."""
    n_columns = as_table(X).shape[1]
    side = isqrt(n_columns)
    return (side, side) if side**2 == n_columns else (1, n_columns)


def _guess(X, supported, name):
    if is_list_of_images(X):
        return "image"
    if isinstance(X, list | tuple) and len(X):
        if isinstance(X[0], str):
            return "text"
        ndim = X[0].ndim if isinstance(X[0], np.ndarray) else 0
        if ndim > 1:
            return {2: "sequence", 3: "image"}.get(ndim, "table")
    ndim = getattr(X, "ndim", None)
    if ndim == 1 and len(X) and isinstance(next(iter(X)), str):
        return "text"
    if ndim == 4:
        return "image"
    if ndim == 3:
        if supported == ("image",):
            return "image"
        if "image" not in supported:
            raise ValueError(
                f"Found array with dim 3, of shape {np.shape(X)}: {name} takes tables."
            )
        raise ValueError(
            f"Found array with dim 3, of shape {np.shape(X)}: it may hold gray images "
            "(n, height, width) or sequences (n, channels, time points). Pass "
            f"{name}(modality='image') if these are images."
        )
    return "table"
