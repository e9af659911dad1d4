"""The search for the nearest rows of a table, and what stands for them in training."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neighbors import NearestNeighbors

from sklearn_ssl import SimCLR
from sklearn_ssl.engine import neighbors
from sklearn_ssl.engine.neighbors import Neighbors, with_neighbors
from tests.engine.helpers import WINE
from tests.helpers import make, make_data, ready_task


def task_of(X):
    """A task with all rows of X as its source, all of which are trained on."""
    task, _ = ready_task(make(SimCLR, max_epochs=0).fit(X), X)
    task.rows = torch.arange(len(X))
    return task


def columns_of(task):
    return task.inputs.columns(task.source)


def nearest(X, n_neighbors, trained_on=None):
    task = task_of(X)
    task.rows = task.rows if trained_on is None else torch.tensor(trained_on)
    columns = columns_of(task)[task.rows]
    neighbors = Neighbors(task, n_neighbors)
    found = neighbors.candidates[neighbors.of(task.rows, columns)]
    return columns_of(task).double().numpy(), found.numpy()


@pytest.mark.parametrize("X", [WINE, make_data("table")], ids=["numbers", "mixed"])
def test_the_rows_are_the_nearest_by_the_columns(X):
    columns, found = nearest(X, 5)
    expected, _ = NearestNeighbors(n_neighbors=5).fit(columns).kneighbors()
    distances = np.linalg.norm(columns[:, None] - columns[found], axis=2)
    assert_allclose(distances, expected, rtol=1e-5)
    assert all(len(set(row)) == 5 for row in found)


def test_rows_are_looked_for_when_they_are_asked_about(monkeypatch):
    task = task_of(WINE)
    columns = columns_of(task)
    _, expected = nearest(WINE, 5)
    asked = []
    search = Neighbors._search

    def spy(self, rows, columns):
        asked.extend(rows.tolist())
        return search(self, rows, columns)

    monkeypatch.setattr(Neighbors, "_search", spy)
    found = Neighbors(task, 5)
    assert not asked
    for rows in ([3, 9, 4], [9, 100, 3], [4], range(len(WINE)), range(len(WINE))):
        rows = list(rows)
        assert_array_equal(found.of(torch.tensor(rows), columns[rows]), expected[rows])
    assert asked[:4] == [3, 9, 4, 100] and sorted(asked) == list(range(len(WINE)))


def test_no_row_is_its_own_neighbour_not_even_among_equals():
    _, found = nearest(np.repeat(WINE[:20], 3, axis=0), 2)
    equals = np.arange(60) // 3
    assert_array_equal(found // 3, np.stack([equals, equals], axis=1))
    assert not (found == np.arange(60)[:, None]).any()


def test_equally_near_rows_take_turns():
    names = np.array([[f"name {i}", "yes"] for i in range(90)], dtype=object)
    _, found = nearest(names, 5)
    assert np.bincount(found.ravel(), minlength=90).max() <= 15


@pytest.mark.parametrize("n_equal", [1, 3])
def test_the_order_among_equals_changes_nothing_elsewhere(n_equal):
    task = task_of(np.repeat(WINE[::2], n_equal, axis=0)[:150])
    columns, found = columns_of(task), Neighbors(task, 5)
    distance = torch.cdist(columns, found.columns)
    assert (len(distance.unique(dim=0)) < len(distance)) == (n_equal > 1)
    expected = found._search_ties(task.rows, distance)
    assert_array_equal(found._search(task.rows, columns), expected)


@pytest.mark.parametrize(("n", "k"), [(2, 0), (3, 1), (4, 1), (5, 2), (12, 5)])
def test_neighbours_are_at_most_half_of_the_others(n, k):
    assert nearest(WINE[:n], 9 if n < 12 else 5)[1].shape == (n, k)


def test_rows_that_are_held_out_are_no_neighbours():
    trained_on = np.arange(0, len(WINE), 2)
    _, found = nearest(WINE, 5, trained_on)
    assert found.shape == (len(trained_on), 5)
    assert np.isin(found, trained_on).all()


def test_of_many_rows_some_are_candidates(monkeypatch):
    monkeypatch.setattr(neighbors, "_MAX_CANDIDATES", 60)
    columns, found = nearest(WINE, 3)
    candidates = np.linspace(0, len(WINE) - 1, 60).astype(int)
    distances = np.linalg.norm(columns[:, None] - columns[candidates], axis=2)
    distances[np.arange(len(WINE))[:, None] == candidates] = np.inf
    assert_array_equal(found, candidates[distances.argsort(axis=1)[:, :3]])


def test_rows_between_two_candidates_take_either(monkeypatch):
    monkeypatch.setattr(neighbors, "_MAX_CANDIDATES", 4)
    X = np.zeros((40, 1))
    X[[0, 13, 26, 39], 0] = -1, 1, -3, 3
    _, found = nearest(X, 1)
    between = X[:, 0] == 0
    assert set(found[between, 0]) == {0, 13}


@pytest.mark.parametrize(
    ("limits", "n_candidates"),
    [
        ({"_MAX_DISTANCES": 178 * 90, "_ENOUGH_CANDIDATES": 50}, 90),
        ({"_MAX_DISTANCES": 178 * 90, "_ENOUGH_CANDIDATES": 100}, 100),
        ({"_MAX_CELLS": 13 * 70}, 70),
    ],
)
def test_the_search_is_bounded_in_time_and_memory(monkeypatch, limits, n_candidates):
    for name, value in limits.items():
        monkeypatch.setattr(neighbors, name, value)
    assert len(Neighbors(task_of(WINE), 5).candidates) == n_candidates


def ready(rate):
    task = task_of(make_data("table"))
    task.neighbors = Neighbors(task, 3)
    task.rows = torch.arange(180, 20, -1)
    batch = {name: cells[task.rows] for name, cells in task.source.items()}
    return task, batch, with_neighbors(task, batch, rate)


def test_neighbours_stand_for_rows_whole():
    task, batch, drawn = ready(1.0)
    near = task.neighbors.of(task.rows, task.inputs.columns(batch))
    candidates = columns_of(task)[near]
    columns = task.inputs.columns(drawn)
    chosen = (candidates == columns[:, None]).all(dim=2)
    assert (chosen.sum(dim=1) == 1).all()
    # Each of the three alike: the chance of fewer is one in a million.
    assert chosen.sum(dim=0).min() > 160 / 3 - 30


def test_the_rate_is_the_share_of_rows_that_are_replaced():
    _, batch, drawn = ready(0.5)
    replaced = (batch["numbers"] != drawn["numbers"]).any(dim=1)
    assert 0.35 < replaced.float().mean() < 0.65
    for name, cells in batch.items():
        assert_array_equal(drawn[name][~replaced], cells[~replaced])


def test_only_for_rows_that_are_replaced_others_are_looked_for():
    task, batch, drawn = ready(0.5)
    replaced = (batch["numbers"] != drawn["numbers"]).any(dim=1)
    known = task.neighbors.found[:, 0] >= 0
    assert_array_equal(known[task.rows], replaced)
    assert known.sum() == replaced.sum()


def test_the_draws_follow_the_generator():
    pairs = zip(ready(0.5)[2].values(), ready(0.5)[2].values(), strict=True)
    for first, second in pairs:
        assert_array_equal(first, second)


def test_only_training_knows_neighbours():
    task, batch, _ = ready(1.0)
    task.eval()
    assert with_neighbors(task, batch, 1.0) is batch
    task.train().neighbors = None
    assert with_neighbors(task, batch, 1.0) is batch
