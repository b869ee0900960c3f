"""A page of nothing but analyses of mixers and networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from benchsuite.analyse.data import Analyses
from benchsuite.report import theme
from benchsuite.report.analyses import AnalysesPart, part
from benchsuite.report.html import filled, write
from benchsuite.report.svg import StyleSheet
from benchsuite.report.words import joined


@dataclass(frozen=True)
class AnalysesPage:
    """A page of nothing but analyses."""

    title: str
    part: AnalysesPart
    styles: Markup


def render(analyses: Analyses, out: Path) -> Path:
    """Write a page of its own with these analyses; returns `out`.

    Raises:
        OSError: it cannot be written.
    """
    sheet = StyleSheet()
    with theme.applied():
        section = part(analyses, "analyses", sheet)
    names = joined(list(dict.fromkeys(one.name for one in analyses.subjects)))
    write(filled("analyses.html.j2", AnalysesPage(f"Analyses of {names}", section, sheet.css())), out)
    return out
