"""What the views do to rows."""

from numbers import Integral

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_ssl._parameters import check_number
from sklearn_ssl._probing import draw_views, find_method
from sklearn_ssl.inspection._drawing import (
    RowsDisplay,
    begin_plot,
    draw_cells,
    draw_image_grid,
    table_figsize,
)
from sklearn_ssl.inspection._rows import (
    MISSING,
    as_images,
    column_names,
    decoded_texts,
    find_grains,
    given_texts,
    rows_or_spread,
    standardized,
)


class ViewsDisplay(RowsDisplay):
    """What the views do to a few rows or images.

    The first thing to look at if features are poor: a person should still see what each
    view shows, or else a network cannot; and what the views vary is what the embedding
    will not tell.

    Parameters
    ----------
    rows : ndarray of int, shape (n_rows,)
        Row numbers, for the labels.
    images : ndarray of shape (n_rows, 1 + n_views, height, width[, channels]) or None
        Each image and its views, in [0, 1].
    cells : tuple of ndarray of shape (n_rows, 1 + n_views, n_columns), or None
        Texts of the cells of each row and its views, and numbers for the colours.
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
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ssl import SimCLR
    >>> from sklearn_ssl.inspection import ViewsDisplay
    >>> images = load_digits().images
    >>> simclr = SimCLR(modality="image", max_epochs=0).fit(images)
    >>> ViewsDisplay.from_estimator(simclr, images)
    <...>
    >>> plt.show()
    """

    def __init__(self, rows, *, images=None, cells=None, column_names=None, name=None):
        self.rows = rows
        self.images = images
        self.cells = cells
        self.column_names = column_names
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        rows=4,
        n_views=5,
        max_columns=12,
        random_state=0,
        name=None,
        ax=None,
    ):
        """Draw views of some rows and show them.

        Parameters
        ----------
        estimator : fitted estimator
            A method for tables or images, or a Pipeline or search around one. It may
            be untrained: ``max_epochs=0``.
        X : what `estimator` reads
            Views of tables borrow cells from all of its rows.
        rows : int or array-like of int or bool, default=4
            Which rows, by number or by a mask of all, or how many at equal steps.
        n_views : int, default=5
            Views of each row.
        max_columns : int, default=12
            Of a table with more columns the first are shown.
        random_state : int, RandomState, Generator or None, default=0
            Determines the views.
        name : str or None, default=None
            Title; ``None`` names the views.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.

        Returns
        -------
        display : ViewsDisplay

        Raises
        ------
        TypeError
            If `estimator` has no views, or of another kind of data; or if `rows` are no
            numbers.
        ValueError
            If `rows` are none, or such as X has not.
        """
        method, X = find_method(estimator, X)
        rows = rows_or_spread(rows, _num_samples(X))
        check_number("n_views", n_views, Integral, 1)
        check_number("max_columns", max_columns, Integral, 1)
        batch, views = draw_views(method, X, rows, n_views, random_state)
        together = [batch, *views]
        title = repr(method.views_).split("(")[0] if name is None else name
        if method.modality_.name == "image":
            pixels = np.stack([b["pixels"] for b in together], axis=1)
            display = cls(rows, images=as_images(pixels), name=title)
        else:
            modality = method.modality_
            texts, values = _cells(modality, X, rows, together)
            display = cls(
                rows,
                cells=(texts[..., :max_columns], values[..., :max_columns]),
                column_names=column_names(modality)[:max_columns],
                name=title,
            )
        return display.plot(ax=ax)

    def _plot_images(self, ax):
        n_rows, n_columns = self.images.shape[:2]
        aspect = self.images.shape[2] / self.images.shape[3]
        ax = begin_plot(self, ax, (1.2 * n_columns, 1.1 * aspect * n_rows + 0.6))
        draw_image_grid(
            ax,
            self.images,
            [f"row {row}" for row in self.rows],
            ["image", *(f"view {i}" for i in range(1, n_columns))],
        )

    def _plot_cells(self, ax):
        texts, values = self.cells
        n_rows, n_variants, n_columns = texts.shape
        n_lines = n_rows * n_variants
        ax = begin_plot(self, ax, table_figsize(texts.reshape(n_lines, n_columns)))
        kept = texts == texts[:, :1]
        kept[:, 0] = False
        names = [
            label
            for row in self.rows
            for label in (f"row {row}", *(f"view {i}" for i in range(1, n_variants)))
        ]
        draw_cells(
            ax,
            *(part.reshape(n_lines, n_columns) for part in (texts, values)),
            names,
            self.column_names,
            faded=kept.reshape(n_lines, n_columns),
            rules=range(0, n_lines, n_variants),
        )


def _cells(modality, X, rows, batches):
    """Texts and numbers of rows and their views, of shape (n_rows, 1 + n_views, ...).

    Cells are as X has them, decoded where a view put others in their place.
    """
    grains = find_grains(modality, X)
    texts = [decoded_texts(modality, batch, grains) for batch in batches]
    values = [standardized(modality, batch) for batch in batches]
    texts, values = np.stack(texts, axis=1), np.stack(values, axis=1)
    equal = (values == values[:, :1]) | np.isnan(values) & np.isnan(values[:, :1])
    equal &= texts == texts[:, :1]
    given = given_texts(modality, _safe_indexing(X, rows))
    texts = np.where(equal, given[:, None], texts)
    return texts, np.where(texts == MISSING, np.nan, values)
