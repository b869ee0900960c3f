"""The roofline of a machine as measured, and where a cell lies under it. Pure.

Below the ridge a forward pass could at best run as fast as its bytes can move, above it as fast as the
fastest kernel of known cost multiplies. Both ceilings are rates that torch reached on the machine, not a data
sheet's.

Only forward passes have a place: what a backward pass multiplies is not counted. Bytes are the fewest that
must move, so an intensity is the highest there can be, and a roof is never too low for want of bytes.

A share above 1 has a reason, or none is known (`above`). Left of the ridge data may stay in the caches, which
a copy of large buffers knows nothing of. Caches lift nothing above the roof of multiplication; an algorithm
does that needs fewer multiplications than are counted: Winograd's, of dense 3 × 3 convolutions, where the
machine is seen to gain by it. Old runs tried one matrix product, which other kernels outrun.
Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures", Communications of the ACM 52(4), 2009; Lavin and Gray, "Fast Algorithms for Convolutional
Neural Networks", CVPR 2016.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchsuite.results.machine import FLOPS_PER_MAC, ceilings_of, intensity
from benchsuite.results.metrics import MeasuredCell

CACHES = "caches"
WINOGRAD = "winograd"
ONE_PRODUCT = "one product"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Roof:
    """Place of a cell under the roof of its machine.

    Attributes:
        intensity: operations per byte, with the fewest bytes that must move.
        achieved: FLOP/s of the median step; a lower bound where MACs are.
        ridge: the intensity from which on multiplying limits, and no longer moving bytes.
        peak: FLOP/s of the kernel that multiplied fastest; `kernel` is its name, empty where one product
            alone was tried.
        lifted_by: what may lift a cell above the roof of multiplication: `WINOGRAD`, `ONE_PRODUCT` or
            `UNKNOWN`.
    """

    intensity: float
    achieved: float
    ridge: float
    peak: float
    kernel: str
    lifted_by: str

    @property
    def share(self) -> float:
        """Of the most that the machine allows at this intensity."""
        return self.achieved / (self.peak * min(1.0, self.intensity / self.ridge))

    @property
    def memory_bound(self) -> bool:
        """True below the ridge, where moving bytes limits."""
        return self.intensity < self.ridge

    @property
    def above(self) -> str:
        """Reason why the share exceeds 1, as a word of this file; empty where it does not."""
        if self.share <= 1:
            return ""
        return CACHES if self.memory_bound else self.lifted_by


def roof_of(measured: MeasuredCell) -> Roof | None:
    """The place of a cell; None in training, where it or its machine lacks a number, and without MACs."""
    record, timing, achieved = measured.record, measured.timing, measured.achieved_flops_per_s
    if timing is None or not achieved or record.cost is None or record.memory is None:
        return None
    operations = intensity(record.cell, record.cost, record.memory)
    top = ceilings_of(measured.environment, record.cell.device, record.cell.dtype, timing.threads)
    if not operations or not top.macs_per_s or not top.copy_bytes_per_s:
        return None
    peak = FLOPS_PER_MAC * top.macs_per_s
    fewer = record.cost.dense_3x3_macs and top.counted_per_s and top.counted_per_s > top.macs_per_s
    return Roof(
        intensity=operations,
        achieved=achieved,
        ridge=peak / top.copy_bytes_per_s,
        peak=peak,
        kernel=top.kernel,
        lifted_by=ONE_PRODUCT if not top.kernel else WINOGRAD if fewer else UNKNOWN,
    )
