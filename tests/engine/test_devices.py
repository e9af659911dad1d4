import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from sklearn_ssl import SCARF, SimCLR
from sklearn_ssl.engine.devices import resolve_device
from tests.engine.helpers import WINE, every_method, quick, weights_of


@every_method
def test_bfloat16(method):
    curves = {}
    for precision in ("float32", "bfloat16", "auto"):
        ssl = quick(method, precision=precision).fit(WINE)
        curves[precision] = ssl.loss_curve_
        Z = ssl.transform(WINE)
        assert Z.dtype == np.float32 and np.isfinite(Z).all()
        assert all(w.dtype != np.float16 for w in weights_of(ssl).values())
    assert curves["bfloat16"] != curves["float32"]
    assert_allclose(curves["bfloat16"], curves["float32"], rtol=0.05)
    assert curves["auto"] == curves["float32"]  # on a CPU


def test_scores_are_of_full_precision():
    ssl = quick(SCARF, precision="bfloat16").fit(WINE)
    loaded = pickle.loads(pickle.dumps(ssl))  # knows nothing of how it was trained
    assert ssl.score(WINE) == loaded.score(WINE)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_absent_device(device):
    with pytest.raises(ValueError, match=f"device='{device}'.*device='auto'"):
        quick(SCARF, device=device).fit(WINE)


@pytest.mark.parametrize("device", ["gpu", "", 1.5, None])
def test_unknown_device(device):
    ssl = quick(SCARF, device=device)
    with pytest.raises(ValueError, match=r"(?s)device=.*device='auto' or 'cpu'"):
        ssl.fit(WINE)
    with pytest.raises(NotFittedError):
        ssl.transform(WINE)


def test_auto_device():
    ssl = quick(SCARF, device="auto").fit(WINE)
    assert ssl.device_ == str(resolve_device("auto"))
    if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        assert ssl.device_ == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("device", ["auto", "cuda"])
@every_method
def test_cuda(method, device):
    ssl = quick(method, device=device, precision="auto", early_stopping=True)
    Z = ssl.fit(WINE).transform(WINE)
    assert ssl.device_.startswith("cuda")
    assert Z.dtype == np.float32 and np.isfinite(Z).all()
    assert ssl.n_iter_ == 3 and len(ssl.validation_loss_curve_) == 3
    assert_array_equal(ssl.transform(WINE)[:5], ssl.transform(WINE[:5]))
    assert_array_equal(clone(ssl).fit(WINE).transform(WINE), Z)
    assert ssl.partial_fit(WINE).score(WINE) < 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_cuda_images():
    X = load_digits().images[:64]
    simclr = quick(SimCLR, modality="image", encoder="convnet", device="cuda").fit(X)
    Z = simclr.transform(X)
    assert np.isfinite(Z).all()
    assert_array_equal(simclr.transform(X[:5]), Z[:5])
