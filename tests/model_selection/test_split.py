"""UnlabeledSplit: unlabelled rows train, labelled rows are split as ever."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_wine
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    PredefinedSplit,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from sklearn_ssl import SCARF
from sklearn_ssl.model_selection import UnlabeledSplit
from tests.helpers import make


@pytest.fixture
def partly():
    """Wine of which a third is labelled: X, y, the mask, and groups of 10 rows."""
    X, y = load_wine(return_X_y=True)
    labeled = np.arange(len(y)) % 3 == 0
    return X, np.where(labeled, y, -1), labeled, np.arange(len(y)) // 10


SPLITTERS = [
    KFold(3),
    StratifiedKFold(3, shuffle=True, random_state=0),
    GroupKFold(3),
    StratifiedGroupKFold(3),
    ShuffleSplit(2, random_state=0),
    LeaveOneGroupOut(),
    3,
]


@pytest.mark.parametrize("cv", SPLITTERS, ids=str)
def test_splits_the_labelled_rows_as_the_splitter_does(cv, partly):
    X, y, labeled, groups = partly
    rows = np.flatnonzero(labeled)
    inner = StratifiedKFold(cv) if cv == 3 else cv
    if "Group" not in repr(cv):
        groups = None
    expected = list(
        inner.split(X[rows], y[rows], None if groups is None else groups[rows])
    )
    splitter = UnlabeledSplit(cv)
    found = list(splitter.split(X, y, groups))
    assert len(found) == splitter.get_n_splits(X, y, groups) == len(expected)
    for (train, test), (inner_train, inner_test) in zip(found, expected, strict=True):
        assert_array_equal(test, rows[inner_test])
        assert_array_equal(train[labeled[train]], np.sort(rows[inner_train]))
        assert_array_equal(train[~labeled[train]], np.flatnonzero(~labeled))
        assert (np.diff(train) > 0).all()


def test_groups_and_classes_are_respected(partly):
    X, y, labeled, groups = partly
    for train, test in UnlabeledSplit(GroupKFold(4)).split(X, y, groups):
        train = train[labeled[train]]
        assert not set(groups[train]) & set(groups[test])
    for _, test in UnlabeledSplit(5).split(X, y):
        share = np.bincount(y[test]) / len(test)
        assert abs(share - np.bincount(y[labeled]) / labeled.sum()).max() < 0.08


MARKS = {
    "int": [0, 1, -1, 0, 1, -1],
    "whole floats": [0.0, 1.0, -1.0, 0.0, 1.0, -1.0],
    "nan": [0.0, 1.0, np.nan, 0.0, 1.0, np.nan],
    "targets": [-1.0, 1.5, np.nan, -1.0, 2.5, np.nan],
    "text": np.array(["a", "b", None, "a", "b", None], dtype=object),
    "numbers and None": np.array([0, 1, None, 0, 1, None], dtype=object),
    "pandas": pd.Series([0, 1, None, 0, 1, None], dtype="Int64", index=list("uvwxyz")),
    "pandas text": pd.Series(["a", "b", None, "a", "b", None]),
    "categorical": pd.Categorical(["a", "b", None, "a", "b", None]),
    "two outputs": [[0, 1], [1, 0], [-1, -1], [0, 1], [1, 0], [-1, -1]],
}


@pytest.mark.parametrize("y", MARKS.values(), ids=MARKS)
def test_marks_of_unlabelled_rows(y):
    cv = KFold(2) if np.ndim(y) == 2 else 2
    found = list(UnlabeledSplit(cv).split(np.zeros((6, 1)), y))
    for train, test in found:
        assert {2, 5} <= set(train)
        assert not {2, 5} & set(test)
        if np.ndim(y) == 1 and not isinstance(y, list):
            assert len(set(np.asarray(y)[test])) == 2  # both classes: stratified
    assert_array_equal(np.sort(np.hstack([test for _, test in found])), [0, 1, 3, 4])


def test_minus_one_may_be_a_class():
    y = [-1, 1, -1, 1]
    splitter = UnlabeledSplit(2, unlabeled=None)
    tests = [test for _, test in splitter.split(np.zeros((4, 1)), y)]
    assert_array_equal(np.sort(np.hstack(tests)), np.arange(4))


def test_minus_one_is_a_target_beside_nan():
    y = [-1.0, 2.0, np.nan, 4.0, -1.0, np.nan]  # all whole
    found = list(UnlabeledSplit(KFold(2)).split(np.zeros((6, 1)), y))
    assert [test.tolist() for _, test in found] == [[0, 1], [3, 4]]
    y = [-1.0, 2.0, 3.0, 4.0]  # which holds no NaN to tell
    splitter = UnlabeledSplit(KFold(2), unlabeled=np.nan)
    found = list(splitter.split(np.zeros((4, 1)), y))
    assert [test.tolist() for _, test in found] == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match=r"mixes two marks.*unlabeled=np.nan if -1"):
        list(UnlabeledSplit(2).split(np.zeros((3, 1)), np.array([-1, None, 0])))


@pytest.mark.parametrize("n_rows", (2, 4))
def test_whole_floats_are_classes_if_they_recur(n_rows):
    """In each of two folds, that is."""
    y = np.repeat([0.0, 1.0], n_rows)
    for _, test in UnlabeledSplit(2).split(np.zeros((len(y), 1)), y):
        assert set(y[test]) == {0.0, 1.0}


@pytest.mark.parametrize("y", (np.arange(8.0), [0.0] * 7 + [1.0]))
def test_whole_floats_of_which_one_does_not_recur_are_targets(y):
    found = [test.tolist() for _, test in UnlabeledSplit(2).split(np.zeros((8, 1)), y)]
    assert found == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_lists_and_frames(partly):
    X, y, _, _ = partly
    expected = list(UnlabeledSplit(3).split(X, y))
    for rows in (X.tolist(), pd.DataFrame(X), None):
        found = list(UnlabeledSplit(3).split(X if rows is None else rows, y))
        for a, b in zip(found, expected, strict=True):
            assert_array_equal(a[1], b[1])


def test_bad_input(partly):
    X, y, labeled, _ = partly
    with pytest.raises(ValueError, match="needs y"):
        list(UnlabeledSplit(3).split(X))
    with pytest.raises(ValueError, match="None of the 178 rows has a label"):
        list(UnlabeledSplit(3).split(X, np.full(len(y), -1)))
    for cv in ([(0, 1)], "five", None):
        with pytest.raises(TypeError, match="an int or a splitter"):
            list(UnlabeledSplit(cv).split(X, y))
    whole = PredefinedSplit(np.arange(len(y)) % 2)
    with pytest.raises(ValueError, match="numbers other rows than the 60"):
        list(UnlabeledSplit(whole).split(X, y))
    part = PredefinedSplit(np.arange(labeled.sum()) % 2)
    assert len(list(UnlabeledSplit(part).split(X, y))) == 2


def test_number_of_splits(partly):
    X, y, labeled, groups = partly
    assert UnlabeledSplit(7).get_n_splits() == 7
    assert UnlabeledSplit(KFold(4)).get_n_splits() == 4
    assert UnlabeledSplit(LeaveOneOut()).get_n_splits(X, y) == labeled.sum()
    by_group = UnlabeledSplit(LeaveOneGroupOut())
    assert by_group.get_n_splits(X, y, groups) == len(set(groups[labeled]))


def test_repr():
    assert repr(UnlabeledSplit(3)) == "UnlabeledSplit(cv=3, unlabeled='auto')"
    assert "cv=GroupKFold(n_splits=2" in repr(UnlabeledSplit(GroupKFold(2)))


# In scikit-learn's searches -----------------------------------------------------------


class Watchful(ClassifierMixin, BaseEstimator):
    """Fails if an unlabelled row is scored, or one is absent from the training."""

    def __init__(self, n_unlabeled=0, C=1.0, max_iter=100):
        self.n_unlabeled = n_unlabeled
        self.C = C
        self.max_iter = max_iter

    def fit(self, X, y):
        assert (y == -1).sum() == self.n_unlabeled
        self.model_ = LogisticRegression(C=self.C).fit(X[y != -1], y[y != -1])
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def score(self, X, y, sample_weight=None):
        assert (y != -1).all()
        return super().score(X, y, sample_weight)


def _watchful(y):
    return make_pipeline(StandardScaler(), Watchful(n_unlabeled=(y == -1).sum()))


def test_cross_validate(partly):
    X, y, labeled, _ = partly
    found = cross_validate(
        _watchful(y), X, y, cv=UnlabeledSplit(3), error_score="raise"
    )
    rows = np.flatnonzero(labeled)
    plain = make_pipeline(StandardScaler(), Watchful())
    expected = cross_val_score(plain, X[rows], y[rows], cv=3)
    assert found["test_score"] == pytest.approx(expected, abs=0.06)
    assert found["test_score"].min() > 0.85


SEARCHES = [
    lambda estimator, grid, cv: GridSearchCV(estimator, grid, cv=cv),
    lambda estimator, grid, cv: RandomizedSearchCV(
        estimator, grid, cv=cv, n_iter=2, random_state=0
    ),
    lambda estimator, grid, cv: HalvingGridSearchCV(
        estimator,
        grid,
        cv=cv,
        resource="watchful__max_iter",
        min_resources=10,
        max_resources=100,
        return_train_score=False,
    ),
]


@pytest.mark.parametrize("search", SEARCHES)
def test_searches(search, partly):
    X, y, _, _ = partly
    grid = {"watchful__C": [0.01, 0.1, 1.0]}
    search = search(_watchful(y), grid, UnlabeledSplit(StratifiedKFold(3)))
    search.set_params(error_score="raise").fit(X, y)
    assert search.best_score_ > 0.85
    assert search.n_splits_ == 3


def test_halving_asks_for_constant_splits(partly):
    X, y, _, _ = partly
    cv = UnlabeledSplit(StratifiedKFold(3, shuffle=True))
    with pytest.raises(ValueError, match="must yield consistent folds"):
        HalvingGridSearchCV(_watchful(y), {"watchful__C": [1.0]}, cv=cv).fit(X, y)


def test_predictions_of_all_rows_are_refused(partly):
    X, y, _, _ = partly
    with pytest.raises(ValueError, match="only works for partitions"):
        cross_val_predict(_watchful(y), X, y, cv=UnlabeledSplit(3))


def test_groups_without_routing(partly):
    X, y, _, groups = partly
    search = GridSearchCV(
        _watchful(y), {"watchful__C": [1.0]}, cv=UnlabeledSplit(GroupKFold(3))
    )
    with pytest.raises(ValueError, match="groups"):
        search.fit(X, y)
    search.fit(X, y, groups=groups)
    assert search.n_splits_ == 3


def test_groups_are_routed(partly):
    X, y, labeled, groups = partly
    seen = []

    class Spy(GroupKFold):
        def split(self, X, y=None, groups=None):
            seen.append(groups)
            return super().split(X, y, groups)

    with sklearn.config_context(enable_metadata_routing=True):
        cv = UnlabeledSplit(Spy(3))
        cross_validate(_watchful(y), X, y, cv=cv, params={"groups": groups})
        assert_array_equal(seen[0], groups[labeled])
        with pytest.raises(TypeError, match="groups"):
            cross_validate(
                _watchful(y), X, y, cv=UnlabeledSplit(3), params={"groups": groups}
            )
        search = GridSearchCV(_watchful(y), {"watchful__C": [1.0]}, cv=cv)
        search.fit(X, y, groups=groups)
        assert search.n_splits_ == 3


def test_pretrains_on_unlabelled_rows_in_a_pipeline(partly):
    X, y, _, _ = partly
    ssl = make(SCARF)
    pipeline = make_pipeline(ssl, SelfTrainingClassifier(LogisticRegression()))
    scores = cross_val_score(pipeline, X, y, cv=UnlabeledSplit(3))
    assert scores.mean() > 0.85
