"""Fine-tuning through the estimators."""

import pickle
import pickletools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from sklearn_ssl import (
    SCARF,
    FineTuning,
    SimCLR,
    SSLClassifier,
    SSLRegressor,
)
from sklearn_ssl.encoders import MLP, ConvNet
from sklearn_ssl.engine.fine_tuning import _STREAMS, FineTuner
from sklearn_ssl.engine.random import ORDER, make_generator
from sklearn_ssl.views import ImageViews
from tests.helpers import CASES, assert_same_fit, fitted, make, make_data, run_python
from tests.semi_supervised.helpers import tuned


def encoder_of(transformer):
    """Weights of the encoder that training moves."""
    while isinstance(transformer, FrozenEstimator):
        transformer = transformer.estimator
    task = transformer._network.task
    return {name: p.detach().numpy().copy() for name, p in task.named_parameters()}


def change(after, before):
    """The largest change of a weight."""
    after, before = encoder_of(after), encoder_of(before)
    return max(abs(after[name] - before[name]).max() for name in before)


# Every method -------------------------------------------------------------------------


@pytest.mark.parametrize("cls, modality", CASES)
def test_every_method_and_modality(cls, modality):
    X = make_data(modality)
    frozen = FrozenEstimator(fitted(cls, modality))
    before = encoder_of(frozen)
    model = tuned(frozen, X, np.arange(len(X)) % 3 - 1, max_epochs=1)
    # What the embedding is made of has learned, in a copy.
    assert change(model.transformer_, frozen) > 0
    assert all(np.array_equal(before[k], v) for k, v in encoder_of(frozen).items())
    Z = model.transformer_.transform(X)
    assert not np.array_equal(Z, frozen.transform(X))
    proba = model.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1)
    assert_array_equal(proba, model.estimator_.predict_proba(Z.astype(np.float64)))
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict_proba(X), proba)


# What it learns -----------------------------------------------------------------------


