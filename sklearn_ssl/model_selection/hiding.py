"""Fitting with few of the labels shown, and the rest hidden."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.semi_supervised import (
    LabelPropagation,
    LabelSpreading,
    SelfTrainingClassifier,
)
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import available_if

from sklearn_ssl._labels import take_labels, with_marks
from sklearn_ssl.semi_supervised import SSLClassifier, SSLRegressor

_PROPAGATION = LabelPropagation, LabelSpreading
_SCIKIT_LEARNS = *_PROPAGATION, SelfTrainingClassifier


def fit_partly(estimator, X, y, shown):
    """Fit an estimator that is shown the labels of some rows.

    Those that learn from unlabelled rows too are given all rows; the others are marked
    such that no label can be mistaken for the mark.

    Parameters
    ----------
    estimator : classifier or regressor
    X : n rows
    y : ndarray of shape (n,) or (n, n_outputs)
    shown : ndarray of int

    Returns
    -------
    estimator : fitted estimator
    """
    labels = take_labels(y, shown)
    if isinstance(estimator, SSLRegressor):
        return estimator.fit(X, with_marks(labels, shown, len(y), np.nan, float))
    if isinstance(estimator, SSLClassifier):
        estimator.set_params(unlabeled=np.nan)
        return estimator.fit(X, with_marks(labels, shown, len(y), None, object))
    if isinstance(estimator, _SCIKIT_LEARNS):
        return _fit_scikit_learns(estimator, X, labels, shown, len(y))
    return estimator.fit(_safe_indexing(X, shown), labels)


def _fit_scikit_learns(estimator, X, labels, shown, n):
    is_text = labels.dtype.kind in "OUS"
    classes, codes = np.unique(labels, return_inverse=True)
    if -1 in classes.tolist() or (is_text and isinstance(estimator, _PROPAGATION)):
        return _Decoder(estimator.fit(X, with_marks(codes, shown, n, -1, int)), classes)
    dtype = object if is_text else np.result_type(labels.dtype, np.int8)
    return estimator.fit(X, with_marks(labels, shown, n, -1, dtype))


def _classifier_has(name):
    return available_if(lambda self: hasattr(self.classifier, name))


class _Decoder(ClassifierMixin, BaseEstimator):
    """A classifier that was fitted to codes of the classes, -1 being its mark."""

    def __init__(self, classifier, classes):
        self.classifier = classifier
        self.classes = classes

    @property
    def classes_(self):
        return self.classes

    def predict(self, X):
        return self.classes[self.classifier.predict(X)]

    @_classifier_has("predict_proba")
    def predict_proba(self, X):
        return self.classifier.predict_proba(X)

    @_classifier_has("decision_function")
    def decision_function(self, X):
        return self.classifier.decision_function(X)
