"""Each display draws what it says, on given axes or its own."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from sklearn_ssl import SCARF, Autoencoder, SimCLR, SSLClassifier, inspection
from sklearn_ssl.inspection import (
    AnomaliesDisplay,
    ColumnImportanceDisplay,
    EmbeddingDisplay,
    LabelEfficiencyDisplay,
    NeighborsDisplay,
    PretrainingDisplay,
    ReconstructionDisplay,
    RepresentationDisplay,
    ViewsDisplay,
)
from tests.helpers import make, run_python
from tests.inspection.helpers import overlaps, render, texts

COMPARISON = Bunch(
    differences={
        "good": np.array([0.1, 0.3]),
        "bad": -np.ones(2),
        "same": np.eye(2)[0],
    },
    noise={"good": 0.1, "bad": 0.5, "same": 0.6},
    score_name="Accuracy",
    train_size=30,
)


@pytest.fixture
def displays(simclr, digits, autoencoder, table):
    X, y = digits
    curve = Bunch(train_sizes=[10, 100], test_scores={"a": np.eye(2)})
    return {
        "PretrainingDisplay": lambda **kw: PretrainingDisplay.from_estimator(
            simclr, **kw
        ),
        "EmbeddingDisplay": lambda **kw: EmbeddingDisplay.from_estimator(
            simclr, X, y, **kw
        ),
        "AnomaliesDisplay": lambda **kw: AnomaliesDisplay.from_estimator(
            autoencoder, table, **kw
        ),
        "ColumnImportanceDisplay": lambda **kw: ColumnImportanceDisplay.from_estimator(
            autoencoder, table, n_repeats=2, **kw
        ),
        "ReconstructionDisplay": lambda **kw: ReconstructionDisplay.from_estimator(
            autoencoder, table, **kw
        ),
        "ViewsDisplay": lambda **kw: ViewsDisplay.from_estimator(simclr, X, **kw),
        "NeighborsDisplay": lambda **kw: NeighborsDisplay.from_estimator(
            simclr, X, y, **kw
        ),
        "LabelEfficiencyDisplay": lambda **kw: LabelEfficiencyDisplay.from_curve(
            curve, **kw
        ),
        "RepresentationDisplay": lambda **kw: RepresentationDisplay.from_comparison(
            COMPARISON, **kw
        ),
    }


@pytest.mark.parametrize("name", inspection.__all__)
def test_axes(name, displays):
    show = displays[name]
    display = show()
    render(display)
    assert display.figure_ is display.ax_.figure
    figure, ax = plt.subplots()
    given = show(ax=ax)
    assert given.ax_ is ax
    assert given.figure_ is figure
    render(given)
    again = display.plot()  # a display can be drawn again
    assert again is display
    assert again.figure_ is not figure
    render(again)


@pytest.mark.parametrize("name", inspection.__all__)
def test_matplotlib_is_optional(name, displays, monkeypatch):
    show = displays[name]
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=f"{name}.plot requires matplotlib"):
        show()


@pytest.mark.parametrize("name", inspection.__all__)
def test_nothing_overlaps(name, displays):
    display = displays[name]()
    render(display)
    assert not overlaps(display.ax_)


# The course of a training -------------------------------------------------------------


def test_pretraining(scarf):
    display = PretrainingDisplay.from_estimator(scarf)
    curves = [line.get_ydata() for line in display.lines_]
    assert_allclose(curves[0], scarf.loss_curve_)
    assert_allclose(curves[1], scarf.validation_loss_curve_)
    assert_allclose(curves[2], scarf.embedding_std_curve_)
    most = max(scarf.embedding_rank_curve_)
    assert_allclose(curves[3], np.divide(scarf.embedding_rank_curve_, most))
    assert_array_equal(display.lines_[0].get_xdata(), [1, 2])
    assert display.ax_.get_title() == "SCARF"
    names = [text.get_text() for text in display.health_ax_.get_legend().get_texts()]
    assert names == ["loss", "validation loss", "spread", f"rank / {most:.3g}"]


def test_pretraining_without_validation(simclr):
    pipeline = make_pipeline(StandardScaler(), simclr)
    display = PretrainingDisplay.from_estimator(pipeline, name="mine", color="k")
    assert len(display.lines_) == 3
    assert display.ax_.get_title() == "mine"
    plain = PretrainingDisplay([3.0, 2.0]).plot()
    assert plain.health_ax_ is None
    assert len(plain.lines_) == 1


def test_pretraining_of_something_else():
    with pytest.raises(TypeError, match="PCA has no loss_curve_"):
        PretrainingDisplay.from_estimator(PCA(2).fit(np.eye(4)))


# The map ------------------------------------------------------------------------------


def test_map_of_digits(simclr, digits):
    X, y = digits
    display = EmbeddingDisplay.from_estimator(simclr, X, y)
    expected = PCA(2, random_state=0).fit_transform(simclr.transform(X))
    assert_allclose(display.positions, expected, atol=1e-4)
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == [str(label) for label in range(10)]
    for label, points in enumerate(display.scatter_):
        assert_allclose(points.get_offsets(), expected[y == label], atol=1e-4)
    assert "PC 1 (" in display.ax_.get_xlabel()
    assert 5 < len(display.thumbnails_) < 150
    image = display.thumbnails_[0].offsetbox.get_data()
    assert_allclose(image, X[0] / 16)
    assert not EmbeddingDisplay.from_estimator(simclr, X, thumbnails=False).thumbnails_


def test_thumbnails_leave_one_another_room(simclr, digits):
    X, y = digits
    display = EmbeddingDisplay.from_estimator(simclr, X, y)
    render(display)
    boxes = [thumbnail.get_window_extent() for thumbnail in display.thumbnails_]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
    colors = {
        points.get_facecolors()[0].tobytes(): label
        for label, points in enumerate(display.scatter_)
    }
    for thumbnail in display.thumbnails_:
        row = np.flatnonzero((display.positions == thumbnail.xy).all(axis=1))[0]
        color = np.array(thumbnail.patch.get_edgecolor())
        assert colors[color.tobytes()] == y[row]


def test_map_with_few_labels(scarf, table):
    y = np.where(np.arange(200) % 4, None, np.where(np.arange(200) % 8, "yes", "no"))
    display = EmbeddingDisplay.from_estimator(scarf, table, y, reducer=TruncatedSVD(2))
    sizes = [len(points.get_offsets()) for points in display.scatter_]
    assert sizes == [150, 25, 25]
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["no label", "no", "yes"]
    assert display.ax_.get_xlabel() == "TruncatedSVD 1"
    assert not display.thumbnails_


def test_map_of_numbers_and_of_no_labels(scarf, table):
    target = table["b"].to_numpy() + 0.1
    display = EmbeddingDisplay.from_estimator(scarf, table, target, max_rows=50)
    assert len(display.figure_.axes) == 2  # a colour bar
    assert len(display.positions) == 50
    assert display.ax_.get_legend() is None
    display = EmbeddingDisplay.from_estimator(scarf, table)
    assert [len(points.get_offsets()) for points in display.scatter_] == [200]


def test_map_of_an_embedding():
    X, y = load_wine(return_X_y=True)
    display = EmbeddingDisplay.from_embedding(X[:, :2], y, name="two columns")
    assert_array_equal(display.positions, X[:, :2])
    images = np.random.default_rng(0).random((178, 4, 6, 3))
    display = EmbeddingDisplay.from_embedding(X, y, images=images)
    assert display.thumbnails_
    with pytest.raises(ValueError, match="must return two columns"):
        EmbeddingDisplay.from_embedding(X, y, reducer=PCA(3))


def test_map_behind_a_classifier():
    X, y = load_wine(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), PCA(5), LogisticRegression()).fit(X, y)
    display = EmbeddingDisplay.from_estimator(pipeline, X, y)
    assert len(display.positions) == 178


def test_map_with_pandas_output(table):
    scarf = make(SCARF).set_output(transform="pandas").fit(table)
    y = np.arange(200) % 2
    display = EmbeddingDisplay.from_estimator(scarf, table, y, max_rows=50)
    expected = EmbeddingDisplay.from_estimator(
        scarf.set_output(transform="default"), table, y, max_rows=50
    )
    assert_array_equal(display.positions, expected.positions)


def test_map_with_a_class_called_minus_one():
    X, y = load_wine(return_X_y=True)

    def legend(y, **kw):
        ax = EmbeddingDisplay.from_embedding(X, y, **kw).ax_
        return [text.get_text() for text in ax.get_legend().get_texts()]

    assert legend(y - 1) == ["no label", "0", "1"]
    assert legend(y - 1, unlabeled=None) == ["-1", "0", "1"]
    assert legend(y, unlabeled=2) == ["no label", "0", "1"]
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        EmbeddingDisplay.from_embedding(X, y[1:])


def test_map_of_rows_that_hold_no_third_class():
    X, y = load_wine(return_X_y=True)
    y = np.where(np.arange(178) % 2, 1, -1)
    y[1] = 0  # not among the thinned rows; without it -1 would be a class
    scaler = StandardScaler().fit(X)
    display = EmbeddingDisplay.from_estimator(scaler, X, y, max_rows=20)
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["no label", "1"]


# Views --------------------------------------------------------------------------------


def test_views_of_images(simclr, digits):
    X, _ = digits
    display = ViewsDisplay.from_estimator(simclr, X, rows=[3, 50], n_views=4)
    assert display.images.shape == (2, 5, 8, 8)
    assert_allclose(display.images[:, 0], X[[3, 50]] / 16)
    assert not np.allclose(display.images[:, 1], display.images[:, 2])
    assert len(display.ax_.images) == 10
    assert texts(display.ax_.get_yticklabels()) == ["row 3", "row 50"]
    assert texts(display.ax_.get_xticklabels())[:2] == ["image", "view 1"]
    assert display.ax_.get_title() == "ImageViews"
    same = ViewsDisplay.from_estimator(simclr, X, rows=[3, 50], n_views=4)
    assert_array_equal(same.images, display.images)
    other = ViewsDisplay.from_estimator(simclr, X, rows=[3, 50], random_state=1)
    assert not np.array_equal(other.images[:, 1], display.images[:, 1])


def test_views_of_a_table(scarf, table):
    display = ViewsDisplay.from_estimator(scarf, table, rows=3, n_views=2)
    shown, values = display.cells
    assert shown.shape == values.shape == (3, 3, 7)
    assert display.column_names == list("abcdef") + ["city"]
    for row, number in enumerate(display.rows):
        cells = table.iloc[number]
        assert shown[row, 0, 6] == cells["city"]
        for j, name in enumerate("bdef", start=1):
            j = list("abcdef").index(name)
            assert float(shown[row, 0, j]) == pytest.approx(cells[name], rel=0.01)
        # Scaled by quantiles, and found again from them.
        assert float(shown[row, 0, 0]) == pytest.approx(cells["a"], rel=0.05)
    assert shown[0, 0, 2] == "missing"  # row 0 has a gap in column c
    # SCARF replaces floor(0.6 * 7) cells, some by an equal one.
    changed = (shown[:, 1:] != shown[:, :1]).sum(axis=2)
    assert changed.max() <= 4
    assert changed.sum() > 12
    render(display)


def test_views_of_a_method_that_varies_nothing(digits):
    X, _ = digits
    autoencoder = make(Autoencoder, modality="image", max_epochs=0).fit(X)
    display = ViewsDisplay.from_estimator(autoencoder, X)
    assert not np.allclose(display.images[:, 0], display.images[:, 1])


def test_views_of_colour_images():
    X = np.random.default_rng(0).integers(0, 256, (30, 12, 10, 3)).astype(np.uint8)
    simclr = make(SimCLR, modality="image", max_epochs=0).fit(X)
    display = ViewsDisplay.from_estimator(simclr, X, rows=2)
    assert_allclose(display.images[:, 0], X[[0, 29]] / 255, atol=1e-6)
    assert display.images.shape == (2, 6, 12, 10, 3)
    render(display)


def test_views_of_something_else():
    X, _ = load_wine(return_X_y=True)
    with pytest.raises(TypeError, match="views of the rows"):
        ViewsDisplay.from_estimator(PCA(2).fit(X), X)


def test_many_columns_are_cut():
    X = np.random.default_rng(0).normal(size=(50, 40))
    classifier = SSLClassifier(make(SCARF, max_epochs=0))
    classifier.fit(X, np.arange(50) % 2)
    display = ViewsDisplay.from_estimator(classifier, X, max_columns=5)
    assert display.column_names == [f"column {j}" for j in range(5)]
    assert display.cells[0].shape == (4, 6, 5)


# Labels -------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["fill_between", "errorbar", None])
def test_label_efficiency(style):
    scores = {"raw": np.array([[0.1, 0.3], [0.5, 0.5]]), "SSL": np.ones((2, 2))}
    curve = Bunch(train_sizes=[10, 100], test_scores=scores, score_name="Accuracy")
    display = LabelEfficiencyDisplay.from_curve(curve, std_display_style=style)
    assert_allclose(display.lines_["raw"].get_ydata(), [0.2, 0.5])
    assert_allclose(display.lines_["raw"].get_xdata(), [10, 100])
    assert set(display.fill_between_) == (
        set(scores) if style == "fill_between" else set()
    )
    assert set(display.errorbar_) == (set(scores) if style == "errorbar" else set())
    assert display.ax_.get_xscale() == "log"
    assert texts(display.ax_.get_xticklabels()) == ["10", "100"]
    assert display.ax_.get_ylabel() == "Accuracy"
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["raw", "SSL"]
    with pytest.raises(ValueError, match="std_display_style"):
        display.plot(std_display_style="band")


def test_label_efficiency_from_estimators():
    X, y = load_wine(return_X_y=True)
    display = LabelEfficiencyDisplay.from_estimators(
        {"raw": make_pipeline(StandardScaler(), LogisticRegression())},
        *(X, y),
        train_sizes=[6, 20, 60],
        cv=3,
        random_state=0,
    )
    assert display.test_scores["raw"].shape == (3, 3)
    assert display.score_name == "Accuracy"


def test_many_sizes_have_readable_ticks():
    sizes = np.unique(np.geomspace(10, 4000, 30).astype(int))
    curve = Bunch(train_sizes=sizes, test_scores={"a": np.ones((len(sizes), 2))})
    display = LabelEfficiencyDisplay.from_curve(curve)
    render(display)
    assert len(display.ax_.get_xticks()) <= 8
    assert not overlaps(display.ax_)


def test_representations():
    display = RepresentationDisplay.from_comparison(COMPARISON, alpha=1)
    assert texts(display.ax_.get_yticklabels()) == ["bad", "good", "same"]
    assert_array_equal(display.line_.get_xdata(), [0, 0])  # raw
    colors = {"bad": "C3", "good": "C0", "same": "0.6"}
    for height, (name, color) in enumerate(colors.items()):
        points = display.points_[name]
        assert_allclose(points.get_offsets()[:, 0], COMPARISON.differences[name])
        assert_allclose(points.get_offsets()[:, 1], height)
        assert_allclose(points.get_facecolors(), [to_rgba(color)])
        mean, _, (bar,) = display.errorbar_[name]
        assert_allclose(mean.get_xdata(orig=False), COMPARISON.differences[name].mean())
        ends = bar.get_segments()[0][:, 0]
        assert np.ptp(ends) == pytest.approx(2 * COMPARISON.noise[name])
        assert to_rgba(mean.get_color()) == to_rgba(color)
    assert display.ax_.get_xlabel().startswith("Accuracy at 30 labels, gain over raw")


def test_representations_from_estimators():
    X, y = load_wine(return_X_y=True)
    display = RepresentationDisplay.from_estimators({"3": PCA(3)}, X, y, cv=2)
    assert list(display.differences) == ["PCA", "3"]
    assert display.score_name == "Accuracy at 89 labels"


def test_imports_are_light():
    code = """
import sys
import sklearn_ssl.inspection, sklearn_ssl.metrics, sklearn_ssl.model_selection
print(sorted({"torch", "skorch", "matplotlib"} & set(sys.modules)))
"""
    assert run_python(code) == "[]\n"
