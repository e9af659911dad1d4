import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from torch import nn

from sklearn_ssl import SCARF, DenoisingAutoencoder, SimCLR
from sklearn_ssl.encoders import MLP, ConvNet, Custom, ResNet, resolve_encoder
from sklearn_ssl.encoders.inputs import ImageInput, TabularInput
from sklearn_ssl.encoders.mlp import projection_head
from sklearn_ssl.engine.optimization import make_optimizer
from sklearn_ssl.engine.random import WEIGHTS, make_generator, seeded_initialization
from tests.helpers import numeric_gradient

WINE = load_wine().data[:60]
DIGITS = load_digits().images[:32].astype(np.float32)
QUICK = {"max_epochs": 1, "batch_size": 32, "random_state": 0}


class Net(nn.Module):
    """An encoder of a user: not one of ours, and not a Sequential."""

    def __init__(self, input_shape=(13,)):
        super().__init__()
        self.linear = nn.Linear(*input_shape, 6)

    def forward(self, x):
        return self.linear(x).relu()


def net_for_wine():
    return Net()


def net_for_any_table(input_shape):
    return Net(input_shape)


# Components ---------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [(8,), (16, 4)])
def test_mlp(hidden):
    network = MLP(hidden=hidden).build((5,))
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    expected, outputs = x, []
    for layer in network.layers:
        linear = layer[0]
        expected = (expected @ linear.weight.T + linear.bias).clamp(min=0)
        outputs.append(expected)
    assert tuple(z.shape[1] for z in outputs) == hidden
    torch.testing.assert_close(network(x), expected)
    torch.testing.assert_close(network.all_layers(x), torch.cat(outputs, dim=1))


def test_mlp_drops_out_while_training_only():
    network = MLP(hidden=(64, 64), dropout=0.5).build((5,))
    x = torch.ones(2, 5)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_projection_head(batch_norm):
    head = projection_head(5, 7, 3, batch_norm=batch_norm)
    linear = [m for m in head if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(5, 7), (7, 3)]
    norms = [m for m in head if isinstance(m, nn.BatchNorm1d)]
    assert len(norms) == batch_norm
    # Batch normalization takes the mean away, and so any bias before it.
    assert (linear[0].bias is None) == batch_norm
    assert linear[1].bias is not None
    x = torch.randn(9, 5, generator=torch.Generator().manual_seed(0))
    hidden = linear[0](x)
    if batch_norm:
        hidden = (hidden - hidden.mean(0)) / (hidden.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(head(x), linear[1](hidden.relu()))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mlp", MLP()), ("convnet", ConvNet())]
    + [(f"resnet{depth}", ResNet(depth=depth)) for depth in (18, 34, 50)],
)
def test_names(name, expected):
    encoder = resolve_encoder(name, None)
    assert type(encoder) is type(expected)
    assert encoder.get_params() == expected.get_params()
    encoder.set_params(**dict.fromkeys(encoder.get_params(), "changed"))
    assert resolve_encoder(name, None).get_params() == expected.get_params()


def test_components_are_cloned():
    encoder = MLP(hidden=(8,))
    resolved = resolve_encoder(encoder, None)
    assert resolved is not encoder
    assert resolved.get_params() == encoder.get_params()
    default = MLP()
    assert resolve_encoder("auto", default) is default


@pytest.mark.parametrize("encoder", [None, 3, (16, 16)])
def test_not_an_encoder(encoder):
    with pytest.raises(TypeError, match=r"encoder must be a name.*nn\.Module"):
        SCARF(encoder=encoder, **QUICK).fit(WINE)


def test_unknown_name():
    with pytest.raises(ValueError, match=r"'transformer' is unknown.*'auto'.*'mlp'"):
        SCARF(encoder="transformer", **QUICK).fit(WINE)


def test_mlp_on_images():
    with pytest.raises(ValueError, match=r"MLP\(\) takes rows.*encoder='auto'"):
        SimCLR(modality="image", encoder="mlp", **QUICK).fit(DIGITS)


