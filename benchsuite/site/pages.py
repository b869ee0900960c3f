"""The pages of a site but for the reports: index, mixers, machines side by side, history, trends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from benchsuite.findings.history import Series
from benchsuite.format import byte_size, si
from benchsuite.labels import noun
from benchsuite.report import comparison_page, templating
from benchsuite.report.comparable_groups import describe, shared
from benchsuite.report.differences import settings_of
from benchsuite.report.history_page import named, percent, reasons, sections
from benchsuite.report.points import Point, grouped, points
from benchsuite.report.several_runs import compare_several
from benchsuite.report.tables import Section
from benchsuite.report.words import STATUS_WORDS, counted, joined, rate, scale_of, spread
from benchsuite.results.store import Run
from benchsuite.site.contents import Contents, SiteRun, addresses
from benchsuite.site.pictures import line


@dataclass(frozen=True, slots=True)
class Link:
    """A name and where it leads, seen from the top of the site."""

    text: str
    url: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One cell of a mixer on one machine, as its page shows it; `sort` holds seconds for the table."""

    words: str
    latency: str
    throughput: str
    memory: str
    macs: str
    run: str
    date: str
    url: str
    sort: float | None


@dataclass(frozen=True, slots=True)
class TrendLine:
    """One cell of a trend page."""

    words: str
    picture: Markup
    first: str
    last: str
    change: str
    sort: float
    steps: str


def pages(contents: Contents, runs: Mapping[str, Run]) -> dict[str, str]:
    """Every page but the reports, by path inside the site."""
    mixers = addresses(sorted(set(contents.cells["target"])))
    links = [_mixer_link(contents.cells, target, name) for target, name in mixers.items()]
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
        texts[f"mixers/{name}.html"] = _mixer(contents.cells[contents.cells["target"] == target], target)
    for link, parts in machines:
        texts[link.url] = _filled("site_sections.html.j2", "../", title=link.text, sections=parts)
    for link, series in trends:
        texts[link.url] = _filled(
            "site_trend.html.j2", "../", title=link.text, note=link.note, lines=list(_lines(series))
        )
    return texts


def _summary(contents: Contents) -> str:
    machines = contents.cells["machine"].nunique()
    measured = int((contents.cells["status"] == "ok").sum())
    mixers = noun(contents.cells["subject"]).counted(contents.cells["target"].nunique())
    return (
        f"{counted(len(contents.runs), 'run')} on {counted(machines, 'machine')}: {mixers}, "
        f"{counted(measured, 'measured cell')}."
    )


def _mixer_link(cells: pd.DataFrame, target: str, name: str) -> Link:
    here = cells[cells["target"] == target]
    names = list(dict.fromkeys(here["name"]))
    shown = joined(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    on = counted(here["machine"].nunique(), "machine")
    return Link(target, f"mixers/{name}.html", f"as {shown}; {on}" if names != [target] else on)


def _mixer(cells: pd.DataFrame, target: str) -> str:
    """The latest result of every cell of a mixer, machine by machine."""
    latest = cells.sort_values("date", kind="stable").drop_duplicates(["machine", "cell"], keep="last")
    machines = [
        (str(machine), describe(shared(points(part))), list(_results(part)))
        for machine, part in latest.groupby("machine", sort=False)
    ]
    word = noun(cells["subject"]).single
    summary = (
        f"A {word}, measured in {counted(cells['run'].nunique(), 'run')} on "
        f"{counted(len(machines), 'machine')}. Where several runs have a cell, the latest is shown; seconds "
        "of different machines say nothing of the mixer."
    )
    return _filled("site_mixer.html.j2", "../", title=target, summary=summary, machines=machines)


def _results(cells: pd.DataFrame) -> Iterator[Result]:
    cells = cells.sort_values(["name", "kernel", "height", "batch"], kind="stable")
    found = points(cells)
    factor, unit = scale_of((point.latency.value for point in found), "s")
    for row, setting, point in zip(cells.to_dict("records"), settings_of(cells), found, strict=True):
        value = point.latency
        text = spread(value.value, value.lo, value.hi, factor, unit)
        yield Result(
            words=f"{point.name}, {setting}",
            latency=text if value.known else STATUS_WORDS[point.status],
            throughput=rate(point.throughput.value),
            memory=_bytes(point),
            macs="–" if point.macs != point.macs else ("" if point.exact else "≥ ") + si(point.macs),
            run=row["run"],
            date=str(row["date"])[:10],
            url=f"../runs/{row['run']}/report.html#cell-{point.cell}",
            sort=value.value if value.known else None,
        )


def _bytes(point: Point) -> str:
    value = point.metrics["peak_memory_bytes"]
    return byte_size(value.value) if value.known else "–"


def _machine_pages(contents: Contents, runs: Mapping[str, Run]) -> list[tuple[Link, list[Section]]]:
    """For each scenario that ran on several machines, the latest run of each beside the others."""
    names = addresses(sorted({run.scenario for run in contents.runs}))
    links = []
    for scenario, name in names.items():
        latest: dict[str, SiteRun] = {}
        for run in contents.runs:  # the latest come first
            if run.scenario == scenario:
                latest.setdefault(run.machines, run)
        if len(latest) > 1:
            link = Link(f"{scenario} on {len(latest)} machines", f"machines/{name}.html")
            chosen = [runs[run.name] for run in latest.values()]
            links.append((link, comparison_page.sections(compare_several(chosen))))
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


def _lines(series: Sequence[Series]) -> Iterator[TrendLine]:
    words = named(series)
    for i, one in enumerate(series):
        times = [point.latency_s for point in one.timed if point.latency_s is not None]
        factor, unit = scale_of(times, "s")
        nan = float("nan")
        ratio = times[-1] / times[0]
        steps = []
        for shift in one.shifts:
            why = reasons(shift)
            steps.append(f"{percent(shift.step.size)} at {shift.revisions}" + (f" ({why})" if why else ""))
        if one.trend.drift is not None:
            steps.append(f"drifts by {percent(one.trend.drift)} from the first third to the last")
        yield TrendLine(
            words=words[i],
            picture=line(one),
            first=spread(times[0], nan, nan, factor, unit),
            last=spread(times[-1], nan, nan, factor, unit),
            change=f"{ratio:.3f}",
            sort=ratio,
            steps="; ".join(steps) or ("–" if len(times) >= 6 else "too few runs to tell"),
        )


def _filled(template: str, up: str, **values: Any) -> str:
    """A page as text.

    Args:
        up: the way to the top of the site: "" or "../".
    """
    return templating.filled(template, packages=("benchsuite.site", "benchsuite.report"), up=up, **values)
