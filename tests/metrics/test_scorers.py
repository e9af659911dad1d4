"""Metrics as scorers: what they see, in which order they put encoders, in searches."""

import pickle
from threading import Thread

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_ssl import SCARF, Autoencoder, MoCo, SimCLR, SSLClassifier, metrics
from sklearn_ssl._probing import embed, embed_views
from sklearn_ssl.encoders import ConvNet
from sklearn_ssl.views import Corruption
from tests.helpers import METHODS, fitted, make, make_data

SCORERS = {
    name.removesuffix("_scorer"): getattr(metrics, name)
    for name in metrics.__all__
    if name.endswith("_scorer") and not name.startswith("make")
}


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


@pytest.fixture(scope="module")
def scarf(wine):
    return make(SCARF).fit(wine[0])


# What they measure --------------------------------------------------------------------


def test_the_encoders_own_output(scarf, wine):
    X, _ = wine
    task = scarf._network.task
    arrays = scarf.modality_.to_arrays(X)
    with torch.no_grad():
        batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
        expected = task.embed(task.inputs.prepare(batch)).numpy()
    assert_allclose(embed(scarf, X), expected, atol=1e-5)
    # Which transform centres, scales and puts the columns beside.
    Z = scarf.transform(X)[:, : task.widths[0]]
    scale = np.linalg.norm(Z.std(axis=0)) / np.linalg.norm(expected.std(axis=0))
    assert_allclose(Z, scale * (expected - expected.mean(axis=0)), atol=1e-4)


@pytest.mark.parametrize("cls", METHODS)
def test_every_method_has_views_to_embed(cls):
    modality = cls.modalities[0]
    estimator = fitted(cls, modality)
    X = make_data(modality)[:40]
    Z = embed_views(estimator, X, 3)
    assert Z.shape == (40, 3, embed(estimator, X).shape[1])
    assert np.isfinite(Z).all()
    again = embed_views(estimator, X, 3)
    assert_array_equal(Z, again)
    assert not np.array_equal(Z, embed_views(estimator, X, 3, random_state=1))


@pytest.mark.parametrize("cls", [SimCLR, MoCo])
def test_probing_changes_nothing(cls):
    estimator = fitted(cls, "image")
    X = make_data("image")
    before = pickle.dumps(estimator._network.state()), estimator.score(X)
    torch_state = torch.get_rng_state()
    embed_views(estimator, X, 2)
    assert before == (pickle.dumps(estimator._network.state()), estimator.score(X))
    task = estimator._network.task
    assert task.source is None
    assert not task.training
    assert torch.equal(torch_state, torch.get_rng_state())


def test_what_views_note_of_the_rows_probed_is_forgotten():
    images = make_data("image")
    estimator = make(Autoencoder, modality="image", max_epochs=0).fit(images)
    before = dict(vars(estimator.modality_))
    embed_views(estimator, images, 2)
    assert vars(estimator.modality_) == before


def test_probing_keeps_other_threads_from_the_network(wine):
    estimator = make(SCARF, max_epochs=0).fit(wine[0])
    lock, entered = estimator._network._lock, []

    def view(batch, source, generator):
        enter = Thread(target=lambda: entered.append(lock.acquire(blocking=False)))
        enter.start()
        enter.join()
        return batch

    estimator._network.task.views = view
    embed_views(estimator, wine[0], 2)
    assert entered == [False, False]


def test_two_views_differ_and_rows_keep_their_place(wine):
    X, _ = wine
    estimator = make(SCARF, views=Corruption(rate=0.1)).fit(X)
    Z = embed_views(estimator, X, 2)
    assert not np.allclose(Z[:, 0], Z[:, 1])
    apart = metrics.alignment(Z[:, 0], Z[::-1, 1])
    assert metrics.alignment(Z[:, 0], Z[:, 1]) < apart / 2


@pytest.mark.parametrize("name", SCORERS)
def test_estimators_around_a_method(name, wine, scarf):
    X, y = wine
    scorer = SCORERS[name]
    expected = scorer(scarf, X, y)
    assert isinstance(expected, float)
    frozen = FrozenEstimator(scarf)
    search = GridSearchCV(make_pipeline(frozen, LogisticRegression()), {}, cv=2)
    around = [
        frozen,
        make_pipeline(frozen, LogisticRegression(max_iter=500)).fit(X, y),
        SSLClassifier(frozen).fit(X, y),
        search.set_params(estimator__logisticregression__max_iter=500).fit(X, y),
    ]
    for estimator in around:
        assert scorer(estimator, X, y) == expected
    if name != "knn":
        assert scorer(scarf, X) == expected


