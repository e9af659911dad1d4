"""SSLClassifier and SSLRegressor without fine-tuning."""

import copy
import inspect
import pickle
from unittest.mock import ANY

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image as PILImage
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ssl import SCARF, SimCLR, SSLClassifier, SSLRegressor
from tests.helpers import CASES, assert_same_fit, fitted, make, make_data, take
from tests.semi_supervised.helpers import features


@pytest.mark.parametrize("cls", [SSLClassifier, SSLRegressor])
def test_signature(cls):
    parameters = inspect.signature(cls).parameters.values()
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert [(p.name, p.default) for p in positional] == [
        ("transformer", inspect.Parameter.empty),
        ("estimator", None),
        ("fine_tune", False),
        ("memory", None),
    ]
    named = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    unlabeled = {"unlabeled": "auto"} if cls is SSLClassifier else {}
    assert named == {"random_state": None} | unlabeled
    assert cls(SCARF(), None, True, "folder").get_params(deep=False) == {
        "fine_tune": True,
        "memory": "folder",
        "estimator": None,
        "random_state": None,
        **unlabeled,
        "transformer": ANY,
    }


# Two steps are what they would be by hand ---------------------------------------------


def test_pretrains_on_all_rows_and_fits_on_labelled_ones(wine):
    X, _, few = wine
    scarf = make(SCARF)
    classifier = SSLClassifier(scarf).fit(X, few)
    assert not hasattr(scarf, "_network")
    assert_same_fit(classifier.transformer_, make(SCARF).fit(X), X)
    assert classifier.n_labeled_ == (few != -1).sum()
    Z = features(classifier.transformer_, X)
    expected = LogisticRegression(max_iter=1000).fit(Z[few != -1], few[few != -1])
    assert_array_equal(classifier.estimator_.coef_, expected.coef_)
    assert_array_equal(classifier.predict(X), expected.predict(Z))
    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(Z))
    assert_array_equal(classifier.decision_function(X), expected.decision_function(Z))
    assert_array_equal(classifier.classes_, [0, 1, 2])
    assert classifier.n_features_in_ == 13


def test_regressor_by_hand(diabetes):
    X, y, few = diabetes
    regressor = SSLRegressor(make(SCARF)).fit(X, few)
    Z = features(make(SCARF).fit(X), X)
    labeled = ~np.isnan(few)
    expected = Ridge().fit(Z[labeled], few[labeled])
    assert_array_equal(regressor.predict(X), expected.predict(Z))
    assert regressor.score(X, few) == expected.score(Z[labeled], y[labeled])
    assert not hasattr(regressor, "predict_proba")
    assert not hasattr(regressor, "classes_")
    # -1 is a target like another.
    assert SSLRegressor(make(SCARF)).fit(X, np.sign(y - 150)).n_labeled_ == len(y)


def test_unlabelled_rows_may_come_apart(wine):
    X, _, few = wine
    order = np.argsort(few == -1, kind="stable")
    n = (few != -1).sum() + 10
    X, few = X[order], few[order]
    together = SSLClassifier(make(SCARF)).fit(X, few)
    apart = SSLClassifier(make(SCARF)).fit(X[:n], few[:n], X_unlabeled=X[n:])
    assert_array_equal(apart.predict_proba(X), together.predict_proba(X))
    alone = SSLClassifier(make(SCARF)).fit(X[:n], few[:n])
    assert not np.array_equal(alone.predict_proba(X), together.predict_proba(X))


def test_any_classifier_and_any_transformer(wine):
    X, y, few = wine
    classifier = SSLClassifier(make(SCARF), KNeighborsClassifier()).fit(X, few)
    assert classifier.score(X, y) > 0.8
    assert not hasattr(classifier, "decision_function")
    pipeline = make_pipeline(StandardScaler(), PCA(5))
    baseline = SSLClassifier(pipeline).fit(X, few)
    assert_allclose(baseline.transformer_[1].mean_, 0, atol=1e-9)  # over all rows
    assert baseline.score(X, y) > 0.9
    assert baseline.predict(X).shape == y.shape


