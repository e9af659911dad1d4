import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from torch import nn
from torch.nn import functional as F

from sklearn_ssl import CollapseWarning, SwAV
from sklearn_ssl.encoders import MLP, ConvNet, ViT
from sklearn_ssl.objectives import sinkhorn, swapped_prediction
from tests.helpers import ready_task

WINE = load_wine().data
DIGITS = load_digits().images[:256]
COLOUR = np.random.default_rng(0).random((40, 32, 32, 3)).astype(np.float32)
TINY = {"encoder": MLP(hidden=(16, 8)), "projection_dim": 6}
MODALITIES = [
    pytest.param(WINE, TINY, id="table"),
    pytest.param(
        DIGITS,
        {"encoder": ConvNet(channels=(8, 8)), "modality": "image"},
        id="image",
    ),
]
every_modality = pytest.mark.parametrize(("X", "parameters"), MODALITIES)


def small(cls=SwAV, **parameters):
    return cls(**{"max_epochs": 0, "random_state": 0} | parameters)


def watch_units(task):
    """The projections that the head returns, as they come."""
    units, project = [], task.head.project
    task.head.project = lambda z: units.append(project(z)) or units[-1]
    return units


@every_modality
@pytest.mark.parametrize(("temperature", "epsilon"), [(0.1, 0.05), (0.5, 0.2)])
def test_loss_is_the_swapped_prediction(X, parameters, temperature, epsilon):
    swav = small(temperature=temperature, epsilon=epsilon, **parameters).fit(X)
    task, batch = ready_task(swav, X)
    units = watch_units(task)
    loss = task(**batch)
    z = torch.cat(units).unflatten(0, (2, 32))
    scores = z @ F.normalize(task.head.prototypes, dim=1).T
    # Assigned by views, each by itself.
    codes = torch.stack([sinkhorn(view, epsilon) for view in scores])
    torch.testing.assert_close(loss, swapped_prediction(scores, codes, temperature))


def test_prototypes_and_queue_follow_the_number_of_rows():
    def numbers(n, **parameters):
        rows = np.random.default_rng(0).normal(size=(n, 3))
        swav = small(encoder=MLP(hidden=(4,)), **parameters).fit(rows)
        task = swav._network.task
        assert len(task.head.prototypes) == swav.n_prototypes_
        assert task.queue.shape[:2] == (2, swav.queue_length_)
        return swav.n_prototypes_, swav.queue_length_

    assert numbers(20) == (8, 5)
    assert numbers(1000) == (250, 250)
    assert numbers(40_000) == (3000, 3840)
    assert numbers(20, n_prototypes=5, queue_length=0) == (5, 0)


# The first epoch ----------------------------------------------------------------------


def prototypes_after(n_epochs, X=WINE, **parameters):
    swav = small(max_epochs=n_epochs, weight_decay=0.1, **TINY, **parameters).fit(X)
    return swav._network.state()["head.prototypes"]


def test_prototypes_are_fixed_in_the_first_epoch(monkeypatch):
    monkeypatch.setattr("sklearn_ssl.joint_embedding._multi_crop._LONGEST_FREEZE", 1)
    start = prototypes_after(0, batch_size=32)
    assert np.array_equal(prototypes_after(1, batch_size=32), start)
    assert not np.array_equal(prototypes_after(2, batch_size=32), start)


def test_a_long_first_epoch_does_not_fix_them_throughout():
    assert not np.array_equal(
        prototypes_after(1, batch_size=8), prototypes_after(0, batch_size=8)
    )


def test_partial_fit_frees_the_prototypes_and_uses_the_queue():
    swav = small(**TINY, batch_size=32)

    def prototypes_after_another_call():
        return swav.partial_fit(WINE)._network.state()["head.prototypes"].copy()

    first, second, third = (prototypes_after_another_call() for _ in range(3))
    assert not np.array_equal(first, second)
    assert swav._network.task.queue_is_full
    # A new session, with a new optimizer, does not fix them again.
    swav.set_params(batch_size=31)
    assert not np.array_equal(prototypes_after_another_call(), third)


# The queue ----------------------------------------------------------------------------


def test_queue_holds_the_newest_rows_first():
    swav = small(queue_length=70, **TINY).fit(WINE)
    task, batch = ready_task(swav, WINE)
    units = watch_units(task)
    assert not task.queue.any()
    for n_steps in range(1, 5):
        task(**batch)
        newest_first = torch.stack(
            [torch.cat([z.chunk(2)[view] for z in reversed(units)]) for view in (0, 1)]
        )[:, :70]
        filled = min(32 * n_steps, 70)
        torch.testing.assert_close(task.queue[:, :filled], newest_first)
        assert not task.queue[:, filled:].any()
    assert not task.queue.requires_grad


def test_a_batch_may_be_longer_than_the_queue():
    swav = small(queue_length=5, **TINY).fit(WINE)
    task, batch = ready_task(swav, WINE)
    units = watch_units(task)
    task(**batch)
    torch.testing.assert_close(
        task.queue, torch.cat(units).unflatten(0, (2, 32))[:, :5]
    )


