"""A failed or interrupted fit leaves the estimator as it was."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_ssl import BYOL, SCARF
from sklearn_ssl.engine.network import FittedNetwork
from tests.helpers import (
    METHODS,
    SPOILS,
    assert_same_fit,
    fail,
    interrupt,
    make,
    make_array,
    spoil_loss,
)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("cls", METHODS)
def test_interrupt_is_raised_again(cls, method, monkeypatch):
    spoil_loss(monkeypatch, cls, interrupt, after=1)
    estimator = make(cls, batch_size=20)
    with pytest.raises(KeyboardInterrupt):
        getattr(estimator, method)(make_array(cls))
    assert vars(estimator) == vars(make(cls, batch_size=20))


BAD_ROWS = pytest.param(None, ValueError, id="data")


def bad_rows(cls):
    X = make_array(cls).copy()
    X[(3,) * X.ndim] = np.inf
    return X


def _failures():
    """Every combination for a method with a teacher; of others each value once.

    Only a fit has two ways to start: `partial_fit` goes on whatever `warm_start` says.
    """
    calls = ["fit", "partial_fit"]
    failures = [*SPOILS, BAD_ROWS]
    for cls in METHODS:
        everything = product(calls, calls, failures, [False, True])
        warms = [False, False, True, True]
        few = zip(calls * 2, calls + calls[::-1], failures, warms, strict=True)
        for start, method, failure, warm in (
            everything if cls.values[0] is BYOL else few
        ):
            if cls.values[0] is BYOL and warm and method == "partial_fit":
                continue
            values = *cls.values, start, method, *failure.values, warm
            name = f"{cls.id}-{start}-{method}-{failure.id}-{warm}"
            yield pytest.param(*values, id=name)


@pytest.mark.parametrize(
    "cls, start, method, spoil, error, warm_start", list(_failures())
)
def test_failed_refit_leaves_the_old_model_whole(
    cls, start, method, spoil, error, warm_start, monkeypatch
):
    X = make_array(cls, 60)
    estimator = make(cls, warm_start=warm_start, batch_size=20)
    getattr(estimator, start)(X[:40])
    Z, score, before = estimator.transform(X), estimator.score(X), vars(estimator)
    before = dict(before)
    curves = {name: list(v) for name, v in before.items() if isinstance(v, list)}
    refit = getattr(estimator, method)
    with monkeypatch.context() as patch, pytest.raises(error) as caught:
        if spoil:
            spoil_loss(patch, cls, spoil, after=2)
        refit(X if spoil else bad_rows(cls))
    assert spoil or "infinity" in str(caught.value)
    after = vars(estimator)
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert all(after[name] == curve for name, curve in curves.items())
    assert estimator.score(X) == score
    assert_array_equal(estimator.transform(X), Z, strict=True)
    # The estimator still works.
    refit(X)
    assert not np.array_equal(estimator.transform(X), Z)


@pytest.mark.parametrize("start", ["new", "partial_fit", "fit"])
@pytest.mark.parametrize("cls", METHODS)
def test_interrupt_while_the_embedding_is_measured(cls, start, monkeypatch):
    """The weights are trained by then."""
    X = make_array(cls, 60)
    estimator, untouched = make(cls, batch_size=30), make(cls, batch_size=30)
    if start != "new":
        getattr(estimator, start)(X[:40])
        getattr(untouched, start)(X[:40])
    before = dict(vars(estimator))
    map_rows = FittedNetwork.map_rows

    def interrupted(*args):
        map_rows(*args)
        raise KeyboardInterrupt

    for method in "partial_fit", "fit":
        with monkeypatch.context() as patch:
            patch.setattr(FittedNetwork, "map_rows", interrupted)
            with pytest.raises(KeyboardInterrupt):
                getattr(estimator, method)(X)
        assert list(vars(estimator)) == list(before)
        assert all(vars(estimator)[name] is before[name] for name in before)
        if start != "new":
            assert_same_fit(estimator, untouched, X)
    # The next call goes on from before the interrupts.
    assert_same_fit(estimator.partial_fit(X), untouched.partial_fit(X), X)


def test_failed_partial_fit_can_be_repeated(monkeypatch):
    """The next call goes on from before the failure."""
    X = make_array(SCARF)
    estimator = make(SCARF, batch_size=20).partial_fit(X)
    with monkeypatch.context() as patch:
        spoil_loss(patch, SCARF, fail, after=2)
        with pytest.raises(RuntimeError):
            estimator.partial_fit(X)
    estimator.partial_fit(X)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 2
    assert len(estimator.embedding_std_curve_) == 2
