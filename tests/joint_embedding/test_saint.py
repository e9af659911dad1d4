import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from torch import nn

from sklearn_ssl import SAINT, CollapseWarning, objectives
from sklearn_ssl.encoders import MLP, FTTransformer
from sklearn_ssl.encoders.ft_transformer import ColumnLinear
from sklearn_ssl.engine.batches import TensorSource
from sklearn_ssl.views import Identity
from tests.helpers import numeric_gradient, ready_task, watch
from tests.joint_embedding.helpers import (
    WINE,
    assert_scoring_changes_nothing,
    unit,
    untrained_task,
)
from tests.masked.helpers import copies, record, with_gradient

SMALL = {"encoder": FTTransformer(dim=16, depth=2, heads=2)}
ONE_BLOCK = {"encoder": FTTransformer(dim=16, depth=1, heads=2)}
TINY = {"encoder": FTTransformer(dim=8, depth=1, heads=1)}


def contrast_formula(z, z_mixture, temperature):
    """Each row asks for its mixture among all mixtures of the batch."""
    z, z_mixture = unit(torch.as_tensor(z)), unit(torch.as_tensor(z_mixture))
    logits = z @ z_mixture.T / temperature
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diag(logits))


def denoising_formula(output, batch, cardinalities=(), missing_columns=()):
    """Mean over all cells, numbers first, of the error of their kind."""
    batch = {name: cells.double().numpy() for name, cells in batch.items()}
    n_numbers = batch["numbers"].shape[1]
    errors = (output[:, :n_numbers, 0] - batch["numbers"]) ** 2
    for k, j in enumerate(missing_columns):
        missing = batch["missing"][:, k]
        p = 1 / (1 + np.exp(-output[:, j, 1]))
        errors[:, j] = np.where(missing, 0, errors[:, j])
        errors[:, j] -= np.log(np.where(missing, p, 1 - p))
    for k, size in enumerate(cardinalities):
        exponents = np.exp(output[:, n_numbers + k, :size])
        code = batch["categories"][:, k].astype(int)
        p = exponents[np.arange(len(code)), code] / exponents.sum(axis=1)
        errors = np.column_stack([errors, -np.log(p)])
    return errors.mean()


@pytest.mark.parametrize(
    ("temperature", "weight"), [(0.7, 10.0), (0.2, 0.5), (0.7, 0.0)]
)
def test_loss_is_that_of_the_contrast_and_of_clean_cells(mixed, temperature, weight):
    saint = SAINT(
        cutmix_rate=0.5, temperature=temperature, denoising_weight=weight, **SMALL
    )
    task, batch = untrained_task(saint, mixed)
    views, own = watch(task)
    _, mixtures = watch(task, "mixture_head")
    _, outputs = watch(task, "denoiser")
    loss = task(**batch)
    (view,), (z,), (z_mixture,), (output,) = views, own, mixtures, outputs
    assert z.shape == z_mixture.shape == (32, saint.projection_dim)
    output = output.detach().double().numpy()
    kinds = saint.modality_.cardinalities_, saint.modality_.missing_columns_
    contrast = contrast_formula(z, z_mixture, temperature)
    expected = contrast + weight * denoising_formula(output, batch, *kinds)
    assert_allclose(loss.item(), expected, rtol=1e-5)
    # Neither in the other direction nor to the cells that came from others.
    assert abs(contrast - contrast_formula(z_mixture, z, temperature)) > 1e-5
    of_view = denoising_formula(output, view, *kinds)
    assert abs(denoising_formula(output, batch, *kinds) - of_view) > 1e-2


def test_gradient_reaches_both_sides():
    saint = SAINT(temperature=0.3, denoising_weight=3.0, projection_dim=5, **TINY)
    task, batch = untrained_task(saint, WINE)
    names = "head", "mixture_head", "denoiser"
    z, z_mixture, output = (with_gradient(task, name) for name in names)
    task(**batch).backward()
    first, second = (x[0].detach().double().numpy() for x in (z, z_mixture))
    expected = numeric_gradient(lambda x: contrast_formula(x, second, 0.3), first)
    assert_allclose(z[0].grad, expected, atol=1e-7)
    expected = numeric_gradient(lambda x: contrast_formula(first, x, 0.3), second)
    assert_allclose(z_mixture[0].grad, expected, atol=1e-7)
    restored = output[0].detach().double().numpy()
    expected = numeric_gradient(lambda x: 3 * denoising_formula(x, batch), restored)
    assert_allclose(output[0].grad, expected, atol=1e-6)
    assert all(p.grad.any() for p in task.parameters())


