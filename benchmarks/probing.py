"""Labelled rows for a probe, and how it is scored."""

import numpy as np
from datasets import IMAGES, holds_targets
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    r2_score,
    roc_auc_score,
)


def draw_labels(y, n_per_class, seed):
    """Row numbers of `n_per_class` random rows of each class."""
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(np.flatnonzero(y == c))[:n_per_class] for c in np.unique(y)]
    return np.concatenate(rows)


def metric_of(name, y):
    """The score of a data set: its name and ``score(classifier, Z, y)``."""
    if holds_targets(y):
        return "R2", lambda c, Z, y: r2_score(y, c.predict(Z))
    if name in IMAGES:
        return "accuracy", lambda c, Z, y: accuracy_score(y, c.predict(Z))
    if len(np.unique(y)) == 2:
        return "AUC", lambda c, Z, y: roc_auc_score(y, c.predict_proba(Z)[:, 1])
    return "balanced accuracy", lambda c, Z, y: balanced_accuracy_score(y, c.predict(Z))
