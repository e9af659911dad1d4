"""Bad input fails before training, with a message that says where and what to do."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits

from sklearn_ssl import SimCLR
from sklearn_ssl.modalities import Image
from tests.helpers import IMAGES, METHODS, TABLES, make, make_array, spoil_loss

BAD_PARAMETERS = [
    *[("max_epochs", value) for value in (-1, 1.5, "many", None, True)],
    *[("max_time", value) for value in (0, -1, "long")],
    *[("batch_size", value) for value in (0, 1, 2.5, "big", None)],
    *[("learning_rate", value) for value in (0, -1, "fast", None, np.nan)],
    *[("weight_decay", value) for value in (-1e-4, "none")],
    *[("max_grad_norm", value) for value in (0, -1, "one")],
    *[("validation_fraction", value) for value in (0, 1, -0.1, None)],
    *[("n_iter_no_change", value) for value in (0, 1.5, None)],
    *[("tol", value) for value in (-1, None)],
    *[("n_threads", value) for value in (0, -1, 1.5, "all")],
    *[("optimizer", value) for value in ("lion", None, torch.optim.Adam)],
    *[("precision", value) for value in ("float16", 32)],
    *[("device", value) for value in ("abacus", "cuda:99", None, 1.5)],
    *[("modality", value) for value in ("smell", None, 3)],
    *[("encoder", value) for value in ("oracle", None, 3)],
    *[("views", value) for value in ("holiday", None, 3)],
    *[("random_state", value) for value in ("seed", -1, 1.5)],
    *[("early_stopping", "yes"), ("warm_start", "no"), ("verbose", "loud")],
]


@pytest.mark.parametrize("parameter, value", BAD_PARAMETERS)
@pytest.mark.parametrize("cls", METHODS)
def test_bad_parameter_is_named_before_training(cls, parameter, value, monkeypatch):
    spoil_loss(monkeypatch, cls, lambda loss: pytest.fail("trained"), after=0)
    estimator = make(cls, **{parameter: value})
    for method in estimator.fit, estimator.partial_fit:
        with pytest.raises((ValueError, TypeError), match=parameter):
            method(make_array(cls))
    assert [name for name in vars(estimator) if name.endswith("_")] == []


@pytest.mark.parametrize("cls", METHODS)
def test_own_parameters_are_checked(cls, monkeypatch):
    """Numbers far out of any range and unknown words, for each of a method's own."""
    spoil_loss(monkeypatch, cls, lambda loss: pytest.fail("trained"), after=0)
    left_out = {name for name, _ in BAD_PARAMETERS}
    left_out.add("unlabeled")  # any label may be a mark
    for name, value in cls().get_params(deep=False).items():
        if name in left_out or isinstance(value, bool):
            continue
        bad = "nonsense" if isinstance(value, str) else -1
        with pytest.raises(ValueError, match=name):
            make(cls, **{name: bad}).fit(make_array(cls))


@pytest.mark.parametrize("method", ["fit", "partial_fit", "transform", "score"])
@pytest.mark.parametrize("cls", TABLES)
def test_infinity_is_named_by_row_and_column(cls, method):
    good = pd.DataFrame(make_array(cls)[:50], columns=list("abcdefgh"))
    bad = good.copy()
    bad.iloc[17, 3] = np.inf
    estimator = make(cls)
    if method in ("transform", "score"):
        estimator.fit(good)
    with pytest.raises(ValueError, match=r"(?s)infinity.*[Rr]ow 17.*column 'd'.*NaN"):
        getattr(estimator, method)(bad)


@pytest.mark.parametrize("cls", TABLES)
def test_columns_differ_from_those_of_fit(cls):
    X = pd.DataFrame(make_array(cls)[:50], columns=list("abcdefgh"))
    estimator = make(cls).fit(X)
    Z = estimator.transform(X)
    for method in estimator.transform, estimator.score, estimator.partial_fit:
        with pytest.raises(ValueError, match="h"):
            method(X.drop(columns="h"))
        with pytest.raises(ValueError, match="surprise"):
            method(X.rename(columns={"c": "surprise"}))
        with pytest.raises(ValueError, match="order"):
            method(X[list("hgfedcba")])
    assert_array_equal(estimator.transform(X), Z)
    estimator = make(cls).fit(X.to_numpy())
    for method in estimator.transform, estimator.score, estimator.partial_fit:
        with pytest.raises(ValueError, match=r"X has 7 features, but .* 8 features"):
            method(X.to_numpy()[:, :7])


@pytest.mark.parametrize("cls", TABLES)
def test_tables_that_cannot_be_read(cls):
    X = make_array(cls)
    with pytest.raises((ValueError, TypeError), match=r"[Ss]parse"):
        make(cls).fit(csr_array(X))
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        make(cls).fit(X[:1])
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        make(cls).fit(X[:0])
    with pytest.raises(ValueError, match="0 feature"):
        make(cls).fit(X[:, :0])
    with pytest.raises(ValueError, match="1D array"):
        make(cls, modality="table").fit(X[:, 0])
    with pytest.raises(ValueError, match="Complex"):
        make(cls).fit(X + 1j)
    cells = X.astype(object)
    cells[4, 2] = ["a list"]
    with pytest.raises(TypeError, match=r"row 4 of column 2.*list"):
        make(cls).fit(cells)
    estimator = make(cls).fit(X)
    cells[4, 2] = "text"
    with pytest.raises(ValueError, match=r"Row 4 of column 2.*'text'"):
        estimator.transform(cells)


def test_arrays_whose_axes_are_ambiguous():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="channels='first'"):
        make(SimCLR).fit(rng.random((20, 3, 8, 3)))
    with pytest.raises(ValueError, match="channels='first'"):
        make(SimCLR).fit(rng.random((20, 8, 8, 8)))
    with pytest.raises(ValueError, match="modality='image'"):
        make(SimCLR).fit(rng.random((20, 8, 8)))
    with pytest.raises(ValueError, match=r"modality=Image\(shape="):
        make(SimCLR, modality="image").fit(rng.random((20, 64)))
    with pytest.raises(ValueError, match=r"shape=\(9, 9\) makes 81.*64 columns"):
        make(SimCLR, modality=Image(shape=(9, 9))).fit(rng.random((20, 64)))
    # The remedy that the message names is one.
    estimator = make(SimCLR, modality=Image(channels="first"), max_epochs=0)
    assert estimator.fit(rng.random((20, 3, 8, 3))).modality_.shape_ == (3, 8, 3)


def test_images_that_cannot_be_read():
    images = load_digits().images[:40].astype(np.float32)
    estimator = make(SimCLR, modality="image", max_epochs=0).fit(images)
    bad = images.copy()
    bad[7, 3, 3] = np.nan
    for method in estimator.transform, estimator.score, clone(estimator).fit:
        with pytest.raises(ValueError, match=r"NaN.*image 7"):
            method(bad)
    bad[7, 3, 3] = np.inf
    with pytest.raises(ValueError, match=r"infinity.*image 7"):
        estimator.transform(bad)
    with pytest.raises(ValueError, match=r"\(1, 8, 7\).*\(1, 8, 8\)"):
        estimator.transform(images[:, :, :7])
    with pytest.raises(ValueError, match=r"X\[1\] has shape"):
        estimator.transform([images[0], images[1, :5]])
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        clone(estimator).fit(images[:1])


@pytest.mark.parametrize("cls", [case for case in TABLES if case not in IMAGES])
def test_modality_that_a_method_does_not_take(cls):
    with pytest.raises(ValueError, match=f"{cls.__name__} takes modality 'table'"):
        make(cls).fit(np.zeros((20, 3, 8, 8)))
