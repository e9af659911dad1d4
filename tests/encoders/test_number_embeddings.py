import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine

from sklearn_ssl import SCARF
from sklearn_ssl.encoders import MLP
from sklearn_ssl.encoders.inputs import TabularInput
from sklearn_ssl.encoders.number_embeddings import (
    NumberEmbedding,
    Periodic,
    PiecewiseLinear,
)
from sklearn_ssl.engine.random import WEIGHTS, make_generator, seeded_initialization
from tests.encoders.helpers import (
    EDGES,
    ENCODERS,
    NUMBERS,
    build,
    draw,
    every_embedding,
    every_encoder,
)
from tests.helpers import numeric_gradient

WINE = load_wine().data


# Formulas -----------------------------------------------------------------------------


def periodic_formula(x, frequencies):
    angles = 2 * np.pi * frequencies * x
    return np.concatenate([np.cos(angles), np.sin(angles)])


def piecewise_formula(x, edges, n_outputs):
    """Equation 1 of the paper, bin by bin."""
    encoded = np.zeros(n_outputs)
    n_bins = max(len(edges) - 1, 0)
    for t in range(1, n_bins + 1):
        left, right = edges[t - 1], edges[t]
        if x < left and t > 1:
            encoded[t - 1] = 0
        elif x >= right and t < n_bins:
            encoded[t - 1] = 1
        else:
            encoded[t - 1] = (x - left) / (right - left)
    return encoded


def embedding_formula(numbers, embedding, encode):
    """Encode, then a linear map of the column's own, then ReLU: in float64."""
    weight = embedding.linear.weight.detach().numpy()
    bias = embedding.linear.bias.detach().numpy()
    rows = [
        [np.maximum(encode(j, x) @ weight[j] + bias[j], 0) for j, x in enumerate(row)]
        for row in numbers
    ]
    return np.array(rows)


def formula_of(embedding, frequencies=None):
    if frequencies is None:
        return lambda j, x: piecewise_formula(x, EDGES[j], 4)
    return lambda j, x: periodic_formula(x, frequencies[j])


@pytest.fixture(params=NUMBERS)
def embedding(request):
    """Of five number columns, in float64; large frequencies show more."""
    with seeded_initialization(make_generator(0, WEIGHTS)):
        if request.param == "periodic":
            encoding = Periodic(5, scale=0.5, n_frequencies=3)
        else:
            encoding = PiecewiseLinear(EDGES)
        return NumberEmbedding(encoding, [[j] for j in range(5)], dim=6).double()


@pytest.fixture
def encode(embedding):
    if isinstance(embedding.encoding, PiecewiseLinear):
        return formula_of(embedding)
    return formula_of(embedding, embedding.encoding.frequencies.detach().numpy())


def test_value(embedding, encode):
    x = 3 * draw(40, 5, dtype=torch.float64)  # beyond the edges, too
    expected = embedding_formula(x.numpy(), embedding, encode)
    assert embedding(x).shape == (40, embedding.n_outputs) == (40, 5 * 6)
    assert_allclose(embedding(x).detach(), expected.reshape(40, -1), atol=1e-12)


def test_gradient_of_the_numbers(embedding, encode):
    x = 3 * draw(10, 5, dtype=torch.float64)
    upstream = draw(10, 30, seed=1, dtype=torch.float64)

    def objective(x):
        values = embedding_formula(x, embedding, encode).reshape(10, -1)
        return (values * upstream.numpy()).sum()

    x.requires_grad_(True)
    (embedding(x) * upstream).sum().backward()
    expected = numeric_gradient(objective, x.detach().numpy())
    assert_allclose(x.grad, expected, rtol=1e-5, atol=1e-7)


