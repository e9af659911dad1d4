"""The rows that an autoencoder restores worst."""

from numbers import Integral

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_ssl._arrays import count_rows
from sklearn_ssl._parameters import check_number
from sklearn_ssl._probing import cell_errors, find_autoencoder, restore_images
from sklearn_ssl.inspection._drawing import (
    RowsDisplay,
    begin_plot,
    draw_cells,
    draw_image_grid,
    table_figsize,
)
from sklearn_ssl.inspection._rows import (
    as_images,
    check_rows,
    column_names,
    given_texts,
    looks,
)

# Times the column's usual error, beyond which a cell stands out.
_STANDS_OUT = 2.0


class AnomaliesDisplay(RowsDisplay):
    """The rows of lowest ``score_samples``, and what is unusual in them.

    In a table, the redder a cell, the larger its error against that of its column; pale
    cells are restored about as well as in other rows. Of images, what the autoencoder
    made of them is shown below.

    Parameters
    ----------
    rows : ndarray of int, shape (n_rows,)
        Row numbers, for the labels.
    scores : ndarray of shape (n_rows,)
        Of ``score_samples``.
    images : ndarray of shape (2, n_rows, height, width[, channels]) or None
        The images and what was restored of them, in [0, 1]; None for tables.
    cells : tuple of ndarray of shape (n_rows, n_columns), or None
        Texts of the cells, and their errors in units of the root mean square error of
        their column.
    column_names : list of str or None, default=None
        Names of the columns of a table.
    name : str or None, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import Autoencoder
    >>> from sklearn_ssl.inspection import AnomaliesDisplay
    >>> X = load_wine(as_frame=True).data
    >>> autoencoder = Autoencoder(max_epochs=3).fit(X)
    >>> AnomaliesDisplay.from_estimator(autoencoder, X)
    <...>
    >>> plt.show()
    """

    def __init__(
        self, rows, scores, *, images=None, cells=None, column_names=None, name=None
    ):
        self.rows = rows
        self.scores = scores
        self.images = images
        self.cells = cells
        self.column_names = column_names
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator, X, *, rows=8, max_columns=12, name=None, ax=None
    ):
        """Score rows and show the lowest.

        Parameters
        ----------
        estimator : fitted estimator
            An autoencoder, or a Pipeline, ``SSLClassifier`` or search around one.
        X : what `estimator` reads
        rows : int or array-like of int or bool, default=8
            How many rows, or which: their numbers, or a mask of all rows.
        max_columns : int, default=12
            Of a table with more columns, those that stand out most are shown.
        name : str or None, default=None
            Title; ``None`` is the name of the method's class.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.

        Returns
        -------
        display : AnomaliesDisplay

        Raises
        ------
        TypeError
            If there is no autoencoder in `estimator`, or `rows` are no numbers.
        ValueError
            If `rows` are none, or X has not so many.
        """
        method, X = find_autoencoder(estimator, X)
        rows = check_rows(rows, _num_samples(X))
        check_number("max_columns", max_columns, Integral, 1)
        scores = method.score_samples(X)
        if np.ndim(rows) == 0:
            rows = np.argsort(scores, kind="stable")[:rows]
        if method.modality_.name == "image":
            shown = _images(method, X, rows)
        else:
            shown = _cells(method, X, rows, max_columns)
        display = cls(
            rows,
            scores[rows],
            **shown,
            name=type(method).__name__ if name is None else name,
        )
        return display.plot(ax=ax)

    def _plot_images(self, ax):
        n_rows, height, width = self.images.shape[1:4]
        side = height / width + 0.25
        ax = begin_plot(self, ax, (1.2 * n_rows, 2.2 * side + 0.6))
        draw_image_grid(
            ax,
            self.images,
            ["image", "restored"],
            [f"row {row}" for row in self.rows],
            [[f"{score:.3g}" for score in self.scores], [""] * n_rows],
        )

    def _plot_cells(self, ax):
        texts, errors = self.cells
        scores = np.array([f"{score:.3g}" for score in self.scores])[:, None]
        texts = np.hstack([scores, texts])
        errors = np.hstack([np.full(scores.shape, np.nan), errors])
        ax = begin_plot(self, ax, table_figsize(texts))
        draw_cells(
            ax,
            texts,
            errors,
            [f"row {row}" for row in self.rows],
            ["score", *self.column_names],
            faded=errors < _STANDS_OUT,
        )


def _images(method, X, rows):
    restored = restore_images(method, _safe_indexing(X, rows))
    originals = looks(X, rows, method.modality_)["images"]
    return {"images": np.stack([originals, as_images(restored)])}


def _cells(method, X, rows, max_columns):
    errors = np.sqrt(_errors_by_column(method, X))
    usual = np.sqrt(np.square(errors).mean(axis=0))
    errors = errors[rows] / np.where(usual > 0, usual, 1)
    shown = np.sort(np.argsort(-errors.max(axis=0), kind="stable")[:max_columns])
    texts = given_texts(method.modality_, _safe_indexing(X, rows))
    names = column_names(method.modality_)
    return {
        "cells": (texts[:, shown], errors[:, shown]),
        "column_names": [names[j] for j in shown],
    }


def _errors_by_column(method, X):
    """Errors of the cells in the order of the columns, being missing included."""
    modality = method.modality_
    _, errors = cell_errors(method, X)
    by_column = np.empty((count_rows(errors), modality.n_features_))
    if "missing" in errors:
        errors["numbers"][:, modality.missing_columns_] += errors["missing"]
    by_column[:, modality.number_columns_] = errors.get("numbers", 0)
    by_column[:, modality.category_columns_] = errors.get("categories", 0)
    return by_column
