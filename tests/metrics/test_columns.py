"""What is restored of columns, and which of them move the embedding."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import d2_log_loss_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ssl import SCARF, Autoencoder, SSLClassifier
from sklearn_ssl.metrics import column_importance, reconstruction_r2
from sklearn_ssl.modalities import Tabular
from tests.helpers import TABLES, fitted, make, make_data

WINE = load_wine().data


# What is restored ---------------------------------------------------------------------


@pytest.fixture
def answer(monkeypatch, mixed):
    """An autoencoder of `mixed` whose answers are set: R2 when all of them are so."""
    autoencoder = make(Autoencoder, max_epochs=0).fit(mixed)
    sizes = autoencoder.modality_.cardinalities_

    def r2(numbers, missing, categories, X=mixed):
        def reconstruct(self, task, batch):
            one_hot = torch.nn.functional.one_hot(batch["categories"], max(sizes))
            logits = categories(one_hot.float())
            parts = [numbers(batch["numbers"]), missing(batch["missing"])]
            parts += [logits[:, j, :size] for j, size in enumerate(sizes)]
            return torch.cat(parts, dim=1)

        monkeypatch.setattr(Autoencoder, "_reconstruct", reconstruct)
        return reconstruction_r2(autoencoder, X)

    return r2


def test_perfect_answers(answer):
    def certain(truth):
        return 60 * (2 * truth - 1)

    assert_allclose(answer(lambda x: x, certain, certain), 1, rtol=1e-12)


def test_answers_that_do_not_look_at_the_row(answer, mixed):
    def frequencies(one_hot):
        logits = torch.full(one_hot.shape[1:], -50.0)
        for j, name in enumerate(["city", "pet"]):
            shares = mixed[name].value_counts(normalize=True).to_numpy()
            logits[j, 2 : 2 + len(shares)] = torch.from_numpy(np.log(shares))
        return logits.expand(one_hot.shape)

    # Scaled numbers have mean 0.
    r2 = answer(torch.zeros_like, torch.zeros_like, frequencies)
    assert_allclose(r2, 0, atol=1e-6)
    worse = answer(lambda x: x * 0 + 0.5, torch.zeros_like, torch.zeros_like)
    assert (worse < -0.1).all()


def test_what_stands_for_a_missing_number_does_not_count(answer, mixed):
    def only_present(x):
        return torch.where(x == 0, 9.0, x)  # the number that is missing is 0

    r2 = answer(only_present, torch.zeros_like, torch.zeros_like)
    assert mixed["age"].isna().any()
    assert_allclose(r2[mixed.columns.get_loc("age")], 1)


def test_gaps_that_training_had_not_do_not_count(answer, mixed):
    X = mixed.assign(height=mixed["height"].where(np.arange(len(mixed)) % 3 > 0))

    def only_present(x):
        return torch.where(x == 0, 9.0, x)

    r2 = answer(only_present, torch.zeros_like, torch.zeros_like, X)
    assert_allclose(r2[mixed.columns.get_loc("height")], 1)
    # As of the rows where it is present alone.
    autoencoder = make(Autoencoder, max_epochs=0).fit(mixed)
    for rows in X, pl.from_pandas(X), pa.table(X):
        j = mixed.columns.get_loc("height")
        actual = reconstruction_r2(autoencoder, rows)[j]
        present = reconstruction_r2(autoencoder, X.dropna(subset="height"))[j]
        assert actual == pytest.approx(present, rel=1e-9)


def test_gaps_in_large_tables(tmp_path, monkeypatch):
    autoencoder = make(Autoencoder).fit(WINE)
    X = WINE.copy()
    X[::4, 3] = np.nan
    expected = reconstruction_r2(autoencoder, X)
    np.save(tmp_path / "X.npy", X)
    monkeypatch.setattr(Tabular, "to_arrays", None)  # is not called
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert_array_equal(reconstruction_r2(autoencoder, mapped), expected)
    pipeline = make_pipeline("passthrough", autoencoder)
    assert_array_equal(reconstruction_r2(pipeline, mapped), expected)


def test_constant_columns_have_none(answer, mixed):
    for height in np.linspace(150, 190, 10):
        X = mixed[1:].assign(age=np.nan, pet="cat", height=height)
        r2 = answer(lambda x: x + 0.1, torch.zeros_like, lambda x: 3 * x, X)
        assert_array_equal(np.isnan(r2), [True, False, False, True, True])


def test_r2_is_that_of_scikit_learn(mixed):
    autoencoder = make(Autoencoder, max_epochs=4).fit(mixed)
    X = mixed[::3]
    modality, task = autoencoder.modality_, autoencoder._network.task
    arrays = modality.to_arrays(X)
    with torch.no_grad():
        batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
        output = task.decoder(task.embed(batch)).double().numpy()
    expected = []
    present = arrays["missing"][:, 0] == 0
    for k, rows in enumerate([present, slice(None), slice(None)]):
        expected.append(r2_score(arrays["numbers"][rows, k], output[rows, k]))
    ends = 4 + np.cumsum([0, *modality.cardinalities_])
    for k, codes in enumerate(arrays["categories"].T):
        e = np.exp(output[:, ends[k] : ends[k + 1]])
        p = e / e.sum(axis=1, keepdims=True)
        expected.append(d2_log_loss_score(codes, p, labels=np.arange(p.shape[1])))
    order = np.argsort(modality.number_columns_ + modality.category_columns_)
    assert_allclose(reconstruction_r2(autoencoder, X), np.array(expected)[order], 1e-4)
    # Also where it is wrapped.
    pipeline = make_pipeline("passthrough", autoencoder)
    assert_array_equal(
        reconstruction_r2(pipeline, X), reconstruction_r2(autoencoder, X)
    )


@pytest.mark.parametrize("kind", ["numbers", "text"])
def test_columns_of_one_kind(kind, mixed):
    names = {"numbers": ["income", "height"], "text": ["city", "pet"]}[kind]
    X = mixed[names]
    r2 = reconstruction_r2(make(Autoencoder).fit(X), X)
    assert r2.shape == (2,)
    assert (r2 < 1).all()


def test_training_restores_columns_that_agree_and_not_noise():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(300, 1))
    X = np.hstack([factor + 0.1 * rng.normal(size=(300, 4)), rng.normal(size=(300, 1))])
    autoencoder = make(Autoencoder, encoder=lambda: torch.nn.Linear(5, 1))
    autoencoder.set_params(max_epochs=60, batch_size=32, learning_rate=0.01).fit(X)
    r2 = reconstruction_r2(autoencoder, X)
    assert (r2[:4] > 0.8).all()
    assert r2[4] < 0.2
    # Which of the columns that agree stands for them all is arbitrary.
    importance = column_importance(autoencoder, X).importances_mean
    assert importance[:4].sum() > 20 * importance[4]


def test_r2_needs_an_autoencoder_for_tables():
    with pytest.raises(TypeError, match=r"needs an autoencoder.* got SCARF"):
        reconstruction_r2(fitted(SCARF, "table"), make_data("table"))
    with pytest.raises(TypeError, match=r"needs an autoencoder.* got PCA"):
        reconstruction_r2(PCA(2).fit(WINE), WINE)
    with pytest.raises(TypeError, match=r"columns of a table.* reads 'image'"):
        reconstruction_r2(fitted(Autoencoder, "image"), make_data("image"))


# What moves the embedding -------------------------------------------------------------


def linear(weight, X, **params):
    """A method whose embedding is the standardized columns times a matrix."""
    encoder = torch.nn.Linear(X.shape[1], len(weight), bias=False)
    with torch.no_grad():
        encoder.weight.copy_(torch.tensor(weight))
    params |= {"encoder": encoder, "modality": Tabular(numeric="standard")}
    return make(Autoencoder, max_epochs=0, **params).fit(X)


def test_formula():
    rng = np.random.default_rng(0)
    X, W = WINE[:, :4], rng.normal(size=(3, 4)).astype(np.float32)
    result = column_importance(linear(W, X), X, n_repeats=3, random_state=7)
    rng = np.random.RandomState(7)
    permutations = [rng.permutation(len(X)) for _ in range(3)]
    standardized = StandardScaler().fit_transform(X)
    Z = standardized @ W.T.astype(float)
    between = ((Z[:, None] - Z) ** 2).sum(axis=2).mean()
    expected = np.empty((4, 3))
    for j in range(4):
        for r, permutation in enumerate(permutations):
            moved = standardized.copy()
            moved[:, j] = moved[permutation, j]
            squares = ((moved @ W.T.astype(float) - Z) ** 2).sum(axis=1)
            expected[j, r] = squares.mean() / between
    assert_allclose(result.importances, expected, rtol=1e-4)
    assert_allclose(result.importances_mean, expected.mean(axis=1), rtol=1e-4)
    assert_allclose(result.importances_std, expected.std(axis=1), rtol=1e-3)
    assert result.column_names == [f"column {j}" for j in range(4)]


def test_independent_columns_share_the_variance():
    X = np.random.default_rng(0).normal(size=(1000, 4))
    W = [[1.0, 0, 0, 2], [0, 3, 0, 0]]
    result = column_importance(linear(W, X), X)
    assert_allclose(result.importances_mean, np.array([1, 9, 0, 4]) / 14, atol=0.03)
    assert result.importances_mean[2] == 0  # exactly: nothing looks at it
    assert_allclose(result.importances_mean.sum(), 1, atol=0.05)


def test_copies_and_constants():
    x = np.random.default_rng(0).normal(size=(500, 1))
    X = np.hstack([x, x, np.ones((500, 1))])
    mean = column_importance(linear([[1.0, 1, 1]], X), X).importances_mean
    # Half of what the embedding is goes elsewhere: half of the way.
    assert_allclose(mean[:2], 1 / 4, atol=0.03)
    assert mean[0] == pytest.approx(mean[1], rel=1e-5)
    assert mean[2] == 0
    alone = column_importance(linear([[1.0]], x), x).importances_mean
    assert_allclose(alone, 1, atol=0.1)


def test_what_is_passed_through_does_not_count():
    W = np.random.default_rng(0).normal(size=(2, 13))
    with_columns, without = (
        column_importance(linear(W, WINE, passthrough=p), WINE) for p in (True, False)
    )
    assert_array_equal(with_columns.importances, without.importances)


@pytest.mark.parametrize("cls", TABLES)
def test_every_method_for_tables(cls):
    X = make_data("table")
    before = X.copy()
    result = column_importance(fitted(cls, "table"), X, n_repeats=2, max_rows=60)
    pd.testing.assert_frame_equal(X, before)
    assert result.column_names == [*X]
    assert result.importances.shape == (7, 2)
    assert (result.importances_mean > 0).all()  # each column counts, also the text
    again = column_importance(fitted(cls, "table"), X, n_repeats=2, max_rows=60)
    assert_array_equal(result.importances, again.importances)


def test_every_container(mixed):
    scarf = make(SCARF).fit(mixed)
    expected = column_importance(scarf, mixed, n_repeats=2).importances
    shuffled = mixed.set_index(np.random.default_rng(0).permutation(len(mixed)))
    categorical = mixed.astype({"city": "category"})
    plain = mixed.astype({"city": object, "pet": object}).to_numpy()
    for X in shuffled, categorical, pl.from_pandas(mixed), pa.table(mixed):
        actual = column_importance(scarf, X, n_repeats=2)
        assert actual.column_names == [*mixed]
        assert_array_equal(actual.importances, expected)
    unnamed = make(SCARF).fit(plain)
    actual = column_importance(unnamed, plain, n_repeats=2)
    assert_array_equal(actual.importances, expected)
    as_list = column_importance(unnamed, plain.tolist(), n_repeats=2)
    assert_array_equal(as_list.importances, expected)


def test_columns_are_those_of_the_first_step():
    y = load_wine().target
    pipeline = make_pipeline(StandardScaler(), PCA(2), make(SCARF)).fit(WINE)
    assert column_importance(pipeline, WINE).importances.shape == (13, 5)
    pca = make_pipeline(StandardScaler(), PCA(13)).fit(WINE)
    # A rotation of standardized columns: each has its share.
    mean = column_importance(pca, WINE).importances_mean
    assert_allclose(mean, 1 / 13, rtol=0.2)
    classifier = SSLClassifier(make(SCARF)).fit(WINE, y)
    found = column_importance(classifier, WINE).importances
    expected = column_importance(classifier.transformer_, WINE).importances
    assert_array_equal(found, expected)


def test_rows_and_repeats():
    autoencoder = linear(np.eye(13), WINE)
    rows = np.linspace(0, 177, 50).astype(int)
    some = column_importance(autoencoder, WINE, max_rows=50)
    assert_array_equal(
        some.importances, column_importance(autoencoder, WINE[rows]).importances
    )
    other = column_importance(autoencoder, WINE, random_state=1)
    assert not np.array_equal(other.importances, some.importances)
    one = column_importance(autoencoder, WINE, n_repeats=1)
    assert_array_equal(one.importances_std, np.zeros(13))


def test_a_point_has_no_importances():
    result = column_importance(linear(np.zeros((2, 13)), WINE), WINE)
    assert np.isnan(result.importances).all()


@pytest.mark.parametrize("bad", [{"n_repeats": 0}, {"n_repeats": 1.5}, {"max_rows": 1}])
def test_bad_parameters(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))} must be"):
        column_importance(fitted(SCARF, "table"), make_data("table"), **bad)


def test_images_have_no_columns():
    with pytest.raises(ValueError, match="Found array with dim"):
        column_importance(fitted(Autoencoder, "image"), make_data("image"))
