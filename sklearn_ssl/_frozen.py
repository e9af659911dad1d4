"""What is inside a FrozenEstimator."""

from sklearn.frozen import FrozenEstimator


def thaw(estimator):
    """The estimator itself, out of any FrozenEstimator around it."""
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    return estimator
