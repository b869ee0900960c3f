"""benchsuite measures what vision token mixers really cost, and says how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["__version__", "count_operator", "load"]

if TYPE_CHECKING:
    from benchsuite.measurement.op_table import count_operator
    from benchsuite.results.frame import load


def __getattr__(name: str) -> object:
    """Import these on use, so that the command line starts without pandas and torch."""
    if name == "load":
        from benchsuite.results.frame import load

        return load
    if name == "count_operator":
        from benchsuite.measurement.op_table import count_operator

        return count_operator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
