"""What fine-tuning refuses, and what is left when it fails."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from sklearn_ssl import (
    SCARF,
    SSLClassifier,
    SSLRegressor,
    TrainingDivergedError,
)
from tests.helpers import make
from tests.semi_supervised.helpers import tuned

# Errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"max_epochs": -1}, "fine_tune: max_epochs must be an int"),
        ({"learning_rate": -1.0}, "fine_tune: learning_rate must be"),
        ({"encoder_factor": "full"}, "fine_tune: encoder_factor must be"),
        ({"weight_decay": None}, "fine_tune: weight_decay must be"),
        ({"batch_size": 1}, "fine_tune: batch_size must be"),
        ({"augment": "yes"}, "fine_tune: augment must be one of"),
        ({"early_stopping": None}, "fine_tune: early_stopping must be one of"),
        ({"validation_fraction": 1.0}, "fine_tune: validation_fraction must be"),
        ({"n_iter_no_change": 0}, "fine_tune: n_iter_no_change must be"),
    ],
)
def test_bad_settings(settings, message, wine, monkeypatch):
    X, _, few = wine
    monkeypatch.setattr(SCARF, "fit", lambda *args, **kwargs: pytest.fail("trained"))
    with pytest.raises(ValueError, match=message):
        tuned(make(SCARF), X, few, **settings)


def test_bad_fine_tune(wine, scarf, diabetes, monkeypatch):
    X, _, few = wine
    monkeypatch.setattr(SCARF, "fit", lambda *args, **kwargs: pytest.fail("trained"))
    with pytest.raises(TypeError, match="must be a bool or FineTuning, got 'yes'"):
        SSLClassifier(scarf, fine_tune="yes").fit(X, few)
    for other in PCA(), make_pipeline(PCA(), make(SCARF)):
        with pytest.raises(TypeError, match="needs a method of this package"):
            SSLClassifier(other, fine_tune=True).fit(X, few)
    with pytest.raises(ValueError, match="zero"):
        tuned(make(SCARF), X, few, sample_weight=np.zeros(len(X)))
    with pytest.raises(ValueError, match="egative"):
        tuned(make(SCARF), X, few, sample_weight=-np.ones(len(X)))
    X, y, _ = diabetes
    y = np.where(np.arange(len(y)) == 0, y, np.nan)
    with pytest.raises(ValueError, match="needs two rows with a target, got 1 sample"):
        tuned(make(SCARF), X, y, SSLRegressor)


@pytest.mark.parametrize("flag", [False, True])
def test_numpy_bool(flag, wine, scarf):
    X, _, few = wine
    expected = SSLClassifier(scarf, fine_tune=flag).fit(X, few)
    model = SSLClassifier(scarf, fine_tune=np.bool_(flag)).fit(X, few)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert hasattr(model, "loss_curve_") == flag


@pytest.mark.parametrize(
    "estimator, y, settings",
    [
        (SSLClassifier, [0, 1, 0], {}),  # 0.1 of three rows is none
        (SSLClassifier, [0, 1, 2], {"validation_fraction": 0.9}),  # one of each class
        (SSLRegressor, [0, 1, 3], {}),
    ],
)
def test_early_stopping_without_a_row_to_hold_out(estimator, y, settings, monkeypatch):
    monkeypatch.setattr(SCARF, "fit", lambda *args, **kwargs: pytest.fail("trained"))
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = np.r_[y, np.full(17, np.nan)]
    with pytest.raises(ValueError, match="holds out none of 3 labelled rows"):
        tuned(make(SCARF), X, y, estimator, early_stopping=True, **settings)


def test_divergence_leaves_the_old_model(wine, scarf):
    X, _, few = wine
    model = tuned(scarf, X, few)
    before = model.predict_proba(X)
    model.set_params(fine_tune__learning_rate=1e38)
    with pytest.raises(TrainingDivergedError, match="Lower its learning_rate"):
        model.fit(X, few)
    assert_array_equal(model.predict_proba(X), before)
