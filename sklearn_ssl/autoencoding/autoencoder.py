"""Autoencoder (Hinton and Salakhutdinov, 2006)."""

from copy import copy
from dataclasses import dataclass
from typing import ClassVar

from sklearn.utils.validation import check_is_fitted

from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.views import Identity

# Width of the decoder's hidden layer at least.
_MIN_HIDDEN = 64


@dataclass(kw_only=True, eq=False, repr=False)
class Autoencoder(SSLTransformer):
    """Reconstruct each row from its embedding [1]_.

    Numbers and pixels are reconstructed by squared error, categories by cross-entropy,
    averaged over the columns or pixels.

    Parameters
    ----------
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    See Also
    --------
    DenoisingAutoencoder : Does so from corrupted rows, often to better features.

    Notes
    -----
    Without ``views`` of your own, nothing is varied: "auto" leaves the rows as they
    are. The clean row is the target whatever the views do.

    References
    ----------
    .. [1] G. E. Hinton, R. R. Salakhutdinov, "Reducing the Dimensionality of Data with
       Neural Networks", Science 313, 2006. https://doi.org/10.1126/science.1127647

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import Autoencoder
    >>> X, y = load_wine(return_X_y=True)
    >>> Autoencoder(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    modalities: ClassVar[tuple] = ("table", "image")

    def score_samples(self, X):
        """Minus the reconstruction error of each row: low for an unusual one.

        Nothing is varied or drawn, and a row's score does not depend, not by a bit, on
        the rows beside it.

        Parameters
        ----------
        X : array-like, DataFrame or list of images

        Returns
        -------
        scores : ndarray of shape (n,), float32
            Minus the mean error of a row's columns or pixels, at most 0: the squared
            error of numbers and pixels, in the scale in which the network sees them,
            and the cross-entropy of categories. A missing number has no error, but its
            being missing has, if the column had gaps in training.
        """
        check_is_fitted(self)

        def errors(task, batch):
            return task.method._cell_errors(task, batch).mean(dim=1)

        return -self._network.map_rows(errors, self._read_with_gaps(X))

    def _read_with_gaps(self, X):
        """Read X; of a table's numbers "gaps" in place of "missing" tell which miss.

        The network was told of gaps in columns alone that had some in training. What
        stands for a number in the others is no more a value to restore.
        """
        modality = self.modality_
        if modality.name != "table" or not modality.number_columns_:
            return self._read(modality, X)
        modality = copy(modality)
        modality.missing_columns_ = [*range(len(modality.number_columns_))]
        arrays = self._read(modality, X)
        arrays["gaps"] = arrays.pop("missing")
        return arrays

    def _default_views(self, modality):
        return Identity()

    def _build_task(self, task):
        self._add_decoder(task, task.n_outputs)

    def _add_decoder(self, task, n_inputs):
        task.decoder = task.inputs.decoder(n_inputs, self._hidden_width(task))

    def _hidden_width(self, task):
        # A narrow embedding is meant to be the only bottleneck.
        return max(task.n_outputs, _MIN_HIDDEN)

    def _loss(self, task, batch):
        output = self._reconstruct(task, task.view(batch))
        return task.inputs.reconstruction_loss(output, batch)

    def _reconstruct(self, task, batch):
        """What the decoder makes of the embedding."""
        return task.decoder(task.embed(batch))

    def _cell_errors(self, task, batch):
        """Errors of the cells or pixels of rows that are left as they are."""
        batch = task.inputs.prepare(batch)
        return task.inputs.reconstruction_errors(self._reconstruct(task, batch), batch)
