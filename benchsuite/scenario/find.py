"""Scenario files: where they are (a path, or the name of one that benchsuite ships) and what they hold."""

from __future__ import annotations

from pathlib import Path

from benchsuite.errors import Problem, ScenarioError, UsageError, nearest

MAX_BYTES = 1_000_000
"""Many times the longest scenario anyone would write by hand; YAML parsers are slow."""
TOO_LARGE = "the file is larger than 1 MB"

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
    near = nearest(path.stem, scenarios)
    hint = f'; did you mean "{near}"?' if near else ""
    raise UsageError(
        f'no file and no shipped scenario is called "{reference}"{hint}\n'
        f"  shipped: {', '.join(scenarios) or 'none'}"
    )


def read(path: Path) -> str:
    """The text of a scenario file.

    Raises:
        ScenarioError: the file cannot be read, is too large, or is not text.
    """
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
    """What a scenario calls itself; empty if the file does not say."""
    from benchsuite.scenario.yaml_tree import parse

    source = parse(read(path), str(path))
    node = source.root.child("title") if source.root else None
    return node.value if node and isinstance(node.value, str) else ""
