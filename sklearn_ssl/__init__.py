"""Self-supervised pretraining as scikit-learn transformers."""

from sklearn_ssl._registry import *  # noqa: F403 - every method, seen by editors too
from sklearn_ssl._registry import METHODS, all_methods
from sklearn_ssl.exceptions import CollapseWarning, TrainingDivergedError
from sklearn_ssl.semi_supervised import (
    AutoSSL,
    FineTuning,
    SSLClassifier,
    SSLRegressor,
)

__version__ = "0.1.0.dev0"

__all__ = [
    "AutoSSL",
    "CollapseWarning",
    "FineTuning",
    "SSLClassifier",
    "SSLRegressor",
    "TrainingDivergedError",
    "all_methods",
    *sorted(method.__name__ for method in METHODS),
]
