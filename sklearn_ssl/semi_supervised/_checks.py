"""Checks of the two steps and of their fit to y, before the first is trained."""

from collections.abc import Mapping

import numpy as np
from sklearn.ensemble import BaggingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d, get_tags
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight, has_fit_parameter

from sklearn_ssl._labels import uses_labels
from sklearn_ssl.base import SSLTransformer

# They fit several outputs, though their tags do not say so.
_MULTI_OUTPUT_WITHOUT_TAG = BaggingRegressor, MLPRegressor
_SIBLINGS = {"classifier": "SSLClassifier", "regressor": "SSLRegressor"}


def check_transformer(transformer):
    """Raise TypeError for what is no transformer, ValueError for bad parameters."""
    _check_instance("transformer", transformer)
    if not (hasattr(transformer, "fit") and hasattr(transformer, "transform")):
        raise TypeError(
            "transformer must have fit and transform, as SCARF() and PCA() have, got "
            f"{transformer!r}. What predicts is the second argument, estimator."
        )
    needs_labels = get_tags(transformer).target_tags.required
    is_fitted = isinstance(transformer, FrozenEstimator)
    if needs_labels and not is_fitted and not uses_labels(transformer):
        raise TypeError(
            f"transformer={transformer!r} needs labels, and is fitted to all rows "
            "without them. Put it behind the transformer: "
            "estimator=make_pipeline(..., LogisticRegression())."
        )
    _check_values(transformer)


def check_step_two(estimator, *kinds):
    """Raise TypeError for no "classifier" or "regressor", ValueError for bad values."""
    _check_instance("estimator", estimator)
    found = get_tags(estimator).estimator_type if hasattr(estimator, "fit") else None
    if found not in kinds:
        kind, other = " or ".join(kinds), _SIBLINGS.get(found)
        remedy = f" Pass it to {other}, or" if other else " Pass None or"
        raise TypeError(
            f"estimator must be a {kind}, got {estimator!r}.{remedy} a {kind} of "
            "scikit-learn."
        )
    _check_values(estimator)


def check_weights(estimator, labels, sample_weight):
    """Raise ValueError for bad weights of rows or classes, TypeError for needless."""
    class_weight = getattr(_last(estimator), "class_weight", None)
    if isinstance(class_weight, Mapping) and labels.ndim == 1:
        compute_class_weight(class_weight, classes=np.unique(labels), y=labels)
    if sample_weight is None:
        return
    _check_sample_weight(sample_weight, labels)
    if not has_fit_parameter(estimator, "sample_weight"):
        raise TypeError(
            f"estimator={estimator!r} takes no sample_weight. Leave the weights out, "
            "or pass an estimator whose fit has that parameter. A pipeline's has not: "
            "pass its last step as estimator, and the steps before it behind the "
            "transformer, as make_pipeline(transformer, *steps)."
        )


def check_outputs(labels, estimator, any_number):
    """Labels as the estimator takes them; an only column is one output, with a warning.

    Parameters
    ----------
    labels : ndarray of shape (n,) or (n, n_outputs)
    estimator : classifier or regressor
    any_number : bool
        Whether several outputs suit, whatever the estimator says.

    Raises
    ------
    ValueError
        If there are several outputs and the estimator predicts one.
    """
    estimator = _last(estimator)
    if labels.shape[1:] == (1,):
        takes_1d = get_tags(estimator).target_tags.single_output
        return column_or_1d(labels, warn=True) if takes_1d else labels
    if labels.ndim > 1 and not any_number and not _predicts(estimator, labels):
        kind = f"MultiOutput{get_tags(estimator).estimator_type.title()}"
        raise ValueError(
            f"y has {labels.shape[1]} outputs, but estimator={estimator!r} predicts "
            f"one. Wrap it in {kind} or, if the transformer is a method of this "
            "package, pass fine_tune=True."
        )
    return labels


def _predicts(estimator, labels):
    """Whether it takes several outputs such as these."""
    tags = get_tags(estimator)
    if tags.target_tags.multi_output:
        return True
    if tags.classifier_tags is not None and tags.classifier_tags.multi_label:
        return type_of_target(labels) == "multilabel-indicator"
    return isinstance(estimator, _MULTI_OUTPUT_WITHOUT_TAG)


def _check_instance(name, part):
    if isinstance(part, type):
        raise TypeError(
            f"{name} must be an instance, got the class {part.__name__}. Pass "
            f"{part.__name__}()."
        )


def _check_values(estimator):
    """Check parameters, nested ones too, where their bounds are known."""
    if hasattr(estimator, "_parameter_constraints"):
        estimator._validate_params()
    if isinstance(estimator, SSLTransformer):
        estimator._check_parameters()
    # Candidates of a search may replace what is inside; what is frozen is not fitted.
    if isinstance(estimator, BaseSearchCV | FrozenEstimator):
        return
    for name, part in estimator.get_params().items():
        if "__" not in name and hasattr(part, "get_params"):
            if not isinstance(part, type):
                _check_values(part)


def _last(estimator):
    """What predicts, in pipelines and searches."""
    while isinstance(estimator, Pipeline | BaseSearchCV):
        is_search = isinstance(estimator, BaseSearchCV)
        estimator = estimator.estimator if is_search else estimator.steps[-1][1]
    return estimator
