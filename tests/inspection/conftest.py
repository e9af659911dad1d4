"""Displays draw on no screen, and leave no figure open."""

import matplotlib
import numpy as np
import pytest
from sklearn.datasets import load_digits

from sklearn_ssl import SCARF, Autoencoder, SimCLR
from tests.helpers import make, make_data


@pytest.fixture(autouse=True, scope="session")
def agg():
    before = matplotlib.get_backend()
    matplotlib.use("Agg")
    yield
    matplotlib.use(before)


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="session")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:150].reshape(-1, 8, 8).astype(np.float32), y[:150]


@pytest.fixture(scope="session")
def simclr(digits):
    return make(SimCLR, modality="image").fit(digits[0])


@pytest.fixture(scope="session")
def table():
    """Numbers, one with gaps and one skewed, and text."""
    frame = make_data("table").copy()
    frame["a"] = np.exp(2 * frame["a"])
    return frame


@pytest.fixture(scope="session")
def scarf(table):
    return make(SCARF, early_stopping=True).fit(table)


@pytest.fixture(scope="session")
def autoencoder(table):
    return make(Autoencoder).fit(table)
