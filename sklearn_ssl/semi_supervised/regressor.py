"""SSLRegressor."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.utils import check_array

from sklearn_ssl.semi_supervised.base import SemiSupervised


@dataclass(eq=False, repr=False)
class SSLRegressor(SemiSupervised, RegressorMixin, BaseEstimator):
    """Regress on features that were pretrained on all rows, labelled or not.

    Parameters
    ----------
    transformer : transformer
        A method of this package; any other transformer serves as a baseline. Wrapped
        in a :class:`~sklearn.frozen.FrozenEstimator` it is taken as it is, and not
        pretrained again; rows without targets have no use then, but for
        ``FineTuning(consistency=...)``.
        One that uses labels, such as :class:`AutoSSL`, is given those known, as
        targets: ``AutoSSL()`` judges by ``Ridge()`` here.
    estimator : regressor or None, default=None
        Fitted on the features of the rows that have a target: one that is not NaN or,
        in a y of objects, None or NA. ``None`` stands for ``Ridge()``.
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

    Attributes
    ----------
    transformer_ : transformer
        Pretrained and, if so asked, fine-tuned.
    estimator_ : regressor
        Fitted on its features; after fine-tuning, a linear one that holds the head.
    loss_curve_, validation_loss_curve_ : list of float
        Loss of fine-tuning by epoch, and on held-out rows before the first and after
        each; absent without fine-tuning.
    n_labeled_ : int
        Rows with a target.
    n_features_in_ : int
        Columns, or pixels times channels, as the transformer counts them.
    feature_names_in_ : ndarray of str
        Column names of a DataFrame; absent otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ssl import SCARF, SSLRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> y_few = np.where(np.arange(len(y)) % 2, np.nan, y)
    >>> regressor = SSLRegressor(SCARF(max_epochs=2, random_state=0)).fit(X, y_few)
    >>> regressor.n_labeled_, regressor.predict(X).shape
    (221, (442,))
    """

    _kind = "regressor"

    def _step_two(self):
        if self.fine_tune:
            return LinearRegression()
        return Ridge() if self.estimator is None else self.estimator

    def _encode(self, labels, weights, settings):
        self._mean = np.average(labels, axis=0, weights=weights)
        variance = np.average((labels - self._mean) ** 2, axis=0, weights=weights)
        self._std = np.where(variance > 0, np.sqrt(variance), 1.0)
        targets = (labels - self._mean) / self._std
        return targets.reshape(len(labels), -1), None, weights

    def _head(self, coef, intercept):
        head = LinearRegression()
        head.coef_ = coef * np.reshape(self._std, (-1, 1))
        head.intercept_ = intercept * self._std + self._mean
        if np.ndim(self._mean) == 0:
            head.coef_, head.intercept_ = head.coef_[0], head.intercept_[0]
        head.n_features_in_ = coef.shape[1]
        return head

    def _marker(self):
        return np.nan

    _fitted_marker = _marker

    def _labels(self, y, rows):
        labels = np.asarray(y)[rows]
        return check_array(labels, dtype=np.float64, ensure_2d=False, input_name="y")

    def _check_labels(self, labels):
        if self.fine_tune and len(labels) < 2:
            raise ValueError("Fine-tuning needs two rows with a target, got 1 sample.")
