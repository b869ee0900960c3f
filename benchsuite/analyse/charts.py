"""Figures of what a mixer or network does to an image: `SubjectAnalysis` → `Drawing`, or None for no figure.

Whose weights these are stands on every figure, as figures are cut out of pages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from benchsuite.analyse.data import AttentionLayer, Spectrum, SubjectAnalysis
from benchsuite.format import counted, fixed, percentage
from benchsuite.report.canvas import Drawing, grid, handle, text
from benchsuite.report.figures.layout import PAGE
from benchsuite.report.reported_cells import grouped
from benchsuite.report.theme import MARKERS, MUTED, SERIES

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
    labels = ("Entropy over ln(keys)", "Distance, share of the image's side")
    figure, left, right = _panels(subject, branches if len(branches) > 1 else (), *labels)
    order = _order(subject.attention)
    _over(left, branches, lambda layer: layer.entropy, order)
    left.set_ylim(0, 1.04)
    if _over(right, branches, lambda layer: layer.distance, order):
        right.set_ylim(0, 1.08 * right.dataLim.y1)
    else:
        text(right, 8, PANEL / 2, "keys have no place in the image", color=MUTED)
    marks = "A mark is a head." if len(order) == 1 else "A mark is a head, the line the mean over heads."
    caption = (
        "Left: attention entropy, minus the sum of a ln a over the keys of a query, divided by ln(number of "
        "keys): 0 if a query looks at one key, 1 if at all alike. Right: distance between a query and where "
        "it looks, the sum of a times the L1 distance between the centres of query and key in shares of the "
        "image's height and width (0 to 2), class token left out; absent where keys are channels, mixtures "
        f"or samples. Both are means over queries and {counted(subject.images, 'image')}. {marks}"
    )
    ranges = []
    for branch, layers in branches.items():
        values = [value for layer in layers for value in layer.entropy or ()]
        ranges += [f"{branch}: {fixed(min(values), 2)} to {fixed(max(values), 2)}"] if values else []
    entropy = f" Entropy over ln(keys), {'; '.join(ranges)}." if ranges else ""
    matrices = counted(len(subject.attention), "attention matrix", "attention matrices")
    alt = f"Attention entropy and distance of {matrices} in {subject.name}.{entropy}"
    return _drawing(subject, figure, caption, alt)


def spectrum_figure(subject: SubjectAnalysis) -> Drawing | None:
    """Log amplitude over frequency of the branches of HiLo."""
    if not subject.spectra:
        return None
    branches, order = grouped(subject.spectra, lambda one: one.branch), _order(subject.spectra)
    labels = ("ln of the Fourier magnitude", "Share of energy at high frequencies")
    figure, left, right = _panels(subject, branches, *labels)
    means = []
    for i, (branch, alike) in enumerate(branches.items()):
        for item in alike:
            pairs = [(f, math.log(a)) for f, a in zip(item.frequency, item.amplitude, strict=True) if a]
            left.plot([f for f, _ in pairs], [a for _, a in pairs], color=SERIES[i], linewidth=1.1)
        shares = [(order.index(one.layer) + 1, one.high_share) for one in alike]
        _series(right, i, shares, len(order))
        known = [share for _, share in shares if share is not None]
        means.append(f"{branch} {percentage(sum(known) / len(known)) if known else 'not known'}")
    left.set_xlabel("Frequency, share of the Nyquist frequency")
    right.set_ylim(0, 1.04)
    caption = (
        "Left: two-dimensional Fourier transform of what each branch puts out after its projection; "
        "magnitude, mean over images, channels and all directions of a frequency, natural logarithm; a line "
        "a layer. The paper shows maps of single channels instead. Right: share of the squared magnitude "
        "above half the Nyquist frequency along either axis. Pooled keys alone make Lo-Fi smoother, also "
        "untrained."
    )
    alt = (
        f"Fourier spectra of HiLo in {subject.name}. Share of energy at high frequencies: {', '.join(means)}."
    )
    return _drawing(subject, figure, caption, alt)


def paths_figure(subject: SubjectAnalysis) -> Drawing | None:
    """ACmix's two learned scalars over the layers, and the logarithm of their ratio."""
    paths = subject.paths
    if not paths:
        return None
    names = ("|α|, attention", "|β|, convolution")
    figure, left, right = _panels(subject, names, "Weight of a path", "ln(|α| / |β|)")
    weights = ([abs(one.attention) for one in paths], [abs(one.convolution) for one in paths])
    for number, values in enumerate(weights):
        _series(left, number, list(enumerate(values, 1)), len(paths))
    ratios = [math.log(a / c) if a and c else None for a, c in zip(*weights, strict=True)]
    _series(right, 2, list(enumerate(ratios, 1)), len(paths))
    right.axhline(0, color=MUTED, linewidth=0.8)
    left.set_ylim(bottom=0)
    caption = (
        "ACmix adds its attention path times α and its convolution path times β, both learned, one pair a "
        "layer. Right: above 0 a layer prefers attention. Both begin at 0.5, so untrained layers prefer none."
    )
    alt = f"ACmix's path weights in {counted(len(paths), 'layer')} of {subject.name}."
    return _drawing(subject, figure, caption, alt)


