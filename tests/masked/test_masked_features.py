import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_ssl import DenoisingAutoencoder, MaskedFeatures
from sklearn_ssl.encoders import MLP
from tests.autoencoding.helpers import reconstruction_formula
from tests.helpers import ready_task, watch
from tests.masked.helpers import WINE, copies, untrained_task, with_gradient

SMALL = {"encoder": MLP(hidden=(16, 8))}
every_pretext = pytest.mark.parametrize("pretext", ["mask", "reconstruction"])


def test_mask_is_predicted_by_cross_entropy(mixed):
    masked = MaskedFeatures(max_epochs=0, random_state=0, **SMALL).fit(mixed)
    task, batch = ready_task(masked, mixed, n_rows=None)
    views, outputs = watch(task)
    loss = task(**batch)
    view, logits = views[0], outputs[0].detach().double().numpy()
    numbers = (batch["numbers"] != view["numbers"]).numpy()
    (gap,) = masked.modality_.missing_columns_
    numbers[:, gap] |= (batch["missing"] != view["missing"]).numpy()[:, 0]
    categories = (batch["categories"] != view["categories"]).numpy()
    changed = np.hstack([numbers, categories])
    assert logits.shape == changed.shape == mixed.shape
    p = 1 / (1 + np.exp(-logits))
    expected = -(np.log(p[changed]).sum() + np.log(1 - p[~changed]).sum()) / p.size
    assert_allclose(loss.item(), expected, rtol=1e-5)


def test_cells_that_got_their_own_value_were_not_replaced():
    X = np.column_stack([np.ones(200), np.arange(200) % 2, np.arange(200)])
    masked = MaskedFeatures(corruption_rate=1.0, modality="table", **SMALL)
    task, batch = untrained_task(masked, X)
    logit = 3.0
    torch.nn.init.zeros_(task.head[-1].weight)
    torch.nn.init.constant_(task.head[-1].bias, logit)
    views, _ = watch(task)
    loss = task(**batch)
    share = (views[0]["numbers"] != batch["numbers"]).double().mean().item()
    assert 0.3 < share < 0.7
    assert_allclose(loss.item(), np.log1p(np.exp(logit)) - share * logit, rtol=1e-5)


def test_reconstruction_counts_all_cells(mixed):
    masked = MaskedFeatures(pretext="reconstruction", max_epochs=0, random_state=0)
    task, batch = ready_task(masked.set_params(**SMALL).fit(mixed), mixed, n_rows=None)
    outputs = with_gradient(task, "decoder")
    views, _ = watch(task, "decoder")
    loss = task(**batch)
    loss.backward()
    expected = reconstruction_formula(outputs[0], batch, masked.modality_)
    assert_allclose(loss.item(), expected, rtol=1e-5)
    # Of every number that is present, whether replaced or not.
    replaced = task.inputs.changed(batch, views[0])[:, :3]
    counted = outputs[0].grad[:, :3] != 0
    assert torch.equal(counted, task.inputs.present(batch))
    assert (counted & replaced).any() and (counted & ~replaced).any()


def test_reconstruction_is_denoising(mixed):
    parameters = {"corruption_rate": 0.3, "max_epochs": 2, "random_state": 0, **SMALL}
    masked = MaskedFeatures(pretext="reconstruction", **parameters).fit(mixed)
    denoising = DenoisingAutoencoder(**parameters).fit(mixed)
    assert_array_equal(masked.transform(mixed), denoising.transform(mixed))
    assert masked.loss_curve_ == denoising.loss_curve_


def test_one_pretext_has_one_head(mixed):
    for pretext, present, absent in [
        ("mask", "head", "decoder"),
        ("reconstruction", "decoder", "head"),
    ]:
        task, _ = untrained_task(MaskedFeatures(pretext=pretext, **SMALL), mixed)
        assert hasattr(task, present) and not hasattr(task, absent)


def test_replaced_cells_can_be_told():
    """By the other columns, and not from the cell alone: columns keep their values."""
    losses = []
    for X in (copies(), np.random.default_rng(0).normal(size=(400, 6))):
        masked = MaskedFeatures(encoder=MLP(hidden=(64, 64)), max_epochs=60)
        masked.set_params(learning_rate=0.01, batch_size=50, random_state=0).fit(X)
        losses.append(-masked.score(X))
    related, unrelated = losses
    assert related < 0.8 * np.log(2)
    assert_allclose(unrelated, np.log(2), rtol=0.02)


@every_pretext
def test_training_reduces_the_loss(pretext):
    masked = MaskedFeatures(pretext=pretext, random_state=0, **SMALL)
    untrained = clone(masked).set_params(max_epochs=0).fit(copies())
    masked.set_params(max_epochs=30, learning_rate=0.01, batch_size=50).fit(copies())
    assert masked.loss_curve_[-1] < 0.97 * masked.loss_curve_[0]
    assert masked.score(copies()) > untrained.score(copies())


def test_defaults():
    masked = MaskedFeatures(max_epochs=0).fit(WINE)
    assert masked.pretext == "mask"
    # The middle of the range that the paper searches.
    assert masked.views_.rate == masked.corruption_rate == 0.5


@pytest.mark.parametrize("value", ["contrast", None, 1])
def test_invalid_pretext(value):
    with pytest.raises(ValueError, match="pretext must be"):
        MaskedFeatures(pretext=value).fit(WINE)


def test_score_samples_needs_a_reconstruction():
    assert not hasattr(MaskedFeatures(pretext="mask"), "score_samples")
    fitted = MaskedFeatures(pretext="reconstruction", max_epochs=1, **SMALL).fit(WINE)
    assert fitted.score_samples(WINE).shape == (len(WINE),)
