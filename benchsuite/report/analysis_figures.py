"""Figures of what a mixer or network does to an image: `SubjectAnalysis` → `Drawing`, or None for no figure.

Whose weights these are stands on every figure, as figures are cut out of pages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from benchsuite.analyse.data import AttentionLayer, Spectrum, SubjectAnalysis
from benchsuite.report.canvas import Canvas, Drawing, text
from benchsuite.report.figures.layout import PAGE, grid
from benchsuite.report.points import grouped
from benchsuite.report.theme import MARKERS, MUTED, SERIES
from benchsuite.report.words import counted, fixed, percentage

WIDTH = PAGE.width
PANEL = 190.0
"""Height of a panel in points."""
LAYER = "Layer, in the order of execution"
_LEFT, _GAP, _HEAD = 46.0, 66.0, 24.0


def weights_words(subject: SubjectAnalysis) -> str:
    """Whose weights, in words."""
    weights = subject.weights
    if weights.kind == "random":
        return f"random weights, seed {weights.seed}: not trained"
    return f"weights of {weights.file}"


def attention_figure(subject: SubjectAnalysis) -> Drawing | None:
    """Entropy and distance over the layers; over the heads where there is one layer."""
    branches = branches_of(subject.attention)
    if not branches:
        return None
    handles = _handles(branches) if len(branches) > 1 else []
    canvas, (left, right) = _panels(subject, handles)
    order = _order(subject.attention)
    over_heads = len(order) == 1
    for ax, label, values_of in (
        (left, "Entropy over ln(keys)", lambda layer: layer.entropy),
        (right, "Distance, share of the image's side", lambda layer: layer.distance),
    ):
        drawn = _over(ax, branches, values_of, order)
        ax.set_ylabel(label)
        ax.set_xlabel("Head" if over_heads else LAYER)
        ax.set_ylim(0, 1.04 if ax is left else 1.08 * ax.dataLim.y1 if drawn else 1)
        if not drawn:
            text(ax, 8, PANEL / 2, "keys have no place in the image", color=MUTED)
    marks = "A mark is a head." if over_heads else "A mark is a head, the line the mean over heads."
    caption = (
        f"Left: attention entropy, minus the sum of a ln a over the keys of a query, divided by ln(number of "
        f"keys): 0 if a query looks at one key, 1 if at all alike. Right: distance between a query and where "
        f"it looks, the sum of a times the L1 distance between the centres of query and key in shares of the "
        f"image's height and width (0 to 2), class token left out; absent where keys are channels, mixtures "
        f"or samples. Both are means over queries and {counted(subject.images, 'image')}. {marks}"
    )
    return Drawing(canvas.figure, f"{caption} {_conditions(subject)}", _attention_alt(subject, branches))


def spectrum_figure(subject: SubjectAnalysis) -> Drawing | None:
    """Log amplitude over frequency of the branches of HiLo."""
    if not subject.spectra:
        return None
    branches = list(dict.fromkeys(item.branch for item in subject.spectra))
    order = _order(subject.spectra)
    handles = [
        Line2D([], [], color=SERIES[i], label=branch, linewidth=1.8) for i, branch in enumerate(branches)
    ]
    canvas, (left, right) = _panels(subject, handles)
    for i, branch in enumerate(branches):
        alike = [item for item in subject.spectra if item.branch == branch]
        for item in alike:
            pairs = [(f, math.log(a)) for f, a in zip(item.frequency, item.amplitude, strict=True) if a]
            left.plot([f for f, _ in pairs], [a for _, a in pairs], color=SERIES[i], linewidth=1.1)
        shares = [math.nan if item.high_share is None else item.high_share for item in alike]
        places = [order.index(item.layer) + 1 for item in alike]
        right.plot(places, shares, color=SERIES[i], marker=MARKERS[i], markersize=5)
    left.set_xlabel("Frequency, share of the Nyquist frequency")
    left.set_ylabel("ln of the Fourier magnitude")
    right.set_ylabel("Share of energy at high frequencies")
    right.set_ylim(0, 1.04)
    _count_layers(len(order), right)
    caption = (
        "Left: two-dimensional Fourier transform of what each branch puts out after its projection; "
        "magnitude, mean over images, channels and all directions of a frequency, natural logarithm; item "
        "line a layer. The paper shows maps of single channels instead. Right: share of the squared "
        "magnitude above half "
        "the Nyquist frequency along either axis. Pooled keys alone make Lo-Fi smoother, also untrained."
    )
    means = [f"{b} {_mean_share(subject, b)}" for b in branches]
    alt = (
        f"Fourier spectra of HiLo in {subject.name}. Share of energy at high frequencies: {', '.join(means)}."
    )
    return Drawing(canvas.figure, f"{caption} {_conditions(subject)}", alt)


def paths_figure(subject: SubjectAnalysis) -> Drawing | None:
    """ACmix's two learned scalars over the layers, and the logarithm of their ratio."""
    if not subject.paths:
        return None
    series = {
        "|α|, attention": [abs(one.attention) for one in subject.paths],
        "|β|, convolution": [abs(one.convolution) for one in subject.paths],
    }
    handles = [_handle(i, label) for i, label in enumerate(series)]
    canvas, (left, right) = _panels(subject, handles)
    for i, values in enumerate(series.values()):
        left.plot(range(1, len(values) + 1), values, color=SERIES[i], marker=MARKERS[i], markersize=5)
    ratios = [
        math.log(abs(p.attention / p.convolution)) if p.attention and p.convolution else math.nan
        for p in subject.paths
    ]
    right.plot(range(1, len(ratios) + 1), ratios, color=SERIES[2], marker=MARKERS[2], markersize=5)
    right.axhline(0, color=MUTED, linewidth=0.8)
    left.set_ylabel("Weight of a path")
    left.set_ylim(bottom=0)
    right.set_ylabel("ln(|α| / |β|)")
    _count_layers(len(subject.paths), left, right)
    caption = (
        "ACmix adds its attention path times α and its convolution path times β, both learned, one pair a "
        "layer. Right: above 0 a layer prefers attention. Both begin at 0.5, so untrained layers prefer none."
    )
    alt = f"ACmix's path weights in {counted(len(subject.paths), 'layer')} of {subject.name}."
    return Drawing(canvas.figure, f"{caption} {_conditions(subject)}", alt)