def scales_figure(subject: SubjectAnalysis) -> Drawing | None:
    """The scale of CBS over the layers: its mean, and how far its quantiles lie apart."""
    scales = subject.scales
    if not scales:
        return None
    labels = ("Scale λ of the context", "|10 % quantile| / |90 % quantile|")
    figure, left, right = _panels(subject, (), *labels)
    left.vlines(range(1, len(scales) + 1), [one.low for one in scales], [one.high for one in scales],
                color=SERIES[0], linewidth=1.1)  # fmt: skip
    _series(left, 0, [(i, one.mean) for i, one in enumerate(scales, 1)], len(scales))
    _series(right, 1, [(i, one.ratio) for i, one in enumerate(scales, 1)], len(scales))
    if all(one.ratio is None for one in scales):
        text(right, 8, PANEL / 2, "every 90 % quantile is 0", color=MUTED)
    caption = (
        "Context broadcasting with scaling adds λ times the mean over all tokens, λ learned for each "
        "channel. Left: mean of λ over the channels of a layer, with a line from its 10 % to its 90 % "
        "quantile. Right: ratio of the two. λ begins at 0, so untrained layers broadcast nothing."
    )
    alt = f"Scale of context broadcasting in {counted(len(scales), 'layer')} of {subject.name}."
    return _drawing(subject, figure, caption, alt)


def field_figure(subject: SubjectAnalysis) -> Drawing | None:
    """The effective receptive field as a map."""
    field = subject.field
    if field is None:
        return None
    height, width = field.grid
    wide = min(220.0 * width / height, PAGE.width - 2 * _LEFT)
    figure, (panel,) = grid(
        PAGE,
        1,
        columns=1,
        height=wide * height / width,
        left=_LEFT,
        right=PAGE.width - _LEFT - wide,
        above=_HEAD,
    )
    _headline(figure, subject, panel.ax)
    panel.ax.imshow(field.map, cmap="viridis", vmin=0, vmax=1, extent=(0, width, height, 0), aspect="auto")
    panel.ax.grid(visible=False)
    panel.ax.set_xlabel(f"{field.unit.capitalize()}s")
    caption = (
        f"Effective receptive field: absolute gradient of the central token's output of {field.output} "
        "(summed over channels) with respect to the input, summed over its channels, mean over "
        f"{counted(subject.images, 'image')}, over the largest value: dark is 0, bright is 1. The smallest "
        f"square around the centre that holds 95 % of it is {percentage(field.side_95)} of the shorter side "
        "wide."
    )
    alt = f"Effective receptive field of {subject.name}; 95 % within {percentage(field.side_95)}."
    return _drawing(subject, figure, caption, alt)


