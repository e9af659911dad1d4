"""Large tables of numbers, converted row by row as they are read."""

from mmap import mmap

import numpy as np

from sklearn_ssl.modalities.columns import find_missing, labels_of
from sklearn_ssl.modalities.scaling import Scaler
from sklearn_ssl.modalities.tabular import holds_numbers

# A smaller copy of a table in memory is the quicker way, and nobody misses the space.
_LARGEST_COPY = 2**26


def read_rows(modality, X):
    """What ``modality.to_arrays(X)`` returns; for large tables, read as it is used.

    An array of numbers whose copy would be large, or that is mapped from a file, is not
    copied: what stands for it converts the rows that it is asked for, to the same bits.

    Parameters
    ----------
    modality : fitted component
    X : what it reads
        A table as ``as_table`` returns it.

    Returns
    -------
    arrays : dict of str to ndarray or :class:`ColumnReader`

    Raises
    ------
    TypeError, ValueError
        As ``to_arrays``.
    """
    if modality.name != "table" or modality.category_columns_:
        return modality.to_arrays(X)
    if not holds_numbers(modality, X) or not _is_large(X):
        return modality.to_arrays(X)
    for _ in find_missing(X, labels_of(modality)):
        pass  # an infinite value is an error, with the number of its row in all of X
    scaler = Scaler(modality)
    every = range(X.shape[1])
    arrays = {"numbers": ColumnReader(X, every, scaler)}
    if modality.missing_columns_:
        columns = modality.missing_columns_
        arrays["missing"] = ColumnReader(X, columns, _missing)
    return arrays


class ColumnReader:
    """Columns of an array that are converted as they are read, to float32.

    It reads as an array does: ``reader[rows]`` and ``reader[rows, column]``, whatever
    the shape of `rows`.

    Parameters
    ----------
    X : ndarray of shape (n, n_columns_of_X)
        Neither copied nor changed.
    columns : sequence of int
        Positions in X.
    convert : callable
        ``convert(values, columns)`` converts values of some of `columns`, in rows.
    """

    def __init__(self, X, columns, convert):
        self.X = X
        self.columns = np.array(columns)
        self.convert = convert
        self.shape = len(X), len(columns)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        if isinstance(key, tuple):
            return self._column(*key)
        values = self.X[key]
        if self.shape[1] < values.shape[-1]:
            values = values[..., self.columns]
        flat = values.reshape(-1, self.shape[1])
        return self.convert(flat, slice(None)).reshape(values.shape)

    def _column(self, rows, column=None, *rest):
        if rest or np.shape(column) or np.asarray(column).dtype.kind not in "iu":
            raise TypeError(
                "A large table is read by rows, or by rows and the number of a column. "
                "Take rows first, as source['numbers'][rows], then columns."
            )
        values = self.X[rows, self.columns[column]]
        return self.convert(values.reshape(-1, 1), [column]).reshape(values.shape)


def _is_large(X):
    size = X.size * np.dtype(np.float32).itemsize
    while isinstance(X, np.ndarray):
        X = X.base
    return isinstance(X, mmap) or size > _LARGEST_COPY


def _missing(values, columns):
    return np.isnan(values).astype(np.float32)
