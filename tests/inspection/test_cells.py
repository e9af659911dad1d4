"""Cells that displays show are those of X, whatever the network sees of them."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ssl import Autoencoder
from sklearn_ssl.inspection import AnomaliesDisplay, NeighborsDisplay, ViewsDisplay
from sklearn_ssl.inspection._rows import _as_text, decoded_texts, find_grains
from sklearn_ssl.modalities import Tabular
from tests.helpers import make
from tests.inspection.helpers import overlaps, render

CONTAINERS = {"pandas": lambda X: X, "polars": pl.from_pandas, "pyarrow": pa.table}
every_container = pytest.mark.parametrize(
    "container", CONTAINERS.values(), ids=CONTAINERS
)


@pytest.fixture(scope="module")
def plain():
    """Rows to fit: no gaps, no far values."""
    rng = np.random.default_rng(0)
    n = 300
    start = pd.Timestamp("2012-01-01")
    return pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "skew": rng.lognormal(sigma=2, size=n),
            "year": rng.integers(1990, 2020, n),
            "day": start + pd.to_timedelta(rng.integers(0, 4000, n), "D"),
            "at": start + pd.to_timedelta(rng.integers(0, 10**8, n), "s"),
            "took": pd.to_timedelta(rng.integers(0, 10**5, n), "s"),
            "city": rng.choice(["Bern", "Chur"], n),
        }
    )


@pytest.fixture(scope="module")
def unusual(plain):
    """Rows to look at: the first three are unlike those of the fit."""
    X = plain.copy()
    X.loc[0, ["a", "skew", "year"]] = 1000.0, 1e6, 2012
    X.loc[0, "day"] = pd.Timestamp("2024-02-29")
    X.loc[0, "at"] = pd.Timestamp("2024-02-29 23:05:07")
    X.loc[0, "took"] = pd.Timedelta(days=1, hours=2)
    X.loc[1, ["a", "skew"]] = np.nan, 0.012345
    X.loc[1, "city"] = "Genf"
    X.loc[2, "day"] = pd.NaT
    X.loc[2, "city"] = None
    return X


FIRST = "1000 1000000 2012 2024-02-29 2024-02-29_23:05:07 1_day,_2:00:00".split()
FIRST = [text.replace("_", " ") for text in FIRST]


@pytest.fixture(scope="module")
def autoencoder(plain):
    return make(Autoencoder).fit(plain)


def check(cells, X):
    """Check the texts of rows 0, 1 and 2."""
    assert cells[0, :6].tolist() == FIRST
    assert cells[0, 6] == X["city"][0]
    assert cells[1, [0, 1, 6]].tolist() == ["missing", "0.0123", "Genf"]
    assert cells[2, [3, 6]].tolist() == ["missing", "missing"]
    assert cells[2, 2] == str(X["year"][2])


@every_container
def test_anomalies(container, autoencoder, unusual):
    display = AnomaliesDisplay.from_estimator(
        autoencoder, container(unusual), rows=[0, 1, 2]
    )
    check(display.cells[0], unusual)
    errors = display.cells[1]
    assert errors[0, 0] > 5
    assert errors[1, 0] == 0  # nothing is there to restore
    render(display)
    assert not overlaps(display.ax_)


@every_container
def test_neighbors(container, autoencoder, unusual):
    X = container(unusual)
    of_method = NeighborsDisplay.from_estimator(autoencoder, X, rows=[0, 1, 2])
    of_features = NeighborsDisplay.from_embedding(
        np.arange(600.0).reshape(300, 2), X, rows=[0, 1, 2], metric="euclidean"
    )
    for display in of_method, of_features:
        check(display.cells[0][:, 0], unusual)
        near = display.neighbors[0, 0]
        assert display.cells[0][0, 1, 2] == str(unusual["year"][near])
        values = display.cells[1]
        assert np.isnan(values[1, 0, 0])  # gray, not the mean
        assert np.isnan(values[2, 0, 3])
        assert np.isfinite(values[0, 0, :6]).all()
    render(of_method)


@every_container
def test_views(container, autoencoder, unusual):
    X = container(unusual)
    display = ViewsDisplay.from_estimator(autoencoder, X, rows=[0, 1, 2], n_views=20)
    texts, values = display.cells
    check(texts[:, 0], unusual)
    assert np.isnan(values[1, 0, 0])
    kept = texts == texts[:, :1]
    assert 0.5 < kept.mean() < 0.9
    # What a view puts there is a cell of the column, of its kind.
    for j, column in [(2, unusual["year"].astype(str)), (6, unusual["city"])]:
        assert set(texts[..., j].ravel()) <= {*column.dropna(), "missing", "other"}
    days = unusual["day"].dt.strftime("%Y-%m-%d").fillna("missing")
    assert set(texts[..., 3].ravel()) <= {*days}
    hours = pd.to_datetime(texts[..., 4].ravel(), format="mixed")
    assert hours.min() >= unusual["at"].min() - pd.Timedelta(hours=1)
    assert len(set(texts[0, :, 2])) > 2
    render(display)


def test_arrays_and_lists(plain, unusual):
    names = ["a", "skew", "year"]
    autoencoder = make(Autoencoder).fit(plain[names].to_numpy())
    X = unusual[names].to_numpy()
    for rows in X, X.tolist(), X.astype(object), X.astype(np.float32):
        for display in (
            AnomaliesDisplay.from_estimator(autoencoder, rows, rows=[0, 1]),
            NeighborsDisplay.from_estimator(autoencoder, rows, rows=[0, 1]),
            ViewsDisplay.from_estimator(autoencoder, rows, rows=[0, 1]),
        ):
            cells = display.cells[0].reshape(2, -1, 3)[:, 0]
            assert_array_equal(cells[0], ["1000", "1000000", "2012"])
            assert_array_equal(cells[1, :2], ["missing", "0.0123"])


@pytest.mark.parametrize("numeric", ["standard", "quantile"])
def test_numbers_and_dates_come_back_from_the_network(numeric):
    rng = np.random.default_rng(0)
    days = np.datetime64("2000-01-01") + rng.integers(0, 8000, 200)
    X = pd.DataFrame({"year": rng.integers(1900, 2100, 200), "day": days})
    X["price"] = np.exp(rng.normal(size=200))
    modality = Tabular(numeric=numeric).fit(X)
    texts = decoded_texts(modality, modality.to_arrays(X), find_grains(modality, X))
    assert texts[:, 0].tolist() == X["year"].astype(str).tolist()
    assert texts[:, 1].tolist() == days.astype(str).tolist()
    assert_allclose(texts[:, 2].astype(float), X["price"], rtol=0.01)


def test_levels_come_back_from_the_network():
    modality = Tabular().fit(pd.DataFrame({"city": ["Bern", "Bern", "Chur"]}))
    X = pd.DataFrame({"city": [None, "Thun", "Bern", "Chur"]})
    texts = decoded_texts(modality, modality.to_arrays(X), [0])
    assert texts[:, 0].tolist() == ["missing", "other", "Bern", "Chur"]


def test_numbers_as_text():
    texts = {
        0.0: "0",
        2012: "2012",
        -3.0: "-3",
        14.23: "14.2",
        0.5: "0.5",
        999.7: "1000",
        12345.6: "12346",
        123456789012: "123456789012",
        1e15: "1e+15",
        1.234e-5: "1.23e-05",
        float("nan"): "missing",
    }
    assert {x: _as_text(x, "numbers") for x in texts}.items() == texts.items()
    assert _as_text(-0.0, "numbers") == "0"
    durations = {0.25: "0.25 s", -90: "-0:01:30", 3600: "1:00:00"}
    assert {x: _as_text(x, "durations") for x in durations} == durations
    dates = {0.0: "1970-01-01", -60.0: "1969-12-31 23:59", 1.0: "1970-01-01 00:00:01"}
    dates |= {86399.9: "1970-01-02", -0.1: "1970-01-01"}  # rounded, not cut
    assert {x: _as_text(x, "dates") for x in dates} == dates
