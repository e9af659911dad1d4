import itertools
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sklearn_ssl import SCARF, DenoisingAutoencoder
from sklearn_ssl.engine.batches import TensorSource
from sklearn_ssl.engine.training import Training, pretext_loss
from tests.engine.helpers import CPU, WINE, distance, every_method, quick, weights_of


@pytest.mark.parametrize(
    ("losses", "patience", "n_epochs", "best"),
    [
        ([3, 2, 1, 2, 2, 0], 2, 5, 2),
        ([3, 4, 2, 4, 5, 6, 7], 3, 6, 2),
        ([3, 2.9, 2.8, 2.7], 2, 3, 0),  # less than tol each
        ([4, 3, 2, 1], 1, 4, 3),
    ],
)
def test_early_stopping_restores_the_best_weights(
    losses, patience, n_epochs, best, monkeypatch
):
    quick(SCARF, max_epochs=0).fit(WINE)  # a module first loaded below keeps the patch
    ssl = quick(
        SCARF,
        early_stopping=True,
        n_iter_no_change=patience,
        tol=0.5,
        max_epochs=len(losses),
    )
    validated = []

    def validate(task, source, batch_size, rows):
        state = task.state_dict()
        validated.append({k: v.numpy().copy() for k, v in state.items()})
        return losses[len(validated) - 1]

    monkeypatch.setattr("sklearn_ssl.engine.training.pretext_loss", validate)
    ssl.fit(WINE)
    assert ssl.n_iter_ == n_epochs
    assert ssl.validation_loss_curve_ == losses[:n_epochs]
    state = weights_of(ssl)
    assert distance(state, validated[best]) == 0
    for epoch in set(range(n_epochs)) - {best}:
        assert distance(state, validated[epoch]) > 0


@every_method
def test_validation_corruption_is_the_same_each_time(method):
    ssl = quick(method).fit(WINE)
    task = ssl._network.task
    source = TensorSource(ssl.modality_.to_arrays(WINE), CPU)
    task.train()
    generator = task.generator
    state = generator.get_state()
    rows = torch.arange(0, 100, 3)
    first = pretext_loss(task, source, 32, rows)
    assert first == pretext_loss(task, source, 32, rows)
    assert first != pretext_loss(task, source, 32, rows + 1)
    assert task.training and task.source is None
    assert task.generator is generator
    assert torch.equal(generator.get_state(), state)
    assert ssl.score(WINE) == ssl.score(WINE) == -pretext_loss(task, source, 64)


def test_loss_of_batches_weighs_rows():
    """Reconstruction is a mean over rows, so that batches must not matter."""
    dae = quick(DenoisingAutoencoder, corruption_rate=0.0).fit(WINE)
    source = TensorSource(dae.modality_.to_arrays(WINE), CPU)
    task = dae._network.task
    losses = [pretext_loss(task, source, batch_size) for batch_size in (178, 100, 7)]
    assert len(set(losses)) > 1
    assert_allclose(losses, losses[0], rtol=1e-5)


@every_method
def test_held_out_rows_are_not_trained_on(method, monkeypatch):
    trained_on, judged_by = set(), set()
    in_epoch = False
    run_epoch = Training._run_epoch

    def run_spied(training, batches, health):
        nonlocal in_epoch
        in_epoch = True
        run_epoch(training, batches, health)
        in_epoch = False

    def view(batch, source, generator):
        rows = trained_on if in_epoch else judged_by
        rows.update(map(tuple, batch["numbers"].tolist()))
        return batch

    monkeypatch.setattr(Training, "_run_epoch", run_spied)
    ssl = quick(method, early_stopping=True, validation_fraction=0.25, views=view)
    ssl.fit(WINE)
    assert len(trained_on) == 178 - round(0.25 * 178)
    assert len(judged_by) == round(0.25 * 178) and not judged_by & trained_on
    assert len(ssl.validation_loss_curve_) == ssl.n_iter_ == 3


def test_rows_held_out_are_drawn_at_random():
    X = np.arange(200.0)[:, None]
    held_out = []
    for seed in (0, 1):
        judged_by = set()

        def view(batch, source, generator, judged_by=judged_by):
            if len(batch["numbers"]) == 20:  # the others are of 60
                judged_by.update(batch["numbers"][:, 0].tolist())
            return batch

        how = {"early_stopping": True, "batch_size": 60, "random_state": seed}
        quick(SCARF, views=view, **how).fit(X)
        held_out.append(judged_by)
    assert all(np.std([*rows]) > 0.5 for rows in held_out)  # of all rows: 1
    assert held_out[0] != held_out[1]


def test_few_rows_are_not_held_out():
    ssl = quick(SCARF, early_stopping=True).fit(WINE[::10])
    assert ssl.n_iter_ == 3 and ssl.validation_loss_curve_ == []


@every_method
def test_max_time_stops_inside_an_epoch(method, steps, monkeypatch):
    clock = SimpleNamespace(perf_counter=itertools.count().__next__)
    monkeypatch.setattr("sklearn_ssl.engine.training.time", clock)
    ssl = quick(method, batch_size=4, max_time=20, max_epochs=50).fit(WINE)
    assert ssl.n_iter_ == len(ssl.loss_curve_) == 1
    assert 2 < len(steps) < 44
    # The schedule follows the time, so that it ends as it would have after all epochs.
    progress = [s.progress for s in steps]
    assert progress == sorted(progress)
    assert progress[-1] > 0.85
    assert steps[-1].rate < 0.1 * ssl.learning_rate


def test_max_time_is_in_seconds():
    start = time.perf_counter()
    ssl = quick(SCARF, max_time=0.3, max_epochs=100_000).fit(WINE)
    assert 0.3 <= time.perf_counter() - start < 10
    assert 0 < ssl.n_iter_ < 100_000
    assert len(ssl.loss_curve_) == ssl.n_iter_
