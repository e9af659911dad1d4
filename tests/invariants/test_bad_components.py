"""Bad parameters of components fail before training, and the message names them."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine

from sklearn_ssl import SCARF, SimCLR
from sklearn_ssl.encoders import MLP, ConvNet, FTTransformer, ResNet
from sklearn_ssl.modalities import Image, Tabular
from sklearn_ssl.views import Corruption, ImageViews
from tests.helpers import make, spoil_loss

CHANCES = "flip p_gray p_blur p_erase".split()
STRENGTHS = "rotation shear brightness contrast saturation hue".split()
SHARES = "crop_scale erase_scale".split()
POSITIVE = "crop_scale crop_ratio blur_sigma".split()
RANGES = sorted({*SHARES, *POSITIVE})
NUMBERS = ["much", None, np.nan, True, (0, 1), -0.1]
NO_RANGES = [0.5, (0.5,), (0.8, 0.2), (-1, 1), ("a", "b"), (0.1, np.nan), None]
BAD_VIEWS = [
    *[(name, value) for name in CHANCES for value in (*NUMBERS, 1.5, np.inf)],
    *[(name, value) for name in STRENGTHS for value in (*NUMBERS, np.inf)],
    *[(name, (0.5, np.inf)) for name in ("crop_ratio", "blur_sigma")],
    *[(name, value) for name in RANGES for value in NO_RANGES],
    *[(name, (0.5, 2.0)) for name in SHARES],
    *[(name, (0, 1)) for name in POSITIVE],
]
WIDTHS = [16, "16", None, (), (0,), (16, -1), (2.5,), ("wide",), (True,)]


@pytest.fixture
def assert_refused(monkeypatch):
    """The estimator refuses to fit, before a first step, and names the parameter."""

    def check(estimator, X, name):
        spoil_loss(
            monkeypatch, type(estimator), lambda loss: pytest.fail("trained"), after=0
        )
        for method in estimator.fit, estimator.partial_fit:
            with pytest.raises(ValueError, match=rf"\b{name}\b"):
                method(X)
        assert not hasattr(estimator, "n_iter_")

    return check


def images():
    return load_digits().images[:60]


def rows():
    return load_wine().data[:60]


@pytest.mark.parametrize("name, value", BAD_VIEWS)
def test_image_views(name, value, assert_refused):
    views = ImageViews(**{name: value})
    estimator = make(SimCLR, modality="image", encoder=ConvNet(channels=(4,)))
    assert_refused(estimator.set_params(views=views), images(), f"views: .*{name}")


def test_every_field_of_image_views_is_tested():
    assert {name for name, _ in BAD_VIEWS} == set(ImageViews().get_params())


@pytest.mark.parametrize("value", [*NUMBERS, 1.5])
def test_corruption(value, assert_refused):
    assert_refused(make(SCARF, views=Corruption(rate=value)), rows(), "views: rate")


@pytest.mark.parametrize("exact", ["yes", None, 3])
def test_exact_corruption(exact, assert_refused):
    assert_refused(make(SCARF, views=Corruption(exact=exact)), rows(), "views: exact")


@pytest.mark.parametrize("donors", ["column", None, 3])
def test_donors_of_corruption(donors, assert_refused):
    estimator = make(SCARF, views=Corruption(donors=donors))
    assert_refused(estimator, rows(), "views: donors")


@pytest.mark.parametrize("hidden", WIDTHS)
def test_hidden(hidden, assert_refused):
    estimator = make(SCARF, encoder=MLP(hidden=hidden))
    assert_refused(estimator, rows(), "encoder: hidden")


@pytest.mark.parametrize("dropout", [*NUMBERS, 1, 1.5])
def test_dropout(dropout, assert_refused):
    estimator = make(SCARF, encoder=MLP(hidden=(8,), dropout=dropout))
    assert_refused(estimator, rows(), "encoder: dropout")


@pytest.mark.parametrize("component", [MLP, FTTransformer])
@pytest.mark.parametrize(
    "name, value",
    [("numbers", value) for value in ("plr", None, 3)]
    + [("frequency_init_scale", value) for value in (*NUMBERS, 0, np.inf)],
)
def test_number_embeddings(component, name, value, assert_refused):
    estimator = make(SCARF, encoder=component(**{name: value}))
    assert_refused(estimator, rows(), f"encoder: {name}")


@pytest.mark.parametrize("channels", WIDTHS)
def test_channels_of_a_convnet(channels, assert_refused):
    estimator = make(SimCLR, modality="image", encoder=ConvNet(channels=channels))
    assert_refused(estimator, images(), "encoder: channels")


@pytest.mark.parametrize(
    "name, value",
    [("depth", value) for value in (20, 18.0, "18", None)]
    + [("width", value) for value in (0, -1, 2.5, None, "wide")]
    + [("small_stem", value) for value in ("yes", None, 3)],
)
def test_resnet(name, value, assert_refused):
    encoder = ResNet(**{"width": 2} | {name: value})
    estimator = make(SimCLR, modality="image", encoder=encoder)
    assert_refused(estimator, images(), f"encoder: {name}")


@pytest.mark.parametrize(
    "name, value",
    [("numeric", "robust"), ("numeric", None)]
    + [("max_categories", value) for value in (0, 2.5, True, None, "many")]
    + [("embedding_dim", value) for value in (0, 2.5, True, None, "many")],
)
def test_tabular(name, value, assert_refused):
    estimator = make(SCARF, modality=Tabular(**{name: value}))
    assert_refused(estimator, rows(), f"modality: {name}")


@pytest.mark.parametrize("channels", ["middle", None, 1])
def test_channels_of_images(channels, assert_refused):
    estimator = make(SimCLR, modality=Image(channels=channels))
    assert_refused(estimator, images(), "modality: channels")


@pytest.mark.parametrize(
    "shape",
    [(8,), (9, 9), (0, 0), (8, 8, 3), 8, "8x8", (8.0, 8.0), (-8, -8)],
)
def test_shape_of_images(shape, assert_refused):
    estimator = make(SimCLR, modality=Image(shape=shape))
    assert_refused(estimator, images().reshape(-1, 64), "modality: shape")


def test_factory_that_makes_no_network():
    with pytest.raises(TypeError, match=r"must make an nn\.Module, but returned None"):
        make(SCARF, encoder=lambda: None).fit(rows())


@pytest.mark.parametrize("returned", [None, {"numbers": np.zeros((60, 13))}])
def test_views_that_return_no_batch(returned):
    estimator = make(SCARF, views=lambda batch, source, generator: returned)
    with pytest.raises(TypeError, match=r"views=.* must return a dict of tensors"):
        estimator.fit(rows())
