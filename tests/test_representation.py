"""What `transform` returns: which layers, how scaled, with or without the columns."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import log_loss

from sklearn_ssl import (
    SAINT,
    SCARF,
    CollapseWarning,
    FineTuning,
    MaskedAutoencoder,
    SimCLR,
    SSLClassifier,
    SubTab,
    VariationalAutoencoder,
)
from sklearn_ssl.encoders import MLP, FTTransformer
from sklearn_ssl.modalities import Tabular
from tests.helpers import TABLES, make, make_array, make_data

SCALINGS = ["block", "standard", "l2"]


def fit(cls=SCARF, modality="table", **params):
    return make(cls, modality=modality, **params).fit(make_data(modality))


def embedding(estimator, X, scaling):
    """Of a table, without the columns."""
    scaled = clone(estimator).set_params(scaling=scaling, passthrough=False)
    return scaled.fit(X).transform(X)


@pytest.mark.parametrize("cls", TABLES)
def test_scaling(cls):
    X = make_data("table")
    z = {name: embedding(make(cls), X, name) for name in SCALINGS}
    norm = (X.shape[1] ** 0.5 / 2 + 3.5) ** 0.5
    for features in z.values():
        assert (features**2).sum(axis=1).mean() ** 0.5 == pytest.approx(norm, rel=1e-3)
    varies = z["block"].std(axis=0) > 1e-5
    spread = z["standard"][:, varies].std(axis=0)
    assert_allclose(spread, norm / varies.sum() ** 0.5, rtol=1e-2)
    assert_allclose(np.linalg.norm(z["l2"], axis=1), norm, rtol=1e-5)
    # All the same weights, and but for "standard" the same directions.
    direction = z["block"] / np.linalg.norm(z["block"], axis=1, keepdims=True)
    assert_allclose(z["l2"], norm * direction, atol=1e-5)
    for a, b in zip(z["block"][:, varies].T, z["standard"][:, varies].T, strict=True):
        assert np.corrcoef(a, b)[0, 1] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_columns_that_are_passed_through_stay(scaling):
    X = make_data("table")
    Z = fit(scaling=scaling).transform(X)
    alone = fit(scaling=scaling, passthrough=False).transform(X)
    width = alone.shape[1]
    norms = Tabular().fit(X).norms
    assert_allclose(Z[:, :width], alone * norms[0] / np.hypot(*norms), atol=1e-5)
    assert_array_equal(Z[:, width:], fit().transform(X)[:, width:])


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("modality", ["table", "image"])
def test_no_row_depends_on_others(scaling, modality):
    X = make_data(modality)
    simclr = fit(SimCLR, modality, scaling=scaling)
    Z = simclr.transform(X)
    rows = [3, 100, 7]
    part = X.iloc[rows] if modality == "table" else X[rows]
    assert_array_equal(simclr.transform(part), Z[rows])


def test_a_fit_goes_on_whatever_is_returned():
    X = make_data("table")
    options = {"scaling": "standard", "output": "all_layers", "passthrough": False}
    scarf = fit(warm_start=True).set_params(max_epochs=0, **options).fit(X)
    assert_array_equal(scarf.transform(X), fit(**options).transform(X))


@pytest.mark.parametrize(
    "change",
    [
        {"scaling": "standard"},
        {"passthrough": False},
        {"passthrough": False, "output": "all_layers"},  # of the same width
    ],
)
def test_other_columns_have_no_part_in_the_statistics(change):
    X = make_array(SCARF)
    scarf = make(SCARF, encoder=MLP(hidden=(8, 8)), passthrough=True)
    scarf.partial_fit(X).set_params(**change).partial_fit(X[:20])
    Z = scarf.transform(X[:20])
    assert abs(Z.mean(axis=0)).max() < 1e-3
    squared_norm = np.square(scarf.modality_.norms).sum()
    assert (Z**2).sum(axis=1).mean() == pytest.approx(squared_norm, rel=1e-3)


def test_equal_rows_become_zero():
    X = np.ones((30, 3))
    for scaling in SCALINGS:
        scarf = make(SCARF, scaling=scaling)
        with pytest.warns(CollapseWarning):
            assert_array_equal(scarf.fit(X).transform(X), 0)


@pytest.mark.parametrize("scaling", ["standard", "l2"])
def test_a_head_is_tuned_on_the_features_as_they_are(scaling):
    X = make_array(SCARF)
    y = np.where(np.arange(len(X)) % 2, X[:, 0] > X[:, 0].mean(), 0)
    tuned = SSLClassifier(
        make(SCARF, scaling=scaling),
        fine_tune=FineTuning(max_epochs=1, learning_rate=0.0, batch_size=len(X)),
    ).fit(X, y)
    ssl = tuned.transformer_
    task = ssl._network.task
    arrays = {k: torch.from_numpy(a) for k, a in ssl.modality_.to_arrays(X).items()}
    with torch.no_grad():
        scaled = task.encode(task.inputs.prepare(arrays))
    assert_allclose(scaled, ssl.transform(X), atol=1e-5)
    # Nothing was learned at a rate of 0: the loss is that of the head as it stands.
    loss = log_loss(y, tuned.predict_proba(X))
    assert tuned.loss_curve_ == [pytest.approx(loss, rel=1e-4)]


def test_all_layers():
    params = {"encoder": MLP(hidden=(6, 5)), "passthrough": False}
    for cls, width in (SCARF, 11), (SubTab, 11), (VariationalAutoencoder, 11 + 3):
        latent = {"latent_dim": 3} if cls is VariationalAutoencoder else {}
        every = fit(cls, output="all_layers", **params, **latent)
        last = fit(cls, **params, **latent)
        X = make_data("table")
        Z, z = every.transform(X), last.transform(X)
        assert Z.shape[1] == width
        # The training was the same: the last layer is the end of all layers.
        end = Z[:, -z.shape[1] :]
        assert_allclose(
            end / np.linalg.norm(end), z / np.linalg.norm(z), atol=1e-5
        )  # but for the scale of a wider embedding


@pytest.mark.parametrize("cls", [SAINT, MaskedAutoencoder, SCARF])
def test_all_layers_of_a_transformer(cls):
    params = {"encoder": FTTransformer(dim=4, depth=2, heads=2), "passthrough": False}
    every, last = fit(cls, output="all_layers", **params), fit(cls, **params)
    X = make_data("table")
    Z, z = every.transform(X), last.transform(X)
    assert Z.shape[1] == 2 * z.shape[1] == 16
    end = Z[:, 8:]
    assert_allclose(end / np.linalg.norm(end), z / np.linalg.norm(z), atol=1e-5)
    assert_array_equal(every.transform(X[:3]), Z[:3])


@pytest.mark.parametrize("params", [{"scaling": "max"}, {"output": "first"}])
def test_bad_options(params):
    with pytest.raises(ValueError, match=f"{next(iter(params))} must be"):
        fit(**params)


def test_other_encoders_have_no_layers_to_return():
    with pytest.raises(ValueError, match="output='all_layers' needs an encoder"):
        fit(SimCLR, "image", output="all_layers")
