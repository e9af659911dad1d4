"""Which rows the embedding puts beside a row."""

from numbers import Integral

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_consistent_length

from sklearn_ssl._labels import find_unlabeled, one_column, settle_marker
from sklearn_ssl._parameters import check_number
from sklearn_ssl._probing import find_method
from sklearn_ssl.inspection._drawing import (
    RowsDisplay,
    begin_plot,
    draw_cells,
    draw_image_grid,
    shorten,
    table_figsize,
)
from sklearn_ssl.inspection._rows import looks, rows_or_spread


class NeighborsDisplay(RowsDisplay):
    """The rows that the embedding puts beside a few rows, nearest first.

    Parameters
    ----------
    rows : ndarray of int, shape (n_rows,)
        The rows in question.
    neighbors : ndarray of int, shape (n_rows, n_neighbors)
        Their nearest other rows.
    distances : ndarray of shape (n_rows, n_neighbors)
        In the embedding.
    y : array-like of shape (n_rows, 1 + n_neighbors) or None, default=None
        Labels of each row and its neighbours. Those unlike the row's are red.
    images : ndarray of shape (n_rows, 1 + n_neighbors, height, width[, channels])
        Of each row and its neighbours, in [0, 1]; None for tables.
    cells : tuple of ndarray of shape (n_rows, 1 + n_neighbors, n_columns), or None
        Texts of the cells, and numbers for the colours.
    column_names : list of str or None, default=None
        Names of the columns of a table.
    name : str or None, default=None
        Title of the plot.
    unlabeled : "auto", None, or a label, default="auto"
        What marks a row without a label in y, as in
        :class:`~sklearn_ssl.semi_supervised.SSLClassifier`. ``None``: all rows have
        one.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ssl import SimCLR
    >>> from sklearn_ssl.inspection import NeighborsDisplay
    >>> digits = load_digits()
    >>> simclr = SimCLR(modality="image", max_epochs=0).fit(digits.images)
    >>> NeighborsDisplay.from_estimator(simclr, digits.images, digits.target)
    <...>
    >>> plt.show()
    """

    def __init__(
        self,
        rows,
        neighbors,
        distances,
        *,
        y=None,
        images=None,
        cells=None,
        column_names=None,
        name=None,
        unlabeled="auto",
    ):
        self.rows = rows
        self.neighbors = neighbors
        self.distances = distances
        self.y = y
        self.images = images
        self.cells = cells
        self.column_names = column_names
        self.name = name
        self.unlabeled = unlabeled

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        rows=5,
        n_neighbors=7,
        metric="cosine",
        max_columns=12,
        name=None,
        unlabeled="auto",
        ax=None,
    ):
        """Embed rows, find their neighbours among one another and show them.

        Parameters
        ----------
        estimator : fitted estimator
            A method or another transformer, or a Pipeline, ``SSLClassifier`` or search
            around one.
        X : what `estimator` reads
        y : array-like of shape (n,) or (n, 1), or None, default=None
            Labels.
        rows : int or array-like of int or bool, default=5
            Which rows, by number or by a mask of all, or how many at equal steps.
        n_neighbors : int, default=7
            Neighbours of each.
        metric : str or callable, default="cosine"
            Of :class:`~sklearn.neighbors.NearestNeighbors`, on the features.
        max_columns : int, default=12
            Of a table with more columns the first are shown.
        name : str or None, default=None
            Title; ``None`` is the name of the estimator's class.
        unlabeled : "auto", None, or a label, default="auto"
            What marks a row without a label in y; ``None``: all rows have one.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.

        Returns
        -------
        display : NeighborsDisplay

        Raises
        ------
        TypeError, ValueError
            If `rows` are no numbers, none, or such as X has not; if `n_neighbors` are
            more than the other rows; or if y has several columns.
        """
        method, X = find_method(estimator, X)
        return cls._from_features(
            method.transform(X),
            X,
            y,
            rows=rows,
            n_neighbors=n_neighbors,
            metric=metric,
            max_columns=max_columns,
            modality=getattr(method, "modality_", None),
            name=type(method).__name__ if name is None else name,
            unlabeled=unlabeled,
            ax=ax,
        )

    @classmethod
    def from_embedding(
        cls,
        Z,
        X,
        y=None,
        *,
        rows=5,
        n_neighbors=7,
        metric="cosine",
        max_columns=12,
        name=None,
        unlabeled="auto",
        ax=None,
    ):
        """Find the neighbours of some rows in an embedding and show them.

        Parameters
        ----------
        Z : array-like of shape (n, d)
            Embedding.
        X : array-like or DataFrame of n rows
            What the rows look like: images, of three or four dimensions, or a table.
        y : array-like of shape (n,) or (n, 1), or None, default=None
            Labels.
        rows : int or array-like of int or bool, default=5
            Which rows, by number or by a mask of all, or how many at equal steps.
        n_neighbors : int, default=7
            Neighbours of each.
        metric : str or callable, default="cosine"
            Of :class:`~sklearn.neighbors.NearestNeighbors`.
        max_columns : int, default=12
            Of a table with more columns the first are shown.
        name : str or None, default=None
            Title of the plot.
        unlabeled : "auto", None, or a label, default="auto"
            What marks a row without a label in y; ``None``: all rows have one.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.

        Returns
        -------
        display : NeighborsDisplay

        Raises
        ------
        TypeError, ValueError
            If `rows` are no numbers, none, or such as X has not; if `n_neighbors` are
            more than the other rows; or if y has several columns.
        """
        return cls._from_features(
            Z,
            X,
            y,
            rows=rows,
            n_neighbors=n_neighbors,
            metric=metric,
            max_columns=max_columns,
            modality=None,
            name=name,
            unlabeled=unlabeled,
            ax=ax,
        )

    @classmethod
    def _from_features(
        cls,
        Z,
        X,
        y,
        *,
        rows,
        n_neighbors,
        metric,
        max_columns,
        modality,
        name,
        unlabeled,
        ax,
    ):
        Z = np.asarray(Z)
        check_consistent_length(Z, X, y)
        check_number("max_columns", max_columns, Integral, 1)
        if y is not None:
            y = one_column(y)
            unlabeled = settle_marker(y, unlabeled)
        rows = rows_or_spread(rows, len(Z))
        _check_n_neighbors(n_neighbors, len(Z))
        neighbors, distances = _nearest_others(Z, rows, n_neighbors, metric)
        shown = np.column_stack([rows, neighbors])
        display = cls(
            rows,
            neighbors,
            distances,
            y=None if y is None else y[shown],
            **looks(X, shown, modality, max_columns),
            name=name,
            unlabeled=unlabeled,
        )
        return display.plot(ax=ax)

    def _plot_images(self, ax):
        n_rows, n_columns, height, width = self.images.shape[:4]
        side = height / width + (0.25 if self.y is not None else 0.0)
        ax = begin_plot(self, ax, (1.2 * n_columns, 1.1 * side * n_rows + 0.6))
        captions = colors = None
        if self.y is not None:
            captions = [[shorten(label, 12) for label in row] for row in self.y]
            colors = np.where(self._differs(), "tab:red", "black")
        draw_image_grid(
            ax,
            self.images,
            [f"row {row}" for row in self.rows],
            ["image", *(f"nearest {i}" for i in range(1, n_columns))],
            captions,
            colors,
        )

    def _plot_cells(self, ax):
        texts, values = self.cells
        names = self.column_names
        if self.y is not None:
            labels = np.vectorize(shorten, otypes=[object])(self.y)[..., None]
            texts = np.concatenate([labels, texts], axis=2)
            blank = np.full(labels.shape, np.nan)
            values = np.concatenate([blank, values], axis=2)
            names = ["label", *names]
        n_rows, n_lines, n_columns = texts.shape
        texts, values = (part.reshape(-1, n_columns) for part in (texts, values))
        ax = begin_plot(self, ax, table_figsize(texts))
        draw_cells(
            ax,
            texts,
            values,
            [
                f"row {row}" if i == 0 else f"nearest {i}: {row}"
                for shown in np.column_stack([self.rows, self.neighbors])
                for i, row in enumerate(shown)
            ],
            names,
            faded=np.zeros((n_rows * n_lines, n_columns), bool),
            rules=range(0, n_rows * n_lines, n_lines),
        )
        if self.y is not None:
            for i in np.flatnonzero(self._differs()):
                ax.texts[i * n_columns].set(color="tab:red", fontweight="bold")

    def _differs(self):
        """Which labels are not the row's; unknown ones differ from none."""
        unlabeled = find_unlabeled(self.y.ravel(), self.unlabeled)
        known = ~unlabeled.reshape(self.y.shape)
        return known & known[:, :1] & (self.y != self.y[:, :1])


def _check_n_neighbors(n_neighbors, n):
    check_number("n_neighbors", n_neighbors, Integral, 1)
    if n_neighbors >= n:
        raise ValueError(
            f"n_neighbors={n_neighbors} is too many: of {n} rows each has {n - 1} "
            "others. Pass fewer neighbors or more rows."
        )


def _nearest_others(Z, rows, n_neighbors, metric):
    finder = NearestNeighbors(n_neighbors=n_neighbors + 1, metric=metric).fit(Z)
    distances, found = finder.kneighbors(Z[rows])
    # A row with equals may not be its own nearest.
    other = found != rows[:, None]
    other[other.all(axis=1), -1] = False
    shape = len(rows), n_neighbors
    return found[other].reshape(shape), distances[other].reshape(shape)