def scales_figure(subject: SubjectAnalysis) -> Drawing | None:
    """The scale of CBS over the layers: its mean, and how far its quantiles lie apart."""
    if not subject.scales:
        return None
    canvas, (left, right) = _panels(subject, [])
    for number, one in enumerate(subject.scales, 1):
        left.plot([number, number], [one.low, one.high], color=SERIES[0], linewidth=1.1)
    places = range(1, len(subject.scales) + 1)
    left.plot(places, [one.mean for one in subject.scales], color=SERIES[0], marker="o", markersize=5)
    ratios = [math.nan if one.ratio is None else one.ratio for one in subject.scales]
    right.plot(places, ratios, color=SERIES[1], marker="s", markersize=5)
    left.set_ylabel("Scale λ of the context")
    right.set_ylabel("|10 % quantile| / |90 % quantile|")
    if all(math.isnan(ratio) for ratio in ratios):
        text(right, 8, PANEL / 2, "every 90 % quantile is 0", color=MUTED)
    _count_layers(len(subject.scales), left, right)
    caption = (
        "Context broadcasting with scaling adds λ times the mean over all tokens, λ learned for each "
        "channel. Left: mean of λ over the channels of a layer, with a line from its 10 % to its 90 % "
        "quantile. Right: ratio of the two. λ begins at 0, so untrained layers broadcast nothing."
    )
    alt = f"Scale of context broadcasting in {counted(len(subject.scales), 'layer')} of {subject.name}."
    return Drawing(canvas.figure, f"{caption} {_conditions(subject)}", alt)


def field_figure(subject: SubjectAnalysis) -> Drawing | None:
    """The effective receptive field as a map."""
    field = subject.field
    if field is None:
        return None
    side = 220.0
    canvas = Canvas(WIDTH, _HEAD + side + 40)
    _headline(canvas, subject, 0)
    height, width = field.grid
    wide = side * width / height if width <= height else min(side * width / height, WIDTH - 2 * _LEFT)
    ax = canvas.axes(_LEFT, _HEAD + 4, wide, wide * height / width)
    ax.imshow(field.map, cmap="viridis", vmin=0, vmax=1, extent=(0, width, height, 0), aspect="auto")
    ax.grid(visible=False)
    ax.set_xlabel(f"{field.unit.capitalize()}s")
    caption = (
        f"Effective receptive field: absolute gradient of the central token's output of {field.output} "
        f"(summed over channels) with respect to the input, summed over its channels, mean over "
        f"{counted(subject.images, 'image')}, over the largest value: dark is 0, bright is 1. The smallest "
        f"square around the centre that holds 95 % of it is {percentage(field.side_95)} of the shorter "
        f"side wide."
    )
    alt = f"Effective receptive field of {subject.name}; 95 % within {percentage(field.side_95)}."
    return Drawing(canvas.figure, f"{caption} {_conditions(subject)}", alt)


