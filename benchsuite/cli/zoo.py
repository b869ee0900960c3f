"""Commands about what can be measured: list, show, count and parity."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchsuite.cli.options import warn
from benchsuite.errors import BAD_INPUT, MISMATCH, UsageError


def list_(
    what: Annotated[str, typer.Argument(help="scenarios, mixers, backbones or blocks")],
    format: Annotated[
        str, typer.Option(help="text, markdown, csv or json; the last two say everything in full.")
    ] = "text",
) -> None:
    """List the shipped scenarios, the mixers, the networks, or the blocks around and inside of mixers."""
    from benchsuite import terminal

    lists = {"scenarios": _scenarios, "mixers": _mixers, "backbones": _backbones, "blocks": _blocks}
    listed = lists.get(what)
    if listed is None:
        raise UsageError(f"cannot list {what!r}; allowed: {', '.join(lists)}")
    if format not in terminal.LISTS:
        raise UsageError(f"no format {format!r}; allowed: {', '.join(terminal.LISTS)}")
    rows, full = listed()
    terminal.print_list(rows, full, format)


def show(
    what: Annotated[str, typer.Argument(help="mixer, block or backbone")],
    name: Annotated[str, typer.Argument(help="A mixer, a block, a network, or package.module:Class.")],
) -> None:
    """Show what a mixer or network is: paper, parameters, cost, and what differs from its authors' code."""
    from benchsuite.zoo.catalogue import entry
    from benchsuite.zoo.listing import backbone_page, page

    if what not in ("mixer", "block", "backbone"):
        raise UsageError(f"cannot show {what!r}; allowed: mixer, block, backbone")
    print(backbone_page(name) if what == "backbone" else page(entry(name)))


def count(
    what: Annotated[str, typer.Argument(help="backbones")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Only these; else all.")
    ] = None,
    format: Annotated[str, typer.Option(help="text, json or markdown.")] = "text",
    resolution: Annotated[int, typer.Option(min=1, help="Side of the image in pixels.")] = 224,
) -> None:
    """Count parameters and multiply–adds of networks, beside what was published. Nothing is run."""
    from benchsuite import terminal

    if what != "backbones":
        raise UsageError(f"cannot count {what!r}; allowed: backbones")
    if format not in terminal.COUNTS:
        raise UsageError(f"no format {format!r}; allowed: {', '.join(terminal.COUNTS)}")
    from benchsuite.zoo.count import count_backbones

    terminal.print_counts(count_backbones(names or (), resolution), format)


def parity(
    folder: Annotated[Path, typer.Argument(help="A folder of golden cases.")],
    allow_unknown: Annotated[
        bool, typer.Option(help="List cases of mixers we do not have, and exit 0.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    kernel: Annotated[list[str] | None, typer.Option(help="Only these kernels; repeatable.")] = None,
) -> None:
    """Compare our mixers with the authors' own code: output and input gradient, every kernel."""
    from benchsuite import terminal
    from benchsuite.parity.compare import check_folder

    rows = check_folder(folder, device=device, kernels=kernel or None)
    terminal.print_parity(rows)
    verdicts = [row.verdict for row in rows]
    unknown = sorted({row.case for row in rows if row.verdict == "unknown"})
    print(
        ", ".join(f"{verdicts.count(word)} {word}" for word in ("ok", "mismatch", "unavailable", "unknown"))
    )
    if "mismatch" in verdicts:
        raise typer.Exit(MISMATCH)
    if unknown and not allow_unknown:
        print(f"{len(unknown)} cases cannot be mapped: {', '.join(unknown)}", file=sys.stderr)
        raise typer.Exit(BAD_INPUT)


def _scenarios() -> tuple[list[dict[str, str]], list[dict[str, str | list[str]]]]:
    """Rows for people, and for programs."""
    from benchsuite.scenario.load import shipped, title

    rows = [{"name": name, "title": title(path)} for name, path in sorted(shipped().items())]
    return rows, [{**one} for one in rows]


def _mixers() -> tuple[list[dict[str, str]], list[dict[str, str | list[str]]]]:
    """Rows for people, and for programs. Warns of packages' mixers that cannot be used."""
    from benchsuite.plugins import plugins, search_path
    from benchsuite.zoo.catalogue import mixer_entries
    from benchsuite.zoo.listing import facts, row

    warn(plugins(search_path()).warnings)
    entries = mixer_entries()
    return [row(entry) for entry in entries], [facts(entry) for entry in entries]


def _backbones() -> tuple[list[dict[str, str]], list[dict[str, str | list[str]]]]:
    """Rows for people, and for programs."""
    from benchsuite.zoo.listing import backbone_rows

    rows = backbone_rows()
    return rows, [{**one} for one in rows]


def _blocks() -> tuple[list[dict[str, str]], list[dict[str, str | list[str]]]]:
    """Rows for people, and for programs."""
    from benchsuite.zoo.catalogue import block_entries
    from benchsuite.zoo.listing import facts, row

    entries = block_entries()
    return [row(entry) for entry in entries], [facts(entry) for entry in entries]