@pytest.mark.parametrize("estimator", [SSLClassifier, SSLRegressor])
def test_frozen_transformer_is_not_pretrained_again(estimator, wine, monkeypatch):
    X, _, few = wine
    scarf = make(SCARF).fit(X[:100])
    before = copy.copy(vars(scarf))
    monkeypatch.setattr(SCARF, "fit", lambda *args, **kwargs: pytest.fail("fitted"))
    y = few if estimator is SSLClassifier else np.where(few == -1, np.nan, few)
    model = estimator(FrozenEstimator(scarf)).fit(X, y, X_unlabeled=X[:10])
    assert model.transformer_.estimator is scarf
    assert vars(scarf) == before
    assert clone(model).transformer.estimator is scarf


def test_random_state(wine):
    X, _, few = wine
    model = SSLClassifier(make(SCARF, random_state=None), random_state=3)
    weights = [model.fit(X, few).predict_proba(X) for _ in range(2)]
    assert_array_equal(*weights)
    assert model.transformer.random_state is None
    expected = SSLClassifier(make(SCARF, random_state=3)).fit(X, few)
    assert_array_equal(expected.predict_proba(X), weights[0])
    # Nested ones too, and those of the second step.
    nested = SSLClassifier(
        make_pipeline(StandardScaler(), PCA(5)),
        LogisticRegression(solver="saga", tol=0.1),
        random_state=3,
    ).fit(X, few)
    assert nested.transformer_[1].random_state == 3
    assert nested.estimator_.random_state == 3


def test_pickle(wine):
    X, _, few = wine
    classifier = SSLClassifier(make(SCARF)).fit(X, few)
    loaded = pickle.loads(pickle.dumps(classifier))
    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


# Every kind of X and y ----------------------------------------------------------------


@pytest.mark.parametrize("cls, modality", CASES)
def test_every_method_and_modality(cls, modality):
    X = make_data(modality)
    y = np.arange(len(X)) % 3 - 1
    frozen = FrozenEstimator(fitted(cls, modality))
    classifier = SSLClassifier(frozen).fit(X, y)
    assert classifier.predict(take(X, slice(5))).shape == (5,)
    assert set(classifier.classes_) == {0, 1}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(lambda images: images, id="array"),
        pytest.param(lambda images: images[..., None], id="4-D array"),
        pytest.param(list, id="list of arrays"),
        pytest.param(lambda images: [*map(PILImage.fromarray, images)], id="PIL"),
    ],
)
def test_images(kind):
    digits = load_digits()
    images, y = (digits.images[:60] * 15).astype(np.uint8), digits.target[:60].copy()
    y[::2] = -1
    X, X_unlabeled = kind(images[:40]), kind(images[40:])
    simclr = make(SimCLR, modality="image")
    classifier = SSLClassifier(simclr).fit(X, y[:40], X_unlabeled=X_unlabeled)
    expected = SSLClassifier(simclr).fit(images, np.r_[y[:40], np.full(20, -1)])
    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(images[:40]))
    assert classifier.n_features_in_ == 64


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(lambda frame: frame, id="pandas"),
        pytest.param(pl.from_pandas, id="polars"),
        pytest.param(lambda frame: frame.astype(object).to_numpy(), id="objects"),
        pytest.param(lambda frame: frame.astype(object).to_numpy().tolist(), id="list"),
    ],
)
def test_tables(kind):
    frame = make_data("table")
    y = np.arange(len(frame)) % 3 - 1
    X = kind(frame)
    classifier = SSLClassifier(make(SCARF)).fit(X, y)
    expected = SSLClassifier(make(SCARF)).fit(frame, y)
    assert_allclose(classifier.predict_proba(X), expected.predict_proba(frame))
    assert hasattr(classifier, "feature_names_in_") == hasattr(X, "columns")


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param(lambda y, gaps: np.where(gaps, -1, y), id="-1"),
        pytest.param(lambda y, gaps: np.where(gaps, np.nan, y), id="nan"),
        pytest.param(lambda y, gaps: np.where(gaps, None, y), id="None"),
        pytest.param(lambda y, gaps: np.where(gaps, -1, y).tolist(), id="list"),
        pytest.param(lambda y, gaps: pd.Series(y).mask(gaps), id="series"),
        pytest.param(lambda y, gaps: pd.Series(y).astype("Int64").mask(gaps), id="NA"),
    ],
)
def test_marks(mark, wine):
    X, y, few = wine
    expected = SSLClassifier(make(SCARF)).fit(X, few)
    classifier = SSLClassifier(make(SCARF)).fit(X, mark(y, few == -1))
    assert_array_equal(classifier.predict(X), expected.predict(X))
    assert classifier.n_labeled_ == expected.n_labeled_
    assert classifier.classes_.dtype.kind in "if"


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param(lambda y: np.where(np.isnan(y), None, y), id="None"),
        pytest.param(lambda y: np.where(np.isnan(y), pd.NA, y), id="NA"),
        pytest.param(lambda y: np.where(np.isnan(y), pd.NA, y).tolist(), id="list"),
        pytest.param(lambda y: pd.Series(y).astype("Float64"), id="Float64"),
        pytest.param(lambda y: pl.Series(y).fill_nan(None), id="polars"),
        pytest.param(lambda y: y.astype(object), id="objects"),
    ],
)
def test_marks_of_targets(mark, diabetes):
    X, _, few = diabetes
    expected = SSLRegressor(make(SCARF)).fit(X, few)
    regressor = SSLRegressor(make(SCARF)).fit(X, mark(few))
    assert_array_equal(regressor.predict(X), expected.predict(X))
    assert regressor.n_labeled_ == 100
    assert regressor.score(X, mark(few)) == expected.score(X, few)
    both = np.column_stack([few, few]).astype(object)
    both[np.isnan(few)] = pd.NA
    assert SSLRegressor(make(SCARF)).fit(X, both).predict(X).shape == (200, 2)


