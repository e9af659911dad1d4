"""Large tables are read as they are used: to the same bits, and without a copy."""

import gc
import pickle
import tracemalloc
import weakref

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_breast_cancer

from sklearn_ssl import SCARF, DenoisingAutoencoder, SSLClassifier
from sklearn_ssl.engine import batches
from sklearn_ssl.engine.batches import StreamedTensor
from sklearn_ssl.metrics import (
    column_importance,
    effective_rank_scorer,
    lidar_scorer,
    reconstruction_r2,
)
from sklearn_ssl.modalities import Tabular, streaming
from sklearn_ssl.semi_supervised import FineTuning
from sklearn_ssl.views import Corruption
from tests.helpers import TABLES, make, make_data

MEGABYTE = 2**20
both = pytest.mark.parametrize("cls", [SCARF, DenoisingAutoencoder])


@pytest.fixture
def stream(monkeypatch):
    """Streams tables of any size once it is called."""
    return lambda: monkeypatch.setattr(streaming, "_LARGEST_COPY", 0)


@pytest.fixture(scope="module")
def X():
    """Numbers, of which some are missing and some skewed; one column is constant."""
    X = make_data("table").drop(columns="city").to_numpy(np.float32, copy=True)
    X[:, 1] = np.exp(2 * X[:, 1])
    X[:, 4] = 3.0
    X.flags.writeable = False
    return X


def streams(estimator, X):
    arrays = estimator._read(estimator.modality_, X)
    kinds = {isinstance(array, streaming.ColumnReader) for array in arrays.values()}
    assert len(kinds) == 1
    return kinds.pop()


def results(cls, X, **params):
    """All that a method makes of a table, `partial_fit` included."""
    params = {"batch_size": 64, "early_stopping": True} | params
    estimator = make(cls, **params).fit(X)
    found = [estimator.loss_curve_, estimator.validation_loss_curve_]
    found += [estimator.transform(X), estimator.score(X)]
    if hasattr(estimator, "score_samples"):
        found.append(estimator.score_samples(X))
    estimator.partial_fit(X[:100])
    return streams(estimator, X), found, estimator._network.state()


def assert_same(actual, desired):
    assert actual[0] and not desired[0]  # what was streamed, what was copied
    for ours, theirs in zip(actual[1], desired[1], strict=True):
        assert_array_equal(ours, theirs, strict=True)
    assert list(actual[2]) == list(desired[2])
    for name, array in desired[2].items():
        assert_array_equal(actual[2][name], array, err_msg=name, strict=True)


@pytest.mark.parametrize("cls", TABLES)
def test_every_method_learns_the_same_bits(cls, X, stream):
    copied = results(cls, X)
    stream()
    assert_same(results(cls, X), copied)


def test_what_views_borrow_from_is_no_more_than_enough(X, stream, monkeypatch):
    n_donors = set()

    class Watched(Corruption):
        def __call__(self, batch, source, generator):
            assert all(map(torch.is_tensor, source.values()))
            n_donors.update(map(len, source.values()))
            return super().__call__(batch, source, generator)

    monkeypatch.setattr(batches, "_DONOR_CELLS", 0)
    monkeypatch.setattr(batches, "_ENOUGH_DONORS", 50)
    copied = results(SCARF, X, views=Watched())
    stream()
    assert_same(results(SCARF, X, views=Watched()), copied)
    assert n_donors == {50}  # of 200 rows, and of the 100 of partial_fit


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "some columns": lambda X: np.hstack([X, X])[:, : X.shape[1]],
    "reversed": lambda X: X[::-1].copy()[::-1],
    "float64": lambda X: X.astype(float),
    "float16": lambda X: X.astype(np.float16),
    "big-endian": lambda X: X.astype(">f4"),
    "int": lambda X: np.nan_to_num(X).astype(int),
    "bool": lambda X: X > 0,
}


@both
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_and_types(cls, layout, X, stream):
    X = LAYOUTS[layout](X)
    copied, before = results(cls, X, max_epochs=1), X.copy()
    stream()
    assert_same(results(cls, X, max_epochs=1), copied)
    assert_array_equal(X, before)


@both
def test_memory_maps_are_streamed_whatever_their_size(cls, X, tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, X)
    content = path.read_bytes()
    copied = results(cls, X, max_epochs=1)
    mapped = np.load(path, mmap_mode="r")
    for view in (mapped, np.asarray(mapped)[:], np.load(path, mmap_mode="c")):
        assert_same(results(cls, view, max_epochs=1), copied)
    assert path.read_bytes() == content


