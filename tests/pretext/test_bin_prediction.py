import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine

from sklearn_ssl import BinPrediction
from sklearn_ssl.encoders import MLP
from sklearn_ssl.pretext.bins import bins_of, count_bins, quantile_edges
from tests.helpers import ready_task, watch

WINE = load_wine().data
SMALL = {"encoder": MLP(hidden=(16, 8)), "random_state": 0}
OBJECTIVES = ("reconstruct", "classify")
every_objective = pytest.mark.parametrize("objective", OBJECTIVES)


def untrained(X, **parameters):
    return BinPrediction(**{"max_epochs": 0} | SMALL | parameters).fit(X)


def edges_and_bins(values, n_bins, present=None):
    numbers = torch.tensor(values, dtype=torch.float32)
    edges = quantile_edges([numbers if present is None else numbers[present]], n_bins)
    return edges, bins_of(numbers[:, None], edges)[:, 0], int(count_bins(edges))


# Bins ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n_bins", [2, 3, 10, 50])
@pytest.mark.parametrize("n", [100, 177])
def test_as_many_bins_as_asked_hold_equally_many_rows(n_bins, n):
    values = np.random.default_rng(0).permutation(n) ** 3
    _, bins, count = edges_and_bins(values, n_bins)
    sizes = bins.bincount()
    assert count == len(sizes) == n_bins
    assert sizes.max() - sizes.min() <= 1
    # In the order of the values.
    assert (bins[np.argsort(values)].diff() >= 0).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0] * 20, [0] * 20),
        ([0.0] * 10 + [1.0] * 10, [0] * 10 + [1] * 10),
        ([0.0] * 19 + [1.0], [0] * 19 + [1]),
        (list(range(10)) * 2, list(range(10)) * 2),
        ([0.0] * 30 + list(range(1, 11)), [0] * 32 + [1] * 4 + [2] * 4),
        (list(range(-10, 0)) + [5.0] * 30, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2] + [3] * 30),
        (list(range(3)), [0, 1, 2]),
    ],
    ids=[
        *("constant", "two values", "a rare value", "ten values"),
        *("mostly the least", "mostly the largest", "three rows"),
    ],
)
def test_ties_collapse_bins_and_leave_none_empty(values, expected):
    edges, bins, count = edges_and_bins(values, 10)
    assert bins.tolist() == expected
    assert count == len(set(expected))
    assert edges.shape == (1, 9)
    assert edges[0, : count - 1].isfinite().all()
    assert edges[0, count - 1 :].isposinf().all()


def test_every_bin_holds_a_row_whatever_ties():
    rng = np.random.default_rng(0)
    for n_values in range(1, 15):
        values = rng.integers(n_values, size=40)
        for n_bins in (2, 5, 10):
            _, bins, count = edges_and_bins(values, n_bins)
            assert bins.unique().tolist() == list(range(count))


def test_missing_numbers_make_no_edges():
    values = np.array([0.0] * 50 + list(range(1, 51)))
    present = torch.tensor(values > 0)
    edges, _, _ = edges_and_bins(values, 5, present)
    assert edges.tolist() == [[11, 21, 31, 41]]
    none, _, count = edges_and_bins(values, 5, torch.zeros(100).bool())
    assert none.isposinf().all() and count == 1


def test_edges_of_a_fit_are_those_of_the_numbers_present():
    X = WINE[:, :4].copy()
    X[::2, 1] = X[1::3, 3] = np.nan
    bins = untrained(X, n_bins=4)
    numbers = torch.from_numpy(bins.modality_.to_arrays(X)["numbers"])
    present = [x[np.isfinite(cells)] for x, cells in zip(numbers.T, X.T, strict=True)]
    assert torch.equal(bins._network.task.edges, quantile_edges(present, 4))


def test_values_beyond_the_training_rows_fall_into_the_outer_bins():
    edges = torch.tensor([[1.0, 2.0, torch.inf]])
    numbers = torch.tensor([[-99.0], [0.9], [1.0], [1.9], [2.0], [99.0]])
    assert bins_of(numbers, edges)[:, 0].tolist() == [0, 0, 1, 1, 2, 2]


# The method ---------------------------------------------------------------------------


def expected_loss(objective, output, batch, missing_columns, sizes, edges):
    """In float64, cell by cell."""
    output = output.detach().double().numpy()
    n, p = batch["numbers"].shape
    n_bins = edges.shape[1] + 1
    width = p * (n_bins if objective == "classify" else 1)
    errors = {"numbers": [], "categories": []}

    def surprise(logits, target):
        return np.log(np.exp(logits).sum()) - logits[target]

    for i in range(n):
        for j in range(p):
            if j in missing_columns:
                if batch["missing"][i, missing_columns.index(j)]:
                    continue
            own = [edge for edge in edges[j].tolist() if edge < np.inf]
            k = len(own) + 1
            target = sum(batch["numbers"][i, j].item() >= edge for edge in own)
            if objective == "classify":
                logits = output[i, j * n_bins : j * n_bins + k]
                errors["numbers"].append(surprise(logits, target))
            else:
                scale = np.arange(k).std()
                scaled = (target - (k - 1) / 2) / scale if k > 1 else 0.0
                errors["numbers"].append((output[i, j] - scaled) ** 2)
        for j, size in enumerate(sizes):
            start = width + sum(sizes[:j])
            code = batch["categories"][i, j]
            if code:
                logits = output[i, start : start + size]
                errors["categories"].append(surprise(logits, code))
    weights = {"numbers": p, "categories": len(sizes)}
    total = sum(weights[kind] * np.mean(errors[kind]) for kind in errors)
    return total / sum(weights.values())


