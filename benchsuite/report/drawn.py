"""The figures of a run as a page shows them: which stand open, which are folded, and in which views."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate

from markupsafe import Markup

from benchsuite.report.answer import main_group
from benchsuite.report.canvas import Drawing, flagged
from benchsuite.report.cells import Cells
from benchsuite.report.figures import COLUMN, FIGURES, HALF, KINDS, PAGE, FigureKind, Layout, Options, column
from benchsuite.report.groups import Group
from benchsuite.report.points import Point, kernels_of, names_of
from benchsuite.report.svg import StyleSheet, inline
from benchsuite.report.sweeps import RESOLUTION, Sweep, sweeps
from benchsuite.report.theme import Look, start_said
from benchsuite.report.words import counted

MOST_DRAWN = 400
"""Cells of a run that static figures are written into the page for, a group at a time: they cost 2 kB and 10
ms a cell. Exploring draws the others, and `--figures` writes the files of all."""
BESIDE = ("protocols", "axis", "scatter")
"""Kinds that may stand beside the answer, the first that has something to show."""
OPEN = ("scatter", "scaling", "axis", "ratio")
"""Kinds that stand open under it."""
VIEWS: Mapping[str, str] = {"scatter": "accuracy"}
"""Kinds that are another view of a figure, a switch away."""
PHONE = column(COLUMN)
"""A column of a paper is as wide as a phone, with letters that can be read there."""
AGAIN = ("scatter", "scaling", "ratio")
"""Kinds that each group of other conditions has for itself."""
BY_KERNEL = ("scaling", "axis")
LONG = {"ratio": 24}
"""Kinds with a row a name, and the names up to which they stand open."""
"""Kinds that show one kernel, and have a switch."""


@dataclass(frozen=True)
class View:
    """One picture of a figure; `label` is what its switch says, `phone` the same in the width of a phone."""

    label: str
    svg: Markup
    caption: str
    phone: Markup | None = None


@dataclass(frozen=True)
class FigurePart:
    """A figure with its views, of which the first shows; `switch` names what they differ in."""

    key: str
    kind: str
    title: str
    views: tuple[View, ...]
    switch: str = ""


@dataclass
class Figures:
    """The figures of a run: beside the answer, open, folded by kind, and those of other groups."""

    first: FigurePart | None = None
    open: list[FigurePart] = field(default_factory=list)
    folded: dict[FigureKind, list[FigurePart]] = field(default_factory=dict)
    groups: list[tuple[Group, list[FigurePart]]] = field(default_factory=list)
    undrawn: str = ""


@dataclass
class Pen:
    """Draws the figures of a run into its page. Use it with `theme.applied()`.

    Attributes:
        prefix: of the ids of rows that marks link to; None for no links.
    """

    cells: Cells
    looks: Mapping[str, Look]
    tips: Mapping[str, str]
    sheet: StyleSheet
    key: str
    prefix: str | None

    def page(self, wanted: Sequence[str]) -> Figures:
        """The figures of these sections of a scenario, as far as there is room."""
        found = Figures()
        if not self.cells.points:
            return found
        main = main_group(self.cells)
        kinds = [kind for kind in FIGURES if not kind.section or kind.section in wanted]
        kinds.sort(key=lambda kind: wanted.index(kind.section) if kind.section else len(wanted))
        room = MOST_DRAWN - len(main)
        if room < 0:
            found.undrawn = _undrawn(len(self.cells.points))
            return found
        beside = (part for kind in self._beside(kinds) for part in self._parts(kind, main, HALF, phone=True))
        first = next(beside, None)
        found.first = first
        shown = {first.kind} - {"axis"} if first else set()
        folded = (
            {"scaling"} if first and first.kind == "axis" else set()
        )  # a line for every value of that axis
        shown |= {view for kind, view in VIEWS.items() if kind in shown}
        names = len(names_of(main))
        opened = [w for w in OPEN if KINDS[w] in kinds and w not in shown | folded]
        opened = [word for word in opened if names <= LONG.get(word, names)]
        for kind in (KINDS[word] for word in opened if first is None or first.kind != "protocols"):
            found.open += self._parts(kind, main, PAGE, phone=kind.kind != "axis")
            shown.add(kind.kind)
        others = [group for group in self.cells.groups if group.cells is not main]
        sums = accumulate(len(group.cells) for group in others)
        told = [group for group, taken in zip(others, sums, strict=True) if taken <= room]
        if first and first.kind == "protocols":  # of which one is as good as another for all else
            others = told = []
        if len(told) < len(others):
            found.undrawn = _undrawn(sum(len(group.cells) for group in others[len(told) :]))
        for kind in (kind for kind in kinds if kind.kind not in shown):
            parts = list(self._parts(kind, main, PAGE))
            for group in told if not kind.whole and kind.kind != "axis" and kind.kind not in AGAIN else ():
                parts += [
                    replace(part, title=f"{kind.title}: {group.title}")
                    for part in self._parts(kind, group.cells, PAGE, switch=False)
                ]
            if parts:
                found.folded[kind] = parts
        for group in told:
            some = [KINDS[word] for word in AGAIN if KINDS[word] in kinds]
            parts = [part for kind in some for part in self._parts(kind, group.cells, PAGE, switch=False)]
            found.groups.append((group, parts))
        return found

    def _beside(self, kinds: Collection[FigureKind]) -> Iterator[FigureKind]:
        """Kinds that may stand beside the answer: of protocols or a parameter where it is about these."""
        varied = any(sweep.is_parameter for sweep in self._sweeps)
        about = varied and len({point.target for point in self.cells.points}) == 1
        for word in BESIDE:
            if KINDS[word] in kinds and (word != "axis" or about):
                yield KINDS[word]

    def _parts(
        self,
        kind: FigureKind,
        cells: Sequence[Point],
        layout: Layout,
        *,
        phone: bool = False,
        switch: bool = True,
    ) -> Iterator[FigurePart]:
        """The figures of one kind: one, or one for each sweep over an axis.

        Args:
            phone: also as wide as a phone.
            switch: with a view of each kernel, where the kind shows one.
        """
        options = Options(reference=self.cells.reference)
        if kind.kind != "axis":
            group = next((i for i, one in enumerate(self.cells.groups) if one.cells is cells), 0)
            found = self.cells.points if kind.whole else cells
            yield from self._part(kind, f"-{group}" if group else "", found, layout, options, phone, switch)
            return
        if layout == HALF:
            options = replace(options, metric="throughput")
        for i, sweep in enumerate(self._sweeps, start=1):
            one = replace(options, sweep=sweep)
            for part in self._part(kind, f"-{layout.width:.0f}-{i}", sweep.cells, layout, one, phone, switch):
                title = f"Over {sweep.title}{f': {sweep.apart}' if sweep.apart else ''}"
                yield replace(part, title=title)

    def _part(
        self, kind: FigureKind, suffix: str, cells: Sequence[Point], layout: Layout, options: Options,
        phone: bool, switch: bool,
    ) -> Iterator[FigurePart]:  # fmt: skip
        """The figure with its views; nothing where there is nothing to show."""
        key = f"{self.key}-{kind.kind}{suffix}"
        if kind.kind in BY_KERNEL:
            kernels = kernels_of(cells)[: None if switch else 1]
            several, by = [(kernel, kind, replace(options, kernel=kernel)) for kernel in kernels], "Kernel"
        else:
            several, by = [("MACs", kind, options)], "Against"
            if kind.kind in VIEWS:
                several.append(("Published accuracy", KINDS[VIEWS[kind.kind]], options))
        linked = switch and (kind.kind != "axis" or layout == HALF)  # tooltips are a fifth of a figure
        views = []
        for number, (label, drawn, how) in enumerate(several):
            drawing = drawn.draw(cells, self.looks, layout, how)
            if drawing is None:
                continue
            narrow = drawn.draw(cells, self.looks, PHONE, how) if phone and not number else None
            views.append(
                View(
                    label,
                    self._svg(drawing, f"{key}-{number}", self.tips if linked and not number else {}),
                    drawing.caption + start_said(self.looks),
                    self._svg(narrow, f"{key}-{number}-p", {}) if narrow else None,
                )
            )
        if views:
            yield FigurePart(key, kind.kind, kind.title, tuple(views), by if len(views) > 1 else "")

    def _svg(self, drawing: Drawing, key: str, tips: Mapping[str, str]) -> Markup:
        drawing = flagged(drawing, self._suspicious)
        return inline(drawing.figure, key, drawing.alt, tips, self.sheet, self.prefix)

    @cached_property
    def _sweeps(self) -> list[Sweep]:
        return [sweep for sweep in sweeps(self.cells.points) if sweep.axis != RESOLUTION]

    @cached_property
    def _suspicious(self) -> frozenset[str]:
        return frozenset(point.cell for point in self.cells.points if point.flags)


def _undrawn(cells: int) -> str:
    return (
        f"The figures of {counted(cells, 'cell')} are not in this file, which would have become too large: "
        "Explore draws them where scripts run, and benchsuite report --figures DIR writes all."
    )
