"""Large tables are read as they are used: to the same bits, without a copy."""

import gc
import pickle
import tracemalloc
import weakref

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_ssl import SCARF, DenoisingAutoencoder
from sklearn_ssl.modalities import streaming
from tests.helpers import TABLES, assert_same_fit, make, make_data


@pytest.fixture
def always(monkeypatch):
    """Tables of any size are streamed."""
    monkeypatch.setattr(streaming, "_LARGEST_COPY", 0)


@pytest.fixture(scope="module")
def X():
    """Numbers of which some are missing, some skewed, one column is constant."""
    X = make_data("table").drop(columns="city").to_numpy(np.float32, copy=True)
    X[:, 1] = np.exp(2 * X[:, 1])
    X[:, 4] = 3.0
    X.flags.writeable = False
    return X


def streams(estimator, X):
    arrays = estimator._read(estimator.modality_, X)
    return all(isinstance(a, streaming.ColumnReader) for a in arrays.values())


@pytest.mark.parametrize("cls", TABLES)
def test_every_method_learns_the_same_bits(cls, X, monkeypatch):
    params = {"early_stopping": True, "batch_size": 64, "max_epochs": 2}
    whole = make(cls, **params).fit(X)
    assert not streams(whole, X)
    monkeypatch.setattr(streaming, "_LARGEST_COPY", 0)
    streamed = make(cls, **params).fit(X)
    assert streams(streamed, X)
    embedding, score = streamed.transform(X), streamed.score(X)
    again = streamed.partial_fit(X[:100]).transform(X)
    monkeypatch.undo()
    assert_array_equal(embedding, whole.transform(X), strict=True)
    assert score == whole.score(X)
    assert streamed.validation_loss_curve_[:2] == whole.validation_loss_curve_
    assert_same_fit(streamed, whole.partial_fit(X[:100]), X)
    assert_array_equal(again, whole.transform(X), strict=True)
