"""Prediction of masks or features (Rubachev et al., 2022)."""

from dataclasses import dataclass
from typing import ClassVar

from sklearn.utils.metaestimators import available_if

from sklearn_ssl._expected_targets import with_expected_targets
from sklearn_ssl._parameters import check_option
from sklearn_ssl.autoencoding.denoising import DenoisingAutoencoder


def _needs_no_labels(self):
    if self.target_aware:
        raise AttributeError(
            "partial_fit needs target_aware=False: few rows tell little of y. Call fit."
        )
    return True


@dataclass(kw_only=True, eq=False, repr=False)
class MaskedFeatures(DenoisingAutoencoder):
    """Tell which cells of a row were replaced, or what all of them were [1]_.

    Each cell is replaced, with some chance, by the same column's cell of a random row,
    anew at each step.

    Parameters
    ----------
    corruption_rate : float, default=0.5
        Chance of a cell to be replaced; between 0.2 and 0.8 in [1]_, by data set.
        Ignored if `views` are given.
    pretext : {"mask", "reconstruction"}, default="mask"
        "mask" predicts which cells were replaced, by cross-entropy; a cell whose donor
        had the same value was not. "reconstruction" predicts all cells, replaced or
        not, as :class:`DenoisingAutoencoder` does. The one asks what goes together in
        a row, the other what follows from it.
    target_aware : bool or "numbers", default=False
        Whether the prediction head is shown, beside the embedding, an estimate of the
        row's y by a linear model of other rows. ``fit`` needs y then, of one column,
        and there is no ``partial_fit``. True takes floats that are not all whole for
        numbers, all else for classes; "numbers" takes all for numbers.
    unlabeled : "auto", None, or a label, default="auto"
        What marks, in such a y, a row without a label. "auto": -1 or, in floats and
        objects, a missing value; but -1 and 1 alone are two classes, and -1 is a number
        like others where y is numbers. ``None``: all rows have a label.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    See Also
    --------
    VIME : Does both.

    Notes
    -----
    In [1]_, the encoder was fine-tuned: see :class:`SSLClassifier`. All columns weigh
    the same here; the code of [1]_ takes the mean over numbers and the sum over
    categories.

    With ``target_aware`` the head predicts from the embedding and the target, h(f(x),
    y), as "+ target" of [1]_. There, y is the row's own label, and the features are
    fine-tuned. Here a classifier may be fitted on them for the same rows, and no row is
    shown with its own label, which has a say only through what is expected of others: y
    is what a linear model of the columns expects of the row, fitted to the other four
    of five folds or, for a row without label, to all that have one: probabilities of
    the classes minus their frequencies, or a standardized number. ``score`` shows
    zeros: nothing is known. Left out are replacements that come from rows of another
    target, which [1]_ also tries, and the supervised loss beside the pretext ("+ sup").

    :class:`SSLClassifier` and :class:`SSLRegressor` give it the labels known, but for
    ``fine_tune``: fit this first then, and pass
    :class:`~sklearn.frozen.FrozenEstimator` of it.

    References
    ----------
    .. [1] I. Rubachev, A. Alekberov, Y. Gorishniy, A. Babenko, "Revisiting Pretraining
       Objectives for Tabular Deep Learning", 2022. https://arxiv.org/abs/2207.03208

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import MaskedFeatures
    >>> X, y = load_wine(return_X_y=True)
    >>> MaskedFeatures(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    modalities: ClassVar[tuple] = ("table",)

    pretext: str = "mask"
    target_aware: bool | str = False
    unlabeled: object = "auto"

    partial_fit = available_if(_needs_no_labels)(DenoisingAutoencoder.partial_fit)

    @available_if(lambda self: self.pretext == "reconstruction")
    def score_samples(self, X):
        """As of :class:`Autoencoder`, if ``pretext="reconstruction"``.

        Parameters
        ----------
        X : array-like or DataFrame

        Returns
        -------
        scores : ndarray of shape (n,), float32
        """
        return super().score_samples(X)

    def _check_parameters(self):
        super()._check_parameters()
        check_option("pretext", self.pretext, ("mask", "reconstruction"))
        check_option("target_aware", self.target_aware, (False, True, "numbers"))

    @property
    def _uses_labels(self):
        """Whether ``fit`` makes use of y."""
        return bool(self.target_aware)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._uses_labels
        return tags

    def _take_for_targets(self):
        self.target_aware = "numbers"

    def _add_targets(self, arrays, X, y):
        if not self.target_aware:
            return arrays
        sizes, numbers = self.modality_.cardinalities_, self.target_aware == "numbers"
        return with_expected_targets(arrays, sizes, X, y, numbers, self.unlabeled)

    def _add_decoder(self, task, n_inputs):
        n_inputs += task.n_targets
        if self.pretext == "reconstruction":
            super()._add_decoder(task, n_inputs)
        else:
            task.head = task.inputs.change_head(n_inputs, self._hidden_width(task))

    def _loss(self, task, batch):
        view = task.view(batch)
        z = self._beside_targets(task, task.embed(view), batch)
        if self.pretext == "reconstruction":
            return task.inputs.reconstruction_loss(task.decoder(z), batch)
        return task.inputs.change_loss(task.head(z), batch, view)

    def _reconstruct(self, task, batch):
        return task.decoder(self._beside_targets(task, task.embed(batch), batch))

    def _beside_targets(self, task, z, batch):
        from torch import cat

        unknown = z.new_zeros(len(z), task.n_targets)
        return cat([z, batch.get("targets", unknown)], dim=1)
