"""Which rows displays take, and what labels: said plainly where they cannot."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_wine

from sklearn_ssl import Autoencoder
from sklearn_ssl.inspection import (
    AnomaliesDisplay,
    ColumnImportanceDisplay,
    EmbeddingDisplay,
    NeighborsDisplay,
    ReconstructionDisplay,
    ViewsDisplay,
)
from tests.helpers import make
from tests.inspection.helpers import render, texts

DISPLAYS = [AnomaliesDisplay, NeighborsDisplay, ViewsDisplay]
every_display = pytest.mark.parametrize("cls", DISPLAYS)


@every_display
def test_a_mask_stands_for_its_rows(cls, autoencoder, table):
    numbers = [3, 50, 199]
    mask = np.isin(np.arange(200), numbers)
    expected = cls.from_estimator(autoencoder, table, rows=numbers)
    kinds = mask, mask.tolist(), pd.Series(mask), np.array(numbers, np.uint8)
    for rows in (*kinds, tuple(numbers), pd.Index(numbers)):
        display = cls.from_estimator(autoencoder, table, rows=rows)
        assert_array_equal(display.rows, numbers)
        assert display.rows.dtype.kind in "iu"
        assert_array_equal(display.cells[0], expected.cells[0])
    labels = [label.get_text() for label in expected.ax_.get_yticklabels()]
    assert {"row 3", "row 50", "row 199"} <= set(labels)


@every_display
def test_how_many(cls, autoencoder, table):
    few = table[:10]
    assert len(cls.from_estimator(autoencoder, few, rows=np.int64(3)).rows) == 3
    assert len(cls.from_estimator(autoencoder, few, rows=1000).rows) == 10


BAD = [
    (0, ValueError, "rows must be an int of at least 1, got 0"),
    (-2, ValueError, "rows must be an int of at least 1, got -2"),
    (2.5, TypeError, r"rows must be whole numbers, got 2\.5.* how many"),
    (None, TypeError, "rows must be whole numbers, got None"),
    (True, TypeError, "rows must be whole numbers, got True"),
    ("ab", TypeError, "rows must be whole numbers, got 'ab'"),
    (slice(3), TypeError, "rows must be whole numbers, got slice"),
    ([0.0, 1.0], TypeError, "got values of type float64"),
    ([], ValueError, "rows is empty"),
    (np.zeros(200, bool), ValueError, "rows is a mask that is nowhere true"),
    (np.ones(5, bool), ValueError, "rows is a mask of 5 rows, but X has 200"),
    ([3, 200], ValueError, "rows holds 200, but X has 200 rows.* from 0 to 199"),
    ([-1], ValueError, "rows holds -1"),
    ([[1, 2]], ValueError, r"rows must be 1-D, got shape \(1, 2\)"),
]


@every_display
@pytest.mark.parametrize(("rows", "error", "message"), BAD)
def test_bad_rows(cls, rows, error, message, autoencoder, table):
    with pytest.raises(error, match=message):
        cls.from_estimator(autoencoder, table, rows=rows)


@pytest.mark.parametrize("n_channels", [3, 4])
def test_images_are_shown_in_their_colours(n_channels):
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(6, 8, 8, n_channels), dtype=np.uint8)
    Z = np.arange(12.0).reshape(6, 2)
    display = NeighborsDisplay.from_embedding(Z, images, rows=[4], n_neighbors=1)
    assert_allclose(display.images[0, 0], images[4] / 255, atol=1e-6)


@pytest.mark.parametrize("n_neighbors", [20, 1000])
def test_too_many_neighbors(n_neighbors):
    X = load_wine().data[:20]
    with pytest.raises(ValueError, match=f"n_neighbors={n_neighbors} .*20 .* 19 other"):
        NeighborsDisplay.from_embedding(X, X, n_neighbors=n_neighbors)
    display = NeighborsDisplay.from_embedding(X, X, rows=[0], n_neighbors=19)
    assert sorted(display.neighbors[0]) == [*range(1, 20)]
    for bad in 0, 2.5:
        with pytest.raises(ValueError, match="n_neighbors must be an int"):
            NeighborsDisplay.from_embedding(X, X, n_neighbors=bad)


def test_labels_in_a_column(scarf, table):
    y = np.arange(200) % 3
    frame = pd.DataFrame({"y": y})
    for column in frame, frame.to_numpy(), pd.DataFrame({"y": y.astype(str)}):
        flat = np.asarray(column)[:, 0]
        for kwargs in {}, {"max_rows": 50}:
            display = EmbeddingDisplay.from_estimator(scarf, table, column, **kwargs)
            expected = EmbeddingDisplay.from_estimator(scarf, table, flat, **kwargs)
            assert len(display.scatter_) == len(expected.scatter_) == 3
            for points, wanted in zip(display.scatter_, expected.scatter_, strict=True):
                assert_array_equal(points.get_offsets(), wanted.get_offsets())
        neighbors = NeighborsDisplay.from_estimator(scarf, table, column)
        wanted = NeighborsDisplay.from_estimator(scarf, table, flat)
        assert_array_equal(neighbors.y, wanted.y)
    display = EmbeddingDisplay.from_embedding(np.eye(200, 2), frame)
    assert len(display.scatter_) == 3


def test_labels_in_several_columns(scarf, table):
    y = pd.DataFrame({"y": np.arange(200) % 3, "z": 1})
    message = r"y must have one column, got 2\."
    for cls in EmbeddingDisplay, NeighborsDisplay:
        with pytest.raises(ValueError, match=message):
            cls.from_estimator(scarf, table, y)
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_embedding(np.eye(200, 2), y)
    with pytest.raises(ValueError, match=message):
        NeighborsDisplay.from_embedding(np.eye(200, 2), table, y)


def test_as_many_rows_of_the_data_as_of_the_embedding():
    X = load_wine().data
    for n in 20, 170:
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            NeighborsDisplay.from_embedding(X[:100], X[:n])


@pytest.mark.parametrize(
    "cls",
    [
        AnomaliesDisplay,
        ColumnImportanceDisplay,
        NeighborsDisplay,
        ReconstructionDisplay,
        ViewsDisplay,
    ],
)
def test_no_columns(cls, autoencoder, table):
    for bad in 0, 2.5:
        with pytest.raises(ValueError, match="max_columns must be an int of at least"):
            cls.from_estimator(autoencoder, table, max_columns=bad)


def test_a_map_embeds_the_rows_that_it_shows(scarf, table, monkeypatch):
    seen, transform = [], type(scarf).transform
    monkeypatch.setattr(
        type(scarf),
        "transform",
        lambda self, X: seen.append(len(X)) or transform(self, X),
    )
    display = EmbeddingDisplay.from_estimator(scarf, table, max_rows=10)
    assert seen == [10] and len(display.positions) == 10
    with pytest.raises(ValueError, match="max_rows must be an int of at least 1"):
        EmbeddingDisplay.from_estimator(scarf, table, max_rows=0)


def test_views_of_any_random_state(scarf, table):
    shown = [
        ViewsDisplay.from_estimator(scarf, table, random_state=state).cells[0]
        for state in (3, 3, np.random.RandomState(0), np.random.default_rng(0), None)
    ]
    assert_array_equal(shown[0], shown[1])
    assert all((shown[0] != other).any() for other in shown[2:])
    with pytest.raises(ValueError, match="n_views must be an int"):
        ViewsDisplay.from_estimator(scarf, table, n_views=0)


def test_dollars_are_no_mathematics():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a $_$ b": rng.normal(size=60)})
    frame["income"] = ["$10_$20", "$50-$75"] * 30
    labels = np.array(["$a_$", "_b"] * 30)
    autoencoder = make(Autoencoder).fit(frame)
    for cls in AnomaliesDisplay, ColumnImportanceDisplay, ReconstructionDisplay:
        render(cls.from_estimator(autoencoder, frame))
    render(ViewsDisplay.from_estimator(autoencoder, frame))
    render(NeighborsDisplay.from_estimator(autoencoder, frame, labels))
    images = rng.random((60, 8, 8))
    Z = rng.normal(size=(60, 2))
    render(NeighborsDisplay.from_embedding(Z, images, labels))
    display = EmbeddingDisplay.from_embedding(Z, labels)
    render(display)
    assert texts(display.ax_.get_legend().get_texts()) == ["$a_$", " _b"]
