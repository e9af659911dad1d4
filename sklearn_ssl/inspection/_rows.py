"""Rows as a person can look at them: images, or the cells of a table."""

from datetime import timedelta
from numbers import Integral

import numpy as np
from scipy.special import ndtr
from sklearn.utils import _safe_indexing

from sklearn_ssl._arrays import count_rows, spread_rows
from sklearn_ssl._parameters import check_number
from sklearn_ssl.inspection._drawing import shorten
from sklearn_ssl.modalities import Image, Tabular, as_table
from sklearn_ssl.modalities.columns import (
    NUMBERS,
    is_missing,
    labels_of,
    read_column,
    to_float,
)

MISSING = "missing"
_MAX_DIGITS = 12  # that a number is shown with, rather than as a power of ten


def check_rows(rows, n):
    """Check a display's parameter `rows`.

    Parameters
    ----------
    rows : int, array-like of int, or array-like of bool of shape (n,)
        How many rows, which, or a mask of them.
    n : int
        Rows of X.

    Returns
    -------
    rows : int or ndarray of int
        How many, at most n; or their numbers.

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or no row, or a row that X has not.
    """
    array = np.asarray(rows)
    kind = array.dtype.kind
    remedy = "Pass how many rows to show, a list of their numbers, or a boolean mask."
    if array.ndim == 0 and kind in "iu":
        check_number("rows", rows, Integral, 1)
        return min(int(rows), n)
    if array.size == 0 and array.ndim:
        raise ValueError(f"rows is empty. {remedy}")
    if array.ndim == 0 or kind not in "biu":
        got = repr(rows) if array.ndim == 0 else f"values of type {array.dtype}"
        raise TypeError(f"rows must be whole numbers, got {got}. {remedy}")
    if array.ndim > 1:
        raise ValueError(f"rows must be 1-D, got shape {array.shape}. {remedy}")
    if kind == "b":
        if len(array) != n:
            raise ValueError(
                f"rows is a mask of {len(array)} rows, but X has {n}. Pass a bool for "
                "each row of X, or row numbers."
            )
        if not array.any():
            raise ValueError(f"rows is a mask that is nowhere true. {remedy}")
        return np.flatnonzero(array)
    outside = array[(array < 0) | (array >= n)]
    if len(outside):
        raise ValueError(
            f"rows holds {outside[0]}, but X has {n} rows. Pass numbers from 0 to "
            f"{n - 1}."
        )
    return array.astype(np.int64)  # torch takes uint8 for a mask


def rows_or_spread(rows, n):
    """Numbers of these rows, or of so many of n at equal steps."""
    rows = check_rows(rows, n)
    return spread_rows(n, rows) if np.ndim(rows) == 0 else rows


def looks(X, rows, modality=None, max_columns=None):
    """What some rows of X look like, as arguments of a display.

    Parameters
    ----------
    X : images or a table
    rows : ndarray of int
    modality : fitted modality or None, default=None
        ``None`` asks the number of dimensions of X, and learns the rest from it.
    max_columns : int or None, default=None

    Returns
    -------
    looks : dict
        "images", of shape (\\*rows.shape, height, width[, channels]); or "cells", texts
        and numbers for colours, and "column_names".
    """
    if modality is None:
        modality = (Image() if np.ndim(X) > 2 else Tabular()).fit(X)
    some = _safe_indexing(X, rows.ravel())
    arrays = modality.to_arrays(some)
    if modality.name == "image":
        low, high = modality.range_
        images = as_images((arrays["pixels"] - low) / (high - low))
        return {"images": images.reshape(*rows.shape, *images.shape[1:])}
    texts = given_texts(modality, some)
    values = np.where(texts == MISSING, np.nan, standardized(modality, arrays))
    cells = [part[:, :max_columns].reshape(*rows.shape, -1) for part in (texts, values)]
    return {"cells": tuple(cells), "column_names": column_names(modality)[:max_columns]}


def as_images(pixels):
    """Pixels in [0, 1], channels first, as matplotlib shows them."""
    pixels = np.clip(pixels, 0, 1)
    if pixels.shape[-3] in (3, 4):
        return np.moveaxis(pixels, -3, -1)
    return pixels[..., :3, :, :].mean(axis=-3)


def given_texts(modality, X):
    """The cells of a table as they were given, as text.

    Parameters
    ----------
    modality : Tabular, fitted
    X : array-like or DataFrame of n rows

    Returns
    -------
    texts : ndarray of str, shape (n, n_columns)
    """
    table, columns = as_table(X), []
    for j, label in enumerate(labels_of(modality)):
        cells, kind = read_column(table, j, label)
        columns.append([_as_text(cell, kind) for cell in cells.tolist()])
    return np.array(columns, object).T