@every_objective
def test_loss_is_that_of_the_cells_that_are_present(objective, mixed):
    mixed.loc[::7, "pet"] = None
    mixed["rare"] = np.arange(len(mixed)) % 10 == 0
    bins = untrained(mixed, objective=objective, n_bins=6)
    task, batch = ready_task(bins, mixed, n_rows=None)
    _, outputs = watch(task)
    loss = task(**batch)
    modality = bins.modality_
    assert modality.missing_columns_ and modality.cardinalities_
    assert (batch["categories"] == 0).any()
    expected = expected_loss(
        objective,
        outputs[0],
        batch,
        list(modality.missing_columns_),
        modality.cardinalities_,
        task.edges,
    )
    assert_allclose(loss.item(), expected, rtol=1e-5)
    assert bins.n_bins_ == [6, 6, 6, 2]


@every_objective
def test_missing_cells_pass_no_gradient(objective):
    X = WINE[:60, :3].copy()
    X[:50, 1] = np.nan
    task, batch = ready_task(untrained(X, objective=objective, n_bins=4), X)
    assert batch["missing"].all()
    outputs = []
    task.head.register_forward_hook(lambda module, args, out: outputs.append(out))
    task(**batch).backward()
    weight = task.head[-1].weight.grad
    width = len(weight) // 3
    assert not weight[width : 2 * width].any()
    assert weight[:width].any() and weight[2 * width :].any()


@every_objective
def test_views_vary_the_input_not_the_target(objective):
    def shift(batch, source, generator):
        return {"numbers": batch["numbers"] + 100}

    plain = untrained(WINE, objective=objective)
    varied = untrained(WINE, objective=objective, views=shift)
    outputs = []
    for bins in (plain, varied):
        task, batch = ready_task(bins, WINE)
        task.head = torch.nn.Linear(8, task.head[-1].out_features)
        torch.nn.init.zeros_(task.head.weight)
        torch.nn.init.ones_(task.head.bias)
        outputs.append(task(**batch).item())
    assert outputs[0] == outputs[1]


@every_objective
def test_tables_of_categories_alone(objective, mixed):
    X = mixed[["city", "pet"]]
    bins = BinPrediction(max_epochs=8, objective=objective, learning_rate=0.01, **SMALL)
    bins.fit(X)
    assert bins.n_bins_ == []
    assert bins.loss_curve_[-1] < 0.9 * bins.loss_curve_[0]


@every_objective
def test_a_column_without_a_value_is_harmless(objective):
    X = np.column_stack([WINE[:, :2], np.full(len(WINE), np.nan)])
    bins = BinPrediction(max_epochs=2, objective=objective, **SMALL).fit(X)
    assert bins.n_bins_ == [10, 10, 1]
    assert np.isfinite(bins.score(X))


@every_objective
def test_edges_are_those_of_the_first_fit(objective):
    bins = BinPrediction(
        max_epochs=1, objective=objective, n_bins=4, warm_start=True, **SMALL
    )
    first, other = WINE[:90], WINE[90:] * 2
    bins.partial_fit(first)
    edges = bins._network.task.edges.clone()
    numbers = torch.from_numpy(bins.modality_.to_arrays(first)["numbers"])
    assert torch.equal(edges, quantile_edges(numbers.T, 4))
    n_bins = bins.n_bins_
    bins.partial_fit(other)
    assert torch.equal(bins._network.task.edges, edges)
    bins.fit(other)
    assert torch.equal(bins._network.task.edges, edges)
    assert bins.n_bins_ == n_bins
    bins.set_params(warm_start=False).fit(other)
    assert not torch.equal(bins._network.task.edges, edges)


def test_edges_are_state_not_parameters():
    bins = untrained(WINE, n_bins=4)
    assert bins._network.state()["edges"].shape == (13, 3)
    names = dict(bins._network.task.named_parameters())
    assert not any("edges" in name for name in names)


@every_objective
def test_score_of_an_untrained_encoder(objective):
    bins = untrained(WINE, objective=objective)
    assert bins.score(WINE[:20]) == bins.score(WINE[:20]) < 0
    guess = 1.0 if objective == "reconstruct" else np.log(10)
    assert abs(-bins.score(WINE) / guess - 1) < 0.15


@every_objective
def test_training_reduces_the_loss(objective):
    start = untrained(WINE, objective=objective, batch_size=64)
    bins = clone(start).set_params(max_epochs=30, learning_rate=0.01).fit(WINE)
    assert bins.loss_curve_[-1] < 0.9 * bins.loss_curve_[0]
    assert bins.score(WINE) > start.score(WINE)


def test_transform_returns_the_encoder_not_the_head():
    bins = untrained(WINE, passthrough=False)
    Z = bins.transform(WINE)
    assert Z.shape == (178, 8)
    for parameter in bins._network.task.head.parameters():
        torch.nn.init.zeros_(parameter)
    assert_array_equal(bins.transform(WINE), Z)


@pytest.mark.parametrize(
    ("name", "value"),
    [("objective", "binrecon"), ("n_bins", 1), ("n_bins", 2.5), ("n_bins", None)],
)
def test_invalid_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        BinPrediction(**{name: value}).fit(WINE)


@every_objective
def test_the_encoder_sees_the_varied_row_alone(objective, mixed):
    task, batch = ready_task(untrained(mixed, objective=objective), mixed)
    seen = []
    task.encoder.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    views, _ = watch(task)
    task(**batch)
    assert torch.equal(seen[0], task.inputs(views[0]))
    assert not torch.equal(seen[0], task.inputs(batch))