def test_the_mark_may_be_missing_itself(wine):
    X, y, few = wine
    labels = np.where(few == -1, pd.NA, y)
    expected = SSLClassifier(make(SCARF)).fit(X, few).score(X, few)
    for mark in (np.nan, pd.NA):
        marked = SSLClassifier(make(SCARF), unlabeled=mark).fit(X, labels)
        assert marked.score(X, labels) == expected


def test_text_labels(wine):
    X, y, few = wine
    names = np.array(["barbera", "barolo", "grignolino"])[y]
    expected = SSLClassifier(make(SCARF)).fit(X, few)
    labels = np.where(few == -1, None, names)
    classifier = SSLClassifier(make(SCARF)).fit(X, labels)
    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))
    assert classifier.classes_.tolist() == ["barbera", "barolo", "grignolino"]
    assert classifier.score(X, labels) == expected.score(X, few)
    marked = SSLClassifier(make(SCARF), unlabeled="?")
    marked.fit(X, np.where(few == -1, "?", names))
    assert_array_equal(marked.predict(X), classifier.predict(X))


def test_minus_one_may_be_a_class(wine):
    X, y, _ = wine
    y = np.where(y == 0, 1, -1)
    with pytest.warns(UserWarning, match="unlabeled=None to confirm"):
        classifier = SSLClassifier(make(SCARF)).fit(X, y)
    assert classifier.classes_.tolist() == [-1, 1]
    assert classifier.score(X, y) > 0.8
    confirmed = SSLClassifier(make(SCARF), unlabeled=None).fit(X, y)
    assert_array_equal(confirmed.predict(X), classifier.predict(X))
    with pytest.raises(ValueError, match="all of one class"):
        SSLClassifier(make(SCARF), unlabeled=-1).fit(X, y)


def test_several_outputs(wine, diabetes):
    X, y, few = wine
    both = np.column_stack([few, np.where(few == -1, -1, y > 0)])
    logistic = MultiOutputClassifier(LogisticRegression(max_iter=1000))
    classifier = SSLClassifier(make(SCARF), logistic).fit(X, both)
    assert classifier.predict(X).shape == both.shape
    assert [len(classes) for classes in classifier.classes_] == [3, 2]
    X, y, few = diabetes
    both = np.column_stack([few, -few])
    predicted = SSLRegressor(make(SCARF)).fit(X, both).predict(X)
    assert_allclose(predicted[:, 0], -predicted[:, 1], rtol=1e-6)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_features_in_frames_are_floats_of_64_bits_too(library, wine):
    X, _, few = wine
    scarf = make(SCARF)
    expected = SSLClassifier(scarf).fit(X, few).predict_proba(X)
    classifier = SSLClassifier(clone(scarf).set_output(transform=library)).fit(X, few)
    assert len(classifier.estimator_.feature_names_in_) == 31
    assert classifier.estimator_.coef_.dtype == np.float64
    assert_allclose(classifier.predict_proba(X), expected, rtol=1e-9)