@pytest.mark.parametrize("encoder", ["convnet", ResNet(depth=34)])
def test_networks_for_images_on_tables(encoder):
    with pytest.raises(ValueError, match=r"takes images.*modality='image'"):
        SCARF(encoder=encoder, **QUICK).fit(WINE)


@pytest.mark.parametrize(
    "encoder",
    [nn.Unflatten(1, (1, 13)), nn.Flatten(0), nn.GRU(13, 4)],
    ids=["three dimensions", "no rows", "a tuple"],
)
def test_wrong_output_shape(encoder):
    with pytest.raises(ValueError, match=r"'n', n_outputs.*Flatten or pool"):
        SCARF(encoder=encoder, **QUICK).fit(WINE)


@pytest.mark.parametrize(
    ("method", "X", "encoder", "shape"),
    [
        (SCARF(), WINE, nn.Linear(5, 4), r"\('n', 13\)"),
        (SimCLR(modality="image"), DIGITS, nn.Conv2d(3, 4, 3), r"\('n', 1, 8, 8\)"),
    ],
)
def test_wrong_input_shape_names_the_shape(method, X, encoder, shape):
    with pytest.raises(ValueError, match=shape):
        clone(method).set_params(encoder=encoder, **QUICK).fit(X)


# Modules and factories of users -------------------------------------------------------


@pytest.mark.parametrize("method", [SCARF, DenoisingAutoencoder])
def test_module_is_copied(method):
    encoder = Net()
    before = {name: t.clone() for name, t in encoder.state_dict().items()}
    options = {"output": "last"} if method is DenoisingAutoencoder else {}
    ssl = method(encoder=encoder, passthrough=False, **options, **QUICK)
    Z = ssl.fit_transform(WINE)
    assert Z.shape == (60, 6)
    assert ssl.encoder is encoder and encoder.training
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name])
        assert encoder.get_parameter(name).grad is None
    trained = ssl._network.task.encoder
    assert not torch.equal(trained.linear.weight, encoder.linear.weight)
    assert_array_equal(clone(ssl).fit_transform(WINE), Z)


def test_training_begins_from_the_weights_of_the_module():
    encoder = Net()
    ssl = SCARF(encoder=encoder, max_epochs=0, random_state=0).fit(WINE)
    start = ssl._network.task.encoder.linear.weight
    assert torch.equal(start, encoder.linear.weight)
    assert start.data_ptr() != encoder.linear.weight.data_ptr()


@pytest.mark.parametrize("factory", [net_for_wine, net_for_any_table, Net])
def test_factory(factory):
    state = torch.get_rng_state()
    ssl = SCARF(encoder=factory, **QUICK).fit(WINE)
    assert torch.equal(torch.get_rng_state(), state)
    assert type(ssl._network.task.encoder) is Net
    expected = clone(ssl).fit(WINE).transform(WINE)
    assert_array_equal(ssl.transform(WINE), expected)


def test_factory_gets_the_input_shape():
    assert Custom(module=net_for_any_table).build((9,)).linear.in_features == 9
    assert Custom(module=net_for_wine).build((13,)).linear.in_features == 13
    ssl = SCARF(encoder=net_for_any_table, **QUICK).fit(WINE[:, :7])
    assert ssl._network.task.encoder.linear.in_features == 7


# Input layers -------------------------------------------------------------------------


@pytest.fixture
def tabular():
    return TabularInput(2, [1], [4, 3, 6], embedding_dim=5)


@pytest.fixture
def batch():
    return {
        "numbers": torch.tensor([[0.5, -1.0], [2.0, 0.0]]),
        "missing": torch.tensor([[0.0], [1.0]]),
        "categories": torch.tensor([[2, 2, 5], [3, 1, 0]]),
    }


def test_tabular_input(tabular, batch):
    x = tabular(batch)
    assert tabular.output_shape == (2 + 1 + 3 * 5,)
    assert x.shape == (2, *tabular.output_shape)
    assert torch.equal(x[:, :2], batch["numbers"])
    assert torch.equal(x[:, 2:3], batch["missing"])
    table = tabular.embedding.weight
    for row, codes in enumerate(batch["categories"]):
        for column, (start, code) in enumerate(zip((0, 4, 7), codes, strict=True)):
            part = x[row, 3 + 5 * column : 8 + 5 * column]
            assert torch.equal(part, table[start + code])
    example = tabular.example(3)
    assert {k: (t.dtype, t.shape[1:]) for k, t in example.items()} == {
        k: (t.dtype, t.shape[1:]) for k, t in batch.items()
    }


