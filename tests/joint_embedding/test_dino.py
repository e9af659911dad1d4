import math

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from torch import nn

from sklearn_ssl import DINO, CollapseWarning, objectives
from sklearn_ssl.encoders import MLP, ConvNet
from sklearn_ssl.objectives import dino_cross_entropy
from tests.helpers import ready_task

WINE = load_wine().data
DIGITS = load_digits().images[:256]
COLOUR = np.random.default_rng(0).random((40, 32, 32, 3)).astype(np.float32)
TINY = {"encoder": MLP(hidden=(16, 8)), "n_prototypes": 12, "projection_dim": 6}
MODALITIES = [
    pytest.param(WINE, TINY, id="table"),
    pytest.param(
        DIGITS,
        TINY | {"encoder": ConvNet(channels=(8, 8)), "modality": "image"},
        id="image",
    ),
]
every_modality = pytest.mark.parametrize(("X", "parameters"), MODALITIES)


def small(cls=DINO, **parameters):
    return cls(**{"max_epochs": 0, "random_state": 0} | parameters)


def watch_scores(task):
    """The scores of the student and of the teacher, as they come."""
    student, teacher = [], []
    for head, outputs in (task.head, student), (task.teacher[-1], teacher):
        head.register_forward_hook(lambda *args, to=outputs: to.append(args[-1]))
    return student, teacher


# Loss ---------------------------------------------------------------------------------


@every_modality
@pytest.mark.parametrize("temperatures", [(0.1, 0.02), (0.5, 0.2)])
def test_loss_is_that_of_a_centred_teacher(X, parameters, temperatures):
    names = "student_temperature", "teacher_temperature"
    parameters = parameters | dict(zip(names, temperatures, strict=True))
    task, batch = ready_task(small(**parameters).fit(X), X)
    task.progress = 1.0
    # So that the two differ in all.
    with torch.no_grad():
        for parameter in task.teacher.parameters():
            parameter.mul_(1.1).add_(0.01)
    task.center.mean.copy_(torch.linspace(-0.2, 0.2, 12))
    center = task.center.mean.clone()
    student, teacher = watch_scores(task)
    loss = task(**batch)
    student = torch.cat(student).unflatten(0, (2, 32))
    expected = dino_cross_entropy(student, torch.stack(teacher), center, *temperatures)
    torch.testing.assert_close(loss, expected)


@every_modality
def test_no_gradient_reaches_the_teacher(X, parameters):
    task, batch = ready_task(small(**parameters).fit(X), X)
    task.in_first_epoch = False
    task(**batch).backward()
    assert all(p.grad is None for p in task.teacher.parameters())
    assert not any(p.requires_grad for p in task.teacher.parameters())
    assert all(p.grad is not None for p in task.head.parameters())
    assert all(p.grad is not None for p in task.encoder.parameters())


def test_teacher_sees_whole_views_alone():
    dino = small(n_local_views=3, encoder=ConvNet(channels=(8,))).fit(COLOUR)
    assert dino.n_local_views_ == 3
    task, batch = ready_task(dino, COLOUR)
    sizes = {"student": [], "teacher": []}
    for name, encoder in ("student", task.encoder), ("teacher", task.teacher[1]):
        encoder.register_forward_pre_hook(
            lambda module, args, to=sizes[name]: to.append(tuple(args[0].shape))
        )
    student, teacher = watch_scores(task)
    loss = task(**batch)
    assert sizes["student"] == [(64, 3, 32, 32), (96, 3, 16, 16)]
    assert sizes["teacher"] == [(32, 3, 32, 32)] * 2
    student = torch.cat(student).unflatten(0, (5, 32))
    expected = dino_cross_entropy(
        student, torch.stack(teacher), torch.zeros(1024), 0.1, 0.02
    )
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize(
    ("progress", "expected"), [(0.0, 0.04), (0.15, 0.055), (0.3, 0.07), (1.0, 0.07)]
)
def test_teacher_temperature_warms_up(progress, expected, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "sklearn_ssl.objectives.clustering.dino_cross_entropy",
        lambda *args: seen.append(args[-1]) or args[0].sum(),
    )
    parameters = {"warmup_teacher_temperature": 0.04, "teacher_temperature": 0.07}
    task, batch = ready_task(small(**TINY, **parameters).fit(WINE), WINE)
    task.progress = progress
    task(**batch)
    assert seen == [pytest.approx(expected)]


