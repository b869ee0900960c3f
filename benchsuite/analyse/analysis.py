"""Analysis of a mixer or network by its name: build it, fill it, run it once forward and once backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchsuite.analyse.attention import AttentionReader
from benchsuite.analyse.data import PathWeights, ReceptiveField, ScaleStatistics, SubjectAnalysis, Weights
from benchsuite.analyse.files import fill, read_images
from benchsuite.analyse.receptive_field import of_mixer, of_network
from benchsuite.analyse.spectra import SpectrumReader
from benchsuite.backbones import BACKBONES
from benchsuite.errors import UsageError, did_you_mean
from benchsuite.mixers import BLOCKS, MIXERS
from benchsuite.mixers.context_broadcast import ScaledContextBroadcast
from benchsuite.results.cell import Cell
from benchsuite.results.store import Run
from benchsuite.scenario.subjects import LIBRARIES
from benchsuite.worker.build import Subject, build, plugin_packages
from benchsuite.worker.failures import is_refusal

STRIDE, DIM, NUM_HEADS = 16, 384, 12
"""Of a mixer on its own: the third stage of the networks of the papers, at 224 px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisSettings:
    """Input and weights of an analysis.

    Attributes:
        resolution: of the images, height and width.
        images: how many the numbers are means over.
        seed: of random weights and of a random input.
        weights: a file for the subject; None for random ones.
        folder: of images for networks; None for normal noise.
        stride, dim, num_heads: of a mixer on its own.
        params: further arguments of the mixer or network.
    """

    resolution: tuple[int, int] = (224, 224)
    images: int = 2
    seed: int = 0
    weights: Path | None = None
    folder: Path | None = None
    stride: int = STRIDE
    dim: int = DIM
    num_heads: int = NUM_HEADS
    params: Mapping[str, Any] = field(default_factory=dict)


def cell_of(name: str, settings: AnalysisSettings) -> Cell:
    """The cell of a mixer, block or network by its name, or of one's own "package.module:Class" mixer.

    Raises:
        UsageError: the name stands for nothing.
    """
    known = MIXERS | BLOCKS | BACKBONES
    if name not in known and ":" not in name:
        hint = did_you_mean(name, known)
        raise UsageError(
            f'no run folder, mixer or network is called "{name}"{hint}\n'
            "  `benchsuite list mixers` and `benchsuite count backbones` show the names"
        )
    network = name in BACKBONES or name.startswith(LIBRARIES)
    if not network and (settings.resolution[0] % settings.stride or settings.resolution[1] % settings.stride):
        height, width = settings.resolution
        raise UsageError(f"stride {settings.stride} does not divide {height} × {width} pixels")
    return Cell(
        subject="backbone" if network else "mixer",
        name=name,
        target=name,
        config=dict(settings.params),
        resolution=settings.resolution,
        stride=1 if network else settings.stride,
        batch=settings.images,
        dim=None if network else settings.dim,
        num_heads=None if network else settings.num_heads,
    )


def cells_of(run: Run, settings: AnalysisSettings) -> list[Cell]:
    """One cell for each mixer or network that a run measured: the first of its smallest resolution.

    Kernel, dtype, device and whatever else says how it was measured are left behind: the analyses run on
    "math" in fp32 on the CPU, whichever kernel was timed.

    Raises:
        UsageError: the run holds no cells.
    """
    smallest: dict[str, Cell] = {}
    for record in run.records:
        cell = record.cell
        before = smallest.get(cell.name)
        if before is None or _pixels(cell) < _pixels(before):
            smallest[cell.name] = cell
    if not smallest:
        raise UsageError(f"{run.path}: holds no cells to analyse")
    return [
        Cell(
            subject=cell.subject,
            name=cell.name,
            target=cell.target,
            config=cell.config,
            forward=cell.forward,
            resolution=cell.resolution,
            stride=cell.stride,
            batch=settings.images,
            dim=cell.dim,
            num_heads=cell.num_heads,
        )
        for cell in smallest.values()
    ]


def _pixels(cell: Cell) -> int:
    return cell.resolution[0] * cell.resolution[1]


def analyse(cell: Cell, settings: AnalysisSettings) -> SubjectAnalysis:
    """Analyse a mixer or network: build it, fill it, run it once forward and once backward.

    Raises:
        UsageError: it cannot be built, the weights do not fit it, or there are no such images.
        Unsupported: the network does not take such images.
    """
    try:
        built = build(cell, "cpu", seed=settings.seed)
    except ValueError as error:
        if not is_refusal(error, plugin_packages(cell)):
            raise
        raise UsageError(f"{cell.name} ({cell.target}): {error}") from error
    module, (tensor, *rest) = built.module, built.inputs
    weights = Weights(kind="random", seed=settings.seed)
    if settings.weights is not None:
        weights = fill(module, cell.target, "network" if built.images else "mixer", settings.weights)
    inputs = f"normal noise, seed {settings.seed}"
    if settings.folder is not None and built.images:
        tensor = read_images(settings.folder, settings.images, cell.resolution)
        inputs = f"{len(tensor)} images of {settings.folder.name}"
    notes: list[str] = []
    with (
        torch.inference_mode(),
        SpectrumReader(module) as spectra,
        AttentionReader(module, cell.resolution if built.images else None) as attention,
    ):
        module(tensor, *rest)
    if attention.unread:
        notes.append(
            f"Not read, as its softmax is not one row of weights over keys: {', '.join(attention.unread)}."
        )
    return SubjectAnalysis(
        name=cell.name,
        target=cell.target,
        kind="network" if built.images else "mixer",
        resolution=cell.resolution,
        images=len(tensor),
        inputs=inputs,
        weights=weights,
        attention=tuple(attention.layers),
        spectra=tuple(spectra.spectra),
        paths=tuple(path_weights(module)),
        scales=tuple(scale_statistics(module)),
        field=_field(built, (tensor, *rest), cell.grid, notes),
        notes=tuple(notes),
    )


def _field(
    built: Subject, inputs: Sequence[Any], grid: tuple[int, int], notes: list[str]
) -> ReceptiveField | None:
    """The receptive field; None, with a note, where it cannot be had."""
    try:
        if built.layout is None:
            raise RuntimeError("its inputs are neither tokens nor maps")
        if not built.images:
            return of_mixer(built.module, inputs, built.layout, grid)
        result = of_network(built.module, inputs[0])
    except RuntimeError as error:
        notes.append(f"No receptive field: {str(error).splitlines()[0]}")
        return None
    if result is None:
        notes.append("No receptive field: the network has no stages or blocks whose output is a map.")
    return result


def path_weights(root: nn.Module) -> list[PathWeights]:
    """The two scalars of every ACmix of any kind in `root`; `rate1` is attention's, `rate2` convolution's."""
    weights = []
    for path, module in root.named_modules():
        attention, convolution = getattr(module, "rate1", None), getattr(module, "rate2", None)
        if isinstance(attention, nn.Parameter) and isinstance(convolution, nn.Parameter):
            weights.append(
                PathWeights(layer=path, attention=attention.item(), convolution=convolution.item())
            )
    return weights


def scale_statistics(root: nn.Module) -> list[ScaleStatistics]:
    """Mean, spread and quantiles of the scale of every CBS in `root`."""
    statistics = []
    for path, module in root.named_modules():
        if isinstance(module, ScaledContextBroadcast):
            lam = module.lam.detach().float()
            low, high = torch.quantile(lam, torch.tensor([0.1, 0.9])).tolist()
            statistics.append(
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
    return statistics
