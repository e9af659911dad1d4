"""The rule by which AutoSSL chooses."""

import math
from statistics import NormalDist

import numpy as np
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

from sklearn_ssl._paired import corrected_error

# Within the bounds, the cross-validation is repeated until it scored as many rows.
_ROWS_TO_SCORE = 2000
_REPEATS = 1, 5
# By measurement: to be surer costs more where there is a gain than it saves elsewhere.
_PROBABILITY = 0.75


def choose(scores, base, n_train, n_test, prior_labels):
    """Choose the base, or what gains more than a threshold over it.

    The threshold is ``z * error * sqrt(1 + prior_labels / n_labeled)``, with z the
    normal quantile of 0.75. To see why, let the gain that was found have a normal
    error, and let the prior be as normal, about 0, as `prior_labels` labelled rows
    would make it if they were all that was known: of variance ``error**2 * n_labeled /
    prior_labels``. Then, with ``share = n_labeled / (n_labeled + prior_labels)``, the
    gain has the mean ``share * gain`` and the variance ``share * error**2``, and is
    above 0 with a probability of 0.75 where ``gain`` equals the threshold. Each choice
    is weighed against the base alone, however many there are.

    Parameters
    ----------
    scores : dict of ndarray of shape (n_folds,)
        Of the base and of each other choice, on the same folds.
    base : object
        The key of what is kept unless there is better.
    n_train, n_test : int
        Labelled rows of which a fold trains and tests; `n_labeled` is their sum.
    prior_labels : float
        Labelled rows that the belief in the base is worth.

    Returns
    -------
    name : object
        What exceeds its threshold by most, or the base if nothing does.
    gains, thresholds : dict of float
        Of all but the base.
    """
    weight = NormalDist().inv_cdf(_PROBABILITY) * math.sqrt(
        1 + prior_labels / (n_train + n_test)
    )
    gains, thresholds = {}, {}
    for name in scores:
        if name != base:
            difference = np.subtract(scores[name], scores[base])
            gains[name] = float(difference.mean())
            error = corrected_error(difference, n_train, n_test)
            thresholds[name] = math.inf if math.isinf(weight) else weight * error
    # A score that is no number passes nothing.
    passing = {
        name: gains[name] - thresholds[name]
        for name in gains
        if gains[name] > thresholds[name]
    }
    return max(passing, key=passing.get, default=base), gains, thresholds


def suits(judge, Z, labels, scoring):
    """Whether a judge can be fitted to all labelled rows, and scored on them."""
    try:
        fitted = clone(judge).fit(Z, labels)
        check_scoring(fitted, scoring)(fitted, Z, labels)
    except Exception:  # whatever it is, `fit` has raised the like before
        return False
    return True


def inner_folds(labels, n_folds, classify, seed):
    """Folds of the labelled rows, repeated; none if there are too few.

    Of the classes, those with fewer rows than there are folds are left out, and there
    are as many folds as the second largest class has rows, at most.
    """
    rows = np.arange(len(labels))
    if classify:
        _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        n_folds = min(n_folds, np.sort(counts)[-2] if len(counts) > 1 else 0)
        rows = rows[counts[codes] >= n_folds]
    else:
        n_folds = min(n_folds, len(rows) // 2)  # two rows have a score
    if n_folds < 2:
        return []
    n_repeats = int(np.clip(_ROWS_TO_SCORE // len(rows), *_REPEATS))
    splitter = RepeatedStratifiedKFold if classify else RepeatedKFold
    rng = np.random.RandomState(np.random.SeedSequence(seed).generate_state(1))
    splits = splitter(n_splits=n_folds, n_repeats=n_repeats, random_state=rng)
    folds = splits.split(rows, labels[rows] if classify else None)
    return [(rows[train], rows[test]) for train, test in folds]
