import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_wine

from sklearn_ssl import SwitchTab
from sklearn_ssl.encoders import MLP
from tests.autoencoding.helpers import reconstruction_formula
from tests.helpers import ready_task, watch

WINE = load_wine().data
SMALL = {"encoder": MLP(hidden=(16, 8)), "random_state": 0}


def untrained(X, **parameters):
    return SwitchTab(**{"max_epochs": 0} | SMALL | parameters).fit(X)


def watch_inputs(module):
    seen = []
    module.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    return seen


def donors_of(codes, others):
    """Whose mutual part stands beside the salient part of each row."""
    own = codes.chunk(2, dim=1)[0]
    found = (others.chunk(2, dim=1)[0][:, None] == own).all(dim=2)
    assert (found.sum(dim=1) == 1).all()
    return found.float().argmax(dim=1)


def test_loss_is_of_the_clean_row_restored_twice(mixed):
    estimator = untrained(mixed)
    task, batch = ready_task(estimator, mixed)
    views, outputs = watch(task, "decoder")
    loss = task(**batch)
    assert len(views) == 1 and len(outputs) == 2
    own, switched = (
        reconstruction_formula(output, batch, estimator.modality_) for output in outputs
    )
    assert own != switched
    assert_allclose(loss.item(), own + switched, rtol=1e-6)


def test_only_the_mutual_part_is_of_another_row():
    task, batch = ready_task(untrained(WINE), WINE)
    views, _ = watch(task, "decoder")
    salient, mutual = [], []
    task.salient.register_forward_hook(lambda *call: salient.append(call[-1]))
    task.mutual.register_forward_hook(lambda *call: mutual.append(call[-1]))
    codes = watch_inputs(task.decoder)
    task(**batch)
    h = task.encoder(task.inputs(views[0]))
    torch.testing.assert_close(salient[0], task.salient[0](h).sigmoid())
    torch.testing.assert_close(codes[0], torch.cat([mutual[0], salient[0]], dim=1))
    assert torch.equal(codes[1].chunk(2, dim=1)[1], salient[0])
    task(**batch)
    first, second = donors_of(*codes[:2]), donors_of(*codes[2:])
    assert len(first.unique()) == len(h)
    for donors in first, second:
        assert (donors != torch.arange(len(h))).sum() > len(h) / 2
    assert not torch.equal(first, second)


def test_the_row_is_corrupted():
    task, batch = ready_task(untrained(WINE, corruption_rate=0.5), WINE)
    views, _ = watch(task, "decoder")
    seen = watch_inputs(task.encoder)
    task(**batch)
    torch.testing.assert_close(seen[0], task.inputs(views[0]))
    assert 0.3 < (views[0]["numbers"] != batch["numbers"]).float().mean() < 0.6


def test_transform_returns_the_salient_part_of_the_clean_row():
    estimator = untrained(WINE, passthrough=False)
    task, batch = ready_task(estimator, WINE, n_rows=None)
    with torch.no_grad():
        salient = task.salient(task.eval().encoder(task.inputs(batch))) - 0.5
    expected = salient * task.scale + task.shift
    assert_allclose(estimator.transform(WINE), expected.numpy(), atol=1e-5)


def test_a_first_fit_is_silent():
    """Outputs of a sigmoid begin alike, which is not a collapse."""
    embedding_std = (
        SwitchTab(max_epochs=2, random_state=0).fit(WINE).embedding_std_curve_
    )
    assert min(embedding_std) > 0.1


def test_all_layers_are_those_of_the_encoder_and_the_salient_part():
    estimator = untrained(WINE, passthrough=False, output="all_layers")
    assert estimator.transform(WINE).shape == (178, 16 + 8 + 8)


def test_the_salient_part_learns_to_say_which_row_it_is():
    start = untrained(WINE)
    trained = clone(start).set_params(max_epochs=200, learning_rate=1e-2).fit(WINE)
    assert trained.score(WINE) > start.score(WINE)
    task, batch = ready_task(trained, WINE, n_rows=None)
    task.eval()
    with torch.no_grad():
        h = task.embed(batch)
        others = task.mutual(h).roll(60, dims=0)  # rows are sorted by class
        switched = task.decoder(torch.cat([others, task.salient(h)], dim=1))
    x = batch["numbers"]
    error = (switched - x).square().mean()
    assert error < 0.6 * (switched - x.roll(60, dims=0)).square().mean()


def test_score_samples_is_of_the_row_with_its_own_parts():
    estimator = untrained(WINE)
    task, batch = ready_task(estimator, WINE, n_rows=None)
    with torch.no_grad():
        h = task.eval().embed(batch)
        restored = task.decoder(torch.cat([task.mutual(h), task.salient(h)], dim=1))
    errors = (restored - batch["numbers"]).square().mean(dim=1)
    assert_allclose(estimator.score_samples(WINE), -errors.numpy(), rtol=1e-4)


def test_score_takes_the_mutual_part_from_anywhere_in_the_file():
    """Rows beside each other may be alike, if they are sorted."""
    estimator = untrained(WINE)
    codes = watch_inputs(estimator._network.task.decoder)
    estimator.score(WINE)
    donors = donors_of(*codes[:2])
    distances = (donors - torch.arange(len(donors))).abs()
    assert distances.float().median() > len(donors) / 10


def test_images_are_refused():
    with pytest.raises(ValueError, match="SwitchTab"):
        SwitchTab(modality="image").fit(np.zeros((20, 8, 8)))


def test_invalid_parameters():
    with pytest.raises(ValueError, match="corruption_rate must be"):
        untrained(WINE, corruption_rate=2)
