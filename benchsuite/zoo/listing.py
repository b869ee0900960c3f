"""Mixers in words: a row of `benchsuite list`, the page of `benchsuite show`. Pure text, no torch."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from benchsuite.backbones import BACKBONES
from benchsuite.text import in_markdown, in_spreadsheet
from benchsuite.zoo.catalogue import AXES, SEE_SOURCE, Entry
from benchsuite.zoo.source import Parameter

FUSED = ("sdpa", "flash", "mem_efficient", "cudnn")
"""Kernels that are torch's fused attention; a mixer that has all of them is said to run "fused"."""
COST_WIDTH = 21
"""Characters of a closed form that a table shows."""
PAGE_WIDTH = 100
_FORWARD = {
    "BNC": "tokens (B, N, dim), forward(x, size)",
    "NCHW": "maps (B, dim, H, W), forward(x)",
    "NHWC": "maps (B, H, W, dim), forward(x)",
}
_NONE = "–"


def row(entry: Entry) -> dict[str, str]:
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
        "cost": _clipped(entry.cost.removesuffix("."), COST_WIDTH) or _NONE,
        "summary": entry.summary,
    }


def facts(entry: Entry) -> dict[str, str | list[str]]:
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


def page(entry: Entry) -> str:
    """Everything that the source says of a mixer."""
    lines = [entry.name, *wrapped("  ", entry.summary), ""]
    for label, text in about(entry):
        lines += wrapped(f"{label:<10}", text)
    lines += ["", "parameters", *_parameters(entry.parameters)]
    if entry.doc:
        lines += ["", entry.target.rpartition(":")[2], *textwrap.indent(entry.doc, "  ").splitlines()]
    return "\n".join(lines)


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows as a table in Markdown."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(one.values()) for one in rows)]
    return "\n".join(f"| {' | '.join(map(in_markdown, line))} |" for line in lines)


def csv_text(rows: Sequence[Mapping[str, str | list[str]]]) -> str:
    """Rows as a CSV file; the items of a list are joined by semicolons."""
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0], lineterminator="\n")
    writer.writeheader()
    for one in rows:
        writer.writerow(
            {k: in_spreadsheet(v if isinstance(v, str) else "; ".join(v)) for k, v in one.items()}
        )
    return out.getvalue().rstrip("\n")


def about(entry: Entry) -> Iterator[tuple[str, str]]:
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
    forward = _FORWARD.get(entry.layout)
    yield "layout", f"{entry.layout}: {forward}" if forward else entry.layout
    yield "kernels", ", ".join(entry.kernels) if isinstance(entry.kernels, tuple) else entry.kernels
    if relation:
        shared = " and ".join(relation.sharing)
        weights = "not shared" if relation.sharing == ("none",) else f"shared over {shared}"
        yield "relation", f"connects: {relation.connectivity}; weights: {relation.weights}, {weights}"
    if entry.cost:
        yield "macs", entry.cost


def _parameters(parameters: tuple[Parameter, ...] | None) -> Iterator[str]:
    """A line each, aligned; those that a scenario sweeps say so."""
    if not parameters:
        yield f"  {SEE_SOURCE if parameters is None else 'none'}"
        return
    width = max(len(parameter.name) for parameter in parameters)
    for parameter in parameters:
        default = "" if parameter.default is None else f" = {parameter.default}"
        axis = "  (set by the sweep)" if parameter.name in AXES else ""
        yield f"  {parameter.name:<{width}}  {parameter.annotation}{default}{axis}".rstrip()


def wrapped(label: str, text: str) -> list[str]:
    """Lines of a page: a label, and text that goes on below its own beginning."""
    return textwrap.wrap(
        text, PAGE_WIDTH, initial_indent=label, subsequent_indent=" " * len(label), break_on_hyphens=False
    )


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"
