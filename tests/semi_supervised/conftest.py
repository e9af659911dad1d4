"""Data, and switches that are set back."""

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_diabetes, load_wine
from sklearn.frozen import FrozenEstimator

from sklearn_ssl import SCARF
from sklearn_ssl.encoders import MLP
from tests.helpers import make


@pytest.fixture(scope="module")
def wine():
    """X, y, and y with every other label replaced by -1; in random order."""
    X, y = load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X[order], y[order]
    few = y.copy()
    few[::2] = -1
    return X, y, few


@pytest.fixture(scope="module")
def diabetes():
    """X, y, and y with every other target replaced by NaN."""
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:200], y[:200]
    return X, y, np.where(np.arange(len(y)) % 2, y, np.nan)


@pytest.fixture
def routing():
    """Metadata routing, switched off again after the test."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def no_training(monkeypatch):
    """Fails where SCARF would train."""
    monkeypatch.setattr(SCARF, "fit", lambda *args, **kwargs: pytest.fail("trained"))


@pytest.fixture(scope="module")
def scarf(wine):
    """A SCARF that is fitted and stays as it is."""
    return FrozenEstimator(make(SCARF, encoder=MLP(hidden=(32, 32))).fit(wine[0]))