def test_gradient_of_the_parameters(embedding):
    x = 3 * draw(10, 5, dtype=torch.float64)
    upstream = draw(10, 30, seed=1, dtype=torch.float64)
    (embedding(x) * upstream).sum().backward()
    for name, parameter in embedding.named_parameters():

        def objective(values, name=name, parameter=parameter):
            before = parameter.detach().clone()
            parameter.data.copy_(torch.from_numpy(values))
            encode = formula_of(embedding)
            if name.endswith("frequencies"):
                encode = formula_of(embedding, values)
            elif isinstance(embedding.encoding, Periodic):
                frequencies = embedding.encoding.frequencies.detach().numpy()
                encode = formula_of(embedding, frequencies)
            found = embedding_formula(x.numpy(), embedding, encode)
            parameter.data.copy_(before)
            return (found.reshape(10, -1) * upstream.numpy()).sum()

        expected = numeric_gradient(objective, parameter.detach().numpy().copy())
        assert_allclose(parameter.grad, expected, rtol=1e-5, atol=1e-6)


def test_numbers_at_and_beyond_the_edges():
    encoding = PiecewiseLinear(EDGES)
    points = torch.tensor([-10.0, -2.0, -1.75, -1.5, -1.0, 0.5, 1.0, 5.0, 9.0])
    encoded = encoding(points[:, None].expand(-1, 5))
    assert_array_equal(
        encoded[:, 0],
        [
            [-16, 0, 0, 0],
            [0, 0, 0, 0],
            [0.5, 0, 0, 0],
            [1, 0, 0, 0],
            [1, 1, 0, 0],
            [1, 1, 0.75, 0],
            [1, 1, 1, 0],
            [1, 1, 1, 1],
            [1, 1, 1, 2],
        ],
    )
    # A constant column and one without a value say nothing, whatever comes.
    assert not encoded[:, 1:3].any()
    # A single bin is a line.
    assert_array_equal(encoded[:, 4], np.c_[points / 2, np.zeros((9, 3))])


def test_only_constant_columns():
    embedding = NumberEmbedding(PiecewiseLinear([[1.0], []]), [[0], [1]])
    x = embedding(draw(5, 2))
    assert x.shape == (5, 48)
    assert torch.equal(x, x[:1].expand(5, -1))


def test_frequencies_begin_small():
    with seeded_initialization(make_generator(0, WEIGHTS)):
        frequencies = Periodic(50, scale=0.01).frequencies.detach()
    assert frequencies.shape == (50, 48)
    assert frequencies.abs().max() <= 0.03
    assert_allclose(frequencies.std(), 0.01, rtol=0.05)
    assert_allclose(frequencies.mean(), 0, atol=1e-3)


# Among other inputs -------------------------------------------------------------------


@pytest.fixture
def inputs():
    with seeded_initialization(make_generator(0, WEIGHTS)):
        edges = [[-1.0, 0.0, 1.0], [-2.0, 2.0], [0.0, 0.5, 1.0]]
        return TabularInput(3, [2, 0], [4, 6], embedding_dim=5, bin_edges=edges)


@pytest.fixture
def batch():
    return {
        "numbers": torch.tensor([[0.5, -1.0, 0.0], [0.0, 3.0, 2.0], [1.0, 1.0, 1.0]]),
        "missing": torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]),
        "categories": torch.tensor([[2, 5], [3, 0], [3, 1]]),
    }


@every_embedding
def test_other_inputs_stay(numbers, inputs, batch):
    embedding = build(MLP(hidden=(4,)), inputs, numbers=numbers).embedding
    x = inputs(batch)
    embedded = embedding(x)
    assert embedded.shape == (3, embedding.n_outputs) == (3, 3 * 24 + 2 + 2 * 5)
    assert torch.equal(embedded[:, 3 * 24 :], x[:, 3:])
    before, after = inputs.columns_of_output, embedding.columns
    assert len(after) == 5
    assert sorted(np.concatenate(after)) == [*range(embedding.n_outputs)]
    for j, (old, new) in enumerate(zip(before, after, strict=True)):
        n_new = 24 if j < 3 else 0
        assert new[:n_new] == [*range(j * 24, j * 24 + n_new)]
        assert torch.equal(embedded[:, new[n_new:]], x[:, old[1 if j < 3 else 0 :]])


