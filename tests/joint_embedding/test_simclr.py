import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.neighbors import kneighbors_graph
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_ssl import SimCLR
from sklearn_ssl.encoders import MLP, ConvNet
from sklearn_ssl.modalities import Tabular
from sklearn_ssl.objectives import nt_xent, sigmoid_contrast
from tests.helpers import ready_task, watch

WINE = load_wine().data
DIGITS = load_digits().images[:256]
MODALITIES = [
    pytest.param(WINE, {"encoder": MLP(hidden=(16, 8))}, id="table"),
    pytest.param(
        DIGITS, {"encoder": ConvNet(channels=(8, 8)), "modality": "image"}, id="image"
    ),
]
every_modality = pytest.mark.parametrize(("X", "parameters"), MODALITIES)


def untrained(X, **parameters):
    parameters = {"max_epochs": 0, "random_state": 0} | parameters
    return SimCLR(**parameters).fit(X)


@every_modality
@pytest.mark.parametrize("temperature", [0.2, 0.5])
def test_loss_is_nt_xent_of_the_heads_of_two_views(X, parameters, temperature):
    simclr = untrained(X, temperature=temperature, **parameters)
    task, batch = ready_task(simclr, X)
    views, heads = watch(task)
    loss = task(**batch)
    assert len(views) == 2
    assert all(len(tensor) == 32 for view in views for tensor in view.values())
    assert any(not torch.equal(views[0][name], views[1][name]) for name in views[0])
    # Both views in one pass: the statistics of the head's normalization are joint.
    z = torch.cat(heads)
    assert z.shape == (64, simclr.projection_dim)
    torch.testing.assert_close(loss, nt_xent(z[:32], z[32:], temperature))
    inputs = torch.cat([task.inputs(view) for view in views])
    torch.testing.assert_close(task.head(task.encoder(inputs)), z, rtol=1e-4, atol=1e-5)


@every_modality
def test_neither_view_is_the_row_itself(X, parameters):
    task, batch = ready_task(untrained(X, **parameters), X)
    drawn = []
    draw = task.views
    task.views = lambda *args: drawn.append((args[0], draw(*args))) or drawn[-1][1]
    task(**batch)
    for rows, view in drawn:
        assert any(not torch.equal(view[name], rows[name]) for name in view)


@every_modality
def test_transform_returns_the_encoder_not_the_head(X, parameters):
    simclr = untrained(X, projection_dim=5, passthrough=False, **parameters)
    task, batch = ready_task(simclr, X)
    task.eval()
    with torch.no_grad():
        z = task.encoder(task.inputs(task.inputs.prepare(batch)))
    Z = simclr.transform(X)
    assert Z.shape == (len(X), task.n_outputs) and task.n_outputs != 5
    for parameter in task.head.parameters():
        nn.init.zeros_(parameter)
    assert_array_equal(simclr.transform(X), Z)
    # Up to a shift and scale of each column, taken from the training rows.
    assert_allclose(Z[:32], z * task.scale + task.shift, atol=1e-4)


@every_modality
def test_sigmoid_objective(X, parameters):
    simclr = untrained(X, objective="sigmoid", **parameters)
    task, batch = ready_task(simclr, X)
    assert_allclose(task.log_scale.exp().item(), 10, rtol=1e-6)
    assert task.bias.item() == -10
    _, heads = watch(task)
    loss = task(**batch)
    z1, z2 = torch.cat(heads).chunk(2)
    torch.testing.assert_close(loss, sigmoid_contrast(z1, z2, 10.0, -10.0))
    loss.backward()
    assert task.log_scale.grad != 0 and task.bias.grad != 0

    trained = clone(simclr).set_params(max_epochs=2).fit(X)._network.task
    assert trained.log_scale.exp().item() != pytest.approx(10, rel=1e-4)
    assert trained.bias.item() != pytest.approx(-10, rel=1e-5)


def test_info_nce_learns_no_scale():
    names = dict(untrained(WINE)._network.task.named_parameters())
    assert not {"log_scale", "bias"} & set(names)


@pytest.mark.parametrize("objective", ["info_nce", "sigmoid"])
@every_modality
def test_training_reduces_the_loss(X, parameters, objective):
    start = untrained(X, objective=objective, batch_size=64, **parameters)
    simclr = clone(start).set_params(max_epochs=15, learning_rate=3e-3)
    simclr.fit(X)
    curve = simclr.loss_curve_
    assert np.mean(curve[-3:]) < 0.97 * np.mean(curve[:3])
    assert simclr.score(X) > start.score(X)


def test_defaults_follow_the_recipe():
    simclr = SimCLR()
    assert simclr.objective == "info_nce"
    assert simclr.temperature == 0.5
    head = untrained(DIGITS, modality="image")._network.task.head
    kinds = [type(layer) for layer in head]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    assert head[-1].out_features == simclr.projection_dim


