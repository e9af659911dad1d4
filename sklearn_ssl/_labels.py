"""Which rows have no label."""

from numbers import Integral, Real
from warnings import warn

import numpy as np
from sklearn.frozen import FrozenEstimator

from sklearn_ssl._parameters import is_auto
from sklearn_ssl.modalities.columns import is_missing

# What numpy makes of marks when it turns a list of labels into text.
_MARKS_AS_TEXT = {"-1", "nan", "None", "<NA>"}


def find_unlabeled(y, marker="auto"):
    """Tell which rows have no label.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
        Labels or targets.
    marker : "auto", None, or a label
        What marks a row without label. "auto": -1, or a missing value (NaN, None, NA)
        in floats and objects; but -1 and 1 alone are two classes. NaN: missing values
        alone. ``None``: nothing.

    Returns
    -------
    unlabeled : ndarray of shape (n,), bool

    Raises
    ------
    ValueError
        If y mixes marks, or some outputs alone of a row have one.
    """
    y = np.asarray(y)
    missing = _is_missing(y)
    if marker is None and missing.any():
        raise ValueError(
            "y holds missing labels, but unlabeled=None says that all rows have one. "
            "Pass unlabeled='auto'."
        )
    auto = is_auto(marker)
    if auto and y.dtype.kind in "US":
        _check_text(y)
    marker = -1 if auto else marker
    marked = np.zeros(y.shape, bool) if is_missing(marker) else _equals(y, marker)
    if marked.any() and missing.any():
        raise ValueError(
            "y mixes two marks of rows without label, a missing value and "
            f"{marker!r}. Use one, or pass unlabeled=np.nan if {marker!r} is a label."
        )
    if auto and _are_two_classes(y, marked):
        warn(
            "y holds -1 and 1 alone: both are taken for classes, and no row for "
            "unlabelled. Pass unlabeled=None to confirm this, or unlabeled=-1 if -1 "
            "marks rows without label, and all labels known are 1.",
            UserWarning,
            stacklevel=2,
        )
        return _whole_rows(missing)
    return _whole_rows(marked | missing, by_number=marked.any())


def take_labels(y, rows):
    """Some rows of y, without the type that marks in other rows gave it.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
    rows : array of int or bool
        Rows that have a label.

    Returns
    -------
    labels : ndarray
        Numbers where they stood beside None or NA; text stays as objects.
    """
    labels = np.asarray(y)[rows]
    if labels.dtype == object and not any(isinstance(x, str) for x in labels.flat):
        return np.array(labels.tolist())
    return labels


def take_labelled(y, marker="auto"):
    """Row numbers of those that have a label, as by `find_unlabeled`; their labels."""
    rows = np.flatnonzero(~find_unlabeled(y, marker))
    return rows, take_labels(y, rows)


def labelled_rows(y, marker="auto"):
    """Row numbers of those that have a label; ValueError if there are none."""
    unlabeled = find_unlabeled(y, marker)
    if unlabeled.all():
        raise ValueError(f"None of the {len(unlabeled)} rows has a label.")
    return np.flatnonzero(~unlabeled)


def with_marks(labels, rows, n, mark, dtype):
    """The labels at some rows of n, and a mark at the others."""
    y = np.full((n, *labels.shape[1:]), mark, dtype)
    y[rows] = labels
    return y


def one_column(y):
    """Labels as an array of shape (n,), also of one column; ValueError for more."""
    y = np.asarray(y)
    if y.shape[1:] not in ((), (1,)):
        raise ValueError(f"y must have one column, got {y.shape[1]}.")
    return y.ravel()


def inside(part):
    """Estimators that are, or are anywhere inside, a part; but for what is frozen.

    Parameters
    ----------
    part : object
        An estimator, or a list, tuple or dict of parts; all else holds none.
    """
    if isinstance(part, dict):
        part = [*part.values()]
    if isinstance(part, list | tuple):
        for one in part:
            yield from inside(one)
    elif hasattr(part, "get_params") and not isinstance(part, FrozenEstimator | type):
        yield part
        yield from inside(part.get_params(deep=False))


