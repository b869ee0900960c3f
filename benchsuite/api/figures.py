"""One figure of a run, drawn: shown in a notebook, or saved as wide as a column of a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchsuite.api.notebook import image
from benchsuite.errors import UsageError, did_you_mean
from benchsuite.report import theme
from benchsuite.report.canvas import Drawing
from benchsuite.report.cells import read
from benchsuite.report.figures import KINDS, require_style
from benchsuite.report.figures.choose import Options
from benchsuite.report.figures.layout import PAGE, Layout, parse
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
        require_ending(path)
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
    _require("--kind", kind, tuple(KINDS))
    _require("--metric", metric, tuple(METRICS))
    layout = Layout(parse(width) if width else PAGE.width, require_style(style, kind))
    cells = read(run)
    for name in (*names, *([reference] if reference else [])):
        _require("--mixers" if name in names else "--reference", name, cells.names)
    _require("--kernel", kernel, tuple(dict.fromkeys(point.kernel for point in cells.points)))
    options = Options(kernel=kernel, reference=reference, metric=metric, names=tuple(names))
    with theme.applied():
        figures = list(drawings(cells, layout, options, [KINDS[kind]]))
    if not figures:
        raise UsageError(f"{run.path} has nothing to show in a figure of the kind {kind}")
    _require("--group", group, [one.of for one in figures])
    chosen = next(one for one in figures if group in (None, one.of))
    others = tuple(one.of for one in figures if one is not chosen)
    return RunDrawing(chosen.drawing, layout, chosen.of, others)


def require_ending(path: Path) -> None:
    """Raise UsageError unless a figure can be written in the format that the name of a file ends with."""
    _require("--out, the ending", path.suffix.removeprefix("."), FORMATS)


def _require(option: str, word: str | None, allowed: Sequence[str]) -> None:
    """Raise UsageError unless the word is one of those allowed, or None."""
    if word is None or word in allowed:
        return
    hint = did_you_mean(word, allowed)
    raise UsageError(f'{option}: no "{word}"{hint}\n  allowed: {", ".join(allowed)}')
