"""Stored results of gates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchsuite.gate.result import GateResult


class LoadedGate:
    """Result of a gate.

    Attributes:
        result: verdicts, ratios and pairs of each cell.
    """

    def __init__(self, result: GateResult) -> None:
        self.result = result

    @property
    def exit_code(self) -> int:
        """What `benchsuite gate` ends with: 0 fine, 1 regression, 3 not measured, 4 not comparable."""
        return self.result.exit_code

    def __repr__(self) -> str:
        from benchsuite.gate.formats.phrases import headline

        return headline(self.result)

    def _repr_html_(self) -> str:
        from benchsuite.api.notebook import fragment
        from benchsuite.gate.formats.html_page import page_of

        page = page_of(self.result)
        provenance = [f"{term}: {text}" for term, text in page.provenance]
        return fragment(page.title, [page.headline, *provenance], filter(None, (page.notable, page.others)))


def load_gate(path: str | Path) -> LoadedGate:
    """Read what `benchsuite gate` wrote: its folder, or the file result.json in it.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    from benchsuite.gate.result import read

    return LoadedGate(read(Path(path)))
