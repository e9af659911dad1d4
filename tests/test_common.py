"""Every method x every check: a row in the registry buys a method all of these."""

import math
from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

from sklearn_ssl import all_methods
from tests.helpers import ALL, CASES, METHODS, fitted, make, make_data

# What scikit-learn asks ---------------------------------------------------------------


def _sklearn_checks():
    for name, cls in ALL.items():
        for estimator, check in estimator_checks_generator(make(cls, max_epochs=1)):
            function = check
            while hasattr(function, "func"):
                function = function.func
            yield pytest.param(estimator, check, id=f"{name}-{function.__name__}")


@pytest.mark.parametrize("estimator, check", list(_sklearn_checks()))
def test_sklearn_checks(estimator, check):
    """All of ``check_estimator``; no failure is expected."""
    check(estimator)


# Those that scikit-learn runs on its own estimators and check_estimator leaves out, as
# far as they speak of transformers. (check_param_validation asks for a private table of
# constraints; invariants/test_bad_input.py has bad values.)
EXTRA_CHECKS = [
    "check_dataframe_column_names_consistency",
    "check_estimators_partial_fit_n_features",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]


@pytest.mark.filterwarnings("ignore:X .*feature names:UserWarning")
@pytest.mark.parametrize("check", EXTRA_CHECKS)
@pytest.mark.parametrize("cls", METHODS)
def test_extra_sklearn_checks(cls, check):
    if not hasattr(estimator_checks, check):
        pytest.skip(f"this scikit-learn has no {check}")
    estimator = make(cls, max_epochs=1)
    if not estimator.__sklearn_tags__().input_tags.two_d_array:
        pytest.skip(f"{cls.__name__} does not take 2-D arrays")
    getattr(estimator_checks, check)(cls.__name__, estimator)


# What users see -----------------------------------------------------------------------


@pytest.mark.parametrize("cls, modality", CASES)
def test_fit_leaves_parameters_alone(cls, modality):
    estimator = make(cls, modality=modality)
    resolved = fitted(cls, modality)
    # Components as parameters: the user's own stay unfitted.
    names = [name for name in ("modality", "encoder", "views") if hasattr(cls, name)]
    estimator.set_params(
        **{name: clone(getattr(resolved, f"{name}_")) for name in names}
    )
    before = estimator.get_params()
    inside = {name: dict(vars(getattr(estimator, name))) for name in names}
    X = make_data(modality, 60)
    estimator.fit(X).partial_fit(X)
    after = estimator.get_params()
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    for name in names:
        assert vars(getattr(estimator, name)) == inside[name]


@pytest.mark.parametrize("cls, modality", CASES)
def test_score_is_repeatable_and_rises_with_training(cls, modality):
    X = make_data(modality)
    # Small heads learn little within ten epochs where a queue has to fill first.
    params = {"modality": modality, "small_heads": not hasattr(cls, "queue_length")}
    # Subsets of columns agree well before they tell anything.
    n_epochs = 30 if hasattr(cls, "n_subsets") else 10
    untrained = make(cls, **params, max_epochs=0).fit(X)
    trained = make(cls, **params, max_epochs=n_epochs, early_stopping=False).fit(X)
    scores = [trained.score(X) for _ in range(3)]
    assert isinstance(scores[0], float)
    assert len(set(scores)) == 1
    assert scores[0] > untrained.score(X)


@pytest.mark.parametrize("cls, modality", CASES)
def test_transform_draws_no_view(cls, modality):
    X = make_data(modality)
    Z = fitted(cls, modality).transform(X)
    copied = deepcopy(fitted(cls, modality))
    copied._network.task.views = lambda *args: pytest.fail("drew a view")
    assert_array_equal(copied.transform(X), Z, strict=True)


@pytest.mark.parametrize("cls, modality", CASES)
def test_no_epochs(cls, modality):
    X = make_data(modality)
    estimator = make(cls, modality=modality, max_epochs=0).fit(X)
    assert estimator.n_iter_ == estimator.max_epochs_ == 0
    assert estimator.loss_curve_ == estimator.validation_loss_curve_ == []
    assert estimator.embedding_std_curve_ == estimator.embedding_rank_curve_ == []
    Z = estimator.transform(X)
    assert Z.dtype == np.float32
    assert np.isfinite(Z).all()
    assert Z.std() > 0


@pytest.mark.parametrize("cls, modality", CASES)
def test_features_need_no_scaler(cls, modality):
    X = make_data(modality)
    estimator = fitted(cls, modality)
    Z = estimator.transform(X)
    assert abs(Z.mean(axis=0)).max() < 1e-3
    # The same scale whatever the width of the encoder.
    norm = np.sqrt((Z**2).sum(axis=1).mean())
    assert norm == pytest.approx(math.hypot(*estimator.modality_.norms), rel=1e-3)


@pytest.mark.parametrize("cls, modality", CASES)
def test_curves_have_one_value_an_epoch(cls, modality):
    X = make_data(modality)
    estimator = make(cls, modality=modality, max_epochs=3, early_stopping=True)
    estimator.set_params(n_iter_no_change=3).fit(X)
    assert estimator.n_iter_ == 3
    for curve in (
        estimator.loss_curve_,
        estimator.validation_loss_curve_,
        estimator.embedding_std_curve_,
        estimator.embedding_rank_curve_,
    ):
        assert len(curve) == 3
        assert np.isfinite(curve).all()
    assert fitted(cls, modality).n_iter_ == 2


@pytest.mark.parametrize("cls", METHODS)
def test_names_of_features(cls):
    estimator = fitted(cls, cls.modalities[0])
    names = estimator.get_feature_names_out()
    n = estimator.transform(make_data(cls.modalities[0])).shape[1]
    assert list(names) == [f"{cls.__name__.lower()}{i}" for i in range(n)]


def test_wine_keeps_its_classes_apart():
    """All the above could hold for features that say nothing."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    X, y = load_wine(return_X_y=True)
    for cls in all_methods().values():
        if "table" in cls.modalities:
            Z = make(cls).fit_transform(X)
            assert cross_val_score(LogisticRegression(), Z, y).mean() > 0.9
