"""AutoSSL: a method where the labels speak for it, the raw columns elsewhere."""

import math
import pickle
from functools import partial
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

from sklearn_ssl import (
    SCARF,
    AutoSSL,
    MaskedFeatures,
    SimCLR,
    SSLClassifier,
    SSLRegressor,
)
from sklearn_ssl._candidates import RawFeatures
from sklearn_ssl.encoders import MLP
from sklearn_ssl.inspection import PretrainingDisplay
from sklearn_ssl.model_selection import label_efficiency_curve
from sklearn_ssl.semi_supervised import auto as auto_module
from sklearn_ssl.semi_supervised._choice import inner_folds
from sklearn_ssl.views import Corruption
from tests.helpers import make, make_data
from tests.test_common import EXTRA_CHECKS

TREE = DecisionTreeClassifier(random_state=0)


class Noise(TransformerMixin, BaseEstimator):
    """Random features, whatever the row; notes the rows of each fit."""

    fits = []

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        type(self).fits.append((type(self).__name__, len(X), y is not None))
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return np.random.default_rng(0).normal(size=(len(X), 5))


class Product(Noise):
    """What the first two columns tell together, and neither alone."""

    def transform(self, X):
        return 10 * X[:, :1] * X[:, 1:2]


@pytest.fixture(autouse=True)
def no_fits():
    Noise.fits.clear()


