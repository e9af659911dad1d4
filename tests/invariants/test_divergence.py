"""Training that diverges or collapses says so, and keeps the last good weights."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_ssl import (
    SCARF,
    CollapseWarning,
    DenoisingAutoencoder,
    TrainingDivergedError,
)
from tests.helpers import (
    METHODS,
    assert_same_fit,
    become_nan,
    make,
    make_array,
    spoil_loss,
)


def test_divergence_of_a_learning_rate():
    """By honest means: SGD with absurd steps."""
    X = make_array(SCARF)
    estimator = make(SCARF, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(TrainingDivergedError, match="learning_rate") as caught:
        estimator.fit(X)
    assert caught.value.step >= 1
    assert 0 < caught.value.learning_rate <= 1e30
    good = caught.value.last_good
    assert good is None or np.isfinite(good.transform(X)).all()
    assert not hasattr(estimator, "n_iter_")


@pytest.mark.parametrize("cls", METHODS)
def test_divergence_keeps_the_last_good_weights(cls, monkeypatch):
    X = make_array(cls)
    params = {"batch_size": 50, "early_stopping": False}
    good = make(cls, **params, max_epochs=3).fit(X)
    spoil_loss(monkeypatch, cls, become_nan, after=5)  # two steps an epoch
    with pytest.raises(TrainingDivergedError, match=r"nan at step 6 \(epoch 3") as info:
        make(cls, **params, max_epochs=3).fit(X)
    error = info.value
    assert error.step == 6
    assert 0 < error.learning_rate < good.learning_rate_
    assert error.last_good.n_iter_ == len(error.last_good.loss_curve_) == 2
    assert error.last_good.loss_curve_ == good.loss_curve_[:2]
    Z = error.last_good.transform(X)
    assert np.isfinite(Z).all()
    again = pickle.loads(pickle.dumps(error.last_good))
    assert_array_equal(again.transform(X), Z)


@pytest.mark.parametrize("start", ["new", "partial_fit"])
@pytest.mark.parametrize("cls", METHODS)
def test_training_goes_on_from_the_last_good_weights(cls, start, monkeypatch):
    X = make_array(cls)
    estimator = make(cls, max_epochs=4, batch_size=50, early_stopping=False)
    if start == "partial_fit":  # leaves an optimizer, which is not that of the fit
        estimator.partial_fit(X)
    before = dict(vars(estimator))
    with monkeypatch.context() as patch:
        spoil_loss(patch, cls, become_nan, after=5)
        with pytest.raises(TrainingDivergedError) as caught:
            estimator.fit(X)
    good = caught.value.last_good
    Z = good.transform(X)
    again = pickle.loads(pickle.dumps(good)).partial_fit(X)
    good.partial_fit(X)
    assert_same_fit(good, again, X)
    assert np.isfinite(good.transform(X)).all()
    assert not np.array_equal(good.transform(X), Z)
    # It is a copy, whose training does not touch the estimator.
    assert vars(estimator) == before


@pytest.mark.parametrize("cls", METHODS)
def test_divergence_in_the_first_epoch(cls, monkeypatch):
    spoil_loss(monkeypatch, cls, become_nan, after=1)
    with pytest.raises(TrainingDivergedError) as caught:
        make(cls, batch_size=10).fit(make_array(cls))
    assert caught.value.step == 2
    assert caught.value.last_good is None


def test_divergence_crosses_processes():
    X = make_array(DenoisingAutoencoder)
    estimator = make(DenoisingAutoencoder, max_epochs=9, optimizer="sgd")
    estimator.set_params(learning_rate=100.0)
    with pytest.raises(TrainingDivergedError) as here:
        estimator.fit(X)
    with pytest.raises(TrainingDivergedError) as there:
        joblib.Parallel(n_jobs=2, backend="loky")(
            joblib.delayed(estimator.fit)(X) for _ in range(2)
        )
    here, there = here.value, there.value
    assert str(here) == str(there)
    assert (here.step, here.learning_rate) == (there.step, there.learning_rate)
    Z = here.last_good.transform(X)
    assert np.isfinite(Z).all()
    assert_array_equal(there.last_good.transform(X), Z)


@pytest.mark.parametrize("cls", METHODS)
def test_divergence_in_the_very_last_step(cls):
    """No loss comes after it, yet the weights are useless."""
    sgd = {"optimizer": "sgd", "learning_rate": 1e30}
    # One layer alone would only die.
    estimator = make(cls, max_epochs=1, encoder="auto", **sgd)
    with pytest.raises(TrainingDivergedError, match="learning_rate"):
        estimator.fit(make_array(cls))


@pytest.mark.parametrize("cls", METHODS)
def test_equal_rows_warn_of_collapse(cls):
    X = np.repeat(make_array(cls)[:1], 50, axis=0)
    with pytest.warns(CollapseWarning, match=cls.__name__) as caught:
        estimator = make(cls).fit(X)
    assert caught[0].filename == __file__
    assert np.isfinite(estimator.transform(X)).all()
    with pytest.warns(CollapseWarning) as caught:
        make(cls).partial_fit(X)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("cls", METHODS)
def test_real_rows_do_not_warn_of_collapse(cls):
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        estimator = make(cls, max_epochs=10).fit(make_array(cls))
    assert min(estimator.embedding_std_curve_) > 0.05
