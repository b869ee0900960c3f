"""What the template gets: a page of runs, each with its findings, figures and tables. Typed, all computed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from benchsuite.report import across_page, analyses, claims, method, names, over, tables, unfinished
from benchsuite.report.across import across
from benchsuite.report.canvas import Drawing, flagged
from benchsuite.report.cells import Cells, read
from benchsuite.report.chapters import CHAPTERS, Chapter, FigurePart, chapters
from benchsuite.report.contests import contests, speed
from benchsuite.report.differences import machines_of
from benchsuite.report.explore.embed import ROOM_BYTES
from benchsuite.report.explore.page import Explorer, RunData, assemble, run_data
from benchsuite.report.figures import FIGURES, PAGE, Options
from benchsuite.report.figures.parts import device_said, energy_said
from benchsuite.report.findings import Finding, findings
from benchsuite.report.groups import Group, describe, shared
from benchsuite.report.growing import growth_table
from benchsuite.report.noise import evidence
from benchsuite.report.order import Order
from benchsuite.report.points import Point
from benchsuite.report.prose import Section as Prose
from benchsuite.report.svg import StyleSheet, inline
from benchsuite.report.tables import Table
from benchsuite.report.theme import Look, looks, start_said
from benchsuite.report.words import STATUS_WORDS, counted, pixels, spread
from benchsuite.results.nouns import noun
from benchsuite.results.store import Run
from benchsuite.units import byte_size, si

MOST_DRAWN = 400
"""Cells of a run that static figures are written into the page for, a group at a time: they cost 2 kB and 10
ms a cell. The explorer draws the others, and `--figures` writes the files of all."""

TABLE = "table"
"""The word for the table of all numbers in a scenario's `report.sections`."""

_USUAL = (
    ["scatter", "scaling", "kernels", TABLE],
    ["scatter", "scaling", "kernels", "memory", "training", TABLE],
)
"""What the stored scenario of a run holds if it named no sections: before memory and training, and now."""


@dataclass(frozen=True)
class GroupPart:
    """Findings and figures of cells that can be compared.

    Attributes:
        undrawn: why figures are missing on the page; empty if none are.
    """

    title: str
    conditions: str
    findings: list[Finding]
    fastest: Table | None
    growth: Table | None
    figures: list[FigurePart]
    undrawn: str = ""


@dataclass(frozen=True)
class RunPart:
    """One run.

    Attributes:
        key: unique on the page, start of all its ids.
        noun: what was measured, one of it: "network".
        apart: what tells variants of one implementation apart; empty where there are several.
        summary: one line under the title: how much, on what, when.
        evidence: what the numbers rest on, in a line; empty where nothing was timed.
        unfinished: how far a run came that stopped early; empty if it is complete.
        claims: None if the scenario has none.
        chapters: the figures of all groups, by what they are about.
        numbers: None if the scenario does not want the table.
    """

    key: str
    title: str
    question: str
    noun: str
    apart: str
    summary: str
    evidence: str
    unfinished: str
    claims: claims.Panel | None
    groups: list[GroupPart]
    over: list[over.OverPart]
    chapters: list[Chapter]
    numbers: Table | None
    names: Table
    analyses: analyses.AnalysesPart | None
    environment: Table
    protocol: list[method.Fact]
    command: str | None
    troubles: list[method.Trouble]
    rules: list[method.Fact]
    warnings: list[str]
    data: RunData


@dataclass(frozen=True)
class Page:
    """The whole page.

    Attributes:
        styles: the rules of all figures.
        explorer: what scripts make of it.
        across: compares several runs; empty for one.
    """

    title: str
    runs: list[RunPart]
    styles: Markup
    explorer: Explorer
    across: list[Prose] = field(default_factory=list)


