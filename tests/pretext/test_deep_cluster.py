from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, load_wine, make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from sklearn_ssl import CollapseWarning, DeepCluster
from sklearn_ssl.encoders import MLP, ConvNet
from sklearn_ssl.pretext import clusters as module
from sklearn_ssl.pretext.clusters import Clusters, kmeans, nearest, whitening
from tests.helpers import ready_task, watch

WINE = load_wine().data
DIGITS = load_digits().images[:128]
MODALITIES = [
    pytest.param(WINE, {"encoder": MLP(hidden=(16, 8))}, id="table"),
    pytest.param(
        DIGITS, {"encoder": ConvNet(channels=(4, 8)), "modality": "image"}, id="image"
    ),
]
every_modality = pytest.mark.parametrize(("X", "parameters"), MODALITIES)


def untrained(X, **parameters):
    parameters = {"max_epochs": 0, "random_state": 0, "n_clusters": 5} | parameters
    return DeepCluster(**parameters).fit(X)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def blobs(n=300, n_clusters=4):
    X, y = make_blobs(n, 6, centers=n_clusters, cluster_std=0.3, random_state=0)
    return torch.tensor(X, dtype=torch.float32), y


# Clusters -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_components", [1, 3, 6])
def test_whitening_is_that_of_pca(n_components):
    X = blobs()[0] @ torch.randn(6, 6, generator=seeded()) + 5
    center, projection = whitening(X, n_components)
    z = ((X - center) @ projection).double().numpy()
    pca = PCA(n_components, whiten=True).fit_transform(X.double())
    pca *= np.sqrt(300 / 299)  # scikit-learn divides by n - 1
    for component, expected in zip(z[:, ::-1].T, pca.T, strict=True):
        sign = np.sign(component @ expected)
        assert_allclose(sign * component, expected, atol=2e-3)


@pytest.mark.parametrize("points", [torch.ones(9, 4), torch.zeros(9, 4)])
def test_directions_without_variance_become_zero(points):
    center, projection = whitening(points, 3)
    assert projection.isfinite().all()
    assert not ((points - center) @ projection).any()
    varied = points.clone()
    varied[:, 1] = torch.arange(9.0)
    center, projection = whitening(varied, 3)
    z = (varied - center) @ projection
    assert_allclose(z.square().mean(dim=0).sort().values, [0, 0, 1], atol=1e-5)


def test_kmeans_finds_the_clusters():
    X, y = blobs()
    best = min(
        (kmeans(X, 4, seeded(seed)) for seed in range(5)),
        key=lambda centroids: torch.cdist(X, centroids).amin(dim=1).square().sum(),
    )
    assert adjusted_rand_score(y, nearest(X, best)) == 1
    expected = KMeans(4, n_init=5, random_state=0).fit(X).cluster_centers_
    order = np.lexsort(best.numpy().T), np.lexsort(expected.T)
    assert_allclose(best[order[0]], expected[order[1]], atol=1e-3)


def test_kmeans_is_a_fixed_point_of_its_own_step():
    X, _ = blobs()
    centroids = kmeans(X, 7, seeded(), n_iterations=50)
    labels = nearest(X, centroids)
    assert torch.equal(labels, torch.cdist(X, centroids).argmin(dim=1))
    means = torch.stack([X[labels == k].mean(dim=0) for k in range(7)])
    torch.testing.assert_close(centroids, means)


def test_chunks_change_nothing(monkeypatch):
    X, _ = blobs()
    whole = kmeans(X, 7, seeded())
    monkeypatch.setattr(module, "_CHUNK", 37)
    torch.testing.assert_close(kmeans(X, 7, seeded()), whole)


