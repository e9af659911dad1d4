"""Searches: pretraining once a fold, and unlabelled rows that no fold may cut."""

import copy

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_ssl import SCARF, SSLClassifier, SSLRegressor
from sklearn_ssl.model_selection import UnlabeledSplit
from sklearn_ssl.semi_supervised._memory import content_hash
from tests.helpers import make

GRID = {"estimator__C": [0.01, 0.1, 1.0, 10.0]}


@pytest.fixture
def pretrainings(monkeypatch):
    """One item for each pretraining: its number of rows."""
    found = []
    fit = SCARF._fit

    def counted(self, X, *args):
        found.append(len(X))
        return fit(self, X, *args)

    monkeypatch.setattr(SCARF, "_fit", counted)
    return found


def classifier(**params):
    return SSLClassifier(
        make(SCARF, max_epochs=1), LogisticRegression(max_iter=1000), **params
    )


@pytest.mark.parametrize("kind", [str, lambda path: joblib.Memory(path, verbose=0)])
def test_search_pretrains_once_a_fold(kind, wine, tmp_path, pretrainings):
    X, _, few = wine
    cv = UnlabeledSplit(StratifiedKFold(3))
    search = GridSearchCV(classifier(memory=kind(tmp_path)), GRID, cv=cv)
    search.fit(X, few)
    assert len(pretrainings) == 3 + 1  # each fold, and the refit
    assert search.best_score_ > 0.8
    search.fit(X, few)
    assert len(pretrainings) == 4
    # Labels are no part of pretraining; its parameters and rows are.
    changed = np.where(np.arange(len(few)) == 1, -1, few)
    classifier(memory=kind(tmp_path)).fit(X, changed)
    assert len(pretrainings) == 4
    classifier(memory=kind(tmp_path)).fit(X[1:], few[1:])
    assert len(pretrainings) == 5
    search.estimator.set_params(transformer__corruption_rate=0.3)
    search.fit(X, few)
    assert len(pretrainings) == 9


def network(activation=nn.Tanh, **attributes):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(13, 16), nn.BatchNorm1d(16), activation())
    vars(module).update(attributes)
    return module


@pytest.mark.parametrize("steps", [(), (StandardScaler(),)])
def test_memory_knows_modules_by_their_content(steps, wine, tmp_path, pretrainings):
    X, _, few = wine

    def transformer(module):
        return make_pipeline(*steps, make(SCARF, max_epochs=1, encoder=module))

    model = SSLClassifier(
        transformer(network()), LogisticRegression(), memory=str(tmp_path)
    )
    cv = UnlabeledSplit(StratifiedKFold(3))
    search = GridSearchCV(model, GRID, cv=cv).fit(X, few)
    assert len(pretrainings) == 3 + 1
    model.set_params(transformer=transformer(network())).fit(X, few)
    assert len(pretrainings) == 4
    proba = search.best_estimator_.transformer_.transform(X)
    assert_array_equal(model.transformer_.transform(X), proba)


def test_memory_tells_modules_apart():
    def changed(change):
        module = network()
        change(module)
        return module

    def half(module):
        module[0].weight.data = module[0].weight.data.bfloat16()

    layer = nn.Linear(4, 4)
    modules = [
        network(),
        network(nn.ReLU),
        network(power=2),  # read by `forward`, shown by no repr or state
        network(power=3),
        changed(lambda module: module[0].weight.data.add_(1)),
        changed(lambda module: module[0].requires_grad_(False)),
        changed(lambda module: module[1].running_mean.add_(1)),
        changed(half),
        nn.Sequential(layer, layer),
        nn.Sequential(layer, copy.deepcopy(layer)),
    ]
    hashes = [content_hash(SCARF(encoder=module)) for module in modules]
    assert len(set(hashes)) == len(modules)
    again = [content_hash(SCARF(encoder=copy.deepcopy(module))) for module in modules]
    assert again == hashes
    # What is frozen has parameters and more.
    X = np.random.default_rng(0).normal(size=(20, 2))
    scalers = [FrozenEstimator(StandardScaler().fit(scale * X)) for scale in (1, 2)]
    hashes = {content_hash(make_pipeline(scaler, SCARF())) for scaler in scalers}
    assert len(hashes) == 2