def decoded_texts(modality, arrays, grains):
    """The cells that arrays of a table stand for, as text.

    Parameters
    ----------
    modality : Tabular, fitted
    arrays : dict of str to ndarray
        "numbers", "missing" and "categories", each optional, of n rows.
    grains : list of int
        Of :func:`find_grains`.

    Returns
    -------
    texts : ndarray of str, shape (n, n_columns)
        Numbers in their own unit, within the range that the network sees.
    """
    texts = np.empty((count_rows(arrays), modality.n_features_), object)
    for k, j in enumerate(modality.number_columns_):
        values = _in_own_unit(modality, k, arrays["numbers"][:, k].astype(float))
        if grains[j]:
            values = np.round(values / grains[j]) * grains[j]
        texts[:, j] = [_as_text(x, modality.held_[k]) for x in values.tolist()]
    for j, missing in _missing_columns(modality, arrays):
        texts[missing, j] = MISSING
    for k, j in enumerate(modality.category_columns_):
        levels = [MISSING, "other", *modality.categories_[k]]
        texts[:, j] = [shorten(levels[code]) for code in arrays["categories"][:, k]]
    return texts


def find_grains(modality, X):
    """What all values of a column are multiples of, so that decoded ones can be too.

    Scaling and back, numbers of float32 are a bit off: a year would not be whole.

    Returns
    -------
    grains : list of int
        By column: 1 of whole numbers, 60 or 86400 of dates at whole minutes or days; 0
        if there is nothing of that kind.
    """
    table, labels = as_table(X), labels_of(modality)
    grains = [0] * modality.n_features_
    for j, held in zip(modality.number_columns_, modality.held_, strict=True):
        values = to_float(read_column(table, j, labels[j])[0], labels[j])
        values = values[~np.isnan(values)]
        candidates = (86400, 60, 1) if held == "dates" else (1,)
        grains[j] = next((g for g in candidates if not (values % g).any()), 0)
    return grains


def standardized(modality, arrays):
    """The numbers of a table as the network sees them, for colours.

    Returns
    -------
    values : ndarray of shape (n, n_columns)
        NaN for categories, and where a number is known to be missing.
    """
    values = np.full((count_rows(arrays), modality.n_features_), np.nan)
    if "numbers" in arrays:
        values[:, modality.number_columns_] = arrays["numbers"]
    for j, missing in _missing_columns(modality, arrays):
        values[missing, j] = np.nan
    return values


def column_names(modality):
    """Names of a fitted table's columns, their positions if they have none."""
    n = modality.n_features_
    return modality.feature_names_ or [f"column {j}" for j in range(n)]


def _missing_columns(modality, arrays):
    """Columns with gaps in training, and which rows are missing there."""
    for k, i in enumerate(modality.missing_columns_):
        yield modality.number_columns_[i], arrays["missing"][:, k] > 0.5


def _as_text(cell, kind):
    """A cell of a column of a kind, as ``read_column`` gives both."""
    if is_missing(cell):
        return MISSING
    if kind == "dates":
        text = str(np.datetime64(round(cell), "s")).replace("T", " ")
        return text.removesuffix(" 00:00:00").removesuffix(":00")
    if kind == "durations":
        return _duration_as_text(cell)
    return _number_as_text(float(cell)) if isinstance(cell, NUMBERS) else shorten(cell)


def _duration_as_text(seconds):
    size, sign = abs(seconds), "-" if seconds < 0 else ""
    short = f"{size:.3g} s"
    return sign + (short if size < 60 else str(timedelta(seconds=round(size))))


def _number_as_text(x):
    """Whole numbers whole, as years are; three digits of others, or all above 0."""
    if np.isfinite(x) and (x == round(x) or abs(x) >= 999.5):
        text = f"{x + 0.0:.0f}"  # a negative zero has no sign
        if len(text) <= _MAX_DIGITS:
            return text
    return f"{x:.3g}"


def _in_own_unit(modality, k, z):
    """Undo the scaling of a number column."""
    if modality.scaling_[k] == "quantile":
        quantiles = modality.quantiles_[modality.scaling_[:k].count("quantile")]
        return np.interp(ndtr(z), np.linspace(0, 1, len(quantiles)), quantiles)
    # Of float32, so that 0 comes back as rounding.
    digits = 5 - int(np.floor(np.log10(modality.scale_[k])))
    return np.round(modality.mean_[k] + z * modality.scale_[k], digits) + 0.0
