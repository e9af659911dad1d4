import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix

from sklearn_ssl import SCARF
from sklearn_ssl.modalities import Tabular, concat_rows


def test_concat_arrays_and_lists():
    ones, zeros = np.ones((2, 3)), np.zeros((1, 3))
    assert_array_equal(concat_rows(ones, zeros), [[1] * 3, [1] * 3, [0] * 3])
    text = np.array([["a", "b", "c"]])
    mixed = concat_rows(ones, text)
    assert mixed.dtype == object
    assert mixed[0, 0] == 1.0 and mixed[2, 0] == "a"
    assert concat_rows(text, text).dtype == text.dtype
    assert concat_rows([[1, "a"]], [[2, "b"]]) == [[1, "a"], [2, "b"]]
    with pytest.raises(ValueError, match=r"got \(3,\) and \(2,\)"):
        concat_rows(ones, np.ones((2, 2)))


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_concat_frames(library):
    first = library({"a": [1, 2], "b": ["x", "y"]})
    second = library({"b": ["z"], "a": [3]})
    stacked = concat_rows(first, second)
    assert type(stacked) is type(first)
    assert stacked["a"].to_numpy().tolist() == [1, 2, 3]
    assert stacked["b"].to_numpy().tolist() == ["x", "y", "z"]
    with pytest.raises(ValueError, match=r"lacks \['b'\] and has in addition \['c'\]"):
        concat_rows(first, library({"a": [1], "c": ["z"]}))
    with pytest.raises(TypeError, match="but X_unlabeled a"):
        concat_rows(first, np.ones((1, 2), dtype=object))
    with pytest.raises(ValueError, match=r"differ in the type of \['b'\]. Cast"):
        concat_rows(first, library({"a": [1], "b": [1]}))
    with pytest.raises(ValueError, match=r"differ in the type of \['a'\]. Cast"):
        concat_rows(first, library({"a": ["x"], "b": ["z"]}))


def test_sparse_rows_are_refused():
    for both in (
        (csr_matrix, csr_matrix),
        (csr_matrix, np.asarray),
        (np.asarray, csr_matrix),
    ):
        X, more = (kind(np.ones((n, 2))) for kind, n in zip(both, (3, 2), strict=True))
        with pytest.raises(TypeError, match=r"Sparse data was passed.*toarray\(\)"):
            SCARF().fit(X, X_unlabeled=more)


DATES = pd.to_datetime(["2020-01-01", "2021-01-01"])
COLUMNS = {
    "int": pd.Series([1, 2]),
    "float": pd.Series([1.5, None]),
    "bool": pd.Series([True, False]),
    "nullable": pd.Series([1, None], dtype="Int64"),
    "numbers": pd.Series([1, 2.5], dtype=object),
    "text": pd.Series(["a", None], dtype=object),
    "string": pd.Series(["a", "b"], dtype="string"),
    "category": pd.Series(["a", "b"], dtype="category"),
    "levels": pd.Series(["b", "c"], dtype="category"),
    "codes": pd.Series([1, 2], dtype="category"),
    "other codes": pd.Series([2, 3], dtype="category"),
    "mixed": pd.Series([1, "a"], dtype=object),
    "None": pd.Series([None, None], dtype=object),
    "NaN": pd.Series([np.nan, np.nan]),
    "NaT": pd.Series(pd.to_datetime([None, None])),
    "date": pd.Series(DATES),
    "zoned": pd.Series(DATES.tz_localize("UTC")),
    "duration": pd.Series(pd.to_timedelta([1, 2], unit="D")),
}


