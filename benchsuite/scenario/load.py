"""Scenario files: where they are (a path, or the name of one that benchsuite ships), their text, and `load`,
which checks and resolves one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.errors import DOCUMENT, Problem, ScenarioError, UsageError, did_you_mean, suggested
from benchsuite.io import nearest_file

if TYPE_CHECKING:
    from benchsuite.scenario.model import Scenario

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped() -> dict[str, Path]:
    """Name → file of every scenario that comes with benchsuite, by name."""
    installed = _PACKAGE / "_shipped"  # in a wheel; a checkout has them beside the package
    folder = installed if installed.is_dir() else _PACKAGE.parent / "scenarios"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def resolve(reference: str) -> Path:
    """The file that `reference` means: an existing file, or else the shipped scenario of this name.

    Raises:
        UsageError: there is neither; the message lists the names.
    """
    path = Path(reference)
    if path.is_file():
        return path
    scenarios = shipped()
    if reference in scenarios:
        return scenarios[reference]
    hint = suggested(nearest_file(path)) or did_you_mean(path.stem, scenarios)
    raise UsageError(
        f'no file and no shipped scenario is called "{reference}"{hint}\n'
        f"  shipped: {', '.join(scenarios) or 'none'}"
    )


def read(path: Path) -> str:
    """The text of a scenario file.

    Raises:
        ScenarioError: the file cannot be read, is too large, or is not text.
    """
    from benchsuite.scenario.yaml_tree import (
        MAX_BYTES,
        TOO_LARGE,
    )  # with PyYAML, which finding a file needs not

    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) <= MAX_BYTES:
            return data.decode("utf-8-sig")
        message = TOO_LARGE
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text: byte {error.start} does not decode"
    raise ScenarioError([Problem(str(path), 0, 0, "", message)])


def title(path: Path) -> str:
    """Title that a scenario gives itself; empty if the file does not say."""
    from benchsuite.scenario.yaml_tree import parse

    source = parse(read(path), str(path))
    node = source.root.child("title") if source.root else None
    return node.value if node and isinstance(node.value, str) else ""


def load(
    source: Path | Mapping[str, Any],
    known: Mapping[str, Sequence[str]],
    *,
    profiles: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> Scenario:
    """Read a scenario, lay profiles and then overrides over it, and check all of it.

    Args:
        source: a file, or the document that one would hold.
        known: mixer → names of its parameters.

    Raises:
        ScenarioError: with all mistakes, in the order of the file.
    """
    from benchsuite.scenario.validate import check, check_tree
    from benchsuite.scenario.yaml_tree import grown

    if isinstance(source, Mapping):
        root = grown(source, DOCUMENT)
        checked = check_tree(root, known, profiles=profiles, overrides=overrides)
    else:
        checked = check(read(source), str(source), known, profiles=profiles, overrides=overrides)
    if checked.scenario is None:
        raise ScenarioError(checked.problems)
    return _with_kernel_rows(checked.scenario)


def _with_kernel_rows(scenario: Scenario) -> Scenario:
    """The scenario with what "auto" stands for, if any of its cells asks."""
    from benchsuite.scenario.kernel_table import AUTO, table

    included = (block.kernel for block in scenario.include if block.kernel is not None)
    if not any(AUTO in kernels for kernels in (scenario.sweep.kernel, *included)):
        return scenario
    names = {entry.name for entry in scenario.sweep.entries}
    rows = tuple(row for row in table() if row.mixer in names)
    return scenario.model_copy(update={"kernel_rows": rows})