def test_missing_and_unseen_categories_contribute_nothing(tabular, batch):
    batch["categories"] = torch.tensor([[0, 1, 0], [1, 0, 1]])
    assert not tabular(batch)[:, 3:].any()


def test_codes_absent_from_training_stay_zero(tabular, batch):
    batch["categories"] = torch.tensor([[2, 2, 5], [3, 2, 4]])
    optimizer = make_optimizer(
        [{"params": list(tabular.parameters())}], lr=0.1, weight_decay=0.5
    )
    before = tabular.embedding.weight.detach().clone()
    for _ in range(5):
        optimizer.zero_grad()
        (tabular(batch) - 1).square().sum().backward()
        optimizer.step()
    after = tabular.embedding.weight
    reserved = [0, 1, 4, 5, 7, 8]
    assert not after[reserved].any()
    assert not torch.equal(after[2], before[2])


def test_a_category_weighs_as_much_as_a_number():
    n_codes = 500
    for width in (2, 8, 32):
        with seeded_initialization(make_generator(0, WEIGHTS)):
            inputs = TabularInput(0, [], [n_codes], embedding_dim=width)
        codes = torch.arange(2, n_codes)[:, None]
        mean_square = inputs({"categories": codes}).square().sum(dim=1).mean()
        assert_allclose(mean_square.item(), 1, atol=0.15)


def test_changed_cells(tabular, batch):
    view = {name: tensor.clone() for name, tensor in batch.items()}
    assert not tabular.changed(batch, view).any()
    view["numbers"][0, 0] = 0.6
    view["missing"][1, 0] = 0.0  # of the second number, which is 0 either way
    view["categories"][0, 2] = 4
    view["categories"][1, 0] = 2
    expected = [[True, False, False, False, True], [False, True, True, False, False]]
    assert tabular.changed(batch, view).tolist() == expected
    assert tabular.changed(view, batch).tolist() == expected


def test_a_number_and_its_being_missing_are_one_cell(tabular, batch):
    view = {name: tensor.clone() for name, tensor in batch.items()}
    view["numbers"][0, 1], view["missing"][0, 0] = 0.0, 1.0
    changed = tabular.changed(batch, view)
    assert changed.shape == (2, len(tabular.columns_of_output))
    assert changed.sum() == changed[0, 1] == 1


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        (TabularInput(2, [], []), ["numbers"]),
        (TabularInput(2, [1], []), ["numbers", "missing"]),
        (TabularInput(0, [], [4, 3, 6]), ["categories"]),
    ],
    ids=["numbers", "with gaps", "categories"],
)
def test_changed_cells_of_one_kind_of_columns(inputs, names, batch):
    batch = {name: batch[name] for name in names}
    view = batch | {names[0]: batch[names[0]].flip(0)}
    expected = batch[names[0]] != view[names[0]]
    assert expected.any() and torch.equal(inputs.changed(batch, view), expected)


def test_loss_of_changed_cells(tabular, batch):
    view = batch | {"categories": batch["categories"].flip(0)}
    changed = np.array([[0, 0, 1, 1, 1]] * 2)
    logits = np.random.default_rng(0).normal(size=(2, 5))

    def loss(logits):
        p = 1 / (1 + np.exp(-logits))
        return -np.log(np.where(changed, p, 1 - p)).mean()

    output = torch.tensor(logits, dtype=torch.float32, requires_grad=True)
    value = tabular.change_loss(output, batch, view)
    value.backward()
    assert_allclose(value.item(), loss(logits), rtol=1e-6)
    assert_allclose(output.grad, numeric_gradient(loss, logits), atol=1e-7)
    assert tabular.change_head(7, 4)(torch.zeros(2, 7)).shape == (2, 5)


