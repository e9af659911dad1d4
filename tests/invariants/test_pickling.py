"""A pickle holds parameters and numpy weights, and nothing else."""

import copy
import gc
import pickle
import pickletools

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine
from torch import nn

from sklearn_ssl import SCARF
from tests.helpers import (
    CASES,
    METHODS,
    assert_same_fit,
    fitted,
    make,
    make_array,
    make_data,
    run_python,
    small_encoder,
)


@pytest.mark.parametrize("cls, modality", CASES)
def test_pickle(cls, modality):
    X = make_data(modality, 60)
    estimator = fitted(cls, modality)
    loaded = pickle.loads(pickle.dumps(estimator))
    assert_same_fit(loaded, estimator, X)
    # Also one that has not been used between loading and saving.
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(estimator))))
    assert_same_fit(again, estimator, X)


@pytest.mark.parametrize("cls, modality", CASES)
def test_pickle_holds_neither_torch_nor_data(cls, modality):
    sizes = []
    for n in (200, 650):
        X = make_data(modality, n)
        estimator = make(cls, modality=modality, max_epochs=1, early_stopping=True)
        estimator.set_params(encoder=small_encoder(cls, modality))
        # Queues and prototypes may be as many as suit the rows.
        adapting = {"queue_length", "n_prototypes", "n_clusters"}
        for name in adapting & set(estimator.get_params()):
            estimator.set_params(**{name: 16})
        for fit in estimator.fit, estimator.partial_fit:
            data = pickle.dumps(fit(X))
            sizes.append(len(data))
            assert not _modules(data) & {"torch", "skorch"}
            values = np.asarray(X.drop(columns="city") if hasattr(X, "drop") else X)
            for row in values[[7, 100]]:
                for dtype in np.float64, np.float32:
                    assert row.astype(dtype).tobytes() not in data
    assert max(sizes) < min(sizes) + 500


def _modules(data):
    """First names of the modules that a pickle imports."""
    words, found = [], set()
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "GLOBAL":
            found.add(argument.split(".")[0])
        elif opcode.name == "STACK_GLOBAL":
            found.add(words[-2].split(".")[0])
        if isinstance(argument, str):
            words.append(argument)
        elif opcode.name.endswith("BINGET"):
            words.append("")
    return found


@pytest.mark.parametrize("cls, modality", CASES)
def test_deep_copy_is_independent(cls, modality):
    X = make_data(modality, 60)
    estimator = clone(fitted(cls, modality)).partial_fit(X)
    Z = estimator.transform(X)
    copied = copy.deepcopy(estimator)
    assert_same_fit(copied, estimator, X)
    copied.partial_fit(X)
    assert not np.array_equal(copied.transform(X), Z)
    assert_array_equal(estimator.transform(X), Z)


class RandomFeatures(nn.Module):
    """Draws cosine features that the weights of a fit do not include."""

    def __init__(self, input_shape=(13,)):
        super().__init__()
        frequencies = torch.randn(*input_shape, 16)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.linear = nn.Linear(16, 8)

    def forward(self, x):
        return self.linear((x @ self.frequencies).cos()).relu()


@pytest.mark.parametrize("random_state", [0, None])
@pytest.mark.parametrize("encoder", [RandomFeatures(), RandomFeatures])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_buffers_that_are_drawn_and_not_saved(method, encoder, random_state):
    X = load_wine().data
    estimator = make(SCARF, encoder=encoder, random_state=random_state)
    getattr(estimator, method)(X)
    loaded = pickle.loads(pickle.dumps(estimator))
    assert_same_fit(loaded, estimator, X)
    assert_same_fit(pickle.loads(pickle.dumps(loaded)), estimator, X)
    assert_same_fit(copy.deepcopy(estimator), estimator, X)


@pytest.mark.parametrize("device", ["cuda", "cuda:99", "mps"])
@pytest.mark.parametrize("cls, modality", CASES)
def test_fitted_on_a_device_that_is_not_here(cls, modality, device):
    X = make_data(modality, 60)
    desired = fitted(cls, modality)
    estimator = copy.deepcopy(desired)
    # What a pickle from a machine that has the device says.
    estimator.device = estimator._network.recipe["method"].device = device
    loaded = pickle.loads(pickle.dumps(estimator))
    assert_same_fit(loaded, desired, X)
    if device == "cuda:99":
        with pytest.raises(ValueError, match=r"'cuda:99'.*device='auto'"):
            loaded.partial_fit(X)
        assert_same_fit(loaded, desired, X)
    # The remedy of the message.
    loaded.set_params(device="auto").partial_fit(X)
    assert not np.array_equal(loaded.transform(X), desired.transform(X))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("cls", METHODS)
def test_fitted_on_a_gpu_loads_without_one(cls, tmp_path):
    X = make_array(cls)
    estimator = make(cls, device="auto").fit(X)
    assert estimator.device_ == "cuda"
    joblib.dump((estimator, X), tmp_path / "fitted")
    code = f"""
import joblib, torch
assert not torch.cuda.is_available()
estimator, X = joblib.load({str(tmp_path / "fitted")!r})
joblib.dump(estimator.transform(X), {str(tmp_path / "Z")!r})
"""
    run_python(code, CUDA_VISIBLE_DEVICES="")
    Z = joblib.load(tmp_path / "Z")
    np.testing.assert_allclose(Z, estimator.transform(X), rtol=1e-2, atol=1e-2)


def test_fits_leave_nothing_behind():
    """No reference cycle keeps the data alive after a fit."""
    X = make_array(SCARF)
    estimator = make(SCARF).fit(X)
    gc.collect()
    n_before = _n_floats_in_tensors()
    for _ in range(3):
        estimator.fit(X)
    gc.collect()
    assert _n_floats_in_tensors() <= n_before


def _n_floats_in_tensors():
    tensors = [x for x in gc.get_objects() if type(x) is torch.Tensor]
    return sum(x.numel() for x in tensors)
