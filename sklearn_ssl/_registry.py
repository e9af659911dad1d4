"""The public methods: a row here buys the common tests and the benchmarks."""

from sklearn_ssl.autoencoding.autoencoder import Autoencoder
from sklearn_ssl.autoencoding.denoising import DenoisingAutoencoder
from sklearn_ssl.autoencoding.subtab import SubTab
from sklearn_ssl.autoencoding.switchtab import SwitchTab
from sklearn_ssl.autoencoding.variational import VariationalAutoencoder
from sklearn_ssl.joint_embedding.barlow_twins import BarlowTwins
from sklearn_ssl.joint_embedding.byol import BYOL
from sklearn_ssl.joint_embedding.dino import DINO
from sklearn_ssl.joint_embedding.lejepa import LeJEPA
from sklearn_ssl.joint_embedding.moco import MoCo
from sklearn_ssl.joint_embedding.nnclr import NNCLR
from sklearn_ssl.joint_embedding.saint import SAINT
from sklearn_ssl.joint_embedding.scarf import SCARF
from sklearn_ssl.joint_embedding.simclr import SimCLR
from sklearn_ssl.joint_embedding.simsiam import SimSiam
from sklearn_ssl.joint_embedding.swav import SwAV
from sklearn_ssl.joint_embedding.vicreg import VICReg
from sklearn_ssl.masked.data2vec import Data2Vec
from sklearn_ssl.masked.mae import MaskedAutoencoder
from sklearn_ssl.masked.masked_features import MaskedFeatures
from sklearn_ssl.masked.vime import VIME
from sklearn_ssl.pretext.bin_prediction import BinPrediction
from sklearn_ssl.pretext.deep_cluster import DeepCluster
from sklearn_ssl.pretext.jigsaw import Jigsaw
from sklearn_ssl.pretext.relative_location import RelativeLocation
from sklearn_ssl.pretext.rotation import RotationPrediction

METHODS = (
    Autoencoder,
    BYOL,
    BarlowTwins,
    BinPrediction,
    DINO,
    Data2Vec,
    DeepCluster,
    DenoisingAutoencoder,
    Jigsaw,
    LeJEPA,
    MaskedAutoencoder,
    MaskedFeatures,
    MoCo,
    NNCLR,
    RelativeLocation,
    RotationPrediction,
    SAINT,
    SCARF,
    SimCLR,
    SimSiam,
    SubTab,
    SwAV,
    SwitchTab,
    VICReg,
    VIME,
    VariationalAutoencoder,
)


def all_methods():
    """Return all public methods.

    Returns
    -------
    methods : dict of str to class

    Examples
    --------
    >>> from sklearn_ssl import all_methods
    >>> methods = all_methods()
    >>> methods["SimCLR"](temperature=0.2)
    SimCLR(temperature=0.2)
    """
    return {method.__name__: method for method in METHODS}
