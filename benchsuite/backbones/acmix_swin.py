"""Swin Transformer with ACmix in place of window attention: attention and a convolution share projections.

Paper: Pan et al., "On the Integration of Self-Attention and Convolution", CVPR 2022, arXiv:2111.14556.
Reference: LeapLabTHU/ACmix @ 81dddb6, Swin-Transformer/models/swin_transformer_acmix.py,
    SwinTransformer_acmix. There is no configuration of a base network in it: ours has Swin-B's widths.
Differs: as `swin.py`, whose skeleton this is.
Names: as `swin.py`; rate1 and rate2 of a mixer are the paper's α and β.

The README prints 30 M and 51 M parameters for tiny and small. The code beside it makes 28.6 M and 50.3 M.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from benchsuite.backbones import swin
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, network
from benchsuite.backbones._stage import HierarchyConfig
from benchsuite.mixers._port import Arguments, State, renamed
from benchsuite.mixers.acmix_swin import ACmixWindowAttention


def with_acmix(config: HierarchyConfig) -> HierarchyConfig:
    """A Swin Transformer's configuration with ACmix for its windows."""
    stages = []
    for stage in config.stages:
        windows = (make for make in stage.mixers if isinstance(make, swin.Window))
        mixers = tuple(replace(make, attention=ACmixWindowAttention) for make in windows)
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