def test_generator_decides_alone():
    X, _ = blobs()
    state = torch.get_rng_state()
    first, again, other = (kmeans(X, 7, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def twice_each(n):
    """Few rows far apart, each of them many times: random starts coincide."""
    return torch.eye(n).repeat(20, 1) * 10


def test_empty_clusters_begin_anew(monkeypatch):
    X = twice_each(6)
    n_occupied = [len(nearest(X, kmeans(X, 6, seeded(s))).unique()) for s in range(9)]
    assert min(n_occupied) == 6
    # Negative control: left where they are, they stay empty.
    where = torch.where
    monkeypatch.setattr(
        torch, "where", lambda sizes, means, rows: where(sizes, means, means)
    )
    n_occupied = [len(nearest(X, kmeans(X, 6, seeded(s))).unique()) for s in range(9)]
    assert min(n_occupied) < 6


@pytest.mark.parametrize("n", [2, 3, 10])
def test_more_clusters_than_rows(n):
    clusters = Clusters(4, 64, 7)
    labels = clusters.fit(torch.randn(n, 4, generator=seeded()), seeded())
    assert labels.shape == (n,) and labels.max() < 7
    assert clusters.centroids.isfinite().all()


def test_clusters_weigh_equally():
    """The weighted loss is that of drawing a cluster first, then one of its rows."""
    X = torch.cat([torch.eye(4)[[k]].repeat(n, 1) for k, n in enumerate((80, 15, 5))])
    clusters = Clusters(4, 64, 5)
    labels = clusters.fit(X, seeded())
    sizes = labels.bincount(minlength=5)
    assert sorted(sizes.tolist()) == [0, 0, 5, 15, 80]
    losses = torch.rand(100, generator=seeded())
    by_cluster = [losses[labels == k].mean() for k in labels.unique()]
    expected = torch.stack(by_cluster).mean()
    actual = (losses * clusters.weights[labels]).mean()
    torch.testing.assert_close(actual, expected)
    assert not clusters.weights[sizes == 0].any()


def test_points_have_unit_length():
    X, _ = blobs()
    clusters = Clusters(6, 3, 4)
    clusters.fit(X, seeded())
    lengths = clusters._points(X).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(300))


# The method ---------------------------------------------------------------------------


@every_modality
def test_loss_is_the_weighted_cross_entropy_of_the_clusters(X, parameters):
    task, batch = ready_task(untrained(X, **parameters), X)
    task.head.weight.data.normal_(generator=seeded())
    task.rows = torch.arange(32).flip(0)
    batch = {name: tensor[task.rows] for name, tensor in batch.items()}
    views, logits = watch(task)
    loss = task(**batch)
    assert len(views) == 1
    torch.testing.assert_close(logits[0], task.head(task.embed(views[0])))
    z = logits[0].detach().double().numpy()
    labels = task.labels.numpy()
    sizes = np.bincount(labels, minlength=5)
    labels = labels[task.rows]
    surprise = np.log(np.exp(z).sum(axis=1)) - z[np.arange(32), labels]
    weights = len(X) / (sizes[labels] * (sizes > 0).sum())
    assert_allclose(loss.item(), (surprise * weights).mean(), rtol=1e-5)
    loss.backward()
    assert any(p.grad.any() for p in task.encoder.parameters())


@every_modality
def test_all_rows_are_embedded_in_evaluation_mode(X, parameters, monkeypatch):
    estimator = untrained(X, passthrough=False, **parameters)
    task, _ = ready_task(estimator, X)
    seen = []
    monkeypatch.setattr(
        Clusters,
        "fit",
        lambda self, z, generator: seen.append(z) or torch.zeros(len(z)),
    )
    task.tile = 50
    before = {k: v.clone() for k, v in task.encoder.state_dict().items()}
    estimator._begin_fit(task)
    assert task.training
    with torch.no_grad():
        z = task.eval().embed(task.inputs.prepare(task.source))
    torch.testing.assert_close(seen[0], z)
    assert not seen[0].requires_grad
    after = task.encoder.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_every_epoch_begins_with_new_clusters_and_a_new_classifier(monkeypatch):
    begun = []
    original = DeepCluster._begin_epoch

    def begin(self, task):
        original(self, task)
        state = [task.clusters.centroids, task.head.weight.detach()]
        begun.append([tensor.clone() for tensor in state])

    monkeypatch.setattr(DeepCluster, "_begin_epoch", begin)
    untrained(WINE, max_epochs=20, encoder=MLP(hidden=(16, 8)), batch_size=16)
    assert len(begun) == 20
    for (centroids, head), (new_centroids, new_head) in pairwise(begun[:14]):
        assert not torch.equal(centroids, new_centroids)
        assert not torch.equal(head, new_head)
        assert 0.007 < new_head.std() < 0.013
    # Those of the last epochs stay, so that the classifier gets to know them.
    assert torch.equal(begun[-1][0], begun[-5][0])
    assert 0 < (begun[-1][1] - begun[-5][1]).abs().max() < 0.02


def test_short_epochs_share_clusters(monkeypatch):
    at = []
    fit = Clusters.fit
    monkeypatch.setattr(
        Clusters, "fit", lambda self, *args: at.append(n_steps) or fit(self, *args)
    )
    n_steps = 0
    after_step = DeepCluster._after_step

    def count(self, task):
        nonlocal n_steps
        n_steps += 1
        after_step(self, task)

    monkeypatch.setattr(DeepCluster, "_after_step", count)
    # Epochs of 4 steps, 80 in all; the last 30% keep the clusters.
    untrained(WINE, max_epochs=20, encoder=MLP(hidden=(8,)), batch_size=45)
    assert at == [0, 12, 24, 36, 48]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_optimizer_forgets_the_old_classifier(optimizer, monkeypatch):
    states = []
    loss = DeepCluster._loss
    monkeypatch.setattr("sklearn_ssl.pretext.deep_cluster._MIN_STEPS", 1)

    def watch_state(self, task, batch):
        if task.training:
            of = session.net.optimizer_.state
            weights = task.head.weight, task.encoder.layers[0][0].weight
            states.append([any(v.any() for v in of[w].values()) for w in weights])
        return loss(self, task, batch)

    estimator = DeepCluster(
        encoder=MLP(hidden=(8,)), optimizer=optimizer, batch_size=90, random_state=0
    )
    session = estimator.partial_fit(WINE)._session
    monkeypatch.setattr(DeepCluster, "_loss", watch_state)
    estimator.partial_fit(WINE)
    assert states == [[False, True], [True, True]]


def test_few_batches_of_partial_fit_keep_the_clusters():
    """A classifier that began anew at each call would never learn."""
    estimator = DeepCluster(encoder=MLP(hidden=(8,)), batch_size=90, random_state=0)
    centroids = []
    for rows in (WINE, WINE[:100], WINE[50:], WINE, WINE, WINE, WINE, WINE):
        estimator.partial_fit(rows)
        centroids.append(estimator._network.task.clusters.centroids.clone())
    # Batches of the calls: 2 2 2 2 2, and after ten anew.
    same = [torch.equal(a, b) for a, b in pairwise(centroids)]
    assert same == [True, True, True, True, False, True, True]


@every_modality
def test_score_takes_the_nearest_of_the_last_clusters(X, parameters):
    estimator = DeepCluster(
        max_epochs=3, n_clusters=5, random_state=0, **parameters
    ).fit(X)
    task = estimator._network.task
    before = {k: v.clone() for k, v in task.state_dict().items()}
    labels = task.labels
    other = X[::-1][:40]
    score = estimator.score(other)
    assert estimator.score(other) == score
    after = task.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert task.labels is labels
    with torch.no_grad():
        arrays = estimator.modality_.to_arrays(other)
        batch = task.inputs.prepare({k: torch.tensor(v) for k, v in arrays.items()})
        z = task.embed(batch)
    clusters = task.clusters
    points = (z - clusters.center) @ clusters.projection
    points = points / points.norm(dim=1, keepdim=True)
    expected = torch.cdist(points, clusters.centroids).argmin(dim=1)
    assert torch.equal(clusters(z), expected)


def test_a_loaded_estimator_scores_the_same():
    import pickle

    estimator = DeepCluster(max_epochs=2, random_state=0).fit(WINE)
    loaded = pickle.loads(pickle.dumps(estimator))
    assert loaded.score(WINE[:50]) == estimator.score(WINE[:50])


@pytest.mark.parametrize(
    ("n_clusters", "n_rows", "expected"),
    [("auto", 4000, 31), ("auto", 100, 10), ("auto", 6, 6), (20, 100, 20), (20, 9, 9)],
)
def test_number_of_clusters_adapts_to_the_rows(n_clusters, n_rows, expected):
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    estimator = untrained(X, n_clusters=n_clusters, encoder=MLP(hidden=(4,)))
    assert estimator.n_clusters_ == expected
    assert estimator._network.task.head.out_features == expected


def test_a_later_chunk_may_be_smaller_than_the_number_of_clusters():
    estimator = DeepCluster(n_clusters=30, random_state=0).partial_fit(WINE)
    estimator.partial_fit(WINE[:20])
    assert estimator.n_clusters_ == 30
    assert np.isfinite(estimator.score(WINE))


@every_modality
def test_training_reduces_the_loss(X, parameters):
    start = untrained(X, batch_size=32, **parameters)
    deep = clone(start).set_params(max_epochs=20, learning_rate=0.01).fit(X)
    assert deep.loss_curve_[-1] < deep.loss_curve_[0]
    assert deep.score(X) > start.score(X)


def test_one_cluster_of_all_rows_collapses_the_embedding(monkeypatch):
    """What whitening, new clusters and their equal weights prevent."""
    deep = DeepCluster(
        encoder=MLP(hidden=(16, 8)),
        max_epochs=60,
        batch_size=32,
        learning_rate=0.03,
        weight_decay=1.0,
        random_state=0,
    )
    assert clone(deep).fit(WINE).embedding_std_curve_[-1] > 0.3

    def all_in_one(points, n_clusters, generator):
        centroids = points.new_full((n_clusters, points.shape[1]), 1e3)
        centroids[0] = 0
        return centroids

    monkeypatch.setattr(module, "kmeans", all_in_one)
    with pytest.warns(CollapseWarning):
        deep.fit(WINE)


def test_transform_returns_the_encoder():
    deep = untrained(WINE, encoder=MLP(hidden=(16, 8)), passthrough=False)
    Z = deep.transform(WINE)
    assert Z.shape == (178, 8)
    for parameter in deep._network.task.head.parameters():
        torch.nn.init.ones_(parameter)
    assert_array_equal(deep.transform(WINE), Z)


@pytest.mark.parametrize("value", [-1, 0, 2.5, True, None, "many"])
def test_invalid_parameters(value):
    with pytest.raises(ValueError, match="n_clusters must be"):
        DeepCluster(n_clusters=value).fit(WINE)


def test_a_failed_step_does_not_count(monkeypatch):
    """Of whether it clusters anew the number of steps decides, which is taken back."""
    kept = DeepCluster(batch_size=8, random_state=0).partial_fit(WINE)
    failed = DeepCluster(batch_size=8, random_state=0).partial_fit(WINE)
    loss, calls = DeepCluster._loss, []

    def interrupted(self, task, batch):
        calls.append(batch)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return loss(self, task, batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(DeepCluster, "_loss", interrupted)
        failed.partial_fit(WINE)
    for estimator in kept, failed:
        estimator.partial_fit(WINE)
    assert_array_equal(failed.transform(WINE), kept.transform(WINE))
