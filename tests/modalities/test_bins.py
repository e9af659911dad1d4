import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ssl.modalities.tabular import Tabular


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("numeric", ["standard", "quantile"])
def test_bins_hold_equally_many_training_values(rng, numeric):
    X = rng.lognormal(size=(960, 2))
    X[::4, 1] = np.nan
    modality = Tabular(numeric=numeric).fit(X)
    numbers = modality.to_arrays(X)["numbers"].astype(float)
    for k, n in enumerate([960, 720]):
        present = numbers[~np.isnan(X[:, k]), k]
        edges = modality.bin_edges_[k]
        assert len(edges) == 49
        assert_allclose(
            [edges[0], edges[-1]], [present.min(), present.max()], atol=1e-4
        )
        edges = [-np.inf, *edges[1:-1], np.inf]
        assert_allclose(np.histogram(present, edges)[0], n / 48, atol=1)
    if numeric == "standard":
        quantiles = np.quantile(numbers[:, 0], np.linspace(0, 1, 49))
        assert_allclose(modality.bin_edges_[0], quantiles, atol=1e-4)


def test_ties_leave_fewer_bins(rng):
    n = 200
    X = np.column_stack(
        [
            np.full(n, 7.0),
            rng.random(n) < 0.3,
            np.arange(n) % 5,
            np.maximum(rng.normal(size=n), 0),
            np.full(n, np.nan),
            np.where(np.arange(n) < n / 2, 1.0, 1.0 + 1e-12) + np.arange(n) // 180,
        ]
    )
    modality = Tabular().fit(X)
    numbers = modality.to_arrays(X)["numbers"]
    for k in range(6):
        edges = modality.bin_edges_[k]
        assert (np.diff(edges) > 5e-5).all()
        if k not in (3, 4):
            assert_allclose(edges, np.unique(numbers[:, k].round(4)), atol=1e-4)
    assert modality.bin_edges_[4] == []
    assert 15 < len(modality.bin_edges_[3]) < 35


def test_bins_end_where_numbers_are_clipped():
    X = np.append(np.linspace(-1, 1, 999), [1000.0])[:, None]
    modality = Tabular(numeric="standard").fit(X)
    assert modality.to_arrays(X)["numbers"].max() == modality.bin_edges_[0][-1] == 10


def test_bins_of_many_rows_are_those_of_some(rng):
    X = rng.normal(size=(50_001, 1))
    edges = Tabular().fit(X).bin_edges_[0]
    assert_allclose(edges, Tabular().fit(X[::3]).bin_edges_[0], atol=0.05)


def test_bins_do_not_keep_the_rows(rng):
    X = rng.normal(size=(30, 3))
    stored = pickle.dumps(Tabular().fit(X))
    assert len(stored) < 3 * 49 * 9 + 3000