def build(runs: Sequence[Run], *, every_figure: bool = False) -> Page:
    """The page of these runs, in order. Call it with `theme.applied()`.

    Args:
        every_figure: also draw the figures that the page has no room for, to write them to files.
    """
    sheet = StyleSheet()
    parts = [
        _run(
            run,
            f"run{number}",
            "cell-" if number == 1 else f"run{number}-cell-",
            sheet,
            room=ROOM_BYTES // len(runs),
            every_figure=every_figure,
        )
        for number, run in enumerate(runs, start=1)
    ]
    title = " · ".join(dict.fromkeys(part.title for part in parts))
    beside = across_page.sections(across(runs)) if len(runs) > 1 else []
    return Page(title, parts, sheet.css(), assemble([part.data for part in parts]), beside)


def _run(run: Run, key: str, prefix: str, sheet: StyleSheet, *, room: int, every_figure: bool) -> RunPart:
    cells = read(run)
    records, gaps, order, base = cells.records, cells.gaps, cells.order, cells.reference
    frame = cells.frame
    wanted = _sections(run.scenario)
    reference = (run.scenario.get("report") or {}).get("reference")
    style = looks(list(cells.names), reference)
    title = str(run.scenario.get("title") or run.scenario.get("name") or run.path.name)
    tips = {point.cell: tip(point) for point in cells.points}
    suspicious = frozenset(frame["cell"][frame["flags"] != ""])

    def draw(drawing: Drawing, name: str) -> Markup:
        return inline(drawing.figure, name, drawing.alt, tips, sheet, prefix if TABLE in wanted else None)

    groups, drawn = [], 0
    for number, group in enumerate(cells.groups, start=1):
        fits = drawn + len(group.cells) <= MOST_DRAWN
        drawn += len(group.cells) if fits else 0
        asked = wanted if fits or every_figure else ()
        into = draw if fits else None
        groups.append(
            _group(
                group,
                cells.points if number == 1 else (),
                order,
                f"{key}-{number}",
                asked,
                style,
                into,
                base,
                suspicious,
            )
        )
    return RunPart(
        key=key,
        title=title,
        question=str(run.scenario.get("question") or ""),
        noun=noun(frame["subject"]).single,
        apart=names.apart(frame),
        summary=_summary(run, cells),
        evidence=evidence(records, machines_of(run, records)),
        unfinished=unfinished.said(run, gaps),
        claims=claims.panel(claims.judgements(run.scenario, frame), frame),
        groups=groups,
        over=over.of_run(
            cells.points, key, style, draw, suspicious, room=MOST_DRAWN - drawn, every_figure=every_figure
        )
        if "scaling" in wanted
        else [],
        chapters=chapters((part.title, part.conditions, part.figures) for part in groups),
        numbers=tables.all_numbers(frame, prefix, base) if TABLE in wanted else None,
        names=names.names(frame),
        analyses=analyses.of_run(run.path, f"{key}-analyses", sheet),
        environment=method.environment(run),
        protocol=method.protocol(run),
        command=method.command(run),
        troubles=method.troubles(run.records, prefix),
        rules=method.rules(run),
        warnings=method.warnings(run),
        data=run_data(
            run, frame, key=key, title=title, prefix=prefix, names=list(style), reference=base, room=room
        ),
    )


def _group(
    group: Group,
    whole: Sequence[Point],
    order: Order,
    key: str,
    wanted: Sequence[str],
    style: Mapping[str, Look],
    draw: Callable[[Drawing, str], Markup] | None,
    reference: str | None,
    suspicious: Collection[str],
) -> GroupPart:
    cells = group.cells
    figures = []
    chosen = [one for one in FIGURES if (one.section or "table") in wanted and one.kind != "axis"]
    for section in sorted(chosen, key=lambda one: wanted.index(one.section or "table")):
        of = whole if section.whole else cells
        drawing = section.draw(of, style, PAGE, Options(reference=reference)) if of else None
        if drawing is not None:
            drawing = flagged(drawing, suspicious)
            svg = draw(drawing, f"{key}-{section.file}") if draw else None
            caption = f"{drawing.caption}{start_said(style)}"
            part = FigurePart(section.title, svg, caption, section.file, drawing, CHAPTERS[section.kind])
            figures.append(part)
    fields = [contest for contest in contests(cells, order) if contest.finished]
    return GroupPart(
        title=group.title,
        conditions=group.conditions,
        findings=findings(cells, order, reference, watched(cells)),
        fastest=tables.fastest(fields) if len(fields) > 1 else None,
        growth=growth_table(cells) if "scaling" in wanted else None,
        figures=figures,
        undrawn="" if draw else _undrawn(len(cells)),
    )


