"""The report: one HTML file that opens from disk and loads nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from benchsuite import __version__
from benchsuite.report import litv2, theme
from benchsuite.report.canvas import Drawing
from benchsuite.report.context import Page, analysis_files, build, file_name
from benchsuite.report.styles import LITV2, REPORT
from benchsuite.report.svg import save
from benchsuite.report.theme import Look
from benchsuite.results.store import Run

logger = logging.getLogger(__name__)


def render(runs: Sequence[Run], *, out: Path, figures: Path | None = None, style: str = REPORT) -> Path:
    """Write the report of these runs, one after the other.

    Args:
        out: the HTML file; its folder is made if needed.
        figures: a folder for every figure as PDF, PNG and SVG.
        style: what the figures in that folder look like, one of `styles.STYLES`.

    Returns:
        `out`.
    """
    with theme.applied():
        page = build(runs, every_figure=figures is not None, filed=_column if style == LITV2 else None)
        if figures is not None:
            if style == LITV2:
                _warn(page)
            _save_figures(page, figures, style)
    write(to_html(page), out)
    return out


def _column(name: str, frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """A figure in the style of LITv2; None where nobody has drawn it so."""
    if name not in litv2.DRAWN:
        return None
    with litv2.applied():
        return litv2.DRAWN[name](frame, looks)


def _warn(page: Page) -> None:
    names = dict.fromkeys(part.name for run in page.runs for group in run.groups for part in group.figures)
    wide = [name for name in names if name not in litv2.DRAWN]
    wide += [part.name for run in page.runs for part in run.over if part.drawing]
    wide += ["those of analyses"] if any(run.analyses for run in page.runs) else []
    if wide:
        logger.warning("no litv2 form, so ten inches wide as on the page: %s", ", ".join(sorted(wide)))


def write(text: str, out: Path) -> None:
    """Write a page; its folder is made if needed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f"{out.name}.tmp")  # so that an old report is there until the new one is whole
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


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


def _save_figures(page: Page, folder: Path, style: str) -> None:
    several = len(page.runs) > 1
    for run in page.runs:
        for group in run.groups:
            for part in group.figures:
                narrow = style == LITV2 and part.name in litv2.DRAWN
                with litv2.applied() if narrow else nullcontext():
                    save(part.drawing.figure, folder, file_name(part, run, group, several_runs=several))
        for over in run.over:
            if over.drawing is not None:
                save(over.drawing.figure, folder, f"{over.name}-{run.key}" if several else over.name)
        for name, drawing in analysis_files(run, several_runs=several):
            save(drawing.figure, folder, name)
