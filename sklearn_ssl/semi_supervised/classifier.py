"""SSLClassifier."""

import copy
from dataclasses import KW_ONLY, dataclass

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.utils import assert_all_finite, get_tags
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from sklearn_ssl._labels import take_labels
from sklearn_ssl._parameters import is_auto
from sklearn_ssl.semi_supervised.base import SemiSupervised, step_two_has


@dataclass(eq=False, repr=False)
class SSLClassifier(SemiSupervised, ClassifierMixin, BaseEstimator):
    """Classify by features that were pretrained on all rows, labelled or not.

    Parameters
    ----------
    transformer : transformer
        A method of this package; any other transformer serves as a baseline. Wrapped
        in a :class:`~sklearn.frozen.FrozenEstimator` it is taken as it is, and not
        pretrained again; rows without labels have no use then, but for
        ``FineTuning(consistency=...)``.
        One that uses labels, such as :class:`AutoSSL`, is given those known.
    estimator : classifier or None, default=None
        Fitted on the features of the labelled rows. ``None`` stands for
        ``LogisticRegression(max_iter=1000)``.
    fine_tune : bool or FineTuning, default=False
        Whether to train the encoder too, together with a linear head in place of
        `estimator`, from the pretrained weights. :class:`FineTuning` holds settings.
    memory : str, joblib.Memory or None, default=None
        Where to keep pretrained transformers, so that none is pretrained twice with
        the same parameters and rows, as by the candidates of a search over the
        estimator's parameters.
    random_state : int, RandomState, Generator or None, default=None
        Replaces the random states of the transformer and the estimator; ``None``
        leaves them as they are.
    unlabeled : "auto", None, or a label, default="auto"
        What marks, in y, a row without a label. "auto": -1 or, in floats and objects
        (text with gaps, for instance), a missing value: NaN, None or NA. If -1 and 1
        are all that y holds, they are two classes, as everywhere in scikit-learn, and
        a warning says so: y looks the same if classes are 0 and 1 and the only labels
        known are 1, which ``unlabeled=-1`` tells apart (and refuses, as labels of one
        class). ``None``: all rows have a label, and -1 is a class.

    Attributes
    ----------
    transformer_ : transformer
        Pretrained and, if so asked, fine-tuned.
    estimator_ : classifier
        Fitted on its features; after fine-tuning, a linear one that holds the head.
    classes_ : ndarray of shape (n_classes,), or a list of them
        The classes; of each output if there are several.
    loss_curve_, validation_loss_curve_ : list of float
        Loss of fine-tuning by epoch, and on held-out rows before the first and after
        each; absent without fine-tuning.
    n_labeled_ : int
        Rows with a label.
    n_features_in_ : int
        Columns, or pixels times channels, as the transformer counts them.
    feature_names_in_ : ndarray of str
        Column names of a DataFrame; absent otherwise.

    See Also
    --------
    sklearn.semi_supervised.SelfTrainingClassifier : Labels rows by its own
        predictions. It may be the `estimator` of a pipeline after a frozen transformer.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SCARF, SSLClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> y_few = y.copy()
    >>> y_few[::2] = -1
    >>> scarf = SCARF(max_epochs=2, random_state=0)
    >>> classifier = SSLClassifier(scarf).fit(X, y_few)
    >>> classifier.n_labeled_, classifier.classes_
    (89, array([0, 1, 2]))
    >>> classifier.score(X[::2], y[::2]) > 0.9
    True
    """

    _kind = "classifier"

    _: KW_ONLY
    unlabeled: object = "auto"

    @available_if(step_two_has("predict_proba"))
    def predict_proba(self, X):
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array-like, DataFrame or list of images

        Returns
        -------
        probabilities : ndarray of shape (n, n_classes), or a list of them
            In the order of ``classes_``; of each output if there are several.
        """
        return self._apply("predict_proba", X)

    @available_if(step_two_has("decision_function"))
    def decision_function(self, X):
        """Return the scores of the classes.

        Parameters
        ----------
        X : array-like, DataFrame or list of images

        Returns
        -------
        scores : ndarray of shape (n,) or (n, n_classes)
            Of the second class if there are two.
        """
        return self._apply("decision_function", X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        step_two = get_tags(self._step_two()).classifier_tags
        tags.classifier_tags = copy.copy(step_two) or tags.classifier_tags
        return tags

    def _score(self, X, labels, sample_weight):
        if labels.ndim == 1 or labels.shape[1] == 1:
            return super()._score(X, labels, sample_weight)
        right = (self.predict(X) == labels).all(axis=1)
        return float(np.average(right, weights=sample_weight))

    def _fit_estimator(self, X, labels, sample_weight):
        super()._fit_estimator(X, labels, sample_weight)
        self.classes_ = self.estimator_.classes_

    def _encode(self, labels, weights, settings):
        if settings.class_weight is not None:
            weights = weights * compute_sample_weight(settings.class_weight, labels)
        columns = labels.reshape(len(labels), -1).T
        pairs = [np.unique(column, return_inverse=True) for column in columns]
        classes, codes = zip(*pairs, strict=True)
        self.classes_ = classes[0] if labels.ndim == 1 else list(classes)
        return np.column_stack(codes), [len(output) for output in classes], weights

    def _head(self, coef, intercept):
        if isinstance(self.classes_, np.ndarray):
            return _logistic_regression(self.classes_, coef, intercept)
        head = MultiOutputClassifier(LogisticRegression())
        ends = np.cumsum([len(output) for output in self.classes_])[:-1]
        parts = np.split(coef, ends), np.split(intercept, ends)
        head.estimators_ = [*map(_logistic_regression, self.classes_, *parts)]
        head.classes_ = self.classes_
        head.n_features_in_ = coef.shape[1]
        return head

    def _step_two(self):
        if self.fine_tune:
            return LogisticRegression()
        if self.estimator is None:
            return LogisticRegression(max_iter=1000)
        return self.estimator

    def _marker(self):
        return self.unlabeled

    def _fitted_marker(self):
        """The mark that `fit` went by, be it among the classes of a few rows or not."""
        if not is_auto(self.unlabeled):
            return self.unlabeled
        return np.nan if -1 in np.hstack(self.classes_).tolist() else -1

    def _labels(self, y, rows):
        return take_labels(y, rows)

    def _check_labels(self, labels):
        if labels.dtype.kind == "f":
            assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        for output in labels.reshape(len(labels), -1).T:
            if len(np.unique(output)) < 2:
                raise ValueError(
                    "The labelled rows are all of one class, "
                    f"{output.tolist()[0]!r}. Label rows of at least two classes."
                )


def _logistic_regression(classes, coef, intercept):
    """A LogisticRegression that is fitted by hand."""
    model = LogisticRegression()
    if len(classes) == 2:  # a sigmoid of the difference is the softmax
        coef, intercept = np.diff(coef, axis=0), np.diff(intercept)
    model.classes_, model.coef_, model.intercept_ = classes, coef, intercept
    model.n_features_in_ = coef.shape[1]
    return model
