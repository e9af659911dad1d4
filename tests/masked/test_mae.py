import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from sklearn_ssl import MaskedAutoencoder
from sklearn_ssl.encoders import MLP, ConvNet, ViT
from sklearn_ssl.masked.hiding import hide
from tests.masked.helpers import (
    DIGITS,
    MODALITIES,
    WINE,
    record,
    untrained_task,
)

every_modality = pytest.mark.parametrize(
    ("X", "parameters", "n_tokens"), MODALITIES.values(), ids=MODALITIES
)
SMALL = MODALITIES["table"][1] | {"decoder_dim": 16}


def mae(**parameters):
    return MaskedAutoencoder(**{"decoder_dim": 16} | parameters)


def masks(task):
    """The masks of all rows that come, as they are drawn."""
    drawn = []
    original = task.inputs.token_loss
    task.inputs.token_loss = lambda *args: drawn.append(args[3]) or original(*args)
    return drawn


@every_modality
def test_encoder_sees_visible_tokens_only(X, parameters, n_tokens):
    task, batch = untrained_task(mae(**parameters), X)
    inputs, _ = record(task.encoder, "encode_tokens")
    drawn = masks(task)
    task(**batch)
    (seen,), (hidden,) = inputs, drawn
    tokens = task.encoder.tokens(task.inputs(task.inputs.prepare(batch)))
    share = task.adapted["mask_ratio"]
    assert tokens.shape == (32, n_tokens, 16)
    assert seen.shape == (32, n_tokens - int(share * n_tokens), 16)
    for row in range(32):
        visible = tokens[row, ~hidden[row]]
        # In any order: positions are in the tokens.
        order = torch.cdist(seen[row], visible).argmin(dim=1)
        assert sorted(order.tolist()) == [*range(len(visible))]
        torch.testing.assert_close(seen[row], visible[order])


@pytest.mark.parametrize(("ratio", "n_hidden"), [(0.29, 29), (0.57, 57), (0.575, 57)])
def test_rounding_hides_no_token_less(ratio, n_hidden):
    """0.29 * 100 is a bit below 29."""
    X = np.random.default_rng(0).normal(size=(8, 100))
    task, batch = untrained_task(mae(mask_ratio=ratio, **MODALITIES["table"][1]), X)
    drawn = masks(task)
    task(**batch)
    assert (drawn[0].sum(dim=1) == n_hidden).all()


@every_modality
def test_decoder_gets_mask_tokens_and_positions(X, parameters, n_tokens):
    task, batch = untrained_task(mae(**parameters), X)
    nn.init.normal_(task.mask_token, generator=torch.Generator().manual_seed(0))
    inputs, outputs = record(task.encoder, "encode_tokens")
    decoded = []
    task.decoder.register_forward_pre_hook(lambda module, args: decoded.append(args[0]))
    drawn = masks(task)
    task(**batch)
    places = task.encoder.positions
    tokens = task.encoder.tokens(task.inputs(task.inputs.prepare(batch)))
    for row in range(32):
        for token in range(n_tokens):
            expected = task.mask_token
            if not drawn[0][row, token]:
                place = torch.cdist(tokens[row, token][None], inputs[0][row]).argmin()
                expected = outputs[0][row, place]
            torch.testing.assert_close(decoded[0][row, token], expected + places[token])


@every_modality
def test_what_is_hidden_does_not_leak(X, parameters, n_tokens):
    task, batch = untrained_task(mae(**parameters), X)
    decoded = []
    task.head.register_forward_hook(lambda module, args, out: decoded.append(out))
    drawn = masks(task)
    original = task.encoder.tokens

    def spoilt(x):
        tokens = original(x)
        if drawn:  # the second time, with the same masks: only hidden tokens differ
            tokens = torch.where(drawn[0][..., None], 1e3, tokens)
        return tokens

    task.encoder.tokens = spoilt
    for _ in range(2):
        task.set_generator(torch.Generator().manual_seed(0))
        task(**batch)
    assert torch.equal(*drawn)
    assert torch.equal(*decoded)


@pytest.mark.parametrize("modality", MODALITIES)
def test_loss_counts_hidden_tokens(modality):
    X, parameters, _ = MODALITIES[modality]
    task, batch = untrained_task(mae(**parameters), X)
    drawn = masks(task)
    outputs = []
    task.head.register_forward_hook(lambda module, args, out: outputs.append(out))
    task.head.register_forward_hook(lambda module, args, out: out.retain_grad())
    loss = task(**batch)
    loss.backward()
    gradient = outputs[0].grad.flatten(2).any(dim=2)
    assert not (gradient & ~drawn[0]).any()
    values = outputs[0].detach().double().numpy()
    if modality == "image":
        pixels = task.inputs(task.inputs.prepare(batch))
        patches = task.encoder.parts(pixels).double().numpy()
        spread = np.sqrt(patches.var(axis=2, ddof=1, keepdims=True) + 1e-6)
        errors = (values - (patches - patches.mean(2, keepdims=True)) / spread) ** 2
        errors = errors.mean(axis=2)
    else:
        errors = (values[..., 0] - batch["numbers"].numpy()) ** 2
    assert_allclose(loss.item(), errors[drawn[0]].mean(), rtol=1e-4)


