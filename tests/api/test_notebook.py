"""The notebook of examples/: every code cell runs, in order, and shows what a notebook would show."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest


def shown(source: str, names: dict[str, Any]) -> object:
    """Run a code cell; the value of its last line, where that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None


@pytest.mark.slow
def test_the_notebook_runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads((repository / "examples/python.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    values = [shown(source, names) for source in cells]
    rich = [value._repr_html_() for value in values if hasattr(value, "_repr_html_")]
    assert len(rich) >= 4
    assert all("<table" in html or "<img" in html for html in rich)
    assert any(re.search(r"without a 95\s% interval", html) for html in rich)
