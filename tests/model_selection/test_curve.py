"""The label-efficiency curve: what is fitted, how often, on which rows."""

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.datasets import load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from sklearn_ssl import SCARF, SSLClassifier
from sklearn_ssl.model_selection import (
    UnlabeledSplit,
    label_efficiency_curve,
)
from sklearn_ssl.semi_supervised import FineTuning
from tests.helpers import make

SIZES = [6, 9, 15, 24, 60, 118]


class Spy(TransformerMixin, BaseEstimator):
    """Notes each fit: the rows, and whether labels came along."""

    fits = []

    def __init__(self, name="spy"):
        self.name = name

    def fit(self, X, y=None):
        Spy.fits.append((self.name, len(X), y is not None))
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X


class Learner(ClassifierMixin, BaseEstimator):
    """Notes the labels of each fit, and the row numbers, which are column 0 of X."""

    fits = []

    def fit(self, X, y):
        Learner.fits.append((X[:, 0].astype(int), np.array(y)))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.fixture(autouse=True)
def no_fits():
    Spy.fits.clear()
    Learner.fits.clear()


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


@pytest.fixture
def numbered(wine):
    _, y = wine
    return np.arange(len(y), dtype=float)[:, None], y


def _pipelines(*names):
    return {name: make_pipeline(Spy(name), LogisticRegression()) for name in names}


def test_pretrains_once_a_fold_and_method(numbered):
    X, y = numbered
    label_efficiency_curve(_pipelines("a", "b"), X, y, train_sizes=SIZES, cv=5)
    assert len(Spy.fits) == 2 * 5
    rows = [len(train) for train, _ in StratifiedKFold(5).split(X, y)]
    expected = [(name, n, False) for n in rows for name in "ab"]
    assert Spy.fits == expected  # all rows of the fold, and no labels


def test_pretraining_methods_are_counted(wine, monkeypatch):
    X, y = wine
    n_fits = []
    fit = SCARF.fit
    monkeypatch.setattr(SCARF, "fit", lambda *a, **k: n_fits.append(1) or fit(*a, **k))
    estimators = {
        "pipeline": make_pipeline(make(SCARF, max_epochs=0), LogisticRegression()),
        "classifier": SSLClassifier(make(SCARF, max_epochs=0)),
    }
    curve = label_efficiency_curve(estimators, X, y, train_sizes=SIZES, cv=5)
    assert len(n_fits) == 10
    # And both are the same thing.
    assert_allclose(curve.test_scores["pipeline"], curve.test_scores["classifier"])


def test_pipelines_that_share_steps_share_the_fit(numbered):
    X, y = numbered
    spy = Spy()
    estimators = {
        "one": make_pipeline(spy, LogisticRegression()),
        "two": make_pipeline(spy, LogisticRegression(C=0.1)),
        "another": make_pipeline(Spy(), LogisticRegression()),
    }
    curve = label_efficiency_curve(estimators, X, y, train_sizes=[6, 20], cv=2)
    assert len(Spy.fits) == 2 * 2
    assert list(curve.test_scores) == ["one", "two", "another"]


def test_a_classifier_shares_the_fit_of_its_transformer(wine, monkeypatch):
    X, y = wine
    n_fits = []
    fit = SCARF.fit
    monkeypatch.setattr(SCARF, "fit", lambda *a, **k: n_fits.append(1) or fit(*a, **k))
    scarf, scale = make(SCARF), StandardScaler()
    estimators = {
        "pipeline": make_pipeline(scarf, LogisticRegression(max_iter=1000)),
        "classifier": SSLClassifier(scarf),
        "fine-tuned": SSLClassifier(scarf, fine_tune=FineTuning(max_epochs=1)),
        "after a step": make_pipeline(scale, SSLClassifier(scarf)),
        "in steps": make_pipeline(scale, scarf, LogisticRegression(max_iter=1000)),
        "seeded": SSLClassifier(scarf, random_state=1),
    }
    curve = label_efficiency_curve(
        estimators, X, y, train_sizes=[6, 30], cv=2, random_state=0
    )
    assert len(n_fits) == 3 * 2
    scores = curve.test_scores
    assert_array_equal(scores["classifier"], scores["pipeline"])
    assert_array_equal(scores["after a step"], scores["in steps"])
    assert scores["fine-tuned"].min() > 0.5


def test_equals_a_loop_by_hand(wine):
    X, y = wine
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    estimators = {"raw": pipeline, "all": pipeline}
    curve = label_efficiency_curve(estimators, X, y, train_sizes=[89], cv=2)
    expected = [  # both folds have 89 labels, and all of them are shown
        pipeline.fit(X[train], y[train]).score(X[test], y[test])
        for train, test in StratifiedKFold(2).split(X, y)
    ]
    assert curve.test_scores["raw"].tolist() == [expected]
    assert curve.test_scores["all"].tolist() == [expected]


