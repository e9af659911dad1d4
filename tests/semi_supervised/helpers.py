"""What several tests of step two share."""

import numpy as np

from sklearn_ssl import FineTuning, SSLClassifier


def features(transformer, X):
    """The embedding as LogisticRegression would compute with it."""
    return transformer.transform(X).astype(np.float64)


def tuned(transformer, X, y, estimator=SSLClassifier, sample_weight=None, **settings):
    """A model that is fine-tuned on the labelled rows for few epochs."""
    settings = FineTuning(**{"max_epochs": 3} | settings)
    model = estimator(transformer, fine_tune=settings)
    return model.fit(X, y, sample_weight=sample_weight)
