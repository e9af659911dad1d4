"""Every method x every check: a row in the registry buys a method all of these."""

import copy
import inspect
import pickle
import pickletools
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from numpydoc import docscrape
from numpydoc.validate import validate
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

from sklearn_ssl import all_methods, encoders, modalities, objectives, views
from sklearn_ssl.base import SSLTransformer

METHODS = [pytest.param(cls, id=name) for name, cls in all_methods().items()]
CASES = [
    pytest.param(cls, modality, id=f"{name}-{modality}")
    for name, cls in all_methods().items()
    for modality in cls.modalities
]


def make(cls, **params):
    """A small instance, quick to fit."""
    return cls(**{"max_epochs": 2, "random_state": 0} | params)


@cache
def make_data(modality, n=200):
    """n rows of a modality; a new modality adds a branch."""
    rng = np.random.default_rng(0)
    if modality == "table":
        X = rng.normal(size=(n, 3)) @ rng.normal(size=(3, 6))
        X[::9, 2] = np.nan
        frame = pd.DataFrame(X, columns=list("abcdef"))
        return frame.assign(city=rng.choice(["Bern", "Chur", "Genf"], size=n))
    if modality == "image":
        images = load_digits().images
        return images[rng.integers(len(images), size=n)].astype(np.float32)
    raise NotImplementedError(f"make_data needs a branch for {modality!r}.")


@cache
def fitted(cls, modality):
    """A fitted instance that no test may change."""
    return make(cls, modality=modality).fit(make_data(modality))


def take(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


# What scikit-learn asks ---------------------------------------------------------------


def _sklearn_checks():
    for name, cls in all_methods().items():
        for estimator, check in estimator_checks_generator(make(cls)):
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
# constraints; test_invariants.py has bad values.)
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
    estimator = make(cls)
    if not estimator.__sklearn_tags__().input_tags.two_d_array:
        pytest.skip(f"{cls.__name__} does not take 2-D arrays")
    getattr(estimator_checks, check)(cls.__name__, estimator)


# Documentation ------------------------------------------------------------------------

# Left out: codes of taste (GL01, GL02: quotes; SS05: mood; ES01, SA, EX: sections that
# not every object needs; PR07, RT03: name and type may say it all; PR08: symbols) and
# PR03, order, which is tested below: a class's own parameters come before shared ones.
DOCSTRING_CODES = {
    *("GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "GL10"),
    *("SS01", "SS02", "SS03", "SS04", "SS06"),
    *("PR01", "PR02", "PR04", "PR05", "PR06", "PR09", "PR10"),
    *("RT01", "RT04", "RT05", "YD01"),
}
COMPONENTS = [
    getattr(module, name)
    for module in (encoders, modalities, views)
    for name in module.__all__
    if inspect.isclass(getattr(module, name))
]


def _public_objects():
    for cls in [*all_methods().values(), *COMPONENTS]:
        yield f"{cls.__module__}.{cls.__name__}"
    for cls in all_methods().values():
        for name, member in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_") and member.__module__.startswith("sklearn_ssl"):
                yield f"{cls.__module__}.{cls.__name__}.{name}"
    for cls in COMPONENTS:
        # The rest is what the package asks of a component, not what users call.
        for name in ("fit", "to_arrays"):
            if hasattr(cls, name):
                yield f"{cls.__module__}.{cls.__name__}.{name}"
    for name in objectives.__all__:
        yield f"sklearn_ssl.objectives.{name}"
    yield "sklearn_ssl.all_methods"


def _documented(cls, section):
    """Names in a section of a class's docstring."""
    entries = docscrape.NumpyDocString(inspect.cleandoc(cls.__doc__))[section]
    return [name for entry in entries for name in entry.name.split(", ")]


@pytest.mark.parametrize("path", list(_public_objects()))
def test_docstring(path):
    errors = [
        error for error in validate(path)["errors"] if error[0] in DOCSTRING_CODES
    ]
    assert not errors, "\n".join(f"{code}: {message}" for code, message in errors)


@pytest.mark.parametrize("cls", METHODS)
def test_own_parameters_are_documented_before_shared_ones(cls):
    shared = list(inspect.signature(SSLTransformer).parameters)
    own = [name for name in inspect.signature(cls).parameters if name not in shared]
    assert _documented(cls, "Parameters") == own + shared
    assert sorted(own + shared) == sorted(cls().get_params(deep=False))
    assert "{" + "training_parameters}" not in cls.__doc__
    assert "{" + "fitted_attributes}" not in cls.__doc__


@pytest.mark.parametrize("component", COMPONENTS)
def test_component_parameters_are_documented_in_order(component):
    parameters = list(inspect.signature(component).parameters)
    assert _documented(component, "Parameters") == parameters


@pytest.mark.parametrize("cls, modality", CASES)
def test_fitted_attributes_are_the_documented_ones(cls, modality):
    X = make_data(modality)
    expected = set(_documented(cls, "Attributes"))
    if not hasattr(X, "columns"):
        expected.remove("feature_names_in_")
    for estimator in fitted(cls, modality), make(cls, modality=modality).partial_fit(X):
        names = {name for name in vars(estimator) if name.endswith("_")}
        assert {name for name in names if not name.startswith("_")} == expected


# Invariants ---------------------------------------------------------------------------


def assert_same_fit(actual, desired, X):
    __tracebackhide__ = True
    weights, expected = actual._network.state(), desired._network.state()
    assert list(weights) == list(expected)
    for name, array in expected.items():
        assert_array_equal(weights[name], array, err_msg=name, strict=True)
    assert_array_equal(actual.transform(X), desired.transform(X), strict=True)
    assert actual.score(X) == desired.score(X)
    assert actual.loss_curve_ == desired.loss_curve_


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
        return make(cls, modality=modality, random_state=state).fit(X)

    for kind in np.random.RandomState, np.random.default_rng:
        assert_same_fit(fit(kind(3)), fit(kind(3)), X)
    assert fit(None).loss_curve_ != fit(None).loss_curve_


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("cls, modality", CASES)
def test_embedding_does_not_depend_on_other_rows(cls, modality, n_threads):
    estimator = fitted(cls, modality)
    n = estimator._network.task.inputs.tile + 37
    X = make_data(modality, n)
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        Z = estimator.transform(X)
        for rows in (
            np.array([0]),
            np.array([n - 1]),
            np.arange(n)[::-1],
            np.arange(5, n, 3),
            np.random.default_rng(0).permutation(n)[: n // 2],
        ):
            assert_array_equal(estimator.transform(take(X, rows)), Z[rows], strict=True)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("cls, modality", CASES)
def test_transform_and_score_from_several_threads(cls, modality):
    X = make_data(modality)
    # Unpickled, so that the threads also meet in rebuilding the network.
    estimator = pickle.loads(pickle.dumps(fitted(cls, modality)))
    Z, score = fitted(cls, modality).transform(X), fitted(cls, modality).score(X)
    parts = [slice(i, i + 61) for i in range(0, 160, 10)]
    with ThreadPoolExecutor(8) as pool:
        scores = [pool.submit(estimator.score, X) for _ in range(4)]
        found = list(pool.map(lambda rows: estimator.transform(take(X, rows)), parts))
    for rows, part in zip(parts, found, strict=True):
        assert_array_equal(part, Z[rows], strict=True)
    assert {future.result() for future in scores} == {score}


@pytest.mark.parametrize("cls, modality", CASES)
def test_pickle(cls, modality):
    X = make_data(modality)
    estimator = fitted(cls, modality)
    loaded = pickle.loads(pickle.dumps(estimator))
    assert_same_fit(loaded, estimator, X)
    # Also one that has not been used between loading and saving.
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(estimator))))
    assert_same_fit(again, estimator, X)