FIGURES: Mapping[str, Callable[[SubjectAnalysis], Drawing | None]] = {
    "Attention entropy and distance": attention_figure,
    "Spectrum of Hi-Fi and Lo-Fi": spectrum_figure,
    "Path weights of ACmix": paths_figure,
    "Scales of context broadcasting": scales_figure,
    "Effective receptive field": field_figure,
}
"""Title → figure. To add one, write its function and one line here."""


def _panels(subject: SubjectAnalysis, handles: Sequence[Line2D]) -> tuple[Canvas, tuple[Axes, Axes]]:
    """Two panels side by side under a legend, and whose weights they are of."""
    canvas, (left, right) = grid(
        PAGE, 2, columns=2, height=PANEL, handles=handles, left=_LEFT, right=_LEFT, gap=_GAP, above=_HEAD
    )
    _headline(canvas, subject, canvas.height - _HEAD - PANEL - 32)
    return canvas, (left.ax, right.ax)


def _headline(canvas: Canvas, subject: SubjectAnalysis, top: float) -> None:
    """Whose weights these are, in a line whose middle lies ten points under `top`."""
    line = f"{subject.name} · {weights_words(subject)}"
    canvas.figure.text(_LEFT / WIDTH, 1 - (top + 10) / canvas.height, line, color=MUTED)


def branches_of(layers: Iterable[AttentionLayer]) -> dict[str, list[AttentionLayer]]:
    """Label → its layers. Layers whose keys are channels are a branch of their own."""
    return grouped(layers, lambda layer: layer.branch or f"over {layer.over}")


def _order(found: Sequence[AttentionLayer] | Sequence[Spectrum]) -> list[str]:
    """The layers in the order of execution, each once."""
    return list(dict.fromkeys(one.layer for one in found))


def _handle(number: int, label: str) -> Line2D:
    return Line2D([], [], color=SERIES[number % len(SERIES)], marker=_marker(number), label=label)


def _handles(branches: Iterable[str]) -> list[Line2D]:
    return [_handle(number, branch) for number, branch in enumerate(branches)]


def _marker(number: int) -> str:
    return MARKERS[number % len(MARKERS)]


def _over(
    ax: Axes,
    branches: Mapping[str, Sequence[AttentionLayer]],
    values_of: Callable[[AttentionLayer], tuple[float, ...] | None],
    order: Sequence[str],
) -> bool:
    """Draw what there is, by head where there is one layer; whether there was anything."""
    over_heads = len(order) == 1
    drawn = False
    for number, layers in enumerate(branches.values()):
        color, marker = SERIES[number % len(SERIES)], _marker(number)
        points = [(order.index(la.layer) + 1, values) for la in layers if (values := values_of(la))]
        drawn = drawn or bool(points)
        if over_heads:
            for _, values in points:
                ax.plot(range(1, len(values) + 1), values, color=color, marker=marker, linestyle="none")
            continue
        for place, values in points:
            ax.plot([place] * len(values), values, color=color, marker=marker, markersize=3, linestyle="none")
        means = [sum(values) / len(values) for _, values in points]
        ax.plot([place for place, _ in points], means, color=color)
    heads = max(len(layer.entropy_nats) for layers in branches.values() for layer in layers)
    _whole_numbers(ax, heads if over_heads else len(order))
    return drawn


def _count_layers(number: int, *axes: Axes) -> None:
    for ax in axes:
        ax.set_xlabel(LAYER)
        _whole_numbers(ax, number)


def _whole_numbers(ax: Axes, number: int) -> None:
    """An axis that counts from 1, with at most a dozen of the numbers written."""
    ax.set_xlim(0.5, number + 0.5)
    ax.xaxis.set_major_locator(FixedLocator(range(1, number + 1, max(1, math.ceil(number / 12)))))


def _mean_share(subject: SubjectAnalysis, branch: str) -> str:
    shares = [s.high_share for s in subject.spectra if s.branch == branch and s.high_share is not None]
    return percentage(sum(shares) / len(shares)) if shares else "not known"


def _conditions(subject: SubjectAnalysis) -> str:
    return f"Weights: {weights_words(subject)}. Input: {subject.inputs}."


def _attention_alt(subject: SubjectAnalysis, branches: Mapping[str, Sequence[AttentionLayer]]) -> str:
    parts = []
    for branch, layers in branches.items():
        values = [value for layer in layers for value in layer.entropy or ()]
        if values:
            parts.append(f"{branch}: {fixed(min(values), 2)} to {fixed(max(values), 2)}")
    entropy = f" Entropy over ln(keys), {'; '.join(parts)}." if parts else ""
    matrices = counted(len(subject.attention), "attention matrix", "attention matrices")
    return f"Attention entropy and distance of {matrices} in {subject.name}.{entropy}"
