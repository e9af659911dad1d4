import pickle
import re
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from torch import nn

from sklearn_ssl import SCARF
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.engine.training import Training
from tests.engine.helpers import IRIS, WINE, distance, every_method, quick, weights_of
from tests.helpers import assert_same_fit

# Fitting again ------------------------------------------------------------------------


@every_method
def test_warm_start_continues(method):
    X = load_breast_cancer().data
    ssl = quick(method, max_epochs=15, warm_start=True, learning_rate=3e-3).fit(X)
    first, modality, encoder = ssl.loss_curve_, ssl.modality_, ssl.encoder_
    before = weights_of(ssl)
    before = {name: value.copy() for name, value in before.items()}
    ssl.set_params(max_epochs=0).fit(X)
    assert distance(weights_of(ssl), before) == 0
    ssl.set_params(max_epochs=2).fit(X[:300])
    assert ssl.loss_curve_[0] < first[0]
    assert ssl.n_iter_ == len(ssl.loss_curve_) == 2
    assert distance(weights_of(ssl), before) > 0
    # The scale of the columns belongs to the weights.
    assert ssl.modality_ is modality
    assert ssl.encoder_.get_params() == encoder.get_params()


def test_without_warm_start_a_fit_begins_anew():
    ssl = quick(SCARF).fit(WINE)
    modality, curve = ssl.modality_, ssl.loss_curve_
    ssl.fit(WINE)
    assert ssl.loss_curve_ == curve
    assert ssl.modality_ is not modality


@every_method
def test_warm_start_needs_the_same_columns(method):
    ssl = quick(method, warm_start=True).fit(WINE)
    Z = ssl.transform(WINE)
    with pytest.raises(ValueError, match="features"):
        ssl.fit(IRIS)
    assert_array_equal(ssl.transform(WINE), Z)


@every_method
def test_partial_fit_trains_an_epoch_a_call(method):
    ssl = quick(method, learning_rate=0.01)
    for n_calls in (1, 2, 3):
        ssl.partial_fit(WINE)
        assert ssl.n_iter_ == len(ssl.loss_curve_) == n_calls
        assert len(ssl.embedding_std_curve_) == n_calls
    assert ssl.loss_curve_[2] < ssl.loss_curve_[0]


@every_method
def test_failed_partial_fit_changes_nothing(method, monkeypatch):
    ssl = quick(method).partial_fit(WINE).partial_fit(WINE[:100])
    Z = ssl.transform(WINE)
    n_iter = ssl.n_iter_
    after_step = Training.after_step

    def interrupt(training, loss):
        after_step(training, loss)
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "after_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ssl.partial_fit(WINE)
    monkeypatch.undo()
    assert ssl.n_iter_ == n_iter
    assert_array_equal(ssl.transform(WINE), Z)
    ssl.partial_fit(WINE)
    assert ssl.n_iter_ == n_iter + 1


def test_partial_fit_after_a_fit_has_an_optimizer_of_its_own():
    ssl = quick(SCARF).partial_fit(WINE).fit(WINE)
    loaded = pickle.loads(pickle.dumps(ssl)).partial_fit(WINE)  # with a new one
    assert_same_fit(ssl.partial_fit(WINE), loaded, WINE)


@pytest.mark.parametrize(("n", "expected"), [(1999, 200), (4000, 100), (40_001, 10)])
def test_epochs_by_the_number_of_rows(n, expected):
    X = np.random.default_rng(0).normal(size=(n, 2))
    scarf = quick(SCARF, max_epochs="auto", max_time=1e-9).fit(X)
    assert scarf.max_epochs_ == expected and scarf.n_iter_ == 1


# Curves -------------------------------------------------------------------------------


@every_method
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("max_epochs", [0, 1, 4])
def test_curves_have_a_value_an_epoch(method, early_stopping, max_epochs):
    ssl = quick(method, early_stopping=early_stopping, max_epochs=max_epochs).fit(WINE)
    assert ssl.max_epochs_ == max_epochs and ssl.n_iter_ <= max_epochs
    assert len(ssl.loss_curve_) == len(ssl.embedding_std_curve_) == ssl.n_iter_
    n_validated = ssl.n_iter_ if early_stopping else 0
    assert len(ssl.validation_loss_curve_) == n_validated
    curves = ssl.loss_curve_ + ssl.embedding_std_curve_ + ssl.validation_loss_curve_
    assert all(type(value) is float and value > 0 for value in curves)


