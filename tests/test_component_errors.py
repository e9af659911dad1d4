"""Classes that are passed where a component is meant."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from torch import nn

from sklearn_ssl import RotationPrediction, SimCLR
from sklearn_ssl._parameters import check_is_instance
from sklearn_ssl.encoders import MLP, ConvNet
from sklearn_ssl.modalities import Image, Tabular, resolve_modality
from sklearn_ssl.views import Corruption

ROWS = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)


class Network(nn.Module):
    """A factory, as a class, of networks."""

    def __init__(self, input_shape):
        super().__init__()
        self.linear = nn.Linear(*input_shape, 3)

    def forward(self, x):
        return self.linear(x)


class NetworkWithParameters(Network, BaseEstimator):
    """A factory still, though its networks have ``get_params``."""


@pytest.mark.parametrize(
    ("method", "parameter", "cls"),
    [
        (SimCLR, "modality", Tabular),
        (SimCLR, "modality", Image),
        (SimCLR, "encoder", MLP),
        (SimCLR, "views", Corruption),
        (RotationPrediction, "encoder", ConvNet),
    ],
)
def test_classes_are_refused_by_name(method, parameter, cls):
    message = (
        f"{parameter} must not be a class, got {cls.__name__}. Pass an instance: "
        rf"{parameter}={cls.__name__}\(\)\."
    )
    estimator = method(max_epochs=0, **{parameter: cls})
    for fit in (estimator.fit, estimator.partial_fit):
        with pytest.raises(TypeError, match=message):
            fit(ROWS)


def test_modality_is_checked_where_it_is_resolved():
    with pytest.raises(TypeError, match=r"Pass an instance: modality=Tabular\(\)"):
        resolve_modality(Tabular, ROWS, ("table",), "Method")


@pytest.mark.parametrize("factory", [Network, NetworkWithParameters])
def test_modules_are_factories(factory):
    Z = SimCLR(encoder=factory, passthrough=False, max_epochs=0).fit_transform(ROWS)
    assert Z.shape == (20, 3)


@pytest.mark.parametrize(
    "value",
    ["auto", None, Tabular(), MLP(), nn.Linear(2, 2), nn.Linear, lambda: nn.Identity()],
)
def test_what_is_no_class_of_a_component_passes(value):
    check_is_instance("encoder", value)


def test_parameters_of_what_is_no_component_say_what_to_pass():
    for key in ("modality__numeric", "encoder__numbers", "views__rate"):
        name = key.split("__")[0]
        with pytest.raises(ValueError, match=f"{key} is a parameter of {name}.*'auto'"):
            SimCLR().set_params(**{key: None})
    both = SimCLR().set_params(encoder=MLP(), encoder__numbers="periodic")
    assert both.encoder.numbers == "periodic"
    with pytest.raises(ValueError, match="Invalid parameter 'encoders'"):
        SimCLR().set_params(encoders__numbers="periodic")
