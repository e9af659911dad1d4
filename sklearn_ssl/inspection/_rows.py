"""Rows as a person can look at them: images, or the cells of a table."""

import numpy as np
from scipy.special import ndtr
from sklearn.utils import _safe_indexing

from sklearn_ssl.inspection._drawing import shorten
from sklearn_ssl.modalities import Image, Tabular

_MISSING = "missing"


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
        "images", of shape (\\*rows.shape, height, width[, channels]); or "cells" and
        "column_names", as :func:`read_cells` gives them. Empty for other kinds of data.
    """
    if modality is None:
        modality = (Image() if np.ndim(X) > 2 else Tabular()).fit(X)
    if modality.name not in ("image", "table"):
        return {}
    arrays = modality.to_arrays(_safe_indexing(X, rows.ravel()))
    if modality.name == "image":
        low, high = modality.range_
        images = as_images((arrays["pixels"] - low) / (high - low))
        return {"images": images.reshape(*rows.shape, *images.shape[1:])}
    texts, values, names = read_cells(modality, arrays)
    cells = [part[:, :max_columns].reshape(*rows.shape, -1) for part in (texts, values)]
    return {"cells": tuple(cells), "column_names": names[:max_columns]}


def as_images(pixels):
    """Pixels in [0, 1], channels first, as matplotlib shows them."""
    pixels = np.clip(pixels, 0, 1)
    if pixels.shape[-3] in (3, 4):
        return np.moveaxis(pixels, -3, -1)
    return pixels[..., :3, :, :].mean(axis=-3)


def read_cells(modality, arrays):
    """Cells of a table as text, as numbers for colours, and the columns' names.

    Parameters
    ----------
    modality : Tabular, fitted
    arrays : dict of str to ndarray
        "numbers", "missing" and "categories", each optional, of n rows.

    Returns
    -------
    texts, values : ndarray of shape (n, n_columns)
        In the order of the table's columns. Numbers are in their own unit, and
        standardized; categories have the value NaN.
    names : list of str
    """
    columns = {}
    for k, j in enumerate(modality.number_columns_):
        z = arrays["numbers"][:, k].astype(float)
        texts = [f"{value:.3g}" for value in _in_own_unit(modality, k, z)]
        if k in modality.missing_columns_:
            missing = arrays["missing"][:, modality.missing_columns_.index(k)] > 0.5
            texts = [_MISSING if m else t for m, t in zip(missing, texts, strict=True)]
            z = np.where(missing, np.nan, z)
        columns[j] = texts, z
    for k, j in enumerate(modality.category_columns_):
        levels = [_MISSING, "other", *modality.categories_[k]]
        texts = [shorten(levels[code]) for code in arrays["categories"][:, k]]
        columns[j] = texts, np.full(len(texts), np.nan)
    texts = np.array([columns[j][0] for j in sorted(columns)]).T
    values = np.array([columns[j][1] for j in sorted(columns)]).T
    return texts, values, column_names(modality)


def column_names(modality):
    """Names of a fitted table's columns, their positions if they have none."""
    n = modality.n_features_
    return modality.feature_names_ or [f"column {j}" for j in range(n)]


def _in_own_unit(modality, k, z):
    """Undo the scaling of a number column."""
    if modality.scaling_[k] == "quantile":
        quantiles = modality.quantiles_[modality.scaling_[:k].count("quantile")]
        return np.interp(ndtr(z), np.linspace(0, 1, len(quantiles)), quantiles)
    # Of float32, so that 0 comes back as rounding.
    digits = 5 - int(np.floor(np.log10(modality.scale_[k])))
    return np.round(modality.mean_[k] + z * modality.scale_[k], digits) + 0.0
