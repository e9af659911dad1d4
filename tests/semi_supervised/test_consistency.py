"""Fine-tuning towards outputs that do not depend on the view."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

from sklearn_ssl import (
    SCARF,
    VIME,
    Autoencoder,
    FineTuning,
    SimCLR,
    SSLClassifier,
    SSLRegressor,
)
from sklearn_ssl.encoders import MLP, ConvNet
from sklearn_ssl.engine import fine_tuning
from sklearn_ssl.engine.fine_tuning import FineTuner
from sklearn_ssl.views import Corruption, Identity
from tests.helpers import CASES, assert_same_fit, fitted, make, make_data
from tests.semi_supervised.helpers import features, tuned


@pytest.fixture
def tuners(monkeypatch):
    """All that ran."""
    found = []
    run = FineTuner.run
    monkeypatch.setattr(FineTuner, "run", lambda self: found.append(self) or run(self))
    return found


@pytest.fixture
def compared(monkeypatch):
    """The outputs whose variance over views was taken."""
    found = []
    variance = fine_tuning.variance_over_views

    def noting(outputs):
        found.append(outputs.detach().double().numpy())
        return variance(outputs)

    monkeypatch.setattr(fine_tuning, "variance_over_views", noting)
    return found


@pytest.fixture
def views(scarf, monkeypatch):
    """What the transformer makes of each view drawn, and from how many rows it was."""
    found = []
    draw = Corruption.__call__

    def noting(self, batch, source, generator):
        view = draw(self, batch, source, generator)
        arrays = {name: tensor.numpy() for name, tensor in view.items()}
        Z = scarf.estimator._network.encode(arrays).astype(np.float64)
        found.append((Z, len(source["numbers"])))
        return view

    monkeypatch.setattr(Corruption, "__call__", noting)
    return found


def variance(outputs):
    """Over the first axis, mean over the others."""
    return ((outputs - outputs.mean(axis=0)) ** 2).mean()


def images(n=40):
    return load_digits().images[:n].astype(np.float32)


# The term -----------------------------------------------------------------------------


@pytest.mark.parametrize("consistency", [0.5, 3.0])
def test_it_is_added_to_the_loss_of_the_labels(consistency, wine, scarf, compared):
    X, _, few = wine
    settings = {"batch_size": 200, "max_epochs": 1}
    plain = tuned(scarf, X, few, **settings)
    assert not compared
    model = tuned(scarf, X, few, consistency=consistency, n_views=4, **settings)
    (outputs,) = compared
    assert outputs.shape == (4, len(X), 3)  # all rows, the logits of three classes
    expected = plain.loss_curve_[0] + consistency * variance(outputs)
    assert_allclose(model.loss_curve_[0], expected, rtol=1e-5)


def test_outputs_are_those_of_the_views(wine, scarf, compared, views):
    """Which the transformer draws, of a batch of rows."""
    X, _, few = wine
    probe = tuned(scarf, X, few, max_epochs=0)
    tuned(scarf, X, few, consistency=1.0, max_epochs=1, batch_size=178)
    assert [n_source for _, n_source in views] == [178] * 3  # cells of all rows, too
    outputs = [Z @ probe.estimator_.coef_.T for Z, _ in views]
    expected = np.stack(outputs) + probe.estimator_.intercept_
    assert_allclose(compared[0], expected, atol=1e-4)


def test_gradient_of_the_head(wine, scarf, tuners, compared, views):
    """What it adds is d/dW of mean_ij mean_k (W z_ki - mean_k W z_ki)_j**2."""
    X, _, few = wine
    settings = {"batch_size": 200, "max_epochs": 1, "encoder_factor": 0.0}
    for consistency in (0.0, 2.0):
        tuned(scarf, X, few, consistency=consistency, **settings)
    without, found = (tuner.head.weight.grad.double().numpy() for tuner in tuners)
    Z, (outputs,) = np.stack([Z for Z, _ in views]), compared
    spread = outputs - outputs.mean(axis=0)
    expected = np.einsum("kij,kid->jd", spread, Z - Z.mean(axis=0)) / spread.size
    assert_allclose(found - without, 2.0 * 2 * expected, atol=1e-6)


def test_outputs_come_to_depend_less_on_the_view(wine, scarf, compared):
    X, _, few = wine
    settings = {"max_epochs": 60, "learning_rate": 0.01}
    found = {}
    for consistency in (1e-30, 1.0):
        tuned(scarf, X, few, consistency=consistency, **settings)
        found[consistency] = np.mean([variance(outputs) for outputs in compared[-20:]])
    assert found[1.0] < found[1e-30] / 3


def test_of_a_regressor(diabetes, compared):
    X, _, few = diabetes
    vime = FrozenEstimator(make(VIME).fit(X))
    how = {"estimator": SSLRegressor, "batch_size": 200, "max_epochs": 1}
    plain = tuned(vime, X, few, **how)
    model = tuned(vime, X, few, consistency=2.0, **how)
    (outputs,) = compared
    assert outputs.shape == (3, len(X), 1)
    expected = plain.loss_curve_[0] + 2.0 * variance(outputs)
    assert_allclose(model.loss_curve_[0], expected, rtol=1e-5)
    both = tuned(vime, X, np.column_stack([few, few**2]), consistency=1.0, **how)
    assert both.predict(X).shape == (len(X), 2)


@pytest.mark.parametrize("cls, modality", CASES)
def test_every_method_with_views(cls, modality):
    X, y = make_data(modality), np.arange(200) % 3 - 1
    frozen = FrozenEstimator(fitted(cls, modality))
    if isinstance(frozen.views_, Identity):
        with pytest.raises(ValueError, match=f"those of {cls.__name__} leave each row"):
            tuned(frozen, X, y, consistency=1.0)
        return
    plain, model = (tuned(frozen, X, y, consistency=c, max_epochs=1) for c in (0, 1))
    assert np.isfinite(model.loss_curve_).all()
    assert not np.array_equal(model.predict_proba(X), plain.predict_proba(X))


# The rows -----------------------------------------------------------------------------


def test_rows_without_labels_matter(wine, scarf):
    X, _, few = wine
    changed = np.where(few[:, None] == -1, X[::-1], X)
    # batch_size: one step an epoch sees all of them.
    settings = {"batch_size": 200}
    plain = tuned(scarf, X, few, **settings).predict_proba(X)
    found = tuned(scarf, changed, few, **settings).predict_proba(X)
    assert_array_equal(found, plain)
    settings["consistency"] = 1.0
    model = tuned(scarf, X, few, **settings).predict_proba(X)
    found = tuned(scarf, changed, few, **settings).predict_proba(X)
    assert abs(found - model).max() > 1e-5


def test_rows_without_labels_may_come_apart(wine, scarf):
    X, _, few = wine
    order = np.argsort(few == -1, kind="stable")
    X, few = X[order], few[order]
    known = few != -1
    model = SSLClassifier(scarf, fine_tune=FineTuning(consistency=1.0, max_epochs=2))
    together = model.fit(X, few).predict_proba(X)
    with pytest.raises(ValueError, match="as many as X"):
        model.fit(X[known], few[known], X_unlabeled=X[~known])
    n = known.sum() + 5
    apart = model.fit(X[:n], few[:n], X_unlabeled=X[n:])
    assert_array_equal(apart.predict_proba(X), together)
    fewer = model.fit(X[:n], few[:n])
    assert not np.array_equal(fewer.predict_proba(X), together)


def test_every_row_is_shown_in_turn(wine, scarf, monkeypatch):
    X, _, few = wine
    seen = []
    inconsistency = FineTuner._inconsistency

    def noting(self, batch):
        seen.append(batch["numbers"].numpy())
        return inconsistency(self, batch)

    monkeypatch.setattr(FineTuner, "_inconsistency", noting)
    tuned(scarf, X, few, consistency=1.0, batch_size=60, max_epochs=3)
    assert len(seen) == 3 * 2  # as many steps as the labelled rows make
    for passed in seen[:3], seen[3:]:
        assert len(np.unique(np.vstack(passed), axis=0)) == len(X)
    assert not np.array_equal(seen[0], seen[3])


def test_other_rows_are_read_only_where_they_matter(wine, scarf, tuners):
    X, _, few = wine
    tuned(scarf, X, few)
    tuned(scarf, X, few, consistency=0.1)
    assert tuners[0].all_arrays is None
    assert len(tuners[1].all_arrays["numbers"]) == len(X)


# What it leaves alone -----------------------------------------------------------------


@pytest.mark.parametrize("max_epochs", [0, 1])
@pytest.mark.parametrize("consistency", [0.0, 1.0])
def test_a_frozen_encoder_stays_as_it_is(max_epochs, consistency):
    """Statistics of batch normalization too, whether it was pretrained or not."""
    encoder = ConvNet(channels=(8, 16))
    simclr = make(SimCLR, modality="image", max_epochs=max_epochs, encoder=encoder)
    frozen = FrozenEstimator(simclr.fit(images()))
    before = {k: v.copy() for k, v in frozen._network.state().items()}
    assert any("running_mean" in name for name in before)
    y = np.arange(40) % 3 - 1
    settings = {"learning_rate": 0.1, "weight_decay": 0.5, "consistency": consistency}
    model = tuned(frozen, images(), y, encoder_factor=0.0, **settings)
    for name, value in model.transformer_._network.state().items():
        assert_array_equal(value, before[name], err_msg=name, strict=True)
    assert_array_equal(
        model.transformer_.transform(images()), frozen.transform(images())
    )
    probe = tuned(frozen, images(), y, max_epochs=0, encoder_factor=0.0)
    assert abs(model.estimator_.coef_ - probe.estimator_.coef_).max() > 0.05


def test_statistics_are_those_of_rows_that_will_be_predicted(tuners):
    """Not of the views that are compared."""
    simclr = make(SimCLR, modality="image", encoder=ConvNet(channels=(8, 16)))
    frozen = FrozenEstimator(simclr.fit(images()))
    states = []
    for consistency in (0.0, 5.0):
        model = tuned(
            *(frozen, images(), np.arange(40) % 3 - 1),
            consistency=consistency,
            max_epochs=1,
            learning_rate=1e-12,
            augment=False,
        )
        state = model.transformer_._network.state()
        names = [k for k in state if "encoder" in k and "running" in k]
        states.append({name: state[name] for name in names})
    for name, value in states[0].items():
        assert_array_equal(states[1][name], value)
        assert not np.array_equal(value, frozen._network.state()[name])


def test_early_stopping_judges_by_the_labels(wine, scarf, tuners):
    X, y, _ = wine
    settings = {"early_stopping": True, "max_epochs": 20, "consistency": 1.0}
    model = tuned(scarf, X, y, **settings)
    plain = tuned(scarf, X, y, **settings | {"consistency": 0.0})
    assert model.validation_loss_curve_[0] == plain.validation_loss_curve_[0]
    assert model.validation_loss_curve_[1] != plain.validation_loss_curve_[1]
    held_out = tuners[0].labels.hold_out(0.1, _order(tuners[0]))[1]
    proba = model.predict_proba(X[held_out])
    loss = -np.log(proba[np.arange(len(held_out)), y[held_out]]).mean()
    assert loss == pytest.approx(min(model.validation_loss_curve_), rel=1e-3)


def _order(tuner):
    streams = fine_tuning._STREAMS
    return fine_tuning.make_generator(tuner.seed, streams + fine_tuning.ORDER)


def test_repeatable(wine):
    X, _, few = wine
    vime = make(VIME, encoder=MLP(hidden=(16,), dropout=0.2))
    first, second = (tuned(vime, X, few, consistency=1.0) for _ in range(2))
    assert first.loss_curve_ == second.loss_curve_
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert_same_fit(first.transformer_, second.transformer_, X)


def test_semi_supervised_vime(wine):
    """As VIME's docstring has it: a head on the embedding that was pretrained."""
    X, y, few = wine
    settings = FineTuning(consistency=1.0, encoder_factor=0.0)
    model = SSLClassifier(make(VIME), fine_tune=settings).fit(X, few)
    assert_same_fit(model.transformer_, make(VIME).fit(X), X)
    assert model.score(X[::2], y[::2]) > 0.9
    decision = features(model.transformer_, X) @ model.estimator_.coef_.T
    assert_allclose(
        model.decision_function(X), decision + model.estimator_.intercept_, atol=1e-6
    )


# Errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"consistency": -1.0}, "fine_tune: consistency must be a number of at least"),
        ({"consistency": "auto"}, "fine_tune: consistency must be"),
        ({"consistency": np.inf}, "fine_tune: consistency must be"),
        ({"n_views": 1}, "fine_tune: n_views must be an int of at least 2"),
        ({"n_views": 2.0}, "fine_tune: n_views must be"),
    ],
)
def test_bad_settings(settings, message, wine, no_training):
    X, _, few = wine
    with pytest.raises(ValueError, match=message):
        tuned(make(SCARF), X, few, **settings)


def test_views_that_do_not_vary(wine, diabetes, no_training, monkeypatch):
    monkeypatch.setattr(Autoencoder, "fit", lambda *_: pytest.fail("trained"))
    message = "consistency=0.5 compares views, and those of {} leave each row as it is"
    X, _, few = wine
    with pytest.raises(ValueError, match=message.format("Autoencoder")):
        tuned(make(Autoencoder), X, few, consistency=0.5)
    with pytest.raises(ValueError, match=message.format("SCARF")):
        tuned(make(SCARF, views=Identity()), X, few, consistency=0.5)
    X, _, few = diabetes
    with pytest.raises(ValueError, match=message.format("Autoencoder")):
        tuned(make(Autoencoder), X, few, SSLRegressor, consistency=0.5)


def test_views_of_ones_own(wine):
    X, _, few = wine
    autoencoder = make(Autoencoder, views=Corruption(rate=0.2))
    assert tuned(autoencoder, X, few, consistency=0.5).score(X, few) > 0.9
    tuned(make(Autoencoder), X, few, consistency=0.0)