def test_a_cell_that_only_becomes_missing_was_replaced():
    inputs = TabularInput(3, [2, 0], [])
    batch = {"numbers": torch.zeros(2, 3), "missing": torch.zeros(2, 2)}
    view = batch | {"missing": torch.tensor([[1.0, 0], [0, 1]])}
    expected = [[False, False, True], [True, False, False]]
    assert inputs.changed(batch, view).tolist() == expected


def test_columns_of_the_table(tabular, batch):
    one_hot = np.zeros((2, 4 + 3 + 6))
    for row, codes in enumerate(batch["categories"]):
        one_hot[row, codes.numpy() + [0, 4, 7]] = 1
    expected = np.hstack([batch["numbers"], batch["missing"], one_hot])
    assert_array_equal(tabular.columns(batch), expected)


def test_decoder_and_reconstruction_loss(tabular, batch):
    decoder = tabular.decoder(7, 11)
    output = decoder(torch.ones(2, 7))
    assert output.shape == (2, 2 + 1 + (4 + 3 + 6))
    loss = tabular.reconstruction_loss(output, batch).item()

    values = output.detach().double().numpy()
    numbers, missing = batch["numbers"].numpy(), batch["missing"].numpy()
    errors = (values[:, :2] - numbers) ** 2
    errors[1, 1] = 0  # is missing: what stands there is no value to restore
    expected = errors.sum() / 2
    p = 1 / (1 + np.exp(-values[:, 2:3]))
    expected -= np.log(np.where(missing == 1, p, 1 - p)).sum() / 2
    columns = slice(3, 7), slice(7, 10), slice(10, 16)
    for row, codes in enumerate(batch["categories"].numpy()):
        for code, column in zip(codes, columns, strict=True):
            e = np.exp(values[row, column])
            expected -= np.log(e[code] / e.sum()) / 2
    assert_allclose(loss, expected / 6, rtol=1e-5)


def test_reconstruction_loss_does_not_grow_with_the_columns():
    target = torch.ones(4, 3)
    for repeats in (1, 5):
        inputs = TabularInput(3 * repeats, [], [])
        batch = {"numbers": target.repeat(1, repeats)}
        loss = inputs.reconstruction_loss(torch.zeros(4, 3 * repeats), batch)
        assert_allclose(loss.item(), 1)


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(0, 255, torch.uint8), (-1, 1, torch.float32), (0, 16, torch.float32)],
)
def test_image_input(low, high, dtype):
    g = torch.Generator().manual_seed(0)
    pixels = torch.rand(6, 3, 4, 4, generator=g) * (high - low) + low
    pixels = pixels.to(dtype)
    mean, std = np.array([0.1, 0.5, 0.4]), np.array([0.2, 0.3, 0.5])
    inputs = ImageInput((3, 4, 4), low, high, mean, std)
    prepared = inputs.prepare({"pixels": pixels})
    assert prepared["pixels"].dtype == torch.float32
    expected = (pixels.double().numpy() - low) / (high - low)
    assert 0 <= expected.min() and expected.max() <= 1
    assert_allclose(prepared["pixels"], expected, atol=1e-6)
    expected = (expected - mean[:, None, None]) / std[:, None, None]
    assert_allclose(inputs(prepared), expected, atol=1e-5)
    assert inputs.example(2)["pixels"].shape == (2, 3, 4, 4)
    assert inputs.output_shape == (3, 4, 4)


@pytest.mark.parametrize("as_uint8", [True, False])
def test_training_images_enter_standardized(as_uint8):
    X = (DIGITS * 15).astype(np.uint8) if as_uint8 else DIGITS
    simclr = SimCLR(modality="image", encoder=nn.Flatten(), max_epochs=0).fit(X)
    inputs = simclr._network.task.inputs
    pixels = {"pixels": torch.from_numpy(simclr.modality_.to_arrays(X)["pixels"])}
    x = inputs(inputs.prepare(pixels))
    assert_allclose(x.mean(), 0, atol=1e-5)
    assert_allclose(x.std(correction=0), 1, atol=1e-5)
