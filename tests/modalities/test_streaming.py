import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_ssl.modalities import Image, Tabular, read_rows, streaming


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def table(rng):
    """Columns of all scalings; the first and the third have missing values."""
    X = np.column_stack(
        [
            rng.normal(size=(500, 2)),
            rng.lognormal(sigma=2, size=(500, 2)),
            np.full((500, 1), np.nan),
            rng.integers(3, size=(500, 1)),
        ]
    ).astype(np.float32)
    X[rng.random(500) < 0.2, 0] = np.nan
    X[rng.random(500) < 0.2, 2] = np.nan
    return X


@pytest.fixture
def both(table, monkeypatch):
    """What is converted at once, and what is read."""
    modality = Tabular().fit(table)
    assert set(modality.scaling_) == {"standard", "quantile", "empty"}
    table[::3, 4] = 5.0  # what was empty in fit is ignored
    arrays = read_rows(modality, table)
    monkeypatch.setattr(streaming, "_LARGEST_COPY", 0)
    readers = read_rows(modality, table)
    assert list(arrays) == list(readers) == ["numbers", "missing"]
    return [(arrays[name], readers[name]) for name in arrays]


def test_readers_read_as_arrays_do(both, rng):
    kinds = (
        *(slice(3, 99), slice(None, None, -7), rng.integers(500, size=20)),
        *(rng.random(500) < 0.3, (slice(None), 2), (rng.random(500) < 0.3, 1)),
        # As many donors a row as there are columns, one row, one cell.
        *(rng.integers(500, size=(7, 6)), rng.integers(500, size=(7, 3))),
        *(3, None, (4, 1), (rng.integers(500, size=(5, 2)), 0)),
    )
    for array, reader in both:
        assert isinstance(array, np.ndarray)
        assert isinstance(reader, streaming.ColumnReader)
        assert reader.shape == array.shape and len(reader) == len(array)
        for key in kinds:
            assert_array_equal(reader[key], array[key])
            assert np.asarray(reader[key]).dtype == np.float32


def test_columns_are_read_alone(both, rng):
    for array, reader in both:
        for column in (*range(-array.shape[1], array.shape[1]), np.int32(1)):
            for rows in slice(7), rng.integers(500, size=(40, 2)):
                key = rows, column
                assert_array_equal(reader[key], array[key], strict=True)


def test_other_keys_are_refused(both):
    for _, reader in both:
        for key in (0, slice(1)), (0, [1]), (0, True), (0, 0, 0), (0,):
            with pytest.raises(TypeError, match=r"Take rows first"):
                reader[key]


def test_modalities_that_convert_otherwise_do(monkeypatch, rng):
    monkeypatch.setattr(streaming, "_LARGEST_COPY", 0)
    pixels = rng.integers(255, size=(20, 64)).astype(np.uint8)
    image = Image(shape=(8, 8)).fit(pixels)
    assert isinstance(read_rows(image, pixels)["pixels"], np.ndarray)
    # Whole numbers in `transform` may be levels that were text in `fit`.
    texts = Tabular().fit([[0.5, "1"], [1.5, "2"], [2.5, "1"]])
    arrays = read_rows(texts, np.array([[0.5, 1.0], [1.5, 2.0], [2.5, 9.0]]))
    assert arrays["categories"].tolist() == [[2], [3], [1]]


def test_numbers_where_dates_were_are_not_streamed(monkeypatch):
    monkeypatch.setattr(streaming, "_LARGEST_COPY", 0)
    dates = np.array([["2020-01-01"], ["2021-01-01"]], dtype="M8[s]")
    modality = Tabular().fit(dates)
    with pytest.raises(ValueError, match="held dates in fit, but holds numbers now"):
        read_rows(modality, np.ones((2, 1)))
