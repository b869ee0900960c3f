"""Mixers as plain PyTorch code mostly has them: the attention matrix formed, neighbourhoods copied out.

Each function takes one of our mixers and its inputs, uses the mixer's own weights and gives the mixer's
output in eval mode. They are written from the papers' formulas, a line for each step, with no copy that the
formula does not ask for, and they are not tuned: they are what our formulations are timed against.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from plain import (
    acmix,
    channels,
    convolutions,
    deformable,
    depthwise,
    gates,
    global_attention,
    linear_attention,
    neighborhoods,
    partitions,
    perceptrons,
    positions,
    quadtree,
    routing,
    san,
    spectra,
    windows,
)

PLAIN: dict[str, Callable[..., Tensor]] = {
    "msa": global_attention.attention,
    "relpos_msa": global_attention.relative,
    "sra": global_attention.reduced,
    "gsa": global_attention.reduced,
    "linear_sra": global_attention.pooled,
    "dat_pyramid": global_attention.pyramid,
    "non_local": global_attention.non_local,
    "dat": deformable.deformable,
    "coatnet_attention": positions.coatnet,
    "bottleneck_attention": positions.bottleneck,
    "gpsa": positions.gated,
    "cascaded_group": positions.cascaded,
    "halo": positions.halo,
    "cb_msa": gates.broadcast_attention,
    "uniform_msa": gates.uniform_head,
    "hilo": windows.hilo,
    "window": windows.windows,
    "davit_window": windows.unbiased_windows,
    "lsa": windows.unbiased_windows,
    "t_msa": windows.alternating,
    "cswin": windows.cross_shaped,
    "swinv2_window_attention": partitions.cosine_windows,
    "maxvit_block_attention": partitions.blocks,
    "maxvit_grid_attention": partitions.grids,
    "biformer_bra": routing.routing,
    "biformer_bra_nchw": routing.routing_of_maps,
    "acmix_swin": windows.acmix_windows,
    "acmix_sra": acmix.reduced,
    "acmix_san": acmix.patchwise,
    "acmix": neighborhoods.acmix,
    "nat": neighborhoods.neighborhood,
    "focal": neighborhoods.focal,
    "quadtree": quadtree.quadtree,
    "san_pairwise": san.pairwise,
    "san_patchwise": san.patchwise,
    "performer": linear_attention.random_features,
    "linformer": linear_attention.projected_tokens,
    "relu_linear": linear_attention.relu_attention,
    "separable": linear_attention.separable,
    "lambda_layer": linear_attention.lambdas,
    "involution": convolutions.involution,
    "outlook": convolutions.outlook,
    "idynamic_dwconv": convolutions.inhomogeneous,
    "dwconv": depthwise.depthwise,
    "dynamic_dwconv": depthwise.dynamic,
    "dw_block": depthwise.static_block,
    "dynamic_dw_block": convolutions.dynamic_block,
    "idynamic_dw_block": depthwise.inhomogeneous_block,
    "convnext": depthwise.convnext,
    "pooling": depthwise.pooling,
    "lka": depthwise.large_kernel,
    "van": depthwise.visual_attention,
    "gnconv": depthwise.recursive_gates,
    "focalnet_modulation": depthwise.modulation,
    "cb": gates.broadcast,
    "cbs": gates.scaled_broadcast,
    "se": gates.squeeze_excite,
    "ge": gates.gather_excite,
    "eca": gates.efficient_channels,
    "davit_channel": channels.channels,
    "xca": channels.cross_covariance,
    "token_mlp": channels.token_mlp,
    "smlp": convolutions.sparse_mlp,
    "gmlp": perceptrons.gated,
    "resmlp": perceptrons.cross_patch,
    "vip": perceptrons.permuted,
    "gfnet": spectra.global_filter,
    "fnet": spectra.fourier,
    "afno": spectra.adaptive,
    "davit_cpe": convolutions.convolutional_position,
    "convffn": convolutions.feed_forward,
}
"""Key in `MIXERS` or `BLOCKS` → the function."""


class Plain(nn.Module):
    """A mixer of ours, run by the formulation of `PLAIN`. It holds the mixer and so has its weights."""

    def __init__(self, mixer: nn.Module, name: str) -> None:
        super().__init__()
        self.mixer = mixer
        self.formulation = PLAIN[name]

    def forward(self, *inputs: Any) -> Tensor:
        return self.formulation(self.mixer, *inputs)
