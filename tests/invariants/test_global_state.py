"""Fits leave global state alone, even after an error; DESIGN.md, section 5."""

import logging
import os
import pickle
import random
import sys
import threading
import warnings

import numpy as np
import pytest
import torch

from sklearn_ssl import SCARF, FineTuning, SSLClassifier
from sklearn_ssl._probing import embed_views
from tests.helpers import (
    CASES,
    METHODS,
    SPOILS,
    make,
    make_array,
    make_data,
    run_python,
    spoil_loss,
)


def global_state():
    loggers = logging.Logger.manager.loggerDict.values()
    loggers = [x for x in loggers if isinstance(x, logging.Logger)] + [logging.root]
    python, numpy = random.getstate(), np.random.get_state(legacy=False)
    return {
        "torch rng": torch.get_rng_state().tolist(),
        "numpy rng": (numpy["state"]["key"].tolist(), numpy["state"]["pos"]),
        "python rng": python,
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "dtype": torch.get_default_dtype(),
        "device": str(torch.get_default_device()),
        "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "anomaly": torch.is_anomaly_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "matmul": torch.get_float32_matmul_precision(),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "numpy errors": np.geterr(),
        "loggers": [(x.name, x.level, list(x.handlers), x.disabled) for x in loggers],
        "environment": dict(os.environ),
        "excepthook": (sys.excepthook, threading.excepthook),
    }


def assert_same_state(before):
    __tracebackhide__ = True
    after = global_state()
    assert [name for name in before if after[name] != before[name]] == []


@pytest.fixture(scope="module")
def imported():
    """The first fit imports libraries, which have warning filters and loggers."""
    make(SCARF).fit(make_array(SCARF))


@pytest.mark.parametrize("seed", [0, None])
@pytest.mark.parametrize("cls", METHODS)
def test_global_state_is_left_alone(cls, seed, imported, torch_threads):
    X = make_array(cls, 40)
    torch_threads(2)
    before = global_state()
    estimator = make(cls, random_state=seed, early_stopping=True).fit(X)
    assert_same_state(before)
    estimator.partial_fit(X)
    assert_same_state(before)
    estimator.transform(X)
    assert_same_state(before)
    estimator.score(X)
    assert_same_state(before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("spoil, error", SPOILS)
@pytest.mark.parametrize("cls", METHODS)
def test_global_state_after_an_error(
    cls, spoil, error, method, imported, monkeypatch, torch_threads
):
    X = make_array(cls)
    torch_threads(2)
    before = global_state()
    spoil_loss(monkeypatch, cls, spoil, after=0)
    with pytest.raises(error):
        getattr(make(cls), method)(X)
    assert_same_state(before)


@pytest.fixture
def elsewhere():
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


@pytest.mark.parametrize("cls, modality", CASES)
def test_default_device_has_no_say(cls, modality, elsewhere):
    X = make_data(modality)
    model = make(cls, modality=modality).fit(X)
    Z = model.transform(X)
    fresh = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(fresh.transform(X), Z)
    fresh.partial_fit(X)
    score, knows = model.score(X), embed_views(model, X)
    torch.set_default_device(None)
    same = make(cls, modality=modality).fit(X)
    np.testing.assert_array_equal(same.transform(X), Z)
    assert same.score(X) == score
    np.testing.assert_array_equal(embed_views(same, X), knows)


def test_default_device_has_no_say_in_fine_tuning(elsewhere):
    X = make_array(SCARF)
    y = np.arange(len(X)) % 2
    model = SSLClassifier(make(SCARF), fine_tune=FineTuning(max_epochs=1))
    probabilities = model.fit(X, y).predict_proba(X)
    torch.set_default_device(None)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), probabilities)


@pytest.fixture
def float64():
    def set_it():
        torch.set_default_dtype(torch.float64)

    yield set_it
    torch.set_default_dtype(torch.float32)


def test_other_default_dtype_is_an_error_that_says_so(float64):
    float64()
    with pytest.raises(ValueError, match=r"default dtype is torch.float64.*Call torch"):
        make(SCARF).fit(make_array(SCARF))


def test_transform_is_float32_whatever_the_default_dtype(float64):
    X = make_array(SCARF)
    model = make(SCARF).fit(X)
    Z = model.transform(X)
    float64()
    same = model.transform(X)
    assert same.dtype == np.float32
    np.testing.assert_array_equal(same, Z)


def test_first_fit_leaves_global_state_alone():
    """A flag once set would be the same before and after all later fits."""
    code = """
import logging, random
import numpy as np, torch
from sklearn_ssl import SCARF, FineTuning, SSLClassifier
from sklearn_ssl._probing import embed_views
X = np.random.default_rng(0).random((40, 5))
def state():
    return (random.getstate(), str(np.random.get_state()), np.geterr(),
            logging.root.level, logging.root.handlers[:],
            torch.get_rng_state().tolist(), torch.get_num_threads(),
            torch.get_default_dtype(), torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic,
            torch.get_float32_matmul_precision(), torch.is_warn_always_enabled())
before = state()
SCARF(max_epochs=1).fit(X).transform(X)
print([i for i, (a, b) in enumerate(zip(before, state())) if a != b])
"""
    assert run_python(code) == "[]\n"
