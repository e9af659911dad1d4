"""What y of a row is likely to be, by the labels of other rows."""

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets

from sklearn_ssl._labels import is_whole, marker_of_targets, one_column, take_labelled
from sklearn_ssl._parameters import unless_auto

_N_FOLDS = 5


def with_expected_targets(arrays, cardinalities, X, y, numbers, marker):
    """Arrays of a table with "targets", what is expected of y in each of their rows.

    Parameters
    ----------
    arrays : dict of str to ndarray
    cardinalities : list of int
        Of the columns of categories.
    X : rows that y speaks of
        The first of `arrays`.
    y : array-like of shape (n,)
        Labels, some of them marks by `marker`.
    numbers : bool
        Whether the labels are numbers whatever they look like.
    marker : "auto", None, or a label
        What marks a row without label.
    """
    if y is None:
        raise ValueError(
            "target_aware requires y to be passed, but the target y is None. Pass "
            "labels, or target_aware=False."
        )
    check_consistent_length(X, y)
    y = one_column(y)
    marker = unless_auto(marker, np.nan) if numbers else marker_of_targets(y, marker)
    columns = _as_columns(arrays, cardinalities)
    targets = expected_targets(columns, *take_labelled(y, marker), numbers)
    return arrays | {"targets": targets}


def expected_targets(columns, rows, labels, numbers=False):
    """What a linear model of the other rows expects of each row, beyond their mean.

    A row's own label has no part in what is expected of it: the labelled rows are cut
    into folds, without a look at their labels, and each fold is predicted by the
    others. Rows without a label are predicted by all that have one.

    Parameters
    ----------
    columns : ndarray of shape (n, n_columns)
        Columns of a table as numbers.
    rows : ndarray of shape (n_labeled,)
        Which rows have a label.
    labels : ndarray of shape (n_labeled,)
    numbers : bool
        Whether the labels are numbers whatever they look like; else floats that are not
        all whole are numbers, and all others classes.

    Returns
    -------
    expected : ndarray of shape (n, n_classes) or (n, 1), float32
        Probabilities of the classes, by LogisticRegression, minus their frequencies; or
        standardized numbers, by Ridge. Zero says nothing.

    Raises
    ------
    ValueError
        If the labels do not differ.
    """
    if not len(labels):
        raise ValueError(
            "target_aware needs labels, and y marks all rows as unlabelled. Label "
            "some, or pass target_aware=False."
        )
    if numbers or (labels.dtype.kind == "f" and not is_whole(labels)):
        labels = check_array(labels, ensure_2d=False, dtype=np.float64, input_name="y")
        expect, width = _expect_numbers, 1
    else:
        check_classification_targets(labels)
        classes, labels = np.unique(labels, return_inverse=True)
        expect, width = _expect_classes, len(classes)
    if len(np.unique(labels)) < 2:
        raise ValueError(
            "target_aware needs labels that differ, and those of all "
            f"{len(labels)} labelled rows are the same. Label more rows, or pass "
            "target_aware=False."
        )
    expected = np.empty((len(columns), width), np.float32)
    unlabeled = np.setdiff1d(np.arange(len(columns)), rows)
    expected[unlabeled] = expect(columns[rows], labels, columns[unlabeled], width)
    folds = KFold(min(_N_FOLDS, len(rows)), shuffle=True, random_state=0)
    for known, left_out in folds.split(rows):
        expected[rows[left_out]] = expect(
            columns[rows[known]], labels[known], columns[rows[left_out]], width
        )
    return expected


def _as_columns(arrays, cardinalities):
    """As the columns that are passed through: categories one-hot."""
    parts = [arrays[name][:] for name in ("numbers", "missing") if name in arrays]
    if "categories" in arrays:
        codes = zip(arrays["categories"].T, cardinalities, strict=True)
        parts += [np.eye(size, dtype=np.float32)[column] for column, size in codes]
    return np.hstack(parts).astype(np.float64)


def _expect_classes(columns, codes, others, n_classes):
    frequencies = np.bincount(codes, minlength=n_classes) / len(codes)
    seen = np.flatnonzero(frequencies)
    expected = np.zeros((len(others), n_classes))
    if len(seen) > 1 and len(others):
        model = LogisticRegression(max_iter=1000).fit(columns, codes)
        expected[:, seen] = model.predict_proba(others) - frequencies[seen]
    return expected


def _expect_numbers(columns, targets, others, _):
    if np.ptp(targets) == 0 or not len(others):
        return np.zeros((len(others), 1))
    targets = (targets - targets.mean()) / targets.std()
    return Ridge().fit(columns, targets).predict(others)[:, None]
