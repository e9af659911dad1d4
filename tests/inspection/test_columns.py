"""Displays of columns and of the cells that stand out."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ssl import Autoencoder, DenoisingAutoencoder, SimCLR
from sklearn_ssl.inspection import (
    AnomaliesDisplay,
    ColumnImportanceDisplay,
    ReconstructionDisplay,
)
from sklearn_ssl.inspection.anomalies import _errors_by_column
from sklearn_ssl.metrics import column_importance, reconstruction_r2
from tests.helpers import make
from tests.inspection.helpers import overlaps, render, texts


def widths(display):
    return [bar.get_width() for bar in display.bars_]


def names(display):
    return texts(display.ax_.get_yticklabels())


# Bars ---------------------------------------------------------------------------------


def test_reconstruction(autoencoder, table):
    display = ReconstructionDisplay.from_estimator(autoencoder, table)
    r2 = reconstruction_r2(autoencoder, table)
    assert_array_equal(display.r2, r2)
    order = np.argsort(r2)
    assert names(display) == [table.columns[j] for j in order]
    assert_allclose(widths(display), r2[order].clip(-1))
    assert texts(display.ax_.texts) == [f"{x:.2f}" for x in r2[order]]
    assert display.ax_.get_title() == "Autoencoder"
    places = display.ax_.get_yticks()
    assert (
        display.ax_.transData.transform([0, places[0]])[1]
        > (display.ax_.transData.transform([0, places[1]])[1])
    )


def test_reconstruction_of_columns_without_meaning():
    r2 = [0.5, np.nan, -20.0, -0.25]
    display = ReconstructionDisplay(r2, list("abcd"), name="mine").plot(color="C3")
    render(display)
    assert names(display) == list("cdab")
    assert texts(display.ax_.texts) == ["-20.00", "-0.25", "0.50", "constant"]
    assert widths(display) == [-1, -0.25, 0.5, 0]
    low, high = display.ax_.get_xlim()
    assert low < -1 and high > 1
    for text in display.ax_.texts:  # none lies outside
        box, axes = text.get_window_extent(), display.ax_.get_window_extent()
        assert axes.x0 <= box.x0 and box.x1 <= axes.x1
    assert display.ax_.get_title() == "mine"


def test_reconstruction_behind_a_pipeline(autoencoder, table):
    pipeline = make_pipeline("passthrough", autoencoder)
    display = ReconstructionDisplay.from_estimator(pipeline, table, name="behind")
    assert_array_equal(display.r2, reconstruction_r2(autoencoder, table))
    assert display.ax_.get_title() == "behind"


def test_column_importance(scarf, table):
    display = ColumnImportanceDisplay.from_estimator(
        scarf, table, n_repeats=3, max_rows=100, random_state=2
    )
    expected = column_importance(
        scarf, table, n_repeats=3, max_rows=100, random_state=2
    )
    assert_array_equal(display.importances, expected.importances)
    order = np.argsort(-expected.importances_mean)
    assert names(display) == [table.columns[j] for j in order]
    assert_allclose(widths(display), expected.importances_mean[order])
    (spread,) = display.bars_.errorbar.lines[2]
    lengths = [np.ptp(segment[:, 0]) for segment in spread.get_segments()]
    assert_allclose(lengths, 2 * expected.importances_std[order])
    assert display.ax_.get_xlim()[0] == 0
    assert display.ax_.get_title() == "SCARF"


def test_column_importance_of_something_else():
    X = load_wine().data
    pipeline = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    display = ColumnImportanceDisplay.from_estimator(pipeline, X)
    assert names(display)[0].startswith("column ")
    flat = ColumnImportanceDisplay(np.full((3, 2), np.nan), list("abc")).plot()
    render(flat)
    assert names(flat) == list("abc")


def test_the_most_telling_of_many_columns():
    values = np.linspace(0, 1, 50)
    columns = [f"a column of a very long name {j}" for j in range(50)]
    importance = ColumnImportanceDisplay(values[:, None], columns).plot()
    assert_array_equal(widths(importance), values[::-1][:20])
    reconstruction = ReconstructionDisplay(values, columns).plot(max_columns=50)
    assert_array_equal(widths(reconstruction), values)
    for display in importance, reconstruction:
        render(display)
        assert not overlaps(display.ax_)


# Anomalies ----------------------------------------------------------------------------


def test_anomalies_of_a_table(autoencoder, table):
    scores = autoencoder.score_samples(table)
    display = AnomaliesDisplay.from_estimator(autoencoder, table, rows=5)
    assert_array_equal(display.rows, np.argsort(scores)[:5])
    assert_array_equal(display.scores, scores[display.rows])
    shown, errors = display.cells
    assert shown.shape == errors.shape == (5, 7)
    assert display.column_names == [*table]
    assert shown[0, 6] == table["city"].iloc[display.rows[0]]
    labels = texts(display.ax_.get_yticklabels())
    assert labels == [f"row {row}" for row in display.rows]
    assert texts(display.ax_.get_xticklabels()) == ["score", *table]
    assert texts(display.ax_.texts)[0] == f"{scores.min():.3g}"
    render(display)
    # In the unit of the whole column's error.
    everything = AnomaliesDisplay.from_estimator(
        autoencoder, table, rows=np.arange(len(table))
    )
    assert_allclose(np.square(everything.cells[1]).mean(axis=0), 1)
    assert_allclose(everything.cells[1][display.rows], errors)
    # A missing number stands out where it is not foreseen.
    assert_allclose(
        _errors_by_column(autoencoder, table).sum(axis=1) / 8, -scores, 1e-5
    )


def test_the_cell_that_was_changed_stands_out():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 20))
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(20)])
    dae = make(DenoisingAutoencoder, max_epochs=40, learning_rate=0.01, batch_size=64)
    dae.set_params(corruption_rate=0.15).fit(frame)
    frame.loc[123, "x17"] += 6 * frame["x17"].std()
    display = AnomaliesDisplay.from_estimator(dae, frame, rows=3, max_columns=4)
    assert display.rows[0] == 123
    assert len(display.column_names) == 4
    place = display.column_names.index("x17")
    assert display.cells[1][0].argmax() == place
    by_text = {text.get_text(): text for text in display.ax_.texts}
    assert by_text[display.cells[0][0, place]].get_color() != "0.6"
    assert display.column_names == sorted(
        display.column_names, key=frame.columns.get_loc
    )


def test_anomalies_of_images(digits):
    X, _ = digits
    autoencoder = make(Autoencoder, modality="image").fit(X)
    X = X.copy()
    X[40] = 16 - X[40]
    display = AnomaliesDisplay.from_estimator(autoencoder, X, rows=4)
    assert display.images.shape == (2, 4, 8, 8)
    assert display.rows[0] == 40
    assert_allclose(display.images[0], X[display.rows] / 16)
    # What was restored has the error that the score tells.
    everything = AnomaliesDisplay.from_estimator(autoencoder, X, rows=np.arange(150))
    std = autoencoder.modality_.std_[0]
    original, restored = everything.images / std
    errors = np.square(original - restored).mean(axis=(1, 2))
    cut = (everything.images[1] == 0) | (everything.images[1] == 1)
    whole = ~cut.any(axis=(1, 2))
    assert (errors < -everything.scores + 1e-4).all()
    assert_allclose(errors[whole], -everything.scores[whole], rtol=1e-3)
    assert texts(display.ax_.get_yticklabels()) == ["image", "restored"]
    assert texts(display.ax_.get_xticklabels()) == [f"row {i}" for i in display.rows]
    render(display)
    assert not overlaps(display.ax_)


def test_anomalies_of_colour_images():
    X = np.random.default_rng(0).integers(0, 256, (30, 12, 10, 3)).astype(np.uint8)
    autoencoder = make(Autoencoder, modality="image", max_epochs=0).fit(X)
    display = AnomaliesDisplay.from_estimator(autoencoder, X, rows=[2, 7])
    assert display.images.shape == (2, 2, 12, 10, 3)
    assert_allclose(display.images[0], X[[2, 7]] / 255, atol=1e-6)
    render(display)


def test_displays_of_what_does_not_restore(digits):
    X, _ = digits
    simclr = make(SimCLR, modality="image", max_epochs=0).fit(X)
    for display in ReconstructionDisplay, AnomaliesDisplay:
        with pytest.raises(TypeError, match="needs an autoencoder"):
            display.from_estimator(simclr, X)
