"""The report: a page of runs, each with its answer, figures, claims and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from markupsafe import Markup

from benchsuite.format import byte_size, counted, joined, scale_of, si, spread
from benchsuite.report import claims_panel, comparison_page, method, names, numbers, reliability, theme
from benchsuite.report.answer import answer, asked, of_group
from benchsuite.report.cells import Cells, progress, read
from benchsuite.report.comparable_groups import describe, shared
from benchsuite.report.differences import machines_of, measured_on
from benchsuite.report.explore.embed import ROOM_BYTES
from benchsuite.report.explore.explorer import Explorer, RunData, assemble, run_data
from benchsuite.report.figures.layout import DEFAULT
from benchsuite.report.figures.of_run import write_all
from benchsuite.report.figures.on_page import FigureWriter
from benchsuite.report.machine_table import machine_table
from benchsuite.report.ranking import speed
from benchsuite.report.reported_cells import ReportedCell
from benchsuite.report.svg import FigurePart, StyleSheet
from benchsuite.report.tables import Section, Table
from benchsuite.report.templating import filled, write
from benchsuite.report.words import STATUS_WORDS, pixels
from benchsuite.results.store import ANALYSES, Run
from benchsuite.scenario.titles import fitted


@dataclass(frozen=True)
class Fold(Section):
    """A section with figures that a page folds away."""

    figures: Sequence[FigurePart] = ()


@dataclass(frozen=True)
class RunPart:
    """One run.

    Attributes:
        key: unique on the page, start of all its ids.
        answer: the headline, then sentences.
        summary: one line under the title: how much, on what, when.
        evidence: what the answer rests on, in a few short sentences.
        unfinished: how far a run came that stopped early; empty if it is complete.
        claims: None if the scenario has none.
        first: the figure beside the answer; None where there is nothing to draw, or no room.
        figures: the others that stand open.
        others: groups of cells of other conditions, then figures and tables for those who look for them.
        undrawn: why figures are missing; empty if none are.
        numbers: None if the scenario does not want the table.
    """

    key: str
    title: str
    question: str
    summary: str
    answer: list[str]
    evidence: list[str]
    unfinished: str
    claims: claims_panel.ClaimsPanel | None
    first: FigurePart | None
    figures: list[FigurePart]
    others: list[Fold]
    undrawn: str
    numbers: Table | None
    names: Table
    analyses: Markup
    environment: Table
    protocol: list[method.Fact]
    command: str | None
    troubles: list[method.Trouble]
    rules: list[method.Fact]
    warnings: list[str]
    data: RunData

    @property
    def missing(self) -> str:
        """Title of the fold with what has no number: cells that failed, and what the scenario left out."""
        cells = sum(len(trouble.cells) for trouble in self.troubles)
        failed = [f"{counted(cells, 'cell')} without a number"] if cells else []
        return joined([*failed, *(["what the scenario leaves out"] if self.rules else [])]).capitalize()

    @property
    def contents(self) -> list[tuple[str, str]]:
        """(target, title) of every part that there is, in order."""
        parts = [
            ("answer", "Answer", True),
            ("figures", "Figures", bool(self.figures)),
            ("claims", "Claims", self.claims is not None),
            ("numbers", "Numbers", self.numbers is not None and bool(self.numbers.rows)),
            ("more", "More figures", bool(self.others)),
            ("method", "Method", True),
        ]
        return [(f"{self.key}-{key}", title) for key, title, there in parts if there]


@dataclass(frozen=True)
class Page:
    """The whole page.

    Attributes:
        styles: the rules of all figures.
        explorer: what scripts make of it.
        across: compares several runs; None for one.
    """

    title: str
    runs: list[RunPart]
    styles: Markup
    explorer: Explorer
    across: comparison_page.ComparisonPage | None = None


def render(runs: Sequence[Run], *, out: Path, figures: Path | None = None, style: str = DEFAULT) -> Path:
    """Write the report of these runs, one after the other.

    Args:
        out: the HTML file; its folder is made if needed.
        figures: a folder for every figure as PDF, PNG and SVG.
        style: what the figures in that folder look like, one of `figures.STYLES`.

    Returns:
        `out`.
    """
    with theme.applied():
        page = build(runs)
        if figures is not None:
            write_all([read(run) for run in runs], figures, style)
            analyses().save_all([run.path for run in runs], figures)
    write(to_html(page), out)
    return out


def analyses() -> ModuleType:
    """What draws the analyses in a run's folder: imported on use, as it stands above this package."""
    return import_module("benchsuite.analyse.analyses_page")


def to_html(page: Page) -> str:
    """The page as text."""
    return filled("report.html.j2", page=page)