def test_a_missing_number_is_not_restored_but_its_being_missing(mixed):
    task, batch = untrained_task(SAINT(**SMALL), mixed)
    outputs = with_gradient(task, "denoiser")
    task(**batch).backward()
    (j,) = task.inputs.missing_columns
    missing = batch["missing"][:, 0].bool()
    number, absence = outputs[0].grad[:, j, :2].unbind(1)
    assert missing.any()
    assert torch.equal(number == 0, missing)
    assert absence.all()


def test_cells_of_a_row_are_replaced_by_those_of_one_other():
    n = 1000
    X = np.arange(n)[:, None] + n * np.arange(8.0)
    saint = SAINT(cutmix_rate=0.4, **SMALL)
    task, _ = untrained_task(saint, X)
    # Rows that no donor is alike: each replaced cell shows.
    rows = {"numbers": torch.full((500, 8), 99.0)}
    task.data = TensorSource({"numbers": X}, torch.device("cpu"))
    cells = task.view(rows)["numbers"].double().numpy()
    replaced = cells != 99
    assert abs(replaced.mean() - 0.4) < 0.03
    assert len(np.unique(replaced.sum(axis=1))) > 4  # a chance for each cell
    column, donor = np.divmod(cells, n)
    assert_array_equal(column[replaced], np.nonzero(replaced)[1])
    for i in range(500):
        assert len(np.unique(donor[i, replaced[i]])) <= 1
    assert len(np.unique(donor[replaced])) > 300  # from anywhere in the table


@pytest.mark.parametrize("weight", [0.2, 0.7, 0.0, 1.0])
def test_tokens_are_mixed_with_those_of_another_row(mixed, weight):
    saint = SAINT(cutmix_rate=0.5, mixup_weight=weight, **SMALL)
    task, batch = untrained_task(saint, mixed)
    views, _ = watch(task)
    inputs, _ = record(task.encoder, "encode_tokens")
    task(**batch)
    own, mixture = inputs[0].detach().double().numpy().reshape(2, 32, 5, 16)

    def tokens(cells):
        return task.encoder.tokens(task.inputs(cells)).detach().double().numpy()

    assert_allclose(own, tokens(batch), atol=1e-6)
    # Both rows of a mixture have had their cells replaced before.
    cut = tokens(views[0])
    expected = np.array(
        [(1 - weight) * cut[i] + weight * cut[i - 1] for i in range(32)]
    )
    assert_allclose(mixture, expected, atol=1e-6)


def test_rows_are_mixed_with_others_in_each_epoch():
    pairs = []

    class Traced(SAINT):
        def _loss(self, task, batch):
            rows = task.rows.tolist()
            pairs.append({(rows[i], rows[i - 1]) for i in range(len(rows))})
            return super()._loss(task, batch)

    Traced(max_epochs=2, random_state=0, **TINY).fit(WINE)
    first, second = pairs
    assert len(first) == len(second) == len(WINE)
    assert len(first & second) < 10


def test_each_head_reads_its_side_and_the_denoiser_the_tokens_of_mixtures():
    task, batch = untrained_task(SAINT(**SMALL), WINE)
    read = {}
    for name in ("head", "mixture_head", "denoiser"):
        task.get_submodule(name).register_forward_pre_hook(
            lambda module, args, name=name: read.update({name: args[0]})
        )
    _, encoded = record(task.encoder, "encode_tokens")
    task(**batch)
    own, mixture = encoded[0].chunk(2)
    torch.testing.assert_close(read["head"], task.encoder.pool(own))
    torch.testing.assert_close(read["head"], task.embed(batch))
    torch.testing.assert_close(read["mixture_head"], task.encoder.pool(mixture))
    torch.testing.assert_close(read["denoiser"], mixture)


def test_the_two_heads_differ():
    task, _ = untrained_task(SAINT(projection_dim=5, **SMALL), WINE)
    for head in (task.head, task.mixture_head):
        assert [type(layer) for layer in head] == [nn.Linear, nn.ReLU, nn.Linear]
        assert head[-1].out_features == 5
    assert not torch.equal(task.head[0].weight, task.mixture_head[0].weight)


def test_each_column_is_restored_by_a_network_of_its_own():
    task, _ = untrained_task(SAINT(**SMALL), WINE)
    kinds = [type(layer) for layer in task.denoiser]
    assert kinds == [ColumnLinear, nn.ReLU, ColumnLinear]
    tokens = torch.ones(1, 13, 16)
    before = task.denoiser(tokens)
    assert len(before[0, :, 0].unique()) == 13
    tokens[0, 4] = 2
    changed = (task.denoiser(tokens) != before).any(dim=2)
    assert changed[0].nonzero().flatten().tolist() == [4]