@pytest.fixture(scope="module")
def xor():
    X = np.random.default_rng(0).normal(size=(200, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


# What it fits and chooses -------------------------------------------------------------


def test_chooses_what_holds_the_label(xor):
    X, y = xor
    auto = AutoSSL(methods={"noise": Noise(), "product": Product()}).fit(X, y)
    assert auto.method_ == "product"
    assert isinstance(auto.transformer_, Product)
    assert_array_equal(auto.transform(X), auto.scale_ * Product().transform(X))
    assert list(auto.scores_) == ["raw", "noise", "product"]
    assert list(auto.gains_) == list(auto.thresholds_) == ["noise", "product"]
    assert auto.gains_["product"] > auto.thresholds_["product"]
    assert auto.n_labeled_ == 200
    cautious = AutoSSL(methods=[Product()], prior_labels=np.inf).fit(X, y)
    assert cautious.method_ == "raw"


def test_keeps_raw_before_noise(wine):
    X, _, few = wine
    auto = AutoSSL(methods=[Noise()], scales=(), random_state=0).fit(X, few)
    assert auto.method_ == "raw"
    assert auto.gains_["Noise"] < 0
    assert_array_equal(auto.transform(X), RawFeatures().fit_transform(X))
    assert auto.n_labeled_ == 89


class Scaled(Product):
    """What tells the class and what does not, at some scale."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def transform(self, X):
        return self.factor * np.hstack([super().transform(X) / 10, X])


@pytest.mark.parametrize(
    "factor, method, scale", [(0.2, "Scaled", 2), (1, "Scaled", 1), (5, "raw", 0.5)]
)
def test_chooses_a_scale_by_the_same_rule(xor, factor, method, scale):
    """Too small, too regularized; of columns that tell nothing, as little as may be."""
    X, y = xor
    y = np.where(np.arange(200) % 5, y, 1 - y)
    y = np.where(np.arange(200) % 4, -1, y)
    auto = AutoSSL(methods=[Scaled(factor)], random_state=0).fit(X, y)
    assert auto.method_ == method and auto.scale_ == scale
    chosen = auto.transformer_
    rows = np.flatnonzero(y != -1)
    assert list(auto.scale_scores_) == [1, 0.5, 2, 4]
    for tried, scores in auto.scale_scores_.items():
        expected = cross_val_score(
            LogisticRegression(max_iter=1000),
            *(tried * chosen.transform(X[rows]).astype(float), y[rows]),
            cv=inner_folds(y[rows], 5, True, 0),
            scoring="neg_log_loss",
        )
        assert_allclose(scores, expected)
    assert_array_equal(auto.scale_scores_[1], auto.scores_[method])
    assert auto.scale_scores_[scale].mean() >= auto.scale_scores_[1].mean()
    assert_array_equal(auto.transform(X), scale * chosen.transform(X))
    as_it_is = AutoSSL(methods=[Scaled(factor)], scales=(), random_state=0).fit(X, y)
    assert as_it_is.scale_ == 1 and list(as_it_is.scale_scores_) == [1]
    assert_array_equal(as_it_is.transform(X), chosen.transform(X))


def test_each_scale_is_tried_once(xor):
    """Also by a judge that scores no two times alike."""
    X, y = xor
    scales = np.array([2, 1, 2], np.float32)
    forest = RandomForestClassifier(3, max_depth=2)
    auto = AutoSSL(methods=[Product()], scales=scales, estimator=forest).fit(X, y)
    assert list(auto.scale_scores_) == [1, 2]
    assert auto.scale_scores_[1] is auto.scores_[auto.method_]


def test_features_of_a_method_must_be_dense(wine):
    X, _, few = wine
    for labels in (few, None):
        with pytest.raises(TypeError, match=r"OneHotEncoder returns a sparse matrix"):
            AutoSSL(methods=[OneHotEncoder()]).fit(X, labels)
    dense = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    assert AutoSSL(methods=[dense]).fit(X).transform(X).shape[0] == len(X)


@pytest.mark.parametrize("params", [{"prior_labels": np.inf}, {"estimator": TREE}])
def test_the_scale_stays_where_none_gains(wine, params):
    X, _, few = wine
    auto = AutoSSL(methods=[make(SCARF)], random_state=0, **params).fit(X, few)
    assert auto.scale_ == 1
    assert auto.transform(X).dtype == np.float32


@pytest.mark.parametrize(
    "scoring, name_of_scorer",
    [("auto", "neg_log_loss"), (None, "accuracy"), ("balanced_accuracy",) * 2],
)
def test_scores_are_paired_and_cross_validated(wine, scoring, name_of_scorer):
    X, _, few = wine
    auto = AutoSSL(methods=[PCA(3)], scoring=scoring, random_state=0).fit(X, few)
    rows = np.flatnonzero(few != -1)
    folds = inner_folds(few[rows], 5, True, 0)
    assert len(folds) == 5 * 5
    for name, transformer in {
        "raw": RawFeatures(),
        "PCA": PCA(3, random_state=0),
    }.items():
        Z = transformer.fit(X).transform(X[rows]).astype(float)
        expected = cross_val_score(
            LogisticRegression(max_iter=1000),
            *(Z, few[rows]),
            cv=folds,
            scoring=name_of_scorer,
        )
        assert_allclose(auto.scores_[name], expected)


@pytest.mark.parametrize("judge", [LinearSVC(), Ridge()])
def test_what_predicts_no_probabilities_has_its_own_score(wine, judge):
    X, _, few = wine
    scores = [
        AutoSSL(methods=[PCA(3)], estimator=judge, scoring=scoring, random_state=0)
        .fit(X, np.where(few == -1, np.nan, few))
        .scores_["PCA"]
        for scoring in ("auto", None)
    ]
    assert_array_equal(*scores)


def test_each_fold_has_all_classes_that_have_a_say():
    """Else there would be no log loss."""
    labels = np.repeat([0, 1, 2, 3], [40, 7, 3, 1])
    for train, test in inner_folds(labels, 5, True, 0):
        assert set(labels[train]) == set(labels[test]) == {0, 1}


def test_pretrains_once_on_all_rows_without_labels(wine):
    X, y, few = wine
    auto = AutoSSL(methods=[Noise(), Product()])
    auto.fit(X, few)
    assert Noise.fits == [("Noise", 178, False), ("Product", 178, False)]
    Noise.fits.clear()
    auto.fit(X[:80], y[:80], X_unlabeled=X[80:])
    assert Noise.fits == [("Noise", 178, False), ("Product", 178, False)]
    assert auto.n_labeled_ == 80


def test_methods_that_are_pretrained_already(xor):
    X, y = xor
    methods = {"product": Product().fit(X), "noise": Noise().fit(X)}
    n_fits = len(Noise.fits)
    frozen = {name: FrozenEstimator(method) for name, method in methods.items()}
    auto = AutoSSL(methods=frozen, random_state=0).fit(X, y)
    assert auto.method_ == "product" and len(Noise.fits) == n_fits
    assert_array_equal(auto.transform(X), auto.scale_ * Product().transform(X))


def test_without_labels_it_is_the_first_method(wine):
    X, y, _ = wine
    for labels in (None, np.full(len(y), -1), np.full(len(y), np.nan)):
        Noise.fits.clear()
        auto = AutoSSL(methods=[Product(), Noise()]).fit(X, labels)
        assert auto.method_ == "Product"
        assert Noise.fits == [("Product", 178, False)]
        assert auto.scores_ == auto.gains_ == auto.thresholds_ == {}
        assert auto.scale_scores_ == {} and auto.scale_ == 1
        assert auto.n_labeled_ == 0


def test_the_first_method_comes_beside_the_raw_columns(wine):
    X, _, _ = wine
    auto = AutoSSL(methods=[make(SCARF)]).fit(X)
    raw = RawFeatures().fit(X)
    columns = auto.transform(X)[:, -15:]  # two are scaled by quantiles, and come twice
    assert columns.shape == raw.transform(X).shape
    share = raw.modality_.norms[1] / math.hypot(*raw.modality_.norms)
    assert_allclose(columns, raw.transform(X) * share, atol=1e-5)


@pytest.mark.parametrize("labeled", [[0, 60, 150], [0, 1, 2, 3, 4]])
def test_too_few_labels_keep_raw(labeled):
    X, y = load_wine(return_X_y=True)
    few = np.full(len(y), -1)
    few[labeled] = y[labeled]
    auto = AutoSSL(methods=[Product()]).fit(X, few)
    assert auto.method_ == "raw"
    assert auto.n_labeled_ == len(labeled)
    assert auto.scores_ == {} and auto.scale_ == 1
    assert Noise.fits == []  # nothing to pretrain for


def test_inner_folds():
    labels = np.repeat(["a", "b", "c"], [30, 4, 2])
    folds = inner_folds(labels, 5, True, 0)
    assert len(folds) == 4 * 5
    for train, test in folds:
        assert set(labels[train]) == set(labels[test]) == {"a", "b"}
        assert not set(train) & set(test)
    assert len(inner_folds(np.repeat([0, 1], 1000), 5, True, 0)) == 5  # many rows: once
    assert len(inner_folds(np.arange(7.0), 5, False, 0)) == 3 * 5
    assert inner_folds(np.arange(3.0), 5, False, 0) == []
    assert inner_folds(np.repeat([0, 1], [9, 1]), 5, True, 0) == []
    first, again, other = (inner_folds(labels, 5, True, seed) for seed in (0, 0, 1))
    assert all((a[1] == b[1]).all() for a, b in zip(first, again, strict=True))
    assert any((a[1] != b[1]).any() for a, b in zip(first, other, strict=True))


def test_kinds_of_labels(xor):
    X, y = xor
    shown = np.arange(len(y)) % 4 > 0
    text = np.array(["no", "yes"], dtype=object)[y]
    marked = {
        "int": np.where(shown, y, -1),
        "nan": np.where(shown, y, np.nan),
        "text": np.where(shown, text, None),
        "pandas": pd.Series(np.where(shown, y, None), dtype="Int64"),
        "column": np.where(shown, y, -1)[:, None],
    }
    for labels in marked.values():
        auto = AutoSSL(methods=[Product()], random_state=0).fit(X, labels)
        assert auto.n_labeled_ == 150
        assert auto.method_ == "Product"
    signs = AutoSSL(methods=[Product()], unlabeled=None).fit(X, 2 * y - 1)
    assert signs.n_labeled_ == 200


def test_targets():
    X, y = load_diabetes(return_X_y=True)
    y = np.where(np.arange(len(y)) % 2, np.nan, y - y.mean())
    auto = AutoSSL(methods={"one": PCA(1), "noise": Noise()}).fit(X, y)
    assert auto.method_ == "raw"
    assert auto.n_labeled_ == 221
    whole = np.where(np.isnan(y), np.nan, y.round())
    auto = AutoSSL(methods=[Noise()], estimator=Ridge()).fit(X, whole)
    assert auto.scores_["raw"].mean() > 0.2
    steps = np.arange(442) - 200  # of which one is -1
    assert AutoSSL(methods=[Noise()], estimator=Ridge()).fit(X, steps).n_labeled_ == 442


def test_images():
    images = make_data("image")
    y = (images.mean(axis=(1, 2)) > np.median(images.mean(axis=(1, 2)))).astype(int)
    auto = AutoSSL(methods=[make(SimCLR, modality="image", max_epochs=0)])
    auto.fit(images, y)
    assert auto.n_features_in_ == 64
    assert auto.scores_["raw"].mean() > -0.5  # log loss: by chance it is -2.3


def test_methods_by_modality():
    table = AutoSSL()._methods(make_data("table"))
    assert list(table) == ["SimCLR", "DenoisingAutoencoder", "SimSiam"]
    images = AutoSSL(modality="image")._methods(make_data("image"))
    assert list(images) == ["SimCLR", "LeJEPA"]
    assert {method.modality for method in images.values()} == {"image"}


def test_verbose_shows_a_bar_for_each_method_that_is_trained(capfd, monkeypatch):
    X, y = load_wine(return_X_y=True)
    quick = {"max_epochs": 1, "encoder": MLP(hidden=(16,))}
    methods = tuple(partial(method, **quick) for method in (SimCLR, SCARF))
    monkeypatch.setattr(auto_module, "_METHODS", {"table": methods})
    AutoSSL().fit(X, y)
    assert capfd.readouterr() == ("", "")
    AutoSSL(verbose=1).fit(X, y)
    _, shown = capfd.readouterr()
    assert "SimCLR: 100%" in shown and "SCARF: 100%" in shown


# As an estimator ----------------------------------------------------------------------


def _auto(**params):
    small = SCARF(max_epochs=1, encoder=MLP(hidden=(16, 16)))
    return AutoSSL(methods=[small], **params)


def _checks():
    for estimator, check in estimator_checks_generator(_auto()):
        function = check
        while hasattr(function, "func"):
            function = function.func
        yield pytest.param(estimator, check, id=function.__name__)


@pytest.fixture
def one_repeat(monkeypatch):
    """The scores do not matter."""
    monkeypatch.setattr("sklearn_ssl.semi_supervised._choice._REPEATS", (1, 1))


@pytest.mark.parametrize("estimator, check", list(_checks()))
def test_sklearn_checks(estimator, check, one_repeat):
    check(estimator)


@pytest.mark.filterwarnings("ignore:X .*feature names:UserWarning")
@pytest.mark.parametrize("name", EXTRA_CHECKS)
def test_extra_sklearn_checks(name, one_repeat):
    if hasattr(estimator_checks, name):
        getattr(estimator_checks, name)("AutoSSL", _auto())


def test_in_a_pipeline(wine):
    X, y, _ = wine
    pipeline = make_pipeline(_auto(random_state=0), LogisticRegression(max_iter=1000))
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.9
    pipeline.fit(X, y)
    again = pickle.loads(pickle.dumps(pipeline))
    assert_array_equal(again.predict(X), pipeline.predict(X))
    auto = pipeline[0].set_output(transform="pandas")
    frame = auto.transform(X)
    assert list(frame.columns) == list(auto.get_feature_names_out())
    assert frame.columns[0] == "autossl0"


def test_more_rows_are_routed(wine, routing):
    X, y, _ = wine
    auto = AutoSSL(methods=[Product()]).set_fit_request(X_unlabeled=True)
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("ssl", auto), ("last", LogisticRegression())],
        transform_input=["X_unlabeled"],
    )
    pipeline.fit(X[:80], y[:80], X_unlabeled=X[80:])
    assert Noise.fits == [("Product", 178, False)]
    assert pipeline["ssl"].n_labeled_ == 80


def test_a_table_with_text(wine):
    frame = make_data("table")
    y = (frame["city"] == "Bern").astype(int)
    auto = _auto(random_state=0).fit(frame, y)
    assert list(auto.feature_names_in_) == list(frame.columns)
    assert auto.method_ == "raw"  # one-hot columns tell all
    with pytest.raises(ValueError, match="feature names"):
        auto.transform(frame.rename(columns={"a": "A"}))


def test_repeatable(wine):
    X, _, few = wine
    before = np.random.get_state()[1].tolist()
    first, again = (clone(_auto(random_state=3)).fit(X, few) for _ in range(2))
    for name, scores in first.scores_.items():
        assert_array_equal(scores, again.scores_[name])
    assert first.method_ == again.method_
    assert_array_equal(first.transform(X), again.transform(X))
    _auto().fit(X, few)
    assert np.random.get_state()[1].tolist() == before


def test_the_chosen_method_can_be_looked_at(wine):
    pytest.importorskip("matplotlib")
    auto = _auto().fit(wine[0])
    display = PretrainingDisplay.from_estimator(auto)
    assert_allclose(display.loss, auto.transformer_.loss_curve_)


def test_a_failed_fit_leaves_the_last_one(wine):
    X, y, _ = wine
    auto = AutoSSL(methods=[Product()]).fit(X, y)
    with pytest.raises(ValueError, match="cv must be an int"):
        auto.set_params(cv=1).fit(X, y)
    assert auto.n_features_in_ == 13
    assert auto.transform(X).shape == (178, auto._n_features_out)


# Errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params, error, message",
    [
        ({"prior_labels": -1}, ValueError, "prior_labels must be a number"),
        ({"scales": (1, 0)}, ValueError, "each of scales must be a number above 0"),
        ({"scales": 2.0}, TypeError, r"scales must be a sequence of numbers, got 2.0"),
        ({"scales": iter((2, 4))}, TypeError, "scales must be a sequence of numbers"),
        ({"scales": b"24"}, TypeError, "scales must be a sequence of numbers"),
        ({"methods": []}, ValueError, "methods is empty"),
        ({"methods": {"raw": SCARF()}}, ValueError, "'raw' is taken"),
        ({"methods": "SCARF"}, TypeError, "a list of transformers or a dict"),
        ({"verbose": -1}, ValueError, "verbose must be an int of at least 0, got -1"),
        ({"verbose": "yes"}, ValueError, "verbose must be an int .*, got 'yes'"),
        (
            {"methods": [Product()], "verbose": -1},
            ValueError,
            "verbose must be an int of at least 0",
        ),
    ],
)
def test_bad_parameters(params, error, message, wine):
    with pytest.raises(error, match=message):
        AutoSSL(**params).fit(*wine[:2])


def test_bad_labels(wine):
    X, y, _ = wine
    with pytest.raises(ValueError, match="one column, got 2"):
        _auto().fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        _auto().fit(X, y[1:])


@pytest.mark.parametrize(
    "params, change, message",
    [
        ({"scoring": "acuracy"}, lambda y: y, "acuracy"),
        ({"estimator": Ridge(), "scoring": "neg_log_loss"}, lambda y: y, "proba"),
        ({"estimator": Ridge()}, lambda y: np.where(y, np.inf, y), "infinity"),
        ({"estimator": Ridge()}, lambda y: np.array(list("abc"))[y], "convert"),
        ({"estimator": LogisticRegression()}, lambda y: y + 0.5, "continuous"),
        ({"estimator": SCARF()}, lambda y: y, "must be a classifier or regressor"),
        ({"estimator": "lr"}, lambda y: y, "must be a classifier or regressor"),
        ({}, lambda y: np.where(y == 2, np.nan, y - 1.0), "mixes two marks"),
    ],
)
def test_what_does_not_suit_raises_before_training(params, change, message, wine):
    X, y, _ = wine
    with pytest.raises((ValueError, TypeError, AttributeError), match=message):
        AutoSSL(methods=[Noise()], **params).fit(X, change(y))
    assert not Noise.fits


def test_frozen_methods_are_read_as_what_is_inside(wine):
    X, _, few = wine
    digits = load_digits().images[:60]
    y = np.arange(60) % 2
    image = make(SimCLR, modality="image", max_epochs=0).fit(digits)
    auto = AutoSSL(methods=[FrozenEstimator(image)]).fit(digits, y)
    assert list(auto.scores_) == ["raw", "SimCLR"]
    aware = make(MaskedFeatures, target_aware=True).fit(X, few)
    with pytest.raises(TypeError, match="'MaskedFeatures' uses labels"):
        AutoSSL(methods=[FrozenEstimator(aware)]).fit(X, few)


@pytest.mark.parametrize("mark", [-1, None, np.nan])
@pytest.mark.parametrize("names", [False, True])
def test_inside_a_classifier_the_labels_known_choose(mark, names, wine):
    X, y, few = wine
    labels = y.astype(str) if names else y
    marked = np.where(few < 0, mark, labels.astype(object))
    if mark == -1 and not names:
        marked = marked.astype(int)
    found = SSLClassifier(AutoSSL(methods=[Product()], random_state=0)).fit(X, marked)
    alone = AutoSSL(methods=[Product()], random_state=0).fit(X, few)
    assert found.transformer_.n_labeled_ == found.n_labeled_ == (few >= 0).sum()
    assert_array_equal(found.transformer_.scores_["raw"], alone.scores_["raw"])
    assert_array_equal(found.classes_, np.unique(labels))
    assert found.score(X, labels) > 0.9


@pytest.mark.parametrize("shift", [0.5, 0], ids=["fractions", "whole numbers"])
def test_inside_a_regressor_the_targets_known_choose(shift):
    X, y = load_diabetes(return_X_y=True)
    few = np.where(np.arange(len(y)) % 3, np.nan, y + shift)
    auto = AutoSSL(methods=[Product()], random_state=0)
    found = SSLRegressor(auto).fit(X[:300], few[:300], X_unlabeled=X[300:])
    assert found.transformer_.n_labeled_ == 100
    assert Noise.fits == [("Product", len(X), False)]
    assert auto.estimator is None
    auto.set_params(estimator=Ridge())
    auto.fit(X[:300], few[:300], X_unlabeled=X[300:])
    assert found.transformer_.gains_ == auto.gains_


@pytest.mark.parametrize("steps", [False, True])
def test_inside_step_two_the_outer_mark_counts(steps, wine):
    """What -1 is has been decided: it is not asked again."""
    X, y, _ = wine
    known = np.arange(len(y)) % 2 == 0
    auto = AutoSSL(methods=[Product()], scales=(), estimator=TREE, random_state=0)
    for_targets = clone(auto).set_params(estimator=Ridge())
    if steps:
        auto = make_pipeline(StandardScaler(), auto)
        for_targets = make_pipeline(StandardScaler(), for_targets)
    for model, labels, n in [
        (SSLClassifier(auto, unlabeled=None), y - 1, len(y)),
        (SSLClassifier(auto, unlabeled=np.nan), np.where(known, y - 1, np.nan), 89),
        (SSLClassifier(auto, unlabeled=5), np.where(known, y - 1, 5), 89),
        (SSLRegressor(for_targets), y - 1.0, len(y)),
        (SSLRegressor(for_targets), np.where(known, y - 1, np.nan), 89),
    ]:
        inside = model.fit(X, labels).transformer_
        inside = inside[-1] if steps else inside
        assert inside.n_labeled_ == model.n_labeled_ == n


def test_what_was_chosen_by_other_labels_is_not_read_from_memory(wine, tmp_path):
    X, y, few = wine
    model = SSLClassifier(
        AutoSSL(methods=[Product()]), memory=str(tmp_path), random_state=0
    )
    model.fit(X, few)
    assert len(Noise.fits) == 1
    assert model.fit(X, few).transformer_.n_labeled_ == 89
    assert len(Noise.fits) == 1
    assert model.fit(X, y).transformer_.n_labeled_ == len(y)
    assert len(Noise.fits) == 2


def test_targets_taken_for_rare_classes_are_a_warning(wine):
    X, _ = load_diabetes(return_X_y=True)
    prices = 1000 + np.random.default_rng(0).integers(200, size=len(X))
    with pytest.warns(UserWarning, match=r"whole numbers, which.*estimator=Ridge\(\)"):
        AutoSSL(methods=[Product()], scales=()).fit(X, prices)
    AutoSSL(methods=[Product()], scales=(), estimator=Ridge()).fit(X, prices)
    AutoSSL(methods=[Product()], scales=()).fit(*wine[:2])


def test_parameters_of_all_methods_are_checked_before_training(wine):
    methods = {"first": Noise(), "second": SCARF(temperature=-1)}
    with pytest.raises(ValueError, match="second: temperature must be"):
        AutoSSL(methods=methods).fit(*wine[:2])
    for second, message in [
        (SCARF(encoder="foo"), "second: encoder='foo' is unknown"),
        (SCARF(encoder=MLP(hidden=8)), "second: encoder: hidden"),
        (SCARF(views=Corruption(rate=2)), "second: views: rate"),
        (FrozenEstimator(SCARF()), "second: .*not fitted"),
    ]:
        with pytest.raises(ValueError, match=message):
            AutoSSL(methods=methods | {"second": second}).fit(*wine[:2])
    assert Noise.fits == []


def test_an_estimator_that_needs_more_rows_than_a_fold_has_keeps_raw(wine):
    X, y, _ = wine
    two = np.full(len(y), -1)
    for label in range(3):
        two[np.flatnonzero(y == label)[:2]] = label
    for judge in (
        KNeighborsClassifier(),
        GridSearchCV(LogisticRegression(), {"C": [1]}, cv=2),
    ):
        auto = AutoSSL(methods=[Product()], estimator=judge, random_state=0)
        with pytest.warns(
            UserWarning, match="(?s)too few to choose by folds.*Label more"
        ):
            auto.fit(X, two)
        assert auto.method_ == "raw" and auto.scale_ == 1 and auto.n_labeled_ == 6
        assert auto.scores_ == auto.gains_ == auto.scale_scores_ == {}
    assert Noise.fits == []


def test_what_cannot_be_fitted_can_be_shown():
    for methods in ([], SCARF(), [SCARF]):
        assert "AutoSSL" in AutoSSL(methods=methods)._repr_html_()
        with pytest.raises((TypeError, ValueError), match="methods"):
            AutoSSL(methods=methods).fit(*load_wine(return_X_y=True))


def test_what_pretrains_without_labels_refuses_it(wine):
    X, y, few = wine
    aware = make(MaskedFeatures, target_aware=True)
    with pytest.raises(TypeError, match=r"uses labels, of which fine_tune"):
        SSLClassifier(aware, fine_tune=True).fit(X, few)
    estimators = {"a": make_pipeline(_auto(), LogisticRegression())}
    with pytest.raises(ValueError, match="'a' uses labels"):
        label_efficiency_curve(estimators, X, y)
    frozen = FrozenEstimator(AutoSSL(methods=[Product()]).fit(X, few))
    assert SSLClassifier(frozen).fit(X, few).score(X, y) > 0.9


@pytest.mark.parametrize(
    "around",
    [
        pytest.param(lambda auto: make_union(auto), id="union"),
        pytest.param(lambda auto: make_column_transformer((auto, slice(13))), id="ct"),
        pytest.param(lambda auto: make_pipeline(make_union(auto)), id="deep"),
    ],
)
def test_inside_whatever_hands_labels_on_it_is_given_those_known(around, wine):
    X, _, few = wine
    # With labels it keeps to the raw columns, without it takes the method.
    auto = AutoSSL(methods=[Product()], prior_labels=np.inf, random_state=0)
    model = SSLClassifier(around(auto)).fit(X, few)
    expected = auto.fit(X, few)
    assert expected.method_ == "raw"
    assert_array_equal(model.transformer_.transform(X), expected.transform(X))


def test_targets_of_minus_one_among_objects():
    X, y = load_diabetes(return_X_y=True)
    y = y - y.mean()
    y[:40] = -1.0
    auto = AutoSSL(methods=[Product()], scales=(), random_state=0)
    scores = auto.fit(X, y).scores_
    assert auto.fit(X, y.astype(object)).n_labeled_ == len(y)
    assert_array_equal(auto.scores_["raw"], scores["raw"])


def test_thresholds_are_those_of_the_folds():
    X = np.random.default_rng(0).normal(size=(200, 4))
    y = np.arange(200) % 2
    auto = AutoSSL(methods={"p": PCA(2)}, prior_labels=7, random_state=0).fit(X, y)
    gain = auto.scores_["p"] - auto.scores_["raw"]
    error = math.sqrt((1 / len(gain) + 40 / 160) * gain.var(ddof=1))
    expected = NormalDist().inv_cdf(0.75) * error * math.sqrt(1 + 7 / 200)
    assert auto.thresholds_["p"] == pytest.approx(expected)
