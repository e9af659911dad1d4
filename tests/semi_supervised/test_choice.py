"""The rule by which AutoSSL chooses a method or the raw columns."""

import numpy as np
import pytest
from scipy import stats

from sklearn_ssl.semi_supervised._choice import choose, inner_folds


def _scores(gain, spread, n_folds=10):
    """Scores of raw, and of a method with a gain that spreads over folds."""
    noise = np.random.default_rng(0).normal(size=n_folds)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    return {"raw": np.full(n_folds, 0.5), "a": 0.5 + gain + spread * noise}


def test_the_threshold_is_where_a_gain_has_a_probability_of_three_quarters():
    n, prior, spread = 50, 30, 0.1
    error = spread * np.sqrt(1 / 10 + 10 / 40)
    _, gains, thresholds = choose(_scores(0.07, spread), "raw", 40, 10, prior)
    assert gains["a"] == pytest.approx(0.07)
    # A normal prior of the variance that `prior` rows would have, and a normal error.
    prior_variance, variance = error**2 * n / prior, error**2
    posterior = 1 / (1 / prior_variance + 1 / variance)

    def above_zero(gain):
        return stats.norm.cdf(posterior * gain / variance / np.sqrt(posterior))

    assert above_zero(thresholds["a"]) == pytest.approx(0.75)
    for factor, name in ((0.99, "raw"), (1.01, "a")):
        scores = _scores(factor * thresholds["a"], spread)
        assert choose(scores, "raw", 40, 10, prior)[0] == name


def test_shrinkage_at_its_ends():
    scores = _scores(0.05, 0.1)
    error = stats.norm.ppf(0.75) * 0.1 * np.sqrt(1 / 10 + 1 / 4)
    threshold = {
        (n, prior): choose(scores, "raw", 0.8 * n, 0.2 * n, prior)[2]["a"]
        for n in (1, 20, 1e9)
        for prior in (0, 20, np.inf)
    }
    for n in (1, 20, 1e9):
        assert threshold[n, 0] == pytest.approx(error)  # that of the scores alone
        assert threshold[n, np.inf] == np.inf  # never
    assert threshold[20, 20] == pytest.approx(error * 2**0.5)
    assert threshold[1, 20] == pytest.approx(error * 21**0.5)
    assert threshold[1e9, 20] == pytest.approx(error)
    # The same gain: noise of few labels, news of many.
    assert choose(scores, "raw", 4, 1, 5)[0] == "raw"
    assert choose(scores, "raw", 400, 100, 5)[0] == "a"


@pytest.mark.parametrize("prior", [0, 20, np.inf])
def test_what_does_not_gain_is_never_chosen(prior):
    assert choose(_scores(0, 0), "raw", 40, 10, prior)[0] == "raw"
    assert choose(_scores(-0.1, 0), "raw", 40, 10, prior)[0] == "raw"
    assert choose(_scores(-0.1, 0.01), "raw", 40, 10, prior)[0] == "raw"
    name, _, thresholds = choose(_scores(0.3, 0), "raw", 40, 10, np.inf)
    assert name == "raw" and thresholds["a"] == np.inf
    assert choose(_scores(0.3, 0), "raw", 40, 10, 20)[0] == "a"


def test_the_surest_gain_is_chosen():
    scores = _scores(0.1, 0.01) | {"b": _scores(0.12, 0.2)["a"]}
    name, gains, _ = choose(scores, "raw", 40, 10, 0)
    assert gains["b"] > gains["a"]
    assert name == "a"


def test_scores_that_are_no_numbers_are_not_chosen():
    bad, good = np.full(10, np.nan), _scores(0.3, 0.01)["a"]
    raw = np.full(10, 0.5)
    for scores in ({"a": bad, "b": good}, {"b": good, "a": bad}):
        assert choose({"raw": raw} | scores, "raw", 40, 10, 5)[0] == "b"
    assert choose({"raw": bad, "a": good}, "raw", 40, 10, 5)[0] == "raw"
    assert choose({"raw": raw}, "raw", 40, 10, 5) == ("raw", {}, {})


def test_how_often_what_gains_nothing_is_chosen():
    """With many labels about as often as the rule says, by folds that are independent.

    The corrected error is larger, so it is rarer.
    """
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2000, 25))
    chosen = [
        choose({"raw": np.zeros(25), "a": x}, "raw", 1e6, 1e3, 5)[0] == "a"
        for x in noise
    ]
    assert 0.22 < np.mean(chosen) < 0.28
    corrected = [
        choose({"raw": np.zeros(25), "a": x}, "raw", 8, 2, 5)[0] == "a" for x in noise
    ]
    assert np.mean(corrected) < np.mean(chosen) / 2


def test_repeats_count_the_rows_that_are_scored():
    labels = np.r_[np.repeat([0, 1], 300), np.arange(2, 502)]
    assert len(inner_folds(labels, 5, True, 0)) == 5 * 3


def test_an_infinite_prior_keeps_the_base_even_without_a_spread():
    scores = {"raw": np.zeros(10), "a": np.ones(10)}
    name, _, thresholds = choose(scores, "raw", 40, 10, np.inf)
    assert name == "raw" and thresholds["a"] == np.inf
