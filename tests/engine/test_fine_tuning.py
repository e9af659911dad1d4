"""The parts of fine-tuning against independent computations."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_ssl.engine.fine_tuning import Labels, fit_head, variance_over_views
from tests.helpers import numeric_gradient


def make_labels(targets, weights=None, n_classes=None):
    targets = np.reshape(targets, (len(targets), -1))
    weights = np.ones(len(targets)) if weights is None else weights / weights.mean()
    return Labels.from_arrays(targets, weights, n_classes)


@pytest.fixture
def rows():
    """Features, three classes, two classes, two targets and weights of 60 rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    three = np.argmax(X[:, :3] + rng.normal(size=(60, 3)), axis=1)
    two = (X[:, 3] > rng.normal(size=60)).astype(int)
    targets = X[:, :2] + rng.normal(size=(60, 2))
    return X, three, two, targets, rng.uniform(0.1, 2, size=60)


def test_cross_entropy_of_several_outputs(rows):
    _, three, two, _, weights = rows
    output = np.random.default_rng(1).normal(size=(60, 5))
    labels = make_labels(np.column_stack([three, two]), weights, [3, 2])
    assert labels.n_outputs == 5
    some = np.arange(7, 20)
    found = labels.loss(torch.from_numpy(output[some]), torch.from_numpy(some))
    losses = -log_softmax(output[:, :3], axis=1)[np.arange(60), three]
    losses -= log_softmax(output[:, 3:], axis=1)[np.arange(60), two]
    expected = (weights / weights.mean() * losses)[some].mean()
    assert_allclose(found, expected, rtol=1e-6)


def test_squared_error_of_several_outputs(rows):
    _, _, _, targets, weights = rows
    output = np.random.default_rng(1).normal(size=(60, 2))
    labels = make_labels(targets, weights)
    assert labels.n_outputs == 2
    found = labels.loss(torch.from_numpy(output).float(), torch.arange(60))
    losses = ((output - targets) ** 2).sum(axis=1) / 2
    assert_allclose(found, np.average(losses, weights=weights), rtol=1e-5)


def fit(X, labels):
    head = fit_head(torch.from_numpy(X), labels, torch.arange(len(X)))
    return head.weight.detach().numpy(), head.bias.detach().numpy()


def test_head_is_the_logistic_regression_of_scikit_learn(rows):
    X, three, two, _, weights = rows
    weights /= weights.mean()
    expected = LogisticRegression(tol=1e-8).fit(X, three, weights)
    coef, intercept = fit(X, make_labels(three, weights, [3]))
    assert_allclose(coef, expected.coef_, atol=1e-3)
    assert_allclose(intercept - intercept.mean(), expected.intercept_, atol=1e-3)
    # Beside another output it is the same.
    both, _ = fit(X, make_labels(np.column_stack([two, three]), weights, [2, 3]))
    assert_allclose(both[2:], coef, atol=1e-3)


def test_head_is_the_ridge_of_scikit_learn(rows):
    X, _, _, targets, weights = rows
    weights /= weights.mean()
    expected = Ridge().fit(X, targets, weights)
    coef, intercept = fit(X, make_labels(targets, weights))
    assert_allclose(coef, expected.coef_, atol=1e-4)
    assert_allclose(intercept, expected.intercept_, atol=1e-4)


def test_head_sees_its_rows_alone(rows):
    X, three, *_ = rows
    some = torch.arange(10, 50)
    found = fit_head(torch.from_numpy(X), make_labels(three, None, [3]), some)
    coef, _ = fit(X[10:50], make_labels(three[10:50], None, [3]))
    assert_allclose(found.weight.detach(), coef, atol=1e-6)


def test_rows_held_out_are_of_each_class_alike():
    codes = np.repeat([0, 1, 2, 3], [60, 30, 10, 1])
    labels = make_labels(codes, None, [4])
    seen = set()
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        rows, held_out = (x.numpy() for x in labels.hold_out(0.2, generator))
        assert sorted([*rows, *held_out]) == list(range(101))
        counts = np.bincount(codes[held_out], minlength=4)
        assert_allclose(counts[:3], [12, 6, 2], atol=1)
        assert counts[3] == 0  # the only one of its class stays
        seen |= set(held_out)
    assert len(seen) > 80


def test_no_class_is_held_out_whole():
    labels = make_labels([0, 1, 2, 0, 1, 2], None, [3])
    rows, held_out = labels.hold_out(0.9, torch.Generator().manual_seed(0))
    assert len(held_out) == 3
    assert labels.targets[rows, 0].unique().tolist() == [0, 1, 2]


def test_rows_held_out_of_numbers():
    labels = make_labels(np.arange(50.0))
    rows, held_out = labels.hold_out(0.1, torch.Generator().manual_seed(0))
    assert len(rows) == 45 and len(held_out) == 5
    rows, held_out = labels.hold_out(0.0, torch.Generator().manual_seed(0))
    assert rows.tolist() == list(range(50)) and len(held_out) == 0


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("n_classes", [None, [3]])
def test_number_of_rows_held_out(fraction, n_classes):
    labels = make_labels(np.arange(9) % 3, None, n_classes)
    generator = torch.Generator().manual_seed(0)
    rows, held_out = labels.hold_out(fraction, generator)
    assert len(held_out) == labels.n_to_hold_out(fraction)
    assert len(rows) >= 1  # of numbers too
    assert len(rows) + len(held_out) == 9


def test_variance_over_views():
    def formula(outputs):
        n_views = len(outputs)
        mean = sum(outputs) / n_views
        squares = sum((view - mean) ** 2 for view in outputs) / n_views
        return squares.sum() / squares.size

    outputs = np.random.default_rng(0).normal(size=(3, 7, 2))
    tensor = torch.from_numpy(outputs).requires_grad_()
    found = variance_over_views(tensor)
    found.backward()
    assert_allclose(found.item(), formula(outputs), rtol=1e-12)
    assert_allclose(tensor.grad, numeric_gradient(formula, outputs), atol=1e-9)
    same = tensor.detach()[:1].expand(4, -1, -1)
    assert_allclose(variance_over_views(same), 0, atol=1e-30)
