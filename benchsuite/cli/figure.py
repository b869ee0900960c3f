"""Command figure: one figure of a run, chosen, as a file for a paper."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchsuite.cli.options import warn
from benchsuite.errors import UsageError, nearest
from benchsuite.report.figures import KINDS, require_style

_KINDS = f"{', '.join(list(KINDS)[:-1])} or {list(KINDS)[-1]}."


def figure(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    kind: Annotated[str, typer.Option(help=_KINDS)],
    out: Annotated[Path, typer.Option(help="File to write: .pdf, .png or .svg.")],
    mixers: Annotated[
        str | None, typer.Option(help="Names of mixers or networks, separated by commas; all if unsaid.")
    ] = None,
    kernel: Annotated[str | None, typer.Option(help="One kernel: math, sdpa, flash.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="macs, throughput, latency_s or peak_memory_bytes, where a figure shows several."),
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Name that speeds are relative to.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Conditions or axis, where a run has several: fp16, batch 64.")
    ] = None,
    width: Annotated[
        str | None, typer.Option(help="Width: 3.25in, 6.75in, 85mm, 234pt; that of the page if unsaid.")
    ] = None,
    style: Annotated[str | None, typer.Option(help="default or litv2.")] = None,
) -> None:
    """Write one figure of a run to a file, as wide as a column of a paper or as the page."""
    from benchsuite.report import theme
    from benchsuite.report.cells import read
    from benchsuite.report.figures.choose import Options
    from benchsuite.report.figures.layout import PAGE, Layout, parse
    from benchsuite.report.figures.of_run import drawings
    from benchsuite.report.svg import FORMATS, write
    from benchsuite.results.metrics import METRICS
    from benchsuite.results.store import read_run

    _require("--kind", kind, tuple(KINDS))
    _require("--metric", metric, tuple(METRICS))
    _require("--out, the ending", out.suffix.removeprefix("."), FORMATS)
    layout = Layout(parse(width) if width else PAGE.width, require_style(style, out))
    loaded = read_run(run)
    warn(loaded.warnings)
    cells = read(loaded)
    names = tuple(name.strip() for name in mixers.split(",")) if mixers else ()
    for name in (*names, *([reference] if reference else [])):
        _require("--mixers" if name in names else "--reference", name, cells.names)
    _require("--kernel", kernel, tuple(dict.fromkeys(point.kernel for point in cells.points)))
    options = Options(kernel=kernel, reference=reference, metric=metric, names=names)
    with theme.applied():
        found = list(drawings(cells, layout, options, [KINDS[kind]]))
        if not found:
            raise UsageError(f"{run} has nothing to show in a figure of the kind {kind}")
        _require("--group", group, [one.of for one in found])
        chosen = next(one for one in found if group in (None, one.of))
        with layout.applied():
            write(chosen.drawing.figure, out)
    others = [one.of for one in found if one is not chosen]
    if others and group is None:
        warn((f"drawn for {chosen.of}; --group has also: {'; '.join(others)}",))
    print(out)
    print(chosen.drawing.caption, file=sys.stderr)


def _require(option: str, word: str | None, allowed: tuple[str, ...] | list[str]) -> None:
    """Raise UsageError unless the word is one of those allowed, or None."""
    if word is None or word in allowed:
        return
    near = nearest(word, allowed)
    hint = f'; did you mean "{near}"?' if near else ""
    raise UsageError(f'{option}: no "{word}"{hint}\n  allowed: {", ".join(allowed)}')