def watched(cells: Sequence[Point]) -> list[Finding]:
    """What was read from the device itself, in sentences; those about nothing are empty."""
    return [Finding("Launch-bound", device_said(cells)), Finding("Energy", energy_said(cells))]


def _undrawn(cells: int) -> str:
    return (
        f"The figures of these {counted(cells, 'cell')} are not in this file, which would have become too "
        "large. Where scripts run, the explorer draws them; benchsuite report --figures DIR writes all."
    )


def _sections(scenario: Mapping[str, Any]) -> list[str]:
    """Which sections the scenario wants, in its order; all if it does not say."""
    wanted = (scenario.get("report") or {}).get("sections")
    if isinstance(wanted, str):
        return [wanted]
    chosen = list(wanted or ())
    if chosen and chosen not in _USUAL:
        return chosen
    return [*dict.fromkeys(one.section for one in FIGURES if one.section), TABLE]


def _summary(run: Run, cells: Cells) -> str:
    """72 cells, 67 measured; NVIDIA H200; cuda, fp16, inference; 2026-01-05."""
    measured = sum(point.status == "ok" for point in cells.points)
    number = len(cells.points)
    gpu, cpu = run.environment.get("gpu") or {}, run.environment.get("cpu") or {}
    machine = gpu.get("name") or cpu.get("model") or run.environment.get("machine")
    version = run.environment.get("torch")
    parts = [
        counted(number, "cell")
        + (", all measured" if measured == number and not cells.gaps else f", {measured} measured"),
        str(machine) if machine else "",
        f"PyTorch {version}" if version else "",
        describe(shared(cells.points)) if cells.points else "",
        str(run.environment.get("started_at") or "")[:10],
    ]
    return " · ".join(part for part in parts if part)


def tip(point: Point) -> str:
    """All about one cell in a line, shown when the pointer rests on its mark."""
    where = f"{point.name}, {pixels(point.resolution)}, {point.kernel}"
    if not point.latency.known:
        return f"{where}: {STATUS_WORDS[point.status]}"
    latency = point.latency
    factor, unit = next(((f, u) for f, u in ((1.0, "s"), (1e-3, "ms")) if latency.value >= f), (1e-6, "µs"))
    memory = point.metrics["peak_memory_bytes"].value
    texts = [
        spread(latency.value, latency.lo, latency.hi, factor, unit),
        speed(point).partition(" [")[0],
        "" if math.isnan(point.macs) else f"{si(point.macs)} MACs",
        "" if math.isnan(memory) else byte_size(memory),
    ]
    return f"{where}: {', '.join(text for text in texts if text)}"


def analysis_files(run: RunPart, *, several_runs: bool) -> Iterator[tuple[str, Drawing]]:
    """The figures of its analyses, with the names of their files: what they show, then of whom."""
    taken: set[str] = set()
    for subject in run.analyses.subjects if run.analyses else ():
        for figure in subject.figures:
            words = ["analysis", figure.title, *([run.key] if several_runs else []), subject.title]
            name, number = _slug(words), 2
            while name in taken:
                name, number = _slug([*words, str(number)]), number + 1
            taken.add(name)
            yield name, figure.drawing


def _slug(words: Sequence[str]) -> str:
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