# State --------------------------------------------------------------------------------


def test_center_follows_the_teacher_after_the_loss():
    task, batch = ready_task(small(**TINY).fit(WINE), WINE)
    _, scores = watch_scores(task)
    expected = torch.zeros(12)
    for step in range(12):
        scores.clear()
        task(**batch)
        kept = min(step / (step + 1), 0.9)
        expected = kept * expected + (1 - kept) * torch.cat(scores).mean(0)
        torch.testing.assert_close(task.center.mean, expected)


def test_evaluation_changes_nothing():
    task, batch = ready_task(small(max_epochs=2, **TINY).fit(WINE), WINE)
    task.eval()
    state = {name: tensor.clone() for name, tensor in task.state_dict().items()}
    task(**batch)
    for name, tensor in task.state_dict().items():
        assert torch.equal(tensor, state[name]), name


def test_teacher_begins_as_the_student():
    task, _ = ready_task(small(**TINY).fit(WINE), WINE)
    student = nn.Sequential(task.inputs, task.encoder, task.head).state_dict()
    for name, tensor in task.teacher.state_dict().items():
        assert torch.equal(tensor, student[name])


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_teacher_follows_with_rising_momentum(progress):
    dino = small(momentum=0.9, **TINY).fit(WINE)
    task, _ = ready_task(dino, WINE)
    task.progress = progress
    before = [p.clone() for p in task.teacher.parameters()]
    student = nn.Sequential(task.inputs, task.encoder, task.head)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1.0)
    dino._after_step(task)
    momentum = 1 - (1 - 0.9) * (math.cos(math.pi * progress) + 1) / 2
    pairs = zip(before, task.teacher.parameters(), student.parameters(), strict=True)
    for old, new, followed in pairs:
        torch.testing.assert_close(new, momentum * old + (1 - momentum) * followed)


def test_teacher_trains_with_its_own_batch_statistics():
    task, batch = ready_task(small(**TINY).fit(WINE), WINE)
    norm = task.teacher[-1].projector[1]
    before = norm.running_mean.clone()
    task(**batch)
    assert norm.training and not torch.equal(norm.running_mean, before)
    assert not torch.equal(norm.running_mean, task.head.projector[1].running_mean)


def prototypes_after(n_epochs, **parameters):
    dino = small(max_epochs=n_epochs, weight_decay=0.1, **TINY, **parameters).fit(WINE)
    return dino._network.state()["head.prototypes"]


def test_prototypes_are_fixed_in_the_first_epoch(monkeypatch):
    monkeypatch.setattr("sklearn_ssl.joint_embedding._multi_crop._LONGEST_FREEZE", 1)
    start = prototypes_after(0, batch_size=32)
    assert np.array_equal(prototypes_after(1, batch_size=32), start)
    assert not np.array_equal(prototypes_after(2, batch_size=32), start)


def test_a_long_first_epoch_does_not_fix_them_throughout():
    assert not np.array_equal(
        prototypes_after(1, batch_size=8), prototypes_after(0, batch_size=8)
    )


def test_partial_fit_frees_the_prototypes():
    dino = small(**TINY, batch_size=32)

    def prototypes_after_another_call():
        return dino.partial_fit(WINE)._network.state()["head.prototypes"].copy()

    first, second = (prototypes_after_another_call() for _ in range(2))
    assert not np.array_equal(first, second)


# Collapse -----------------------------------------------------------------------------


class WithoutHead(DINO):
    """Prototypes compared to the embedding itself, so that it is seen to collapse."""

    def _build_task(self, task):
        super()._build_task(task)
        task.head.projector = nn.Identity()
        task.teacher[-1].projector = nn.Identity()


class WithoutCenter(WithoutHead):
    def _build_task(self, task):
        super()._build_task(task)
        task.center.forward = lambda teacher: torch.zeros(self.n_prototypes)


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(256, 4))


HEADLESS = {"encoder": MLP(hidden=(32, 8)), "projection_dim": 8, "n_prototypes": 64}
HEADLESS |= {"max_epochs": 40, "learning_rate": 1e-2, "batch_size": 64, "momentum": 0.9}


def test_without_centring_the_embedding_collapses(rows):
    # At this temperature the student is never so certain that it learns no more.
    parameters = HEADLESS | {"student_temperature": 0.6}
    with pytest.warns(CollapseWarning):
        small(WithoutCenter, **parameters | {"max_epochs": 80}).fit(rows)
    uncentred = small(WithoutCenter, **parameters).fit(WINE).embedding_std_curve_[-1]
    centred = small(WithoutHead, **parameters).fit(WINE).embedding_std_curve_[-1]
    assert uncentred < 0.05 < 0.3 < centred


def test_without_sharpening_the_student_becomes_uniform(rows):
    uniform = math.log(64)
    sharp = small(WithoutHead, **HEADLESS).fit(rows)
    assert sharp.embedding_std_curve_[-1] > 0.1
    blunt = small(WithoutHead, **HEADLESS | {"max_epochs": 120})
    blunt.set_params(teacher_temperature=1.0, warmup_teacher_temperature=1.0)
    with pytest.warns(CollapseWarning):
        blunt.fit(rows)
    assert blunt.loss_curve_[-1] == pytest.approx(uniform, rel=0.01)


@every_modality
def test_training_reduces_the_loss(X, parameters):
    start = small(batch_size=64, **parameters).fit(X)
    trained = clone(start).set_params(max_epochs=15).fit(X)
    assert trained.score(X) > start.score(X)


def test_defaults_suit_small_data():
    dino = DINO()
    assert dino.n_prototypes == 1024 and dino.momentum == 0.99
    assert dino.student_temperature == 0.1 and dino.teacher_temperature == 0.02
    head = small().fit(WINE)._network.task.head
    hidden = [nn.Linear, nn.BatchNorm1d, nn.ReLU]
    kinds = [type(layer) for layer in head.projector]
    assert kinds == [*hidden, *hidden, nn.Linear]


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_prototypes", 1), ("n_prototypes", "auto"), ("momentum", 1.1)]
    + [("momentum", "auto"), ("student_temperature", 0), ("teacher_temperature", -1)]
    + [("warmup_teacher_temperature", None), ("n_local_views", -1)]
    + [("projection_dim", 0)],
)
def test_invalid_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        DINO(**{name: value}).fit(WINE)


def test_partial_fit_has_the_final_temperature(monkeypatch):
    """It has no end, by which the end of a warm-up could be told."""
    seen = []
    loss = dino_cross_entropy

    def watch_temperature(student, teacher, center, student_t, teacher_t):
        seen.append(teacher_t)
        return loss(student, teacher, center, student_t, teacher_t)

    monkeypatch.setattr(
        objectives, "dino_cross_entropy", watch_temperature, raising=False
    )
    dino = DINO(warmup_teacher_temperature=0.1, n_prototypes=8, random_state=0)
    dino.partial_fit(WINE)
    assert seen == pytest.approx([0.02] * len(seen))


@pytest.mark.parametrize(
    "optimizer, factor", [("adamw", 1), ("sgd", 10), ("lars", 300)]
)
def test_the_learning_rate_follows_the_optimizer(optimizer, factor):
    dino = DINO(optimizer=optimizer, max_epochs=0, n_prototypes=8).fit(WINE)
    assert dino.learning_rate_ == pytest.approx(1e-3 * factor)


class OneSize(nn.Module):
    """Refuses images of another size as vision transformers of other libraries do."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3 * 32 * 32, 8)

    def forward(self, pixels):
        assert pixels.shape[2:] == (32, 32), "wrong height or width"
        return self.layer(pixels.flatten(1))


def test_an_encoder_of_one_size_gets_no_local_views():
    dino = DINO(encoder=OneSize(), n_prototypes=8, max_epochs=0).fit(COLOUR)
    assert dino.n_local_views_ == 0
    with pytest.raises(ValueError, match="The encoder failed on a tensor"):
        DINO(encoder=OneSize(), n_prototypes=8).fit(COLOUR[:, :16])


def test_a_score_is_by_the_temperature_at_the_end_of_training():
    dino = small(teacher_temperature=0.07, max_epochs=1, **TINY).fit(WINE)
    score = dino.score(WINE)
    for progress in (0.0, 0.1, 1.0):
        dino._network.task.progress = progress
        assert dino.score(WINE) == score
    assert dino._network.task.progress == 1.0