@pytest.mark.parametrize(
    ("modality", "ratio", "n_hidden"),
    [("image", "auto", 12), ("table", "auto", 6), ("image", 0.3, 4)]
    + [("table", 0.01, 1), ("table", 0.999, 12)],
)
def test_number_of_hidden_tokens(modality, ratio, n_hidden):
    X, parameters, n_tokens = MODALITIES[modality]
    estimator = mae(mask_ratio=ratio, **parameters)
    task, _ = untrained_task(estimator, X)
    auto = {"image": 0.75, "table": 0.5}[modality]
    assert estimator.mask_ratio_ == (auto if ratio == "auto" else ratio)
    hidden, visible = hide(task, torch.zeros(500, n_tokens, 16))
    assert_array_equal(hidden.sum(dim=1), n_hidden)
    assert visible.shape == (500, n_tokens - n_hidden, 16)
    assert not hidden.gather(1, visible[..., 0]).any()
    # Each token as often as the others, rows independently.
    share = hidden.double().mean(dim=0)
    assert_allclose(share, n_hidden / n_tokens, atol=0.1)
    assert len(hidden.unique(dim=0)) > 10


def test_masks_come_from_the_generator_of_the_task():
    task, batch = untrained_task(mae(**SMALL), WINE)
    drawn = masks(task)
    for seed in (0, 1, 0):
        task.set_generator(torch.Generator().manual_seed(seed))
        task(**batch)
    assert torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[1])


@every_modality
def test_transform_sees_all_tokens_and_no_decoder(X, parameters, n_tokens):
    estimator = mae(passthrough=False, **parameters)
    task, _ = untrained_task(estimator, X)
    expected = estimator.transform(X)
    assert expected.shape == (len(X), 32)
    for parameter in [*task.decoder.parameters(), task.mask_token]:
        nn.init.zeros_(parameter)
    inputs, _ = record(task.encoder, "encode_tokens")
    assert_array_equal(estimator.transform(X), expected)
    assert all(tokens.shape[1] == n_tokens for tokens in inputs)


@every_modality
def test_hidden_tokens_can_be_told_from_visible_ones(X, parameters, n_tokens):
    estimator = mae(batch_size=32, max_epochs=30, learning_rate=3e-3, **parameters)
    curve = estimator.set_params(random_state=0).fit(X).loss_curve_
    assert curve[-1] < 0.75  # 1 is the error of the mean of a column or patch


def test_all_kinds_of_columns_are_reconstructed(mixed):
    estimator = mae(max_epochs=30, learning_rate=3e-3, random_state=0, **SMALL)
    mixed = mixed.assign(country=mixed["city"].replace({"Chur": "Bern"}))
    curve = estimator.fit(mixed).loss_curve_
    task = estimator._network.task
    assert len(task.encoder.positions) == mixed.shape[1]
    assert curve[-1] < 0.9 * curve[0]


def test_each_column_has_a_head_of_its_own():
    task, _ = untrained_task(mae(**SMALL), WINE)
    same = torch.ones(1, 13, 16)
    assert len(task.head(same)[0, :, 0].unique()) == 13


def test_a_single_column_is_hidden():
    estimator = mae(max_epochs=1, random_state=0, **SMALL).fit(WINE[:, :1])
    assert np.isfinite(estimator.loss_curve_).all()


def test_decoder_is_lighter_than_the_encoder():
    task, _ = untrained_task(MaskedAutoencoder(modality="image"), DIGITS)

    def size(module):
        return sum(p.numel() for p in module.parameters())

    assert 5 * size(task.decoder) < size(task.encoder)


@pytest.mark.parametrize(
    ("encoder", "X", "modality"),
    [(MLP(hidden=(8,)), WINE, "table"), (ConvNet(channels=(4,)), DIGITS, "image")],
)
def test_encoder_without_tokens(encoder, X, modality):
    estimator = mae(encoder=encoder, modality=modality)
    with pytest.raises(ValueError, match=r"hides tokens.*FTTransformer.*ViT"):
        estimator.fit(X)


@pytest.mark.parametrize(
    ("name", "value"),
    [("mask_ratio", value) for value in (0, 1, -0.5, "most", None, True)]
    + [("decoder_dim", value) for value in (0, 24, 2.5, "auto")]
    + [("decoder_depth", value) for value in (0, 1.5, None)],
)
def test_invalid_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        MaskedAutoencoder(**{name: value}).fit(WINE)


def test_patches_of_one_value_are_refused():
    encoder = ViT(patch_size=1, dim=8, depth=1, heads=1)
    with pytest.raises(ValueError, match="patch_size=2"):
        mae(modality="image", encoder=encoder).fit(DIGITS)