def test_memory_does_without_what_has_no_hash(wine, tmp_path, pretrainings):
    X, _, few = wine
    model = SSLClassifier(
        make(SCARF, max_epochs=1, encoder=lambda: network()), memory=str(tmp_path)
    )
    for n in (1, 2):
        with pytest.warns(UserWarning, match="memory is not used: Can't pickle"):
            model.fit(X, few)
        assert len(pretrainings) == n
    model.set_params(memory=joblib.Memory(None)).fit(X, few)  # keeps nothing anyway
    assert len(pretrainings) == 3


def test_without_memory_each_candidate_pretrains(wine, pretrainings):
    X, _, few = wine
    search = GridSearchCV(classifier(), GRID, cv=UnlabeledSplit(StratifiedKFold(3)))
    expected = search.fit(X, few).cv_results_["mean_test_score"]
    assert len(pretrainings) == 4 * 3 + 1
    assert len(set(expected)) > 1


def test_memory_serves_fine_tuning_and_leaves_the_kept_one_alone(
    wine, tmp_path, pretrainings
):
    X, _, few = wine
    plain = classifier(memory=str(tmp_path)).fit(X, few)
    tuned = classifier(memory=str(tmp_path), fine_tune=True).fit(X, few)
    again = classifier(memory=str(tmp_path)).fit(X, few)
    assert len(pretrainings) == 1
    assert not np.array_equal(tuned.predict_proba(X), plain.predict_proba(X))
    assert_array_equal(again.predict_proba(X), plain.predict_proba(X))
    regressor = SSLRegressor(make(SCARF, max_epochs=1), memory=str(tmp_path))
    regressor.fit(X, X[:, 0])
    assert len(pretrainings) == 1


def test_memory_of_another_version_is_not_read(monkeypatch):
    expected = content_hash(SCARF())
    assert content_hash(SCARF()) == expected
    for version in "sklearn_ssl.__version__", "torch.__version__":
        with monkeypatch.context() as patch:
            patch.setattr(version, "0.0")
            assert content_hash(SCARF()) != expected


def test_parallel_search(wine, tmp_path):
    X, _, few = wine
    cv = UnlabeledSplit(StratifiedKFold(2))
    search = GridSearchCV(classifier(memory=str(tmp_path)), GRID, cv=cv, n_jobs=2)
    with joblib.parallel_config("threading"):
        scores = search.fit(X, few).cv_results_["mean_test_score"]
    serial = GridSearchCV(classifier(), GRID, cv=cv).fit(X, few)
    assert_array_equal(serial.cv_results_["mean_test_score"], scores)


# X_unlabeled in cross-validation ------------------------------------------------------


def test_rows_to_pretrain_on_go_into_each_fold(wine, routing, pretrainings):
    X, y, _ = wine
    model = classifier().set_fit_request(X_unlabeled=True)
    found = cross_validate(
        model, X[:100], y[:100], params={"X_unlabeled": X[100:]}, cv=2
    )
    assert found["test_score"].min() > 0.7
    assert pretrainings == [50 + 78] * 2


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(lambda: classifier().set_fit_request(X_unlabeled=True), id="two"),
        pytest.param(
            lambda: Pipeline(
                [
                    ("ssl", make(SCARF).set_fit_request(X_unlabeled=True)),
                    ("end", LogisticRegression()),
                ],
                transform_input=["X_unlabeled"],
            ),
            id="pipeline",
        ),
    ],
)
def test_rows_that_cross_validation_cuts_raise(estimator, wine, routing):
    """As many rows as X has are taken for rows of X, and cut with the folds."""
    X, y, _ = wine
    params = {"X_unlabeled": X[:90] + 0.1}
    with pytest.raises(ValueError, match="X_unlabeled has 45 rows, as many as X"):
        cross_val_score(
            estimator(), X[:90], y[:90], params=params, cv=2, error_score="raise"
        )
    # The refit of a search, and a plain fit, say so as well.
    with pytest.raises(ValueError, match="X_unlabeled has 90 rows, as many as X"):
        estimator().fit(X[:90], y[:90], **params)


def test_frozen_transformer_in_a_search(wine, pretrainings):
    X, _, few = wine
    frozen = FrozenEstimator(make(SCARF, max_epochs=1).fit(X))
    search = GridSearchCV(
        SSLClassifier(frozen), {"estimator": [None, LogisticRegression(C=0.01)]}, cv=3
    )
    search.fit(X, few)
    assert len(pretrainings) == 1