@pytest.mark.parametrize("cls, modality", CASES)
def test_pickle_holds_neither_torch_nor_data(cls, modality):
    sizes = []
    for n in (200, 2000):
        X = make_data(modality, n)
        estimator = make(cls, modality=modality, max_epochs=1, early_stopping=True)
        for fit in estimator.fit, estimator.partial_fit:
            data = pickle.dumps(fit(X))
            sizes.append(len(data))
            assert not _modules(data) & {"torch", "skorch"}
            values = np.asarray(X.drop(columns="city") if hasattr(X, "drop") else X)
            for row in values[[7, 100]]:
                for dtype in np.float64, np.float32:
                    assert row.astype(dtype).tobytes() not in data
    assert max(sizes) < min(sizes) + 2000


def _modules(data):
    """First names of the modules that a pickle imports."""
    words, found = [], set()
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "GLOBAL":
            found.add(argument.split(".")[0])
        elif opcode.name == "STACK_GLOBAL":
            found.add(words[-2].split(".")[0])
        if isinstance(argument, str):
            words.append(argument)
        elif opcode.name.endswith("BINGET"):
            words.append("")
    return found


@pytest.mark.parametrize("cls, modality", CASES)
def test_deep_copy_is_independent(cls, modality):
    X = make_data(modality)
    estimator = clone(fitted(cls, modality)).partial_fit(X)
    Z = estimator.transform(X)
    copied = copy.deepcopy(estimator)
    assert_same_fit(copied, estimator, X)
    copied.partial_fit(X)
    assert not np.array_equal(copied.transform(X), Z)
    assert_array_equal(estimator.transform(X), Z)


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
    estimator.fit(make_data(modality)).partial_fit(make_data(modality))
    after = estimator.get_params()
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    for name in names:
        assert vars(getattr(estimator, name)) == inside[name]


@pytest.mark.parametrize("cls, modality", CASES)
def test_score_is_repeatable_and_rises_with_training(cls, modality):
    X = make_data(modality)
    untrained = make(cls, modality=modality, max_epochs=0).fit(X)
    trained = make(cls, modality=modality, max_epochs=10, early_stopping=False).fit(X)
    scores = [trained.score(X) for _ in range(3)]
    assert isinstance(scores[0], float)
    assert len(set(scores)) == 1
    assert scores[0] > untrained.score(X)


@pytest.mark.parametrize("cls, modality", CASES)
def test_no_epochs(cls, modality):
    X = make_data(modality)
    estimator = make(cls, modality=modality, max_epochs=0).fit(X)
    assert estimator.n_iter_ == estimator.max_epochs_ == 0
    assert estimator.loss_curve_ == estimator.embedding_std_curve_ == []
    assert estimator.validation_loss_curve_ == []
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
    assert norm == pytest.approx(estimator.modality_.embedding_norm, rel=1e-3)


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
