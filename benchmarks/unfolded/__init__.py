"""Local mixers in the way that plain PyTorch code mostly has them: neighbourhoods copied out, then mixed.

Each function takes one of our mixers and its inputs, uses the mixer's own weights and gives the mixer's
output (without dropout). What it does otherwise than the mixer is to copy every neighbourhood out of the map
first, by `F.unfold`, `torch.roll` or `gather`, which makes up to k² maps of one. They are written from the
papers' formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from unfolded.attentions import acmix, focal, neighborhood
from unfolded.convolutions import inhomogeneous, involution, outlook
from unfolded.quadtree import quadtree
from unfolded.san import pairwise, patchwise

UNFOLDED: dict[str, Callable[..., Tensor]] = {
    "quadtree": quadtree,
    "focal": focal,
    "involution": involution,
    "outlook": outlook,
    "acmix": acmix,
    "san_pairwise": pairwise,
    "san_patchwise": patchwise,
    "nat": neighborhood,
    "idynamic_dwconv": inhomogeneous,
}
"""Key in `MIXERS` → the function."""


class Unfolded(nn.Module):
    """A mixer of ours, run by the formulation of `UNFOLDED`. It holds the mixer and so has its weights."""

    def __init__(self, mixer: nn.Module, name: str) -> None:
        super().__init__()
        self.mixer = mixer
        self.formulation = UNFOLDED[name]

    def forward(self, *inputs: Any) -> Tensor:
        return self.formulation(self.mixer, *inputs)
