"""Denoising autoencoder (Vincent et al., 2008) with swap noise."""

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

from sklearn_ssl._parameters import check_number, check_option
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.views import Corruption


@dataclass(kw_only=True, eq=False, repr=False)
class DenoisingAutoencoder(SSLTransformer):
    """Reconstruct a table's rows from copies with swapped cells [1]_.

    Each cell is replaced, with some chance, by the same column's cell of a random row
    (swap noise, from the winner of the Porto Seguro competition [2]_). Numbers are
    reconstructed by squared error, categories by cross-entropy.

    Parameters
    ----------
    corruption_rate : float, default=0.5
        Chance of a cell to be replaced. The winner of [2]_ used 0.15.
    output : {"last", "all_layers"}, default="last"
        Whether ``transform`` returns the last layer of the encoder or all of them side
        by side. "all_layers" needs an MLP.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    References
    ----------
    .. [1] P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, "Extracting and
       Composing Robust Features with Denoising Autoencoders", ICML 2008.
    .. [2] M. Jahrer, 1st place solution, Porto Seguro's Safe Driver Prediction, 2017.
       https://www.kaggle.com/competitions/porto-seguro-safe-driver-prediction

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import DenoisingAutoencoder
    >>> X, y = load_wine(return_X_y=True)
    >>> dae = DenoisingAutoencoder(max_epochs=2, random_state=0)
    >>> dae.fit_transform(X).shape
    (178, 269)
    """

    modalities: ClassVar[tuple] = ("table",)

    corruption_rate: float = 0.5
    output: str = "last"

    def _check_parameters(self):
        super()._check_parameters()
        check_number("corruption_rate", self.corruption_rate, Real, 0, 1)
        check_option("output", self.output, ("last", "all_layers"))

    def _default_views(self, modality):
        return Corruption(rate=self.corruption_rate, exact=False)

    def _build_task(self, task):
        if self.output == "all_layers" and not hasattr(task.encoder, "all_layers"):
            raise ValueError(
                "output='all_layers' needs an encoder with layers to return, as "
                "encoders.MLP has. Pass output='last'."
            )
        task.decoder = task.inputs.decoder(task.n_outputs, task.n_outputs)

    def _loss(self, task, batch):
        output = task.decoder(task.embed(task.view(batch)))
        return task.inputs.reconstruction_loss(output, batch)

    def _encode(self, task, batch):
        if self.output == "last":
            return task.embed(batch)
        return task.encoder.all_layers(task.inputs(batch))
