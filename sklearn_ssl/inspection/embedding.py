"""A map of an embedding."""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _num_samples

from sklearn_ssl._arrays import spread_rows
from sklearn_ssl._labels import find_unlabeled, one_column, settle_marker, take_labels
from sklearn_ssl._parameters import check_number
from sklearn_ssl._probing import find_method
from sklearn_ssl.inspection._drawing import begin_plot, shorten
from sklearn_ssl.inspection._rows import looks

_MAX_CLASSES = 20  # that a legend can name
_UNLABELED = "0.8"
_THUMBNAIL_SHARE = 0.04  # of the map's width
_ROOM = 1.4  # from thumbnail to thumbnail, in their sides


class EmbeddingDisplay:
    """A map of the embedding in two dimensions, coloured by labels.

    Parameters
    ----------
    positions : ndarray of shape (n, 2)
        Where each row is on the map.
    y : array-like of shape (n,) or (n, 1), or None, default=None
        Classes or numbers; rows marked as unlabelled are gray.
    images : ndarray of shape (n, height, width[, channels]) or None, default=None
        Images of the rows, in [0, 1]. As many as have room are drawn at their place.
    axis_labels : tuple of str, default=("", "")
        Names of the two dimensions.
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
    scatter_ : list of matplotlib PathCollection
        The points of each class, unlabelled rows first.
    thumbnails_ : list of matplotlib AnnotationBbox

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SCARF
    >>> from sklearn_ssl.inspection import EmbeddingDisplay
    >>> X, y = load_wine(return_X_y=True)
    >>> scarf = SCARF(max_epochs=3).fit(X)
    >>> EmbeddingDisplay.from_estimator(scarf, X, y)
    <...>
    >>> plt.show()
    """

    def __init__(
        self,
        positions,
        *,
        y=None,
        images=None,
        axis_labels=("", ""),
        name=None,
        unlabeled="auto",
    ):
        self.positions = positions
        self.y = y
        self.images = images
        self.axis_labels = axis_labels
        self.name = name
        self.unlabeled = unlabeled

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        reducer=None,
        thumbnails=True,
        max_rows=2000,
        name=None,
        unlabeled="auto",
        ax=None,
        **scatter_kw,
    ):
        """Embed rows and show them.

        Parameters
        ----------
        estimator : fitted estimator
            A method or another transformer, or a Pipeline, ``SSLClassifier`` or search
            around one.
        X : what `estimator` reads
        y : array-like of shape (n,) or (n, 1), or None, default=None
            Classes or numbers for the colours.
        reducer : estimator or None, default=None
            ``fit_transform`` makes two columns from the features, for instance
            ``TSNE()`` of scikit-learn. ``None`` is ``PCA(2)``.
        thumbnails : bool, default=True
            Draw the images themselves, if X holds images.
        max_rows : int, default=2000
            Of more rows, that many at equal steps are taken.
        name : str or None, default=None
            Title; ``None`` is the name of the estimator's class.
        unlabeled : "auto", None, or a label, default="auto"
            What marks a row without a label in y; ``None``: all rows have one.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **scatter_kw : dict
            Passed to ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingDisplay
        """
        method, X = find_method(estimator, X)
        if y is not None:
            check_consistent_length(X, y)
            y = one_column(y)
            unlabeled = settle_marker(y, unlabeled)
        check_number("max_rows", max_rows, Integral, 1)
        rows = spread_rows(_num_samples(X), max_rows)
        modality = getattr(method, "modality_", None)
        is_image = np.ndim(X) > 2 if modality is None else modality.name == "image"
        images = None
        if thumbnails and is_image:
            images = looks(X, rows, modality)["images"]
        return cls.from_embedding(
            np.asarray(method.transform(_safe_indexing(X, rows))),
            None if y is None else _safe_indexing(y, rows),
            reducer=reducer,
            images=images,
            name=type(method).__name__ if name is None else name,
            unlabeled=unlabeled,
            ax=ax,
            **scatter_kw,
        )

    @classmethod
    def from_embedding(
        cls,
        Z,
        y=None,
        *,
        reducer=None,
        images=None,
        name=None,
        unlabeled="auto",
        ax=None,
        **scatter_kw,
    ):
        """Show an embedding.

        Parameters
        ----------
        Z : array-like of shape (n, d)
            Embedding; of two columns they are taken as they are, unless `reducer` is
            given.
        y : array-like of shape (n,) or (n, 1), or None, default=None
            Classes or numbers for the colours.
        reducer : estimator or None, default=None
            ``fit_transform`` makes two columns. ``None`` is ``PCA(2)``.
        images : ndarray of shape (n, height, width[, channels]) or None, default=None
            Images of the rows, in [0, 1].
        name : str or None, default=None
            Title of the plot.
        unlabeled : "auto", None, or a label, default="auto"
            What marks a row without a label in y; ``None``: all rows have one.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **scatter_kw : dict
            Passed to ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingDisplay
        """
        positions, axis_labels = _reduce(np.asarray(Z), reducer)
        display = cls(
            positions,
            y=y,
            images=images,
            axis_labels=axis_labels,
            name=name,
            unlabeled=unlabeled,
        )
        return display.plot(ax=ax, **scatter_kw)

    def plot(self, ax=None, **scatter_kw):
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **scatter_kw : dict
            Passed to ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingDisplay
        """
        ax = begin_plot(self, ax, figsize=(7.5, 5.5))
        style = {"s": 12, "linewidths": 0, "alpha": 0.8, **scatter_kw}
        self.scatter_, self.thumbnails_ = [], []
        colors = np.ones((len(self.positions), 4))
        unlabeled = np.ones(len(self.positions), bool)
        if self.y is not None:
            check_consistent_length(self.positions, self.y)
            y = one_column(self.y)
            unlabeled = find_unlabeled(y, self.unlabeled)
        if unlabeled.any():
            label = None if self.y is None else "no label"
            color = "C0" if self.y is None else _UNLABELED
            self._scatter(unlabeled, colors, color=color, label=label, **style)
        if not unlabeled.all():
            self._scatter_labeled(y, ~unlabeled, colors, style)
        if self.images is not None:
            self._draw_thumbnails(colors)
        first, second = self.axis_labels
        ax.set(xlabel=first, ylabel=second, title=self.name or "", xticks=[], yticks=[])
        return self

    def _scatter(self, rows, colors, **style):
        """Draw some rows, and note their colours."""
        points = self.ax_.scatter(*self.positions[rows].T, **style)
        points.update_scalarmappable()
        colors[rows] = points.get_facecolors()
        self.scatter_.append(points)
        return points

    def _scatter_labeled(self, y, labeled, colors, style):
        labels = take_labels(y, labeled)
        classes = np.unique(labels)
        is_number = type_of_target(labels).startswith("continuous")
        if is_number or (len(classes) > _MAX_CLASSES and labels.dtype.kind in "if"):
            points = self._scatter(labeled, colors, c=labels, cmap="viridis", **style)
            self.figure_.colorbar(points, ax=self.ax_, label="y")
            return
        for label, color in zip(classes, _colors(len(classes)), strict=True):
            of_class = np.zeros(len(y), bool)
            of_class[np.flatnonzero(labeled)[labels == label]] = True
            label = shorten(label, 24)
            if label.startswith("_"):  # which would keep it out of the legend
                label = f" {label}"
            self._scatter(of_class, colors, color=color, label=label, **style)
        legend = self.ax_.legend(
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            frameon=False,
            markerscale=2,
            ncols=1 + len(classes) // 16,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)

    def _draw_thumbnails(self, colors):
        from matplotlib.offsetbox import AnnotationBbox, OffsetImage

        self.figure_.draw_without_rendering()  # the layout settles the axes' size
        side = _THUMBNAIL_SHARE * self.ax_.get_window_extent().width
        height, width = self.images.shape[1:3]
        zoom = side / width / (self.figure_.dpi / 72)
        room = _ROOM * side * np.array([1, height / width])
        places = self.ax_.transData.transform(self.positions)
        for row in _spaced(places / room):
            image = OffsetImage(self.images[row], zoom=zoom, cmap="gray")
            image.get_children()[0].set_clim(0, 1)
            box = AnnotationBbox(
                image,
                self.positions[row],
                frameon=True,
                pad=0.1,
                bboxprops={"edgecolor": colors[row], "linewidth": 2},
            )
            self.thumbnails_.append(self.ax_.add_artist(box))


def _reduce(Z, reducer):
    if reducer is None and Z.shape[1] == 2:
        return Z, ("embedding 0", "embedding 1")
    reducer = PCA(2, random_state=0) if reducer is None else clone(reducer)
    positions = np.asarray(reducer.fit_transform(Z))
    if positions.shape != (len(Z), 2):
        raise ValueError(
            f"{reducer!r} must return two columns, got shape {positions.shape}."
        )
    if isinstance(reducer, PCA):
        shares = reducer.explained_variance_ratio_
        return positions, [f"PC {i} ({s:.0%})" for i, s in enumerate(shares, start=1)]
    name = type(reducer).__name__
    return positions, (f"{name} 1", f"{name} 2")


def _colors(n):
    import matplotlib as mpl

    if n <= 10:
        return mpl.colormaps["tab10"].colors[:n]
    if n <= _MAX_CLASSES:
        return mpl.colormaps["tab20"].colors[:n]
    return mpl.colormaps["hsv"](np.linspace(0, 0.9, n))


def _spaced(places):
    """Rows, in order, of which none lies within 1 of an earlier one on both axes."""
    chosen = []
    for row, place in enumerate(places):
        if np.all(np.abs(places[chosen] - place).max(axis=1) > 1):
            chosen.append(row)
    return chosen
