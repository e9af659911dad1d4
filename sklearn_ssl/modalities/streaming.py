"""Large tables of numbers, converted row by row as they are read."""

from mmap import mmap
from numbers import Integral

import numpy as np

from sklearn_ssl.modalities.scaling import Scaler
from sklearn_ssl.modalities.tabular import find_missing, labels_of

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
    if modality.name != "table" or modality.category_columns_ or not _is_large(X):
        return modality.to_arrays(X)
    for _ in find_missing(X, labels_of(modality)):
        pass  # an infinite value is an error, with the number of its row in all of X
    arrays = {"numbers": ColumnReader(X, range(X.shape[1]), _scale_with(modality))}
    if modality.missing_columns_:
        arrays["missing"] = ColumnReader(
            X, modality.missing_columns_, _indicate_missing
        )
    return arrays


class ColumnReader:
    """Columns of an array that are converted as they are read, to float32.

    It reads as an array does: ``reader[rows]``, whatever the shape of `rows`, and
    ``reader[rows, column]``.

    Parameters
    ----------
    X : ndarray of shape (n, n_columns_of_X)
        Neither copied nor changed.
    columns : sequence of int
        Positions in X.
    converter : callable
        ``converter(places)`` returns the function that converts values of the columns
        at `places` of `columns`, shape (n, n_places); of all if ``None``.
    """

    def __init__(self, X, columns, converter):
        self.X = X
        self.columns = np.array(columns)
        self.converter = converter
        self.convert = converter(None)
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
        return self.convert(flat).reshape(values.shape)

    def _column(self, rows, place=None, *rest):
        if not isinstance(place, Integral) or rest:
            raise TypeError(
                "A large table is read by rows, or by rows and the number of one "
                "column. Take rows first, as source['numbers'][rows], then columns."
            )
        values = self.X[rows, self.columns[place]]
        return self.converter([place])(values.reshape(-1, 1)).reshape(values.shape)

    def cells(self, rows):
        """Of each column the cells of its own rows: `rows` of shape (n, n_columns)."""
        if rows.shape[1:] != self.shape[1:]:
            raise ValueError(
                f"Cells of a large table are taken from all {self.shape[1]} columns at "
                f"once, got numbers of rows of shape {rows.shape}."
            )
        return self.convert(self.X[rows, self.columns])


def _is_large(X):
    if not isinstance(X, np.ndarray) or X.dtype.kind not in "buif":
        return False
    size = X.size * np.dtype(np.float32).itemsize
    while isinstance(X, np.ndarray):
        X = X.base
    return isinstance(X, mmap) or size > _LARGEST_COPY


def _scale_with(modality):
    return lambda places: Scaler(modality, places)


def _indicate_missing(places):
    return lambda values: np.isnan(values).astype(np.float32)
