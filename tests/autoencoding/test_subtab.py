import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from torch.nn import functional as F

from sklearn_ssl import SubTab
from sklearn_ssl.encoders import MLP
from sklearn_ssl.encoders.inputs import TabularInput
from sklearn_ssl.objectives import subset_agreement
from sklearn_ssl.views.subsets import column_subsets
from tests.helpers import ready_task, watch

WINE = load_wine().data
SMALL = {"encoder": MLP(hidden=(16, 8)), "random_state": 0}


def untrained(X, **parameters):
    return SubTab(**{"max_epochs": 0} | SMALL | parameters).fit(X)


# Subsets ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_columns", [1, 2, 3, 13, 784])
@pytest.mark.parametrize("n_subsets", [1, 2, 4, 5])
@pytest.mark.parametrize("overlap", [0, 0.75, 1])
def test_every_column_is_in_a_subset(n_columns, n_subsets, overlap):
    subsets = column_subsets(n_columns, n_subsets, overlap)
    assert subsets.shape == (min(n_subsets, n_columns), n_columns)
    assert subsets.any(0).all() and subsets.any(1).all()
    if not overlap:
        assert (subsets.sum(0) == 1).all()


def test_subsets_of_mnist():
    # 784 / 4 = 196 columns, and three quarters of that of the neighbour.
    subsets = column_subsets(784, 4, 0.75)
    assert subsets.sum(1).tolist() == [343] * 4
    first_and_last = [(s.nonzero()[0].item(), s.nonzero()[-1].item()) for s in subsets]
    assert first_and_last == [(0, 342), (49, 391), (245, 587), (441, 783)]


def test_the_remainder_is_distributed():
    assert column_subsets(13, 4, 0).sum(1).tolist() == [3, 3, 3, 4]


def test_the_overlap_is_rounded_down():
    subsets = column_subsets(10, 4, 0.75)  # of 2.5 columns: 1.875
    assert subsets.sum(1).tolist() == [3, 4, 3, 4]


def test_a_column_is_in_a_subset_with_all_of_its_inputs(mixed):
    task, _ = ready_task(untrained(mixed, n_subsets=3), mixed)
    for outputs in task.inputs.columns_of_output:
        assert (task.seen[:, outputs] == task.seen[:, outputs[:1]]).all()
    assert task.seen.shape == (3, *task.inputs.output_shape)
    assert set(task.seen.unique().tolist()) == {0.0, 1.0}


# The loss -----------------------------------------------------------------------------


def agreement_formula(z, temperature):
    z = z / np.linalg.norm(z, axis=2, keepdims=True)
    k, n, _ = z.shape
    total = 0.0
    for a in range(k):
        for b in range(a):
            both = np.concatenate([z[a], z[b]])
            similar = np.exp(both @ both.T / temperature)
            np.fill_diagonal(similar, 0)
            partner = np.r_[n : 2 * n, :n]
            share = similar[np.arange(2 * n), partner] / similar.sum(1)
            total += -np.log(share).mean() + ((z[a] - z[b]) ** 2).sum(1).mean()
    return total / (k * (k - 1) / 2)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_agreement_is_the_formula(k, temperature):
    z = np.random.default_rng(0).normal(size=(k, 5, 4))
    tensor = torch.tensor(z, requires_grad=True)
    loss = subset_agreement(tensor, temperature)
    assert_allclose(loss.item(), agreement_formula(z, temperature), rtol=1e-10)
    loss.backward()
    step = 1e-6
    for index in [(0, 0, 0), (1, 2, 3), (k - 1, 4, 1)]:
        up, down = z.copy(), z.copy()
        up[index] += step
        down[index] -= step
        slope = agreement_formula(up, temperature)
        slope = (slope - agreement_formula(down, temperature)) / (2 * step)
        assert_allclose(tensor.grad[index].item(), slope, rtol=1e-5, atol=1e-9)


def test_subsets_without_a_direction_in_half_precision_agree():
    z = torch.zeros(2, 3, 4, dtype=torch.float16, requires_grad=True)
    loss = subset_agreement(z)
    loss.backward()
    assert loss.isfinite() and z.grad.isfinite().all()


def test_a_single_subset_agrees():
    assert subset_agreement(torch.randn(1, 5, 4)).item() == 0


