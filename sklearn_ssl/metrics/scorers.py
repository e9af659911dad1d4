"""The metrics as scorers, for cross-validation and searches."""

from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import _num_samples

from sklearn_ssl._arrays import spread_rows
from sklearn_ssl._labels import labelled_rows
from sklearn_ssl._parameters import check_number
from sklearn_ssl._probing import embed, embed_views
from sklearn_ssl.metrics.geometry import alignment, embedding_std, uniformity
from sklearn_ssl.metrics.neighbors import clid, knn_score
from sklearn_ssl.metrics.spectrum import alpha_req, effective_rank, lidar

_MAX_ROWS = 5000


@dataclass(frozen=True)
class _EmbeddingScorer:
    metric: object
    sign: float = 1.0
    n_views: int = 0
    needs_y: bool = False
    max_rows: int = _MAX_ROWS
    parameters: dict = field(default_factory=dict)

    def __call__(self, estimator, X, y=None):
        rows = self._rows(X, y)
        if len(rows) < _num_samples(X):
            X = _safe_indexing(X, rows)
            y = None if y is None else _safe_indexing(y, rows)
        if self.n_views:
            Z = embed_views(estimator, X, self.n_views)
        else:
            Z = embed(estimator, X)
        labels = (y,) if self.needs_y else ()
        return self.sign * self.metric(Z, *labels, **self.parameters)

    def _rows(self, X, y):
        """Rows to measure: all, or those with a label; at most so many."""
        rows = np.arange(_num_samples(X))
        if self.needs_y:
            if y is None:
                raise ValueError(f"{self.metric.__name__} needs y.")
            check_consistent_length(X, y)
            marker = self.parameters.get("unlabeled", "auto")
            rows = labelled_rows(y, marker)
        return rows[spread_rows(len(rows), self.max_rows)]

    @property
    def __name__(self):
        return self.metric.__name__.removeprefix("_")


def make_embedding_scorer(
    metric,
    *,
    greater_is_better=True,
    n_views=0,
    needs_y=False,
    max_rows=_MAX_ROWS,
    **parameters,
):
    """Make a scorer from a function of an embedding.

    It embeds the rows that it is given by the fitted estimator: a method, or a
    Pipeline, ``FrozenEstimator``, ``SSLClassifier`` or search around one. It takes the
    output of the encoder, before ``transform`` centres and scales it and puts the
    columns of a table beside it, since that scale hides a collapse. Of a transformer
    from elsewhere it takes what ``transform`` returns.

    Parameters
    ----------
    metric : callable
        ``metric(Z, **parameters)`` returns a number.
    greater_is_better : bool, default=True
        Otherwise the scorer returns minus the metric.
    n_views : int, default=0
        If not 0, Z is of shape (n, n_views, d) and holds random views of each row, as
        the method's ``views`` make them, or those that are usual for the kind of data
        where the method has none; they are the same at each call.
    needs_y : bool, default=False
        Call ``metric(Z, y, **parameters)`` on the rows that have a label, according to
        the parameter ``unlabeled`` if there is one, else as for ``unlabeled="auto"`` of
        :func:`knn_score`.
    max_rows : int, default=5000
        Of more rows, that many at equal steps are taken: time and memory of some
        metrics grow with the square of their number.
    **parameters : dict
        Passed to the metric.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None)``, for ``scoring=`` of a search.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_ssl import SCARF
    >>> from sklearn_ssl.metrics import knn_score, make_embedding_scorer
    >>> X, y = load_wine(return_X_y=True)
    >>> scorer = make_embedding_scorer(knn_score, needs_y=True, n_neighbors=5)
    >>> scarf = SCARF(max_epochs=1, random_state=0)
    >>> grid = {"corruption_rate": [0.3, 0.6]}
    >>> search = GridSearchCV(scarf, grid, scoring=scorer, cv=2).fit(X, y)
    >>> print(search.best_score_ > 0.8)
    True
    """
    check_number("n_views", n_views, Integral, 0)
    check_number("max_rows", max_rows, Integral, 2)
    sign = 1.0 if greater_is_better else -1.0
    return _EmbeddingScorer(metric, sign, n_views, needs_y, max_rows, parameters)


def _alignment(Z_views):
    return alignment(Z_views[:, 0], Z_views[:, 1])


def _alpha_req(Z):
    return abs(alpha_req(Z) - 1)


effective_rank_scorer = make_embedding_scorer(effective_rank)
alpha_req_scorer = make_embedding_scorer(_alpha_req, greater_is_better=False)
lidar_scorer = make_embedding_scorer(lidar, n_views=10, max_rows=1000)
embedding_std_scorer = make_embedding_scorer(embedding_std)
alignment_scorer = make_embedding_scorer(_alignment, greater_is_better=False, n_views=2)
uniformity_scorer = make_embedding_scorer(uniformity, greater_is_better=False)
clid_scorer = make_embedding_scorer(clid)
knn_scorer = make_embedding_scorer(knn_score, needs_y=True)