def test_what_else_reads_rows_finds_the_same(X, stream):
    def all_of_it():
        autoencoder = make(DenoisingAutoencoder).fit(X)
        y = np.arange(len(X)) % 3
        tuned = SSLClassifier(make(SCARF), fine_tune=FineTuning(max_epochs=2))
        return [
            reconstruction_r2(autoencoder, X),
            column_importance(autoencoder, X, random_state=0).importances_mean,
            lidar_scorer(autoencoder, X),
            effective_rank_scorer(autoencoder, X),
            tuned.fit(X, y).predict_proba(X),
            make(SCARF, warm_start=True).fit(X).fit(X[:150]).transform(X),
            make(SCARF).fit(X, X_unlabeled=X[:50]).transform(X),
        ]

    copied = all_of_it()
    stream()
    for ours, theirs in zip(all_of_it(), copied, strict=True):
        assert_array_equal(ours, theirs, strict=True)


def test_views_of_users_can_borrow_rows(X, stream):
    def mixed(batch, source, generator):
        n_rows, n_columns = source["numbers"].shape
        assert len(source["missing"]) == n_rows and n_columns == X.shape[1]
        shape = batch["numbers"].shape[:1]
        others = torch.randint(n_rows, shape, generator=generator)
        mixed = {name: source[name][others] for name in batch}
        mixed["numbers"][:, 1] = source["numbers"][others, torch.tensor([1])]
        mixed["numbers"][:, 2] = source["numbers"][others, 2]
        return mixed

    copied = results(SCARF, X, views=mixed)
    stream()
    assert_same(results(SCARF, X, views=mixed), copied)


def test_infinity_is_named_before_training(X, stream):
    stream()
    fitted = make(SCARF).fit(X)
    before = fitted.transform(X)
    broken = np.repeat(X, 60, axis=0)  # several blocks
    broken[11_000, 3] = -np.inf
    message = r"infinity.*Row 11000 of column 3 holds -inf\. Replace it"
    for method in (make(SCARF).fit, fitted.fit, fitted.partial_fit):
        with pytest.raises(ValueError, match=message):
            method(broken)
    for method in (fitted.transform, fitted.score):
        with pytest.raises(ValueError, match=message):
            method(broken)
    too_large = broken.astype(float)
    too_large[11_000, 3] = 1e300
    with pytest.raises(ValueError, match=r"too large.*Row 11000 of column 3"):
        fitted.transform(too_large)
    with pytest.raises(ValueError, match="X has 5 features, but SCARF is expecting 6"):
        fitted.transform(X[:, 1:])
    assert_array_equal(fitted.transform(X), before)


def test_values_missing_in_transform_alone(X, stream):
    fitted = make(SCARF).fit(X)
    new = X.copy()
    new[::3, 0] = np.nan  # a column without a missing indicator
    copied = fitted.transform(new), fitted.score(new)
    stream()
    assert streams(fitted, new)
    assert_array_equal(fitted.transform(new), copied[0], strict=True)
    assert fitted.score(new) == copied[1]


def test_no_data_stay(X, stream):
    size = len(pickle.dumps(make(SCARF).fit(X)))
    stream()
    table = X.copy()
    alive = weakref.ref(table)
    estimator = make(SCARF).fit(table).partial_fit(table)
    estimator.transform(table)
    estimator.score(table)
    del table
    gc.collect()
    assert alive() is None
    estimator = make(SCARF).fit(X)
    assert streams(estimator, X)
    assert len(pickle.dumps(estimator)) == size


def test_what_is_small_is_copied_and_what_is_no_array_of_numbers(X, monkeypatch):
    fitted = make(SCARF).fit(X)
    monkeypatch.setattr(streaming, "_LARGEST_COPY", X.size * 4)
    assert not streams(fitted, X)
    assert streams(fitted, np.vstack([X, X[:1]]))
    assert not streams(fitted, pd.DataFrame(np.vstack([X, X])))
    assert not streams(fitted, np.vstack([X, X]).astype(object))


def test_fit_and_transform_take_little_memory(tmp_path, monkeypatch):
    # Python sees the memory of numpy, but not that of torch.
    monkeypatch.setattr(StreamedTensor, "whole", None)
    real = load_breast_cancer().data.astype(np.float32)[:, [*range(30), *range(10)]]
    n = 500_000
    rows = np.random.default_rng(0).integers(len(real), size=n)
    np.save(tmp_path / "X.npy", real[rows])
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert X.nbytes > 76 * MEGABYTE
    modality = Tabular(numeric="standard")  # quick to fit
    estimator = make(SCARF, modality=modality, max_time=0.01, passthrough=False)
    estimator.fit(real)  # what it imports takes memory, too
    peaks = []
    for method in (
        estimator.fit,
        estimator.transform,
        lambda X: estimator.score(X[:9]),
    ):
        tracemalloc.start()
        try:
            method(X)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # What views borrow from takes up to 16 MB, and one column in float64 4 MB, of which
    # a few stand beside one another, but not at the same time.
    assert peaks[0] < 20 * MEGABYTE
    assert max(peaks[1:]) < 2 * MEGABYTE
