import numpy as np
import pytest
from sklearn.datasets import load_wine


@pytest.fixture(scope="module")
def wine():
    """X, y, and y with two of three labels replaced by -1; in random order."""
    X, y = load_wine(return_X_y=True)
    X /= X.std(axis=0)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X[order], y[order]
    return X, y, np.where(np.arange(len(y)) % 3, -1, y)
