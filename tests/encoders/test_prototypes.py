import pytest
import torch
from torch.nn import functional as F

from sklearn_ssl.encoders.prototypes import PrototypeHead, RunningCenter
from sklearn_ssl.engine.random import seeded_initialization


@pytest.fixture
def head():
    with seeded_initialization(torch.Generator().manual_seed(0)):
        return PrototypeHead(6, 4, 5)


@pytest.fixture
def z():
    return torch.randn(8, 6, generator=torch.Generator().manual_seed(0))


def test_scores_are_cosines(head, z):
    unit = head.project(z)
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(8))
    projected = head.projector(z)
    expected = F.cosine_similarity(projected[:, None], head.prototypes[None], dim=2)
    torch.testing.assert_close(head(z), expected)


def test_prototypes_start_at_about_unit_length():
    with seeded_initialization(torch.Generator().manual_seed(0)):
        lengths = PrototypeHead(6, 256, 50).prototypes.norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(50), atol=0.2, rtol=0)


def test_a_zero_row_of_half_precision_projects_to_zero(head):
    for parameter in head.projector.parameters():
        torch.nn.init.zeros_(parameter)
    unit = head.half().project(torch.ones(2, 6, dtype=torch.float16))
    assert torch.equal(unit, torch.zeros(2, 4, dtype=torch.float16))


def test_prototypes_are_normalized_each_time(head, z):
    expected = head(z)
    with torch.no_grad():
        head.prototypes.mul_(torch.arange(1.0, 6.0)[:, None])
    torch.testing.assert_close(head(z), expected)


def test_fixed_prototypes_have_no_gradient(head, z):
    head(z, fixed=True).sum().backward()
    assert head.prototypes.grad is None
    assert head.projector[0].weight.grad is not None
    head(z).sum().backward()
    assert head.prototypes.grad.norm() > 0


def test_running_center():
    center = RunningCenter(3)
    generator = torch.Generator().manual_seed(0)
    batches = torch.randn(15, 2, 4, 3, generator=generator)
    means = batches.mean((1, 2))
    expected = torch.zeros(3)
    for i, batch in enumerate(batches):
        # A batch is not centred by itself, but by those before.
        torch.testing.assert_close(center(batch), expected)
        kept = min(i / (i + 1), 0.9)
        expected = kept * expected + (1 - kept) * means[i]
    before = center.mean.clone(), center.n_updates.clone()
    torch.testing.assert_close(center.eval()(batches[0]), means[0])
    assert torch.equal(center.mean, before[0])
    assert center.n_updates == before[1] == 15


def test_running_center_keeps_no_graph():
    center = RunningCenter(3)
    center(torch.ones(4, 3, requires_grad=True))
    assert not center.mean.requires_grad
