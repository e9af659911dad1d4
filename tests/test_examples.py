"""The examples of the docs run as they stand, on fewer epochs."""

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_runs(path, capsys, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf().axes))
    shown = []
    code = path.read_text()
    assert "max_epochs=20" in code
    exec(compile(code.replace("max_epochs=20", "max_epochs=2"), path, "exec"), {})
    plt.close("all")
    assert code.count("plt.show()") == len(shown)
    assert all(shown)
    assert len(capsys.readouterr().out.splitlines()) >= code.count("print(")
