"""The search for the nearest rows of a table, and what stands for them in training."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neighbors import NearestNeighbors

from sklearn_ssl import SimCLR
from sklearn_ssl.engine import neighbors
from sklearn_ssl.engine.neighbors import nearest_rows, with_neighbors
from tests.engine.helpers import WINE
from tests.helpers import make, make_data, ready_task


def task_of(X):
    """A task with all rows of X as its source, in training."""
    task, _ = ready_task(make(SimCLR, max_epochs=0).fit(X), X)
    return task


def columns_of(task):
    return task.inputs.columns(task.source).double().numpy()


@pytest.mark.parametrize("X", [WINE, make_data("table")], ids=["numbers", "mixed"])
def test_the_rows_are_the_nearest_by_the_columns(X):
    task = task_of(X)
    columns = columns_of(task)
    found = nearest_rows(task, 5).numpy()
    expected, _ = NearestNeighbors(n_neighbors=5).fit(columns).kneighbors()
    distances = np.linalg.norm(columns[:, None] - columns[found], axis=2)
    assert_allclose(distances, expected, rtol=1e-5)
    assert all(len(set(row)) == 5 for row in found)


def test_no_row_is_its_own_neighbour_not_even_among_equals():
    found = nearest_rows(task_of(np.repeat(WINE[:20], 3, axis=0)), 2).numpy()
    equals = np.arange(60) // 3
    assert_array_equal(found // 3, np.stack([equals, equals], axis=1))
    assert not (found == np.arange(60)[:, None]).any()


def test_fewer_rows_than_neighbours():
    found = nearest_rows(task_of(WINE[:4]), 9).numpy()
    assert_array_equal(np.sort(found), [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])


def test_of_many_rows_some_are_candidates(monkeypatch):
    monkeypatch.setattr(neighbors, "_MAX_CANDIDATES", 60)
    monkeypatch.setattr(neighbors, "_TILE", 50)
    task = task_of(WINE)
    columns = columns_of(task)
    candidates = np.linspace(0, len(WINE) - 1, 60).astype(int)
    distances = np.linalg.norm(columns[:, None] - columns[candidates], axis=2)
    distances[np.arange(len(WINE))[:, None] == candidates] = np.inf
    expected = candidates[distances.argsort(axis=1)[:, :3]]
    assert_array_equal(nearest_rows(task, 3), expected)


def ready(rate):
    task = task_of(make_data("table"))
    task.neighbors = nearest_rows(task, 3)
    task.rows = torch.arange(180, 20, -1)
    batch = {name: cells[task.rows] for name, cells in task.source.items()}
    return task, batch, with_neighbors(task, batch, rate)


def test_neighbours_stand_for_rows_whole():
    task, _, drawn = ready(1.0)
    everything = columns_of(task)
    columns = task.inputs.columns(drawn).numpy()
    chosen = []
    for row, found in zip(task.rows, columns, strict=True):
        near = everything[task.neighbors[row].long()]
        chosen.append(np.flatnonzero((near == found).all(axis=1))[0])
    # Each of the three alike: the chance of fewer is one in a million.
    assert np.bincount(chosen, minlength=3).min() > 160 / 3 - 30


def test_the_rate_is_the_share_of_rows_that_are_replaced():
    _, batch, drawn = ready(0.5)
    replaced = (batch["numbers"] != drawn["numbers"]).any(dim=1)
    assert 0.35 < replaced.float().mean() < 0.65
    for name, cells in batch.items():
        assert_array_equal(drawn[name][~replaced], cells[~replaced])


def test_the_draws_follow_the_generator():
    for first, second in zip(
        ready(0.5)[2].values(), ready(0.5)[2].values(), strict=True
    ):
        assert_array_equal(first, second)


def test_only_training_knows_neighbours():
    task, batch, _ = ready(1.0)
    task.eval()
    assert with_neighbors(task, batch, 1.0) is batch
    task.train().neighbors = None
    assert with_neighbors(task, batch, 1.0) is batch
