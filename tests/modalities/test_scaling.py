import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtri

from sklearn_ssl.modalities.scaling import NormalScores, describe
from sklearn_ssl.modalities.tabular import Tabular


def scores_by_interpolation(values, quantiles):
    """The mean rank from the left and from the right, a column at a time."""
    ranks = np.linspace(0, 1, len(quantiles))
    last = np.interp(values, quantiles, ranks)
    first = -np.interp(-values, -quantiles[::-1], -ranks[::-1])
    return ndtri(np.clip((first + last) / 2, 1e-7, 1 - 1e-7))


@pytest.mark.parametrize("n", [2, 3, 63, 64, 65, 512, 1000])
def test_normal_scores_are_those_of_interpolation(n):
    rng = np.random.default_rng(n)
    columns = [
        rng.normal(size=2 * n),
        rng.lognormal(sigma=3, size=2 * n),
        rng.integers(5, size=2 * n).astype(float),  # ties
        np.maximum(rng.normal(size=2 * n), 0.3) * 1e6,  # at the smallest value
        np.full(2 * n, 7.0),
    ]
    quantiles = np.quantile(columns, np.linspace(0, 1, n), axis=1).T
    quantiles = np.maximum.accumulate(quantiles, axis=1)
    new = [rng.choice(column, 50) for column in columns]
    outside = [[c.min() - 1, c.max() + 1, np.nan, -1e38, 1e38] for c in columns]
    values = np.hstack([new, quantiles, outside, rng.normal(size=(5, 50))])
    expected = np.array(list(map(scores_by_interpolation, values, quantiles)))
    columns = np.arange(len(values))[:, None]
    scores = NormalScores(quantiles)
    found = scores(values, columns)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9, strict=True)
    mixed = np.random.default_rng(0).permutation(values.size)
    columns = columns.repeat(values.shape[1], axis=1).ravel()[mixed]
    cells = scores(values.ravel()[mixed], columns)
    assert_array_equal(cells, found.ravel()[mixed], strict=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.random.default_rng(0).normal(size=1000), "standard"),
        (np.random.default_rng(0).gamma(2, size=1000), "quantile"),
        (-np.random.default_rng(0).gamma(2, size=1000), "quantile"),
        (np.random.default_rng(0).standard_t(2, size=1000), "quantile"),
        (np.random.default_rng(0).laplace(size=1000), "standard"),  # excess of 3
        (np.repeat(np.geomspace(1, 1e6, 20), 50), "standard"),  # few distinct values
    ],
    ids=["normal", "skewed", "to the left", "heavy tails", "less heavy", "few values"],
)
def test_what_is_far_from_normal_is_scaled_by_quantiles(values, expected):
    assert describe(values, "auto")[2] == expected


def test_a_constant_column_is_not_spread_by_rounding():
    X = np.full((1000, 1), 0.1)
    assert X.std() > 0
    modality = Tabular().fit(X)
    assert_array_equal(modality.scale_, 1)
    assert_array_equal(modality.to_arrays(X)["numbers"], 0)


def test_a_column_without_values_in_fit_stays_zero():
    modality = Tabular().fit([[1.0, np.nan], [3.0, np.nan]])
    numbers = modality.to_arrays(np.array([[4.0, 5.0]]))["numbers"]
    assert_array_equal(numbers, [[2, 0]])
