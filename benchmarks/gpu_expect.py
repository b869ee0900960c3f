"""What must come out of the steps of `gpu_kit.py`, as pure functions over the records of a run.

Each takes a run, and the one that it is compared with if there is one, and yields a sentence for all that is
not as it should be. Numbers for the ceilings are those of one NVIDIA H200 (141 GB, 700 W) and asked of no
other GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchsuite.results.machine import launch_bound
from benchsuite.results.record import Record
from benchsuite.results.round_timings import round_medians
from benchsuite.stats.intervals import quantile


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step left: records and machine of its run, and all that it printed."""

    records: Sequence[Record] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""


Expectation = Callable[[Seen, Seen | None], Iterator[str]]

ROOFS = {"bf16": (0.9 * 395e12, 1.1 * 395e12), "fp32": (20e12, 33.5e12)}
"""Format → multiply–adds per second: 790 TFLOP/s ± 10 %, and 40 to 67 TFLOP/s."""
COPY = (4.0e12, 4.6e12)
"""Bytes per second, read and written."""
ABOVE_ROOF = 1.05
SAME = 0.03
"""Medians of two runs of one cell differ by less."""
KEPT = 0.8
"""Share of the eager kernels' peak that a replay of CUDA graphs takes at least."""
_BACKENDS = {"flash": "flash", "mem_efficient": "efficient", "cudnn": "cudnn"}
_PLAIN = ("msa", "hilo", "w_msa", "MSA", "HiLo", "W-MSA")
"""Mixers without a mask, of one small head size, on which flash must run in bf16."""


def ends_with(*statuses: str) -> Expectation:
    """Every cell ends with one of these statuses, and there are some."""

    def check(seen: Seen, _: Seen | None) -> Iterator[str]:
        if not seen.records:
            yield "there are no records"
        for record in seen.records:
            if record.status not in statuses:
                yield f"{record.id}: {record.status}, {record.reason}"

    return check


def flash_where_it_can(seen: Seen, _: Seen | None) -> Iterator[str]:
    """Flash never runs fp32, and runs plain attention in bf16."""
    for record in (one for one in seen.records if one.cell.kernel == "flash"):
        if record.cell.dtype == "fp32" and record.status == "ok":
            yield f"{record.id}: flash ran fp32"
        if record.cell.dtype == "bf16" and record.cell.name in _PLAIN and record.status != "ok":
            yield f"{record.id}: flash did not run, {record.reason}"


def backend_asked_for(seen: Seen, _: Seen | None) -> Iterator[str]:
    """A forced kernel ran on its backend, where the record says on which."""
    for record in seen.records:
        wanted = _BACKENDS.get(record.cell.kernel)
        ran: Sequence[str] | None = getattr(record, "attention_backend", None)
        if record.status == "ok" and wanted and ran and {*ran} != {wanted}:
            yield f"{record.id}: ran on {', '.join(ran)}"


def compiled_once(seen: Seen, _: Seen | None) -> Iterator[str]:
    """Nothing was compiled after the first call, and no replay overwrote what an earlier one gave."""
    for record in seen.records:
        if record.compilation is not None and record.compilation.recompiles:
            yield f"{record.id}: compiled again {record.compilation.recompiles} times"
    if "overwritten by a subsequent run" in seen.log:
        yield "an output was overwritten by a subsequent run"


def graphs_take_their_memory(seen: Seen, _: Seen | None) -> Iterator[str]:
    """Peak memory under CUDA graphs is that of the kernels in them, or is not given."""
    peaks = {
        (record.cell.name, record.cell.compile): record.memory.peak_allocated_bytes
        for record in seen.records
        if record.memory is not None
    }
    for (name, mode), peak in peaks.items():
        plain = peaks.get((name, "default"))
        if mode == "reduce-overhead" and plain is not None and peak < KEPT * plain:
            yield f"{name}: {peak} bytes under CUDA graphs, {plain} without"


def fits_up_to_896(seen: Seen, _: Seen | None) -> Iterator[str]:
    """The attention matrices of 64 images fit into 141 GB at 896 pixels; at 1120 it is foreseen that they do
    not."""
    for record in seen.records:
        side = record.cell.resolution[0]
        if side == 896 and record.status != "ok":
            yield f"{record.id}: {record.status}, {record.reason}"
        if side == 1120 and (record.failure is None or record.failure.kind != "TooLarge"):
            yield f"{record.id}: {record.status}, and not foreseen as too large"


def ceilings_of_an_h200(seen: Seen, _: Seen | None) -> Iterator[str]:
    """Ceilings are what this GPU is known for."""
    if "H200" not in str((seen.environment.get("gpu") or {}).get("name")):
        return
    found = next(iter(seen.environment.get("ceilings") or ()), {})
    told = {f"{dtype} MAC/s": (rate, ROOFS[dtype]) for dtype, rate in _rates(found) if dtype in ROOFS}
    if found.get("copy_bytes_per_s"):
        told["copy B/s"] = (found["copy_bytes_per_s"], COPY)
    for name, (value, (least, most)) in told.items():
        if not least <= value <= most:
            yield f"{name}: {value:.3g} is not within {least:.3g} and {most:.3g}"


def below_the_roof(seen: Seen, _: Seen | None) -> Iterator[str]:
    """No cell multiplies faster than the fastest kernel of known cost."""
    for record in seen.records:
        roofs = dict(
            pair
            for found in seen.environment.get("ceilings") or ()
            if found.get("device") == record.cell.device
            for pair in _rates(found)
        )
        roof = roofs.get(record.cell.dtype.removeprefix("autocast_"))
        if record.timing is None or record.cost is None or roof is None or record.cell.mode != "inference":
            continue
        rate = record.cost.macs * record.cell.batch / quantile(record.timing.samples_s, 0.5)
        if rate > ABOVE_ROOF * roof and not record.cost.dense_3x3_macs:
            yield f"{record.id}: {rate:.3g} MAC/s, the roof is {roof:.3g}"


def same_as_before(seen: Seen, before: Seen | None) -> Iterator[str]:
    """Medians of two runs agree, where the GPU and not its host sets the pace."""
    if before is None:
        yield "there is no run to compare with"
        return
    earlier = {record.id: record for record in before.records}
    compared = 0
    for record in seen.records:
        other = earlier.get(record.id)
        if record.timing is None or other is None or other.timing is None:
            continue
        now, was = (quantile(round_medians(timing), 0.5) for timing in (record.timing, other.timing))
        busy = record.timing.busy
        if busy is not None and launch_bound(now, busy.seconds):
            continue
        compared += 1
        if abs(now / was - 1) >= SAME:
            yield f"{record.id}: {was:.4g} s, then {now:.4g} s"
    if not compared:
        yield "no cell can be compared"


def _rates(found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    return ((dtype, rate) for dtype, rate in (found.get("macs_per_s") or {}).items() if rate)