FIGURES: Mapping[str, Callable[[SubjectAnalysis], Drawing | None]] = {
    "Attention entropy and distance": attention_figure,
    "Spectrum of Hi-Fi and Lo-Fi": spectrum_figure,
    "Path weights of ACmix": paths_figure,
    "Scales of context broadcasting": scales_figure,
    "Effective receptive field": field_figure,
}
"""Title → figure. To add one, write its function and one line here."""


def branches_of(layers: Iterable[AttentionLayer]) -> dict[str, list[AttentionLayer]]:
    """Label → its layers. Layers whose keys are channels are a branch of their own."""
    return grouped(layers, lambda layer: layer.branch or f"over {layer.over}")


def _drawing(subject: SubjectAnalysis, figure: Figure, caption: str, alt: str) -> Drawing:
    weights = f"Weights: {weights_words(subject)}. Input: {subject.inputs}."
    return Drawing(figure, f"{caption} {weights}", alt)


def _panels(
    subject: SubjectAnalysis, names: Iterable[str], left_label: str, right_label: str
) -> tuple[Figure, Axes, Axes]:
    """Two panels side by side under a legend of these names, and whose weights they are of."""
    handles = [handle(name, *_look(i), linestyle="-") for i, name in enumerate(names)]
    figure, panels = grid(
        PAGE, 2, columns=2, height=PANEL, handles=handles, left=_LEFT, right=_LEFT, gap=_GAP, above=_HEAD
    )
    left, right = (panel.ax for panel in panels)
    left.set_ylabel(left_label)
    right.set_ylabel(right_label)
    _headline(figure, subject, left)
    return figure, left, right


def _headline(figure: Figure, subject: SubjectAnalysis, ax: Axes) -> None:
    """Whose weights these are, in a line over the axes."""
    line = f"{subject.name} · {weights_words(subject)}"
    height = 72 * figure.get_figheight()
    figure.text(_LEFT / PAGE.width, (ax.bbox.y1 + _HEAD - 10) / height, line, color=MUTED)


def _order(found: Sequence[AttentionLayer] | Sequence[Spectrum]) -> list[str]:
    """The layers in the order of execution, each once."""
    return list(dict.fromkeys(one.layer for one in found))


def _look(number: int) -> tuple[str, str]:
    """Marker and colour of a series."""
    return MARKERS[number % len(MARKERS)], SERIES[number % len(SERIES)]


def _series(ax: Axes, number: int, values: Sequence[tuple[int, float | None]], layers: int) -> None:
    """A line over the layers, with a gap where a value is missing."""
    marker, color = _look(number)
    heights = [math.nan if value is None else value for _, value in values]
    ax.plot([place for place, _ in values], heights, color=color, marker=marker, markersize=5)
    _count(ax, LAYER, layers)


def _over(
    ax: Axes,
    branches: Mapping[str, Sequence[AttentionLayer]],
    values_of: Callable[[AttentionLayer], tuple[float, ...] | None],
    order: Sequence[str],
) -> bool:
    """Draw what there is, by head where there is one layer; whether there was anything."""
    over_heads = len(order) == 1
    for number, layers in enumerate(branches.values()):
        marker, color = _look(number)
        cells = [(order.index(one.layer) + 1, values) for one in layers if (values := values_of(one))]
        for place, values in cells:
            xs = range(1, len(values) + 1) if over_heads else [place] * len(values)
            ax.plot(
                xs, values, color=color, marker=marker, markersize=6 if over_heads else 3, linestyle="none"
            )
        if not over_heads:
            means = [sum(values) / len(values) for _, values in cells]
            ax.plot([place for place, _ in cells], means, color=color)
    heads = max(len(layer.entropy_nats) for layers in branches.values() for layer in layers)
    _count(ax, "Head" if over_heads else LAYER, heads if over_heads else len(order))
    return any(values_of(layer) for layers in branches.values() for layer in layers)


def _count(ax: Axes, label: str, number: int) -> None:
    """An x axis that counts from 1, with at most a dozen of the numbers written."""
    ax.set_xlabel(label)
    ax.set_xlim(0.5, number + 0.5)
    ax.xaxis.set_major_locator(FixedLocator(range(1, number + 1, max(1, math.ceil(number / 12)))))
