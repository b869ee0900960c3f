"""What a gate found as a JSON file and back, so that formats can be made later and elsewhere. No torch."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.analyse.gate_result import GateResult
from benchsuite.errors import UsageError
from benchsuite.results.untrusted import parse

if TYPE_CHECKING:
    from pydantic import TypeAdapter

GATE_VERSION = 1
"""Of the file; it counts up when a field changes its meaning."""
RESULT = "result.json"
"""Name of the file in the folder of a gate."""
_MAY_BE_NAN = ("ratio", "lo", "hi", "p")
"""Numbers of a decision that may be unknown: null in the file, NaN here."""


def dump(result: GateResult) -> str:
    """The file's text: the fields of `GateResult` and a `version`, indented.

    A number that is not known is null. A change does not repeat the cell that it belongs to.
    """
    data = asdict(result) | {"rule": result.rule.model_dump(mode="json") if result.rule else None}
    for cell in data["cells"]:
        for change in (*cell["changes"], *cell["accepted"]):
            del change["cell"]
        if cell["decision"] is not None:
            for key in _MAY_BE_NAN:
                if math.isnan(cell["decision"][key]):
                    cell["decision"][key] = None
    whole = {"version": GATE_VERSION} | data
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def load(text: str, name: str = RESULT) -> GateResult:
    """What `dump` wrote.

    Args:
        name: of the file, for messages.

    Raises:
        UsageError: it is no result of a gate, or a newer version of benchsuite wrote it.
    """
    try:
        data: Any = parse(text)
        version = data.pop("version")
        if isinstance(version, int) and version > GATE_VERSION:
            raise UsageError(
                f"{name}: version {version} of a gate's result is newer than this benchsuite reads (up to "
                f"{GATE_VERSION}); update with: pip install --upgrade benchsuite"
            )
        for cell in data["cells"]:
            for change in (*cell["changes"], *cell["accepted"]):
                change["cell"] = cell["cell"]
            if cell["decision"] is not None:
                cell["decision"] |= {k: math.nan for k in _MAY_BE_NAN if cell["decision"][k] is None}
        return _adapter().validate_python(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{name}: not the result of a gate: {str(error).splitlines()[0]}") from error


def write(result: GateResult, path: Path) -> None:
    """Write the file whole: a reader sees the old one or the new one."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(dump(result), encoding="utf-8")
    temporary.replace(path)


def read(path: Path) -> GateResult:
    """The result in a file, or in the folder of a gate.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    file = path / RESULT if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read: {error}") from error
    return load(text, str(file))


@functools.cache
def _adapter() -> TypeAdapter[GateResult]:
    from pydantic import TypeAdapter

    return TypeAdapter(GateResult)
