"""What methods that replace cells of a table must all get right."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from torch import nn

from sklearn_ssl import VIME, MaskedFeatures
from sklearn_ssl.encoders import MLP
from tests.helpers import ready_task, watch
from tests.masked.helpers import WINE, untrained_task

SMALL = {"encoder": MLP(hidden=(16, 8))}


def vime(**parameters):
    return VIME(**SMALL | parameters)


def mask(**parameters):
    return MaskedFeatures(**SMALL | parameters)


def reconstruction(**parameters):
    return MaskedFeatures(pretext="reconstruction", **SMALL | parameters)


every_method = pytest.mark.parametrize("make", [vime, mask, reconstruction])


def last_module(make):
    return "decoder" if make is reconstruction else "head"


@every_method
@pytest.mark.parametrize("rate", [None, 0.15, 0.6])
def test_each_cell_has_its_chance(make, rate, mixed):
    options = {} if rate is None else {"corruption_rate": rate}
    estimator = make(**options)
    rate = estimator.corruption_rate
    task, batch = untrained_task(estimator, mixed)
    assert estimator.views_.rate == rate and not estimator.views_.exact
    # Values that no donor has: each replaced cell shows.
    batch["numbers"] = torch.full((400, 3), 99.0)
    batch["missing"] = torch.zeros(400, 1)
    batch["categories"] = torch.full((400, 2), 99)
    replaced = task.inputs.changed(batch, task.view(batch)).double()
    assert_allclose(replaced.mean(dim=0), rate, atol=0.08)
    # Independent cells: their number differs from row to row as that of coin flips.
    assert_allclose(replaced.sum(dim=1).var(), 5 * rate * (1 - rate), rtol=0.3)


@every_method
def test_corruption_is_fresh_each_step(make, mixed):
    task, batch = untrained_task(make(), mixed)
    views, _ = watch(task, last_module(make))
    for _ in range(3):
        task(**batch)
    changed = [task.inputs.changed(batch, view) for view in views]
    assert len(views) == 3
    assert not torch.equal(changed[0], changed[1])
    assert not torch.equal(changed[1], changed[2])


@every_method
def test_encoder_sees_the_corrupted_row_alone(make, mixed):
    task, batch = untrained_task(make(), mixed)
    before = {name: tensor.clone() for name, tensor in batch.items()}
    seen = []
    task.encoder.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    views, outputs = watch(task, last_module(make))
    task(**batch)
    (x,), (view,), (output,) = seen, views, outputs
    assert torch.equal(x, task.inputs(view))
    assert not torch.equal(x, task.inputs(batch))
    head = task.get_submodule(last_module(make))
    torch.testing.assert_close(output, head(task.embed(view)))
    assert all(torch.equal(batch[name], before[name]) for name in before)


@every_method
def test_each_column_has_donors_of_its_own(make):
    # All columns say which row it is, and so which was the donor.
    X = np.repeat(np.arange(300.0)[:, None], 4, axis=1)
    task, _ = untrained_task(make(corruption_rate=1.0), X)
    view = task.view(task.source)["numbers"]
    donors = torch.searchsorted(task.source["numbers"][:, 0].contiguous(), view)
    for a in range(4):
        assert not torch.equal(donors[:, a], torch.arange(300))
        for b in range(a):
            assert (donors[:, a] == donors[:, b]).double().mean() < 0.05
            assert abs(np.corrcoef(donors[:, a], donors[:, b])[0, 1]) < 0.25
    # Any training row, beyond the batch too.
    batch = {"numbers": task.source["numbers"][:8]}
    borrowed = task.view(batch)["numbers"]
    assert torch.isin(borrowed, task.source["numbers"]).all()
    assert not torch.isin(borrowed, batch["numbers"]).all()


@every_method
def test_categories_are_replaced_whole(make, mixed):
    task, _ = untrained_task(make(corruption_rate=0.9), mixed)
    view = task.view(task.source)
    assert (view["categories"] != task.source["categories"]).any(dim=0).all()
    # One level each, of its own column: no bits of two.
    sizes = task.inputs.cardinalities
    one_hot = task.inputs.columns(view)[:, -sum(sizes) :]
    for j, block in enumerate(one_hot.split(sizes, dim=1)):
        assert ((block == 0) | (block == 1)).all()
        assert (block.sum(dim=1) == 1).all()
        levels = task.source["categories"][:, j].unique()
        assert torch.isin(view["categories"][:, j], levels).all()
    # The encoder gets the embedding of one level each, too.
    width = task.inputs.embedding.embedding_dim
    blocks = task.inputs(view)[:, -2 * width :].unflatten(1, (2, width))
    start = 0
    for j, size in enumerate(sizes):
        table = task.inputs.embedding.weight[start : start + size]
        assert (blocks[:, j, None] == table).all(dim=2).any(dim=1).all()
        start += size


@every_method
def test_a_number_goes_with_its_being_missing(make, mixed):
    task, _ = untrained_task(make(corruption_rate=0.9), mixed)
    view = task.view(task.source)
    (column,) = task.inputs.missing_columns
    missing = view["missing"][:, 0] == 1
    assert missing.any() and not torch.equal(view["missing"], task.source["missing"])
    assert not view["numbers"][missing, column].any()
    there = task.source["numbers"][task.source["missing"][:, 0] == 0, column]
    assert torch.isin(view["numbers"][~missing, column], there).all()


@every_method
def test_loss_of_a_batch_is_the_mean_of_its_rows(make):
    """No statistic of the batch divides it, which may be negative or zero."""
    X = WINE[:, :4].copy()
    X[:, 1] = 3.0  # constant
    task, batch = untrained_task(make(corruption_rate=0.0), X)
    for shift in (0.0, -50.0):  # all means negative
        shifted = {"numbers": batch["numbers"] + shift}
        rows = [{"numbers": row[None]} for row in shifted["numbers"]]
        with torch.no_grad():
            loss = task(**shifted)
            mean = torch.stack([task(**row) for row in rows]).mean()
        torch.testing.assert_close(loss, mean, rtol=1e-4, atol=0)
        assert loss > 0


@every_method
def test_gaps_and_empty_columns_are_harmless(make, mixed):
    X = mixed.assign(empty=np.nan)
    estimator = make(max_epochs=2, random_state=0).fit(X)
    assert np.isfinite(estimator.loss_curve_).all()
    assert np.isfinite(estimator.transform(X)).all()


@every_method
@pytest.mark.parametrize("columns", [["age", "income"], ["city", "pet"]])
def test_tables_of_one_kind_of_columns(make, columns, mixed):
    X = mixed[columns]
    estimator = make(max_epochs=2, random_state=0, passthrough=False)
    assert estimator.fit_transform(X).shape == (400, 8)
    assert np.isfinite(estimator.score(X))


@every_method
def test_transform_returns_the_encoder_of_clean_rows(make, mixed):
    estimator = make(max_epochs=1, random_state=0, passthrough=False).fit(mixed)
    Z = estimator.transform(mixed)
    task, batch = ready_task(estimator, mixed)
    task.eval()
    with torch.no_grad():
        z = task.encoder(task.inputs(batch)) * task.scale + task.shift
    assert_allclose(Z[:32], z, atol=1e-5)
    for name, module in task.named_children():
        if name in ("head", "decoder"):
            for parameter in module.parameters():
                nn.init.zeros_(parameter)
    assert_array_equal(estimator.transform(mixed), Z)


@every_method
def test_all_layers(make):
    estimator = make(output="all_layers", max_epochs=0, passthrough=False)
    assert estimator.fit(WINE).transform(WINE).shape == (178, 16 + 8)


@every_method
def test_every_parameter_is_trained(make, mixed):
    task, batch = untrained_task(make(), mixed)
    task(**batch).backward()
    assert all(parameter.grad is not None for parameter in task.parameters())


@every_method
def test_validation_leaves_training_as_it_was(make):
    modes = []
    estimator = make(max_epochs=3, early_stopping=True, n_iter_no_change=3)

    class Traced(type(estimator)):
        def _loss(self, task, batch):
            modes.append(task.training)
            return super()._loss(task, batch)

    Traced(**estimator.get_params(deep=False)).fit(WINE)
    assert modes == [True, False] * 3


@every_method
def test_images_are_refused(make):
    with pytest.raises(ValueError, match="takes modality 'table'"):
        make(encoder="auto", modality="image").fit(load_digits().images)


@every_method
@pytest.mark.parametrize(
    ("name", "value"),
    [("corruption_rate", -0.1), ("corruption_rate", 2), ("corruption_rate", None)]
    + [("output", "first")],
)
def test_invalid_parameters(make, name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        make(**{name: value}).fit(WINE)
