"""Mixers and networks in words: a row of `benchsuite list`, the page of `benchsuite show`."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from benchsuite.backbones import BACKBONES
from benchsuite.mixers import MIXERS
from benchsuite.text import in_markdown, in_spreadsheet
from benchsuite.zoo.catalogue import AXES, OF_A_BACKBONE, SEE_SOURCE, ZooEntry, backbone_entry
from benchsuite.zoo.count import Count, count_backbones, published
from benchsuite.zoo.source import Parameter

if TYPE_CHECKING:
    from torch import nn

    from benchsuite.backbones._choice import MixerSlot

FUSED = ("sdpa", "flash", "mem_efficient", "cudnn")
"""Kernels that are torch's fused attention; a mixer that has all of them is said to run "fused"."""
PAGE_WIDTH = 100
"""Characters of a line of a page at most."""
_AXES = {"BNC": "tokens (B, N, dim)", "NCHW": "maps (B, dim, H, W)", "NHWC": "maps (B, H, W, dim)"}
_NONE = "–"


def row(entry: ZooEntry) -> dict[str, str]:
    """A mixer as a row of a table for people: one short word or phrase a column."""
    preprint = f"arXiv:{entry.arxiv}" if entry.arxiv else ""
    relation = entry.relation
    weights = relation.weights.removeprefix("dynamic ") if relation else ""
    return {
        "name": entry.name,
        "paper": " ".join(filter(None, (entry.year, preprint))) or entry.package or _NONE,
        "layout": _NONE if entry.layout == SEE_SOURCE else entry.layout,
        "kernels": compact(entry.kernels),
        "relation": f"{relation.connectivity}, {weights}" if relation else _NONE,
        "summary": entry.summary,
        "cost": entry.cost.removesuffix(".") or _NONE,
    }


def entry_data(entry: ZooEntry) -> dict[str, str | list[str]]:
    """A mixer as a row for programs: everything unabridged, lists as lists, unknown things empty."""
    relation = entry.relation
    return {
        "name": entry.name,
        "class": entry.target,
        "package": entry.package,
        "summary": entry.summary,
        "paper": entry.paper,
        "year": entry.year,
        "arxiv": entry.arxiv,
        "layout": "" if entry.layout == SEE_SOURCE else entry.layout,
        "kernels": list(entry.kernels) if isinstance(entry.kernels, tuple) else [entry.kernels],
        "connectivity": relation.connectivity if relation else "",
        "sharing": list(relation.sharing) if relation else [],
        "weights": relation.weights if relation else "",
        "cost": entry.cost,
        "parameters": [parameter.name for parameter in entry.parameters or ()],
    }


def compact(kernels: tuple[str, ...] | str) -> str:
    """ "math", "math+fused", or the names joined by "+"."""
    if isinstance(kernels, str):
        return kernels
    if not set(FUSED) <= set(kernels):
        return "+".join(kernels)
    return "+".join(dict.fromkeys("fused" if kernel in FUSED else kernel for kernel in kernels))


def page(entry: ZooEntry, width: int = PAGE_WIDTH) -> str:
    """Everything that the source says of a mixer, in lines of `width` characters where words allow it."""
    lines = [*_head(entry, width), "", "parameters", *_parameters(entry.parameters, width)]
    if entry.doc:
        doc = [line for text in entry.doc.splitlines() for line in _rewrapped(f"  {text}", width)]
        lines += ["", entry.target.rpartition(":")[2], *doc]
    return "\n".join(lines)


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows as a table in Markdown."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(cells.values()) for cells in rows)]
    return "\n".join(f"| {' | '.join(map(in_markdown, line))} |" for line in lines)


def csv_text(rows: Sequence[Mapping[str, str | list[str]]]) -> str:
    """Rows as a CSV file; the items of a list are joined by semicolons."""
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0], lineterminator="\n")
    writer.writeheader()
    for cells in rows:
        writer.writerow(
            {k: in_spreadsheet(v if isinstance(v, str) else "; ".join(v)) for k, v in cells.items()}
        )
    return out.getvalue().rstrip("\n")


def _head(entry: ZooEntry, width: int) -> list[str]:
    """Name and summary, and a line for each fact."""
    about = [line for label, text in _about(entry) for line in _wrapped(f"{label:<10}", text, width)]
    return [entry.name, *_wrapped("  ", entry.summary, width), "", *about]


def _about(entry: ZooEntry) -> Iterator[tuple[str, str]]:
    """Label and text of each fact that is known; what only mixers have is left out of networks."""
    relation = entry.relation
    yield "class", entry.target
    if entry.package:
        yield "package", entry.package
    for label, text in (
        ("paper", entry.paper),
        ("reference", entry.reference),
        ("differs", entry.differs),
        ("names", entry.names),
    ):
        if text:
            yield label, text
    if entry.name in BACKBONES:
        return
    axes = _AXES.get(entry.layout)
    layout = f"{entry.layout}: {axes}" if axes else "told by its layers" if entry.forward else entry.layout
    yield "layout", f"{layout}, {entry.forward}" if entry.forward else layout
    yield "kernels", ", ".join(entry.kernels) if isinstance(entry.kernels, tuple) else entry.kernels
    if relation:
        shared = " and ".join(relation.sharing)
        weights = "not shared" if relation.sharing == ("none",) else f"shared over {shared}"
        yield "relation", f"connects: {relation.connectivity}; weights: {relation.weights}, {weights}"
    if entry.cost:
        yield "macs", entry.cost


