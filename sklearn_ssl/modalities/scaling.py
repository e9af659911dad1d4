"""Scales of number columns, by moments or by quantiles, and bins of them."""

import numpy as np
from scipy.special import ndtri

_BLOCK = 2**15  # cells scaled at a time: as float64 they fit the processor's cache
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
        squared = z * z  # not z**3: powers take a hundred times longer
        z *= squared
        is_far = abs(z.mean()) > 1 or np.mean(squared * squared) > 8  # normal: 0 and 3
        numeric = "quantile" if is_far and len(np.unique(values)) > 20 else "standard"
    return mean, scale, numeric


def blocks(X):
    """Slices of rows, each of about as many cells as are scaled at a time."""
    step = max(1, _BLOCK // X.shape[1])
    return (slice(start, start + step) for start in range(0, len(X), step))


class Scaler:
    """Scales cells of number columns as a fitted :class:`Tabular` says."""

    def __init__(self, modality):
        self.mean, self.factor = modality.mean_, 1 / modality.scale_
        scaling = np.array(modality.scaling_)
        self.empty = scaling == "empty"
        places = np.flatnonzero(scaling == "quantile")
        self.to_normal = NormalScores(modality.quantiles_) if len(places) else None
        self.place = np.full(len(scaling), -1)  # among those scaled by quantiles
        self.place[places] = np.arange(len(places))

    def __call__(self, values, columns=slice(None)):
        """Scale values of all or some columns to float32, 0 where missing."""
        numbers = np.empty(values.shape, np.float32)
        for rows in blocks(values):
            self._scale(values[rows], columns, numbers[rows])
        return numbers

    def _scale(self, values, columns, out):
        # float64: a large offset would use up the digits of float32.
        scaled = values - self.mean[columns]
        scaled *= self.factor[columns]
        np.clip(scaled, -10, 10, out=out)
        if self.to_normal:
            place = self.place[columns]
            some = np.flatnonzero(place >= 0)
            chosen = values[:, some].T.astype(float, order="C")
            out[:, some] = self.to_normal(chosen, place[some][:, None]).T
        out[:, self.empty[columns]] = 0
        out[np.isnan(out)] = 0


class NormalScores:
    """Normal scores of values by the quantiles of their columns; NaN where missing.

    Between two quantiles the rank is interpolated; where several tie it is the mean of
    their ranks. All columns are searched at once, in steps without branches, which
    processors mispredict.

    Parameters
    ----------
    quantiles : ndarray of shape (n_columns, n_quantiles)
        Ascending in each row.
    """

    def __init__(self, quantiles):
        n_columns, n = quantiles.shape
        self.n_steps = n.bit_length()
        # The one large table: several would not stay in the processor's cache.
        self.sorted = np.full((n_columns, 1 << self.n_steps), np.inf)
        self.sorted[:, :n] = quantiles
        self.largest = n - 1
        starts = np.diff(quantiles, prepend=-np.inf) > 0
        last = np.arange(n)
        first = np.maximum.accumulate(np.where(starts, last, 0), axis=1)
        self.tied = (first + last) / 2

    def __call__(self, values, columns):
        """Scores of float64 values of any shape, to which their `columns` broadcast."""
        start = columns * self.sorted.shape[1]
        right = self._count_below(values, start)
        left = np.maximum(right - 1, 0)
        np.minimum(right, self.largest, out=right)
        low, width = _take(self.sorted, left + start), _take(self.sorted, right + start)
        width -= low
        ranks = values - low
        is_quantile = np.nonzero(ranks == 0)
        wide = width > np.finfo(float).tiny  # through a narrower one there is no slope
        np.divide(ranks, width, out=ranks, where=wide)
        ranks *= wide
        ranks += left
        column = np.broadcast_to(columns, values.shape)[is_quantile]
        ranks[is_quantile] = self.tied[column, left[is_quantile]]
        ranks /= self.largest
        return ndtri(np.clip(ranks, 1e-7, 1 - 1e-7))

    def _count_below(self, values, start):
        """How many quantiles of its column are not above each value."""
        places = np.broadcast_to(start, values.shape).copy()
        bounds, is_below = np.empty_like(values), np.empty(values.shape, bool)
        step = np.empty_like(places)
        for size in (1 << i for i in reversed(range(self.n_steps))):
            _take(self.sorted.ravel()[size - 1 :], places, out=bounds)
            np.less_equal(bounds, values, out=is_below)
            places += np.multiply(is_below, size, out=step)
        places -= start
        return places


def _take(array, places, out=None):
    # Without "clip", which changes nothing here, it is many times slower.
    return array.take(places, mode="clip", out=out)


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
        edges = NormalScores(quantiles[None])(edges, 0)
    # Between nearer bounds float32 has room for a few numbers only.
    return np.unique(edges.round(4)).tolist()
