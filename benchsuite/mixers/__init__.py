"""Token mixers of the papers, one file a paper. They know nothing of benchmarking and can be copied anywhere.

A mixer is an `nn.Module` with

- a class variable `layout`: "BNC" (tokens, `forward(x, size)`), "NCHW" or "NHWC" (maps, `forward(x)`),
- a class variable `kernels`: the attention kernels it can run on, "math" first,
- a class variable `relation`: which tokens it connects and where their weights come from,
- keyword arguments `dim`, `num_heads` and `kernel` where it has such things,
- a docstring with a line "MACs:", the closed form of its multiply–adds for one image, and every argument,
- `PORTS` in its file: how the authors' constructor arguments and weights map on ours.

To add one, write its file and one line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Connectivity = Literal["dense", "local", "sparse", "low rank", "none"]
"""Tokens that a token sees: all; those of a window; a chosen few; all through fewer; none but itself."""
Sharing = Literal["none", "positions", "channels", "heads"]
"""Over what a spatial weight is shared: nothing; all positions; all channels; a head's channels."""
Weights = Literal["static", "dynamic per image", "dynamic per position"]
"""Source of spatial weights: parameters, or predictions, once an image or for each position of it."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A mixer's place: which tokens it connects, what shares a weight, where the weights come from.

    Source: Han et al., "On the Connection between Local Attention and Dynamic Depth-wise Convolution",
    ICLR 2022, arXiv:2106.04263.
    """

    connectivity: Connectivity
    sharing: tuple[Sharing, ...]
    weights: Weights


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
    "relpos_msa": "benchsuite.mixers.lit:RelPosMSA",
    "davit_window": "benchsuite.mixers.davit:DaViTWindowAttention",
    "davit_channel": "benchsuite.mixers.davit:ChannelAttention",
    "dwconv": "benchsuite.mixers.depthwise:DepthwiseConv",
    "dynamic_dwconv": "benchsuite.mixers.depthwise:DynamicDepthwiseConv",
    "idynamic_dwconv": "benchsuite.mixers.depthwise:InhomogeneousDepthwiseConv",
    "dw_block": "benchsuite.mixers.dwnet:DWBlock",
    "dynamic_dw_block": "benchsuite.mixers.dwnet:DynamicDWBlock",
    "idynamic_dw_block": "benchsuite.mixers.dwnet:InhomogeneousDWBlock",
    "cb": "benchsuite.mixers.context_broadcast:ContextBroadcast",
    "cbs": "benchsuite.mixers.context_broadcast:ScaledContextBroadcast",
    "cb_msa": "benchsuite.mixers.context_broadcast:ContextBroadcastMSA",
    "uniform_msa": "benchsuite.mixers.context_broadcast:UniformHeadMSA",
    "se": "benchsuite.mixers.se:SqueezeExcite",
    "ge": "benchsuite.mixers.gather_excite:GatherExcite",
    "eca": "benchsuite.mixers.eca:EfficientChannelAttention",
    "acmix": "benchsuite.mixers.acmix:ACmix",
    "acmix_swin": "benchsuite.mixers.acmix_swin:ACmixWindowAttention",
    "acmix_sra": "benchsuite.mixers.acmix_pvt:ACmixSpatialReductionAttention",
    "acmix_san": "benchsuite.mixers.acmix_san:ACmixPatchwiseAttention",
    "san_pairwise": "benchsuite.mixers.san:PairwiseAttention",
    "san_patchwise": "benchsuite.mixers.san:PatchwiseAttention",
    "involution": "benchsuite.mixers.involution:Involution",
    "outlook": "benchsuite.mixers.volo:OutlookAttention",
    "nat": "benchsuite.mixers.nat:NeighborhoodAttention",
    "halo": "benchsuite.mixers.halo:HaloAttention",
    "focal": "benchsuite.mixers.focal:FocalAttention",
    "quadtree": "benchsuite.mixers.quadtree:QuadTreeAttention",
    "linformer": "benchsuite.mixers.linformer:Linformer",
    "xca": "benchsuite.mixers.xcit:CrossCovarianceAttention",
    "lka": "benchsuite.mixers.van:LargeKernelAttention",
    "van": "benchsuite.mixers.van:VanAttention",
    "gnconv": "benchsuite.mixers.hornet:GnConv",
    "cswin": "benchsuite.mixers.cswin:CrossShapedWindowAttention",
    "dat": "benchsuite.mixers.dat:DeformableAttention",
    "dat_pyramid": "benchsuite.mixers.dat_pyramid:PyramidAttention",
    "swinv2_window_attention": "benchsuite.mixers.swinv2:SwinV2WindowAttention",
    "focalnet_modulation": "benchsuite.mixers.focalnet:FocalModulation",
    "maxvit_block_attention": "benchsuite.mixers.maxvit:BlockAttention",
    "maxvit_grid_attention": "benchsuite.mixers.maxvit:GridAttention",
    "biformer_bra": "benchsuite.mixers.biformer:BiLevelRoutingAttention",
    "biformer_bra_nchw": "benchsuite.mixers.biformer:BiLevelRoutingAttention2d",
    "coatnet_attention": "benchsuite.mixers.coatnet:CoAtNetAttention",
    "bottleneck_attention": "benchsuite.mixers.botnet:BottleneckAttention",
    "lambda_layer": "benchsuite.mixers.lambda_layer:LambdaLayer",
    "gpsa": "benchsuite.mixers.convit:GPSA",
    "non_local": "benchsuite.mixers.non_local:NonLocal",
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
    "davit_cpe": "benchsuite.mixers.davit:DaViTPosition",
    "davit_spatial_block": "benchsuite.mixers.davit:DaViTSpatialBlock",
    "davit_channel_block": "benchsuite.mixers.davit:DaViTChannelBlock",
    "davit_dual_block": "benchsuite.mixers.davit:DaViTDualBlock",
    "dwnet_block": "benchsuite.mixers.dwnet:DWNetBlock",
    "cb_mlp": "benchsuite.mixers.context_broadcast:ContextBroadcastMLP",
    "cb_block": "benchsuite.mixers.context_broadcast:ContextBroadcastBlock",
    "dtm": "benchsuite.mixers.lit:DeformableTokenMerging",
    "convffn": "benchsuite.mixers.litv2:LITv2FeedForward",
    "litv2_convffn_block": "benchsuite.mixers.litv2:ConvFFNBlock",
    "litv2_block": "benchsuite.mixers.litv2:LITv2Block",
    "pvtv2_mlp": "benchsuite.mixers.pvt_ffn:PVTFeedForward",
    "twins_peg": "benchsuite.mixers.twins_peg:PositionEncodingGenerator",
    "swinv2_block": "benchsuite.mixers.swinv2:SwinV2Block",
    "xcit_lpi": "benchsuite.mixers.xcit:LocalPatchInteraction",
    "xcit_block": "benchsuite.mixers.xcit:XCiTBlock",
    "van_block": "benchsuite.mixers.van:VanBlock",
    "hornet_block": "benchsuite.mixers.hornet:HorNetBlock",
    "cswin_lepe": "benchsuite.mixers.cswin:StripeAttention",
    "acmix_bottleneck": "benchsuite.mixers.acmix:ACmixBottleneck",
    "san_bottleneck": "benchsuite.mixers.san:SANBottleneck",
    "outlooker": "benchsuite.mixers.volo:Outlooker",
    "volo_class_attention": "benchsuite.mixers.volo:VOLOClassAttention",
    "class_attention": "benchsuite.mixers.cait:ClassAttention",
    "mixer_block": "benchsuite.mixers.mlp_mixer:MixerBlock",
    "gmlp_sgu": "benchsuite.mixers.gmlp:SpatialGatingUnit",
    "gmlp_block": "benchsuite.mixers.gmlp:GMLPBlock",
    "resmlp_block": "benchsuite.mixers.resmlp:ResMLPBlock",
    "gfnet_block": "benchsuite.mixers.gfnet:GFNetBlock",
    "convnext_block": "benchsuite.mixers.convnext:ConvNeXtBlock",
}
"""Parts around and inside of mixers that the papers define and that golden cases exist for; as `MIXERS`."""
