"""The worked example of CONTRIBUTING.md is a method that works."""

import re
import sys
import types
from pathlib import Path

import pytest
from sklearn.utils.estimator_checks import check_estimator

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"


@pytest.fixture
def example(monkeypatch):
    code = re.search(r"```python\n(.*?)```", CONTRIBUTING.read_text(), re.S).group(1)
    module = types.ModuleType("example_of_contributing")
    # Dataclasses and pickle look a class up in its module.
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, str(CONTRIBUTING), "exec"), vars(module))
    return module.SimSiam


def test_example_passes_all_checks(example):
    check_estimator(example(max_epochs=1), on_skip=None)


def test_example_gets_shared_documentation(example):
    assert "random_state : int" in example.__doc__
    assert "{" not in example.__doc__.split("Attributes")[0].split("modality :")[0]
