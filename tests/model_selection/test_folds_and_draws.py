"""How often estimators are fitted, by how many jobs, and what becomes of the scores."""

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ssl.model_selection import compare_representations, label_efficiency_curve


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


def curve(*data, **how):
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    return label_efficiency_curve({"raw": pipeline}, *data, train_sizes=[20], **how)


def comparison(*data, **how):
    return compare_representations({"one": PCA(1)}, *data, train_size=20, **how)


@pytest.mark.parametrize("score", [curve, comparison])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_jobs_and_verbosity_reach_joblib(score, n_jobs, wine, capfd):
    with parallel_config("threading"):
        score(*wine, cv=2, n_draws=1, n_jobs=n_jobs)
        assert capfd.readouterr() == ("", "")
        score(*wine, cv=2, n_draws=1, n_jobs=n_jobs, verbose=1)
    assert f"[Parallel(n_jobs={n_jobs})]" in "".join(capfd.readouterr())


@pytest.mark.parametrize("verbose", [False, True])
def test_a_pipeline_keeps_its_verbosity(verbose, wine, capfd):
    steps = [("scale", StandardScaler()), ("fit", LogisticRegression())]
    pipeline = Pipeline(steps, verbose=verbose)
    label_efficiency_curve({"raw": pipeline}, *wine, train_sizes=[20], cv=2)
    assert ("[Pipeline]" in capfd.readouterr().out) == verbose


def test_scores_of_a_fold_are_means_over_its_draws(wine):
    how = {"cv": 3, "n_draws": 4, "random_state": 0}
    found = comparison(*wine, **how)
    scores = label_efficiency_curve(
        found.estimators, *wine, train_sizes=[20], **how
    ).test_scores
    for name, (draws,) in scores.items():
        expected = [draws[start : start + 4].mean() for start in (0, 4, 8)]
        assert_allclose(found.test_scores[name], expected)


class Counted(LogisticRegression):
    n_fits = 0

    def fit(self, X, y):
        Counted.n_fits += 1
        return super().fit(X, y)


@pytest.mark.parametrize(("train_size", "n_draws"), [(None, 1), (20, 3)])
def test_all_labels_are_drawn_once(train_size, n_draws, wine):
    Counted.n_fits = 0
    how = {"train_size": train_size, "cv": 2, "n_draws": 3}
    classifier = Counted(max_iter=1000)
    compare_representations({"one": PCA(1)}, *wine, classifier=classifier, **how)
    assert Counted.n_fits == 3 * 2 * n_draws  # raw, PCA and one, in two folds


def test_a_loss_beyond_the_noise_exceeds_it_too(wine):
    found = comparison(*wine, n_draws=5, random_state=0)
    assert found.gains["one"] < -found.noise["one"]
    assert found.as_frame().loc["one", "exceeds_noise"]


def test_gains_that_differ_by_rounding_alone_tell_no_noise(wine):
    def score(estimator, X, y):
        bonus = 0.1 if X.shape[1] == 1 else 0.0
        return 1 / len(y) + bonus  # folds have 35 or 36 rows

    found = comparison(*wine, cv=5, n_draws=1, scoring=score)
    gains = found.differences["one"]
    assert 0 < np.ptp(gains) < 1e-12
    assert np.isnan(found.noise["one"]) and found.best == "raw"
