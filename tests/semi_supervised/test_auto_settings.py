"""What AutoSSL hands on: its seed and its modality; and what a second fit forgets."""

import numpy as np
import pandas as pd
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.linear_model import SGDClassifier

from sklearn_ssl import AutoSSL
from sklearn_ssl.modalities import Tabular


def raw_scores(X, y, seed, estimator=None):
    auto = AutoSSL(methods=[PCA(2)], scales=(), estimator=estimator, random_state=seed)
    return auto.fit(X, y).scores_["raw"]


def test_random_state_draws_the_folds(wine):
    X, y, _ = wine
    first, again, other = (raw_scores(X, y, seed) for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_random_state_reaches_the_estimator(wine):
    X, y, _ = wine
    random = SGDClassifier(loss="log_loss", max_iter=5, tol=None)
    assert_array_equal(*(raw_scores(X, y, 0, random) for _ in range(2)))


def test_modality_preprocesses_the_raw_columns(wine):
    X, y, _ = wine
    modality = Tabular(numeric="quantile")
    auto = AutoSSL(methods=[PCA(2)], modality=modality, prior_labels=np.inf, scales=())
    auto.fit(X, y)
    assert auto.method_ == "raw"
    assert auto.transformer_.modality_.scaling_ == ["quantile"] * 13


def test_names_of_an_earlier_fit_are_forgotten(wine):
    X, y, _ = wine
    names = [f"column {j}" for j in range(13)]
    auto = AutoSSL(methods=[PCA(2)], prior_labels=np.inf, scales=())
    auto.fit(pd.DataFrame(X, columns=names), y)
    assert auto.feature_names_in_.tolist() == names
    assert not hasattr(auto.fit(X, y), "feature_names_in_")
