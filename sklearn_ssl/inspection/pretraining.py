"""The course of a pretraining."""

import numpy as np

from sklearn_ssl._probing import find_method
from sklearn_ssl.inspection._drawing import begin_plot


class PretrainingDisplay:
    """Loss, validation loss, and spread and rank of the embedding, by epoch.

    A spread that falls towards 0 is a collapse to a point, a falling rank one to few
    directions; a validation loss that rises while the loss falls is overfitting; a loss
    that still falls at the end asks for more epochs.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Mean pretext loss.
    validation_loss : array-like of shape (n_epochs,) or None, default=None
        That of held-out rows.
    embedding_std : array-like of shape (n_epochs,) or None, default=None
        Spread of the embedding's directions.
    embedding_rank : array-like of shape (n_epochs,) or None, default=None
        Effective rank of the embedding: drawn as a share of its largest value, which
        the legend gives.
    name : str or None, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The losses.
    health_ax_ : matplotlib Axes or None
        Spread and rank, on the right.
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D

    See Also
    --------
    ViewsDisplay : What the views do, the first thing to look at if features are poor.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SCARF
    >>> from sklearn_ssl.inspection import PretrainingDisplay
    >>> scarf = SCARF(max_epochs=3).fit(load_wine().data)
    >>> PretrainingDisplay.from_estimator(scarf)
    <...>
    >>> plt.show()
    """

    def __init__(
        self,
        loss,
        *,
        validation_loss=None,
        embedding_std=None,
        embedding_rank=None,
        name=None,
    ):
        self.loss = loss
        self.validation_loss = validation_loss
        self.embedding_std = embedding_std
        self.embedding_rank = embedding_rank
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, *, name=None, ax=None, **line_kw):
        """Show the training of a fitted method.

        Parameters
        ----------
        estimator : fitted estimator
            A method, or a Pipeline, ``SSLClassifier`` or search around one.
        name : str or None, default=None
            Title; ``None`` is the name of the method's class.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **line_kw : dict
            Passed to ``Axes.plot``.

        Returns
        -------
        display : PretrainingDisplay

        Raises
        ------
        TypeError
            If there is no method of this package in `estimator`.
        """
        method, _ = find_method(estimator)
        if not hasattr(method, "loss_curve_"):
            raise TypeError(f"{type(method).__name__} has no loss_curve_.")
        display = cls(
            method.loss_curve_,
            validation_loss=method.validation_loss_curve_ or None,
            embedding_std=method.embedding_std_curve_,
            embedding_rank=method.embedding_rank_curve_,
            name=type(method).__name__ if name is None else name,
        )
        return display.plot(ax=ax, **line_kw)

    def plot(self, ax=None, **line_kw):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **line_kw : dict
            Passed to ``Axes.plot``.

        Returns
        -------
        display : PretrainingDisplay
        """
        ax = begin_plot(self, ax)
        self.lines_ = []

        def draw(ax, curve, label, **style):
            epochs = np.arange(1, len(curve) + 1)
            marker = "o" if len(curve) < 15 else None
            style = {"marker": marker, "markersize": 4, **style, **line_kw}
            self.lines_ += ax.plot(epochs, curve, label=label, **style)

        draw(ax, self.loss, "loss", color="C0")
        if self.validation_loss is not None:
            draw(ax, self.validation_loss, "validation loss", color="C1")
        health = {}
        if self.embedding_std is not None:
            health["spread"] = self.embedding_std
        if self.embedding_rank is not None and len(self.embedding_rank):
            most = max(self.embedding_rank)
            health[f"rank / {most:.3g}"] = np.divide(self.embedding_rank, most or 1.0)
        self.health_ax_ = ax.twinx() if health else None
        for i, (label, curve) in enumerate(health.items(), 2):
            draw(self.health_ax_, curve, label, color=f"C{i}", linestyle="--")
        if health:
            self.health_ax_.set(ylim=(0, 1.02), ylabel="of the embedding")
        ax.set(xlabel="epoch", ylabel="pretext loss", title=self.name or "")
        ax.xaxis.get_major_locator().set_params(integer=True)
        # On the upper axes, so that no line runs through it.
        (self.health_ax_ or ax).legend(handles=self.lines_, loc="best")
        return self
