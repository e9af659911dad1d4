"""The statistics by which a fitted network centres and scales its embedding."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from sklearn_ssl import SCARF, base
from sklearn_ssl.engine import network
from tests.helpers import make


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(60, 3))


def linear(input_shape):
    return nn.Linear(*input_shape, 4)


def unmoved():
    """A method whose weights stay where they start."""
    rate = {"learning_rate": 1e-12, "weight_decay": 0.0}
    return make(SCARF, encoder=linear, passthrough=False, **rate)


def test_centre_of_partial_fit_is_that_of_all_rows_so_far(X):
    scarf = unmoved().partial_fit(X)
    assert_allclose(scarf.transform(X).mean(axis=0), 0, atol=1e-5)
    scarf.partial_fit(np.vstack([X, X]) + 3)
    Z = scarf.transform(np.vstack([X, X + 3, X + 3]))
    assert_allclose(Z.mean(axis=0), 0, atol=1e-5)


def test_scale_of_partial_fit_is_the_mean_over_rows_so_far(X):
    scarf = unmoved().partial_fit(X)
    before = np.ptp(scarf.transform(X), axis=0)
    scarf.partial_fit(3 * np.vstack([X, X]))
    after = np.ptp(scarf.transform(X), axis=0)
    assert_allclose(after, (60 + 120 / 3) / 180 * before, rtol=1e-4)


def test_partial_fit_remembers_so_many_rows(X, monkeypatch):
    monkeypatch.setattr(base, "_MAX_ROWS_REMEMBERED", 60)
    scarf = unmoved()
    for _ in range(3):
        scarf.partial_fit(X)
    scarf.partial_fit(X + 3)  # as many as are remembered
    Z = scarf.transform(np.vstack([X, X + 3]))
    assert_allclose(Z.mean(axis=0), 0, atol=1e-5)


def test_of_many_rows_some_at_equal_steps_are_measured(X, monkeypatch):
    monkeypatch.setattr(network, "_MAX_STATISTICS_ROWS", 51)
    rising = np.linspace(0, 10, 1001)[:, None] + X[0]
    Z = unmoved().fit_transform(rising)
    assert_allclose(Z.mean(axis=0), 0, atol=1e-4)
    assert_allclose((Z**2).sum(axis=1).mean(), 0.5 * 3**0.5 + 3.5, rtol=0.05)


class AlmostConstant(nn.Module):
    """The second output varies by rounding alone."""

    def __init__(self, input_shape):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return torch.cat([self.gain * x[:, :1], 1 + 1e-7 * x[:, 1:2]], dim=1)


def test_what_varies_by_rounding_alone_becomes_zero(X):
    how = {"passthrough": False, "scaling": "standard"}
    scarf = make(SCARF, encoder=AlmostConstant, **how).fit(X)
    Z = scarf.transform(X)
    assert Z[:, 0].std() > 1
    assert_array_equal(Z[:, 1], 0)
