"""Docstrings are complete and tell the truth."""

import ast
import dataclasses
import inspect

import numpy as np
import pytest
from numpydoc import docscrape
from numpydoc.validate import validate

from sklearn_ssl import (
    all_methods,
    encoders,
    inspection,
    metrics,
    modalities,
    model_selection,
    objectives,
    semi_supervised,
    views,
)
from sklearn_ssl.base import SSLTransformer
from tests.helpers import CASES, METHODS, fitted, make, make_data

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
DISPLAYS = [getattr(inspection, name) for name in inspection.__all__]


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
    for module in (inspection, metrics, model_selection, objectives, semi_supervised):
        for name in module.__all__:
            if hasattr(getattr(module, name), "__qualname__"):  # scorers are objects
                yield f"{module.__name__}.{name}"
    for cls in DISPLAYS:
        for name, _ in inspect.getmembers(cls, inspect.isroutine):
            if name == "plot" or name.startswith("from_"):
                yield f"{cls.__module__}.{cls.__name__}.{name}"
    for name in ("fit", "predict", "predict_proba", "decision_function", "score"):
        yield f"sklearn_ssl.semi_supervised.SSLClassifier.{name}"
    for name in ("fit", "transform"):
        yield f"sklearn_ssl.semi_supervised.AutoSSL.{name}"
    for name in ("split", "get_n_splits", "get_metadata_routing"):
        yield f"sklearn_ssl.model_selection.UnlabeledSplit.{name}"
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


@pytest.mark.parametrize("cls", [*all_methods().values(), *COMPONENTS])
def test_defaults_are_the_documented_ones(cls):
    entries = docscrape.NumpyDocString(inspect.cleandoc(cls.__doc__))["Parameters"]
    documented = {}
    for entry in entries:
        default = ast.literal_eval(entry.type.rsplit("default=")[1])
        documented |= dict.fromkeys(entry.name.split(", "), default)
    actual = {field.name: field.default for field in dataclasses.fields(cls)}
    assert documented.keys() == actual.keys()
    for name, default in actual.items():
        numbers = np.ravel(default).dtype.kind in "if"
        # Docstrings round 4 / 3.
        expected = pytest.approx(default, rel=0.005) if numbers else default
        assert documented[name] == expected, name
        assert type(documented[name]) is type(default), name


@pytest.mark.parametrize("cls, modality", CASES)
def test_fitted_attributes_are_the_documented_ones(cls, modality):
    X = make_data(modality)
    expected = set(_documented(cls, "Attributes"))
    if not hasattr(X, "columns"):
        expected.remove("feature_names_in_")
    for estimator in fitted(cls, modality), make(cls, modality=modality).partial_fit(X):
        names = {name for name in vars(estimator) if name.endswith("_")}
        assert {name for name in names if not name.startswith("_")} == expected
