"""What fine-tuning makes of a random state, of threads, and of weights."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import r2_score

from sklearn_ssl import FineTuning, SSLClassifier, SSLRegressor
from sklearn_ssl.engine.fine_tuning import FineTuner
from tests.semi_supervised.helpers import tuned


def curve(scarf, X, y, seed, **settings):
    settings = FineTuning(early_stopping=False, **settings)
    model = SSLClassifier(scarf, fine_tune=settings, random_state=seed)
    return model.fit(X, y).loss_curve_


def test_random_state_orders_the_rows_of_what_is_frozen(wine, scarf):
    X, y, _ = wine
    first, again, other = (curve(scarf, X, y, s, max_epochs=2) for s in (0, 0, 1))
    assert first == again != other


def test_random_state_draws_the_views(wine, scarf):
    """In one batch of all rows: their order is no matter, but for rounding."""
    X, y, _ = wine
    how = {"max_epochs": 1, "batch_size": 200}
    plain = [curve(scarf, X, y, seed, **how) for seed in (0, 1)]
    assert_allclose(*plain, rtol=1e-5)
    how["augment"] = True
    first, again, other = (curve(scarf, X, y, seed, **how) for seed in (0, 0, 1))
    assert first == again
    assert abs(first[0] - other[0]) > 1e-3 * first[0]


def test_fine_tuning_has_the_threads_of_the_transformer(
    wine, scarf, torch_threads, monkeypatch
):
    X, y, _ = wine
    torch_threads(2)
    used = []
    run = FineTuner.run

    def spy(tuner):
        used.append(torch.get_num_threads())
        return run(tuner)

    monkeypatch.setattr(FineTuner, "run", spy)
    assert scarf.estimator.n_threads == 1
    tuned(scarf, X, y)
    assert used == [1] and torch.get_num_threads() == 2


def test_weights_of_rows_and_of_classes_multiply(wine, scarf):
    X, y, _ = wine
    of_rows = np.random.default_rng(0).uniform(size=len(y))
    classes = {0: 3.0, 1: 1.0, 2: 0.5}
    both = tuned(scarf, X, y, sample_weight=of_rows, class_weight=classes)
    by_hand = of_rows * np.array([3.0, 1.0, 0.5])[y]
    expected = tuned(scarf, X, y, sample_weight=by_hand)
    assert_allclose(both.loss_curve_, expected.loss_curve_, rtol=1e-5)


def test_targets_are_scaled_by_their_weighted_mean_and_spread(wine, scarf):
    """At a rate of 0 the loss is half the share of variance that the head leaves."""
    X, _, _ = wine
    y, weight = X[:, 0] ** 4, np.exp(X[:, 0])
    still = {"learning_rate": 0.0, "max_epochs": 1, "batch_size": 200}
    still["early_stopping"] = False
    model = tuned(scarf, X, y, SSLRegressor, sample_weight=weight, **still)
    r2 = r2_score(y, model.predict(X), sample_weight=weight)
    assert model.loss_curve_ == [pytest.approx((1 - r2) / 2, rel=1e-3)]
