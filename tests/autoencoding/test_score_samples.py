"""score_samples: minus the error of each row, as all autoencoders have it."""

import pickle
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ssl import Autoencoder, DenoisingAutoencoder, VariationalAutoencoder
from sklearn_ssl.encoders import MLP
from sklearn_ssl.modalities import streaming
from tests.helpers import fitted, make, make_data, take

AUTOENCODERS = [Autoencoder, DenoisingAutoencoder, VariationalAutoencoder]
every_autoencoder = pytest.mark.parametrize("cls", AUTOENCODERS)
every_case = pytest.mark.parametrize(
    ("cls", "modality"),
    [(cls, modality) for cls in AUTOENCODERS for modality in cls.modalities],
)


def decode(estimator, X):
    """What goes into the network and what comes out of it, all in float64."""
    task = deepcopy(estimator._network.task).double()
    arrays = estimator.modality_.to_arrays(X)
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    if "pixels" in batch:
        low, high = estimator.modality_.range_
        batch["pixels"] = (batch["pixels"].double() - low) / (high - low)
    for name in {"numbers", "missing"} & set(batch):
        batch[name] = batch[name].double()
    with torch.no_grad():
        z = task.encoder(task.inputs(batch))
        if isinstance(estimator, VariationalAutoencoder):
            z = task.posterior(z)[:, : estimator.latent_dim]
        return batch, task.decoder(z).numpy()


def errors_of_table(modality, batch, output):
    """By row: of numbers, of missing indicators and of categories, side by side."""
    batch = {name: tensor.numpy() for name, tensor in batch.items()}
    n_numbers, n_missing = batch["numbers"].shape[1], batch["missing"].shape[1]
    numbers = (output[:, :n_numbers] - batch["numbers"]) ** 2
    numbers[:, modality.missing_columns_] *= 1 - batch["missing"]
    p = 1 / (1 + np.exp(-output[:, n_numbers : n_numbers + n_missing]))
    missing = -np.log(np.where(batch["missing"] == 1, p, 1 - p))
    sizes = modality.cardinalities_
    logits = output[:, n_numbers + n_missing :].reshape(len(p), len(sizes), max(sizes))
    categories = np.empty(batch["categories"].shape)
    for j, size in enumerate(sizes):
        e = np.exp(logits[:, j, :size])
        chosen = e[np.arange(len(e)), batch["categories"][:, j]]
        categories[:, j] = -np.log(chosen / e.sum(axis=1))
    return np.hstack([numbers, missing, categories])


# The formula --------------------------------------------------------------------------


@every_autoencoder
def test_scores_of_a_table(cls):
    X = make_data("table")
    estimator = fitted(cls, "table")
    errors = errors_of_table(estimator.modality_, *decode(estimator, X))
    assert errors.shape == (200, 6 + 1 + 1)
    scores = estimator.score_samples(X)
    assert scores.shape == (200,) and scores.dtype == np.float32
    assert_allclose(scores, -errors.mean(axis=1), rtol=1e-5)


@every_autoencoder
def test_scores_of_images(cls):
    X = make_data("image")
    estimator = fitted(cls, "image")
    batch, output = decode(estimator, X)
    modality = estimator.modality_
    pixels = (batch["pixels"].numpy() - modality.mean_) / modality.std_
    expected = -((output - pixels) ** 2).mean(axis=(1, 2, 3))
    assert_allclose(estimator.score_samples(X), expected, rtol=1e-4)


@every_autoencoder
def test_what_stands_for_a_missing_number_has_no_error(cls):
    X = make_data("table")[:50].copy()
    estimator = fitted(cls, "table")
    X.loc[::3, "a"] = np.nan  # a column without gaps in training
    X.loc[::4, "c"] = np.nan  # and one with some
    batch, output = decode(estimator, X)
    errors = errors_of_table(estimator.modality_, batch, output)
    assert (errors[::3, 0] > 0).all() and (errors[::4, 2] == 0).all()
    errors[::3, 0] = 0
    assert_allclose(estimator.score_samples(X), -errors.mean(axis=1), rtol=1e-5)
    # A row with nothing but text has the error of its text and of being empty alone.
    X[list("abcdef")] = np.nan
    batch, output = decode(estimator, X)
    errors = errors_of_table(estimator.modality_, batch, output)
    expected = -errors[:, 6:].sum(axis=1) / errors.shape[1]
    assert_allclose(estimator.score_samples(X), expected, rtol=1e-5)


def test_missing_numbers_of_large_tables(monkeypatch, tmp_path):
    X = make_data("table", 1500).drop(columns="city").to_numpy()
    estimator = make(Autoencoder).fit(X)
    X = X.copy()
    X[::5, 4] = np.nan
    scores = estimator.score_samples(X)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    monkeypatch.setattr(type(estimator.modality_), "to_arrays", None)  # is not called
    monkeypatch.setattr(streaming, "_LARGEST_COPY", 0)
    for rows in X, mapped:
        assert_array_equal(estimator.score_samples(rows), scores, strict=True)


