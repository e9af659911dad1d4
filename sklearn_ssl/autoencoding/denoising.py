"""Denoising autoencoder (Vincent et al., 2008)."""

from dataclasses import dataclass
from numbers import Real

from sklearn_ssl._parameters import check_number
from sklearn_ssl.autoencoding.autoencoder import Autoencoder


@dataclass(kw_only=True, eq=False, repr=False)
class DenoisingAutoencoder(Autoencoder):
    """Reconstruct each row from a copy of which a part was replaced [1]_.

    In tables, each cell is replaced, with some chance, by the same column's cell of a
    random row (swap noise, from the winner of the Porto Seguro competition [2]_); in
    images, small squares by the mean of all pixels. Numbers and pixels are
    reconstructed by squared error, categories by cross-entropy.

    Parameters
    ----------
    corruption_rate : float, default=0.5
        Chance of a cell, or of a square of an image, to be replaced. The winner of [2]_
        used 0.15. Ignored if `views` are given.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    See Also
    --------
    sklearn_ssl.views.Corruption : The noise of tables.
    sklearn_ssl.views.PatchMasking : The noise of images, whose squares may be resized.

    References
    ----------
    .. [1] P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, "Extracting and
       Composing Robust Features with Denoising Autoencoders", ICML 2008.
       https://doi.org/10.1145/1390156.1390294
    .. [2] M. Jahrer, 1st place solution, Porto Seguro's Safe Driver Prediction, 2017.
       https://www.kaggle.com/competitions/porto-seguro-safe-driver-prediction

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import DenoisingAutoencoder
    >>> X, y = load_wine(return_X_y=True)
    >>> dae = DenoisingAutoencoder(max_epochs=2, random_state=0)
    >>> dae.fit_transform(X).shape
    (178, 271)
    """

    corruption_rate: float = 0.5

    def _check_parameters(self):
        super()._check_parameters()
        check_number("corruption_rate", self.corruption_rate, Real, 0, 1)

    def _default_views(self, modality):
        return modality.corruption(self.corruption_rate)
