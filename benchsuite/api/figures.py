"""One figure of a run, drawn: shown in a notebook, or saved as wide as a column of a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchsuite.api.notebook import image
from benchsuite.errors import UsageError, require_word
from benchsuite.report import theme
from benchsuite.report.canvas import Drawing
from benchsuite.report.cells import Cells, read
from benchsuite.report.figures import KINDS
from benchsuite.report.figures.layout import PAGE, Layout, parse, require_style
from benchsuite.report.figures.of_run import drawings
from benchsuite.report.svg import FORMATS, write
from benchsuite.results.metrics import METRICS
from benchsuite.results.store import Run


@dataclass(frozen=True, eq=False)
class RunDrawing:
    """A figure of a run.

    Attributes:
        of: the conditions, or the axis, that it is drawn of; empty where the run has one.
        others: those that it could also be drawn of.
    """

    drawing: Drawing
    layout: Layout
    of: str = ""
    others: tuple[str, ...] = ()

    @property
    def caption(self) -> str:
        """How to read it, and what it leaves out."""
        return self.drawing.caption

    def save(self, path: str | Path) -> Path:
        """Write it as PDF, PNG or SVG, whichever the name ends with; raises UsageError for another ending."""
        path = Path(path)
        require_ending(path, "path")
        with theme.applied(), self.layout.applied():
            write(self.drawing.figure, path)
        return path

    def _repr_html_(self) -> str:
        return str(image(self.drawing, self.layout))


def draw(
    run: Run,
    kind: str,
    *,
    names: Sequence[str] = (),
    kernel: str | None = None,
    metric: str | None = None,
    reference: str | None = None,
    group: str | None = None,
    width: str | None = None,
    style: str | None = None,
) -> RunDrawing:
    """Draw one figure; see `Results.figure`. Messages name the options of `benchsuite figure`."""
    require_word("--kind", kind, tuple(KINDS))
    require_word("--metric", metric, tuple(METRICS))
    layout = Layout(parse(width) if width else PAGE.width, require_style(style, kind))
    cells = read(run)
    for name in (*names, *([reference] if reference else [])):
        require_word("--mixers" if name in names else "--reference", name, cells.names)
    require_word("--kernel", kernel, tuple(dict.fromkeys(cell.kernel for cell in cells.reported)))
    choices = {"kernel": kernel, "reference": reference, "metric": metric, "names": tuple(names)}
    with theme.applied():
        figures = list(drawings(cells, layout, [KINDS[kind]], **choices))
    if not figures:
        raise UsageError(
            f"{run.path} has nothing to show in a figure of the kind {kind}; it has: {kinds_of(cells)}"
        )
    require_word("--group", group, [one.of for one in figures])
    chosen = next(one for one in figures if group in (None, one.of))
    others = tuple(one.of for one in figures if one is not chosen)
    return RunDrawing(chosen.drawing, layout, chosen.of, others)


def require_kind(run: Run, kind: str | None) -> str:
    """The kind of a figure; raises UsageError, which names those that the run has, if there is none."""
    if kind is None:
        raise UsageError(f"--kind: say which figure; {run.path} has: {kinds_of(read(run))}")
    return kind


def kinds_of(cells: Cells) -> str:
    """The kinds of figures that these cells have something for: "scatter, ratio, memory"."""
    with theme.applied():
        kinds = [kind for kind, figure in KINDS.items() if next(drawings(cells, PAGE, [figure]), None)]
    return ", ".join(kinds) or "none"


def require_ending(path: Path, argument: str = "--out") -> None:
    """Raise UsageError unless a figure can be written in the format that the name of a file ends with."""
    require_word(f"{argument}, the ending", path.suffix.removeprefix("."), FORMATS)
