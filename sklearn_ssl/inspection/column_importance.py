"""Which columns of a table the embedding listens to."""

from numbers import Integral

import numpy as np

from sklearn_ssl._parameters import check_number
from sklearn_ssl._probing import find_method
from sklearn_ssl.inspection._drawing import draw_bars
from sklearn_ssl.metrics import column_importance


class ColumnImportanceDisplay:
    """How much the embedding moves when a column is permuted, as bars, longest first.

    A column that no bar stands for is lost to whatever comes after; one that takes all
    may hide the others: drop it, or scale it otherwise.

    Parameters
    ----------
    importances : ndarray of shape (n_columns, n_repeats)
        Of :func:`~sklearn_ssl.metrics.column_importance`.
    column_names : list of str
        Names of the columns.
    name : str or None, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    bars_ : matplotlib BarContainer
        The means over the repeats; their ``errorbar`` is one standard deviation.

    See Also
    --------
    ReconstructionDisplay : What can be restored of each column.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SCARF
    >>> from sklearn_ssl.inspection import ColumnImportanceDisplay
    >>> X = load_wine(as_frame=True).data
    >>> scarf = SCARF(max_epochs=3).fit(X)
    >>> ColumnImportanceDisplay.from_estimator(scarf, X)
    <...>
    >>> plt.show()
    """

    def __init__(self, importances, column_names, *, name=None):
        self.importances = importances
        self.column_names = column_names
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        n_repeats=5,
        max_rows=1000,
        random_state=0,
        max_columns=20,
        name=None,
        ax=None,
        **bar_kw,
    ):
        """Compute the importances and show them.

        Parameters
        ----------
        estimator : fitted estimator
            A method or another transformer that reads tables, or a Pipeline,
            ``SSLClassifier`` or search around one.
        X : array-like or DataFrame
            What `estimator` reads.
        n_repeats : int, default=5
            Permutations of each column.
        max_rows : int, default=1000
            Of more rows, that many at equal steps are taken.
        random_state : int, RandomState instance or None, default=0
            Determines the permutations.
        max_columns : int, default=20
            Of more columns, the most important are drawn.
        name : str or None, default=None
            Title; ``None`` is the name of the method's class.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **bar_kw : dict
            Passed to ``Axes.barh``.

        Returns
        -------
        display : ColumnImportanceDisplay
        """
        result = column_importance(
            estimator,
            X,
            n_repeats=n_repeats,
            max_rows=max_rows,
            random_state=random_state,
        )
        method, _ = find_method(estimator)
        name = type(method).__name__ if name is None else name
        display = cls(result.importances, result.column_names, name=name)
        return display.plot(ax=ax, max_columns=max_columns, **bar_kw)

    def plot(self, ax=None, *, max_columns=20, **bar_kw):
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        max_columns : int, default=20
            Of more columns, the most important are drawn.
        **bar_kw : dict
            Passed to ``Axes.barh``.

        Returns
        -------
        display : ColumnImportanceDisplay
        """
        check_number("max_columns", max_columns, Integral, 1)
        mean, std = np.mean(self.importances, axis=1), np.std(self.importances, axis=1)
        shown = np.argsort(-mean, kind="stable")[:max_columns]
        names = [self.column_names[j] for j in shown]
        bar_kw = {"xerr": std[shown], "capsize": 2, **bar_kw}
        ax, self.bars_ = draw_bars(self, ax, mean[shown], names, **bar_kw)
        ax.set_xlabel("squared distance moved, relative to random rows")
        ax.set_xlim(left=0)
        return self
