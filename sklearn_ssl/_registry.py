"""The public methods: a row here buys the common tests and the benchmarks."""

from sklearn_ssl.autoencoding.denoising import DenoisingAutoencoder
from sklearn_ssl.joint_embedding.scarf import SCARF
from sklearn_ssl.joint_embedding.simclr import SimCLR

METHODS = (
    DenoisingAutoencoder,
    SCARF,
    SimCLR,
)


def all_methods():
    """Return all public methods.

    Returns
    -------
    methods : dict of str to class

    Examples
    --------
    >>> from sklearn_ssl import all_methods
    >>> sorted(all_methods())
    ['DenoisingAutoencoder', 'SCARF', 'SimCLR']
    """
    return {method.__name__: method for method in METHODS}
