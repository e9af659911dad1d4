"""Stacking the rows of two data sets of one kind."""

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import _num_samples

from sklearn_ssl.modalities.columns import as_frame, kinds_of_cells


def with_unlabeled(X, X_unlabeled):
    """Stack the rows of X and, if given, of X_unlabeled.

    Raises
    ------
    TypeError, ValueError
        As :func:`concat_rows`, and if there are as many of either: cross-validation
        cuts whatever has a row for each row of X into folds, and says nothing.
    """
    if X_unlabeled is None:
        return X
    stacked = concat_rows(X, X_unlabeled)
    if _num_samples(X) == _num_samples(X_unlabeled):
        raise ValueError(
            f"X_unlabeled has {_num_samples(X)} rows, as many as X: cross-validation "
            "would cut, or has cut, it into folds as if each of its rows belonged to "
            "the row of X beside it. Put its rows below those of X instead (in y, mark "
            "them as unlabelled), or leave one out, also if it is the training rows of "
            "a fold that happen to be as many."
        )
    return stacked


def concat_rows(X, X_unlabeled):
    """Stack the rows of two arrays, two DataFrames of one library, or two lists.

    Numbers and text make an array of objects; DataFrame columns may be in any order.

    Raises
    ------
    TypeError, ValueError
        If the kinds of data, the columns or the types of the columns differ.
    """
    both = X, X_unlabeled
    if any(map(issparse, both)):
        raise TypeError(
            "Sparse data was passed, but dense data is required. Use '.toarray()' to "
            "convert X and X_unlabeled to dense arrays."
        )
    first, second = as_frame(X), as_frame(X_unlabeled, "X_unlabeled")
    if not any(isinstance(data, nw.DataFrame) for data in (first, second)):
        if not all(isinstance(data, np.ndarray) for data in both):
            _check_widths(*both)
            return [*X, *X_unlabeled]
        return _concat_arrays(*both)
    if type(X) is not type(X_unlabeled):
        raise TypeError(f"X is a {type(X)}, but X_unlabeled a {type(X_unlabeled)}.")
    missing = [name for name in first.columns if name not in second.columns]
    extra = [name for name in second.columns if name not in first.columns]
    if missing or extra:
        raise ValueError(
            "X and X_unlabeled must have the same columns. X_unlabeled lacks "
            f"{missing or 'none'} and has in addition {extra or 'none'}."
        )
    # By position: names that are numbers select nothing.
    second = second[:, [second.columns.index(name) for name in first.columns]]
    try:
        stacked = nw.concat([first, second])
    except Exception as error:  # libraries differ in which types they can stack
        raise _differ(_where(_differ_in_type, first, second)) from error
    # pandas stacks any types: as objects, of which one text would make a category.
    changed = _where(_changes_kind, first, second, stacked)
    if changed:
        raise _differ(changed)
    return stacked.to_native()


def _concat_arrays(*both):
    types = [data.dtype for data in both]
    if types[0].kind != types[1].kind and any(dtype.kind in "mM" for dtype in types):
        raise ValueError(
            f"X holds {types[0]} and X_unlabeled {types[1]}. Cast one of them."
        )
    if len({dtype.kind in "buifc" for dtype in types}) == 2:
        both = [data.astype(object) for data in both]  # else numbers become text
    if both[0].shape[1:] != both[1].shape[1:]:
        raise ValueError(
            "The rows of X and X_unlabeled must have one shape, got "
            f"{both[0].shape[1:]} and {both[1].shape[1:]}."
        )
    if both[0].ndim > 2 and len({dtype == np.uint8 for dtype in types}) == 2:
        raise ValueError(
            f"X holds {types[0]} and X_unlabeled {types[1]} pixels. Give both as "
            "uint8, or both as numbers of one scale."
        )
    return np.concatenate(both)


def _check_widths(X, X_unlabeled):
    """Check rows that are lists or 1-D arrays; images may differ in size."""
    rows = [next(iter(data), None) for data in (X, X_unlabeled)]
    if all(isinstance(r, list | tuple) or _is_vector(r) for r in rows):
        widths = [len(row) for row in rows]
        if widths[0] != widths[1]:
            raise ValueError(
                f"X has {widths[0]} columns, but X_unlabeled {widths[1]}. Give both "
                "the same columns."
            )


def _is_vector(row):
    return isinstance(row, np.ndarray) and row.ndim == 1


def _where(function, *tables):
    """Names of the columns for which a function of those of each table is true."""
    names = tables[0].columns
    columns = ([table[:, j] for table in tables] for j in range(len(names)))
    return [n for n, each in zip(names, columns, strict=True) if function(*each)]


def _differ(names):
    return ValueError(
        f"X and X_unlabeled differ in the type of {names}. Cast these columns."
    )


def _differ_in_type(first, second):
    """Whether the library's own types differ: narwhals has one for several."""
    both = first.to_native(), second.to_native()
    types = [c.type if hasattr(c, "type") else c.dtype for c in both]
    return types[0] != types[1]


def _changes_kind(first, second, stacked):
    """Whether a column changes kind where rows of `second` are put below `first`."""
    types = {column.dtype for column in (first, second, stacked)}
    if len(types) == 1 and nw.Object not in types:
        return False
    held, added, result = map(kinds_of_cells, (first, second, stacked))
    return not (_suits(held, added) and _suits(held or added, result))


def _suits(held, added):
    """Whether a column that holds some kinds of cells may take others.

    What is missing suits any. Text may bring numbers, codes among words, but not turn
    what held numbers alone into categories.
    """
    return not held or not added or "text" in held & added or added <= held
