"""Cross-validation of which unlabelled rows are always a part, and never scored."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.metadata_routing import get_routing_for_object

from sklearn_ssl._labels import (
    find_unlabeled,
    is_whole,
    marker_of_targets,
    take_labels,
)


class UnlabeledSplit(BaseCrossValidator):
    """Split the labelled rows; those without a label are in every training set.

    Ordinary cross-validation takes the mark of an unlabelled row for a class and scores
    predictions against it. Here no unlabelled row is ever tested.

    Parameters
    ----------
    cv : int or splitter, default=5
        Splits the labelled rows, and sees these alone: it stratifies by their classes
        and keeps their groups together; row numbers inside it, as in
        :class:`~sklearn.model_selection.PredefinedSplit`, count labelled rows. An int
        is a number of folds, stratified by the labels unless these are floats that are
        not all whole, or of which some occur in fewer rows than there are folds.
    unlabeled : "auto", None, or a label, default="auto"
        What marks a row without a label in y, as in
        :class:`~sklearn_ssl.semi_supervised.SSLClassifier`: "auto" stands for -1 or, in
        floats and objects, a missing value (NaN, None); among floats of which one is
        NaN, or not all are whole, -1 is a value like any other. ``None``: all rows have
        a label.

    See Also
    --------
    sklearn_ssl.semi_supervised.SSLClassifier : Learns from rows with and without
        labels.

    Notes
    -----
    Targets of a regression may be whole numbers, too: mark unknown ones by NaN and pass
    ``unlabeled=np.nan``, so that no target is taken for a mark, and ``KFold(5)``, since
    an int stratifies whole numbers.

    Unlabelled rows of a group that is tested are trained on, since they are rows that a
    model would have when it is fitted. Remove them from X if they would not be there.

    :func:`~sklearn.model_selection.cross_val_predict` refuses this splitter: it tests
    every row, and unlabelled rows are never tested.

    Halving searches draw subsets of the training rows, labelled or not, if their
    resource is "n_samples": the first ones may then hold no label. Let the resource be
    a parameter of the estimator, such as ``max_epochs``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ssl.model_selection import UnlabeledSplit
    >>> X, y = np.zeros((7, 1)), np.array([0, -1, 1, -1, 1, 0, -1])
    >>> for train, test in UnlabeledSplit(2).split(X, y):
    ...     print(train, test)
    [1 3 4 5 6] [0 2]
    [0 1 2 3 6] [4 5]
    """

    def __init__(self, cv=5, *, unlabeled="auto"):
        self.cv = cv
        self.unlabeled = unlabeled

    def split(self, X, y=None, groups=None):
        """Generate the row numbers of each training and test set.

        Parameters
        ----------
        X : array-like, DataFrame or list of n rows
        y : array-like of shape (n,) or (n, n_outputs)
            Labels or targets, with marks where they are unknown. A row with several
            outputs is tested if all of them are known.
        groups : array-like of shape (n,) or None, default=None
            Passed on to `cv`.

        Yields
        ------
        train, test : ndarray of int
            In the order of X.

        Raises
        ------
        ValueError
            If y is None, if it mixes marks, if no row has a label, or if `cv` counts
            other rows than the labelled ones.
        """
        labeled, X, y, groups = self._reduce(X, y, groups)
        rows = np.flatnonzero(labeled)
        for train, test in self._splitter(y).split(X, y, groups):
            if max(train.max(initial=0), test.max(initial=0)) >= len(rows):
                raise ValueError(
                    f"{self.cv!r} numbers other rows than the {len(rows)} labelled "
                    "ones that it is given. Define it for the labelled rows alone."
                )
            is_train = ~labeled
            is_train[rows[train]] = True
            yield np.flatnonzero(is_train), rows[test]

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of splits.

        Parameters
        ----------
        X : array-like, DataFrame or list of n rows, default=None
        y : array-like of shape (n,), default=None
        groups : array-like of shape (n,), default=None
            These three are asked for if `cv` asks for them.

        Returns
        -------
        n_splits : int
        """
        if isinstance(self.cv, Integral):
            return int(self.cv)
        if y is not None:
            _, X, y, groups = self._reduce(X, y, groups)
        return self._splitter(y).get_n_splits(X, y, groups)

    def get_metadata_routing(self):
        """Return what `cv` asks for: the groups, if it splits by groups.

        Returns
        -------
        routing : MetadataRequest
        """
        if isinstance(self.cv, Integral):
            return super().get_metadata_routing()
        return get_routing_for_object(self.cv)

    # Halving searches ask by these whether two calls give the same splits.

    @property
    def shuffle(self):
        """Whether `cv` shuffles."""
        return getattr(self.cv, "shuffle", True)

    @property
    def random_state(self):
        """The random state of `cv`."""
        return getattr(self.cv, "random_state", 0)

    def _splitter(self, y):
        if isinstance(self.cv, Integral):
            return check_cv(self.cv, y, classifier=_are_classes(y, self.cv))
        if not hasattr(self.cv, "split") or isinstance(self.cv, str):
            raise TypeError(f"cv must be an int or a splitter, got {self.cv!r}.")
        return self.cv

    def _reduce(self, X, y, groups):
        """A mask of the labelled rows, and what was given, of these rows."""
        X, y, groups = indexable(X, y, groups)
        labeled = self._find_labeled(y)
        rows = np.flatnonzero(labeled)
        X = None if X is None else _safe_indexing(X, rows)
        groups = None if groups is None else _safe_indexing(groups, rows)
        return labeled, X, take_labels(y, rows), groups

    def _find_labeled(self, y):
        if y is None:
            raise ValueError(
                "UnlabeledSplit needs y, in which rows without a label are marked."
            )
        labeled = ~find_unlabeled(y, marker_of_targets(y, self.unlabeled))
        if not labeled.any():
            raise ValueError(f"None of the {len(labeled)} rows has a label.")
        return labeled


def _are_classes(y, n_folds):
    if y.dtype.kind != "f":
        return True
    return is_whole(y) and np.unique(y, return_counts=True)[1].min() >= n_folds
