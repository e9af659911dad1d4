"""Which rows have no label: every kind of mark, and what must not be taken for one."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from sklearn_ssl._labels import (
    as_floats,
    find_unlabeled,
    marker_of_targets,
    take_labels,
)

NONE, SOME = [False] * 3, [False, True, False]


@pytest.mark.parametrize(
    "y, expected",
    [
        ([0, -1, 2], SOME),
        ([0.0, np.nan, 2.0], SOME),
        ([0.0, -1.0, 2.0], SOME),
        (np.array(["cat", None, "dog"], dtype=object), SOME),
        (np.array(["cat", np.nan, "dog"], dtype=object), SOME),
        (np.array(["cat", -1, "dog"], dtype=object), SOME),
        (np.array([0, pd.NA, 2], dtype=object), SOME),
        (pd.Series([0, None, 2], dtype="Int64"), SOME),
        (pd.Series(["cat", None, "dog"], dtype="category"), SOME),
        (pd.Series(["cat", None, "dog"]), SOME),
        (pl.Series(["cat", None, "dog"]), SOME),
        ([[0, 1], [-1, -1], [1, 1]], SOME),
        ([[0, 1], [np.nan, np.nan], [1, 1]], SOME),
        ([0, 1, 2], NONE),
        ([True, False, True], NONE),
        (np.array([0, 1, 2], dtype=np.uint8), NONE),
        (["cat", "dog", "cat"], NONE),
        ([-1, -1, -1], [True] * 3),
    ],
)
def test_auto(y, expected):
    found = find_unlabeled(y)
    assert found.dtype == bool
    assert found.tolist() == expected


@pytest.mark.parametrize(
    "y, marker, expected",
    [
        ([0, 9, 2], 9, SOME),
        (["cat", "?", "dog"], "?", SOME),
        (np.array(["cat", "?", "dog"], dtype=object), "?", SOME),
        (["1", "-1", "2"], "-1", SOME),
        (["1", "-1", "2"], None, NONE),
        (["1", "-1", "2"], -1, NONE),
        ([1, -1, 1], -1, SOME),
        ([1, -1, 1], None, NONE),
        ([0, -1, 2], None, NONE),
        ([0.5, np.nan, -1.0], np.nan, SOME),
        ([0.5, -1.0, 2.0], np.nan, NONE),
        ([0.5, np.nan, 2.0], -1, SOME),
    ],
)
def test_marker(y, marker, expected):
    assert find_unlabeled(y, marker).tolist() == expected


@pytest.mark.parametrize("dtype", [int, float, object])
def test_two_classes(dtype):
    """Were -1 a mark, all labels would be 1."""
    with pytest.warns(UserWarning, match="both are taken for classes"):
        assert find_unlabeled(np.array([1, -1, 1], dtype)).tolist() == NONE
    with pytest.warns(UserWarning, match="unlabeled=-1 if -1 marks rows"):
        assert find_unlabeled(np.array([[1], [-1], [1]], dtype)).tolist() == NONE
    # Any other label makes -1 the mark that it mostly is.
    assert find_unlabeled(np.array([1, -1, 0], dtype)).tolist() == SOME
    assert find_unlabeled(np.array([0, -1, 0], dtype)).tolist() == SOME


@pytest.mark.parametrize(
    "y, marker, message",
    [
        ([0.0, np.nan, -1.0], "auto", r"mixes two marks.*unlabeled=np.nan if -1 is"),
        (np.array(["cat", None, -1], dtype=object), "auto", "mixes two marks"),
        (np.array(["cat", None, "?"], dtype=object), "?", "mixes two marks"),
        ([0.0, np.nan, 1.0], None, "says that all rows have one"),
        (["cat", "-1", "dog"], "auto", "holds '-1', which may be a mark that numpy"),
        (["cat", "nan", "dog"], "auto", "holds 'nan'"),
        ([[0, 1], [0, -1], [1, 1]], "auto", "Row 1 of y has.* none; unlabeled=None"),
        ([[0, 1], [0, np.nan], [1, 1]], np.nan, r"Row 1 of y has.* or none\.$"),
    ],
)
def test_errors(y, marker, message):
    with pytest.raises(ValueError, match=message):
        find_unlabeled(y, marker)


@pytest.mark.parametrize(
    "y, rows, expected",
    [
        ([0, -1, 2], [0, 2], np.array([0, 2])),
        (pd.Series([0, None, 2], dtype="Int64"), [0, 2], np.array([0.0, 2.0])),
        (np.array([0.5, None], object), [True, False], np.array([0.5])),
        (np.array([[0, 1], [None, None]], object), [0], np.array([[0, 1]])),
        (np.array(["cat", None], object), [0], np.array(["cat"], object)),
        (np.array(["cat", None, 1], object), [0, 2], np.array(["cat", 1], object)),
        (np.array(["cat", "?"]), [0], np.array(["cat"])),
    ],
)
def test_labels_of_some_rows(y, rows, expected):
    found = take_labels(y, np.array(rows))
    assert found.dtype.kind == expected.dtype.kind
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("floats", [float, np.float32, np.float64])
def test_floats_among_objects_are_targets(floats):
    """-1 is one of them then, and the mark is what is missing."""
    y = np.array([floats(0.5), None, floats(-1), 2, pd.NA], dtype=object)
    assert_array_equal(as_floats(y), [0.5, np.nan, -1, 2, np.nan])
    assert np.isnan(marker_of_targets(y))


@pytest.mark.parametrize("y", [[1, None, -1], ["a", 0.5], [True, 0.5], [None, None]])
def test_other_objects_stay_as_they_are(y):
    y = np.array(y, dtype=object)
    assert as_floats(y) is y