def uses_labels(transformer):
    """Whether fitting it makes use of y; what is frozen is not fitted."""
    return any(getattr(part, "_uses_labels", False) for part in inside(transformer))


def describe_labels(transformer, marker, are_targets):
    """Tell what uses labels, in place, what its y holds.

    Parameters
    ----------
    transformer : transformer
        What uses labels inside has a parameter `unlabeled`, and
        ``_take_for_targets()``.
    marker : None, or a label
        What marks rows without label.
    are_targets : bool
        Whether the labels are targets of a regression, whatever they look like.
    """
    for part in inside(transformer):
        if getattr(part, "_uses_labels", False):
            part.set_params(unlabeled=marker)
            if are_targets:
                part._take_for_targets()


def marker_of_targets(y, marker="auto"):
    """NaN where "auto" stands beside floats that are targets, of which -1 may be one.

    They are if one is NaN or not all are whole; else `marker` as it is.
    """
    y = as_floats(y)
    if y.dtype.kind == "f" and is_auto(marker):
        if np.isnan(y).any() or not is_whole(y):
            return np.nan
    return marker


def as_floats(y):
    """Objects that are numbers, some of them floats, as floats; all else as it is."""
    y = np.asarray(y)
    if y.dtype.kind != "O":
        return y
    missing = _is_missing(y)
    known = y[~missing]
    kinds = set(map(type, known))
    if bool in kinds or not all(issubclass(kind, Real) for kind in kinds):
        return y
    if all(issubclass(kind, Integral) for kind in kinds):
        return y
    floats = np.full(y.shape, np.nan)
    floats[~missing] = known
    return floats


def is_whole(y):
    """Whether all floats that are not NaN are whole numbers."""
    y = y[~np.isnan(y)]
    return bool((y == np.floor(y)).all())


def settle_marker(y, marker="auto"):
    """The mark that "auto" finds in y, which some of its rows alone might not tell."""
    if not is_auto(marker):
        return marker
    return -1 if -1 in np.asarray(y)[find_unlabeled(y)].tolist() else np.nan


def _is_missing(y):
    if y.dtype.kind == "f":
        return np.isnan(y)
    if y.dtype.kind != "O":
        return np.zeros(y.shape, bool)
    return np.frompyfunc(is_missing, 1, 1)(y).astype(bool)


def _equals(y, marker):
    if y.dtype.kind in "US" and not isinstance(marker, str):
        return np.zeros(y.shape, bool)  # numpy would not compare
    if y.dtype.kind != "O":
        return np.broadcast_to(y == marker, y.shape)
    equal = np.frompyfunc(lambda x: not is_missing(x) and x == marker, 1, 1)
    return equal(y).astype(bool)


def _are_two_classes(y, marked):
    """Whether all labels would be 1 if -1 were a mark: then it is the other class."""
    if y.shape[1:] not in ((), (1,)) or marked.all() or not marked.any():
        return False
    return bool((_equals(y, 1) | marked).all())


def _check_text(y):
    marks = sorted(_MARKS_AS_TEXT.intersection(np.unique(y).tolist()))
    if marks:
        raise ValueError(
            f"y is text and holds {marks[0]!r}, which may be a mark that numpy turned "
            "into text. Pass y with dtype=object and None for rows without label, or "
            f"unlabeled={marks[0]!r} if that is the mark, or unlabeled=None if it is a "
            "class."
        )


def _whole_rows(unlabeled, by_number=False):
    if unlabeled.ndim == 1:
        return unlabeled
    partly = unlabeled.any(axis=1) & ~unlabeled.all(axis=1)
    if partly.any():
        remedy = "; unlabeled=None takes the mark for a class" if by_number else ""
        raise ValueError(
            f"Row {int(partly.argmax())} of y has a label in some outputs alone. Mark "
            f"all outputs of a row or none{remedy}."
        )
    return unlabeled.all(axis=1)
