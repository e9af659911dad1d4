import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine

from sklearn_ssl import SCARF, Data2Vec, DenoisingAutoencoder
from sklearn_ssl.encoders import MLP
from sklearn_ssl.encoders.inputs import TabularInput
from sklearn_ssl.encoders.number_embeddings import (
    PiecewiseLinear,
)
from sklearn_ssl.engine.training import embedding_health
from sklearn_ssl.modalities import Tabular
from tests.encoders.helpers import (
    ENCODERS,
    build,
    draw,
    every_embedding,
    every_encoder,
    fit,
)

WINE = load_wine().data


def bins_of(estimator):
    encoding = estimator._network.task.encoder.embedding.encoding
    return encoding.start.clone(), encoding.slope.clone()


def test_parameters_reach_the_network():
    scarf = SCARF(encoder=MLP(hidden=(8,), numbers="periodic"), max_epochs=1)
    assert scarf.get_params()["encoder__numbers"] == "periodic"
    scarf.set_params(encoder__numbers="piecewise", random_state=0)
    cloned = clone(scarf)
    assert cloned.get_params()["encoder__numbers"] == "piecewise"
    for estimator in scarf, cloned:
        estimator.fit(WINE)
        encoding = estimator._network.task.encoder.embedding.encoding
        assert isinstance(encoding, PiecewiseLinear)
    assert_array_equal(scarf.transform(WINE), cloned.transform(WINE))
    cloned.set_params(encoder__numbers="periodic", encoder__frequency_init_scale=0.3)
    frequencies = cloned.set_params(max_epochs=0).fit(WINE)
    frequencies = frequencies._network.task.encoder.embedding.encoding.frequencies
    assert_allclose(frequencies.detach().std(), 0.3, rtol=0.1)


@every_embedding
def test_rows_are_apart_before_training(numbers):
    """With much smaller frequencies all would look alike, as in a collapse."""
    encoder = MLP(hidden=(16,), numbers=numbers)
    scarf = SCARF(encoder=encoder, max_epochs=0, passthrough=False, random_state=0)
    task = scarf.fit(WINE)._network.task
    numbers = torch.from_numpy(scarf.modality_.to_arrays(WINE)["numbers"])
    std, _ = embedding_health(task, {"numbers": numbers})
    assert std > 0.15


@pytest.mark.parametrize("encoder", ENCODERS)
@every_embedding
def test_pickle(encoder, numbers, mixed):
    scarf = fit(mixed, encoder, encoder__numbers=numbers)
    loaded = pickle.loads(pickle.dumps(scarf))
    assert_array_equal(loaded.transform(mixed), scarf.transform(mixed), strict=True)
    # Training goes on as if nothing had happened.
    for estimator in scarf, loaded:
        estimator.set_params(verbose=0).partial_fit(mixed)
    assert_array_equal(loaded.transform(mixed), scarf.transform(mixed), strict=True)


def test_bins_are_those_of_the_first_fit():
    first, other = WINE[:90], WINE[90:] * 2
    scarf = fit(first, encoder__numbers="piecewise", warm_start=True)
    edges = Tabular().fit(first).bin_edges_
    start, slope = bins_of(scarf)
    for j, bounds in enumerate(edges):
        n_bins = len(bounds) - 1
        assert_allclose(start[j, :n_bins], bounds[:-1], rtol=1e-6)
        assert_allclose(slope[j, :n_bins], 1 / np.diff(bounds), rtol=1e-6)
        assert not slope[j, n_bins:].any()
    for again in (
        scarf.partial_fit(other),
        scarf.fit(other),
        pickle.loads(pickle.dumps(scarf)),
    ):
        assert all(map(torch.equal, bins_of(again), (start, slope)))
    scarf.set_params(warm_start=False).fit(other)
    assert not torch.equal(bins_of(scarf)[0], start)


def test_a_teacher_has_the_same_bins():
    data2vec = fit(WINE, "ft_transformer", Data2Vec, encoder__numbers="piecewise")
    task = data2vec._network.task
    for name, own in task.encoder.embedding.encoding.named_buffers():
        assert torch.equal(task.teacher.embedding.encoding.get_buffer(name), own)


@every_embedding
def test_all_layers(numbers):
    dae = fit(WINE, "mlp", DenoisingAutoencoder, encoder__numbers=numbers)
    dae.set_params(output="all_layers", passthrough=False)
    assert dae.fit(WINE).transform(WINE).shape == (178, 16 + 8)


@every_embedding
def test_new_rows_that_no_training_row_resembles(numbers):
    X = np.c_[WINE[:, :3], np.ones(178), np.full(178, np.nan)]
    X[:20, 0] = np.nan
    scarf = fit(X, encoder__numbers=numbers)
    Z = scarf.transform([[np.nan] * 5, [1e9] * 5, [-1e9] * 5, [0.0] * 5])
    assert np.isfinite(Z).all()


def test_a_step_is_easier_to_see_through_bins():
    """What the embeddings are for: a jump within a small part of the range."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=(500, 1)).astype(np.float32)
    y = torch.from_numpy((np.floor(8 * x) % 2).astype(np.float32))
    x, losses = torch.from_numpy(x), {}
    inputs = TabularInput(1, [], [], bin_edges=[np.linspace(-2, 2, 49).tolist()])
    for numbers in ("linear", "piecewise"):
        network = build(MLP(hidden=(16, 1)), inputs, numbers=numbers)
        network.layers[-1][1] = torch.nn.Identity()
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(150):
            loss = (network(x) - y).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses[numbers] = loss.item()
    assert losses["piecewise"] < 0.1 < 0.2 < losses["linear"]


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n_columns", [1, 7, 13])
@every_encoder
@every_embedding
def test_embedding_does_not_depend_on_the_place(
    encoder, numbers, n_columns, n_threads, torch_threads
):
    edges = [draw(12, seed=j).sort().values.tolist() for j in range(n_columns)]
    inputs = TabularInput(n_columns, [], [], bin_edges=edges)
    network = build(encoder, inputs, numbers=numbers)
    x = draw(inputs.tile, n_columns)
    torch_threads(n_threads)
    with torch.inference_mode():
        z = network(x)
        for seed in range(3):
            order = torch.from_numpy(np.random.default_rng(seed).permutation(len(x)))
            assert torch.equal(network(x[order]), z[order])
