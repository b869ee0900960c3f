"""Mixers as plain PyTorch code mostly has them: the attention matrix formed, neighbourhoods copied out.

Each function takes one of our mixers and its inputs, uses the mixer's own weights and gives the mixer's
output in eval mode. They are written from the papers' formulas, a line for each step, with no copy that the
formula does not ask for, and they are not tuned: they are what our formulations are timed against.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from plain.channels import channels, cross_covariance, token_mlp
from plain.convolutions import (
    convolutional_position,
    dynamic_block,
    feed_forward,
    inhomogeneous,
    involution,
    outlook,
    sparse_mlp,
)
from plain.deformable import deformable
from plain.global_attention import attention, non_local, pooled, pyramid, reduced, relative
from plain.neighborhoods import acmix, focal, neighborhood
from plain.quadtree import quadtree
from plain.san import pairwise, patchwise
from plain.windows import acmix_windows, cross_shaped, hilo, unbiased_windows, windows

PLAIN: dict[str, Callable[..., Tensor]] = {
    "msa": attention,
    "relpos_msa": relative,
    "sra": reduced,
    "linear_sra": pooled,
    "dat_pyramid": pyramid,
    "non_local": non_local,
    "dat": deformable,
    "hilo": hilo,
    "window": windows,
    "davit_window": unbiased_windows,
    "lsa": unbiased_windows,
    "cswin": cross_shaped,
    "acmix_swin": acmix_windows,
    "acmix": acmix,
    "nat": neighborhood,
    "focal": focal,
    "quadtree": quadtree,
    "san_pairwise": pairwise,
    "san_patchwise": patchwise,
    "involution": involution,
    "outlook": outlook,
    "idynamic_dwconv": inhomogeneous,
    "dynamic_dw_block": dynamic_block,
    "davit_channel": channels,
    "xca": cross_covariance,
    "token_mlp": token_mlp,
    "smlp": sparse_mlp,
    "davit_cpe": convolutional_position,
    "convffn": feed_forward,
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
