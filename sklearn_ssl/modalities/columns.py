"""Columns of tables: reading them, what they hold, and where they are missing."""

import math
from decimal import Decimal
from numbers import Real

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils import check_array

from sklearn_ssl.modalities.scaling import blocks

NUMBERS = (Real, Decimal, np.bool_)
_MISSING = ("NAType", "NaTType")  # by name: pandas may not be installed
_LARGEST = np.float64(np.finfo(np.float32).max)


def as_frame(X, name="X"):
    """`X` as a narwhals DataFrame if it is a DataFrame, else as it is.

    Raises
    ------
    TypeError
        If `X`, which messages call `name`, is a LazyFrame.
    """
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return frame
    if nw.dependencies.is_polars_lazyframe(X):
        raise TypeError(
            f"{name} is a LazyFrame, whose rows are not in memory: collect() it first."
        )
    return X


def as_table(X):
    """`X` as a 2-D array or narwhals DataFrame with at least one row and column."""
    table = as_frame(X)
    if not isinstance(table, nw.DataFrame):
        if isinstance(X, list | tuple):
            X = np.array(X, dtype=object)  # else one text would make all cells text
        return check_array(X, dtype=None, ensure_all_finite=False, input_name="X")
    check_array(np.broadcast_to(False, table.shape))  # raises if it is empty
    return table


def labels_of(modality):
    """What the columns of a fitted modality are called in messages."""
    return column_labels(modality.feature_names_, modality.n_features_)


def column_labels(names, n_features):
    """What columns of these names, or of None, are called in messages."""
    return [f"column {name!r}" for name in names or range(n_features)]


def kind_of_type(dtype):
    """What a column of a narwhals type holds; None if its cells must tell."""
    if isinstance(dtype, (nw.String, nw.Categorical, nw.Enum)):
        return "text"
    if dtype.is_numeric() or dtype == nw.Boolean:
        return "numbers"
    if dtype == nw.Duration:
        return "durations"
    return "dates" if dtype in (nw.Date, nw.Datetime) else None


def read_column(table, j, label):
    """A column as an array, and what it holds.

    Returns
    -------
    values : ndarray of shape (n,)
        Dates as seconds since 1970, durations as seconds.
    kind : {"numbers", "dates", "durations", "text"}
        "text" if some cell is, or the column is of categories; "numbers" if all cells
        are objects that are missing.

    Raises
    ------
    TypeError, ValueError
        If a cell is none of these.
    """
    values = table[:, j]
    if isinstance(table, nw.DataFrame):
        dtype = values.dtype
        _check_is_flat(dtype, label)
        kind = kind_of_type(dtype)
        if kind == "text":
            # Not to_numpy, which loses the nulls of a pyarrow dictionary.
            return np.fromiter(values.to_list(), object, len(values)), kind
        if kind == "numbers":
            values = values.cast(nw.Float64)
        elif dtype == nw.Date:
            values = values.cast(nw.Datetime("us"))
        values = values.to_numpy()
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {label} is complex.")
    if values.dtype.kind == "M":
        return (values - np.datetime64(0, "s")) / np.timedelta64(1, "s"), "dates"
    if values.dtype.kind == "m":
        return values / np.timedelta64(1, "s"), "durations"
    if values.dtype.kind in "buif":
        return values, "numbers"
    values = values.astype(object, copy=False)
    types = set(map(type, values))
    texts = {cls for cls in types if issubclass(cls, str)}
    for cls in types - texts - {type(None)}:
        if not issubclass(cls, NUMBERS) and cls.__name__ not in _MISSING:
            row = next(row for row, cell in enumerate(values) if type(cell) is cls)
            raise TypeError(
                f"A cell argument must be a string or a number, but row {row} of "
                f"{label} holds a {cls.__name__}. Convert or drop the column."
            )
    return values, "text" if texts else "numbers"


def _check_is_flat(dtype, label):
    if dtype.is_nested():
        remedy = "Drop it, or give each of its items a column."
        if dtype == nw.Struct:
            remedy = "Drop or unnest it."
        raise TypeError(
            f"A cell must be a number or text, but {label} is of type "
            f"{type(dtype).__name__}. {remedy}"
        )


def kinds_of_cells(column):
    """What the cells of a column of a DataFrame hold that are not missing.

    Returns
    -------
    kinds : set of str
        As :func:`read_column` says; numbers among text are told apart, and what it
        would refuse goes by the name of its type.
    """
    present = column.drop_nulls()
    if not len(present):
        return set()
    kind = kind_of_type(column.dtype)
    if kind or column.dtype != nw.Object:
        return {kind or type(column.dtype).__name__}
    types = set(map(type, present.to_list()))
    texts = {cls for cls in types if issubclass(cls, str)}
    numbers = {cls for cls in types if issubclass(cls, NUMBERS)}
    kinds = {cls.__name__ for cls in types - texts - numbers}
    return kinds | {"text" for _ in texts} | {"numbers" for _ in numbers}


def check_holds(values, kind, held, label):
    """Check that a column holds what it held in `fit`.

    Text may stand for numbers, which :func:`to_float` checks, and numbers may be among
    the levels of text. What is missing is of any kind.

    Raises
    ------
    ValueError
        If a column of numbers, dates, durations or text holds another of these.
    """
    if kind == held or {kind, held} == {"numbers", "text"}:
        return
    if not all(is_missing(cell) for cell in values):
        raise ValueError(
            f"The {label} held {held} in fit, but holds {kind} now. Make it {held} or "
            f"missing, or fit on {kind}."
        )


def is_missing(cell):
    """Whether a cell is None, NaN, NA or NaT."""
    return cell is None or type(cell).__name__ in _MISSING or cell != cell


def to_float(values, label):
    """Floats from numbers, also those written as text; NaN where missing."""
    try:
        return values.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError):
        pass  # pd.NA, text, or a large int
    numbers = np.full(len(values), np.nan)
    for row, cell in enumerate(values):
        try:
            numbers[row] = np.nan if is_missing(cell) else float(cell)
        except OverflowError:  # a larger int than floats can be
            numbers[row] = math.inf if cell > 0 else -math.inf
        except (TypeError, ValueError):
            raise ValueError(
                f"Row {row} of {label} holds {cell!r}, but the column held numbers in "
                "fit. Make it a number or missing, or fit on the column as text."
            ) from None
    return numbers


def find_missing(values, labels):
    """Blocks of rows with missing values, and the mask of these.

    Raises
    ------
    ValueError
        If a value is infinite.
    """
    for rows in blocks(values):
        block = values[rows]
        # NaN survives min and max, so two quick passes clear most blocks.
        if -_LARGEST <= block.min() and block.max() <= _LARGEST:
            continue
        missing = np.isnan(block)
        infinite = ~missing & ~(np.abs(block) <= _LARGEST)
        if infinite.any():
            row, column = np.argwhere(infinite)[0]
            raise ValueError(
                "Input X contains infinity or a value too large for dtype('float32'). "
                f"Row {rows.start + row} of {labels[column]} holds "
                f"{block[row, column]}. "
                "Replace it by a finite number, or by NaN to mark it as missing."
            )
        yield rows, missing
