"""benchsuite measures what vision token mixers really cost, and says how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["__version__", "load"]

if TYPE_CHECKING:
    from benchsuite.results.frame import load


def __getattr__(name: str) -> object:
    """Import `load` on use, so that the command line starts without pandas."""
    if name == "load":
        from benchsuite.results.frame import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
