import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from sklearn_ssl import DenoisingAutoencoder
from sklearn_ssl.encoders import MLP, ConvNet
from tests.autoencoding.helpers import reconstruction_formula
from tests.helpers import ready_task, watch

WINE = load_wine().data
SMALL = {"encoder": MLP(hidden=(16, 8)), "random_state": 0}


def test_loss_reconstructs_all_clean_cells_from_corrupted_rows(mixed):
    dae = DenoisingAutoencoder(max_epochs=0, corruption_rate=0.4, **SMALL).fit(mixed)
    task, batch = ready_task(dae, mixed, n_rows=None)
    views, outputs = watch(task, "decoder")
    loss = task(**batch)
    assert len(views) == len(outputs) == 1
    torch.testing.assert_close(outputs[0], task.decoder(task.embed(views[0])))
    expected = reconstruction_formula(outputs[0], task.source, dae.modality_)
    assert_allclose(loss.item(), expected, rtol=1e-5)
    against_itself = reconstruction_formula(outputs[0], views[0], dae.modality_)
    assert abs(against_itself - expected) > 1e-3


@pytest.mark.parametrize("rate", [None, 0.15, 0.6])
def test_each_cell_has_its_chance_of_a_swap(mixed, rate):
    options = {} if rate is None else {"corruption_rate": rate}
    dae = DenoisingAutoencoder(max_epochs=0, **options, **SMALL).fit(mixed)
    rate = dae.corruption_rate
    task, batch = ready_task(dae, mixed, n_rows=None)
    # Values that no donor has: each replaced cell shows.
    batch["numbers"] = torch.full_like(batch["numbers"], 99.0)
    batch["categories"] = torch.full_like(batch["categories"], 99)
    view = task.view(batch)
    replaced = torch.cat([view[k] != 99 for k in ("numbers", "categories")], dim=1)
    share = replaced.float().mean(dim=0)
    assert (abs(share - rate) < 0.08).all()
    # Independent cells: the number of swaps differs from row to row.
    counts = replaced.sum(dim=1).double()
    n_columns = mixed.shape[1]
    assert abs(counts.var() / (n_columns * rate * (1 - rate)) - 1) < 0.3


def test_no_noise_is_a_plain_autoencoder(mixed):
    dae = DenoisingAutoencoder(max_epochs=0, corruption_rate=0.0, **SMALL).fit(mixed)
    task, batch = ready_task(dae, mixed, n_rows=None)
    view = task.view(batch)
    assert all(torch.equal(view[name], batch[name]) for name in batch)


@pytest.mark.parametrize("hidden", [(16,), (16, 8), (12, 3, 5)])
def test_output(hidden):
    dae = DenoisingAutoencoder(
        encoder=MLP(hidden=hidden), max_epochs=0, passthrough=False, random_state=0
    )
    dae.set_params(output="all_layers").fit(WINE)
    Z = dae.transform(WINE)
    assert Z.shape == (178, sum(hidden))
    last = clone(dae).set_params(output="last").fit(WINE).transform(WINE)
    assert last.shape == (178, hidden[-1])
    # The same layer, up to the scale of a wider or narrower embedding.
    block = Z[:, -hidden[-1] :]
    varies = last.std(axis=0) > 0
    assert varies.any()
    correlation = [
        np.corrcoef(a, b)[0, 1]
        for a, b in zip(block.T, last.T, strict=True)
        if a.std() > 1e-4 and b.std() > 1e-4
    ]
    assert_allclose(correlation, 1, atol=1e-4)


def test_all_layers_are_those_of_the_clean_row(mixed):
    dae = DenoisingAutoencoder(
        output="all_layers", max_epochs=1, passthrough=False, **SMALL
    )
    Z = dae.fit(mixed).transform(mixed)
    task, batch = ready_task(dae, mixed, n_rows=None)
    task.eval()
    x, outputs = task.inputs(batch), []
    with torch.no_grad():
        for layer in task.encoder.layers:
            x = layer(x)
            outputs.append(x)
        z = torch.cat(outputs, dim=1) * task.scale + task.shift
    assert_allclose(Z, z, atol=1e-5)


