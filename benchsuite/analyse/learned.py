"""Learned scalars that papers read off their networks: ACmix's path weights and the scales of CBS."""

from __future__ import annotations

import torch
from torch import nn

from benchsuite.analyse.data import PathWeights, ScaleStatistics
from benchsuite.mixers.context_broadcast import ScaledContextBroadcast


def path_weights(root: nn.Module) -> list[PathWeights]:
    """The two scalars of every ACmix of any kind in `root`; `rate1` is attention's, `rate2` convolution's."""
    found = []
    for path, module in root.named_modules():
        attention, convolution = getattr(module, "rate1", None), getattr(module, "rate2", None)
        if isinstance(attention, nn.Parameter) and isinstance(convolution, nn.Parameter):
            found.append(PathWeights(layer=path, attention=attention.item(), convolution=convolution.item()))
    return found


def scale_statistics(root: nn.Module) -> list[ScaleStatistics]:
    """Mean, spread and quantiles of the scale of every CBS in `root`."""
    found = []
    for path, module in root.named_modules():
        if isinstance(module, ScaledContextBroadcast):
            lam = module.lam.detach().float()
            low, high = torch.quantile(lam, torch.tensor([0.1, 0.9])).tolist()
            found.append(
                ScaleStatistics(
                    layer=path,
                    channels=lam.numel(),
                    mean=lam.mean().item(),
                    std=lam.std(correction=0).item(),
                    low=low,
                    high=high,
                    ratio=abs(low) / abs(high) if high else None,
                )
            )
    return found
