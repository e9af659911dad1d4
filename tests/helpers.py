"""What many test files share: methods and data to run through, ways to look inside."""

import os
import subprocess
import sys
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_breast_cancer, load_digits

from sklearn_ssl import SCARF, Data2Vec, TrainingDivergedError, all_methods
from sklearn_ssl.encoders import MLP, FTTransformer
from sklearn_ssl.engine.batches import TensorSource
from sklearn_ssl.modalities import Image, Tabular


class PeriodicSCARF(SCARF):
    __doc__ = SCARF.__doc__

    def _default_encoder(self, modality):
        return MLP(numbers="periodic")


class PiecewiseData2Vec(Data2Vec):
    __doc__ = Data2Vec.__doc__
    modalities = ("table",)

    def _default_encoder(self, modality):
        return FTTransformer(numbers="piecewise")


# Configurations that must do all that methods must.
_CONFIGURED = PeriodicSCARF, PiecewiseData2Vec
ALL = all_methods() | {cls.__name__: cls for cls in _CONFIGURED}


def _methods(modality=None):
    return [
        pytest.param(cls, id=name)
        for name, cls in ALL.items()
        if modality is None or modality in cls.modalities
    ]


METHODS = _methods()
TABLES = _methods("table")
IMAGES = _methods("image")
CASES = [
    pytest.param(cls, modality, id=f"{name}-{modality}")
    for name, cls in ALL.items()
    for modality in cls.modalities
]


# Estimators and data ------------------------------------------------------------------

# Of heads, whose defaults would take most of the time of a small fit.
_WIDTHS = {
    "hidden_dim": 64,
    "projection_dim": 32,
    "prediction_dim": 16,
    "n_prototypes": 64,
    "decoder_dim": 16,
}


def make(cls, *, small_heads=True, **params):
    """A small instance, quick to fit."""
    small = {"max_epochs": 2, "random_state": 0, "n_threads": 1}
    small["encoder"] = small_encoder(cls, params.get("modality", "auto"), 16)
    for name, width in _WIDTHS.items() if small_heads else ():
        if isinstance(getattr(cls, name, None), int):  # "auto" goes on adapting
            small[name] = width
    return cls(**small | params)


@cache
def make_data(modality, n=200):
    """n rows with all that a modality may hold; a new modality adds a branch.

    No test may change them.
    """
    rng = np.random.default_rng(0)
    if modality == "table":
        X = rng.normal(size=(n, 3)) @ rng.normal(size=(3, 6))
        X[::9, 2] = np.nan
        frame = pd.DataFrame(X, columns=list("abcdef"))
        return frame.assign(city=rng.choice(["Bern", "Chur", "Genf"], size=n))
    if modality == "image":
        images = load_digits().images
        return images[rng.integers(len(images), size=n)].astype(np.float32)
    raise NotImplementedError(f"make_data needs a branch for {modality!r}.")


def make_array(cls, n=100):
    """n real rows, as an array, of what a method reads first. No test may change it."""
    return _real_rows(cls.modalities[0])[:n]


@cache
def _real_rows(modality):
    return {
        "table": lambda: load_breast_cancer().data[:, :8],
        "image": lambda: load_digits().images.astype(np.float32),
    }[modality]()


@cache
def small_encoder(cls, modality, width=8):
    """A method's default encoder with one layer, quicker to train."""
    kinds = {"table": Tabular, "image": Image}
    name = getattr(modality, "name", modality)
    modality = kinds[name if name in kinds else cls.modalities[0]]()
    modality.shape_ = (1, 8, 8)  # of images
    encoder = cls()._default_encoder(modality)
    small = {"hidden": (width,), "channels": (width,)}
    small |= {"dim": width, "depth": 1, "heads": 1}
    names = encoder.get_params().keys() & small.keys()
    return encoder.set_params(**{name: small[name] for name in names})


@cache
def fitted(cls, modality):
    """An instance fitted to `make_data` that no test may change."""
    return make(cls, modality=modality).fit(make_data(modality))


def take(X, rows):
    """Some rows of a DataFrame or an array."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


# Inside a task ------------------------------------------------------------------------


def ready_task(estimator, X, n_rows=32):
    """A fitted estimator's task, as it is while training, and the first rows of X.

    Parameters
    ----------
    estimator : fitted SSLTransformer
        With ``max_epochs=0`` its weights are the initial ones.
    X : what the estimator reads
        Becomes the rows that views may borrow from.
    n_rows : int or None
        Rows of the batch; ``None`` takes all.

    Returns
    -------
    task : Task
        In training mode, drawing from a generator of seed 0.
    batch : dict of tensors
        For ``task(**batch)``, which returns the loss.
    """
    task = estimator._network.task
    arrays = estimator.modality_.to_arrays(X)
    task.data = TensorSource(arrays, torch.device("cpu"))
    task.train()
    task.set_generator(torch.Generator().manual_seed(0))
    return task, {name: tensor[:n_rows] for name, tensor in task.source.items()}


def watch(task, module="head"):
    """Lists of the views that a task draws and of a module's outputs, as they come."""
    views, outputs = [], []
    draw = task.views
    task.views = lambda *args: views.append(draw(*args)) or views[-1]
    task.get_submodule(module).register_forward_hook(
        lambda module, args, output: outputs.append(output)
    )
    return views, outputs


def assert_same_fit(actual, desired, X):
    """The same weights, embedding, score and curve, bit for bit."""
    __tracebackhide__ = True
    weights, expected = actual._network.state(), desired._network.state()
    assert list(weights) == list(expected)
    for name, array in expected.items():
        assert_array_equal(weights[name], array, err_msg=name, strict=True)
    assert_array_equal(actual.transform(X), desired.transform(X), strict=True)
    assert actual.score(X) == desired.score(X)
    assert actual.loss_curve_ == desired.loss_curve_


def numeric_gradient(f, x, step=1e-6):
    """Gradient of a function of a float64 array by central differences."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        moved = x.copy()
        moved[index] += step
        above = f(moved)
        moved[index] -= 2 * step
        gradient[index] = (above - f(moved)) / (2 * step)
    return gradient


# Fits that go wrong -------------------------------------------------------------------


def spoil_loss(monkeypatch, cls, spoil, after):
    """From step `after` on, the loss of a method is ``spoil(loss)``."""
    original = cls._loss
    n_steps = 0

    def loss(self, task, batch):
        nonlocal n_steps
        n_steps += task.training
        value = original(self, task, batch)
        return spoil(value) if n_steps > after else value

    monkeypatch.setattr(cls, "_loss", loss)


def interrupt(loss):
    raise KeyboardInterrupt


def fail(loss):
    raise RuntimeError("broken")


def become_nan(loss):
    return loss * torch.nan


SPOILS = [
    pytest.param(interrupt, KeyboardInterrupt, id="interrupt"),
    pytest.param(fail, RuntimeError, id="fail"),
    pytest.param(become_nan, TrainingDivergedError, id="become_nan"),
]


def run_python(code, **environment):
    """Run code in a fresh interpreter; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout
