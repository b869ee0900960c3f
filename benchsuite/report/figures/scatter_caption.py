"""What the caption of MACs against speed says."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.labels import noun
from benchsuite.report.crowd import crowded
from benchsuite.report.points import Point, kernels_of, resolutions_of
from benchsuite.report.words import STATUS_WORDS, counted, places, some
from benchsuite.results.metrics import Metric


def said(
    cells: Sequence[Point],
    drawn: Sequence[Point],
    resolutions: Sequence[int | str],
    metric: Metric,
    unnamed: set[str],
    *,
    shared: bool,
    enlarged: bool,
) -> str:
    """The caption of the figure.

    Args:
        cells: all that were asked for; `drawn`, those with a place.
        unnamed: names for which there was no room.
        shared: whether all panels have the same axes.
        enlarged: whether the second panel enlarges a part of the first.
    """
    kernels = kernels_of(drawn)
    called = noun(point.subject for point in drawn)
    parts = ["The Pareto front is that of the medians."]
    if len(resolutions) > 1:
        parts.append(
            "All panels have the same axes."
            if shared
            else "Logarithmic axes of one scale; their ranges differ."
        )
    if enlarged:
        parts.append("The second panel enlarges the frame; its front is of these marks alone.")
    if len(kernels) > 1:
        parts.append(f"A dotted line joins the kernels of one {called.single}.")
    if any(point.metrics[metric.key].bounded for point in drawn):
        beside = "; of two kernels they stand beside each other" if len(kernels) > 1 else ""
        parts.append(f"Bars are 95 % confidence intervals, where larger than the mark{beside}.")
    if not all(point.exact for point in drawn):
        parts.append("An arrow marks MACs that are a lower bound; such marks are not on the front.")
    if any(point.macs == 0 for point in drawn):
        bounds = not all(point.exact for point in drawn if point.macs == 0)
        parts.append(f"Left of the dotted line stands 0{', also as a lower bound' if bounds else ''}.")
    if crowded(drawn):
        parts.append("Coloured are the front, the extremes and the reference.")
    if unnamed:
        parts.append(
            f"No room for the {'name' if len(unnamed) == 1 else 'names'} of {some(sorted(unnamed), 8)}."
        )
    if len(resolutions) < len(resolutions_of(drawn)):
        parts.append(f"{len(resolutions)} of {len(resolutions_of(drawn))} resolutions.")
    missing = [point for point in cells if point.status != "ok" and point.resolution in resolutions]
    if missing:
        parts.append(f"Not drawn: {_failures(missing, len(kernels_of(cells)) > 1)}.")
    return " ".join(parts)


def _failures(missing: Sequence[Point], name_kernel: bool, most: int = 8) -> str:
    """Cells that are not drawn, by mixer: "performer with flash at 224 and 448 px (unsupported)"."""
    alike: dict[tuple[str, str, str], list[Point]] = {}
    for point in missing:
        alike.setdefault((point.name, point.kernel, point.status), []).append(point)
    texts = [
        f"{name}{f' with {kernel}' if name_kernel else ''} at "
        f"{places(resolutions_of(failed))} ({STATUS_WORDS[status]})"
        for (name, kernel, status), failed in alike.items()
    ]
    if len(texts) > most:
        rest = sum(len(failed) for failed in list(alike.values())[most:])
        texts = [*texts[:most], f"and {counted(rest, 'more cell')}"]
    return "; ".join(texts)
