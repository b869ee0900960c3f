"""DWNet: Swin's skeleton with depth-wise convolutions in the place of windows, static or dynamic.

Paper: Han et al., "On the Connection between Local Attention and Dynamic Depth-wise Convolution",
    ICLR 2022, arXiv:2106.04263.
Reference: Atten4Vis/DemystifyLocalViT @ ce7c0b7, models/dwnet.py, DWNet.
Differs: the dynamic networks have dynamic convolutions, as the paper defines them; in that revision a later
    line makes the homogeneous one static. No stochastic depth. Images of any size are taken.
Names: "dynamic" is the paper's homogeneous D-DW (kernels once an image), "idynamic" its inhomogeneous I-D-DW
    (at each position).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from benchsuite.backbones._choice import mix_tokens
from benchsuite.backbones._embed import PatchEmbedding, PatchMerging, Size
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, network, take
from benchsuite.backbones._stage import (
    HierarchyConfig,
    MakeMixer,
    MakeModule,
    Place,
    Stage,
    feed_forward,
    mlp,
)
from benchsuite.backbones.swin import state as swin_state
from benchsuite.mixers._grid import as_map, as_tokens
from benchsuite.mixers._port import Arguments, State, renamed
from benchsuite.mixers.depthwise import groups_of, inhomogeneous_state
from benchsuite.mixers.dwnet import DWBlock, DynamicDWBlock, InhomogeneousDWBlock


@dataclass(frozen=True, slots=True)
class MakeStatic:
    """Makes the static convolution between its 1 × 1 convolutions."""

    kernel_size: int

    def __call__(self, place: Place) -> nn.Module:
        return DWBlock(place.dim, kernel_size=self.kernel_size)


@dataclass(frozen=True, slots=True)
class MakeDynamic:
    """Makes the one whose kernels come once an image."""

    kernel_size: int

    def __call__(self, place: Place) -> nn.Module:
        return DynamicDWBlock(place.dim, kernel_size=self.kernel_size)


@dataclass(frozen=True, slots=True)
class MakeInhomogeneous:
    """Makes the one whose kernels come at each position, for each group of channels.

    Args:
        channels: of a group; None for 32 groups.
    """

    kernel_size: int
    channels: int | None = None

    def __call__(self, place: Place) -> nn.Module:
        groups = 32 if self.channels is None else groups_of(place.dim, self.channels)
        return InhomogeneousDWBlock(place.dim, kernel_size=self.kernel_size, groups=groups)


class DWNetLayer(nn.Module):
    """x + mixer(x), without a norm before it, and then x + ffn(norm(x)), on (B, N, dim) tokens of a grid."""

    def __init__(self, dim: int, *, mixer: nn.Module | None, ffn: nn.Module, norm: MakeModule) -> None:
        super().__init__()
        assert mixer is not None
        self.mixer = mixer
        self.norm = norm(dim)
        self.mlp = ffn

    def forward(self, x: Tensor, size: Size) -> Tensor:
        x = x + mix_tokens(self.mixer, x, size)
        return x + feed_forward(self.mlp, as_tokens(self.norm(as_map(x, size))), size)


def config(
    dim: int, depths: tuple[int, ...], mixers: tuple[MakeMixer, ...], *, mlp_ratio: float = 4.0
) -> HierarchyConfig:
    """A DWNet whose first stage is `dim` wide; each further one is twice as wide.

    Args:
        mixers: one for each stage.
    """
    stages = (
        Stage(
            dim=dim * 2**i,
            depth=depth,
            num_heads=max(1, dim * 2**i // 32),  # what a mixer put in place of these would have, as in Swin
            embed=PatchMerging if i else partial(PatchEmbedding, stride=4),
            mixers=(mixer,),
            ffn=mlp(mlp_ratio),
            norm=partial(nn.BatchNorm2d, eps=1e-5),
            block=DWNetLayer,
        )
        for i, (depth, mixer) in enumerate(zip(depths, mixers, strict=True))
    )
    return HierarchyConfig(name="DWNet", stages=tuple(stages))


_STATIC, _DYNAMIC, _INHOMOGENEOUS = (
    (make,) * 4 for make in (MakeStatic(7), MakeDynamic(7), MakeInhomogeneous(7))
)

dwnet_t = network(Hierarchy, config(96, (2, 2, 6, 2), _STATIC))
dwnet_t_dynamic = network(Hierarchy, config(96, (2, 2, 6, 2), _DYNAMIC))
dwnet_t_idynamic = network(Hierarchy, config(96, (2, 2, 6, 2), _INHOMOGENEOUS))
dwnet_b = network(Hierarchy, config(128, (2, 2, 18, 2), _STATIC))
dwnet_b_dynamic = network(Hierarchy, config(128, (2, 2, 18, 2), _DYNAMIC))
dwnet_b_idynamic = network(Hierarchy, config(128, (2, 2, 18, 2), _INHOMOGENEOUS))


def _arguments(authors: Arguments) -> dict[str, Any]:
    given = take(
        authors,
        {
            "img_size": 224,
            "num_classes": 1000,
            "embed_dim": 96,
            "depths": (2, 2, 6, 2),
            "window_size": 7,
            "mlp_ratio": 4.0,
            "dynamic": False,
            "inhomogeneous": False,
            "inhomo_heads": None,
        },
        only={"patch_size": 4, "in_chans": 3, "drop_rate": 0.0, "ape": False, "patch_norm": True}
        | dict.fromkeys(("drop_path_rate", "norm_layer", "use_checkpoint"), ...),
    )
    depths, size = tuple(given["depths"]), given["window_size"]
    if given["inhomogeneous"] and not given["dynamic"]:
        raise ValueError("inhomogeneous=True is not supported without dynamic=True")
    channels = given["inhomo_heads"] or (None,) * len(depths)
    mixers: tuple[MakeMixer, ...]
    if given["inhomogeneous"]:
        mixers = tuple(MakeInhomogeneous(size, each) for each in channels)
    else:
        mixers = (MakeDynamic(size) if given["dynamic"] else MakeStatic(size),) * len(depths)
    ours = config(given["embed_dim"], depths, mixers, mlp_ratio=given["mlp_ratio"])
    return {"config": ours, "num_classes": given["num_classes"], "resolution": given["img_size"]}


_block_state = renamed(
    (r"(stages\.\d+\.blocks\.\d+)\.attn2conv\.", r"\1.mixer."),
    (r"(stages\.\d+\.blocks\.\d+)\.bn\.", r"\1.norm."),
)


def _state(state: State) -> dict[str, Tensor]:
    return inhomogeneous_state(_block_state(swin_state(state)))


PORTS = {"DWNet": NetworkPort("Atten4Vis/DemystifyLocalViT", Hierarchy, _arguments, _state)}
