import numpy as np
import pytest
import torch
from torch import nn

from sklearn_ssl.engine.health import embedding_health
from sklearn_ssl.metrics import effective_rank


def health(z):
    """What `embedding_health` says of a method whose embedding is z."""

    class Method:
        def _encode(self, task, batch):
            return batch

    class Inputs:
        def prepare(self, batch):
            return batch

    class Task(nn.Module):
        method, inputs = Method(), Inputs()

    task = Task()
    for mode in (False, True):
        found = embedding_health(task.train(mode), torch.as_tensor(z).float())
        assert task.training is mode
    return found


@pytest.mark.parametrize(("low", "high", "centre"), [(0.9, 1.01, 0), (0, 0.01, 100)])
def test_embedding_std(low, high, centre):
    z = np.random.default_rng(0).normal(centre, size=(256, 32))
    assert low < health(z)[0] < high


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
def test_embedding_rank(shape):
    z = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1) + 3
    expected = effective_rank(z - z.mean(axis=0))
    assert health(z)[1] == pytest.approx(expected, rel=1e-3)
    assert health(np.outer(np.arange(5), np.ones(3)))[1] == pytest.approx(1, abs=1e-4)
    assert health(np.full((5, 3), 0.1))[1] == 0
    assert np.isnan(health(np.full((5, 3), np.nan))).all()
