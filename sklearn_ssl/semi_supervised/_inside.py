"""What is inside an estimator: clones of its own seed, and what they learned of X."""

from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone

from sklearn_ssl._frozen import thaw
from sklearn_ssl._parameters import check_number


def seed_of(random_state):
    """One seed for what is inside; None leaves that as it is.

    Raises
    ------
    ValueError
        If scikit-learn would refuse it.
    """
    if random_state is None:
        return None
    if not isinstance(random_state, np.random.RandomState | np.random.Generator):
        check_number("random_state", random_state, Integral, 0, 2**32 - 1)
    from sklearn_ssl.engine.random import as_seed

    return as_seed(random_state)


def seeded(estimator, seed):
    """A clone, with `seed` as each random state inside if it is not None."""
    estimator = clone(estimator)
    for name in () if seed is None else estimator.get_params():
        if name == "random_state" or name.endswith("__random_state"):
            estimator.set_params(**{name: seed})
    return estimator


def dense_features(transformer, X):
    """What a fitted transformer makes of X, as an array.

    Raises
    ------
    TypeError
        If that is a sparse matrix.
    """
    Z = transformer.transform(X)
    if issparse(Z):
        raise TypeError(
            f"{type(thaw(transformer)).__name__} returns a sparse matrix. Pass a "
            "transformer that returns dense features, as with sparse_output=False."
        )
    return np.asarray(Z)


def forget_fit(estimator):
    """Delete fitted attributes, of which an earlier fit may have had others."""
    for name in [name for name in vars(estimator) if name.endswith("_")]:
        delattr(estimator, name)


def take_names(estimator, transformer):
    """Give an estimator what its transformer knows of the columns of X."""
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(transformer, name):
            setattr(estimator, name, getattr(transformer, name))