@every_embedding
def test_missing_numbers_are_zero_whatever_stands_in(numbers, inputs, batch):
    embedding = build(MLP(hidden=(4,)), inputs, numbers=numbers).embedding
    cells = embedding(inputs(batch))[:, : 3 * 24].unflatten(1, (3, 24))
    # The first indicator is that of the third number, the second of the first.
    missing = torch.tensor([[0, 0, 1], [1, 0, 0], [0, 0, 0]]).bool()
    assert not cells[missing].any()
    assert cells[~missing].any(dim=1).all()
    other = torch.where(missing, 7.0, batch["numbers"])
    again = embedding(inputs(batch | {"numbers": other}))
    assert torch.equal(again, embedding(inputs(batch)))


@every_embedding
def test_mlp_of_the_embedding(numbers, inputs, batch):
    network = build(ENCODERS["mlp"], inputs, numbers=numbers)
    x, outputs = network.embedding(inputs(batch)), []
    for layer in network.layers:
        x = (x @ layer[0].weight.T + layer[0].bias).relu()
        outputs.append(x)
    torch.testing.assert_close(network(inputs(batch)), x)
    expected = torch.cat(outputs, dim=1)
    torch.testing.assert_close(network.all_layers(inputs(batch)), expected)


@every_embedding
def test_tokens_of_the_embedding(numbers, inputs, batch):
    network = build(ENCODERS["ft_transformer"], inputs, numbers=numbers)
    x = network.embedding(inputs(batch))
    tokens = network.tokens(inputs(batch))
    assert tokens.shape == (3, 5, 8)
    for j, column in enumerate(network.embedding.columns):
        weight = network.projection.weight[j, : len(column)]
        expected = x[:, column] @ weight + network.positions[j]
        torch.testing.assert_close(tokens[:, j], expected)


@every_encoder
@every_embedding
def test_every_parameter_is_trained(encoder, numbers, inputs):
    network = build(encoder, inputs, numbers=numbers)
    x = draw(64, *inputs.output_shape)
    network(x).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@every_encoder
def test_numbers_as_they_are_by_default(encoder, inputs):
    default, linear = build(encoder, inputs), build(encoder, inputs, numbers="linear")
    assert default.embedding is linear.embedding is None
    x = draw(4, *inputs.output_shape)
    assert torch.equal(default(x), linear(x))
    assert not any("embedding" in name for name in default.state_dict())


@every_encoder
@every_embedding
def test_a_number_weighs_about_as_much_as_before(encoder, numbers):
    """Neither numbers nor categories drown out the other before training."""
    inputs = TabularInput(20, [], [], bin_edges=[np.linspace(-2, 2, 49).tolist()] * 20)
    embedding = build(encoder, inputs, numbers=numbers).embedding
    norms = embedding(draw(200, 20)).square().sum(dim=1) / 20
    assert 0.2 < norms.mean() < 5


# Rows of numbers that are no table ----------------------------------------------------


@every_encoder
def test_without_columns_each_input_is_a_number(encoder):
    network = clone(encoder).set_params(numbers="periodic").build((4,))
    assert network.embedding.n_outputs == 4 * 24
    assert network(draw(3, 4)).shape[0] == 3


@every_encoder
def test_without_quantiles_no_bins(encoder):
    with pytest.raises(ValueError, match=r"'piecewise' needs.*table.*'periodic'"):
        clone(encoder).set_params(numbers="piecewise").build((4,))


@every_encoder
@every_embedding
def test_images_are_refused(encoder, numbers):
    with pytest.raises(ValueError, match="takes rows of numbers"):
        clone(encoder).set_params(numbers=numbers).build((1, 8, 8))


@every_encoder
@every_embedding
def test_tables_of_categories_alone(encoder, numbers, mixed):
    encoder = clone(encoder).set_params(numbers=numbers)
    scarf = SCARF(encoder=encoder, max_epochs=1, random_state=0)
    assert scarf.fit(mixed[["city", "pet"]])._network.task.encoder.embedding is None
