"""The report: one HTML file that opens from disk and loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from benchsuite import __version__
from benchsuite.io import write_whole
from benchsuite.report import theme
from benchsuite.report.cells import read
from benchsuite.report.figures.of_run import slug, write_all
from benchsuite.report.page import Page, build
from benchsuite.report.styles import DEFAULT
from benchsuite.report.svg import save
from benchsuite.results.store import Run


def render(runs: Sequence[Run], *, out: Path, figures: Path | None = None, style: str = DEFAULT) -> Path:
    """Write the report of these runs, one after the other.

    Args:
        out: the HTML file; its folder is made if needed.
        figures: a folder for every figure as PDF, PNG and SVG.
        style: what the figures in that folder look like, one of `styles.STYLES`.

    Returns:
        `out`.
    """
    with theme.applied():
        page = build(runs)
        if figures is not None:
            write_all([read(run) for run in runs], figures, style)
            _save_analyses(page, figures)
    write(to_html(page), out)
    return out


def write(text: str, out: Path) -> None:
    """Write a page; its folder is made if needed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, text)


def to_html(page: Page) -> str:
    """The page as text. Everything but figures and style sheets is escaped by the template engine."""
    return filled("report.html.j2", page)


def filled(template: str, page: object) -> str:
    """A page of any kind as text. It has a title and styles; see `templates/_page.html.j2`."""
    environment = Environment(
        loader=PackageLoader("benchsuite.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found = environment.get_template(template)
    return found.render(page=page, light=theme.LIGHT, dark=theme.DARK, version=__version__)


def _save_analyses(page: Page, folder: Path) -> None:
    """The figures of analyses, under names that say what they show, then of whom."""
    taken: set[str] = set()
    for run in page.runs:
        apart = run.key if len(page.runs) > 1 else ""
        for subject in run.analyses.subjects if run.analyses else ():
            for figure in subject.figures:
                words = ["analysis", figure.title, apart, subject.title]
                number = 2
                while (name := slug(words)) in taken:
                    words, number = [*words[:4], str(number)], number + 1
                taken.add(name)
                save(figure.drawing.figure, folder, name)
