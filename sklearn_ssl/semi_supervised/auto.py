"""AutoSSL."""

import copy
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar
from warnings import warn

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    is_classifier,
)
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.utils import _safe_indexing, get_tags, indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._candidates import (
    RAW,
    by_name,
    check_methods,
    default_judge,
    raw_like,
    rehearse,
    warn_of_rare_classes,
)
from sklearn_ssl._frozen import thaw
from sklearn_ssl._labels import (
    as_floats,
    one_column,
    take_labelled,
    uses_labels,
)
from sklearn_ssl._parameters import check_number, check_verbose, is_auto, unless_auto
from sklearn_ssl._registry import DenoisingAutoencoder, LeJEPA, SimCLR, SimSiam
from sklearn_ssl.engine.guards import unchanged_on_error
from sklearn_ssl.modalities import resolve_modality, with_unlabeled
from sklearn_ssl.semi_supervised._checks import check_step_two
from sklearn_ssl.semi_supervised._choice import choose, inner_folds, suits
from sklearn_ssl.semi_supervised._inside import (
    dense_features,
    forget_fit,
    seed_of,
    seeded,
    take_names,
)

_METHODS = {
    "table": (SimCLR, DenoisingAutoencoder, SimSiam),
    "image": (SimCLR, LeJEPA),
}


