"""What an autoencoder restores of each column."""

from numbers import Integral

import numpy as np

from sklearn_ssl._parameters import check_number
from sklearn_ssl._probing import find_autoencoder
from sklearn_ssl.inspection._drawing import draw_bars
from sklearn_ssl.inspection._rows import column_names
from sklearn_ssl.metrics import reconstruction_r2

_LOWEST = -1.0  # where a bar ends, whatever its value
_ROOM = 0.13  # for a value beside a bar, as a share of the axis


class ReconstructionDisplay:
    """How much of each column is restored from the embedding, as bars, least first.

    What is not restored may still be of use, but what is restored is not lost.

    Parameters
    ----------
    r2 : ndarray of shape (n_columns,)
        Of :func:`~sklearn_ssl.metrics.reconstruction_r2`; NaN for constant columns.
    column_names : list of str
        Names of the columns.
    name : str or None, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    bars_ : matplotlib BarContainer
        Cut at -1; the text beside a bar is its value.

    See Also
    --------
    ColumnImportanceDisplay : Which columns the embedding of any method listens to.
    AnomaliesDisplay : The rows that are restored worst.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import Autoencoder
    >>> from sklearn_ssl.inspection import ReconstructionDisplay
    >>> X = load_wine(as_frame=True).data
    >>> autoencoder = Autoencoder(max_epochs=3).fit(X)
    >>> ReconstructionDisplay.from_estimator(autoencoder, X)
    <...>
    >>> plt.show()
    """

    def __init__(self, r2, column_names, *, name=None):
        self.r2 = r2
        self.column_names = column_names
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator, X, *, max_columns=20, name=None, ax=None, **bar_kw
    ):
        """Restore rows and show what is explained of each column.

        Parameters
        ----------
        estimator : fitted estimator
            An autoencoder for tables, or a Pipeline, ``SSLClassifier`` or search around
            one.
        X : what `estimator` reads
        max_columns : int, default=20
            Of more columns, those that are restored worst are drawn.
        name : str or None, default=None
            Title; ``None`` is the name of the method's class.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **bar_kw : dict
            Passed to ``Axes.barh``.

        Returns
        -------
        display : ReconstructionDisplay

        Raises
        ------
        TypeError
            If there is no autoencoder in `estimator`, or it does not read tables.
        """
        method, X = find_autoencoder(estimator, X)
        r2 = reconstruction_r2(method, X)
        name = type(method).__name__ if name is None else name
        display = cls(r2, column_names(method.modality_), name=name)
        return display.plot(ax=ax, max_columns=max_columns, **bar_kw)

    def plot(self, ax=None, *, max_columns=20, **bar_kw):
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        max_columns : int, default=20
            Of more columns, those that are restored worst are drawn.
        **bar_kw : dict
            Passed to ``Axes.barh``.

        Returns
        -------
        display : ReconstructionDisplay
        """
        check_number("max_columns", max_columns, Integral, 1)
        r2 = np.asarray(self.r2)
        shown = np.argsort(r2, kind="stable")[:max_columns]
        lengths = np.nan_to_num(r2[shown]).clip(_LOWEST)
        names = [self.column_names[j] for j in shown]
        ax, self.bars_ = draw_bars(self, ax, lengths, names, **bar_kw)
        values = ["constant" if np.isnan(x) else f"{x:.2f}" for x in r2[shown]]
        ax.bar_label(self.bars_, values, padding=3, fontsize="small")
        ax.axvline(0, color="black", linewidth=0.8)
        lowest = min(lengths.min(), 0)
        room = _ROOM * (1 - lowest)
        ax.set(
            xlim=(lowest - room if lowest < 0 else 0, 1 + room),
            xlabel="R² of numbers, D² of categories",
        )
        return self
