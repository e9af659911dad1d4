"""Same seed, data and thread count: the same weights, bit for bit."""

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone

from tests.helpers import (
    ALL,
    CASES,
    METHODS,
    assert_same_fit,
    fitted,
    make,
    make_array,
    make_data,
    run_python,
    take,
)


@pytest.mark.parametrize("cls, modality", CASES)
def test_same_seed_same_fit(cls, modality):
    X = make_data(modality)
    estimator = fitted(cls, modality)
    assert_same_fit(clone(estimator).fit(X), estimator, X)
    # A refit does not depend on what the estimator learned before.
    refitted = clone(estimator).fit(take(X, slice(50)))
    assert_same_fit(refitted.fit(X), estimator, X)
    other = clone(estimator).set_params(random_state=1).fit(X)
    assert not np.array_equal(other.transform(X), estimator.transform(X))


@pytest.mark.parametrize("cls, modality", CASES)
def test_every_kind_of_random_state(cls, modality):
    X = take(make_data(modality), slice(30))

    def fit(state):
        estimator = make(cls, modality=modality, random_state=state, max_epochs=1)
        return estimator.fit(X)

    for kind in np.random.RandomState, np.random.default_rng:
        assert_same_fit(fit(kind(3)), fit(kind(3)), X)
    assert_same_fit(fit(2**70), fit(2**70), X)  # of `secrets.randbits(128)`
    assert fit(None).loss_curve_ != fit(None).loss_curve_


def embed(cls, X, seed=0):
    return make(cls, random_state=seed, early_stopping=True).fit_transform(X)


def test_same_bits_in_another_process(tmp_path):
    tasks = [(make(cls, early_stopping=True), make_array(cls)) for cls in ALL.values()]
    joblib.dump(tasks, tmp_path / "tasks")
    code = f"""
import joblib
tasks = joblib.load({str(tmp_path / "tasks")!r})
found = [estimator.fit_transform(X) for estimator, X in tasks]
joblib.dump(found, {str(tmp_path / "found")!r})
"""
    run_python(code, OMP_NUM_THREADS="2", PYTHONHASHSEED="1")
    for Z, (estimator, X) in zip(joblib.load(tmp_path / "found"), tasks, strict=True):
        assert_array_equal(Z, estimator.fit_transform(X), strict=True)


@pytest.mark.parametrize("cls", METHODS)
def test_parallel_fits_equal_serial_ones(cls, torch_threads):
    X = make_array(cls, 60)
    serial = [embed(cls, X, seed) for seed in range(4)]
    torch_threads(2)
    parallel = joblib.Parallel(n_jobs=4, backend="threading")(
        joblib.delayed(embed)(cls, X, seed) for seed in [*range(4)] * 2
    )
    assert torch.get_num_threads() == 2
    for actual, desired in zip(parallel, serial * 2, strict=True):
        assert_array_equal(actual, desired, strict=True)


def test_loky_fits_equal_serial_ones():
    jobs = [
        (make(cls, random_state=seed, early_stopping=True), make_array(cls))
        for cls in ALL.values()
        for seed in range(2)
    ]
    parallel = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(clone(estimator).fit_transform)(X) for estimator, X in jobs
    )
    for (estimator, X), Z in zip(jobs, parallel, strict=True):
        assert_array_equal(Z, estimator.fit_transform(X), strict=True)
