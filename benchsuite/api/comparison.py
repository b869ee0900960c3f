"""Runs and gates beside each other: what differs, and whether it means anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.api.results import Results
from benchsuite.errors import UsageError

if TYPE_CHECKING:
    from benchsuite.gate.result import GateResult
    from benchsuite.results.store import Run


class RunComparison:
    """Two runs or more, compared with the first.

    Attributes:
        runs: as read.
        page: answer, sentences and tables, as `report/comparison_page.py` makes them.
    """

    def __init__(self, runs: list[Run]) -> None:
        from benchsuite.report.comparison_page import page

        self.runs = runs
        self.page = page(runs)

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON-able data."""
        from benchsuite.report.comparison import plain

        return plain(self.runs)

    def report(self, out: str | Path) -> Path:
        """Write it as one HTML file; raises UsageError if it cannot be written."""
        from benchsuite.report.comparison_page import to_html
        from benchsuite.report.templating import write

        out = Path(out)
        try:
            write(to_html(self.page), out)
        except OSError as error:
            raise UsageError(f"{out}: cannot be written: {error.strerror}") from error
        return out

    def __repr__(self) -> str:
        return " ".join(filter(None, (f"{self.page.title}.", self.page.answer, self.page.summary)))

    def _repr_html_(self) -> str:
        from benchsuite.api.notebook import fragment

        page = self.page
        return fragment(page.title, [page.answer, page.summary, page.caveat], sections=page.sections)


def compare(*runs: str | Path | Results) -> RunComparison:
    """Compare runs: whether they are comparable, times with confidence intervals, exact numbers.

    Args:
        runs: run folders, or what `load`, `run` and `measure` return; the others are compared with the first.

    Raises:
        UsageError: there are fewer than two, or one cannot be read.
        NotComparableError: a cell was timed with other threads or another allocator.
    """
    from benchsuite.results.comparable import require_alike
    from benchsuite.results.store import read_run

    if len(runs) < 2:
        raise UsageError("compare wants two runs or more: benchsuite compare A B")
    read = [one.run if isinstance(one, Results) else read_run(Path(one)) for one in runs]
    require_alike([(str(run.path), run.records) for run in read])
    return RunComparison(read)


class Gate:
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
        facts = [f"{term}: {text}" for term, text in page.facts]
        return fragment(page.title, [page.headline, *facts], filter(None, (page.notable, page.others)))


def load_gate(path: str | Path) -> Gate:
    """Read what `benchsuite gate` wrote: its folder, or the file result.json in it.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    from benchsuite.gate.result import read

    return Gate(read(Path(path)))
