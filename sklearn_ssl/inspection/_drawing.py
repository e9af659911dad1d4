"""What several displays draw: rows, as images or cells of a table; bars; axes.

Dollars in the data are no mathematics: texts from there have ``parse_math=False``.
"""

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support

_GAP = 0.06  # between the images of a grid, as a share of their side
_MAX_TEXT = 9  # characters of a cell
_MAX_NAME = 24  # of a bar


class RowsDisplay:
    """What displays of rows have in common: these are images, or cells of a table."""

    def plot(self, ax=None):
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.

        Returns
        -------
        display : object
            The display itself.
        """
        if self.images is not None:
            self._plot_images(ax)
        elif self.cells is not None:
            self._plot_cells(ax)
        else:
            raise TypeError(f"{type(self).__name__} shows tables and images.")
        self.ax_.set_title(self.name or "")
        return self


def begin_plot(display, ax, figsize=None):
    """The axes to draw on, new ones if `ax` is None; noted on the display."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    display.ax_ = ax
    display.figure_ = ax.figure
    return ax


def draw_bars(display, ax, lengths, names, **bar_kw):
    """Draw horizontal bars with their names, the first on top; return axes and bars."""
    ax = begin_plot(display, ax, (6.0, 1.0 + 0.28 * len(names)))
    places = np.arange(len(names))
    bars = ax.barh(places, lengths, **bar_kw)
    names = [shorten(name, _MAX_NAME) for name in names]
    ax.set_yticks(places, names, parse_math=False)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(display.name or "")
    return ax, bars


def draw_image_grid(ax, images, row_labels, column_labels, captions=None, colors=None):
    """Draw images, of shape (rows, columns, height, width[, channels]), as a grid.

    `captions` and the `colors` of their text and of a frame are by row and column.
    """
    n_rows, n_columns, height, width = images.shape[:4]
    room = 0.25 if captions is not None else 0.0
    aspect = height / width
    step = aspect + room + _GAP
    for i in range(n_rows):
        for j in range(n_columns):
            left, top = j * (1 + _GAP), i * step
            extent = (left, left + 1, top + aspect, top)
            ax.imshow(images[i, j], extent=extent, cmap="gray", vmin=0, vmax=1)
            if captions is not None:
                color = "black" if colors is None else colors[i][j]
                ax.text(
                    left + 0.5,
                    top + aspect + 0.02,
                    captions[i][j],
                    ha="center", va="top", fontsize="small", color=color,
                    parse_math=False,
                )  # fmt: skip
    ax.set(
        xlim=(-_GAP, n_columns * (1 + _GAP)),
        ylim=(n_rows * step, -_GAP),
        xticks=np.arange(n_columns) * (1 + _GAP) + 0.5,
        xticklabels=column_labels,
        yticks=np.arange(n_rows) * step + aspect / 2,
        yticklabels=row_labels,
        aspect="equal",
    )
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def draw_cells(ax, texts, values, row_labels, column_labels, faded, rules=()):
    """Draw a table: texts on colours by value (about -2.5 to 2.5; NaN is gray).

    Parameters
    ----------
    ax : matplotlib Axes
    texts, values, faded : ndarray of shape (n_rows, n_columns)
        Faded cells are pale.
    row_labels, column_labels : list of str
    rules : sequence of int
        Rows above which a line is drawn.
    """
    import matplotlib as mpl

    colormap = mpl.colormaps["RdBu_r"].with_extremes(bad="0.85")
    colors = colormap(np.ma.masked_invalid((values + 3.5) / 7))
    colors[faded] = 0.8 * np.array([0.97, 0.97, 0.97, 1]) + 0.2 * colors[faded]
    colors[..., 3] = 1
    ax.imshow(colors, aspect="auto")
    for (i, j), text in np.ndenumerate(texts):
        dark = colors[i, j, :3] @ [0.3, 0.6, 0.1] < 0.45
        color = "0.6" if faded[i, j] else "white" if dark else "black"
        style = dict(ha="center", va="center", fontsize="small", parse_math=False)
        ax.text(j, i, text, color=color, **style)
    ax.set(
        xticks=range(len(column_labels)),
        yticks=range(len(row_labels)),
        yticklabels=row_labels,
    )
    longest = max(map(len, column_labels), default=0)
    turned = dict(rotation=40, ha="left", rotation_mode="anchor")
    turned = turned if longest > _MAX_TEXT else {}
    ax.set_xticklabels(column_labels, parse_math=False, **turned)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    edges = np.arange(len(row_labels) + 1) - 0.5
    ax.hlines(edges, -0.5, len(column_labels) - 0.5, color="white", linewidth=1)
    ends = -0.5, len(column_labels) - 0.5
    ax.hlines(np.array(rules) - 0.5, *ends, color="black", linewidth=1)


def table_figsize(texts):
    """A size at which the text of a table's cells can be read."""
    n_rows, n_columns = texts.shape
    # Times of day are longer than other texts, which are cut.
    width = max(0.85, 0.08 * max(map(len, texts.flat)))
    return max(4.0, 1.2 + width * n_columns), max(2.0, 1.0 + 0.28 * n_rows)


def shorten(text, length=_MAX_TEXT):
    """Text of at most `length` characters."""
    text = str(text)
    return text if len(text) <= length else text[: length - 1] + "…"
