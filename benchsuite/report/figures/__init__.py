"""The figures of a run: a table with one row each.

Light, since the command line reads it before anything is drawn: the modules of figures are imported on use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from benchsuite.report.canvas import Drawing
    from benchsuite.report.figures.choose import Drawn, FigureRequest

    Draw = Callable[[FigureRequest], Drawn | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureKind:
    """A figure, and where a page shows it.

    Attributes:
        kind: its word on the command line.
        file: name of the files that `--figures` writes.
        function: "module:function" in this package, a `Draw`; call `draw`, which applies the layout.
        section: the word for it in a scenario's `report.sections`; empty for what shows wherever it has data.
        of: what it is drawn of: each group of comparable cells, the whole run, or each sweep over an axis.
        beside: its turn to stand beside the answer, where the first with data does; 0 for never.
        open: its turn among the figures that stand open under the answer; 0 for what is folded.
        longest: names beyond which it is folded nevertheless.
        every_group: whether each group of other conditions shows it under its own title.
        by_kernel: whether it shows one kernel, and has a switch between them.
        view: the kind that is another view of it, a switch away.
    """

    kind: str
    title: str
    file: str
    function: str
    section: str = ""
    of: Literal["groups", "run", "sweeps"] = "groups"
    beside: int = 0
    open: int = 0
    longest: int | None = None
    every_group: bool = False
    by_kernel: bool = False
    view: str = ""

    def draw(self, request: FigureRequest) -> Drawing | None:
        """The figure of these cells; None where they do not have what it shows."""
        from benchsuite.report.figures.choose import described

        module, _, name = self.function.partition(":")
        function: Draw = getattr(import_module(f"{__name__}.{module}"), name)
        with request.layout.applied():
            drawn = function(request)
        return None if drawn is None else described(drawn, self.title, request)


FIGURES: tuple[FigureKind, ...] = (
    FigureKind(
        kind="scatter", title="MACs against speed", file="macs-vs-throughput", function="scatter:scatter",
        section="scatter", beside=3, open=1, every_group=True, view="accuracy",
    ),
    FigureKind(
        kind="accuracy", title="Published accuracy against speed", file="accuracy",
        function="accuracy:accuracy", section="scatter",
    ),
    FigureKind(
        kind="protocols", title="Protocols side by side", file="protocols", function="dots:protocols",
        section="scatter", of="run", beside=1,
    ),
    FigureKind(
        kind="axis", title="Growth over an axis", file="over-axis", function="lines:over_axis",
        section="scaling", of="sweeps", beside=2, open=3, by_kernel=True,
    ),
    FigureKind(
        kind="scaling", title="Growth with resolution", file="over-resolution", function="lines:over_axis",
        section="scaling", open=2, every_group=True, by_kernel=True,
    ),
    FigureKind(
        kind="ratio", title="Speed relative to the reference", file="relative-speed", function="dots:ratio",
        section="scatter", open=4, longest=24, every_group=True,
    ),
    FigureKind(
        kind="kernels", title="Fused kernels against math", file="kernel-speedup",
        function="dots:kernel_speedup", section="kernels",
    ),
    FigureKind(
        kind="device", title="Wall time and device time", file="wall-and-device-time", function="parts:device"
    ),
    FigureKind(kind="roofline", title="Roofline", file="roofline", function="roofline:roofline"),
    FigureKind(
        kind="operators", title="Time by operator", file="time-by-operator", function="parts:operators"
    ),
    FigureKind(
        kind="memory", title="Memory breakdown", file="memory-breakdown", function="parts:memory",
        section="memory",
    ),
    FigureKind(
        kind="training", title="Training step breakdown", file="training-breakdown",
        function="parts:training", section="training",
    ),
    FigureKind(kind="energy", title="Energy of an image", file="energy", function="parts:energy"),
)  # fmt: skip
"""Every figure, one row each. To add one, write its function and one line here."""

KINDS: Mapping[str, FigureKind] = {figure.kind: figure for figure in FIGURES}
