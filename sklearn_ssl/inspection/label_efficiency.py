"""Score against the number of labels, as a picture."""

import numpy as np

from sklearn_ssl._parameters import check_option
from sklearn_ssl.inspection._drawing import begin_plot
from sklearn_ssl.model_selection import label_efficiency_curve

_MAX_TICKS = 8


class LabelEfficiencyDisplay:
    """Test score against the number of labels, with its spread.

    Parameters
    ----------
    train_sizes : array-like of int, shape (n_sizes,)
        Numbers of labelled rows.
    test_scores : dict of str to ndarray of shape (n_sizes, n_scores)
        Scores by estimator.
    score_name : str, default="Score"
        Label of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of str to matplotlib Line2D
        Mean scores by estimator.
    fill_between_ : dict of str to matplotlib collection
        Bands of one standard deviation; empty without.
    errorbar_ : dict of str to matplotlib ErrorbarContainer
        Bars of one standard deviation; empty without.

    See Also
    --------
    sklearn_ssl.model_selection.label_efficiency_curve : Computes the scores.
    sklearn_ssl.model_selection.labels_saved : How many labels the better curve saves.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ssl import SCARF
    >>> from sklearn_ssl.inspection import LabelEfficiencyDisplay
    >>> X, y = load_wine(return_X_y=True)
    >>> estimators = {
    ...     "raw": make_pipeline(StandardScaler(), LogisticRegression()),
    ...     "SCARF": make_pipeline(SCARF(max_epochs=2), LogisticRegression()),
    ... }
    >>> LabelEfficiencyDisplay.from_estimators(estimators, X, y, cv=2)
    <...>
    >>> plt.show()
    """

    def __init__(self, train_sizes, test_scores, *, score_name="Score"):
        self.train_sizes = train_sizes
        self.test_scores = test_scores
        self.score_name = score_name

    @classmethod
    def from_estimators(
        cls,
        estimators,
        X,
        y,
        *,
        std_display_style="fill_between",
        ax=None,
        **curve_kw,
    ):
        """Compute the curve and show it.

        Parameters
        ----------
        estimators : dict of str to estimator
            As in :func:`~sklearn_ssl.model_selection.label_efficiency_curve`.
        X : array-like, DataFrame or list of n rows
        y : array-like of shape (n,)
            Labels or targets.
        std_display_style : {"fill_between", "errorbar"} or None, default="fill_between"
            How to show the standard deviation.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **curve_kw : dict
            Passed to :func:`~sklearn_ssl.model_selection.label_efficiency_curve`.

        Returns
        -------
        display : LabelEfficiencyDisplay
        """
        curve = label_efficiency_curve(estimators, X, y, **curve_kw)
        return cls.from_curve(curve, std_display_style=std_display_style, ax=ax)

    @classmethod
    def from_curve(cls, curve, *, std_display_style="fill_between", ax=None, **line_kw):
        """Show a curve.

        Parameters
        ----------
        curve : Bunch
            Of :func:`~sklearn_ssl.model_selection.label_efficiency_curve`.
        std_display_style : {"fill_between", "errorbar"} or None, default="fill_between"
            How to show the standard deviation.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **line_kw : dict
            Passed to ``Axes.plot`` or ``Axes.errorbar``.

        Returns
        -------
        display : LabelEfficiencyDisplay
        """
        display = cls(
            curve.train_sizes,
            curve.test_scores,
            score_name=curve.get("score_name", "Score"),
        )
        return display.plot(ax=ax, std_display_style=std_display_style, **line_kw)

    def plot(self, ax=None, *, std_display_style="fill_between", **line_kw):
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        std_display_style : {"fill_between", "errorbar"} or None, default="fill_between"
            How to show the standard deviation.
        **line_kw : dict
            Passed to ``Axes.plot`` or ``Axes.errorbar``.

        Returns
        -------
        display : LabelEfficiencyDisplay
        """
        check_option(
            "std_display_style", std_display_style, ("fill_between", "errorbar", None)
        )
        ax = begin_plot(self, ax, figsize=(7, 4.5))
        self.lines_, self.fill_between_, self.errorbar_ = {}, {}, {}
        sizes = np.asarray(self.train_sizes)
        for name, scores in self.test_scores.items():
            mean, std = np.mean(scores, axis=1), np.std(scores, axis=1)
            style = {"marker": "o", "markersize": 4, "label": name, **line_kw}
            if std_display_style == "errorbar":
                bars = ax.errorbar(sizes, mean, std, capsize=3, **style)
                self.errorbar_[name], self.lines_[name] = bars, bars[0]
                continue
            (line,) = ax.plot(sizes, mean, **style)
            self.lines_[name] = line
            if std_display_style == "fill_between":
                self.fill_between_[name] = ax.fill_between(
                    sizes,
                    mean - std,
                    mean + std,
                    alpha=0.15,
                    linewidth=0,
                    color=line.get_color(),
                )
        ticks = sizes[:: -(-len(sizes) // _MAX_TICKS)]
        ax.set_xscale("log")
        ax.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
        ax.set_xticks([], minor=True)
        ax.set(xlabel="labelled rows", ylabel=self.score_name)
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        return self
