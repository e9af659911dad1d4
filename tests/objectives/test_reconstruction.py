import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sklearn_ssl.objectives import (
    binary_cross_entropy,
    categorical_cross_entropy,
    squared_error,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_squared_error(rng):
    output, target = rng.normal(size=(2, 6, 3))
    z = torch.tensor(output, requires_grad=True)
    loss = squared_error(z, torch.tensor(target))
    loss.backward()
    assert_allclose(loss.item(), ((output - target) ** 2).sum() / 6)
    assert_allclose(z.grad, 2 * (output - target) / 6)


def test_binary_cross_entropy(rng):
    logits = 3 * rng.normal(size=(6, 4))
    target = rng.integers(2, size=(6, 4)).astype(float)
    z = torch.tensor(logits, requires_grad=True)
    loss = binary_cross_entropy(z, torch.tensor(target))
    loss.backward()
    p = 1 / (1 + np.exp(-logits))
    expected = -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum() / 6
    assert_allclose(loss.item(), expected)
    assert_allclose(z.grad, (p - target) / 6)


@pytest.mark.parametrize("cardinalities", [(5,), (2, 5, 3), (4, 4), (3, 2, 3, 4, 2)])
def test_categorical_cross_entropy(cardinalities, rng):
    n, starts = 7, np.cumsum((0, *cardinalities))
    codes = np.stack([rng.integers(k, size=n) for k in cardinalities], axis=1)
    logits = rng.normal(size=(n, starts[-1]))
    z = torch.tensor(logits, requires_grad=True)
    loss = categorical_cross_entropy(z, torch.tensor(codes), cardinalities)
    loss.backward()
    expected, gradient = np.zeros(codes.shape), np.zeros_like(logits)
    for i in range(n):
        for j in range(len(cardinalities)):
            own = slice(starts[j], starts[j + 1])
            p = np.exp(logits[i, own]) / np.exp(logits[i, own]).sum()
            expected[i, j] = -np.log(p[codes[i, j]])
            gradient[i, own] = p / n
            gradient[i, starts[j] + codes[i, j]] -= 1 / n
    assert_allclose(loss.item(), expected.sum() / n)
    assert_allclose(z.grad, gradient, atol=1e-15)
    cells = categorical_cross_entropy(z, torch.tensor(codes), cardinalities, "none")
    assert_allclose(cells.detach(), expected)


def test_losses_take_slices_of_a_decoder_output(rng):
    output = torch.tensor(rng.normal(size=(5, 8)))
    numbers, categories = output.split([3, 5], dim=1)
    codes = torch.tensor(rng.integers(2, size=(5, 2)))
    assert squared_error(numbers, numbers) == 0
    expected = categorical_cross_entropy(categories.clone(), codes, (3, 2))
    assert categorical_cross_entropy(categories, codes, (3, 2)) == expected


def test_losses_of_each_cell(rng):
    output, target = torch.tensor(rng.normal(size=(2, 6, 4)))
    codes = torch.tensor(rng.integers(2, size=(6, 2)))
    binary = (target > 0).double()
    for loss, *args in (
        (squared_error, output, target),
        (binary_cross_entropy, output, binary),
        (categorical_cross_entropy, output, codes, (2, 2)),
    ):
        cells = loss(*args, reduction="none")
        assert cells.shape == args[1].shape
        assert_allclose(cells.sum(dim=1).mean(), loss(*args))
        rows = [loss(output[i : i + 1], args[1][i : i + 1], *args[2:]) for i in [2, 4]]
        assert_allclose(cells[[2, 4]].sum(dim=1), rows)