def test_steps_before_the_method_are_applied(wine):
    X, _ = wine
    pipeline = make_pipeline(StandardScaler(), make(SCARF)).fit(X)
    expected = metrics.effective_rank(embed(pipeline[-1], pipeline[0].transform(X)))
    assert metrics.effective_rank_scorer(pipeline, X) == expected


AROUND = {
    "nested": lambda scarf: make_pipeline(
        make_pipeline(StandardScaler(), scarf), LogisticRegression()
    ),
    "search": lambda scarf: make_pipeline(
        StandardScaler(),
        GridSearchCV(make_pipeline(scarf, LogisticRegression()), {}, cv=2),
    ),
    "classifier": lambda scarf: make_pipeline(StandardScaler(), SSLClassifier(scarf)),
    "frozen": lambda scarf: make_pipeline(
        StandardScaler(), FrozenEstimator(scarf), LogisticRegression()
    ),
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_methods_deep_inside(around, wine):
    X, y = wine
    scaler = StandardScaler().fit(X)
    frozen = FrozenEstimator(make(SCARF).fit(scaler.transform(X)))
    expected = embed(frozen, scaler.transform(X))
    assert_array_equal(embed(around(frozen).fit(X, y), X), expected)


def test_a_transformer_of_the_target_is_no_method(wine):
    X, y = wine
    ridge = TransformedTargetRegressor(Ridge(), transformer=StandardScaler())
    with pytest.raises(TypeError, match="has no transform"):
        embed(ridge.fit(X, y), X)
    pipeline = make_pipeline(PCA(4), ridge).fit(X, y)
    assert_array_equal(embed(pipeline, X), pipeline[:-1].transform(X))


def test_transformers_from_elsewhere(wine):
    X, y = wine
    pipeline = make_pipeline(StandardScaler(), PCA(4), LogisticRegression()).fit(X, y)
    expected = metrics.effective_rank(pipeline[:-1].transform(X))
    assert metrics.effective_rank_scorer(pipeline, X) == expected
    with pytest.raises(TypeError, match="views of the rows"):
        metrics.alignment_scorer(pipeline, X)
    one_hot = OneHotEncoder().fit(X > 13)
    with pytest.raises(TypeError, match="OneHotEncoder returns a sparse matrix"):
        metrics.effective_rank_scorer(one_hot, X > 13)
    with pytest.raises(TypeError, match="has no transform"):
        metrics.effective_rank_scorer(LogisticRegression().fit(X > 13, y), X)


def _noting(seen):
    """A metric that notes what it is given."""

    def metric(Z, y=None):
        seen.extend([Z, y])
        return 0.0

    return metric


@pytest.mark.parametrize("needs_y", [False, True])
def test_many_rows_are_thinned(wine, scarf, needs_y):
    X, y = wine
    rows = np.linspace(0, 177, 60).astype(int)
    scorer = metrics.make_embedding_scorer(
        _noting(seen := []), needs_y=needs_y, max_rows=60
    )
    scorer(scarf, X, y)
    assert_array_equal(seen[0], embed(scarf, X[rows]))
    assert_array_equal(seen[1], y[rows] if needs_y else None)


def test_lidar_is_of_ten_views_of_a_thousand_rows(scarf):
    X = np.random.default_rng(0).normal(size=(1500, 13))
    rows = np.linspace(0, 1499, 1000).astype(int)
    expected = metrics.lidar(embed_views(scarf, X[rows], 10))
    assert metrics.lidar_scorer(scarf, X) == expected


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_a_power_law_is_best_at_an_exponent_of_one(power):
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(400, 20)))[0]
    Z = directions * np.arange(1, 21) ** (-power / 2)
    alpha = metrics.alpha_req(Z)
    assert (alpha < 1) == (power < 1)
    found = metrics.alpha_req_scorer(FunctionTransformer().fit(Z), Z)
    assert found == pytest.approx(-abs(alpha - 1))


def test_rows_without_label_are_left_out_before_thinning(wine, scarf):
    X, y = wine
    labeled = np.flatnonzero(np.arange(178) % 3 == 0)
    partly = np.full(178, -1)
    partly[labeled] = y[labeled]
    rows = labeled[np.linspace(0, 59, 40).astype(int)]
    scorer = metrics.make_embedding_scorer(
        _noting(seen := []), needs_y=True, max_rows=40
    )
    scorer(scarf, X, partly)
    assert_array_equal(seen[0], embed(scarf, X[rows]))
    assert_array_equal(seen[1], y[rows])
    expected = metrics.knn_score(embed(scarf, X[labeled]), y[labeled])
    assert metrics.knn_scorer(scarf, X, partly) == expected


def test_scorer_with_a_class_of_minus_one(wine, scarf):
    X, y = wine
    scorer = metrics.make_embedding_scorer(
        metrics.knn_score, needs_y=True, unlabeled=None
    )
    assert scorer(scarf, X, y - 1) == metrics.knn_scorer(scarf, X, y)


