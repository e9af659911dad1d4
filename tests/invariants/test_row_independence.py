"""A row's embedding depends neither on its company nor on the thread."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_diabetes

from sklearn_ssl import Autoencoder
from sklearn_ssl.encoders import MLP
from tests.helpers import CASES, fitted, make, make_data, take


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("cls, modality", CASES)
def test_embedding_does_not_depend_on_other_rows(
    cls, modality, n_threads, torch_threads
):
    estimator = fitted(cls, modality)
    n = estimator._network.task.tile + 37
    X = make_data(modality, n)
    torch_threads(n_threads)
    Z = estimator.transform(X)
    for rows in (
        np.array([0]),
        np.array([n - 1]),
        np.arange(n)[::-1],
        np.arange(5, n, 3),
        np.random.default_rng(0).permutation(n)[: n // 2],
    ):
        assert_array_equal(estimator.transform(take(X, rows)), Z[rows], strict=True)


@pytest.mark.parametrize("cls, modality", CASES)
def test_transform_and_score_from_several_threads(cls, modality):
    X = make_data(modality)
    # Unpickled, so that the threads also meet in rebuilding the network.
    estimator = pickle.loads(pickle.dumps(fitted(cls, modality)))
    Z, score = fitted(cls, modality).transform(X), fitted(cls, modality).score(X)
    parts = [slice(i, i + 61) for i in range(0, 160, 10)]
    with ThreadPoolExecutor(8) as pool:
        scores = [pool.submit(estimator.score, X) for _ in range(4)]
        found = list(pool.map(lambda rows: estimator.transform(take(X, rows)), parts))
    for rows, part in zip(parts, found, strict=True):
        assert_array_equal(part, Z[rows], strict=True)
    assert {future.result() for future in scores} == {score}


@pytest.mark.parametrize("hidden", [(50, 10), (30, 2), (70,)])
@pytest.mark.parametrize("n_columns", [1, 2, 5, 10])
def test_nor_do_few_columns_or_a_narrow_bottleneck(hidden, n_columns, torch_threads):
    """Libraries sum products of few outputs by a row's place among others."""
    X = load_diabetes().data[:, :n_columns]
    encoder = MLP(hidden=hidden)
    autoencoder = make(Autoencoder, encoder=encoder, max_epochs=1).fit(X)
    torch_threads(1)
    Z, scores = autoencoder.transform(X), autoencoder.score_samples(X)
    for rows in [0], [441], np.arange(442)[::-1], np.arange(5, 442, 3):
        assert_array_equal(autoencoder.transform(X[rows]), Z[rows], strict=True)
        assert_array_equal(autoencoder.score_samples(X[rows]), scores[rows])
