"""What the tests of masked methods share."""

import numpy as np
from sklearn.datasets import load_digits, load_wine

from sklearn_ssl._expected_targets import _as_columns
from sklearn_ssl.encoders import FTTransformer, ViT
from tests.helpers import ready_task

WINE = load_wine().data
DIGITS = load_digits().images[:256]
SIZES = {"dim": 16, "depth": 2, "heads": 2}
# Data, a small encoder of each modality, and its number of tokens.
MODALITIES = {
    "table": (WINE, {"encoder": FTTransformer(**SIZES)}, 13),
    "image": (DIGITS, {"encoder": ViT(**SIZES), "modality": "image"}, 16),
}


def untrained_task(estimator, X):
    """The task of an estimator before its first step, in training mode, and a batch."""
    return ready_task(estimator.set_params(max_epochs=0, random_state=0).fit(X), X)


def record(module, name):
    """Lists of the arguments and the outputs of a method of a module, as they come."""
    inputs, outputs = [], []
    original = getattr(module, name)

    def recording(x):
        inputs.append(x)
        outputs.append(original(x))
        return outputs[-1]

    setattr(module, name, recording)
    return inputs, outputs


def with_gradient(task, name):
    """A list of a module's outputs as they come, which keep their gradient."""
    outputs = []
    task.get_submodule(name).register_forward_hook(
        lambda module, args, output: outputs.append(output) or output.retain_grad()
    )
    return outputs


def copies(n_rows=400, n_columns=6):
    """A table whose columns are noisy copies of one another."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_rows, 1)) + 0.1 * rng.normal(size=(n_rows, n_columns))


def columns_of(estimator, X):
    """The preprocessed columns, as numbers."""
    arrays = estimator.modality_.to_arrays(X)
    return _as_columns(arrays, estimator.modality_.cardinalities_)