@pytest.mark.parametrize(
    ("name", "value"),
    [("objective", "triplet"), ("temperature", 0), ("temperature", -1.0)]
    + [("temperature", "low"), ("temperature", None), ("projection_dim", 0)]
    + [("projection_dim", 2.5), ("projection_dim", True)]
    + [("n_neighbors", -1), ("n_neighbors", 0.5), ("n_neighbors", "all")],
)
def test_invalid_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        SimCLR(**{name: value}).fit(WINE)


def test_a_learned_scale_and_lars_do_not_go_together():
    with pytest.raises(ValueError, match="optimizer='adamw'"):
        SimCLR(objective="sigmoid", optimizer="lars").fit(WINE)


@pytest.fixture
def pairs():
    """Views for a method on WINE, and the numbers of the rows that it asks them of."""
    asked = []

    def view(batch, source, generator):
        equal = (batch["numbers"][:, None] == source["numbers"]).all(dim=2)
        asked.append(equal.int().argmax(dim=1).numpy())
        return batch

    def collect():
        of_first, of_second = np.concatenate(asked[::2]), np.concatenate(asked[1::2])
        asked.clear()
        return of_first, of_second

    return view, collect


def neighborhoods(k):
    """Which rows of WINE are a row itself or among its k nearest: boolean (n, n)."""
    columns = StandardScaler().fit_transform(WINE)
    nearest = kneighbors_graph(columns, k, include_self=False).toarray() > 0
    return nearest | np.eye(len(WINE), dtype=bool)


@pytest.mark.parametrize("k", [1, 5])
def test_views_in_training_are_of_one_neighborhood(k, pairs):
    view, collect = pairs
    scaled = Tabular(numeric="standard")
    simclr = SimCLR(modality=scaled, views=view, n_neighbors=k, random_state=0)
    simclr.set_params(max_epochs=8, encoder=MLP(hidden=(8,))).fit(WINE)
    assert simclr.n_neighbors_ == k
    first, second = collect()
    near = neighborhoods(k)
    assert (near[:, first] & near[:, second]).any(axis=0).all()
    # Of the row itself both views with a chance of 1/4, of one neighbour of 1/4 / k.
    assert abs(np.mean(first == second) - (1 + 1 / k) / 4) < 0.05


def test_score_and_early_stopping_judge_by_views_of_the_row(pairs):
    view, collect = pairs
    simclr = SimCLR(views=view, max_epochs=2, batch_size=len(WINE), random_state=0)
    simclr.set_params(early_stopping=True, encoder=MLP(hidden=(8,))).fit(WINE)
    n_held_out = 18
    first, second = collect()
    by_use = np.split(first == second, np.cumsum([len(WINE) - n_held_out, n_held_out]))
    assert not by_use[0].all() and by_use[1].all()
    simclr.score(WINE)
    assert_array_equal(*collect())


def test_without_neighbours_both_views_are_of_the_row(pairs):
    view, collect = pairs
    parameters = {"encoder": MLP(hidden=(8,)), "max_epochs": 2, "random_state": 0}
    SimCLR(views=view, n_neighbors=0, **parameters).fit(WINE)
    assert_array_equal(*collect())


def test_how_many_neighbours():
    assert untrained(WINE).n_neighbors_ == 5
    assert untrained(DIGITS, modality="image").n_neighbors_ == 0
    with pytest.raises(ValueError, match=r"n_neighbors=3 .* Pass n_neighbors='auto'"):
        untrained(DIGITS, modality="image", n_neighbors=3)


def test_each_chunk_has_neighbours_of_its_own(pairs):
    view, collect = pairs
    simclr = SimCLR(encoder=MLP(hidden=(8,)), views=view, random_state=0)
    simclr.partial_fit(WINE[:2])
    assert_array_equal(*collect())  # two rows, of which neither can stand for the other
    simclr.partial_fit(WINE)
    assert simclr.n_neighbors_ == 5
    first, second = collect()
    assert 0.2 < np.mean(first == second) < 0.4


def test_the_search_leaves_nothing_behind():
    simclr = SimCLR(encoder=MLP(hidden=(8,)), max_epochs=1, random_state=0).fit(WINE)
    assert simclr._network.task.neighbors is None


def test_the_learning_rate_suits_the_encoder():
    assert untrained(WINE).learning_rate_ == 3e-3
    images = untrained(DIGITS, modality="image")
    assert images.learning_rate_ == ConvNet.learning_rate
    assert untrained(WINE, encoder="ft_transformer").learning_rate_ == 1e-3

    class Slow(MLP):
        learning_rate = 1e-4

    assert untrained(WINE, encoder=Slow(hidden=(8,))).learning_rate_ == 1e-4