def test_rows_are_assigned_together_with_those_of_a_full_queue():
    swav = small(queue_length=40, **TINY).fit(WINE)
    task, batch = ready_task(swav, WINE)
    swav._begin_epoch(task)
    assert not task.queue_is_full
    task(**batch), task(**batch)
    past = task.queue.clone()
    swav._begin_epoch(task)
    assert task.queue_is_full
    units = watch_units(task)
    loss = task(**batch)
    prototypes = F.normalize(task.head.prototypes, dim=1)
    z = torch.cat(units).unflatten(0, (2, 32))
    # Of before this batch: no row meets itself.
    codes = [
        sinkhorn(torch.cat([own, old]) @ prototypes.T)[:32]
        for own, old in zip(z, past, strict=True)
    ]
    expected = swapped_prediction(z @ prototypes.T, torch.stack(codes))
    torch.testing.assert_close(loss, expected)
    alone = torch.stack([sinkhorn(own @ prototypes.T) for own in z])
    assert abs(swapped_prediction(z @ prototypes.T, alone) - loss) > 1e-4


def test_evaluation_changes_nothing_and_uses_no_queue():
    swav = small(max_epochs=3, batch_size=32, **TINY).fit(WINE)
    task, batch = ready_task(swav, WINE)
    task.eval()
    state = {name: t.clone() for name, t in task.state_dict().items()}
    losses = []
    for task.queue_is_full in (False, True):
        task.set_generator(torch.Generator().manual_seed(0))
        losses.append(task(**batch).item())
    assert losses[0] == losses[1]
    for name, tensor in task.state_dict().items():
        assert torch.equal(tensor, state[name]), name


# Local views --------------------------------------------------------------------------


def test_local_views_predict_and_are_not_predicted():
    swav = small(n_local_views=3, encoder=ConvNet(channels=(8,))).fit(COLOUR)
    assert swav.n_local_views_ == 3
    task, batch = ready_task(swav, COLOUR)
    units, sizes = watch_units(task), []
    task.encoder.register_forward_pre_hook(
        lambda module, args: sizes.append(args[0].shape)
    )
    loss = task(**batch)
    # A pass for each size.
    assert sizes == [(64, 3, 32, 32), (96, 3, 16, 16)]
    scores = torch.cat(units).unflatten(0, (5, 32))
    scores = scores @ F.normalize(task.head.prototypes, dim=1).T
    codes = torch.stack([sinkhorn(view) for view in scores[:2]])
    torch.testing.assert_close(loss, swapped_prediction(scores, codes))
    assert task.queue.shape[0] == 2


@pytest.mark.parametrize(
    ("X", "parameters"),
    [
        pytest.param(WINE, {}, id="table"),
        pytest.param(DIGITS, {"modality": "image"}, id="small images"),
        pytest.param(COLOUR, {"n_local_views": 0}, id="none wanted"),
        pytest.param(COLOUR, {"encoder": ViT(dim=8, depth=1, heads=1)}, id="one size"),
        pytest.param(COLOUR, {"views": lambda batch, *_: batch}, id="a function"),
    ],
)
def test_without_local_views(X, parameters):
    swav = small(**parameters).fit(X)
    assert swav.n_local_views_ == 0
    task, batch = ready_task(swav, X)
    assert torch.isfinite(task(**batch))


# Collapse -----------------------------------------------------------------------------


class WithoutHead(SwAV):
    """Prototypes compared to the embedding itself, so that it is seen to collapse."""

    modalities = ("table",)

    def _build_task(self, task):
        super()._build_task(task)
        task.head.projector = nn.Identity()


class WithoutSinkhorn(WithoutHead):
    """Rows are assigned to prototypes as they like."""

    def _codes(self, task, z, scores):
        return (scores / 0.5).softmax(dim=-1)


def test_without_equal_use_the_embedding_collapses():
    rows = np.random.default_rng(0).normal(size=(256, 4))
    parameters = TINY | {"projection_dim": 8, "batch_size": 64, "learning_rate": 0.1}
    parameters["max_epochs"] = 100
    equal = small(WithoutHead, **parameters).fit(rows)
    assert equal.embedding_std_curve_[-1] > 0.05
    with pytest.warns(CollapseWarning):
        small(WithoutSinkhorn, **parameters).fit(rows)


@pytest.mark.parametrize(
    ("X", "parameters"),
    [
        pytest.param(WINE, {"encoder": MLP(hidden=(64, 64))}, id="table"),
        pytest.param(
            DIGITS,
            {
                "encoder": ConvNet(channels=(16, 32)),
                "modality": "image",
                "learning_rate": 1e-2,
            },
            id="image",
        ),
    ],
)
def test_training_reduces_the_loss(X, parameters):
    start = small(batch_size=64, **parameters).fit(X)
    trained = clone(start).set_params(max_epochs=15).fit(X)
    # Where a collapse would keep it, at the logarithm of the number of prototypes.
    assert trained.loss_curve_[-1] < 0.98 * np.log(trained.n_prototypes_)
    assert trained.score(X) > start.score(X)


@pytest.mark.parametrize("optimizer", ["adamw", "lars", "sgd"])
def test_optimizers_take_up_prototypes_later(optimizer):
    prototypes = prototypes_after(3, optimizer=optimizer)
    assert not np.array_equal(prototypes, prototypes_after(0))


def test_head():
    head = small().fit(WINE)._network.task.head
    kinds = [type(layer) for layer in head.projector]
    hidden = [nn.Linear, nn.BatchNorm1d, nn.ReLU]
    assert kinds == [*hidden, nn.Linear, nn.BatchNorm1d]
    assert head.prototypes.shape[1] == SwAV().projection_dim


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_prototypes", 1), ("n_prototypes", "many"), ("queue_length", -1)]
    + [("queue_length", None), ("temperature", 0), ("epsilon", 0), ("epsilon", "low")]
    + [("n_local_views", -1), ("n_local_views", "auto"), ("projection_dim", 0)],
)
def test_invalid_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        SwAV(**{name: value}).fit(WINE)