def _parameters(parameters: tuple[Parameter, ...] | None, width: int) -> Iterator[str]:
    """A line each, aligned; those that a scenario sweeps say so."""
    if not parameters:
        yield f"  {SEE_SOURCE if parameters is None else 'none'}"
        return
    names = max(len(parameter.name) for parameter in parameters)
    for parameter in parameters:
        default = "" if parameter.default is None else f" = {parameter.default}"
        axis = "  (set by the sweep)" if parameter.name in AXES else ""
        line = f"  {parameter.name:<{names}}  {parameter.annotation}{default}{axis}"
        yield from _rewrapped(line, width)


def _wrapped(label: str, text: str, width: int) -> list[str]:
    """Lines of a page: a label, and text that goes on below its own beginning."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_on_hyphens=False,
        break_long_words=False,
    )


def _rewrapped(line: str, width: int) -> list[str]:
    """A line, and below its own beginning what is too much for it."""
    text = line.lstrip()
    return [line.rstrip()] if len(line) <= width else _wrapped(" " * (len(line) - len(text)), text, width)


def backbone_rows() -> list[dict[str, str]]:
    """A row a network: name, paper, what was published of it at 224 pixels, and its family."""
    rows = []
    for name in BACKBONES:
        entry = backbone_entry(name)
        preprint = f"arXiv:{entry.arxiv}" if entry.arxiv else ""
        printed = {row["metric"]: f"{row['value']} {row['unit']}" for row in published(name, 224)}
        rows.append(
            {
                "name": name,
                "paper": " ".join(filter(None, (entry.year, preprint))) or _NONE,
                "params": printed.get("params", _NONE),
                "MACs": printed.get("macs", _NONE),
                "summary": entry.summary,
            }
        )
    return rows


def backbone_page(name: str, width: int = PAGE_WIDTH) -> str:
    """Everything about a network: paper, counts beside published ones, stages, and the mixers that fit them.

    Builds it on "meta", at 224 pixels.

    Raises:
        UsageError: there is no such network.
    """
    entry = backbone_entry(name)
    (count,) = count_backbones([name])
    params = _wrapped(f"{'params':<10}", ", ".join(OF_A_BACKBONE[name]), width)
    return "\n".join([*_head(entry, width), *params, "", *_counts(count, width), "", *_stages(entry, width)])


def _counts(count: Count, width: int) -> Iterator[str]:
    yield f"at {count.resolution} × {count.resolution} pixels"
    for metric, ours in (("params", count.params), ("macs", count.macs)):
        word = "parameters" if metric == "params" else "MACs"
        yield f"  {word:<11}{ours:>16,}"
        printed = [number for number in count.published if number.metric == metric]
        for value in dict.fromkeys((number.value, number.unit) for number in printed):
            sources = dict.fromkeys(
                number.source for number in printed if (number.value, number.unit) == value
            )
            yield from _wrapped(f"    published  {' '.join(value):<9}", "; ".join(sources), width)


def _stages(entry: ZooEntry, width: int) -> Iterator[str]:
    import torch

    from benchsuite.backbones._hierarchy import Hierarchy, StageOfBlocks
    from benchsuite.worker.build import backbone_builder

    build = backbone_builder(entry.name)
    with torch.device("meta"):
        network = build()
    yield "stages"
    if not isinstance(network, Hierarchy):
        yield from _wrapped("  mixes with    ", ", ".join(_mixers_in(network)) or "its own", width)
        for name, places in cast("Mapping[str, Sequence[MixerSlot]]", network.slots).items():
            yield f"  {name}"
            yield from _takes(_unfit(places), width)
        return
    for stage in network.stages:
        assert isinstance(stage, StageOfBlocks)
        place = stage.place
        size = f"{place.grid[0]} × {place.grid[1]} tokens, {place.dim} channels, {place.num_heads} heads"
        yield f"  {place.name}  {len(stage.blocks)} blocks of {size}"
        if stage.slot is not None:
            unfit, used = _unfit([stage.slot]), _mixers_in(stage)
            own = ", not with its default parameters"
            words = [f"{name}{own if name in unfit else ''}" for name in used]
            yield from _wrapped("    mixes with  ", ", ".join(words) or "its own", width)
            yield from _takes(unfit, width)
        else:
            yield "    has no mixer"


def _takes(unfit: Sequence[str], width: int) -> list[str]:
    """The mixers that fit with their default parameters, or those that do not, whichever are fewer."""
    fit = [name for name in MIXERS if name not in unfit]
    if not unfit:
        words = "every mixer"
    elif len(fit) < len(unfit):
        words = ", ".join(fit)
    else:
        words = f"with default parameters every mixer but {', '.join(unfit)}"
    return _wrapped("    takes       ", words, width)


def _mixers_in(stage: nn.Module) -> list[str]:
    """Names of the zoo's mixers that stand in a stage or network, in order."""
    names = {target: name for name, target in MIXERS.items()}
    classes = (f"{type(part).__module__}:{type(part).__qualname__}" for part in stage.modules())
    return list(dict.fromkeys(names[target] for target in classes if target in names))


def _unfit(slots: Sequence[MixerSlot]) -> Sequence[str]:
    """The mixers of the zoo that do not fit a stage as they are."""
    from benchsuite.backbones._choice import chosen

    def fits(name: str) -> bool:
        try:
            for slot in dict.fromkeys(slots):
                chosen(name, slot)
        except ValueError:
            return False
        return True

    return [name for name in MIXERS if not fits(name)]
