"""VIME (Yoon et al., 2020)."""

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

from sklearn_ssl._parameters import check_number
from sklearn_ssl.autoencoding.denoising import DenoisingAutoencoder


@dataclass(kw_only=True, eq=False, repr=False)
class VIME(DenoisingAutoencoder):
    """Tell which cells of a row were replaced, and reconstruct the row [1]_.

    Each cell is replaced, with some chance, by the same column's cell of a random row,
    anew at each step. From the embedding of that row, one head predicts which cells
    are no longer what they were, a second one what all of them were.

    Parameters
    ----------
    corruption_rate : float, default=0.3
        Chance of a cell to be replaced. Ignored if `views` are given.
    alpha : float, default=2.0
        Weight of the reconstruction; that of the replaced cells is 1.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    See Also
    --------
    DenoisingAutoencoder : Reconstructs alone.
    MaskedFeatures : Tells which cells were replaced alone.

    Notes
    -----
    The loss is the cross-entropy of which cells were replaced plus alpha times the
    error of the reconstruction, both averaged over the columns; a cell whose donor had
    the same value counts as not replaced. Each head has a hidden layer, and categories
    are reconstructed by cross-entropy. The code of [1]_ has linear heads and corrupts
    the rows once.

    This is the self-supervised part. The semi-supervised one, a classifier on the
    embedding as it is that should say the same of all corrupted copies of a row, is
    ``SSLClassifier(VIME(), fine_tune=FineTuning(consistency=1.0, encoder_factor=0.0))``
    with unlabelled rows marked in y; see :class:`FineTuning`.

    References
    ----------
    .. [1] J. Yoon, Y. Zhang, J. Jordon, M. van der Schaar, "VIME: Extending the Success
       of Self- and Semi-supervised Learning to Tabular Domain", NeurIPS 2020.
       https://proceedings.neurips.cc/paper/2020/hash/7d97667a3e056acab9aaf653807b4a03-Abstract.html

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import VIME
    >>> X, y = load_wine(return_X_y=True)
    >>> VIME(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    modalities: ClassVar[tuple] = ("table",)

    corruption_rate: float = 0.3
    alpha: float = 2.0

    def _check_parameters(self):
        super()._check_parameters()
        check_number("alpha", self.alpha, Real, 0)

    def _add_decoder(self, task, n_inputs):
        super()._add_decoder(task, n_inputs)
        task.head = task.inputs.change_head(n_inputs, self._hidden_width(task))

    def _loss(self, task, batch):
        view = task.view(batch)
        z = task.embed(view)
        replaced = task.inputs.change_loss(task.head(z), batch, view)
        restored = task.inputs.reconstruction_loss(task.decoder(z), batch)
        return replaced + self.alpha * restored