def test_draws_are_nested_stratified_and_shared(numbered):
    X, y = numbered
    sizes = [3, 5, 10, 30, 80]
    curve = label_efficiency_curve(
        {"a": Learner(), "b": Learner()},
        *(X, y),
        train_sizes=sizes,
        cv=2,
        n_draws=3,
        random_state=0,
    )
    assert curve.test_scores["a"].shape == (5, 2 * 3)
    fits = [dict(zip(("rows", "y"), fit, strict=True)) for fit in Learner.fits]
    folds = np.array(fits, dtype=object).reshape(2, 2, len(sizes), 3)
    trains = [train for train, _ in StratifiedKFold(2).split(X, y)]
    for fold, train in zip(folds, trains, strict=True):
        for of_a, of_b in zip(fold[0].flat, fold[1].flat, strict=True):
            assert_array_equal(of_a["rows"], of_b["rows"])
        for draw in range(3):
            seen = set()
            for size, fit in zip(sizes, fold[0][:, draw], strict=True):
                rows = set(fit["rows"].tolist())
                assert len(rows) == size
                assert seen <= rows <= set(train)
                assert_array_equal(fit["y"], y[fit["rows"]])
                share = np.bincount(y[train]) / len(train)
                counts = np.bincount(fit["y"], minlength=3)
                assert counts.min() >= 1
                assert abs(counts - size * share).max() <= 1.5
                seen = rows
        firsts = {tuple(fit["rows"]) for fit in fold[0][0]}
        assert len(firsts) == 3  # another draw is other rows


def test_random_state(numbered):
    X, y = numbered

    def rows_seen(random_state):
        Learner.fits.clear()
        label_efficiency_curve(
            {"a": Learner()}, X, y, train_sizes=[10], cv=2, random_state=random_state
        )
        return [tuple(rows) for rows, _ in Learner.fits]

    assert rows_seen(0) == rows_seen(0) != rows_seen(1)


def test_jobs_change_nothing(wine):
    X, y = wine
    estimators = _wine_estimators()
    with parallel_config("threading"):  # processes would import torch anew
        one, two = (
            label_efficiency_curve(
                estimators, X, y, train_sizes=[6, 40], cv=2, n_jobs=n, random_state=0
            )
            for n in (1, 2)
        )
    for name in estimators:
        assert_array_equal(one.test_scores[name], two.test_scores[name])


def _wine_estimators():
    return {
        "raw": make_pipeline(StandardScaler(), LogisticRegression()),
        "SCARF": make_pipeline(make(SCARF), LogisticRegression()),
    }


def test_means_spreads_and_times(wine):
    X, y = wine
    curve = label_efficiency_curve(
        _wine_estimators(), X, y, train_sizes=[6, 40], cv=3, n_draws=2, random_state=0
    )
    assert_array_equal(curve.train_sizes, [6, 40])
    for name in ("raw", "SCARF"):
        scores = curve.test_scores[name]
        assert scores.shape == curve.fit_times[name].shape == (2, 6)
        assert curve.pretrain_times[name].shape == (3,)
        assert_allclose(curve.test_scores_mean[name], scores.mean(axis=1))
        assert_allclose(curve.test_scores_std[name], scores.std(axis=1))
        assert (curve.fit_times[name] > 0).all()
        assert scores.min() > 0.5
    assert curve.pretrain_times["SCARF"].min() > curve.pretrain_times["raw"].max()
    assert curve.score_name == "Accuracy"


def test_memory_keeps_what_was_pretrained(wine, tmp_path, monkeypatch):
    X, y = wine
    n_fits = []
    fit = SCARF.fit
    monkeypatch.setattr(SCARF, "fit", lambda *a, **k: n_fits.append(1) or fit(*a, **k))
    memory, scarf = str(tmp_path), make(SCARF, max_epochs=0)
    estimators = {
        "pipeline": make_pipeline(scarf, LogisticRegression(), memory=memory),
        "classifier": SSLClassifier(scarf, memory=memory),
    }
    for name, estimator in estimators.items():
        for _ in range(2):
            label_efficiency_curve({name: estimator}, X, y, train_sizes=[30], cv=2)
    assert len(n_fits) == 2  # of 2 folds, once for both


def test_steps_may_have_any_name(wine):
    X, y = wine
    steps = [("pretrained", StandardScaler()), ("ssl", SSLClassifier(make(SCARF)))]
    curve = label_efficiency_curve(
        {"a": Pipeline(steps)}, X, y, train_sizes=[30], cv=2, random_state=0
    )
    assert curve.test_scores["a"].min() > 0.7


def test_rows_without_labels_pretrain_and_are_never_scored(numbered):
    X, y = numbered
    y = np.where(np.arange(len(y)) % 3, -1, y)
    estimators = {"a": make_pipeline(Spy(), Learner())}
    label_efficiency_curve(estimators, X, y, train_sizes=[3, 20], cv=2)
    assert [n for _, n, _ in Spy.fits] == [148, 148]  # 118 unlabelled, 30 of 60
    for rows, labels in Learner.fits:
        assert (labels != -1).all()
        assert_array_equal(labels, y[rows])


# Kinds of data and problems -----------------------------------------------------------