def test_learns_what_frozen_features_lack():
    """Classes by the product of two columns, which no linear head sees."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(600, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    X_test = rng.uniform(-1, 1, size=(500, 2))
    y_test = (X_test[:, 0] * X_test[:, 1] > 0).astype(int)
    scarf = FrozenEstimator(make(SCARF, encoder=MLP(hidden=(32, 32))).fit(X))
    frozen = SSLClassifier(scarf).fit(X, y).score(X_test, y_test)
    model = tuned(scarf, X, y, max_epochs=30, learning_rate=0.02)
    assert model.score(X_test, y_test) > max(frozen + 0.02, 0.95)
    assert model.loss_curve_[-1] < model.loss_curve_[0] / 2
    target = X[:, 0] * X[:, 1]
    frozen = SSLRegressor(scarf).fit(X, target)
    model = tuned(scarf, X, target, SSLRegressor, max_epochs=30, learning_rate=0.02)
    test = X_test, X_test[:, 0] * X_test[:, 1]
    assert 1 - model.score(*test) < (1 - frozen.score(*test)) / 2


def test_supervised_from_scratch():
    """An untrained encoder learns at the full rate, from calibrated statistics."""
    digits = load_digits()
    X, y = digits.images[:300].astype(np.float32), digits.target[:300]
    y = np.where(np.arange(300) < 150, y, -1)
    untrained = make(
        SimCLR, modality="image", max_epochs=0, encoder=ConvNet(channels=(8, 16))
    )
    frozen = SSLClassifier(untrained).fit(X, y)
    model = tuned(untrained, X, y, max_epochs=20)
    test = X[150:], digits.target[150:300]
    assert model.score(*test) > frozen.score(*test) + 0.1
    # Uncalibrated, the loss would begin far above that of guessing.
    assert model.loss_curve_[0] < 2 * np.log(10)


def test_without_epochs_it_is_the_probe(wine, scarf):
    X, _, few = wine
    frozen = SSLClassifier(scarf).fit(X, few)
    model = tuned(scarf, X, few, max_epochs=0)
    assert_allclose(model.predict_proba(X), frozen.predict_proba(X), atol=5e-3)
    assert model.loss_curve_ == []
    assert change(model.transformer_, scarf) == 0


def test_encoder_learns_at_a_lower_rate(wine, scarf):
    X, _, few = wine
    start = tuned(scarf, X, few, max_epochs=0).estimator_.coef_

    def changes(**settings):
        model = tuned(scarf, X, few, batch_size=178, weight_decay=0, **settings)
        head = abs(model.estimator_.coef_ - start).max()
        return head, change(model.transformer_, scarf)

    # AdamW moves each weight by about its rate at each step.
    head, encoder = changes(learning_rate=1e-3)
    assert encoder == pytest.approx(head / 10, rel=0.3)
    assert changes(learning_rate=1e-3, encoder_factor=0)[1] == 0
    assert changes(learning_rate=1e-2)[0] == pytest.approx(10 * head, rel=0.3)


def test_settings_by_the_number_of_rows(monkeypatch, wine, scarf):
    found = {}
    run = FineTuner.run

    def note(self):
        found.update(vars(self))
        self.max_epochs = 0
        return run(self)

    monkeypatch.setattr(FineTuner, "run", note)
    X, _, few = wine
    SSLClassifier(scarf, fine_tune=True).fit(X, few)
    assert found["max_epochs"] == 50
    assert (found["learning_rate"], found["encoder_rate"]) == (1e-3, 1e-4)
    assert found["fraction"] == 0.0 and found["augment"] is False
    X, few = np.tile(X, (20, 1)), np.tile(few, 20)
    SSLClassifier(scarf, fine_tune=True).fit(X, few)
    assert found["max_epochs"] == 20_000 // 1780
    assert found["fraction"] == 0.1
    images = load_digits().images[:60]
    untrained = make(SimCLR, modality="image", max_epochs=0, encoder=ConvNet())
    tuned(untrained, images, np.arange(60) % 2, max_epochs="auto", batch_size=60)
    assert (found["learning_rate"], found["encoder_rate"]) == (5e-3, 5e-3)
    assert found["max_epochs"] == 200 and found["augment"] is True


def test_images_beside_their_views_are_not_held_out(monkeypatch, wine, scarf):
    """Few epochs from scratch told nothing, and training ended after them."""
    found = []
    run = FineTuner.run
    monkeypatch.setattr(FineTuner, "run", lambda self: found.append(self) or run(self))
    images, y = load_digits(return_X_y=True)
    images, y = images[:250].reshape(-1, 8, 8), y[:250]
    encoder = ConvNet(channels=(4, 8))
    untrained = make(SimCLR, modality="image", max_epochs=0, encoder=encoder)
    for settings in {}, {"augment": False}, {"early_stopping": True}:
        tuned(untrained, images, y, max_epochs=1, **settings)
    tuned(FrozenEstimator(untrained.fit(images)), images, y, max_epochs=1)
    # Views of a table do not keep the label: there, rows can be learned by heart.
    X, y = np.tile(wine[0], (2, 1)), np.tile(wine[1], 2)
    tuned(scarf, X, y, max_epochs=1, augment=True)
    assert [tuner.fraction for tuner in found] == [0.0, 0.1, 0.1, 0.0, 0.1]


# Early stopping -----------------------------------------------------------------------


def test_early_stopping_keeps_the_best_weights(wine, scarf, monkeypatch):
    X, y, _ = wine
    found = []
    run = FineTuner.run
    monkeypatch.setattr(FineTuner, "run", lambda self: found.append(self) or run(self))
    model = tuned(
        *(scarf, X, y),
        early_stopping=True,
        max_epochs=50,
        learning_rate=0.3,
        n_iter_no_change=2,
    )
    curve = model.validation_loss_curve_
    assert len(curve) == len(model.loss_curve_) + 1 < 51
    best = int(np.argmin(curve))
    assert best == len(curve) - 3
    tuner = found[0]
    order = make_generator(tuner.seed, _STREAMS + ORDER)
    _, held_out = tuner.labels.hold_out(0.1, order)
    proba = model.predict_proba(X[held_out])
    loss = -np.log(proba[np.arange(18), y[held_out]]).mean()
    assert loss == pytest.approx(curve[best], rel=1e-3)


def test_training_that_only_harms_returns_to_the_probe(wine, scarf):
    X, y, _ = wine
    settings = dict(early_stopping=True, n_iter_no_change=2)
    model = tuned(scarf, X, y, learning_rate=50.0, **settings)
    probe = tuned(scarf, X, y, max_epochs=0, **settings)
    assert np.argmin(model.validation_loss_curve_) == 0
    assert_array_equal(model.predict_proba(X), probe.predict_proba(X))


# Views and weights --------------------------------------------------------------------


def test_images_are_shown_beside_their_views(monkeypatch):
    images = load_digits().images[:40].astype(np.float32)
    sizes = []
    call = ImageViews.__call__

    def counted(self, batch, source, generator):
        sizes.append(len(batch["pixels"]))
        return call(self, batch, source, generator)

    simclr = FrozenEstimator(
        make(SimCLR, modality="image", encoder=ConvNet(channels=(8, 16))).fit(images)
    )
    monkeypatch.setattr(ImageViews, "__call__", counted)
    y = np.arange(40) % 2
    tuned(simclr, images, y, max_epochs=2)
    assert sizes == [40, 40]
    tuned(simclr, images, y, augment=False)
    assert len(sizes) == 2


def test_corrupted_rows_are_no_views(wine, scarf):
    """A row with another row's cells may belong to another class."""
    X, _, few = wine
    plain = tuned(scarf, X, few, augment=False)
    assert_array_equal(tuned(scarf, X, few).predict(X), plain.predict(X))
    augmented = tuned(scarf, X, few, augment=True)
    assert not np.array_equal(augmented.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("max_epochs", [0, 3])
def test_weights(max_epochs, wine, scarf):
    X, y, _ = wine
    settings = {"max_epochs": max_epochs, "batch_size": 200}
    weight = np.where(y == 2, 0.0, 3.0)
    model = tuned(scarf, X, y, sample_weight=weight, **settings)
    assert (model.predict_proba(X)[:, 2] < 0.4).all()
    # A constant factor does not matter, nor how the weights come.
    same = tuned(scarf, X, y, sample_weight=weight * 4, **settings)
    assert_array_equal(same.predict_proba(X), model.predict_proba(X))
    classes = {0: 3.0, 1: 3.0, 2: 0.0}
    same = tuned(scarf, X, y, class_weight=classes, **settings)
    assert_array_equal(same.predict_proba(X), model.predict_proba(X))
    balanced = tuned(scarf, X, y, class_weight="balanced", **settings)
    by_hand = (len(y) / 3 / np.bincount(y))[y]
    by_hand = tuned(scarf, X, y, sample_weight=by_hand, **settings)
    assert_allclose(balanced.predict_proba(X), by_hand.predict_proba(X), atol=1e-5)


# Outputs ------------------------------------------------------------------------------


def test_two_classes(wine, scarf):
    X, y, _ = wine
    model = tuned(scarf, X, np.where(y == 0, "a", "b"))
    decision, proba = model.decision_function(X), model.predict_proba(X)
    assert_allclose(1 / (1 + np.exp(-decision)), proba[:, 1])
    assert_array_equal(model.predict(X), model.classes_[(decision > 0).astype(int)])
    n_columns = 13 + 2  # two are scaled by quantiles, and come standardized too
    assert model.estimator_.coef_.shape == (1, 32 + n_columns)


def test_several_classifications(wine, scarf):
    X, y, few = wine
    both = np.column_stack([few, np.where(few == -1, -1, y == 2)])
    model = tuned(scarf, X, both)
    assert [classes.tolist() for classes in model.classes_] == [[0, 1, 2], [0, 1]]
    assert [proba.shape for proba in model.predict_proba(X)] == [(178, 3), (178, 2)]
    assert model.predict(X).shape == both.shape
    assert (model.predict(X) == np.column_stack([y, y == 2])).mean() > 0.9
    assert not hasattr(model, "decision_function")


@pytest.mark.parametrize("scale, shift", [(1.0, 0.0), (1e4, 5e6)])
def test_targets_of_any_scale(scale, shift, diabetes):
    X, _, few = diabetes
    scarf = FrozenEstimator(make(SCARF).fit(X))
    expected = tuned(scarf, X, few, SSLRegressor).predict(X)
    model = tuned(scarf, X, few * scale + shift, SSLRegressor)
    assert_allclose((model.predict(X) - shift) / scale, expected, rtol=1e-4)
    both = tuned(scarf, X, np.column_stack([few, 3 * few]), SSLRegressor).predict(X)
    assert both.shape == (200, 2)
    assert_allclose(both[:, 1], 3 * both[:, 0], rtol=0.05)


# Invariants ---------------------------------------------------------------------------


def test_repeatable_and_apart_from_global_state(wine, torch_threads):
    X, _, few = wine
    torch_threads(2)
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    encoder = MLP(hidden=(16,), dropout=0.2)
    models = []
    for _ in range(2):
        models.append(tuned(make(SCARF, encoder=encoder), X, few, augment=True))
        torch.rand(3)
        np.random.random(3)
    torch.set_rng_state(state[0])
    assert_array_equal(models[0].predict_proba(X), models[1].predict_proba(X))
    assert models[0].loss_curve_ == models[1].loss_curve_
    assert_same_fit(models[0].transformer_, models[1].transformer_, X)
    assert torch.get_num_threads() == 2
    other = make(SCARF, encoder=encoder, random_state=1)
    assert tuned(other, X, few).loss_curve_ != models[0].loss_curve_


def test_global_generators_are_left_alone(wine, scarf):
    X, _, few = wine
    before = torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()
    tuned(scarf, X, few, augment=True, early_stopping=True)
    after = torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()
    assert after == before


def test_pickle_holds_no_torch(wine, scarf, tmp_path):
    X, _, few = wine
    model = tuned(scarf, X, few)
    data = pickle.dumps(model)
    strings = {arg for op, arg, _ in pickletools.genops(data) if isinstance(arg, str)}
    assert not any(s.split(".")[0] == "torch" for s in strings)
    (tmp_path / "model").write_bytes(data)
    np.save(tmp_path / "X.npy", X[:3])
    proba = run_python(
        "import pickle, numpy as np, torch; torch.set_num_threads(1);"
        "from pathlib import Path;"
        f"model = pickle.loads(Path(r'{tmp_path / 'model'}').read_bytes());"
        f"print(model.predict_proba(np.load(r'{tmp_path / 'X.npy'}')).tobytes().hex())"
    )
    assert bytes.fromhex(proba) == model.predict_proba(X[:3]).tobytes()


def test_settings_in_a_search(wine, scarf):
    X, _, few = wine
    grid = {"fine_tune": [False, FineTuning(max_epochs=1)]}
    assert GridSearchCV(SSLClassifier(scarf), grid, cv=2).fit(X, few).best_score_ > 0.8
    model = SSLClassifier(scarf, fine_tune=FineTuning())
    grid = {"fine_tune__max_epochs": [1, 2]}
    search = GridSearchCV(model, grid, cv=2).fit(X, few)
    n_epochs = search.best_params_["fine_tune__max_epochs"]
    assert len(search.best_estimator_.loss_curve_) == n_epochs
    longer = GridSearchCV(model, {"fine_tune__max_epochs": [3]}, cv=2).fit(X, few)
    assert len(longer.best_estimator_.loss_curve_) == 3


def test_whether_gradients_are_off_outside_makes_no_difference(wine):
    X, _, few = wine
    expected = tuned(make(SCARF), X, few).predict_proba(X)
    with torch.no_grad():
        model = tuned(make(SCARF), X, few)
    assert_array_equal(model.predict_proba(X), expected)
