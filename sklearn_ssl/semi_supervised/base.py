"""What classifier and regressor have in common."""

import copy
from dataclasses import KW_ONLY, dataclass

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing, get_tags, indexable
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    check_is_fitted,
    check_memory,
)

from sklearn_ssl._labels import (
    describe_labels,
    labelled_rows,
    uses_labels,
    with_marks,
)
from sklearn_ssl.engine.guards import unchanged_on_error
from sklearn_ssl.modalities.concat import with_unlabeled
from sklearn_ssl.semi_supervised._checks import (
    check_outputs,
    check_step_two,
    check_transformer,
    check_weights,
)
from sklearn_ssl.semi_supervised._inside import (
    forget_fit,
    seed_of,
    seeded,
    take_names,
)
from sklearn_ssl.semi_supervised._memory import pretrain
from sklearn_ssl.semi_supervised.fine_tuning import (
    check_holds_out,
    check_views_vary,
    fine_tune,
    resolve_fine_tuning,
)


def step_two_has(name):
    """A check, for ``available_if``, of what the second step's estimator has."""

    def check(self):
        getattr(vars(self).get("estimator_", self._step_two()), name)
        return True

    return check


@dataclass(eq=False, repr=False)
class SemiSupervised:
    """What classifier and regressor have in common."""

    # Not a named parameter of `fit`: that would promise that weight 2 equals two rows,
    # and pretraining weighs all rows alike.
    __metadata_request__fit = {"sample_weight": None}

    transformer: object
    estimator: object = None
    fine_tune: object = False
    memory: object = None
    _: KW_ONLY
    random_state: object = None

    def fit(self, X, y, *, X_unlabeled=None, **fit_params):
        """Pretrain the transformer on all rows, fit the estimator on labelled ones.

        Parameters
        ----------
        X : array-like, DataFrame or list of images
            n rows of what the transformer reads.
        y : array-like of shape (n,) or (n, n_outputs)
            Labels or targets, with marks in place of those that are unknown.
        X_unlabeled : like X or None, default=None
            More rows without labels. Not as many as X has: cross-validation takes
            whatever has a row for each row of X apart into folds. Put such rows below
            X, and marks below y.
        **fit_params : dict
            ``sample_weight``, of shape (n,): weights of the labelled rows in the
            second step. Pretraining weighs all rows alike.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If the parameters or the data are unfit; training has not begun then.
        """
        with unchanged_on_error(self):
            self._fit(X, y, X_unlabeled, **fit_params)
        return self

    def predict(self, X):
        """Predict the label or target of each row.

        Parameters
        ----------
        X : array-like, DataFrame or list of images

        Returns
        -------
        y : ndarray of shape (n,) or (n, n_outputs)
        """
        return self._apply("predict", X)

    def score(self, X, y, sample_weight=None):
        """Score the predictions; rows without a label are left out.

        Parameters
        ----------
        X : array-like, DataFrame or list of images
        y : array-like of shape (n,) or (n, n_outputs)
            Rows that are marked as unlabelled, as in `fit`, are left out.
        sample_weight : array-like of shape (n,) or None, default=None

        Returns
        -------
        score : float
            Mean accuracy of a classifier, R2 of a regressor. Of several outputs a
            classifier must predict all right, for a row to count.
        """
        check_is_fitted(self)
        X, y, sample_weight = indexable(X, y, sample_weight)
        rows = labelled_rows(y, self._fitted_marker())
        X, sample_weight = _take(rows, X, sample_weight)
        return self._score(X, self._labels(y, rows), sample_weight)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = copy.copy(get_tags(self.transformer).input_tags)
        tags.input_tags.sparse = False
        step_two = get_tags(self._step_two())
        tags.target_tags = copy.copy(step_two.target_tags)
        tags.target_tags.required = True
        tags.target_tags.multi_output |= bool(self.fine_tune)
        return tags

    # How they do it -------------------------------------------------------------------

    def _fit(self, X, y, X_unlabeled, sample_weight=None):
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        check_transformer(self.transformer)
        check_step_two(self._step_two(), self._kind)
        X, y, sample_weight = indexable(X, y, sample_weight)
        settings = resolve_fine_tuning(self.fine_tune, self.transformer)
        rows = labelled_rows(y, self._marker())
        labels = self._labels(y, rows)
        self._check_labels(labels)
        labels = check_outputs(
            labels, self._step_two(), any_number=settings is not None
        )
        X_labeled, weights = _take(rows, X, sample_weight)
        forget_fit(self)
        if settings is None:
            check_weights(self._step_two(), labels, weights)
            self._fit_transformer(X, X_unlabeled, rows, labels)
            self._fit_estimator(X_labeled, labels, weights)
        else:
            targets = self._encode_labels(labels, weights, settings)
            check_holds_out(settings, targets)
            check_views_vary(settings, self.transformer, X)
            self._fit_transformer(X, X_unlabeled, rows, labels)
            self._fine_tune(X_labeled, targets, settings, X, X_unlabeled)
        self.n_labeled_ = len(rows)

    def _fit_transformer(self, X, X_unlabeled, rows, labels):
        self.transformer_ = self._seeded(self.transformer)
        X_all = with_unlabeled(X, X_unlabeled)
        if not isinstance(self.transformer, FrozenEstimator):
            y = None
            if uses_labels(self.transformer):
                y, marker = _marked(labels, rows, _num_samples(X_all))
                are_targets = self._kind == "regressor"
                describe_labels(self.transformer_, marker, are_targets)
            memory = check_memory(self.memory)
            self.transformer_ = pretrain(self.transformer_, X_all, y, memory)
        take_names(self, self.transformer_)

    def _fit_estimator(self, X, labels, sample_weight):
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        estimator = self._seeded(self._step_two())
        self.estimator_ = estimator.fit(self._features(X), labels, **weights)

    def _encode_labels(self, labels, sample_weight, settings):
        """What a head is to learn: arguments of the engine's ``Labels``."""
        weights = _check_sample_weight(sample_weight, labels, ensure_non_negative=True)
        targets, n_classes, weights = self._encode(labels, weights, settings)
        if not weights.sum() > 0:
            raise ValueError("The weights of all labelled rows are zero.")
        weights = weights / weights.mean()
        return {"targets": targets, "n_classes": n_classes, "weights": weights}

    def _fine_tune(self, X_labeled, targets, settings, X, X_unlabeled):
        X_all = with_unlabeled(X, X_unlabeled) if settings.consistency else None
        how = dict(X_all=X_all, seed=self._seed())
        self.transformer_, tuner = fine_tune(
            self.transformer_, X_labeled, settings, **how, **targets
        )
        self.loss_curve_ = tuner.loss_curve
        self.validation_loss_curve_ = tuner.validation_loss_curve
        head = [p.detach().cpu().double().numpy() for p in tuner.head.parameters()]
        self.estimator_ = self._head(*head)

    def _score(self, X, labels, sample_weight):
        return super().score(X, labels, sample_weight)

    def _seed(self):
        return seed_of(self.random_state)

    def _seeded(self, estimator):
        """A clone, with the random state of this estimator if that has one."""
        return seeded(estimator, self._seed())

    def _features(self, X):
        Z = self.transformer_.transform(X)
        # In float32 the last digits of a prediction would depend on the other rows.
        if isinstance(Z, np.ndarray) or self.fine_tune:
            return np.asarray(Z, np.float64)
        frame = nw.from_native(Z, eager_only=True, pass_through=True)
        if isinstance(frame, nw.DataFrame):
            floats = nw.selectors.by_dtype(nw.Float32)
            return frame.with_columns(floats.cast(nw.Float64)).to_native()
        return Z

    def _apply(self, method, X):
        check_is_fitted(self)
        return getattr(self.estimator_, method)(self._features(X))


def _marked(labels, rows, n):
    """Labels of n rows, with what is no label anywhere in others, and that mark."""
    if len(rows) == n:
        return labels, None
    is_float = labels.dtype.kind == "f"
    mark, dtype = (np.nan, float) if is_float else (None, object)
    return with_marks(labels, rows, n, mark, dtype), np.nan


def _take(rows, X, sample_weight):
    """Some rows of X, and of the weights if there are any."""
    if len(rows) == _num_samples(X):
        return X, sample_weight
    if sample_weight is not None:
        sample_weight = _safe_indexing(sample_weight, rows)
    return _safe_indexing(X, rows), sample_weight