def test_loss_of_an_epoch_is_the_mean_over_its_steps(monkeypatch):
    losses = []
    after_step = Training.after_step

    def spy(training, loss):
        losses.append(loss.item())
        return after_step(training, loss)

    monkeypatch.setattr(Training, "after_step", spy)
    ssl = quick(SCARF).fit(WINE)
    assert_allclose(ssl.loss_curve_, np.reshape(losses, (3, 3)).mean(axis=1))


# A method of one's own ----------------------------------------------------------------


@dataclass(kw_only=True, eq=False, repr=False)
class WithTeacher(SSLTransformer):
    """Agree with a slowly moving average of oneself."""

    modalities = ("table",)

    def _build_task(self, task):
        task.head = nn.Linear(task.n_outputs, 4)
        task.teacher = nn.Linear(task.n_outputs, 4).requires_grad_(False)
        task.teacher.load_state_dict(task.head.state_dict())
        self.log = []

    def _loss(self, task, batch):
        z = task.embed(task.view(batch))
        target = task.teacher(z.detach())
        return (task.head(z) - target - 1).square().mean()

    def _after_step(self, task):
        m = 0.9 + 0.1 * task.progress
        with torch.no_grad():
            task.teacher.weight.lerp_(task.head.weight, 1 - m)
        log = task.method.log
        log.append((task.progress, m, task.head.weight.detach().clone()))


def test_after_step_follows_each_optimizer_step():
    ssl = quick(WithTeacher, learning_rate=0.05).fit(WINE)
    task = ssl._network.task
    log = task.method.log
    assert_allclose([progress for progress, *_ in log], np.arange(9) / 9)
    start = clone(ssl).set_params(max_epochs=0).fit(WINE)._network.task
    teacher = start.head.weight.detach().double()
    for _, m, student in log:
        teacher = m * teacher + (1 - m) * student.double()
    assert_allclose(task.teacher.weight, teacher, atol=1e-6)
    # The hook sees the weights after the step, and nothing trains the teacher.
    assert torch.equal(log[-1][2], task.head.weight)
    assert not torch.equal(log[0][2], start.head.weight)
    assert not np.allclose(task.teacher.weight, task.head.weight.detach())
    assert_array_equal(task.teacher.bias, start.teacher.bias)


class RestartsOnce(SCARF):
    """Has one layer begin anew before the second of its epochs."""

    def _build_task(self, task):
        super()._build_task(task)
        self.epochs = []

    def _begin_epoch(self, task):
        epochs = task.method.epochs
        epochs.append(task.encoder.layers[0][0].weight)
        if len(epochs) == 2:
            task.restarted.append(epochs[0])


def test_a_restarted_layer_loses_its_optimizer_state_once(monkeypatch):
    momenta = []
    run_epoch = Training._run_epoch

    def spy(training, *args):
        weight = training.task.encoder.layers[0][0].weight
        state = training.net.optimizer_.state.get(weight, {})
        momenta.append(float(state["exp_avg"].norm()) if state else None)
        run_epoch(training, *args)

    monkeypatch.setattr(Training, "_run_epoch", spy)
    quick(RestartsOnce).fit(WINE)
    assert momenta[:2] == [None, 0.0] and momenta[2] > 0


# Progress bar -------------------------------------------------------------------------


@every_method
def test_verbose_shows_one_bar(method, capfd):
    quick(method, verbose=1).fit(WINE)
    out, err = capfd.readouterr()
    assert out == ""
    last = err.strip().split("\r")[-1]
    assert "\n" not in last
    assert last.startswith(f"{method.__name__}: 100%") and "9/9" in last
    assert re.search(r"loss=\d", last) and re.search(r"std=\d", last)
    assert err.count("\n") == 1


@every_method
def test_silent_by_default(method, capfd):
    ssl = quick(method).fit(WINE)
    ssl.partial_fit(WINE).transform(WINE)
    assert capfd.readouterr() == ("", "")