def build(runs: Sequence[Run]) -> Page:
    """The page of these runs, in order. Call it with `theme.applied()`."""
    sheet = StyleSheet()
    parts = [
        _run(read(run), f"run{number}", "cell-" if number == 1 else f"run{number}-cell-", sheet,
             room=ROOM_BYTES // len(runs))
        for number, run in enumerate(runs, start=1)
    ]  # fmt: skip
    title = " · ".join(dict.fromkeys(part.title for part in parts))
    across = comparison_page.page(runs) if len(runs) > 1 else None
    return Page(title, parts, sheet.css(), assemble([part.data for part in parts]), across)


def _run(cells: Cells, key: str, prefix: str, sheet: StyleSheet, *, room: int) -> RunPart:
    run, reported = cells.run, cells.reported
    scenario = run.scenario
    title = fitted(str(scenario.get("title") or scenario.get("name") or run.path.name), scenario)
    tips = {cell.id: tip(cell) for cell in reported}
    wanted = sections(scenario)
    with_table = TABLE in wanted
    drawn = FigureWriter(cells, tips, sheet, key, prefix if with_table else None).write(wanted)
    others = [
        Fold(
            f"{key}-other-{i}",
            group.title,
            tuple(of_group(group.cells, cells.order, cells.named_reference)),
            figures=figures,
        )
        for i, (group, figures) in enumerate(drawn.groups, start=1)
    ]
    others += [
        Fold(f"{key}-fold-{kind.kind}", kind.title, figures=figures) for kind, figures in drawn.folded.items()
    ]
    measured = [cell.measured for cell in reported]
    machines = machines_of(run, [one.record for one in measured])
    return RunPart(
        key=key,
        title=title,
        question=asked(cells),
        summary=_summary(cells),
        answer=answer(cells),
        evidence=reliability.summed_up(cells, machines),
        unfinished=progress(run, cells.gaps),
        claims=claims_panel.panel(claims_panel.judgements(scenario, measured), measured),
        first=drawn.first,
        figures=drawn.open,
        others=others,
        undrawn=drawn.undrawn,
        numbers=numbers.all_cells(cells, prefix) if with_table else None,
        names=names.names_table(reported),
        analyses=(
            analyses().section(run.path, f"{key}-analyses", sheet)
            if (run.path / ANALYSES).exists()
            else Markup()
        ),
        environment=machine_table(run),
        protocol=method.protocol(run),
        command=method.command(run),
        troubles=method.troubles(run.records, prefix),
        rules=method.rules(run),
        warnings=method.warnings(run),
        data=run_data(cells, key=key, title=title, prefix=prefix, room=room),
    )


TABLE = "table"
"""The word for the table of numbers in a scenario's `report.sections`."""
_USUAL = (
    ["scatter", "scaling", "kernels", TABLE],
    ["scatter", "scaling", "kernels", "memory", "training", TABLE],
)
"""Sections in the stored scenario of a run that named none: before memory and training, and now."""


def sections(scenario: Mapping[str, object]) -> list[str]:
    """Sections that the scenario wants, in its order; all if it does not say."""
    wanted = (scenario.get("report") or {}).get("sections")  # type: ignore[attr-defined]
    chosen = [wanted] if isinstance(wanted, str) else list(wanted or ())
    return chosen if chosen and chosen not in _USUAL else list(_USUAL[-1])


def _summary(cells: Cells) -> str:
    """72 cells, 67 measured; NVIDIA H200; cuda, fp16, inference; 2026-01-05."""
    run, number = cells.run, len(cells.reported)
    measured = sum(cell.status == "ok" for cell in cells.reported)
    whole = measured == number and not cells.gaps
    machine, torch, date = measured_on(run)
    parts = [
        counted(number, "cell") + (", all measured" if whole else f", {measured} measured"),
        machine,
        torch,
        describe(shared(cells.reported)) if cells.reported else "",
        date,
    ]
    return " · ".join(part for part in parts if part)


def tip(cell: ReportedCell) -> str:
    """All about one cell in a line, shown when the pointer rests on its mark."""
    where = f"{cell.name}, {pixels(cell.resolution)}, {cell.kernel}"
    if not cell.latency.known:
        return f"{where}: {STATUS_WORDS[cell.status]}"
    latency = cell.latency
    factor, unit = scale_of([latency.value], "s")
    memory = cell.metrics["peak_memory_bytes"].value
    texts = [
        spread(latency.value, latency.lo, latency.hi, factor, unit),
        speed(cell).partition(" [")[0],
        "" if math.isnan(cell.macs) else f"{si(cell.macs)} MACs",
        "" if math.isnan(memory) else byte_size(memory),
    ]
    return f"{where}: {', '.join(text for text in texts if text)}"
