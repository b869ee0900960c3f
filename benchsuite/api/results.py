"""A run as Python sees it: records, the tidy frame, the report, figures and claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from benchsuite.api.wording import in_python
from benchsuite.errors import UsageError
from benchsuite.labels import describe_cell
from benchsuite.results.frame import frame_of
from benchsuite.results.metrics import measured_cells
from benchsuite.results.store import REPORT, Run, read_run
from benchsuite.terminal import describe_result

if TYPE_CHECKING:
    from benchsuite.api.figures import RunDrawing
    from benchsuite.results.cell import Cell
    from benchsuite.results.record import Record


class Results:
    """One run, read.

    Attributes:
        run: the run folder as it lies on disk: scenario, environments, records and warnings.
        records: one a cell, with all samples, or with the reason why there are none.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.records: tuple[Record, ...] = run.records

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.run.path

    def frame(self) -> pd.DataFrame:
        """One row a cell, in the order of the records; see `results/frame.py`, `to_frame`."""
        return frame_of(self.run)

    @in_python
    def report(
        self, out: str | Path | None = None, *, figures: str | Path | None = None, style: str | None = None
    ) -> Path:
        """Write the report, one HTML file that opens offline.

        Args:
            out: the file; report.html in the run folder if None.
            figures: a folder for each figure as PDF, PNG and SVG.
            style: of these, "default" or "litv2".

        Returns:
            The file.

        Raises:
            UsageError: there is no such style, or a file cannot be written.
        """
        from benchsuite.report.figures.layout import require_style
        from benchsuite.report.page import render

        folder = Path(figures) if figures is not None else None
        page, look = Path(out or self.path / REPORT), require_style(style, folder)
        try:
            return render([self.run], out=page, figures=folder, style=look)
        except OSError as error:
            raise UsageError(f"{error.filename or page}: cannot be written: {error.strerror}") from error

    @in_python
    def figure(
        self,
        kind: str = "scatter",
        *,
        mixers: Sequence[str] = (),
        kernel: str | None = None,
        metric: str | None = None,
        reference: str | None = None,
        group: str | None = None,
        width: str | None = None,
        style: str | None = None,
    ) -> RunDrawing:
        """Draw one figure.

        Args:
            kind: a key of `report.figures.KINDS`: "scatter", "scaling", "kernels", "memory" and so on.
            mixers: names to draw; all if empty.
            kernel: the only one.
            metric: what to draw, where a figure shows several: "throughput", "latency_s".
            reference: name that speeds are relative to.
            group: conditions or axis, where the run has several; the first if None.
            width: of a column of a paper, "3.25in" or "85mm"; that of the page if None.
            style: "default" or "litv2".

        Raises:
            UsageError: there is no such kind, name or group, or nothing to show.
        """
        from benchsuite.api.figures import draw

        return draw(
            self.run, kind, names=tuple(mixers), kernel=kernel, metric=metric, reference=reference,
            group=group, width=width, style=style,
        )  # fmt: skip

    def claims(self) -> pd.DataFrame:
        """One row a claim of the scenario: `id`, `verdict`, what it `says`, what was `measured` here with its
        interval, the `published` size and its `source`."""
        from benchsuite.report.claims_panel import judgements, panel

        cells = measured_cells(self.run.records, self.run.environments)
        judged = panel(judgements(self.run.scenario, cells), cells)
        rows = [
            {
                "id": row.claim.id,
                "verdict": row.words,
                "says": row.claim.says,
                "measured": row.brief,
                "published": ", ".join(one.ratio for one in row.printed),
                "source": row.claim.source,
            }
            for row in (judged.rows if judged else ())
        ]
        return pd.DataFrame(rows, columns=["id", "verdict", "says", "measured", "published", "source"])

    def lines(self, named: Callable[[Cell], str] = describe_cell) -> list[str]:
        """One a cell: its latency with the 95 % interval, or why there is none."""
        machines = self.run.environments
        return [
            f"{named(record.cell)}  {describe_result(record, machines.get(record.session, {}))}"
            for record in self.records
        ]

    def __repr__(self) -> str:
        count = len(self.records)
        return "\n".join([f"{self.path}: {count} record{'' if count == 1 else 's'}", *self.lines()])

    def _repr_html_(self) -> str:
        from benchsuite.api.notebook import of_run
        from benchsuite.report.answer import answer

        return of_run(self.run, answer)


def load(path: str | Path) -> Results:
    """Read a run folder.

    Raises:
        RunFolderError: there is no such folder, or it holds no run.
        RecordVersionError: the records are of a newer benchsuite.
    """
    return Results(read_run(Path(path)))
