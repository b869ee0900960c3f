"""benchsuite measures what vision token mixers really cost, and says how sure it is.

Everything here is described in docs/python.md, and imported on use: the command line starts without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"
__all__ = [
    "__version__",
    "UsageError",
    "compare",
    "count",
    "count_operator",
    "create_mixer",
    "load",
    "load_gate",
    "measure",
    "run",
]

if TYPE_CHECKING:
    from benchsuite.api.comparison import compare
    from benchsuite.api.gates import load_gate
    from benchsuite.api.mixers import create_mixer
    from benchsuite.api.modules import count, measure
    from benchsuite.api.results import load
    from benchsuite.api.runs import run
    from benchsuite.errors import UsageError
    from benchsuite.measurement.op_table import count_operator

_PLACES = {
    "UsageError": "benchsuite.errors",
    "compare": "benchsuite.api.comparison",
    "count": "benchsuite.api.modules",
    "count_operator": "benchsuite.measurement.op_table",
    "create_mixer": "benchsuite.api.mixers",
    "load": "benchsuite.api.results",
    "load_gate": "benchsuite.api.gates",
    "measure": "benchsuite.api.modules",
    "run": "benchsuite.api.runs",
}
"""Name → the module that has it."""


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
