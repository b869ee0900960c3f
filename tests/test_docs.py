"""What the documents say is there, and what they tell a reader to type works.

The notebooks of examples/ are run by tests/api/test_notebook.py."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchsuite.scenario.model import Document
from benchsuite.scenario.validate import check
from benchsuite.zoo.catalogue import known_parameters
from tests.documents import DOCUMENTS, ROOT, Block, blocks_of, commands_of, mentioned, mistake, words_of

BLOCKS = [block for path in DOCUMENTS for block in blocks_of(path)]
ELSEWHERE = {"torch.py", "tests/test_speed.py"}
"""Files that a document names and that are not of this project."""

NOT_RUN = {
    "make": "sets up an environment of gigabytes, or runs what these tests are part of",
    "pip": "installs packages",
    ".venv": "an environment of a contributor",
    "benchsuite status runs/hilo": "is of a run on a cluster",
    "benchsuite run hilo --device cuda --executor": "needs a cluster with GPUs",
    "benchsuite run hilo --executor ray": "starts a Ray cluster: tests/runner/executors does",
    "benchsuite gate ci_gate --base": "times two revisions for minutes: tests/cli/test_gate_measured.py does",
    "benchsuite gate mine.yaml --base": "times two revisions of a reader's repository",
    "benchsuite gate scenarios/mine.yaml --base": "times two revisions of a reader's repository",
    "benchsuite gate scenarios/built.yaml --base": "builds and times two revisions of a reader's repository",
    "benchsuite gate runs/new": "wants a baseline of this machine: tests/cli/test_baseline_commands.py",
    "benchsuite run scenarios/mine.yaml --out runs/1": "the first of three runs of the reader",
    "benchsuite baseline update": "wants three runs: tests/cli/test_baseline_commands.py has them",
    "benchsuite baseline accept": "wants a change: tests/cli/test_baseline_commands.py plants one",
    "benchsuite selftest": "wants an idle machine for minutes: tests/health runs it",
    "benchsuite tune": "measures for minutes: tests/health/test_tune.py plants what it finds",
    "benchsuite parity tests/data/golden --kernel": "compiles for minutes: tests/mixers/test_compiled.py",
    "benchsuite merge s1 s2": "wants parts of a run: tests/cli/test_merge_command.py has them",
    "pytest": "the tests of the example: tests/test_gated_package.py runs them",
}
"""Beginning of a command → why it is only checked word by word."""

_QUICK = "--profile quick --filter 'mixer=hilo,msa resolution<=448 kernel=math'"
_SMALL = "--set sweep.resolution=224 --set sweep.dim=48 --set sweep.num_heads=4 --set measure.max_s=0.3"
APPENDED = {
    "benchsuite time hilo msa --resolution 224,448": "--dry-run",
    "benchsuite run hilo": "--dry-run --filter 'mixer=hilo resolution=224'",
    "benchsuite run hilo --filter": "--dry-run",
    "benchsuite run hilo --out r1": _QUICK,
    "benchsuite run hilo --profile quick --out": _QUICK,
    "benchsuite run hilo --shard": "--profile quick --filter 'mixer=hilo' --executor inline",
    "benchsuite run examples/own_mixer/own_mixer.yaml": "--profile quick",
    "benchsuite run mine.yaml": _SMALL,
    "benchsuite time msa shift_mixer": "--dry-run",
    "benchsuite profile hilo": _QUICK,
}
"""Beginning of a command that measures for minutes → what is added, so that it takes seconds."""

HOME = dict.fromkeys(("docs/ci/README.md", "examples/gated_package/README.md"), "examples/gated_package")
"""Document → the folder whose copy its commands run in; others run in a copy of parts of the checkout."""
_PARTS = ("scenarios", "baselines", "examples", "tests/data/golden", "reports/hilo-cpu")

_REST = {
    "name": "part",
    "title": "A part",
    "sweep": {"mixer": [{"name": "msa", "label": "MSA"}, {"name": "hilo", "label": "HiLo"}]},
}
"""What makes a scenario of a part of one."""


def matched(command: str, table: dict[str, str]) -> str | None:
    """The longest beginning in a table that a command has."""
    return max((begin for begin in table if command.startswith(begin)), key=len, default=None)


def script(block: Block) -> str:
    """The commands of a block that are run, with what is added to them; empty if there are none."""
    lines = []
    for command in commands_of(block):
        if matched(command, NOT_RUN) is None:
            begin = None if "--dry-run" in command else matched(command, APPENDED)
            lines.append(f"{shlex.join(words_of(command))} {APPENDED[begin]}" if begin else command)
    return "\n".join(lines)


def named(block: Block) -> str:
    return f"{block.document}:{block.line}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_of_a_document_is_one_that_there_is(document: Path) -> None:
    whole = [one for block in blocks_of(document) if block.language == "sh" for one in commands_of(block)]
    wrong = {one: mistake(words_of(one)) for one in whole}
    wrong |= {one: mistake(words_of(one), complete=False) for one in mentioned(document)}
    assert {command: why for command, why in wrong.items() if why} == {}


def test_every_block_has_a_language_that_is_checked() -> None:
    known = {"sh", "python", "yaml", "toml", "text"}
    assert [named(block) for block in BLOCKS if block.language not in known] == []


def test_every_exception_is_of_a_command_that_a_document_has() -> None:
    commands = [one for block in BLOCKS if block.language == "sh" for one in commands_of(block)]
    for table in (NOT_RUN, APPENDED):
        assert set(table) - {matched(one, table) for one in commands} == set()


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "yaml"], ids=named)
def test_every_scenario_of_a_document_passes_check(block: Block) -> None:
    """A part of a scenario is checked with the rest of one around it."""
    document: Any = yaml.safe_load(block.text)
    if set(document) & set(Document.model_fields):
        rest = {key: value for key, value in _REST.items() if key not in document}
        text = block.text + "\n" + (yaml.safe_dump(rest) if rest else "")
        assert [str(problem) for problem in check(text, named(block), known_parameters()).problems] == []


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "toml"], ids=named)
def test_every_toml_of_a_document_parses(block: Block) -> None:
    assert pytest.importorskip("tomllib").loads(block.text)


def home(document: str, folder: Path) -> None:
    """Lay out what the blocks of a document find in the folder that they run in."""
    if own := HOME.get(document):
        shutil.copytree(ROOT / own, folder, dirs_exist_ok=True)
    else:
        for part in _PARTS:
            shutil.copytree(ROOT / part, folder / part)
    for block in BLOCKS:
        if block.document == document and block.language == "yaml":
            name = yaml.safe_load(block.text).get("name", "part")
            (folder / f"{name}.yaml").write_text(block.text, encoding="utf-8")
    commands = folder / ".bin"
    commands.mkdir()
    (commands / "benchsuite").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m benchsuite "$@"\n')
    (commands / "benchsuite").chmod(0o755)


def runnable(block: Block) -> bool:
    return block.language == "python" or (block.language == "sh" and bool(script(block)))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("document", list(dict.fromkeys(one.document for one in BLOCKS if runnable(one))))
def test_the_blocks_of_a_document_do_what_it_says(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of one document run in order in one folder: a later one finds what an earlier one made."""
    names: dict[str, Any] = {"__name__": "__main__"}
    home(document, tmp_path)
    monkeypatch.chdir(tmp_path)
    for block in (one for one in BLOCKS if one.document == document and runnable(one)):
        if block.language == "python":
            exec(compile(block.text, named(block), "exec"), names)
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script(block)],
            env={
                **os.environ,
                "PATH": f"{tmp_path / '.bin'}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{named(block)}\n{script(block)}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_python_file_that_a_document_names_is_there(document: Path) -> None:
    files = set(re.findall(r"`([\w./-]+\.py)`", document.read_text(encoding="utf-8"))) - ELSEWHERE
    there = [
        f"/{path.relative_to(ROOT).as_posix()}"
        for folder in ("benchsuite", "benchsuite_pytest", "benchmarks", "tests", "examples")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert [name for name in sorted(files) if not any(path.endswith(f"/{name}") for path in there)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(((?!https?:)[^)\s]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not leads_somewhere(document, *link.partition("#")[::2])] == []


def leads_somewhere(document: Path, file: str, heading: str) -> bool:
    """Whether a file is there, and has this heading if one is named."""
    target = document.parent / file if file else document
    if not heading:
        return target.exists()
    titles = re.findall(r"^#+ (.*)", target.read_text(encoding="utf-8"), re.M)
    return heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_index_leads_to_every_page() -> None:
    text = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([^)#\s]+)", text))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if not page.startswith("design/")} - linked == {"README.md"}


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
