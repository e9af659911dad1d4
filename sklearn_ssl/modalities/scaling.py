"""Scales of number columns, by moments or by quantiles, and bins of them."""

import numpy as np
from scipy.special import ndtri

_N_BINS = 48
# More would hardly move the bins.
_MAX_ROWS_TO_BIN = 10_000


def describe(values, numeric):
    """Mean, scale and scaling of the values of a column that are not missing."""
    if values.size == 0:
        return 0.0, 1.0, "empty"
    mean, scale = values.mean(), values.std()
    # Rounding gives a constant column a tiny deviation from its own mean.
    if values.min() == values.max() or scale < np.finfo(np.float32).tiny:
        mean, scale = values[0], 1.0
    if numeric == "auto":
        z = (values - mean) / scale
        is_far = abs(np.mean(z**3)) > 1 or np.mean(z**4) > 8  # a normal's: 0 and 3
        numeric = "quantile" if is_far and len(np.unique(values)) > 20 else "standard"
    return mean, scale, numeric


def to_normal(values, quantiles):
    """Normal scores of values by their quantiles; 0 where missing."""
    ranks = np.linspace(0, 1, len(quantiles))
    # A tie spans several ranks: its last from the left, its first from the right.
    last = np.interp(values, quantiles, ranks)
    first = -np.interp(-values, -quantiles[::-1], -ranks[::-1])
    return np.nan_to_num(ndtri(np.clip((first + last) / 2, 1e-7, 1 - 1e-7)))


def bin_edges(values, mean, scale, quantiles=None):
    """Bounds, once scaled, of 48 bins that hold about equally many values.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Values of a column that are not missing.
    mean, scale : float
    quantiles : ndarray or None
        Those by which the column is scaled; ``None`` means by mean and scale.

    Returns
    -------
    edges : list of float
        Quantiles of the values, or of 10 000 of them, ascending. Where values tie there
        are fewer: one for a constant column, none for an empty one.
    """
    if values.size == 0:
        return []
    some = np.sort(values[:: -(-values.size // _MAX_ROWS_TO_BIN)])
    # What np.quantile does in several times the time.
    places = np.linspace(0, some.size - 1, _N_BINS + 1)
    edges = np.interp(places, np.arange(some.size), some)
    if quantiles is None:
        edges = np.clip((edges - mean) / scale, -10, 10)
    else:
        edges = to_normal(edges, quantiles)
    # Between nearer bounds float32 has room for a few numbers only.
    return np.unique(edges.round(4)).tolist()