def stack(first, second):
    return concat_rows(*(pd.DataFrame({"age": COLUMNS[k]}) for k in (first, second)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("int", "text"),
        ("int", "string"),
        ("bool", "text"),
        ("float", "category"),
        ("text", "int"),
        ("numbers", "text"),
        ("numbers", "mixed"),
        ("codes", "int"),
        # pandas makes numbers of categories that differ.
        ("codes", "other codes"),
        ("date", "int"),
        ("date", "text"),
        ("date", "duration"),
        ("duration", "float"),
        # These pandas stacks as objects.
        ("date", "zoned"),
        ("date", "NaN"),
    ],
)
def test_columns_that_would_change_kind_are_refused(first, second):
    for pair in ((first, second), (second, first)):
        if pair == ("mixed", "numbers"):  # a category already
            continue
        with pytest.raises(ValueError, match=r"differ in the type of \['age'\]. Cast"):
            stack(*pair)


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("int", "float", "number"),
        ("int", "bool", "number"),
        ("bool", "nullable", "number"),
        ("int", "numbers", "number"),
        ("float", "numbers", "number"),
        ("None", "int", "number"),
        ("NaN", "numbers", "number"),
        ("NaT", "int", "number"),
        ("NaT", "date", "number"),
        ("None", "NaN", "number"),
        ("text", "string", "category"),
        ("text", "category", "category"),
        ("category", "levels", "category"),
        ("string", "codes", "category"),
        ("text", "mixed", "category"),
        ("None", "text", "category"),
        ("NaN", "category", "category"),
        ("NaT", "string", "category"),
    ],
)
def test_columns_of_one_kind_are_stacked(first, second, kind):
    for pair in ((first, second), (second, first)):
        modality = Tabular().fit(stack(*pair))
        assert modality.category_columns_ == ([0] if kind == "category" else [])


def test_codes_among_words_stay_a_category():
    assert Tabular().fit(stack("mixed", "int")).categories_ == [["1", "2", "a"]]


def test_names_may_be_numbers():
    X = pd.DataFrame({0: [1, 2], 1: ["a", "b"]})
    assert concat_rows(X, X[[1, 0]])[1].tolist() == ["a", "b"] * 2
    with pytest.raises(ValueError, match=r"differ in the type of \[1\]. Cast"):
        concat_rows(X, pd.DataFrame({0: [1], 1: [2]}))


def test_arrow_types_that_narwhals_calls_alike_are_named():
    large = pa.table({"b": pa.array(["x"], pa.large_string())})
    with pytest.raises(ValueError, match=r"differ in the type of \['b'\]. Cast"):
        concat_rows(pa.table({"b": ["x"]}), large)


@pytest.mark.parametrize("other", [np.ones((1, 1)), np.array([["a"]])])
def test_arrays_of_dates_and_others_are_refused(other):
    dates = np.array([["2020-01-01"]], dtype="M8[ns]")
    with pytest.raises(ValueError, match=r"X holds datetime64\[ns\] and X_unlabeled"):
        concat_rows(dates, other)
    with pytest.raises(ValueError, match=r"X_unlabeled datetime64\[ns\]. Cast one"):
        concat_rows(other, dates)
    assert concat_rows(dates, dates.astype("M8[s]")).dtype == dates.dtype


@pytest.mark.parametrize("X", [np.ones((4, 3)), np.ones((4, 3)).tolist()])
def test_lists_of_another_width_are_refused(X):
    message = "X has 3 columns, but X_unlabeled 2"
    for narrow in ([[1.0, 2.0]] * 3, tuple([(1.0, 2.0)] * 3), [np.ones(2)]):
        with pytest.raises(ValueError, match=message):
            concat_rows(X, narrow)
        with pytest.raises(ValueError, match=message):
            SCARF(max_epochs=1).fit(X, X_unlabeled=narrow)
    with pytest.raises(ValueError, match="X has 2 columns, but X_unlabeled 3"):
        concat_rows([[1, "a"]], X)
    assert len(concat_rows(X, [[1.0, 2.0, 3.0]])) == 5


def test_images_in_lists_may_differ_in_size():
    sizes = [(8, 8), (6, 9)]
    assert [a.shape for a in concat_rows(*([np.ones(s)] for s in sizes))] == sizes


def test_lazy_frames_are_named():
    X = pl.DataFrame({"a": [1.0, 2.0]})
    with pytest.raises(TypeError, match=r"X is a LazyFrame.*collect\(\) it first"):
        concat_rows(X.lazy(), X)
    message = r"X_unlabeled is a LazyFrame.*collect\(\) it first"
    with pytest.raises(TypeError, match=message):
        concat_rows(X, X.lazy())


def test_small_numbers_beside_others():
    both = np.ones((2, 3), np.uint8), np.full((1, 3), 0.5)
    assert concat_rows(*both).tolist() == [[1] * 3] * 2 + [[0.5] * 3]
