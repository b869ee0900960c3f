"""Effective receptive field: how strongly each position of the input moves the central token of the output.

Luo et al., "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks", NeurIPS 2016,
arXiv:1701.04128. Of a network, the output is that of its last stage, before norm, mean and head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.analyse.attention import unrolled
from benchsuite.analyse.data import ReceptiveField
from benchsuite.worker.forward import output_of

SIDE = 56
"""Most positions of a stored map along a side."""
HELD = 0.95


def of_mixer(
    module: nn.Module, inputs: Sequence[Any], layout: str, size: tuple[int, int] | None = None
) -> ReceptiveField:
    """That of a mixer on its own, in tokens.

    Args:
        size: height and width of the grid, if the mixer is one of tokens.
    """
    x = inputs[0].detach().clone().requires_grad_()
    with torch.enable_grad():
        output = output_of(module(x, *inputs[1:]))
        gradient = _gradient(_as_map(output, layout, size), x)
    strength = _as_map(gradient.abs(), layout, size).sum(dim=1).mean(dim=0)
    return _summarised(
        strength, _output_centre(strength, _as_map(output, layout, size)), "the mixer", "token"
    )


def of_network(network: nn.Module, images: Tensor) -> ReceptiveField | None:
    """That of a network's last stage, in pixels; None if it has neither stages nor blocks."""
    last, what = _last(network)
    if last is None:
        return None
    seen: list[Tensor] = []
    handle = last.register_forward_hook(lambda module, args, output: seen.append(output))
    x = images.detach().clone().requires_grad_()
    try:
        with torch.enable_grad():
            network(x)
            height, width = (int(side) for side in images.shape[-2:])
            output = _map_of_images(seen[0], (height, width))
            if output is None:
                return None
            gradient = _gradient(output, x)
    finally:
        handle.remove()
    strength = gradient.abs().sum(dim=1).mean(dim=0)
    return _summarised(strength, _output_centre(strength, output), what, "pixel")


def _last(network: nn.Module) -> tuple[nn.Module | None, str]:
    for name, what in (("stages", "the last stage"), ("blocks", "the last block")):
        parts = getattr(network, name, None)
        if isinstance(parts, nn.ModuleList) and len(parts):
            return parts[-1], what
    return None, ""


def _map_of_images(output: Tensor, image: tuple[int, int]) -> Tensor | None:
    """(B, C, H, W) of a stage's output, be it a map or tokens with or without a class token."""
    if output.dim() == 4:
        return output
    if output.dim() != 3:
        return None
    tokens = unrolled((1, int(output.shape[1])), image)
    if not tokens.leading:  # a row of the tokens alone
        tokens = unrolled((1, 1 + int(output.shape[1])), image)
        return _as_map(output, "BNC", tokens.grid) if tokens.leading else None
    return _as_map(output[:, 1:], "BNC", tokens.grid)


def _as_map(x: Tensor, layout: str, size: tuple[int, int] | None) -> Tensor:
    """(B, C, H, W)."""
    if layout == "BNC":
        assert size is not None
        return torch.unflatten(x.transpose(1, 2), 2, size)
    return x if layout == "NCHW" else x.permute(0, 3, 1, 2)


def _gradient(output: Tensor, x: Tensor) -> Tensor:
    """Of the central token's sum over channels; images do not see each other, so one pass serves all."""
    height, width = output.shape[-2:]
    (gradient,) = torch.autograd.grad(output[..., height // 2, width // 2].sum(), x)
    return gradient


def _output_centre(strength: Tensor, output: Tensor) -> tuple[float, float]:
    """Centre of that token in the input, in positions of the input."""
    y, x = (
        (out // 2 + 0.5) * (side / out) - 0.5
        for side, out in zip(strength.shape, output.shape[-2:], strict=True)
    )
    return y, x


def _summarised(strength: Tensor, centre: tuple[float, float], output: str, unit: Any) -> ReceptiveField:
    height, width = (int(side) for side in strength.shape)
    step = math.ceil(max(height, width) / SIDE)
    coarse = F.avg_pool2d(strength[None, None], step, ceil_mode=True, divisor_override=1)[0, 0]
    scaled = coarse / coarse.max().clamp_min(torch.finfo(coarse.dtype).tiny)
    return ReceptiveField(
        output=output,
        unit=unit,
        grid=(height, width),
        map=tuple(tuple(round(value, 4) for value in row) for row in scaled.tolist()),
        side_95=side_of_share(strength, centre),
    )


def side_of_share(strength: Tensor, centre: tuple[float, float], share: float = HELD) -> float:
    """Side of the smallest square around `centre` that holds this share, in shares of the shorter side.

    At most 1. Positions are unit squares: one position alone has side 1 / shorter side.
    """
    height, width = strength.shape
    rows = (torch.arange(height) - centre[0]).abs()[:, None]
    columns = (torch.arange(width) - centre[1]).abs()[None, :]
    away = torch.maximum(rows, columns).flatten()
    order = away.argsort()
    held = strength.flatten()[order].double().cumsum(dim=0)
    place = int(torch.searchsorted(held, share * held[-1]).clamp_max(len(held) - 1))
    return min(1.0, (2 * float(away[order[place]]) + 1) / min(height, width))
