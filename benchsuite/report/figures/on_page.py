"""The figures of a run as a page shows them: which stand open, which are folded, and in which views."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from markupsafe import Markup

from benchsuite.format import counted
from benchsuite.report.answer import main_group
from benchsuite.report.canvas import Drawing
from benchsuite.report.cells import Cells
from benchsuite.report.comparable_groups import ComparableGroup
from benchsuite.report.figures import FIGURES, KINDS, FigureKind
from benchsuite.report.figures.choose import FigureRequest
from benchsuite.report.figures.layout import COLUMN, HALF, PAGE, Layout, column
from benchsuite.report.figures.of_run import draw, request, subjects
from benchsuite.report.reported_cells import ReportedCell, kernels_of, names_of
from benchsuite.report.svg import FigurePart, StyleSheet, View, inline
from benchsuite.report.sweeps import sweeps

MOST_DRAWN = 400
"""Cells of a run that static figures are written into the page for, a group at a time: they cost 2 kB and 10
ms a cell. Exploring draws the others, and `--figures` writes the files of all."""
PHONE = column(COLUMN)
"""A column of a paper is as wide as a phone, with letters that can be read there."""


@dataclass
class PageFigures:
    """The figures of a run: beside the answer, open, folded by kind, and those of other groups."""

    first: FigurePart | None = None
    open: list[FigurePart] = field(default_factory=list)
    folded: dict[FigureKind, list[FigurePart]] = field(default_factory=dict)
    groups: list[tuple[ComparableGroup, list[FigurePart]]] = field(default_factory=list)
    undrawn: str = ""


@dataclass(frozen=True)
class FigureWriter:
    """Draw the figures of a run into its page. Use it with `theme.applied()`.

    Attributes:
        prefix: of the ids of rows that marks link to; None for no links.
    """

    cells: Cells
    tips: Mapping[str, str]
    sheet: StyleSheet
    key: str
    prefix: str | None

    def write(self, wanted: Sequence[str]) -> PageFigures:
        """The figures of these sections of a scenario, as far as there is room."""
        figures = PageFigures()
        if not self.cells.reported:
            return figures
        main = main_group(self.cells)
        kinds = [kind for kind in FIGURES if not kind.section or kind.section in wanted]
        kinds.sort(key=lambda kind: wanted.index(kind.section) if kind.section else len(wanted))
        room = MOST_DRAWN - len(main)
        if room < 0:
            figures.undrawn = _undrawn(len(self.cells.reported))
            return figures
        beside = (part for kind in self._beside(kinds) for part in self._parts(kind, main, HALF, phone=True))
        figures.first = next(beside, None)
        first = KINDS[figures.first.kind] if figures.first else None
        shown = {first.kind, first.view} if first and first.of != "sweeps" else set()
        of_run = first is not None and first.of == "run"  # of whose groups one is as good as another
        for kind in () if of_run else _open(kinds, shown, names=len(names_of(main)), first=first):
            figures.open += self._parts(kind, main, PAGE, phone=kind.of != "sweeps")
            shown.add(kind.kind)
        others = [] if of_run else [group for group in self.cells.groups if group.cells is not main]
        sums = accumulate(len(group.cells) for group in others)
        drawable = [group for group, taken in zip(others, sums, strict=True) if taken <= room]
        if len(drawable) < len(others):
            figures.undrawn = _undrawn(sum(len(group.cells) for group in others[len(drawable) :]))
        for kind in (kind for kind in kinds if kind.kind not in shown):
            parts = list(self._parts(kind, main, PAGE))
            for group in drawable if kind.of == "groups" and not kind.every_group else ():
                again = self._parts(kind, group.cells, PAGE, switch=False)
                parts += [replace(part, title=f"{kind.title}: {group.title}") for part in again]
            if parts:
                figures.folded[kind] = parts
        every = [kind for kind in FIGURES if kind.every_group and kind in kinds]
        for group in drawable:
            of_group = (self._parts(kind, group.cells, PAGE, switch=False) for kind in every)
            figures.groups.append((group, [part for parts in of_group for part in parts]))
        return figures

    def _beside(self, kinds: Sequence[FigureKind]) -> list[FigureKind]:
        """Kinds that may stand beside the answer: of protocols or a parameter where it is about these."""
        varied = any(sweep.is_parameter for sweep in sweeps(self.cells.reported))
        about = varied and len({cell.target for cell in self.cells.reported}) == 1
        may = [kind for kind in kinds if kind.beside and (kind.of != "sweeps" or about)]
        return sorted(may, key=lambda kind: kind.beside)

    def _parts(
        self, kind: FigureKind, group: Sequence[ReportedCell], layout: Layout, *, phone: bool = False,
        switch: bool = True,
    ) -> Iterator[FigurePart]:  # fmt: skip
        """The figures of one kind: of this group, of the whole run, or one for each sweep over an axis.

        Args:
            phone: also as wide as a phone.
            switch: with a view of each kernel, where the kind shows one.
        """
        half = layout == HALF
        metric = "throughput" if half and kind.of == "sweeps" else None
        for i, subject in enumerate(subjects(self.cells, kind, request(self.cells, layout, metric=metric))):
            if kind.of == "groups" and subject.cells is not group:
                continue
            key = f"{self.key}-{kind.kind}" + (f"-{i}" if i else "") + ("-half" if half else "")
            # Tooltips are a fifth of a figure.
            tips = self.tips if switch and (kind.of != "sweeps" or half) else {}
            views = tuple(self._views(kind, subject, key, tips, phone=phone, switch=switch))
            by = ("Kernel" if kind.by_kernel else "Against") if len(views) > 1 else ""
            sweep = subject.sweep
            title = f"Over {sweep.title}{f': {sweep.apart}' if sweep.apart else ''}" if sweep else kind.title
            if views:
                yield FigurePart(key, kind.kind, title, views, by)

    def _views(
        self, kind: FigureKind, subject: FigureRequest, key: str, tips: Mapping[str, str], *, phone: bool,
        switch: bool,
    ) -> Iterator[View]:  # fmt: skip
        """The pictures of a figure, the first also for a phone; none where there is nothing to show."""
        several = [("MACs", kind, subject)]
        if kind.view:
            several.append(("Published accuracy", KINDS[kind.view], subject))
        if kind.by_kernel:
            kernels = kernels_of(subject.cells)[: None if switch else 1]
            several = [(kernel, kind, replace(subject, kernel=kernel)) for kernel in kernels]
        for number, (label, drawn, of) in enumerate(several):
            drawing = draw(self.cells, drawn, of)
            if drawing is None:
                continue
            small = replace(of, layout=PHONE)
            narrow = draw(self.cells, drawn, small) if phone and not number else None
            yield View(
                label,
                self._svg(drawing, f"{key}-{number}", {} if number else tips),
                drawing.caption,
                self._svg(narrow, f"{key}-{number}-p", {}) if narrow else None,
            )

    def _svg(self, drawing: Drawing, key: str, tips: Mapping[str, str]) -> Markup:
        return inline(drawing.figure, key, drawing.alt, tips, self.sheet, self.prefix)


def _open(
    kinds: Sequence[FigureKind], shown: Collection[str], *, names: int, first: FigureKind | None
) -> list[FigureKind]:
    """Kinds that stand open under the answer, of a group with so many names."""
    # Growth with resolution would have a line for every value of the axis beside the answer.
    hidden = {*shown, "scaling"} if first and first.of == "sweeps" else {*shown}
    may = [kind for kind in kinds if kind.open and kind.kind not in hidden]
    return sorted((kind for kind in may if names <= (kind.longest or names)), key=lambda kind: kind.open)


def _undrawn(cells: int) -> str:
    return (
        f"The figures of {counted(cells, 'cell')} are not in this file, which would have become too large: "
        "Explore draws them where scripts run, and benchsuite report --figures DIR writes all."
    )
