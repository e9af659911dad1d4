"""Representations against the raw columns, as a picture."""

import numpy as np

from sklearn_ssl.inspection._drawing import begin_plot
from sklearn_ssl.model_selection import compare_representations

_BETTER, _WORSE, _NOISE = "C0", "C3", "0.6"


class RepresentationDisplay:
    """Gain of each representation over the raw columns, fold by fold.

    Raw is the line at 0; each dot is a fold, where both scored the same rows. A bar is
    the mean gain, give or take the noise: where it does not reach 0, it has a colour.

    Parameters
    ----------
    differences : dict of str to array-like of shape (n_folds,)
        Scores minus those of raw in the same folds, by representation.
    noise : dict of str to float
        What a mean difference must exceed, in size, not to be noise.
    score_name : str, default="score"
        What the score is called.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        Raw.
    points_ : dict of str to matplotlib PathCollection
        Folds, by representation.
    errorbar_ : dict of str to matplotlib ErrorbarContainer
        Mean and noise, by representation.

    See Also
    --------
    sklearn_ssl.model_selection.compare_representations : Computes the differences.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SCARF
    >>> from sklearn_ssl.inspection import RepresentationDisplay
    >>> X, y = load_wine(return_X_y=True)
    >>> methods = [SCARF(max_epochs=2)]
    >>> RepresentationDisplay.from_estimators(methods, X, y, cv=2)
    <...>
    >>> plt.show()
    """

    def __init__(self, differences, noise, *, score_name="score"):
        self.differences = differences
        self.noise = noise
        self.score_name = score_name

    @classmethod
    def from_estimators(cls, methods, X, y, *, ax=None, **compare_kw):
        """Compare methods with the raw columns and show the gains.

        Parameters
        ----------
        methods : list or dict of transformers
            As in :func:`~sklearn_ssl.model_selection.compare_representations`.
        X : array-like, DataFrame or list of n rows
        y : array-like of shape (n,)
            Labels or targets.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **compare_kw : dict
            Passed to :func:`~sklearn_ssl.model_selection.compare_representations`.

        Returns
        -------
        display : RepresentationDisplay
        """
        return cls.from_comparison(
            compare_representations(methods, X, y, **compare_kw), ax=ax
        )

    @classmethod
    def from_comparison(cls, comparison, *, ax=None, **scatter_kw):
        """Show a comparison.

        Parameters
        ----------
        comparison : Bunch
            Of :func:`~sklearn_ssl.model_selection.compare_representations`.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **scatter_kw : dict
            Passed to ``Axes.scatter``.

        Returns
        -------
        display : RepresentationDisplay
        """
        display = cls(
            comparison.differences,
            comparison.noise,
            score_name=f"{comparison.score_name} at {comparison.train_size} labels",
        )
        return display.plot(ax=ax, **scatter_kw)

    def plot(self, ax=None, **scatter_kw):
        """Draw the gains, the largest mean on top.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **scatter_kw : dict
            Passed to ``Axes.scatter``.

        Returns
        -------
        display : RepresentationDisplay
        """
        means = {name: np.mean(values) for name, values in self.differences.items()}
        names = sorted(means, key=means.get)
        ax = begin_plot(self, ax, figsize=(7, 1.2 + 0.4 * len(names)))
        self.line_ = ax.axvline(0, color="black", linewidth=1)
        self.points_, self.errorbar_ = {}, {}
        for height, name in enumerate(names):
            values, mean = self.differences[name], means[name]
            color = _NOISE
            if abs(mean) > self.noise[name]:
                color = _BETTER if mean > 0 else _WORSE
            style = {"s": 12, "color": color, "alpha": 0.5, **scatter_kw}
            self.points_[name] = ax.scatter(values, [height] * len(values), **style)
            self.errorbar_[name] = ax.errorbar(
                mean,
                height,
                xerr=self.noise[name],
                fmt="D",
                color=color,
                capsize=3,
                markersize=5,
            )
        ax.set_yticks(range(len(names)), names)
        ax.set(ylim=(-0.6, len(names) - 0.4))
        ax.set(xlabel=f"{self.score_name}, gain over raw (bar: noise)")
        return self
