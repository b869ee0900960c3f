"""Networks in words: the rows of `benchsuite list backbones`, the page of `benchsuite show backbone`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from benchsuite.backbones import BACKBONES
from benchsuite.mixers import MIXERS
from benchsuite.zoo.catalogue import Entry, backbone_entry
from benchsuite.zoo.count import Count, count_backbones, published
from benchsuite.zoo.listing import about, wrapped

if TYPE_CHECKING:
    from benchsuite.backbones._hierarchy import StageOfBlocks

_NONE = "–"


def rows() -> list[dict[str, str]]:
    """A row a network: name, paper, what was published of it at 224 pixels, and its family."""
    found = []
    for name in BACKBONES:
        entry = backbone_entry(name)
        preprint = f"arXiv:{entry.arxiv}" if entry.arxiv else ""
        printed = {row["metric"]: f"{row['value']} {row['unit']}" for row in published(name, 224)}
        found.append(
            {
                "name": name,
                "paper": " ".join(filter(None, (entry.year, preprint))) or _NONE,
                "params": printed.get("params", _NONE),
                "MACs": printed.get("macs", _NONE),
                "summary": entry.summary,
            }
        )
    return found


def page(name: str) -> str:
    """Everything about a network: paper, counts beside published ones, stages, and the mixers that fit them.

    Builds it on "meta", at 224 pixels.

    Raises:
        UsageError: there is no such network.
    """
    entry = backbone_entry(name)
    (count,) = count_backbones([name])
    lines = [name, *wrapped("  ", entry.summary), ""]
    for label, text in about(entry):
        lines += wrapped(f"{label:<10}", text)
    return "\n".join([*lines, "", *_counts(count), "", *_stages(entry)])


def _counts(count: Count) -> Iterator[str]:
    yield f"at {count.resolution} × {count.resolution} pixels"
    for metric, ours in (("params", count.params), ("macs", count.macs)):
        word = "parameters" if metric == "params" else "MACs"
        yield f"  {word:<11}{ours:>16,}"
        printed = [one for one in count.published if one.metric == metric]
        for value in dict.fromkeys((one.value, one.unit) for one in printed):
            sources = dict.fromkeys(one.source for one in printed if (one.value, one.unit) == value)
            yield from wrapped(f"    published  {' '.join(value):<7}", "; ".join(sources))


def _stages(entry: Entry) -> Iterator[str]:
    import torch

    from benchsuite.backbones._hierarchy import Hierarchy, StageOfBlocks
    from benchsuite.worker.build import backbone_builder

    with torch.device("meta"):
        network = backbone_builder(entry.name)()
    if not isinstance(network, Hierarchy):
        yield 'stages: "all" is the only one whose mixer can be swapped, if it has one'
        return
    yield "stages"
    for stage in network.stages:
        assert isinstance(stage, StageOfBlocks)
        place = stage.place
        size = f"{place.grid[0]} × {place.grid[1]} tokens, {place.dim} channels, {place.num_heads} heads"
        yield f"  {place.name}  {len(stage.blocks)} blocks of {size}"
        if stage.mixes:
            used = ", ".join(_mixers_in(stage)) or "its own"
            yield from wrapped("    mixes with  ", used)
            unfit = _unfit(stage)
            yield from wrapped(
                "    takes       ", "every mixer" + (f" but {', '.join(unfit)}" if unfit else "")
            )
        else:
            yield "    has no mixer"


def _mixers_in(stage: StageOfBlocks) -> list[str]:
    """Names of the zoo's mixers that stand in a stage, in order."""
    names = {target: name for name, target in MIXERS.items()}
    classes = (f"{type(part).__module__}:{type(part).__qualname__}" for part in stage.modules())
    return list(dict.fromkeys(names[one] for one in classes if one in names))


def _unfit(stage: StageOfBlocks) -> Sequence[str]:
    """The mixers of the zoo that do not fit a stage as they are."""
    from benchsuite.backbones._choice import chosen, refuse_grid

    place = stage.place

    def fits(name: str) -> bool:
        try:
            if stage.class_token is not None:
                refuse_grid(name, place.name)
            chosen(
                name,
                stage=place.name,
                dim=place.dim,
                grid=place.grid,
                layout=stage.layout,
                num_heads=place.num_heads,
            )
        except ValueError:
            return False
        return True

    return [name for name in MIXERS if not fits(name)]
