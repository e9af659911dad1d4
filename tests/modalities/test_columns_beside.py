"""The columns that stand beside an embedding of a table."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_wine

from sklearn_ssl import SCARF
from sklearn_ssl.modalities.tabular import Tabular
from tests.helpers import make


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    skewed = np.exp(2 * rng.normal(size=(400, 3)))
    skewed[rng.random(400) < 0.4, 1] = 0  # ties at the smallest
    skewed[rng.random(400) < 0.2, 2] = np.nan
    names = ["skewed", "with zeros", "with gaps"]
    return pd.DataFrame(skewed, columns=names).assign(
        uniform=rng.random(400), letter=rng.choice(list("abc"), 400)
    )


def beside(modality, X):
    arrays = modality.to_arrays(X)
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    inputs = modality.input_layer()
    return inputs.columns(batch).numpy(), inputs.columns_beside(batch).numpy()


def test_what_is_scaled_by_quantiles_comes_standardized_too(table):
    modality = Tabular().fit(table)
    assert modality.scaling_ == ["quantile"] * 3 + ["standard"]
    columns, both = beside(modality, table)
    assert both.shape[1] == columns.shape[1] + 3
    assert_allclose(both[:, :3] * 2**0.5, columns[:, :3], rtol=1e-6)
    assert_array_equal(both[:, 3:-3], columns[:, 3:])
    numbers = table.iloc[:, :3].to_numpy()
    expected = (numbers - np.nanmean(numbers, axis=0)) / np.nanstd(numbers, axis=0)
    expected = np.nan_to_num(expected.clip(-10, 10))
    assert_allclose(both[:, -3:] * 2**0.5, expected, atol=5e-4)


def test_beyond_the_training_rows_the_standardized_form_keeps_their_extremes(table):
    modality = Tabular().fit(table)
    few = table.iloc[:2].copy()
    few.iloc[:, 0] = -1e9, 1e9
    _, both = beside(modality, few)
    standardized = (table["skewed"] - table["skewed"].mean()) / modality.scale_[0]
    ends = standardized.clip(-10, 10).agg(["min", "max"])
    assert_allclose(both[:, -3] * 2**0.5, ends, rtol=1e-4)


def test_the_standardized_form_is_true_to_its_tail():
    """The last quantiles of many rows lie far apart, on either side of the clipping."""
    X = np.exp(3 * np.random.default_rng(0).normal(size=(20_000, 1)))
    _, both = beside(Tabular().fit(X), X)
    expected = ((X - X.mean()) / X.std()).clip(-10, 10)
    assert (expected == 10).sum() > 3
    assert_allclose(both[:, -1:] * 2**0.5, expected, atol=0.02)


@pytest.mark.parametrize("X", [np.eye(30), load_wine().data[:, [0, 2, 3]]])
def test_columns_without_quantiles_come_once(X):
    columns, both = beside(Tabular().fit(X), X)
    assert_array_equal(both, columns)


def test_the_batch_stays_as_it_is(table):
    modality = Tabular().fit(table[["skewed"]])
    numbers = torch.from_numpy(modality.to_arrays(table[["skewed"]])["numbers"])
    before = numbers.clone()
    modality.input_layer().columns_beside({"numbers": numbers})
    assert torch.equal(numbers, before)


def test_what_either_block_weighs(table):
    names = list(table)
    for some in (names, names[:2]):
        scarf = make(SCARF, passthrough=True).fit(table[some])
        Z = scarf.transform(table[some])
        parts = np.split(Z, [scarf._network.task.widths[0]], axis=1)
        norms = [np.sqrt((part**2).sum(axis=1).mean()) for part in parts]
        assert_allclose(norms, [math.sqrt(len(some) ** 0.5 / 2), 3.5**0.5], rtol=1e-3)
        alone = make(SCARF, passthrough=False).fit_transform(table[some])
        norm = np.sqrt((alone**2).sum(axis=1).mean())
        assert norm == pytest.approx(math.hypot(*norms), rel=1e-3)
