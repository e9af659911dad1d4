"""What SSLClassifier and SSLRegressor refuse before they train."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingRegressor
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR, LinearSVC

from sklearn_ssl import SCARF, FineTuning, SSLClassifier, SSLRegressor
from tests.helpers import make

# Errors, all before training ----------------------------------------------------------


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda y: np.full(len(y), -1), "None of the 178 rows has a label"),
        (lambda y: np.where(y == 1, 1, -2)[y > 0], "inconsistent numbers of samples"),
        (lambda y: np.where(y == 1, 1.0, np.nan), "all of one class, 1.0"),
        (lambda y: np.where(y == 0, 0, -1), "all of one class, 0"),
        (lambda y: np.where(y == 0, np.nan, y - 2.0), "mixes two marks"),
        (lambda y: y + np.linspace(0, 0.5, len(y)), "Unknown label type"),
        (lambda y: np.where(y == 0, np.inf, y), "infinity"),
        (lambda y: np.where(y == 0, "a", y.astype(object)), "Unknown label type"),
        (lambda y: None, "requires y to be passed"),
    ],
)
def test_bad_labels(change, message, wine, no_training):
    X, y, _ = wine
    with pytest.raises(ValueError, match=message):
        SSLClassifier(make(SCARF)).fit(X, change(y))


def test_bad_targets(diabetes, no_training):
    X, y, _ = diabetes
    for change, message in (
        (np.full(len(y), np.nan), "None of the 200 rows has a label"),
        (np.where(y > 100, np.inf, y), "infinity"),
        (y[1:], "inconsistent numbers"),
        (np.array(["a"] * len(y)), "could not convert"),
    ):
        with pytest.raises(ValueError, match=message):
            SSLRegressor(make(SCARF)).fit(X, change)


def test_bad_arguments(wine, no_training):
    X, _, few = wine
    with pytest.raises(TypeError, match="unexpected keyword argument 'sample_weights'"):
        SSLClassifier(make(SCARF)).fit(X, few, sample_weights=few)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        SSLClassifier(make(SCARF)).fit(X, few, sample_weight=np.ones(3))
    for weight, message in (
        (np.full(len(few), np.nan), "sample_weight contains NaN"),
        (np.ones((len(few), 2)), "must be 1D array"),
        (np.array(["a"] * len(few)), "could not convert"),
    ):
        with pytest.raises(ValueError, match=message):
            SSLClassifier(make(SCARF)).fit(X, few, sample_weight=weight)
    with pytest.raises(ValueError, match="'memory' should be"):
        SSLClassifier(make(SCARF), memory=3).fit(X, few)
    with pytest.raises(ValueError, match=r"got \(13,\) and \(5,\)"):
        SSLClassifier(make(SCARF)).fit(X, few, X_unlabeled=X[:9, :5])


@pytest.mark.parametrize(
    "create, error, messages",
    [
        (
            lambda: SSLClassifier(SCARF),
            TypeError,
            ["transformer must be an instance", r"Pass SCARF\(\)"],
        ),
        (
            lambda: SSLClassifier(LogisticRegression()),
            TypeError,
            ["transformer must have fit and transform", "second argument, estimator"],
        ),
        (
            lambda: SSLClassifier(make_pipeline(make(SCARF), PCA(n_components=-1))),
            ValueError,
            ["'n_components' parameter of PCA"],
        ),
        (
            lambda: SSLClassifier(make_pipeline(make(SCARF), SCARF(max_epochs=-1))),
            ValueError,
            ["max_epochs must be"],
        ),
        (
            lambda: SSLClassifier(
                make(SCARF), LogisticRegression(class_weight={7: 1.0})
            ),
            ValueError,
            ["are not in class_weight"],
        ),
        (
            lambda: SSLClassifier(make(SCARF), random_state=2**40),
            ValueError,
            ["random_state must be an int of at least 0 and at most 4294967295"],
        ),
        (
            lambda: SSLClassifier(make(SCARF), random_state="a"),
            ValueError,
            ["random_state must be an int"],
        ),
        (
            lambda: SSLClassifier(make(SCARF), LogisticRegression),
            TypeError,
            ["estimator must be an instance", r"Pass LogisticRegression\(\)"],
        ),
        (
            lambda: SSLClassifier(LinearDiscriminantAnalysis()),
            TypeError,
            ["needs labels, and is fitted to all rows without them"],
        ),
        (
            lambda: SSLClassifier(make(SCARF), Ridge()),
            TypeError,
            [r"estimator must be a classifier, got Ridge\(\)", "SSLRegressor"],
        ),
        (
            lambda: SSLClassifier(make(SCARF), GridSearchCV(Ridge(), {"alpha": [1]})),
            TypeError,
            ["estimator must be a classifier", "SSLRegressor"],
        ),
        (
            lambda: SSLRegressor(make(SCARF), LogisticRegression()),
            TypeError,
            ["estimator must be a regressor, got Logistic", "SSLClassifier"],
        ),
        (
            lambda: SSLClassifier(make(SCARF), "logistic"),
            TypeError,
            ["estimator must be a classifier, got 'logistic'", "Pass None"],
        ),
        (
            lambda: SSLClassifier(make(SCARF), StandardScaler()),
            TypeError,
            [r"estimator must be a classifier, got StandardScaler\(\)", "Pass None"],
        ),
        (
            lambda: SSLClassifier(make(SCARF), LogisticRegression(C=-1)),
            ValueError,
            ["'C' parameter of LogisticRegression"],
        ),
        (
            lambda: SSLClassifier(
                make(SCARF), make_pipeline(PCA(), LogisticRegression(C=-1))
            ),
            ValueError,
            ["'C' parameter of LogisticRegression"],
        ),
        (
            lambda: SSLRegressor(make(SCARF), Ridge(alpha=-1)),
            ValueError,
            ["'alpha' parameter of Ridge"],
        ),
    ],
)
def test_bad_steps(create, error, messages, wine, no_training):
    X, _, few = wine
    for message in messages:
        with pytest.raises(error, match=message):
            create().fit(X, few)


@pytest.mark.parametrize(
    "model, remedy",
    [
        (SSLClassifier(make(SCARF)), "MultiOutputClassifier"),
        (SSLClassifier(make(SCARF), LinearSVC()), "MultiOutputClassifier"),
        (SSLClassifier(make(SCARF), RidgeClassifier()), "MultiOutputClassifier"),
        (SSLRegressor(make(SCARF), SVR()), "MultiOutputRegressor"),
        (SSLRegressor(make(SCARF), make_pipeline(PCA(), SVR())), "MultiOutputRegr"),
        (SSLRegressor(make(SCARF), GridSearchCV(SVR(), {})), "MultiOutputRegressor"),
    ],
)
def test_estimator_of_one_output(model, remedy, wine, no_training):
    X, y, _ = wine
    with pytest.raises(ValueError, match=f"y has 2 outputs.*{remedy}.*fine_tune=True"):
        model.fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize(
    "model",
    [
        SSLClassifier(PCA(3), RidgeClassifier()),  # classes of two outputs alone
        SSLClassifier(PCA(3), KNeighborsClassifier()),
        SSLClassifier(PCA(3), GridSearchCV(KNeighborsClassifier(), {"p": [1]})),
        SSLClassifier(PCA(3), MultiOutputClassifier(LinearSVC())),
        SSLRegressor(PCA(3)),
        SSLRegressor(PCA(3), make_pipeline(PCA(2), Ridge())),
        SSLRegressor(PCA(3), BaggingRegressor(Ridge(), 2)),
        SSLRegressor(PCA(3), MLPRegressor(hidden_layer_sizes=2, tol=1e9)),
    ],
)
def test_estimator_of_several_outputs(model, wine):
    X, y, _ = wine
    both = np.column_stack([y == 0, y == 2]).astype(int)
    assert model.fit(X, both).predict(X).shape == both.shape


def test_search_may_replace_what_is_bad(wine):
    X, y, _ = wine
    search = GridSearchCV(LogisticRegression(C=-1, max_iter=9999), {"C": [1.0]}, cv=2)
    assert SSLClassifier(PCA(3), search).fit(X, y).estimator_.best_params_ == {"C": 1.0}


def test_refit_leaves_nothing_of_the_last_fit(wine):
    X, _, few = wine
    frame = pd.DataFrame(X, columns=[f"column {i}" for i in range(13)])
    model = SSLClassifier(make(SCARF), fine_tune=FineTuning(max_epochs=1))
    model.fit(frame, few)
    assert model.feature_names_in_[0] == "column 0"
    assert len(model.loss_curve_) == 1
    model.set_params(fine_tune=False).fit(X, few)
    assert {name for name in vars(model) if name.endswith("_")} == {
        *("transformer_", "estimator_", "classes_", "n_labeled_", "n_features_in_")
    }


def test_failed_refit_leaves_the_old_model(wine):
    X, _, few = wine
    classifier = SSLClassifier(make(SCARF)).fit(X, few)
    before = classifier.predict_proba(X)
    with pytest.raises(ValueError, match="has a label"):
        classifier.fit(X, np.full(len(few), -1))
    # That fails after pretraining.
    classifier.estimator = make_pipeline(PCA(n_components=500), LogisticRegression())
    with pytest.raises(ValueError, match="n_components=500"):
        classifier.fit(X[:90], few[:90])
    assert_array_equal(classifier.predict_proba(X), before)
