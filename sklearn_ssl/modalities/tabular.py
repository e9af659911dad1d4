"""Tables: arrays and DataFrames with number and category columns."""

from collections import Counter
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._parameters import check_number, check_option
from sklearn_ssl.modalities.columns import (
    NUMBERS,
    as_table,
    check_holds,
    column_labels,
    find_missing,
    is_missing,
    labels_of,
    read_column,
    to_float,
)
from sklearn_ssl.modalities.scaling import Scaler, bin_edges, describe


@dataclass(kw_only=True, eq=False, repr=False)
class Tabular(BaseEstimator):
    """Tables as scaled numbers, missing indicators and category codes.

    Columns of numbers, booleans, dates and durations (in seconds) are *number* columns;
    columns of text, digits included, and categoricals are *category* columns. A column
    without any value in `fit` becomes a number column of zeros.

    Parameters
    ----------
    numeric : {"auto", "standard", "quantile"}, default="auto"
        How numbers are scaled: to zero mean and unit variance, clipped at ±10 so that
        no outlier swamps a network, or from the training quantiles to those of a
        normal distribution. "auto" takes "quantile" for columns of over 20 distinct
        values with absolute skewness above 1 or excess kurtosis above 5.
    max_categories : int, default=100
        Number of levels that a category column keeps, the most frequent ones. The
        others share the code of unseen levels.
    embedding_dim : "auto" or int, default=8
        Width of a category's embedding, with which it enters the encoder. "auto" is
        1.6 times the column's number of levels to the power of 0.56, rounded and at
        most 600, as in fastai: 2 for two levels, 6 for ten, 21 for a hundred.

    Attributes
    ----------
    n_features_, feature_names_ : int, list of str or None
        Number and names of the columns, None if `X` had no names.
    number_columns_, category_columns_ : list of int
        Positions of the columns of either kind.
    held_ : list of {"numbers", "dates", "durations"}
        What each number column held in `fit`; "numbers" if it held nothing.
    missing_columns_ : list of int
        Positions, among the number columns, of those with a missing indicator.
    mean_, scale_ : ndarray of shape (n_number_columns,)
        Means and standard deviations (1 for constant columns), float64.
    scaling_ : list of {"standard", "quantile", "empty"}
        Scaling of each number column; "empty" had no value in `fit`.
    quantiles_ : ndarray of shape (n_quantile_columns, n_quantiles)
        Training quantiles of the columns scaled by them.
    bin_edges_ : list of list of float
        Bounds, once scaled, of 48 bins of each number column that hold about equally
        many of (at most 10 000 of) its training values; fewer where values tie.
    categories_ : list of list of str
        Levels of each category column, by decreasing frequency, ties by name.
    cardinalities_ : list of int
        Number of codes of each category column: its levels and two more.

    Notes
    -----
    Levels are compared as text, whole numbers without decimals: `1`, `1.0`, `True` and
    `"1"` are one level, `"1.0"` is another. Quantile scaling is that of
    :class:`~sklearn.preprocessing.QuantileTransformer`, but values tied at the smallest
    or largest are put in the middle of their ranks, as other ties are, and not at ±5.2.
    Levels beyond `max_categories` train the embedding that unseen levels will have;
    where there are none it is zero, as is that of missing cells.

    Of arrays of numbers that are mapped from a file, or whose copy would take more than
    64 MB, methods make no copy: they convert rows as they need them, to the same bits.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ssl.modalities.tabular import Tabular
    >>> X = pd.DataFrame({"age": [30.0, None, 50.0], "city": ["Bern", "Chur", "Bern"]})
    >>> arrays = Tabular().fit(X).to_arrays(X)
    >>> {key: array.ravel().tolist() for key, array in arrays.items()}
    {'numbers': [-1.0, 0.0, 1.0], 'missing': [0.0, 1.0, 0.0], 'categories': [2, 3, 2]}
    """

    name: ClassVar[str] = "table"
    rows_to_see: ClassVar[int] = 400_000

    numeric: str = "auto"
    max_categories: int = 100
    embedding_dim: int | str = 8

    def fit(self, X):
        """Learn the kinds, scales and levels of the columns.

        Parameters
        ----------
        X : array-like, DataFrame or pyarrow Table of shape (n_samples, n_features)
            Training rows. NaN, None, NaT and null are missing values.

        Returns
        -------
        self : Tabular

        Raises
        ------
        TypeError, ValueError
            If `X` is sparse, not 2-D, empty, complex or infinite, if a cell is neither
            a number nor text, or if a parameter is invalid.
        """
        options = ("auto", "standard", "quantile")
        check_option("modality: numeric", self.numeric, options)
        check_number("modality: max_categories", self.max_categories, Integral, 1)
        dim = self.embedding_dim
        check_number("modality: embedding_dim", dim, Integral, 1, words=("auto",))
        table = as_table(X)
        n_samples, n_features = table.shape
        names = list(getattr(table, "columns", ()))
        names = names if names and isinstance(names[0], str) else None
        number_columns, missing_columns, category_columns = [], [], []
        means, scales, scalings, quantiles, categories = [], [], [], [], []
        edges, held = [], []
        for j, label in enumerate(column_labels(names, n_features)):
            values, kind = read_column(table, j, label)
            is_category = kind == "text"
            levels = _levels(values, self.max_categories) if is_category else []
            if levels:
                category_columns.append(j)
                categories.append(levels)
                continue
            values = np.full(n_samples, np.nan) if is_category else values
            values = to_float(values, label)
            if list(find_missing(values[:, None], [label])):
                missing_columns.append(len(number_columns))
                values = values[~np.isnan(values)]
            number_columns.append(j)
            mean, scale, scaling = describe(values, self.numeric)
            means.append(mean)
            scales.append(scale)
            scalings.append(scaling)
            held.append("numbers" if scaling == "empty" else kind)
            if scaling == "quantile":
                ranks = np.linspace(0, 1, min(1000, n_samples))
                found = np.quantile(np.sort(values), ranks)  # quicker than unsorted
                quantiles.append(np.maximum.accumulate(found))
            by_quantiles = quantiles[-1] if scaling == "quantile" else None
            edges.append(bin_edges(values, mean, scale, by_quantiles))
        # Set last, so that a failed refit leaves the old state whole.
        self.n_features_, self.feature_names_ = n_features, names
        self.number_columns_, self.missing_columns_ = number_columns, missing_columns
        self.mean_, self.scale_ = np.array(means), np.array(scales)
        self.scaling_, self.quantiles_ = scalings, np.array(quantiles)
        self.bin_edges_, self.held_ = edges, held
        self.category_columns_, self.categories_ = category_columns, categories
        self.cardinalities_ = [len(levels) + 2 for levels in categories]
        return self

    def to_arrays(self, X):
        """Turn rows into arrays.

        Parameters
        ----------
        X : array-like, DataFrame or pyarrow Table of shape (n_samples, n_features)
            Rows with the columns of `fit`. They are not modified.

        Returns
        -------
        arrays : dict of str to ndarray
            C-contiguous arrays with `n_samples` rows, without those of no column:
            "numbers" (float32, 0 where missing), "missing" (float32, 1 where missing;
            number columns with missing values in `fit` alone) and "categories" (int64:
            0 missing, 1 unseen or rare, 2 the most frequent level, ...).

        Raises
        ------
        TypeError, ValueError
            As in `fit`, and if a column that held numbers, dates or durations in it
            holds another of these, or text that is not a number.
        """
        check_is_fitted(self)
        table = as_table(X)
        labels = labels_of(self)
        arrays = {}
        if self.number_columns_:
            arrays["numbers"], missing = self._scale(table, labels)
            if self.missing_columns_:
                arrays["missing"] = missing
        if self.category_columns_:
            codes = np.empty((table.shape[0], len(self.category_columns_)), np.int64)
            for k, j in enumerate(self.category_columns_):
                values, kind = read_column(table, j, labels[j])
                check_holds(values, kind, "text", labels[j])
                code = _Codes({c: i + 2 for i, c in enumerate(self.categories_[k])})
                codes[:, k] = [code[cell] for cell in values.tolist()]
            arrays["categories"] = codes
        return arrays

    @property
    def norms(self):
        """Norm of a row of the embedding, and of the columns beside it.

        By measurement: what follows is a classifier that is regularized by default, and
        the more columns a table has, the less of that it needs.
        """
        return (0.5 * self.n_features_**0.5) ** 0.5, 3.5**0.5

    def input_layer(self):
        """Build the network's input layer."""
        from sklearn_ssl.encoders.inputs import TabularInput

        return TabularInput(
            len(self.number_columns_),
            self.missing_columns_,
            self.cardinalities_,
            self.embedding_dim,
            self.bin_edges_,
            self._standardized_quantiles(),
        )

    def default_encoder(self):
        """An MLP."""
        from sklearn_ssl.encoders import MLP

        return MLP()

    def default_token_encoder(self):
        """A transformer whose tokens are the columns."""
        from sklearn_ssl.encoders import FTTransformer

        return FTTransformer()

    def default_batch_size(self, n_rows):
        """256 rows."""
        return 256

    def default_views(self):
        """Corruption of cells, in both views."""
        from sklearn_ssl.views import Corruption

        return Corruption(rate=0.3)

    def corruption(self, rate):
        """Views that leave a row to be restored: swap noise."""
        from sklearn_ssl.views import Corruption

        return Corruption(rate=rate, exact=False)

    def _standardized_quantiles(self):
        """Those of the number columns that are scaled by quantiles."""
        columns = np.flatnonzero(np.array(self.scaling_) == "quantile").tolist()
        return {
            j: (row - self.mean_[j]) / self.scale_[j]
            for j, row in zip(columns, self.quantiles_, strict=True)
        }

    def _scale(self, table, labels):
        columns = self.number_columns_
        labels = [labels[j] for j in columns]
        if holds_numbers(self, table):
            values = table if len(columns) == table.shape[1] else table[:, columns]
        else:
            values = np.empty((table.shape[0], len(columns)))
            for k, j in enumerate(columns):
                cells, kind = read_column(table, j, labels[k])
                if self.scaling_[k] == "empty":  # its first values may even be text
                    cells = np.where([is_missing(cell) for cell in cells], np.nan, 0)
                else:
                    check_holds(cells, kind, self.held_[k], labels[k])
                values[:, k] = to_float(cells, labels[k])
        missing = np.zeros((len(values), len(self.missing_columns_)), np.float32)
        for rows, absent in find_missing(values, labels):
            missing[rows] = absent[:, self.missing_columns_]
        return Scaler(self)(values), missing


def holds_numbers(modality, X):
    """Whether X is an array of numbers, as which a fitted modality may read it."""
    is_array = isinstance(X, np.ndarray) and X.dtype.kind in "buif"
    return is_array and set(modality.held_) <= {"numbers"}


def _level(cell):
    """Name of a level: numbers that are whole lose their decimals."""
    if not isinstance(cell, NUMBERS):
        return str(cell)
    is_whole = isinstance(cell, Integral | np.bool_) or float(cell).is_integer()
    return str(int(cell)) if is_whole else str(float(cell))


def _levels(values, max_categories):
    counts = Counter()
    for cell, count in Counter(values.tolist()).items():
        if not is_missing(cell):
            counts[_level(cell)] += count
    return sorted(counts, key=lambda level: (-counts[level], level))[:max_categories]


class _Codes(dict):
    """Codes of levels; another cell is looked up once, by the name of its level."""

    def __missing__(self, cell):
        if is_missing(cell):
            return 0
        code = self[cell] = self.get(_level(cell), 1)
        return code
