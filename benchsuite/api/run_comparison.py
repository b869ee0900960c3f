"""Runs beside each other: what differs, and whether it means anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.api.results import Results
from benchsuite.errors import UsageError

if TYPE_CHECKING:
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
        from benchsuite.report.tables import texts
        from benchsuite.terminal import fitted, width

        page = self.page
        lines = [" ".join(filter(None, (f"{page.title}.", *page.headlines, page.answer, page.summary)))]
        for section in page.sections:
            if section.key == "times":
                lines += [*section.sentences, *(fitted(texts(table), width()) for table in section.tables)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from benchsuite.api.notebook import fragment

        page = self.page
        return fragment(
            page.title, [*page.headlines, page.answer, page.summary, page.caveat], sections=page.sections
        )


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
