"""The pages of a site but for the reports: index, mixers, machines side by side, history, trends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from benchsuite.findings.history import Series
from benchsuite.format import byte_size, counted, joined, rate, scale_of, si, spread
from benchsuite.labels import noun
from benchsuite.report import comparison_page, templating
from benchsuite.report.comparable_groups import describe, settings_of, shared
from benchsuite.report.history_page import LEAST, named, percent, reasons, sections
from benchsuite.report.reported_cells import Value, grouped
from benchsuite.report.svg import StyleSheet
from benchsuite.report.tables import Row, Section, Table, TableCell, table
from benchsuite.report.words import STATUS_WORDS
from benchsuite.results.store import Run
from benchsuite.site.contents import Contents, SiteCell, SiteRun, addresses
from benchsuite.site.pictures import chart, line


@dataclass(frozen=True, slots=True)
class Link:
    """A name and where it leads, seen from the top of the site."""

    text: str
    url: str
    note: str = ""


def pages(contents: Contents, runs: Mapping[str, Run]) -> dict[str, str]:
    """Every page but the reports, by path inside the site."""
    mixers = addresses(sorted({cell.cell.target for cell in contents.cells}))
    of_target = grouped(contents.cells, lambda cell: cell.cell.target)
    latest = {
        (cell.machine, cell.cell.id): cell for cell in sorted(contents.cells, key=lambda cell: cell.date)
    }
    on_machine = grouped(latest.values(), lambda cell: cell.machine)
    links = [_mixer_link(of_target[target], target, name) for target, name in mixers.items()]
    machines = _machine_pages(contents, runs)
    trends = _trends(contents.series)
    texts = {
        "index.html": _filled(
            "site_index.html.j2", "", title="Benchmark reports", books=contents.runs, mixers=links,
            machines=[link for link, _ in machines], summary=_summary(contents),
        ),
        "history.html": _filled(
            "site_history.html.j2", "", title="History",
            sections=sections(contents.series) if contents.series else [],
            trends=[link for link, _ in trends],
        ),
    }  # fmt: skip
    for target, name in mixers.items():
        texts[f"mixers/{name}.html"] = _mixer(of_target[target], on_machine, target)
    for link, parts in machines:
        texts[link.url] = _filled("site_sections.html.j2", "../", title=link.text, sections=parts)
    for link, series in trends:
        texts[link.url] = _filled(
            "site_trend.html.j2", "../", title=link.text, note=link.note, trends=_lines(series)
        )
    return texts


def _summary(contents: Contents) -> str:
    cells = contents.cells
    machines = len({cell.machine for cell in cells})
    measured = sum(cell.cell.status == "ok" for cell in cells)
    targets = len({cell.cell.target for cell in cells})
    mixers = noun(cell.cell.subject for cell in cells).counted(targets)
    return (
        f"{counted(len(contents.runs), 'run')} on {counted(machines, 'machine')}: {mixers}, "
        f"{counted(measured, 'measured cell')}."
    )


def _mixer_link(cells: Sequence[SiteCell], target: str, name: str) -> Link:
    names = list(dict.fromkeys(cell.cell.name for cell in cells))
    shown = joined(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    on = counted(len({cell.machine for cell in cells}), "machine")
    return Link(target, f"mixers/{name}.html", f"as {shown}; {on}" if names != [target] else on)


def _mixer(cells: Sequence[SiteCell], on_machine: Mapping[str, Sequence[SiteCell]], target: str) -> str:
    """The latest result of every cell of a mixer, machine by machine, with a chart.

    Args:
        on_machine: name of a machine → the latest result of every cell there.
    """
    sheet = StyleSheet()
    machines = []
    for number, key in enumerate(dict.fromkeys(cell.machine for cell in cells), start=1):
        here = [cell for cell in on_machine[key] if cell.cell.target == target]
        own, all_ = ([cell.cell for cell in side] for side in (here, on_machine[key]))
        picture = chart(own, all_, f"chart-{number}", sheet)
        machines.append((here[0].machine, picture, _results(here, describe(shared(own)))))
    word = noun(cell.cell.subject for cell in cells).single
    summary = (
        f"A {word}, measured in {counted(len({cell.run for cell in cells}), 'run')} on "
        f"{counted(len(machines), 'machine')}. Where several runs have a cell, the latest is shown; seconds "
        "of different machines say nothing of the mixer."
    )
    return _filled(
        "site_mixer.html.j2", "../", title=target, summary=summary, machines=machines, styles=sheet.css()
    )


def _results(cells: Sequence[SiteCell], conditions: str) -> Table:
    def place(cell: SiteCell) -> tuple[Any, ...]:
        reported = cell.cell
        return reported.name, reported.kernel, reported.size[0], reported.settings["batch"]

    cells = sorted(cells, key=place)
    found = [cell.cell for cell in cells]
    scale = scale_of((reported.latency.value for reported in found), "s")
    rows = []
    for cell, setting, reported in zip(cells, settings_of(found), found, strict=True):
        latency, memory = reported.latency, reported.metrics["peak_memory_bytes"]
        rows.append(
            Row(
                (
                    _linked(
                        f"{reported.name}, {setting}", f"../runs/{cell.run}/report.html#cell-{reported.id}"
                    ),
                    _number(
                        latency,
                        spread(latency.value, latency.lo, latency.hi, *scale),
                        STATUS_WORDS[reported.status],
                    ),
                    _number(reported.throughput, rate(reported.throughput.value)),
                    _number(memory, byte_size(memory.value)),
                    _number(reported.metrics["macs"], ("" if reported.exact else "≥ ") + si(reported.macs)),
                    TableCell(cell.run),
                    TableCell(cell.date[:10]),
                ),
                failed=not latency.known,
            )
        )
    numbers = ("Latency per step", "Throughput", "Peak memory", "MACs per image")
    caption = f"{conditions}. Median latency per step with its 95 % interval. A cell leads to its report."
    return table(caption, ("Cell", *numbers, "Run", "Date"), rows, numeric=numbers, sortable=True)


def _linked(text: str, url: str) -> TableCell:
    return TableCell(text, shown=Markup('<a href="{}">{}</a>').format(url, text))


def _number(value: Value, text: str, missing: str = "–") -> TableCell:
    return TableCell(text, value.value) if value.known else TableCell(missing)


def _machine_pages(contents: Contents, runs: Mapping[str, Run]) -> list[tuple[Link, Sequence[Section]]]:
    """For each scenario that ran on several machines, the latest run of each beside the others."""
    names = addresses(sorted({run.scenario for run in contents.runs}))
    links: list[tuple[Link, Sequence[Section]]] = []
    for scenario, name in names.items():
        latest: dict[str, SiteRun] = {}
        for run in contents.runs:  # the latest come first
            if run.scenario == scenario:
                latest.setdefault(run.machines, run)
        if len(latest) > 1:
            link = Link(f"{scenario} on {len(latest)} machines", f"machines/{name}.html")
            chosen = [runs[run.name] for run in latest.values()]
            links.append((link, comparison_page.page(chosen).sections))
    return links


def _trends(series: Sequence[Series]) -> list[tuple[Link, list[Series]]]:
    """Scenario and machine of which at least one cell was timed twice."""
    several = (one for one in series if len(one.timed) > 1)
    groups = grouped(several, lambda one: (one.scenario, one.machine))
    names = addresses([f"{scenario} {machine}" for scenario, machine in groups])
    links = []
    for (scenario, machine), alike in groups.items():
        runs = len({point.run for one in alike for point in one.timed})
        stepped = sum(bool(one.trend.steps) for one in alike)
        note = f"{counted(runs, 'run')}, {counted(len(alike), 'cell')}, {stepped} with a step"
        link = Link(f"{scenario} on {machine}", f"trends/{names[f'{scenario} {machine}']}.html", note)
        links.append((link, alike))
    return links


def _lines(series: Sequence[Series]) -> Table:
    """A row a cell with its medians over the runs, as a line and in words."""
    words = named(series)
    rows: list[list[str | TableCell]] = []
    for i, one in enumerate(series):
        times = [point.latency_s for point in one.timed if point.latency_s is not None]
        factor, unit = scale_of(times, "s")
        steps = []
        for shift in one.shifts:
            why = reasons(shift)
            steps.append(f"{percent(shift.step.size)} at {shift.revisions}" + (f" ({why})" if why else ""))
        if one.trend.drift is not None:
            steps.append(f"drifts by {percent(one.trend.drift)} from the first third to the last")
        ends = [spread(end, math.nan, math.nan, factor, unit) for end in (times[0], times[-1])]
        ratio = times[-1] / times[0]
        none = "–" if len(times) >= LEAST else "too few runs to tell"
        rows.append(
            [
                words[i],
                TableCell("", shown=line(one)),
                TableCell(ends[0], times[0]),
                TableCell(ends[1], times[-1]),
                TableCell(f"{ratio:.3f}", ratio),
                "; ".join(steps) or none,
            ]
        )
    numbers = ("First", "Last", "Last / first")
    heads = ("Cell", "Over time", *numbers, "Steps")
    return table("Median latency per step over the runs.", heads, rows, numeric=numbers, sortable=True)


def _filled(template: str, up: str, **values: Any) -> str:
    """A page as text.

    Args:
        up: the way to the top of the site: "" or "../".
    """
    return templating.filled(template, packages=("benchsuite.site", "benchsuite.report"), up=up, **values)
