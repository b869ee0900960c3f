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
    "token_mlp": "benchsuite.mixers.mlp_mixer:TokenMixingMLP",
    "smlp": "benchsuite.mixers.smlp:SparseMLP",
    "vip": "benchsuite.mixers.vip:WeightedPermuteMLP",
    "gmlp": "benchsuite.mixers.gmlp:GatedMLP",
    "resmlp": "benchsuite.mixers.resmlp:CrossPatch",
    "pooling": "benchsuite.mixers.poolformer:Pooling",
    "convnext": "benchsuite.mixers.convnext:ConvNeXtConv",
    "gfnet": "benchsuite.mixers.gfnet:GlobalFilter",
    "fnet": "benchsuite.mixers.fnet:FourierMixing",
    "afno": "benchsuite.mixers.afno:AdaptiveFourierMixing",
    "separable": "benchsuite.mixers.mobilevit:SeparableSelfAttention",
    "relu_linear": "benchsuite.mixers.efficientvit:ReLULinearAttention",
    "cascaded_group": "benchsuite.mixers.cascaded_group:CascadedGroupAttention",
}
"""Name in a scenario → "module:class". Resolved on use; importing this table imports no torch."""

BLOCKS: dict[str, str] = {
    "mixer_block": "benchsuite.mixers.mlp_mixer:MixerBlock",
    "gmlp_sgu": "benchsuite.mixers.gmlp:SpatialGatingUnit",
    "gmlp_block": "benchsuite.mixers.gmlp:GMLPBlock",
    "resmlp_block": "benchsuite.mixers.resmlp:ResMLPBlock",
    "gfnet_block": "benchsuite.mixers.gfnet:GFNetBlock",
    "convnext_block": "benchsuite.mixers.convnext:ConvNeXtBlock",
}
"""Parts around and inside of mixers that the papers define and that golden cases exist for; as `MIXERS`."""
