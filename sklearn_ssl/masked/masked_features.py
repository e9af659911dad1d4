"""Prediction of masks or features (Rubachev et al., 2022)."""

from dataclasses import dataclass
from typing import ClassVar

from sklearn.utils.metaestimators import available_if

from sklearn_ssl._parameters import check_option
from sklearn_ssl.autoencoding.denoising import DenoisingAutoencoder


@dataclass(kw_only=True, eq=False, repr=False)
class MaskedFeatures(DenoisingAutoencoder):
    """Tell which cells of a row were replaced, or what all of them were [1]_.

    Each cell is replaced, with some chance, by the same column's cell of a random row,
    anew at each step.

    Parameters
    ----------
    corruption_rate : float, default=0.5
        Chance of a cell to be replaced; between 0.2 and 0.8 in [1]_, by data set. Views
        of your own have theirs.
    output : {"last", "all_layers"}, default="last"
        Whether ``transform`` returns the last layer of the encoder or all of them side
        by side. "all_layers" needs an MLP.
    pretext : {"mask", "reconstruction"}, default="mask"
        "mask" predicts which cells were replaced, by cross-entropy; a cell whose donor
        had the same value was not. "reconstruction" predicts all cells, replaced or
        not, as :class:`DenoisingAutoencoder` does. The one asks what goes together in
        a row, the other what follows from it.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    See Also
    --------
    VIME : Does both.

    Notes
    -----
    This is the part of [1]_ that uses no labels. There, the encoder was fine-tuned: see
    :class:`SSLClassifier`. All columns weigh the same here; the code of [1]_ takes the
    mean over numbers and the sum over categories.

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
    (178, 269)
    """

    modalities: ClassVar[tuple] = ("table",)

    pretext: str = "mask"

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

    def _add_decoder(self, task, n_inputs):
        if self.pretext == "reconstruction":
            super()._add_decoder(task, n_inputs)
        else:
            task.head = task.inputs.change_head(n_inputs, self._hidden_width(task))

    def _loss(self, task, batch):
        if self.pretext == "reconstruction":
            return super()._loss(task, batch)
        view = task.view(batch)
        return task.inputs.change_loss(task.head(task.embed(view)), batch, view)
