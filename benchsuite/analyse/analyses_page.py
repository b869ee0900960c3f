"""Analyses of mixers and networks, as a section of a report and as a page of their own.

Figures, a table, and whose weights they are of. A report asks for them through `report.page.analyses`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from benchsuite.analyse.charts import FIGURES, branches_of, weights_words
from benchsuite.analyse.data import Analyses, AttentionLayer, SubjectAnalysis, read_analyses
from benchsuite.format import fixed, joined
from benchsuite.report import theme
from benchsuite.report.canvas import Drawing
from benchsuite.report.svg import FigurePart, StyleSheet, View, inline, save
from benchsuite.report.tables import Table, TableCell, table
from benchsuite.report.templating import filled, write
from benchsuite.report.words import pixels
from benchsuite.results.store import ANALYSES
from benchsuite.text import numbered, slug

RANDOM = (
    "These weights are random. What is shown is what the architecture does before any training, and nothing "
    "of what a trained network attends to; `--weights FILE` loads trained ones."
)
TEMPLATES = ("benchsuite.analyse", "benchsuite.report")


@dataclass(frozen=True)
class SubjectPart:
    """One mixer or network."""

    title: str
    conditions: str
    figures: list[FigurePart]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class AnalysesPart:
    """The section.

    Attributes:
        key: unique on the page, start of all its ids.
        warning: what must be known before anything is read off; "" where all weights are trained ones.
        attention: None where nothing attends.
    """

    key: str
    warning: str
    attention: Table | None
    subjects: list[SubjectPart]


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
    page = AnalysesPage(f"Analyses of {names}", section, sheet.css())
    write(filled("analyses.html.j2", packages=TEMPLATES, page=page), out)
    return out


def section(folder: Path, key: str, sheet: StyleSheet) -> Markup:
    """The section of a run whose folder holds analyses; empty for one that holds none."""
    found = read_analyses(folder / ANALYSES)
    # Markup: the template escapes all texts.
    return Markup(
        filled("section.html.j2", packages=TEMPLATES, part=part(found, key, sheet)) if found else ""
    )


def part(analyses: Analyses, key: str, sheet: StyleSheet) -> AnalysesPart:
    """The section's data. Call it with `theme.applied()`."""
    subjects = analyses.subjects
    untrained = [subject.name for subject in subjects if subject.weights.kind == "random"]
    if len(untrained) == len(subjects):
        warning = RANDOM
    else:
        warning = f"Of {joined(untrained)}: {RANDOM}" if untrained else ""
    parts = [_subject(one, f"{key}-{i}", sheet) for i, one in enumerate(subjects, 1)]
    return AnalysesPart(key, warning, _attention(subjects), parts)


def save_all(folders: Sequence[Path], out: Path) -> None:
    """Write the figures of the analyses in these run folders, named by what they show and of whom.

    Call it with `theme.applied()`.
    """
    figures = []
    for number, folder in enumerate(folders, start=1):
        found = read_analyses(folder / ANALYSES)
        run = f"run{number}" if len(folders) > 1 else ""
        for subject in found.subjects if found else ():
            for title, drawing in _drawings(subject):
                figures.append((slug(f"analysis {title} {run} {subject.name}"), drawing.figure))
    for name, (_, figure) in zip(numbered(name for name, _ in figures), figures, strict=True):
        save(figure, out, name)


def _drawings(subject: SubjectAnalysis) -> Iterator[tuple[str, Drawing]]:
    """Title and figure of all that was looked at."""
    found = ((title, draw(subject)) for title, draw in FIGURES.items())
    return ((title, drawing) for title, drawing in found if drawing is not None)


def _subject(subject: SubjectAnalysis, key: str, sheet: StyleSheet) -> SubjectPart:
    figures = []
    for number, (title, drawing) in enumerate(_drawings(subject), start=1):
        id = f"{key}-{number}"
        picture = inline(drawing.figure, f"{id}-p", drawing.alt, {}, sheet, None)
        figures.append(FigurePart(id, "analysis", title, (View("", picture, drawing.caption),)))
    height, width = subject.resolution
    size = pixels(height if height == width else f"{height}×{width}")
    weights = weights_words(subject)
    if subject.weights.kind == "file":
        weights += f" (names of {subject.weights.mapping}, SHA-256 {subject.weights.sha256[:12]}…)"
    conditions = f"{subject.target} at {size}; {weights}; input: {subject.inputs}."
    return SubjectPart(subject.name, conditions, figures, subject.notes)


def _attention(subjects: tuple[SubjectAnalysis, ...]) -> Table | None:
    """A row for each kind of attention of each subject, means over its layers and heads."""
    rows = [
        _row(subject, label, layers)
        for subject in subjects
        for label, layers in branches_of(subject.attention).items()
    ]
    if not rows:
        return None
    numbers = ("Layers", "Keys", "Entropy (nats)", "Entropy over ln(keys)", "Distance")
    caption = (
        "Attention of every mixer, mean over layers, heads, queries and images. Distance in shares of the "
        "image's side, L1; the definitions stand at the figures."
    )
    return table(caption, ("Name", "Attention", *numbers, "Weights"), rows, numeric=numbers, sortable=True)


def _row(subject: SubjectAnalysis, label: str, layers: list[AttentionLayer]) -> list[str | TableCell]:
    keys = sorted({layer.keys for layer in layers})
    span = str(keys[0]) if len(keys) == 1 else f"{keys[0]} to {keys[-1]}"
    return [
        subject.name,
        label,
        TableCell(str(len(layers)), len(layers)),
        TableCell(span, keys[-1]),
        _mean([layer.entropy_nats for layer in layers]),
        _mean([layer.entropy for layer in layers]),
        _mean([layer.distance for layer in layers]),
        weights_words(subject),
    ]


def _mean(values: list[tuple[float, ...] | None]) -> TableCell:
    """Of all heads of the layers that have the number; a dash where none has."""
    known = [value for heads in values if heads is not None for value in heads]
    if not known:
        return TableCell("–")
    mean = sum(known) / len(known)
    return TableCell(fixed(mean, 3), mean)
