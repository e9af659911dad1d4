"""What y of a row is likely to be, by the labels of others."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, cross_val_predict

from sklearn_ssl import MaskedFeatures
from sklearn_ssl._expected_targets import expected_targets
from tests.helpers import make, ready_task
from tests.masked.helpers import columns_of

FOLDS = KFold(5, shuffle=True, random_state=0)


def test_classes_are_expected_out_of_fold(wine):
    X, y, _ = wine
    X = X[:, :3]
    found = expected_targets(X, np.arange(len(X)), y)
    expected = cross_val_predict(
        LogisticRegression(max_iter=1000), X, y, cv=FOLDS, method="predict_proba"
    )
    for train, test in FOLDS.split(X):
        expected[test] -= np.bincount(y[train]) / len(train)
    assert found.dtype == np.float32
    assert_allclose(found, expected, atol=1e-6)
    assert abs(found.mean(axis=0)).max() < 0.02  # so that zero is neutral
    assert (found.argmax(axis=1) == y).mean() > 0.7


def test_numbers_are_expected_out_of_fold():
    X, y = load_diabetes(return_X_y=True)
    X = X / X.std(axis=0)
    found = expected_targets(X, np.arange(len(X)), y, numbers=True)
    expected = np.empty(len(X))
    for train, test in FOLDS.split(X):
        centre, targets = X[train].mean(axis=0), y[train]
        Z, targets = X[train] - centre, (targets - targets.mean()) / targets.std()
        coef = np.linalg.solve(Z.T @ Z + np.eye(X.shape[1]), Z.T @ targets)
        expected[test] = (X[test] - centre) @ coef
    assert found.shape == (len(X), 1)
    assert_allclose(found[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("numbers", [False, True])
def test_rows_without_a_label_are_expected_by_all_that_have_one(numbers, wine):
    X, y, _ = wine
    rows = np.arange(5, 60)
    found = expected_targets(X, rows, y[rows], numbers)
    others = np.setdiff1d(np.arange(len(X)), rows)
    if numbers:
        mean, std = y[rows].mean(), y[rows].std()
        model = Ridge().fit(X[rows], (y[rows] - mean) / std)
        expected = model.predict(X[others])[:, None]
    else:
        model = LogisticRegression(max_iter=1000).fit(X[rows], y[rows])
        expected = model.predict_proba(X[others]) - np.bincount(y[rows]) / len(rows)
    assert_allclose(found[others], expected, atol=1e-6)
    # To the labelled ones, they are nothing.
    alone = expected_targets(X[rows], np.arange(len(rows)), y[rows], numbers)
    assert_array_equal(found[rows], alone)


@pytest.mark.parametrize("numbers", [False, True])
def test_no_row_sees_its_own_label(numbers, wine):
    """Not by a bit; the other rows do."""
    X, y, _ = wine
    X, y, rows = X[:40, :3], y[:40].copy(), np.arange(0, 40, 2)
    y[[0, 2]] = 3  # a class of two rows, which one of them may leave alone
    labels = y[rows]
    before = expected_targets(X, rows, labels, numbers)
    for i, row in enumerate(rows[:8]):
        changed = labels.copy()
        changed[i] = (labels[i] + 1) % 4
        after = expected_targets(X, rows, changed, numbers)
        assert_array_equal(after[row], before[row])
        moved = (after != before).any(axis=1)
        assert moved[rows].mean() > 0.6 and moved[1::2].all()


def test_rare_classes():
    """What no row of the other folds has is not expected, and no error."""
    X = np.random.default_rng(0).normal(size=(40, 3))
    y = np.r_[np.zeros(19), np.ones(20), 7].astype(int)
    found = expected_targets(X, np.arange(40), y)
    assert found.shape == (40, 3)
    assert found[-1, 2] == 0 and (found[:-1, 2] != 0).any()
    assert_allclose(found.sum(axis=1), 0, atol=1e-6)
    # Each of two labels is alone: the other one says nothing of it.
    found = expected_targets(X, np.array([3, 4]), np.array(["a", "b"], object))
    assert (found[3:5] == 0).all() and (found[5:] != 0).all()
    found = expected_targets(X, np.array([3, 4]), np.array([0.5, 1.0]))
    assert (found[3:5] == 0).all() and (found[5:] != 0).all()


def test_floats_that_are_not_whole_are_numbers(wine):
    X, y, _ = wine
    rows = np.arange(len(X))
    assert expected_targets(X, rows, y.astype(float)).shape == (len(X), 3)
    assert expected_targets(X, rows, y + 0.5).shape == (len(X), 1)
    assert expected_targets(X, rows, y, numbers=True).shape == (len(X), 1)


def test_columns_are_those_that_are_passed_through(mixed):
    masked = make(MaskedFeatures, max_epochs=0).fit(mixed)
    task, batch = ready_task(masked, mixed, n_rows=None)
    expected = task.inputs.columns(batch).numpy()
    assert_array_equal(columns_of(masked, mixed), expected)
