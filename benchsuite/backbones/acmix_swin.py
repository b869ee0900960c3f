"""Swin Transformer with ACmix in place of window attention: attention and a convolution share projections.

Paper: Pan et al., "On the Integration of Self-Attention and Convolution", CVPR 2022, arXiv:2111.14556.
Reference: LeapLabTHU/ACmix @ 81dddb6, Swin-Transformer/models/swin_transformer_acmix.py,
    SwinTransformer_acmix. There is no configuration of a base network in it: ours has Swin-B's widths.
Differs: as `swin.py`, whose skeleton this is.
Names: as `swin.py`; rate1 and rate2 of a mixer are the paper's α and β.

The README prints 30 M and 51 M parameters for tiny and small. The code beside it makes 28.6 M and 50.3 M.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from benchsuite.backbones import swin
from benchsuite.backbones._builder import network
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network_port import NetworkPort
from benchsuite.backbones._stage import HierarchyConfig, Place
from benchsuite.mixers._port import Arguments, State, renamed
from benchsuite.mixers.acmix_swin import ACmixWindowAttention


@dataclass(frozen=True, slots=True)
class ACmixWindow:
    """Makes ACmix on windows. A grid of one window has a bias table of its size, and is not shifted.

    Args:
        like: the windows of Swin that it takes the place of.
    """

    like: swin.Window

    def __call__(self, place: Place) -> nn.Module:
        one = min(place.grid) <= self.like.window_size
        return place.fill(
            ACmixWindowAttention,
            window_size=min(place.grid) if one else self.like.window_size,
            shift_size=0 if one else self.like.shift_size,
            qkv_bias=self.like.qkv_bias,
        )


def with_acmix(config: HierarchyConfig) -> HierarchyConfig:
    """A Swin Transformer's configuration with ACmix for its windows."""
    stages = []
    for stage in config.stages:
        mixers = tuple(ACmixWindow(make) for make in stage.mixers if isinstance(make, swin.Window))
        stages.append(replace(stage, mixers=mixers))
    return replace(config, name="ACmix-Swin", stages=tuple(stages))


acmix_swin_t = network(Hierarchy, with_acmix(swin.config(96, (2, 2, 6, 2), (3, 6, 12, 24))))
acmix_swin_s = network(Hierarchy, with_acmix(swin.config(96, (2, 2, 18, 2), (3, 6, 12, 24))))
acmix_swin_b = network(Hierarchy, with_acmix(swin.config(128, (2, 2, 18, 2), (4, 8, 16, 32))))

_SWIN = swin.PORTS["SwinTransformer"]
_convolution = renamed((r"(.*\.attn\.)(fc|dep_conv)\.", r"\1conv.\2."))


def _arguments(authors: Arguments) -> dict[str, Any]:
    ours = _SWIN.arguments(authors)
    return ours | {"config": with_acmix(ours["config"])}


def _state(authors: State) -> dict[str, Tensor]:
    return _convolution(_SWIN.state(authors))


PORTS = {"SwinTransformer_acmix": NetworkPort("LeapLabTHU/ACmix", Hierarchy, _arguments, _state)}