def test_regression():
    X, y = load_diabetes(return_X_y=True)
    y = np.where(np.arange(len(y)) % 4, y, np.nan)
    ridge = make_pipeline(StandardScaler(), Ridge())
    curve = label_efficiency_curve({"raw": ridge}, X, y, cv=3)
    assert_array_equal(curve.train_sizes[[0, -1]], [10, 220])
    assert curve.test_scores_mean["raw"][-1] > 0.4
    assert curve.score_name == "R2"
    curve = label_efficiency_curve(
        {"raw": ridge}, X, y, cv=3, scoring="neg_mean_absolute_error"
    )
    assert curve.score_name == "Negative mean absolute error"
    assert curve.test_scores_mean["raw"][-1] < 0


class Targets(Ridge):
    """Notes the targets of each fit."""

    fits = []

    def fit(self, X, y):
        Targets.fits.append(np.array(y))
        return super().fit(X, y)


@pytest.mark.parametrize("cv", [3, None, UnlabeledSplit(3), KFold(3)], ids=str)
@pytest.mark.parametrize("dtype", [int, float])
def test_minus_one_is_a_target(cv, dtype):
    X = np.arange(60.0)[:, None]
    y = np.arange(60).astype(dtype) - 30  # each once: no classes to stratify by
    Targets.fits.clear()
    label_efficiency_curve({"a": Targets()}, X, y, train_sizes=[1.0], cv=cv)
    assert sum(-1 in given for given in Targets.fits) == len(Targets.fits) - 1


def test_frames_text_labels_and_groups(wine):
    X, y = wine
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    labels = pd.Series(np.array(["a", "b", "c"], dtype=object)[y])
    curve = label_efficiency_curve(
        _wine_estimators(),
        *(frame, labels),
        groups=np.arange(len(y)) % 7,
        train_sizes=[0.1, 1.0],
        cv=UnlabeledSplit(GroupKFold(3)),
        scoring="balanced_accuracy",
        random_state=0,
    )
    assert curve.train_sizes.tolist() == [10, 102]
    assert curve.test_scores_mean["SCARF"].min() > 0.7
    assert curve.score_name == "Balanced accuracy"


def test_automatic_sizes(wine):
    X, y = wine
    curve = label_efficiency_curve({"dummy": DummyClassifier()}, X, y, cv=2)
    assert curve.train_sizes.tolist() == [6, 10, 18, 30, 52, 89]


# Errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sizes", [[2, 10], [10, 200], [0.0, 0.5], [0.5, 1.5], [], [np.nan]]
)
def test_sizes_out_of_range(wine, sizes):
    X, y = wine
    with pytest.raises(ValueError, match=r"train_sizes (must|as floats|is empty)"):
        label_efficiency_curve(_wine_estimators(), X, y, train_sizes=sizes, cv=2)


INSIDE = {
    "search of a classifier": GridSearchCV(SSLClassifier(SCARF()), {}),
    "search of a pipeline": GridSearchCV(make_pipeline(SCARF(), Ridge()), {}),
    "self-training": SelfTrainingClassifier(make_pipeline(SCARF(), Ridge())),
    "second step": SSLClassifier(PCA(), make_pipeline(SCARF(), Ridge())),
    "pipeline": make_pipeline(SCARF(), GridSearchCV(SSLClassifier(SCARF()), {})),
}


@pytest.mark.parametrize("estimator", INSIDE.values(), ids=INSIDE)
def test_pretraining_inside_the_last_step(wine, estimator):
    X, y = wine
    with pytest.raises(ValueError, match=r"'a'.*SSLClassifier\(transformer, Grid"):
        label_efficiency_curve({"a": estimator}, X, y)


def test_searches_outside_of_pretraining(wine, monkeypatch):
    X, y = wine
    n_fits = []
    fit = SCARF.fit
    monkeypatch.setattr(SCARF, "fit", lambda *a, **k: n_fits.append(1) or fit(*a, **k))
    scarf = make(SCARF)
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": [0.1, 1]}, cv=2)
    frozen = make_pipeline(FrozenEstimator(make(SCARF).fit(X)), LogisticRegression())
    estimators = {
        "pipeline": make_pipeline(scarf, search),
        "classifier": SSLClassifier(scarf, search),
        "frozen": GridSearchCV(frozen.set_params(logisticregression__C=0.1), {}),
    }
    n_fits.clear()
    curve = label_efficiency_curve(estimators, X, y, train_sizes=[20, 60], cv=2)
    assert len(n_fits) == 2
    assert_array_equal(curve.test_scores["pipeline"], curve.test_scores["classifier"])


def test_what_is_no_dict_of_estimators(wine):
    X, y = wine
    with pytest.raises(TypeError, match="dict of names"):
        label_efficiency_curve(LogisticRegression(), X, y)
    with pytest.raises(TypeError, match="dict of names"):
        label_efficiency_curve({}, X, y)
    with pytest.raises(ValueError, match="mixes classifiers"):
        label_efficiency_curve({"a": Ridge(), "b": LogisticRegression()}, X, y)
    with pytest.raises(ValueError, match="n_draws"):
        label_efficiency_curve(_wine_estimators(), X, y, n_draws=0)
