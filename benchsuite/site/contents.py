"""Contents of a site, of which its pages are made: its runs read once, samples left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchsuite.findings.history import Series, history
from benchsuite.format import counted, joined
from benchsuite.report.answer import answer
from benchsuite.report.cells import read
from benchsuite.report.method import command
from benchsuite.report.reported_cells import ReportedCell, grouped, reported_cells
from benchsuite.results.machine import machine_name
from benchsuite.results.store import Run
from benchsuite.text import numbered, slug


@dataclass(frozen=True, slots=True)
class SiteRun:
    """One run of the site.

    Attributes:
        name: of its folder below `runs`.
        machines: what it ran on, in words.
        mixers: what was measured, by name.
        cells: "72 cells, 67 measured".
        answer: the first sentence of its report; only in the contents of a site.
        apart: what tells it from other runs of the same title; empty for the only one.
        thumbnail: whether there is a picture of it.
    """

    name: str
    scenario: str
    title: str
    question: str
    machines: str
    date: str
    torch: str
    benchsuite: str
    commit: str
    mixers: tuple[str, ...]
    cells: str
    command: str
    answer: str = ""
    apart: str = ""
    thumbnail: bool = False

    @property
    def versions(self) -> list[str]:
        """Versions of what it was measured with: "PyTorch 2.13.0", "benchsuite 0.2.0", "commit 0123abc"."""
        known = (("PyTorch", self.torch), ("benchsuite", self.benchsuite), ("commit", self.commit))
        return [f"{name} {value}" for name, value in known if value]

    @property
    def url(self) -> str:
        """Address of its report, seen from the top of the site."""
        return f"runs/{self.name}/report.html"


@dataclass(frozen=True, slots=True)
class SiteCell:
    """A cell of one run of the site.

    Attributes:
        run: name of the run.
        date: when the run began, ISO 8601.
    """

    cell: ReportedCell
    run: str
    date: str

    @property
    def machine(self) -> str:
        """Name of the machine that it was measured on."""
        return str(self.cell.settings["machine"])


@dataclass(frozen=True)
class Contents:
    """All runs of a site.

    Attributes:
        runs: the latest first.
        cells: those of all runs.
        series: histories of every cell.
    """

    runs: tuple[SiteRun, ...]
    cells: tuple[SiteCell, ...]
    series: tuple[Series, ...]


def read_contents(runs: Mapping[str, Run]) -> Contents:
    """Read these runs, by name."""
    listed = [replace(site_run(name, run), answer=answer(read(run))[0]) for name, run in runs.items()]
    alike = grouped(listed, lambda one: one.title).values()
    told = [replace(one, apart=_apart(one, others)) for others in alike for one in others]
    return Contents(
        runs=tuple(sorted(told, key=lambda one: (one.date, one.name), reverse=True)),
        cells=tuple(
            SiteCell(cell, name, str(run.environment.get("started_at") or ""))
            for name, run in runs.items()
            for cell in reported_cells(run.tried, run.environments)
        ),
        series=tuple(history(runs.values())),
    )


def site_run(name: str, run: Run) -> SiteRun:
    """Facts of a run for the index."""
    records = run.tried
    measured = sum(record.status == "ok" for record in records)
    environment = run.environment
    machines = dict.fromkeys(machine_name(one) for one in run.environments.values())
    cells = counted(len(records), "cell")
    return SiteRun(
        name=name,
        scenario=str(run.scenario.get("name") or name),
        title=str(run.scenario.get("title") or run.scenario.get("name") or name),
        question=str(run.scenario.get("question") or ""),
        machines=joined(list(machines)),
        date=str(environment.get("started_at") or "")[:10],
        torch=str(environment.get("torch") or ""),
        benchsuite=str(
            (environment.get("packages") or {}).get("benchsuite") or environment.get("benchsuite") or ""
        ),
        commit=str((environment.get("git") or {}).get("commit") or "")[:7],
        mixers=tuple(dict.fromkeys(record.cell.name for record in records)),
        cells=f"{cells}, all measured" if measured == len(records) else f"{cells}, {measured} measured",
        command=command(run) or "",
    )


def _apart(run: SiteRun, alike: Sequence[SiteRun]) -> str:
    """Date, machine and versions in which these runs differ; the name where two share all of them."""
    facts = [[one.date, one.machines, *one.versions] for one in alike]
    own = facts[alike.index(run)]
    differing = [fact for fact in own if not all(fact in other for other in facts)]
    return ", ".join(differing if facts.count(own) == 1 else [*differing, run.name]) if len(alike) > 1 else ""


def addresses(words: list[str]) -> dict[str, str]:
    """Words → names of files, all different: words that would share one are numbered in order."""
    return dict(zip(words, numbered(map(slug, words)), strict=True))
