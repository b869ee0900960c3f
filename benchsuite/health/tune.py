"""The fastest kernel of mixers on this machine, which the kernel "auto" then stands for.

The kernels of a mixer are cells of an ordinary scenario, measured in rounds as any other: this file writes
the scenario and reads its records. Another kernel takes the place of the one that "auto" stands for without
a table only where the interval of their ratio is beyond `LEAST`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.results.cell import Cell, Kernel
from benchsuite.results.record import Record
from benchsuite.results.round_timings import round_medians
from benchsuite.scenario.kernel_table import OTHERWISE, KernelRow
from benchsuite.stats.evidence import Question, decide, paired
from benchsuite.zoo.catalogue import entry

CANDIDATES: tuple[Kernel, ...] = ("math", "sdpa", "flex", "compiled")
"""Kernels that are tried, as far as a mixer has them: "sdpa" takes the best of those that may be forced."""
LEAST = 1.03
"""Ratio of times from which another kernel is worth it."""
_STRIDE = 16

Measure = Callable[[Mapping[str, Any]], Sequence[Record]]
"""Measures a scenario, given as its document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneRequest:
    """What is to be tuned.

    Attributes:
        mixers: keys of `MIXERS`.
        grids: height and width of token grids.
        rounds: fresh processes that each kernel is measured in.
    """

    mixers: tuple[str, ...]
    grids: tuple[tuple[int, int], ...] = ((14, 14), (28, 28))
    dtypes: tuple[str, ...] = ("fp32",)
    modes: tuple[str, ...] = ("inference",)
    batch: int = 1
    dim: int = 384
    rounds: int = 5


def tune(request: TuneRequest, measure: Measure) -> tuple[KernelRow, ...]:
    """The rows of a request, in the order of what was measured.

    Raises:
        UsageError: a mixer is none of the zoo's, or has one kernel only, so that there is nothing to choose.
    """
    return fastest(measure(document(request)))


def document(request: TuneRequest) -> dict[str, Any]:
    """The scenario that measures the kernels of these mixers; raises UsageError as `tune` does."""
    of_mixer = {mixer: candidates(mixer) for mixer in request.mixers}
    for mixer, kernels in of_mixer.items():
        if len(kernels) < 2:
            raise UsageError(f"{mixer} runs on {', '.join(kernels)} alone, so there is no kernel to choose")
    tried = [kernel for kernel in CANDIDATES if any(kernel in have for have in of_mixer.values())]
    lacking = {kernel: [mixer for mixer, have in of_mixer.items() if kernel not in have] for kernel in tried}
    return {
        "name": "tune",
        "title": "The fastest kernel of each mixer",
        "sweep": {
            "mixer": list(request.mixers),
            "resolution": [[side * _STRIDE for side in grid] for grid in request.grids],
            "stride": _STRIDE,
            "batch": request.batch,
            "dim": request.dim,
            "dtype": list(request.dtypes),
            "mode": list(request.modes),
            "kernel": tried,
        },
        "exclude": [
            {"where": f"kernel={kernel} mixer={','.join(mixers)}", "reason": "no such kernel"}
            for kernel, mixers in lacking.items()
            if mixers
        ],
        "measure": {"metrics": ["latency"], "rounds": request.rounds, "precision": None, "ceilings": False},
    }


def candidates(mixer: str) -> tuple[Kernel, ...]:
    """The kernels to choose from for a mixer of the zoo; raises UsageError if there is no such mixer."""
    kernels = entry(mixer).kernels
    return tuple(kernel for kernel in CANDIDATES if kernel in kernels)


def fastest(records: Iterable[Record]) -> tuple[KernelRow, ...]:
    """The fastest kernel in every setting in which more than one ran, or one alone runs at all."""
    settings: dict[KernelRow, dict[Kernel, Sequence[float]]] = {}
    for record in records:
        times = settings.setdefault(_row(record.cell), {})
        if record.status == "ok" and record.timing is not None:
            times[record.cell.kernel] = round_medians(record.timing)
    return tuple(replace(row, kernel=_fastest(times)) for row, times in settings.items() if times)


def _row(cell: Cell) -> KernelRow:
    return KernelRow(
        mixer=cell.target,
        device=cell.device.partition(":")[0],
        dtype=cell.dtype,
        mode=cell.mode,
        grid=cell.grid,
        kernel=OTHERWISE,
    )


def _fastest(times: Mapping[Kernel, Sequence[float]]) -> Kernel:
    """The kernel with the shortest time of those that are faster than the usual one for sure; else that one.

    Args:
        times: kernel → the median of each round.
    """
    usual = OTHERWISE if OTHERWISE in times else next(kernel for kernel in CANDIDATES if kernel in times)
    ratios = {kernel: paired(times[usual], own) for kernel, own in times.items() if kernel != usual}
    decisions = decide({kernel: Question(ratio, edge=LEAST) for kernel, ratio in ratios.items()})
    faster = [kernel for kernel, decision in decisions.items() if decision.side == "above"]
    return max(faster, key=lambda kernel: ratios[kernel].value, default=usual)
