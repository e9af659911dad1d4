import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone

from sklearn_ssl import VIME
from sklearn_ssl.encoders import MLP
from tests.autoencoding.helpers import reconstruction_formula
from tests.helpers import numeric_gradient, ready_task, watch
from tests.masked.helpers import WINE, copies, untrained_task, with_gradient

SMALL = {"encoder": MLP(hidden=(16, 8))}


def mask_formula(logits, changed):
    """Cross-entropy, mean over rows and columns."""
    p = 1 / (1 + np.exp(-logits))
    return -np.log(np.where(changed, p, 1 - p)).mean()


def changed_cells(batch, view, missing_columns):
    """Whether x differs from the corrupted x, cell by cell."""
    numbers = (batch["numbers"] != view["numbers"]).numpy()
    for k, j in enumerate(missing_columns):
        numbers[:, j] |= (batch["missing"] != view["missing"]).numpy()[:, k]
    return np.hstack([numbers, (batch["categories"] != view["categories"]).numpy()])


@pytest.mark.parametrize("alpha", [2.0, 0.5, 0.0])
def test_loss_is_that_of_the_mask_and_alpha_times_that_of_all_cells(mixed, alpha):
    vime = VIME(alpha=alpha, max_epochs=0, random_state=0, **SMALL).fit(mixed)
    task, batch = ready_task(vime, mixed, n_rows=None)
    views, masks = watch(task)
    _, decoded = watch(task, "decoder")
    loss = task(**batch)
    (view,), (logits,), (output,) = views, masks, decoded
    logits = logits.detach().double().numpy()
    assert logits.shape == mixed.shape
    changed = changed_cells(batch, view, vime.modality_.missing_columns_)
    assert 0.1 < changed.mean() < 0.3
    restored = reconstruction_formula(output, batch, vime.modality_)
    expected = mask_formula(logits, changed) + alpha * restored
    assert_allclose(loss.item(), expected, rtol=1e-5)


def test_gradient():
    """Of both heads' outputs, cells that were not replaced included."""
    task, batch = untrained_task(VIME(alpha=3.0, **SMALL), WINE)
    views, _ = watch(task)
    logits, decoded = with_gradient(task, "head"), with_gradient(task, "decoder")
    task(**batch).backward()
    target = batch["numbers"].double().numpy()
    changed = target != views[0]["numbers"].double().numpy()
    assert changed.any() and not changed.all()
    expected = numeric_gradient(
        lambda x: mask_formula(x, changed), logits[0].detach().double().numpy()
    )
    assert_allclose(logits[0].grad, expected, atol=1e-7)
    expected = numeric_gradient(
        lambda x: 3 * ((x - target) ** 2).mean(), decoded[0].detach().double().numpy()
    )
    assert_allclose(decoded[0].grad, expected, atol=1e-6)


def test_a_cell_that_got_its_own_value_counts_as_not_replaced():
    """The label is (x != corrupted x), after the corruption, not what was drawn."""
    rng = np.random.default_rng(0)
    n = 400
    X = np.column_stack([np.ones(n), rng.integers(2, size=n), rng.normal(size=n)])
    vime = VIME(corruption_rate=1.0, alpha=0.0, max_epochs=0, random_state=0, **SMALL)
    task, batch = ready_task(vime.fit(X), X, n_rows=None)
    views, outputs = watch(task)
    loss = task(**batch)
    changed = task.inputs.changed(batch, views[0])
    assert_allclose(changed.double().mean(dim=0), [0, 0.5, 1], atol=0.08)
    logits = outputs[0].detach().double().numpy()
    assert_allclose(loss.item(), mask_formula(logits, changed.numpy()), rtol=1e-5)
    assert abs(loss.item() - mask_formula(logits, np.True_)) > 1e-3


def test_both_heads_learn():
    """What does not fit the other columns, and what it was."""
    X = copies()
    vime = VIME(encoder=MLP(hidden=(64, 64)), max_epochs=60, batch_size=50)
    vime.set_params(learning_rate=0.01, random_state=0).fit(X)
    task, batch = ready_task(vime, X, n_rows=None)
    task.eval()
    with torch.no_grad():
        view = task.view(batch)
        z = task.embed(view)
        logits, output = task.head(z).double().numpy(), task.decoder(z)
    changed = task.inputs.changed(batch, view)
    # Without the row, one could but guess with a chance of 0.3, or the column's mean.
    guess = mask_formula(np.log(0.3 / 0.7), changed.numpy())
    assert mask_formula(logits, changed.numpy()) < 0.8 * guess
    errors = (output - batch["numbers"]).square()
    assert errors[changed].mean() < 0.5


def test_training_reduces_the_loss():
    untrained = VIME(max_epochs=0, random_state=0, **SMALL).fit(WINE)
    vime = clone(untrained).set_params(max_epochs=20, learning_rate=5e-3).fit(WINE)
    assert vime.loss_curve_[-1] < 0.9 * vime.loss_curve_[0]
    assert vime.score(WINE) > untrained.score(WINE)


def test_defaults_are_those_of_the_paper():
    vime = VIME(max_epochs=0).fit(WINE)
    assert vime.alpha == 2.0
    assert vime.views_.rate == vime.corruption_rate == 0.3


@pytest.mark.parametrize("value", [-0.1, "low", None, np.inf])
def test_invalid_alpha(value):
    with pytest.raises(ValueError, match="alpha must be"):
        VIME(alpha=value).fit(WINE)
