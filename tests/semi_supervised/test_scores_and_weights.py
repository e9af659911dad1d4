"""Scores and weights of SSLClassifier and SSLRegressor without fine-tuning."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ssl import SCARF, FineTuning, SSLClassifier, SSLRegressor
from tests.helpers import make
from tests.semi_supervised.helpers import features

# Scores -------------------------------------------------------------------------------


def test_score_leaves_out_rows_without_label(wine):
    X, y, few = wine
    classifier = SSLClassifier(make(SCARF)).fit(X, few)
    labeled = few != -1
    assert classifier.score(X, few) == classifier.score(X[labeled], y[labeled])
    weight = np.arange(len(y)) * 1.0
    assert classifier.score(X, few, weight) == pytest.approx(
        np.average(classifier.predict(X) == y, weights=weight * labeled)
    )
    # What a mark is does not depend on the rows at hand.
    rows = np.flatnonzero((few == 1) | ~labeled)
    assert classifier.score(X[rows], few[rows]) == classifier.score(
        X[few == 1], y[few == 1]
    )
    with pytest.raises(ValueError, match="None of the 89 rows has a label"):
        classifier.score(X[~labeled], few[~labeled])


def test_cross_validation_does_not_score_rows_without_label(wine):
    X, _, few = wine
    scores = cross_validate(SSLClassifier(make(SCARF)), X, few, cv=3)["test_score"]
    assert scores.min() > 0.8


@pytest.mark.parametrize("fine_tune", [False, FineTuning(max_epochs=1)])
def test_score_of_several_outputs(fine_tune, wine):
    """A row counts if all its outputs are right, as in MultiOutputClassifier."""
    X, y, few = wine
    both = np.column_stack([few, np.where(few == -1, -1, y[::-1])])
    logistic = MultiOutputClassifier(LogisticRegression(max_iter=1000))
    model = SSLClassifier(make(SCARF), logistic, fine_tune).fit(X, both)
    labeled = few != -1
    Z = features(model.transformer_, X[labeled])
    expected = model.estimator_.score(Z, both[labeled])
    assert 0.1 < expected < 0.9
    assert model.score(X, both) == model.score(X[labeled], both[labeled]) == expected
    right = (model.predict(X) == both).all(axis=1)
    weight = np.random.default_rng(0).uniform(size=len(y))
    assert model.score(X, both, weight) == pytest.approx(
        np.average(right, weights=weight * labeled)
    )


def test_rows_of_the_class_of_minus_one_alone_are_scored(wine):
    X, y, _ = wine
    y = np.where(y == 0, -1, 1)
    with pytest.warns(UserWarning, match="both are taken for classes"):
        classifier = SSLClassifier(make(SCARF)).fit(X, y)
    rows = y == -1
    expected = np.mean(classifier.predict(X[rows]) == -1)
    assert classifier.score(X[rows], y[rows]) == expected


@pytest.mark.parametrize("cls", [SSLClassifier, SSLRegressor])
@pytest.mark.parametrize("fine_tune", [False, FineTuning(max_epochs=1)])
def test_column_of_labels(fine_tune, cls, wine):
    """One column is one output, plain and fine-tuned, as in scikit-learn."""
    X, y, few = wine
    few = np.where(few == -1, -1 if cls is SSLClassifier else np.nan, few)
    model = cls(make(SCARF), fine_tune=fine_tune)
    expected = model.fit(X, few).predict(X)
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        model.fit(X, few[:, None])
    assert_array_equal(model.predict(X), expected)
    assert model.score(X, y[:, None]) == model.score(X, y)


def test_column_of_labels_where_outputs_are_columns(wine):
    X, y, few = wine
    logistic = MultiOutputClassifier(LogisticRegression(max_iter=1000))
    model = SSLClassifier(make(SCARF), logistic).fit(X, few[:, None])
    assert model.predict(X).shape == (178, 1)
    assert model.score(X, y[:, None]) > 0.8


# Weights ------------------------------------------------------------------------------


def test_sample_weight(wine):
    X, _, few = wine
    weight = np.random.default_rng(0).uniform(size=len(few))
    classifier = SSLClassifier(make(SCARF)).fit(X, few, sample_weight=weight)
    Z = features(make(SCARF).fit(X), X)  # pretraining weighs all rows alike
    labeled = few != -1
    expected = LogisticRegression(max_iter=1000).fit(
        Z[labeled], few[labeled], weight[labeled]
    )
    assert_array_equal(classifier.estimator_.coef_, expected.coef_)


def test_estimator_without_weights(wine, no_training):
    X, _, few = wine
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    for estimator in KNeighborsClassifier(), pipeline:
        with pytest.raises(TypeError, match="takes no sample_weight") as error:
            SSLClassifier(make(SCARF), estimator).fit(X, few, sample_weight=few + 2)
        assert "make_pipeline(transformer, *steps)" in str(error.value)


def test_weights_where_steps_are_behind_the_transformer(wine):
    """The remedy that the error names."""
    X, _, few = wine
    transformer = make_pipeline(make(SCARF), StandardScaler())
    model = SSLClassifier(transformer).fit(X, few, sample_weight=(few != 2) * 1.0)
    assert 2 not in model.predict(X)


def test_routed_weights(wine, routing):
    X, y, _ = wine
    weight = np.where(y == 2, 0, 1)
    model = SSLClassifier(make(SCARF)).set_fit_request(sample_weight=True)
    model.set_score_request(sample_weight=False)
    found = cross_validate(
        model, X, y, params={"sample_weight": weight}, cv=2, return_estimator=True
    )
    for estimator in found["estimator"]:
        assert 2 not in estimator.predict(X)