def test_all_layers_needs_layers():
    encoder = torch.nn.Linear(13, 4)
    with pytest.raises(ValueError, match=r"output='all_layers'.*Pass output='last'"):
        DenoisingAutoencoder(encoder=encoder, output="all_layers").fit(WINE)
    dae = DenoisingAutoencoder(encoder=encoder, output="last", max_epochs=1)
    assert dae.set_params(passthrough=False).fit_transform(WINE).shape == (178, 4)


def test_categories_are_learned(mixed):
    """A copy of a column tells which category was there before the noise."""
    mixed["copy"] = mixed["city"]
    dae = DenoisingAutoencoder(
        max_epochs=40, corruption_rate=0.3, learning_rate=0.01, **SMALL
    )
    dae.set_params(encoder=MLP(hidden=(32, 32))).fit(mixed)
    task, batch = ready_task(dae, mixed, n_rows=None)
    task.eval()
    output = task.decoder(task.embed(batch))
    sizes = dae.modality_.cardinalities_
    logits = output[:, -sum(sizes) :].split(list(sizes), dim=1)
    guess = torch.stack([column.argmax(dim=1) for column in logits], dim=1)
    assert (guess == batch["categories"]).float().mean() > 0.9


def test_training_reduces_the_loss():
    X = load_breast_cancer().data
    untrained = DenoisingAutoencoder(max_epochs=0, corruption_rate=0.15, **SMALL).fit(X)
    dae = clone(untrained).set_params(max_epochs=20, learning_rate=3e-3).fit(X)
    assert dae.loss_curve_[-1] < 0.95 * dae.loss_curve_[0]
    assert dae.score(X) > untrained.score(X)


def test_default_views_follow_the_parameters():
    dae = DenoisingAutoencoder(max_epochs=0, corruption_rate=0.25, **SMALL).fit(WINE)
    assert dae.views_.rate == 0.25 and not dae.views_.exact


@pytest.mark.parametrize(
    ("name", "value"),
    [("corruption_rate", -0.1), ("corruption_rate", 2), ("corruption_rate", None)]
    + [("output", "first"), ("output", None)],
)
def test_invalid_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        DenoisingAutoencoder(**{name: value}).fit(WINE)


# Images -------------------------------------------------------------------------------

DIGITS = load_digits().images[:128]
IMAGE = {"modality": "image", "encoder": ConvNet(channels=(4, 8)), "random_state": 0}


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_hidden_squares_of_images_have_their_rate(rate):
    dae = DenoisingAutoencoder(max_epochs=0, corruption_rate=rate, **IMAGE).fit(DIGITS)
    assert dae.views_.rate == rate
    task, _ = ready_task(dae, DIGITS, n_rows=None)
    view = task.view({"pixels": torch.full((128, 1, 8, 8), 99.0)})
    assert abs((view["pixels"] != 99).float().mean() - rate) < 0.02


def test_clean_images_are_reconstructed_from_hidden_ones():
    dae = DenoisingAutoencoder(max_epochs=0, **IMAGE).fit(DIGITS)
    task, batch = ready_task(dae, DIGITS)
    views, outputs = watch(task, "decoder")
    loss = task(**batch)
    torch.testing.assert_close(outputs[0], task.decoder(task.embed(views[0])))
    clean = task.inputs(task.inputs.prepare(batch)).double().numpy()
    hidden = task.inputs(views[0]).double().numpy()
    output = outputs[0].detach().double().numpy()
    assert_allclose(loss.item(), ((output - clean) ** 2).mean(), rtol=1e-5)
    assert abs(((output - hidden) ** 2).mean() - loss.item()) > 1e-3


def test_training_on_images_reduces_the_loss():
    untrained = DenoisingAutoencoder(max_epochs=0, **IMAGE).fit(DIGITS)
    dae = clone(untrained).set_params(max_epochs=15, learning_rate=0.01).fit(DIGITS)
    assert dae.loss_curve_[-1] < 0.95 * dae.loss_curve_[0]
    assert dae.score(DIGITS) > untrained.score(DIGITS)


def test_all_layers_of_an_image_encoder_are_an_error():
    with pytest.raises(ValueError, match=r"output='all_layers'.*Pass output='last'"):
        DenoisingAutoencoder(output="all_layers", **IMAGE).fit(DIGITS)
