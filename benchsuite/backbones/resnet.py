"""ResNet-50, and ResNets with ACmix in place of the 3 × 3 convolutions.

Paper: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, arXiv:1512.03385; Pan et al.,
    "On the Integration of Self-Attention and Convolution", CVPR 2022, arXiv:2111.14556.
Reference: LeapLabTHU/ACmix @ 81dddb6, ResNet/ResNet_ImageNet.py, ResNet, which is torchvision's with ACmix.
Differs: ReLUs are not in place. Of ACmix, what `mixers/acmix.py` says. The layers of ResNet-26 and -38 are
    those of stand-alone self-attention (arXiv:1906.05909); the authors give those of ResNet-50 only.
    The authors print 10.6, 14.6 and 18.6 M parameters and 2.3, 2.9 and 3.6 G multiply–adds. Their code has
    10.5, 14.4 and 18.3 M, 2.2, 2.9 and 3.5 G; counting the shift kernels twice gives what they print.
Names: depths are bottlenecks a stage; a stride is in the 3 × 3 convolution, or what is in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from benchsuite.backbones._choice import (
    Choices,
    MixerChoice,
    MixerSlot,
    Size,
    check_runs_on,
    choice_of,
    chosen,
    mix_map,
)
from benchsuite.backbones._embed import image_size
from benchsuite.backbones._network import NetworkPort, network, take
from benchsuite.mixers._port import Arguments, State, with_batch_counters
from benchsuite.mixers.acmix import PORTS as ACMIX_PORTS

STAGES = ("stage1", "stage2", "stage3", "stage4")
WIDTHS = (64, 128, 256, 512)
STRIDES = (1, 2, 2, 2)
EXPANSION = 4


@dataclass(frozen=True, slots=True)
class ResNetConfig:
    """Bottlenecks of each stage, and what mixes in them: the 3 × 3 convolution if None."""

    depths: tuple[int, int, int, int]
    mixer: MixerChoice | None = None


class ResNet(nn.Module):
    """Images (B, 3, H, W) → logits (B, num_classes). With convolutions, of any size.

    Args:
        resolution: that mixers of a fixed grid are made for, and that the others are tried at.
        kernel: "math", unless mixers run on another.
        mixer: stages "stage1" … "stage4" → what mixes in place of the 3 × 3 convolutions. One without a
            stride of its own is followed by a 2 × 2 average where there was one.

    Raises:
        ValueError: the kernel or the mixer is unknown or does not fit.
    """

    def __init__(
        self,
        config: ResNetConfig,
        *,
        num_classes: int = 1000,
        resolution: int | Size = 224,
        kernel: str = "math",
        mixer: Choices | None = None,
    ) -> None:
        super().__init__()
        size = image_size(resolution, 1, "ResNet")
        self.conv1 = nn.Conv2d(3, WIDTHS[0], kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        dim = WIDTHS[0]
        self.slots = _slots(config, _strided(_strided(size, 2), 2), kernel)
        stages = []
        for stage, slots in self.slots.items():
            choice = choice_of(mixer, stage, STAGES) or config.mixer
            makers = {slot: _mixers(choice, slot) for slot in dict.fromkeys(slots)}
            blocks = []
            for slot in slots:
                blocks.append(Bottleneck(dim, slot.dim, makers[slot](), stride=slot.stride))
                dim = EXPANSION * slot.dim
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(dim, num_classes)
        check_runs_on(self, kernel, "ResNet")

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


class Bottleneck(nn.Module):
    """relu(x + 1 × 1, mixer, 1 × 1), each with a norm: (B, dim, H, W) → (B, 4 width, H / stride, W / stride).

    The shortcut is a strided 1 × 1 convolution and a norm where the shape changes.
    """

    def __init__(self, dim: int, width: int, mixer: nn.Module, *, stride: int) -> None:
        super().__init__()
        out_dim = EXPANSION * width
        self.conv1 = nn.Conv2d(dim, width, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = mixer
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_dim, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_dim)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or dim != out_dim:
            self.downsample = nn.Sequential(
                nn.Conv2d(dim, out_dim, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(out_dim)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(mix_map(self.conv2, x)).relu()
        out: Tensor = (self.bn3(self.conv3(x)) + shortcut).relu()
        return out


class Conv3x3(nn.Conv2d):
    """The 3 × 3 convolution of a bottleneck."""

    layout = "NCHW"

    def __init__(self, width: int, *, stride: int) -> None:
        super().__init__(width, width, kernel_size=3, stride=stride, padding=1, bias=False)


def _strided(grid: Size, stride: int) -> Size:
    return -(-grid[0] // stride), -(-grid[1] // stride)


def _slots(config: ResNetConfig, grid: Size, kernel: str) -> dict[str, tuple[MixerSlot, ...]]:
    """Stage → where each of its bottlenecks mixes; the first of a stage has its stride."""
    slots: dict[str, tuple[MixerSlot, ...]] = {}
    for stage, depth, width, stride in zip(STAGES, config.depths, WIDTHS, STRIDES, strict=True):
        first = MixerSlot(stage=stage, dim=width, grid=grid, layout="NCHW", stride=stride, kernel=kernel)
        grid = _strided(grid, stride)
        slots[stage] = (first, *(depth - 1) * (replace(first, grid=grid, stride=1),))
    return slots


def _mixers(choice: MixerChoice | None, slot: MixerSlot) -> Callable[[], nn.Module]:
    if choice is None:
        return lambda: Conv3x3(slot.dim, stride=slot.stride)
    return chosen(choice, slot)


resnet50 = network(ResNet, ResNetConfig((3, 4, 6, 3)))
acmix_resnet26 = network(ResNet, ResNetConfig((1, 2, 4, 1), mixer="acmix"))
acmix_resnet38 = network(ResNet, ResNetConfig((2, 3, 5, 2), mixer="acmix"))
acmix_resnet50 = network(ResNet, ResNetConfig((3, 4, 6, 3), mixer="acmix"))


def _arguments(authors: Arguments) -> dict[str, Any]:
    given = take(
        authors,
        {"layers": None, "k_att": 7, "head": 4, "k_conv": 3, "num_classes": 1000},
        only={
            "block": ...,
            "zero_init_residual": ...,  # sets initial weights
            "groups": 1,
            "width_per_group": 64,
            "replace_stride_with_dilation": None,
            "norm_layer": None,
        },
    )
    params = {
        "kernel_size": given["k_att"],
        "num_heads": given["head"],
        "conv_kernel_size": given["k_conv"],
    }
    config = ResNetConfig(tuple(given["layers"]), mixer={"name": "acmix", "params": params})
    return {"config": config, "num_classes": given["num_classes"]}


def _state(state: State) -> dict[str, Tensor]:
    """Each block's ACmix by the mapping of ACmix; the rest has the same names."""
    ours: dict[str, Tensor] = {}
    mixers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in with_batch_counters(state).items():
        inside = re.match(r"layer\d+\.\d+\.conv2\.", name)
        if inside is None:
            ours[name] = tensor
        else:
            mixers.setdefault(inside[0], {})[name.removeprefix(inside[0])] = tensor
    for prefix, weights in mixers.items():
        ours |= {prefix + name: tensor for name, tensor in ACMIX_PORTS["acmix"].state(weights).items()}
    return ours


PORTS = {
    "ResNet": NetworkPort("LeapLabTHU/ACmix", ResNet, _arguments, _state),
}
"""torchvision's ResNet-50 needs none: its names are ours."""