@dataclass(kw_only=True, eq=False, repr=False)
class AutoSSL(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The method that suits the labelled rows, or the raw columns if none is better.

    Each method is pretrained once, on all rows without labels. Then the labelled rows
    choose, by repeated cross-validation of `estimator` on the features of each method
    and on the raw columns (or pixels): a method only if its mean gain over raw, paired
    by fold, exceeds a threshold,

        ``gain > 0.67 * error * sqrt(1 + prior_labels / n_labeled)``,

    with the standard error of the gain over folds whose training sets overlap [1]_, and
    the number of labelled rows in the folds. That is a prior, worth `prior_labels`
    labelled rows, that methods gain nothing: one is chosen only if the posterior
    probability of a gain exceeds 3/4. The fewer the labels, the more must be gained. Of
    several methods that pass, the one that exceeds its threshold by most is taken.
    Without labels there is nothing to go by: ``fit(X)`` takes the first method.

    The same rule then chooses a scale for what was chosen, against the features as they
    are: the larger they are, the less they are regularized by a classifier of default
    settings, and how much suits them depends on the data.

    Parameters
    ----------
    methods : list or dict of transformers, or "auto", default="auto"
        Named by the keys, or by their classes. "auto" tries SimCLR,
        DenoisingAutoencoder and SimSiam on tables, and SimCLR and LeJEPA on images. One
        in a :class:`~sklearn.frozen.FrozenEstimator` is taken as it was pretrained.
    estimator : classifier, regressor or None, default=None
        Judges the features: let it be what will use them. ``None`` stands for
        ``LogisticRegression(max_iter=1000)``, of floats that are not all whole for
        ``Ridge()``.
    modality : {"auto", "table", "image"} or component, default="auto"
        What X is, for the raw columns and the methods of "auto". "auto" takes the
        modality of the first of `methods`.
    scoring : "auto", str, callable or None, default="auto"
        As in scikit-learn; ``None`` is the estimator's own score. "auto" is
        "neg_log_loss" where the estimator predicts probabilities, since accuracy says
        little on few rows, and its own score elsewhere.
    cv : int, default=5
        Folds of the labelled rows, at most; fewer where classes have fewer of them.
    prior_labels : float, default=5.0
        The number of labelled rows that the prior is worth: for the raw columns, and
        then for the features as they are. 0 is no prior, infinity always keeps to
        both.
    scales : sequence of float, default=(0.5, 2.0, 4.0)
        Factors by which the features may be multiplied. With none, ``()``, they stay as
        they are: enough, and quicker, for an `estimator` that does not mind their
        scale, such as trees and nearest neighbours.
    unlabeled : "auto", None, or a label, default="auto"
        What marks, in y, a row without a label. "auto": -1 or, in floats and objects, a
        missing value; but -1 and 1 alone are two classes, and -1 is a target where
        `estimator` is a regressor, and among floats that are not all whole. ``None``:
        all rows have a label.
    verbose : int, default=0
        1 shows a progress bar for each method of "auto" as it is trained. Those of a
        list or dict have a `verbose` of their own.
    random_state : int, RandomState, Generator or None, default=None
        Determines the folds, and replaces the random states of methods and estimator;
        ``None`` leaves these as they are.

    Attributes
    ----------
    method_ : str
        Name of what was chosen, "raw" for the raw columns.
    transformer_ : transformer
        That, fitted.
    scale_ : float
        Factor by which ``transform`` multiplies what `transformer_` returns.
    scores_ : dict of str to ndarray of shape (n_folds * n_repeats,)
        Scores of "raw" and of each method; empty where the labels were too few to
        cross-validate, or none.
    gains_ : dict of str to float
        Mean gain of each method over raw, all as they are.
    thresholds_ : dict of str to float
        What the gain had to exceed.
    scale_scores_ : dict of float to ndarray of shape (n_folds * n_repeats,)
        Scores of what was chosen by scale, 1 and those of `scales`; empty where
        `scores_` is.
    n_labeled_ : int
        Rows with a label.
    n_features_in_ : int
        Columns, or pixels times channels.
    feature_names_in_ : ndarray of str
        Column names of a DataFrame; absent otherwise.

    See Also
    --------
    sklearn_ssl.model_selection.compare_representations : Shows how they compare on rows
        that were not pretrained on.

    Notes
    -----
    The rows that the inner folds test were pretrained on, without labels, as unlabelled
    rows are. An outer cross-validation of the whole Pipeline remains honest.

    Of classes with fewer labelled rows than there are folds, none has a say. Where
    `estimator` can be fitted to all labelled rows but not to those of a fold, which are
    fewer, the raw columns stay, with a warning.

    A method without gain is taken in about one case of four or fewer, one of several
    more often. What that costs is little where its features have the raw columns beside
    them, as on tables by default; `prior_labels` makes it rarer. The scores of what was
    chosen are those that chose it, and so optimistic.

    The later steps of a Pipeline would take marks in y for labels: let X and y hold the
    labelled rows there, and X_unlabeled the others, or take
    ``SSLClassifier(AutoSSL())``, which knows the marks.
    :func:`~sklearn_ssl.model_selection.label_efficiency_curve` refuses it, since it
    pretrains without labels.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine
       Learning 52, 2003. https://doi.org/10.1023/A:1024068626366

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_ssl import SCARF, AutoSSL
    >>> X, y = load_wine(return_X_y=True)
    >>> auto = AutoSSL(methods=[SCARF(max_epochs=2)], random_state=0)
    >>> pipeline = make_pipeline(auto, LogisticRegression()).fit(X, y)
    >>> sorted(auto.scores_)
    ['SCARF', 'raw']
    """

    # What pretrains without labels must not take it for a transformer like others.
    _uses_labels: ClassVar[bool] = True

    methods: object = "auto"
    estimator: object = None
    modality: object = "auto"
    scoring: object = "auto"
    cv: int = 5
    prior_labels: float = 5.0
    scales: object = (0.5, 2.0, 4.0)
    unlabeled: object = "auto"
    verbose: int = 0
    random_state: object = None

    def fit(self, X, y=None, *, X_unlabeled=None):
        """Pretrain each method on all rows, and choose by those with a label.

        Parameters
        ----------
        X : array-like, DataFrame or list of images
            n rows of what the methods read.
        y : array-like of shape (n,) or None, default=None
            Labels or targets, with marks in place of those that are unknown.
        X_unlabeled : like X or None, default=None
            More rows without labels, in another number than those of X.

        Returns
        -------
        self : AutoSSL

        Raises
        ------
        ValueError, TypeError
            If the parameters or the data are unfit.
        """
        with unchanged_on_error(self):
            self._fit(X, y, X_unlabeled)
        return self

    def transform(self, X):
        """Embed X by what was chosen, at the scale that was chosen.

        Parameters
        ----------
        X : array-like, DataFrame or list of images

        Returns
        -------
        Z : ndarray of shape (n, d)
        """
        check_is_fitted(self)
        Z = dense_features(self.transformer_, X)
        return Z if self.scale_ == 1 else self.scale_ * Z

    def __sklearn_is_fitted__(self):
        return hasattr(self, "transformer_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        try:
            inside = get_tags(next(iter(self._methods().values())))
        except (TypeError, ValueError):
            return tags  # `fit` says what is wrong; to show it is not to fit it
        tags.input_tags = copy.copy(inside.input_tags)
        tags.input_tags.sparse = False
        tags.transformer_tags = copy.copy(inside.transformer_tags)
        return tags

    # How it does it -------------------------------------------------------------------

    def _fit(self, X, y, X_unlabeled):
        check_number("cv", self.cv, Integral, 2)
        check_verbose(self.verbose)
        if self.prior_labels != np.inf:
            check_number("prior_labels", self.prior_labels, Real, 0)
        scales = _as_factors(self.scales)
        X, y = indexable(X, y)
        methods = self._methods(X)
        _check_no_labels_are_used(methods)
        check_methods(methods)
        candidates = {RAW: raw_like(methods, self.modality), **methods}
        if self.estimator is not None:
            check_step_two(self.estimator, "classifier", "regressor")
        rows, labels = self._labels(y)
        seed = seed_of(self.random_state)
        judge = seeded(self._judge(labels), seed)
        if is_classifier(judge) and len(labels):
            check_classification_targets(labels)
        folds = inner_folds(labels, self.cv, is_classifier(judge), seed)
        if self.estimator is None:
            n_judged = len(np.concatenate(folds[0])) if folds else 0
            warn_of_rare_classes(labels, n_judged, "estimator", stacklevel=4)
        X_all = with_unlabeled(X, X_unlabeled)
        X_labeled = _safe_indexing(X, rows) if folds else None
        scoring = unless_auto(self.scoring, _scoring(judge))

        def judged(Z):
            how = dict(cv=folds, scoring=scoring, error_score="raise")
            return cross_val_score(judge, Z.astype(np.float64), labels, **how)

        # The raw columns come first: scoring or labels that do not suit the estimator
        # raise before anything is trained. They stay where there are labels, but few.
        name = RAW if len(rows) else next(iter(methods))
        fitted = {name: seeded(candidates.pop(name), seed).fit(X_all, None)}
        scores, gains, thresholds, scale, scale_scores = {}, {}, {}, 1.0, {}
        if folds:
            Z = dense_features(fitted[RAW], X_labeled)
            try:
                scores[RAW] = judged(Z)
            except ValueError as error:
                if not suits(judge, Z, labels, scoring):
                    raise
                folds = []
                _warn_of_small_folds(judge, error)
        if folds:
            rehearse(candidates, X_all)
            for key, candidate in candidates.items():
                fitted[key] = seeded(candidate, seed).fit(X_all, None)
                scores[key] = judged(dense_features(fitted[key], X_labeled))
            rule = *(len(part) for part in folds[0]), self.prior_labels
            name, gains, thresholds = choose(scores, RAW, *rule)
            scale_scores[scale] = scores[name]
            Z = dense_features(fitted[name], X_labeled) if scales else None
            scale_scores |= {factor: judged(factor * Z) for factor in scales}
            scale, _, _ = choose(scale_scores, scale, *rule)
        forget_fit(self)
        self.method_, self.transformer_, self.n_labeled_ = name, fitted[name], len(rows)
        self.scores_, self.gains_, self.thresholds_ = scores, gains, thresholds
        self.scale_, self.scale_scores_ = scale, scale_scores
        take_names(self, self.transformer_)
        self._n_features_out = dense_features(
            fitted[name], _safe_indexing(X, [0])
        ).shape[1]

    def _methods(self, X=None):
        """The methods by name; those of "auto" suit X, or are for tables without."""
        if not is_auto(self.methods):
            return by_name(self.methods)
        kind = "table"
        if X is not None:
            known = tuple(_METHODS)
            kind = resolve_modality(self.modality, X, known, type(self).__name__).name
        how = {"modality": self.modality, "verbose": self.verbose}
        return by_name([method(**how) for method in _METHODS[kind]])

    def _labels(self, y):
        """Row numbers of those that are labelled, and their labels."""
        if y is None:
            return np.arange(0), np.arange(0)
        y = as_floats(one_column(y))
        classify = is_classifier(self._judge(y))
        marker = self.unlabeled if classify else unless_auto(self.unlabeled, np.nan)
        return take_labelled(y, marker)

    def _take_for_targets(self):
        if self.estimator is None:
            self.estimator = Ridge()

    def _judge(self, labels):
        return default_judge(labels) if self.estimator is None else self.estimator


def _check_no_labels_are_used(methods):
    for name, method in methods.items():
        if uses_labels(thaw(method)):
            raise TypeError(
                f"{name!r} uses labels, and would be judged by the same ones. Let "
                "methods hold transformers that use none."
            )


def _as_factors(scales):
    """The scales to try beside 1, each once."""
    if isinstance(scales, str | bytes) or not hasattr(scales, "__len__"):
        raise TypeError(f"scales must be a sequence of numbers, got {scales!r}.")
    for scale in scales:
        check_number("each of scales", scale, Real, 0, strict=True)
    return [scale for scale in dict.fromkeys(map(float, scales)) if scale != 1]


def _warn_of_small_folds(judge, error):
    warn(
        "The labelled rows are too few to choose by folds of them, to which "
        f"estimator={judge!r} cannot be fitted ({error}). The raw columns are kept. "
        "Label more rows, or pass an estimator that makes do with fewer.",
        UserWarning,
        stacklevel=4,
    )


def _scoring(judge):
    """What "auto" judges by; each fold has rows of each class, as log loss needs."""
    has_probabilities = is_classifier(judge) and hasattr(judge, "predict_proba")
    return "neg_log_loss" if has_probabilities else None
