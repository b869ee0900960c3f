"""Token mixers of the papers, one file a paper. They know nothing of benchmarking and can be copied anywhere.

A mixer is an `nn.Module` with

- a class variable `layout`: "BNC" (tokens, `forward(x, size)`), "NCHW" or "NHWC" (maps, `forward(x)`),
- a class variable `kernels`: the attention kernels it can run on, "math" first,
- keyword arguments `dim`, `num_heads` and `kernel` where it has such things,
- a method `macs(size)`: the closed form of its multiply–accumulates for one image,
- `PORTS` in its file: how the authors' constructor arguments and weights map on ours.

To add one, write its file and one line here.
"""

from __future__ import annotations

MIXERS: dict[str, str] = {
    "msa": "benchsuite.mixers.msa:MSA",
    "hilo": "benchsuite.mixers.hilo:HiLo",
    "window": "benchsuite.mixers.swin:WindowAttention",
    "sra": "benchsuite.mixers.pvt:SpatialReductionAttention",
    "linear_sra": "benchsuite.mixers.pvt:LinearSpatialReductionAttention",
    "lsa": "benchsuite.mixers.twins:LocallyGroupedAttention",
    "gsa": "benchsuite.mixers.twins:GlobalSubSampledAttention",
    "t_msa": "benchsuite.mixers.twins:TwinsAttention",
    "performer": "benchsuite.mixers.performer:Performer",
}
"""Name in a scenario → "module:class". Resolved on use; importing this table imports no torch."""

BLOCKS: dict[str, str] = {}
"""Parts around and inside of mixers that the papers define and that golden cases exist for; as `MIXERS`."""