def test_scorers_that_lack_labels(wine, scarf):
    X, y = wine
    with pytest.raises(ValueError, match="needs y"):
        metrics.knn_scorer(scarf, X)
    with pytest.raises(ValueError, match="None of the 178 rows has a label"):
        metrics.knn_scorer(scarf, X, np.full(178, -1))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        metrics.knn_scorer(scarf, X, y[1:])


@pytest.mark.parametrize("name", SCORERS)
def test_pickles(name, wine, scarf):
    X, y = wine
    scorer = pickle.loads(pickle.dumps(SCORERS[name]))
    assert scorer(scarf, X, y) == SCORERS[name](scarf, X, y)
    assert name.removesuffix("_score") in scorer.__name__


# In which order they put encoders -----------------------------------------------------


class Constant(torch.nn.Module):
    """An encoder that has collapsed to a point."""

    def forward(self, x):
        return torch.ones(len(x), 32) + 0 * x.mean()


class NearlyConstant(torch.nn.Module):
    """One that has collapsed but for noise: no information, another value by row."""

    def forward(self, x):
        x = x.flatten(1)
        generator = torch.Generator().manual_seed(0)
        directions = torch.randn(x.shape[1], 32, generator=generator)
        return 1 + 0.01 * torch.sin(1e4 * x @ directions)


@pytest.fixture(scope="module")
def encoders():
    """SimCLR on digits: collapsed, nearly so, untrained, trained."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:600].reshape(-1, 8, 8).astype(np.float32), y[:600]
    parameters = {"modality": "image", "encoder": ConvNet(channels=(16, 32))}
    untrained = make(SimCLR, **parameters, max_epochs=0).fit(X)
    trained = make(SimCLR, **parameters, max_epochs=15).fit(X)
    collapsed, nearly = (
        make(SimCLR, modality="image", encoder=encoder, max_epochs=0).fit(X)
        for encoder in (Constant, NearlyConstant)
    )
    return X, y, collapsed, nearly, untrained, trained


# As the module's documentation says; for the others it depends on data and training.
TRAINED_IS_FIRST = ("embedding_std", "knn", "uniformity")
NEAR_COLLAPSE_IS_LAST = ("effective_rank", *TRAINED_IS_FIRST)


@pytest.mark.parametrize("name", SCORERS)
def test_order_of_collapsed_untrained_and_trained(name, encoders):
    X, y, *estimators = encoders
    collapsed, nearly, untrained, trained = (SCORERS[name](e, X, y) for e in estimators)
    healthy = min(untrained, trained)
    if name == "alignment":
        assert collapsed == 0 > nearly > max(untrained, trained)
    else:
        assert collapsed < healthy
    if name in NEAR_COLLAPSE_IS_LAST:
        assert nearly < 0.3 * healthy
    else:
        assert nearly > 0.9 * healthy  # it looks as good
    if name in TRAINED_IS_FIRST:
        assert untrained < trained


# In searches --------------------------------------------------------------------------


def test_search_without_labels(wine):
    X, _ = wine
    scorer = metrics.embedding_std_scorer
    search = GridSearchCV(make(SCARF), {"max_epochs": [0, 2]}, scoring=scorer, cv=2)
    search.fit(X)
    for i, max_epochs in enumerate([0, 2]):
        for j, (train, test) in enumerate(KFold(2).split(X)):
            fitted_by_hand = make(SCARF, max_epochs=max_epochs).fit(X[train])
            expected = metrics.embedding_std(embed(fitted_by_hand, X[test]))
            assert search.cv_results_[f"split{j}_test_score"][i] == expected
    assert search.best_index_ == np.argmax(search.cv_results_["mean_test_score"])


def test_search_by_several(wine):
    X, y = wine
    search = GridSearchCV(
        make_pipeline(StandardScaler(), make(SCARF)),
        {"scarf__max_epochs": [0, 1]},
        scoring=SCORERS,
        refit="knn",
        cv=2,
        error_score="raise",
    ).fit(X, y)
    for name in SCORERS:
        assert np.isfinite(search.cv_results_[f"mean_test_{name}"]).all()


def test_cross_validation_of_a_classifier(wine):
    X, y = wine
    pipeline = make_pipeline(make(SCARF), LogisticRegression(max_iter=1000))
    scores = cross_val_score(pipeline, X, y, cv=2, scoring=metrics.lidar_scorer)
    expected = [
        metrics.lidar(embed_views(make(SCARF).fit(X[train]), X[test], 10))
        for train, test in StratifiedKFold(2).split(X, y)
    ]
    assert scores.tolist() == expected