def test_each_subset_restores_the_whole_clean_row(mixed):
    subtab = untrained(mixed, n_subsets=3)
    task, batch = ready_task(subtab, mixed, n_rows=None)
    views, outputs = watch(task, "decoder")
    heads, project = [], task.head.forward
    task.head.forward = lambda h: heads.append(project(h)) or heads[-1]
    loss = task(**batch)
    # The noise of each subset is its own.
    assert len(views) == 3
    assert not torch.equal(views[0]["numbers"], views[1]["numbers"])
    embedded = []
    for view, seen in zip(views, task.seen, strict=True):
        embedded.append(task.encoder(task.inputs(view) * seen))
    restored = [task.decoder(h) for h in embedded]
    torch.testing.assert_close(outputs[0], torch.cat(restored))
    errors = [task.inputs.reconstruction_loss(r, batch) for r in restored]
    z = F.normalize(heads[0].unflatten(0, (3, -1)), dim=-1)
    expected = torch.stack(errors).mean() + subset_agreement(z, subtab.temperature)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("n_neighbors", [5, 0])
def test_each_subset_restores_the_row_it_is_of_which_may_be_a_near_one(
    n_neighbors, monkeypatch
):
    seen, restored = [], []
    loss_of = TabularInput.reconstruction_loss

    def view(batch, source, generator):
        seen.append(batch["numbers"])
        return batch

    def spied(inputs, output, batch):
        restored.append(batch["numbers"])
        return loss_of(inputs, output, batch)

    monkeypatch.setattr(TabularInput, "reconstruction_loss", spied)
    SubTab(views=view, n_neighbors=n_neighbors, max_epochs=6, **SMALL).fit(WINE)
    assert len(restored) == 6
    assert torch.equal(torch.cat(restored), torch.cat(seen))
    first, second, *_ = torch.cat(restored).unflatten(0, (6, 4, -1)).unbind(1)
    same = (first == second).all(dim=2).float().mean()
    # Of the row itself both with a chance of 1/4, of one neighbour of 1/4 / 5.
    assert abs(same - (0.3 if n_neighbors else 1)) < 0.05
    random = first - second.roll(1, dims=1)
    assert (first - second).norm() < 0.7 * random.norm()


def test_columns_outside_a_subset_do_not_reach_the_encoder():
    task, batch = ready_task(untrained(WINE, overlap=0), WINE)
    x = task.inputs(batch)
    hidden = ~task.seen[0].bool()
    changed = torch.where(hidden, x + 1, x)

    def embed(x):
        return SubTab()._embed_subsets(task, x, task.encoder)

    first, others = embed(x)[0], embed(x)[1:]
    torch.testing.assert_close(embed(changed)[0], first, rtol=0, atol=0)
    assert (embed(changed)[1:] != others).any((1, 2)).all()


# The estimator ------------------------------------------------------------------------


def test_transform_is_the_mean_over_subsets_without_noise():
    subtab = untrained(WINE, passthrough=False)
    task, batch = ready_task(subtab, WINE, n_rows=None)
    x = task.inputs(batch)
    with torch.no_grad():
        each = torch.stack([task.encoder(x * seen) for seen in task.eval().seen])
    expected = each.mean(0) * task.scale + task.shift
    assert_allclose(subtab.transform(WINE), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(("n_columns", "expected"), [(13, 4), (3, 3), (1, 1)])
def test_number_of_subsets(n_columns, expected):
    X = WINE[:, :n_columns]
    subtab = SubTab(max_epochs=1, **SMALL).fit(X)
    assert subtab.n_subsets_ == expected
    assert np.isfinite(subtab.transform(X)).all()
    assert np.isfinite(subtab.score(X))


def test_training_reduces_the_loss():
    X = load_digits().data[:300]
    start = untrained(X, batch_size=64)
    trained = clone(start).set_params(max_epochs=15, learning_rate=1e-2).fit(X)
    assert trained.loss_curve_[-1] < trained.loss_curve_[0]
    assert trained.score(X) > start.score(X)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_subsets", 0), ("n_subsets", 2.5), ("overlap", -0.1), ("overlap", 1.1)]
    + [("corruption_rate", 2), ("temperature", 0), ("projection_dim", 0)]
    + [("n_neighbors", -1), ("n_neighbors", 0.5)],
)
def test_invalid_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        untrained(WINE, **{name: value})


def test_score_samples_is_of_the_row_restored_from_the_embedding():
    subtab = untrained(WINE)
    task, batch = ready_task(subtab, WINE, n_rows=None)
    with torch.no_grad():
        restored = task.eval().decoder(subtab._encode(task, batch))
    errors = (restored - batch["numbers"]).square().mean(dim=1)
    assert_allclose(subtab.score_samples(WINE), -errors.numpy(), rtol=1e-4)