def test_missing_numbers_change_nothing_else():
    X = make_data("table").dropna(axis=1)
    estimator = make(Autoencoder).fit(X)
    expected, embedding = estimator.score_samples(X), estimator.transform(X)
    X = X.copy()
    X.loc[7, "a"] = np.nan
    others = np.arange(len(X)) != 7
    assert_array_equal(estimator.score_samples(X)[others], expected[others])
    assert_array_equal(estimator.transform(X)[others], embedding[others])
    weights = pickle.dumps(estimator._network.state())
    estimator.score_samples(X)
    assert pickle.dumps(estimator._network.state()) == weights
    assert estimator.modality_.missing_columns_ == []


@pytest.mark.parametrize("modality", Autoencoder.modalities)
def test_mean_score_is_the_loss_where_nothing_is_varied(modality):
    X = make_data(modality)
    estimator = fitted(Autoencoder, modality)
    mean = estimator.score_samples(X).mean(dtype=float)
    assert mean == pytest.approx(estimator.score(X), rel=1e-5)


# What they do not depend on -----------------------------------------------------------


@pytest.mark.parametrize("n_threads", [1, 2])
@every_case
def test_scores_do_not_depend_on_other_rows(cls, modality, n_threads, torch_threads):
    estimator = fitted(cls, modality)
    n = estimator._network.task.tile + 37
    X = make_data(modality, n)
    torch_threads(n_threads)
    scores = estimator.score_samples(X)
    assert_array_equal(estimator.score_samples(X), scores, strict=True)
    for rows in (
        np.array([0]),
        np.array([n - 1]),
        np.arange(n)[::-1],
        np.arange(5, n, 3),
        np.random.default_rng(0).permutation(n)[: n // 2],
    ):
        part = estimator.score_samples(take(X, rows))
        assert_array_equal(part, scores[rows], strict=True)


@every_case
def test_scores_draw_nothing(cls, modality):
    X = make_data(modality)
    scores = fitted(cls, modality).score_samples(X)
    copied = pickle.loads(pickle.dumps(fitted(cls, modality)))
    task = copied._network.task
    task.views = lambda *args: pytest.fail("drew a view")
    task.set_generator(None)
    assert_array_equal(copied.score_samples(X), scores, strict=True)


@every_autoencoder
def test_scores_are_of_the_parameters_of_the_fit(cls):
    X = make_data("table")
    estimator = clone(fitted(cls, "table")).fit(X)
    scores = estimator.score_samples(X)
    changed = {"latent_dim": 3, "output": "all_layers", "corruption_rate": 0.9}
    own = changed.keys() & estimator.get_params().keys()
    estimator.set_params(encoder="mlp", **{name: changed[name] for name in own})
    assert_array_equal(estimator.score_samples(X), scores, strict=True)


def test_all_layers_are_not_what_is_decoded():
    X = make_data("table")
    last = fitted(DenoisingAutoencoder, "table")
    every = make(DenoisingAutoencoder, output="all_layers").fit(X)
    assert_array_equal(every.score_samples(X), last.score_samples(X), strict=True)


# What they tell -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def related():
    """Columns of two factors, one of text; and rows with one cell of another row."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(500, 2))
    frame = pd.DataFrame(factors @ rng.normal(size=(2, 5)), columns=list("abcde"))
    frame["sign"] = np.where(factors[:, 0] > 0, "plus", "minus")
    shuffled = {
        name: frame.assign(**{name: rng.permutation(frame[name])}) for name in frame
    }
    return frame, shuffled


@every_autoencoder
def test_rows_with_a_cell_of_another_row_score_lower(cls, related):
    frame, shuffled = related
    own = {VariationalAutoencoder: {"latent_dim": 3, "beta": 0.02}}.get(cls, {})
    own |= {DenoisingAutoencoder: {"corruption_rate": 0.15}}.get(cls, {})
    estimator = make(cls, encoder=MLP(hidden=(32, 3)), max_epochs=60, **own)
    estimator.set_params(learning_rate=0.01, batch_size=64).fit(frame)
    ordinary = estimator.score_samples(frame)
    for name, unusual in shuffled.items():
        # Some cells came from rows that were alike.
        differs = (unusual[name] != frame[name]).to_numpy()
        scores = estimator.score_samples(unusual)[differs]
        is_ordinary = np.repeat([True, False], [len(ordinary), len(scores)])
        all_scores = np.concatenate([ordinary, scores])
        assert roc_auc_score(is_ordinary, all_scores) > 0.8, name
        assert scores.mean() < ordinary.mean()


def test_scores_behind_a_pipeline():
    X = make_data("table").drop(columns="city").fillna(0).to_numpy()
    pipeline = make_pipeline(StandardScaler(), make(Autoencoder)).fit(X)
    expected = pipeline[-1].score_samples(pipeline[0].transform(X))
    assert_array_equal(pipeline.score_samples(X), expected)


@every_autoencoder
def test_no_scores_before_fit(cls):
    with pytest.raises(NotFittedError):
        cls().score_samples(np.eye(4))
