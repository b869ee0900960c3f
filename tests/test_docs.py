"""Files and functions that the documents name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md")),
]
ELSEWHERE = {"torch.py"}
"""Files that a document names and that are not of this project."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_python_file_that_a_document_names_is_there(document: Path) -> None:
    named = set(re.findall(r"`([\w./-]+\.py)`", document.read_text(encoding="utf-8"))) - ELSEWHERE
    there = [
        f"/{path.relative_to(ROOT).as_posix()}"
        for folder in ("benchsuite", "benchsuite_pytest", "benchmarks", "tests", "examples")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in there)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(((?!https?:|#)[^)#\s]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_way_from_yaml_to_html_names_functions_that_there_are() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    steps = re.findall(r"`([\w/]+\.py)`: `(\w+)`", text)
    assert len(steps) >= 10
    for file, name in steps:
        source = (ROOT / "benchsuite" / file).read_text(encoding="utf-8")
        assert re.search(rf"^(def|class) {name}\b", source, re.MULTILINE), f"{file}: {name}"


def test_the_table_of_packages_names_all_of_them_and_nothing_else() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition("\n## ")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]
    there = {
        path.name
        for path in (ROOT / "benchsuite").iterdir()
        if (path / "__init__.py").is_file() or (path.suffix == ".py" and not path.name.startswith("__"))
    }
    assert sorted(named) == sorted(there)
