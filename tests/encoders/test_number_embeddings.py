import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine

from sklearn_ssl import SCARF, Data2Vec, DenoisingAutoencoder
from sklearn_ssl.encoders import MLP, FTTransformer, build_network
from sklearn_ssl.encoders.inputs import TabularInput
from sklearn_ssl.encoders.number_embeddings import (
    NumberEmbedding,
    Periodic,
    PiecewiseLinear,
)
from sklearn_ssl.engine.random import WEIGHTS, make_generator, seeded_initialization
from sklearn_ssl.modalities import Tabular
from tests.helpers import numeric_gradient

WINE = load_wine().data
# The slopes of bins are exact in float32; the second column is constant, the third
# without a value, the last has one bin.
EDGES = [[-2.0, -1.5, -1.0, 1.0, 5.0], [0.0], [], [-1.0, -0.5, 3.5], [0.0, 2.0]]
ENCODERS = {
    "mlp": MLP(hidden=(16, 8)),
    "ft_transformer": FTTransformer(dim=8, depth=1, heads=2),
}
NUMBERS = ("periodic", "piecewise")
every_encoder = pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
every_embedding = pytest.mark.parametrize("numbers", NUMBERS)


def draw(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


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


def build(encoder, inputs, **parameters):
    encoder = clone(encoder).set_params(**parameters)
    with seeded_initialization(make_generator(0, WEIGHTS)):
        return build_network(encoder, inputs, inputs.output_shape).eval()


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


# In estimators ------------------------------------------------------------------------


def fit(X, encoder="mlp", method=SCARF, **parameters):
    encoder = clone(ENCODERS[encoder])
    estimator = method(encoder=encoder, max_epochs=1, random_state=0, n_threads=1)
    return estimator.set_params(**parameters).fit(X)


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


# Categories ---------------------------------------------------------------------------


def test_width_by_the_number_of_levels():
    n_levels = [1, 2, 3, 10, 50, 100, 1000, 10**6]
    inputs = TabularInput(0, [], [n + 2 for n in n_levels[:-1]], embedding_dim="auto")
    widths = [len(column) for column in inputs.columns_of_output]
    assert widths == [2, 2, 3, 6, 14, 21, 77]
    assert inputs.output_shape == (sum(widths),)


def test_embeddings_of_different_widths():
    sizes = [4, 12, 102]
    with seeded_initialization(make_generator(0, WEIGHTS)):
        inputs = TabularInput(1, [0], sizes, embedding_dim="auto")
    codes = torch.tensor([[2, 5, 100], [3, 11, 7], [0, 1, 1]])
    batch = {
        "numbers": torch.zeros(3, 1),
        "missing": torch.ones(3, 1),
        "categories": codes,
    }
    x = inputs(batch)
    assert x.shape == (3, *inputs.output_shape) == (3, 2 + 2 + 6 + 21)
    for row in range(3):
        for j, (start, width) in enumerate([(0, 2), (4, 6), (16, 21)]):
            vector = inputs.embedding.weight[start + codes[row, j], :width]
            columns = inputs.columns_of_output[1 + j]
            assert torch.equal(x[row, columns], vector)
    assert not x[2, 2:].any()
    x.square().sum().backward()
    beyond = inputs.embedding.weight.grad[:16, 6:]
    assert not beyond.any()


def test_a_category_of_any_width_weighs_as_much_as_a_number():
    with seeded_initialization(make_generator(0, WEIGHTS)):
        inputs = TabularInput(0, [], [402] * 3 + [1002] * 3, embedding_dim="auto")
    codes = torch.arange(2, 402)[:, None].expand(-1, 6)
    x = inputs({"categories": codes})
    for columns in inputs.columns_of_output:
        mean_square = x[:, columns].square().sum(dim=1).mean().item()
        assert_allclose(mean_square, 1, atol=0.1)


def test_equal_widths_are_drawn_as_one_table():
    widths = []
    for dim in (8, 2):
        with seeded_initialization(make_generator(0, WEIGHTS)):
            widths.append(TabularInput(1, [], [5, 9], embedding_dim=dim))
    assert [inputs.used for inputs in widths] == [None, None]
    assert [inputs.embedding.weight.shape for inputs in widths] == [(14, 8), (14, 2)]


def many_levels(n=300):
    """One category column: 3 frequent levels, and many that occur but once."""
    rng = np.random.default_rng(0)
    levels = [["a", "b", "c"][i % 3] if i % 4 else f"rare {i}" for i in range(n)]
    return pd.DataFrame({"level": levels, "x": rng.normal(size=n)})


@pytest.mark.parametrize("dim", [8, "auto"])
def test_rare_and_unseen_levels_share_an_embedding(dim):
    X = many_levels()
    modality = Tabular(max_categories=3, embedding_dim=dim)
    scarf = fit(X, modality=modality, max_epochs=2)
    assert scarf.modality_.categories_ == [["a", "b", "c"]]
    new = pd.DataFrame({"level": ["rare 0", "rare 4", "never seen", None], "x": 0.0})
    Z = scarf.transform(new)
    assert_array_equal(Z[0], Z[1])
    assert_array_equal(Z[0], Z[2])
    assert abs(Z[0] - Z[3]).max() > 1e-4
    # Trained by the rare ones; what never occurred says nothing.
    weight = scarf._network.task.inputs.embedding.weight
    assert weight[1].any() and not weight[0].any()


def test_unseen_levels_say_nothing_if_none_is_rare():
    X = many_levels()[["level", "x"]]
    X = X[~X["level"].str.startswith("rare")]
    scarf = fit(X, max_epochs=2)
    assert not scarf._network.task.inputs.embedding.weight[:2].any()
    new = pd.DataFrame({"level": ["never seen", None], "x": 0.0})
    assert_array_equal(*scarf._network.encode(scarf.modality_.to_arrays(new))[:, :8])


def test_embedding_dim_reaches_the_network():
    scarf = SCARF(modality=Tabular(), encoder=MLP(hidden=(8,)), max_epochs=1)
    scarf.set_params(modality__embedding_dim="auto", random_state=0).fit(many_levels())
    n_levels = len(scarf.modality_.categories_[0])
    assert n_levels == 78
    width = round(1.6 * 78**0.56)
    assert scarf._network.task.inputs.output_shape == (1 + width,)
    loaded = pickle.loads(pickle.dumps(scarf))
    X = many_levels()
    assert_array_equal(loaded.transform(X), scarf.transform(X))