def test_views_of_your_own_take_the_place_of_cutmix():
    saint = SAINT(views=Identity(), mixup_weight=0, **SMALL)
    task, batch = untrained_task(saint, WINE)
    inputs, _ = record(task.encoder, "encode_tokens")
    task(**batch)
    own, mixture = inputs[0].chunk(2)
    assert torch.equal(own, mixture)


def test_transform_embeds_each_row_alone_and_as_it_is(mixed):
    saint = SAINT(passthrough=False, **SMALL)
    task, batch = untrained_task(saint, mixed)
    Z = saint.transform(mixed)
    assert Z.shape == (400, 32)
    with torch.no_grad():
        tokens = task.encoder.encode_tokens(task.encoder.tokens(task.inputs(batch)))
        z = torch.cat([tokens.mean(dim=1), tokens.amax(dim=1)], dim=1)
    assert_allclose(Z[:32], z * task.scale + task.shift, atol=1e-5)
    for module in (task.head, task.mixture_head, task.denoiser):
        for parameter in module.parameters():
            nn.init.zeros_(parameter)
    alone = np.vstack([saint.transform(mixed.iloc[[i]]) for i in range(5)])
    assert_array_equal(alone, Z[:5])


def test_scoring_changes_nothing():
    assert_scoring_changes_nothing(SAINT(**SMALL), WINE)


def test_a_single_row_and_a_single_column():
    saint = SAINT(max_epochs=1, random_state=0, **TINY).fit(WINE[:, :1])
    assert np.isfinite(saint.score(WINE[:1, :1]))


@pytest.mark.parametrize("weight", [0.0, 10.0])
def test_training_reduces_the_loss(mixed, weight):
    start = SAINT(denoising_weight=weight, random_state=0, **ONE_BLOCK)
    start.set_params(max_epochs=0, learning_rate=3e-3).fit(mixed)
    saint = clone(start).set_params(max_epochs=15).fit(mixed)
    assert saint.loss_curve_[-1] < 0.95 * saint.loss_curve_[0]
    assert saint.score(mixed) > start.score(mixed)


def test_cells_are_restored_from_other_columns():
    X = copies()
    saint = SAINT(cutmix_rate=0.3, mixup_weight=0.0, max_epochs=20, **ONE_BLOCK)
    saint.set_params(learning_rate=1e-2, random_state=0)
    task, batch = ready_task(saint.fit(X), X, n_rows=None)
    _, outputs = watch(task, "denoiser")
    task(**batch)
    restored = outputs[0].detach().double().numpy()
    # From its own token alone, E[x | x'] = 0.7 x', an error of 1 - 0.7^2 = 0.51.
    assert denoising_formula(restored, batch) < 0.4


def test_negatives_keep_it_from_collapse(monkeypatch):
    def attraction(queries, keys, temperature):
        return -torch.cosine_similarity(queries, keys).mean()

    class Bare(SAINT):
        def _build_task(self, task):
            super()._build_task(task)
            task.head = task.mixture_head = nn.Identity()

    saint = Bare(cutmix_rate=0.5, mixup_weight=0.5, denoising_weight=0.0, **TINY)
    saint.set_params(learning_rate=3e-2, batch_size=32, max_epochs=20, random_state=0)
    assert clone(saint).fit(WINE).embedding_std_curve_[-1] > 0.4
    monkeypatch.setattr(objectives, "info_nce", attraction)
    with pytest.warns(CollapseWarning):
        saint.fit(WINE)


def test_defaults_follow_the_paper():
    saint = SAINT(max_epochs=0).fit(WINE)
    assert saint.views_.get_params() == {"rate": 0.1, "exact": False, "donors": "row"}
    assert saint.mixup_weight == 0.2
    assert saint.temperature == 0.7
    assert saint.denoising_weight == 10
    assert saint.batch_size_ == 256
    assert isinstance(saint.encoder_, FTTransformer)


@pytest.mark.parametrize(
    ("name", "value"),
    [("cutmix_rate", value) for value in (-0.1, 1.5, "low", None)]
    + [("mixup_weight", value) for value in (-0.1, 1.5, "low", None)]
    + [("temperature", value) for value in (0, -1.0, "low", None)]
    + [("projection_dim", value) for value in (0, 2.5, True)]
    + [("denoising_weight", value) for value in (-1, "high", None)],
)
def test_invalid_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        SAINT(**{name: value}).fit(WINE)


def test_encoder_without_tokens():
    with pytest.raises(ValueError, match=r"the encoder has none.*'ft_transformer'"):
        SAINT(encoder=MLP(hidden=(8,))).fit(WINE)
