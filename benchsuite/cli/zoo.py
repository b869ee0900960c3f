"""Commands about mixers and networks that time nothing: list, show, count, parity and analyse."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.options import PythonPath, warn
from benchsuite.errors import BAD_INPUT, MISMATCH, UsageError, require_word

if TYPE_CHECKING:
    from benchsuite.analyse.analysis import AnalysisSettings
    from benchsuite.analyse.data import Analyses
    from benchsuite.parity.compare import ParityRow
    from benchsuite.results.cell import Cell

LISTS = ("text", "markdown", "csv", "json")
"""Formats of `benchsuite list`."""
COUNTS = ("text", "json", "markdown")
"""Formats of `benchsuite count`."""


def list_(
    what: Annotated[str, typer.Argument(help="scenarios, mixers, backbones or blocks")],
    format: Annotated[
        str, typer.Option(help="text, markdown, csv or json; the last two say everything in full.")
    ] = "text",
) -> None:
    """List the shipped scenarios, the mixers, the networks, or the blocks around and inside of mixers."""
    require_word("list", what, ("scenarios", "mixers", "backbones", "blocks"))
    require_word("--format", format, LISTS)
    _print_list(*_rows(what), format)


def show(
    what: Annotated[str, typer.Argument(help="mixer, block or backbone")],
    name: Annotated[str, typer.Argument(help="A mixer, a block, a network, or package.module:Class.")],
    pythonpath: PythonPath = None,
) -> None:
    """Show what a mixer or network is: paper, parameters, cost, and what differs from its authors' code."""
    from benchsuite.plugins import require_folders
    from benchsuite.terminal import width
    from benchsuite.zoo.catalogue import entry
    from benchsuite.zoo.listing import PAGE_WIDTH, backbone_page, page

    require_word("show", what, ("mixer", "block", "backbone"))
    columns = min(PAGE_WIDTH, width())
    folders = pythonpath or ()
    require_folders(folders)
    print(backbone_page(name, columns) if what == "backbone" else page(entry(name, folders), columns))


def count(
    what: Annotated[str, typer.Argument(help="backbones")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Only these; else all.")
    ] = None,
    format: Annotated[str, typer.Option(help="text, json or markdown.")] = "text",
    resolution: Annotated[int, typer.Option(min=1, help="Side of the image in pixels.")] = 224,
    pythonpath: PythonPath = None,
) -> None:
    """Count parameters and multiply–adds of networks, beside what was published. Nothing is run."""
    require_word("count", what, ("backbones",))
    require_word("--format", format, COUNTS)
    from benchsuite.backbones import BACKBONES
    from benchsuite.plugins import importable_from

    with importable_from(pythonpath or ()):
        _print_counts(names or tuple(BACKBONES), resolution, format)


def parity(
    folder: Annotated[Path, typer.Argument(help="A folder of golden cases.")],
    allow_unknown: Annotated[
        bool, typer.Option(help="List cases of mixers we do not have, and exit 0.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    kernel: Annotated[list[str] | None, typer.Option(help="Only these kernels; repeatable.")] = None,
) -> None:
    """Compare our mixers with the authors' own code: output and input gradient, every kernel."""
    from benchsuite.parity.compare import check_folder

    rows = _printed_parity(check_folder(folder, device=device, kernels=kernel or None))
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


def analyse(
    what: Annotated[
        list[str],
        typer.Argument(metavar="RUN|NAME...", help="One run folder, or names of mixers and networks."),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(help="Weights of one subject: .pth or .safetensors, under our names or the authors'."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Of a run, only this mixer or network; repeatable.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="A folder of images for networks; without it, normal noise.")
    ] = None,
    number: Annotated[int, typer.Option(min=1, help="Images that the numbers are means over.")] = 2,
    resolution: Annotated[int, typer.Option(min=1, help="Side of the image in pixels, for names.")] = 224,
    stride: Annotated[int, typer.Option(min=1, help="Pixels per token side, for mixers by name.")] = 16,
    dim: Annotated[int, typer.Option(min=1, help="Channels, for mixers by name.")] = 384,
    num_heads: Annotated[int, typer.Option(min=1, help="Heads, for mixers by name.")] = 12,
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter, for names: alpha=0.9; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of random weights and of the noise.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="HTML file, with the numbers as .json beside it; default analyses.html."),
    ] = None,
    pythonpath: PythonPath = None,
) -> None:
    """Show what mixers do to an image: attention, spectra, learned scalars, receptive field. Times nothing.

    Of a run folder, it adds analyses.json to the folder and a section to its report.
    """
    from benchsuite.analyse.analysis import AnalysisSettings
    from benchsuite.analyse.analysis import analyse as look_into
    from benchsuite.analyse.data import Analyses
    from benchsuite.plugins import importable_from
    from benchsuite.runner.prepare import Request, with_stored_pythonpath

    settings = AnalysisSettings(
        resolution=(resolution, resolution),
        images=number,
        seed=seed,
        weights=weights,
        folder=images,
        stride=stride,
        dim=dim,
        num_heads=num_heads,
        params=_analyse_params(param or []),
    )
    folder, cells = _cells_to_analyse(what, only or [], settings)
    if weights is not None and len(cells) > 1:
        names = ", ".join(cell.name for cell in cells)
        raise UsageError(f"--weights fills one subject, and there are {len(cells)}: {names}")
    subjects = []
    own = with_stored_pythonpath(Request(resume=folder, pythonpath=tuple(pythonpath or ()))).pythonpath
    with importable_from(own):
        for cell in cells:
            print(f"looking into {cell.name}", file=sys.stderr)
            subjects.append(look_into(cell, settings))
    _write_analyses(Analyses(subjects=tuple(subjects)), folder, out)


def _rows(what: str) -> tuple[Sequence[Mapping[str, str]], Sequence[Mapping[str, str | list[str]]]]:
    """A list for people, and for programs. Warns of packages' mixers that cannot be used."""
    from benchsuite.plugins import plugins, search_path
    from benchsuite.scenario.load import shipped, title
    from benchsuite.zoo.catalogue import block_entries, mixer_entries
    from benchsuite.zoo.listing import backbone_rows, entry_data, row

    if what == "scenarios":
        rows = [{"name": name, "title": title(path)} for name, path in sorted(shipped().items())]
        return rows, rows
    if what == "backbones":
        rows = backbone_rows()
        return rows, rows
    if what == "mixers":
        warn(plugins(search_path()).warnings)
    entries = mixer_entries() if what == "mixers" else block_entries()
    return [row(entry) for entry in entries], [entry_data(entry) for entry in entries]


def _print_list(
    rows: Sequence[Mapping[str, str]], full: Sequence[Mapping[str, str | list[str]]], format: str
) -> None:
    """Print `rows` as a table for people, or everything in `full` for programs.

    In a terminal that is too narrow, a row takes several lines; in a pipe it is one, however long.
    """
    import json

    from benchsuite.terminal import print_rows
    from benchsuite.zoo import listing

    if format == "text":
        print_rows(rows, sys.maxsize)
    elif format == "markdown":
        print(listing.markdown(rows))
    elif format == "csv":
        print(listing.csv_text(full))
    else:
        print(json.dumps(full, indent=2, ensure_ascii=False))


def _print_counts(names: Sequence[str], resolution: int, format: str) -> None:
    """Count networks and print them: as text each at once, for programs all at the end."""
    import json

    from benchsuite.progress import counting
    from benchsuite.terminal import print_lines
    from benchsuite.zoo import count, listing

    counts = count.count_backbones(names, resolution)
    if format == "text":
        lines = ((tuple(row.values()), None) for row in count.rows(counts))
        print_lines(count.columns(names, resolution).items(), lines)
        return
    done = []
    with counting("counting networks") as show:
        for one in counts:
            done.append(one)
            show(len(done), len(names))
    if format == "json":
        print(json.dumps(count.as_data(done), indent=2, ensure_ascii=False))
    else:
        print(listing.markdown(list(count.rows(done))))


def _printed_parity(rows: Iterable[ParityRow]) -> list[ParityRow]:
    """Print each row when it comes."""
    from benchsuite.parity.compare import COLUMNS
    from benchsuite.terminal import print_lines

    styles = {"mismatch": "bold red", "unknown": "yellow", "unavailable": "dim"}
    done: list[ParityRow] = []

    def lines() -> Iterator[tuple[tuple[str, ...], str | None]]:
        for row in rows:
            done.append(row)
            yield row.texts(), styles.get(row.verdict)

    print_lines(COLUMNS, lines())
    return done


def _cells_to_analyse(
    what: list[str], only: list[str], settings: AnalysisSettings
) -> tuple[Path | None, list[Cell]]:
    """The run folder, if one was named, and what is to be looked into."""
    from benchsuite.analyse.analysis import cell_of, cells_of
    from benchsuite.results.store import read_run

    if not any(Path(name).is_dir() for name in what):
        if only:
            raise UsageError("--only chooses from a run folder, and none was named")
        return None, [cell_of(name, settings) for name in dict.fromkeys(what)]
    if len(what) > 1:
        raise UsageError("name one run folder, or names of mixers and networks, not both and not several")
    if settings.params:
        raise UsageError("--param is for mixers and networks by name; a run says what its own are")
    folder = Path(what[0])
    cells = cells_of(read_run(folder), settings)
    unknown = [name for name in only if name not in {cell.name for cell in cells}]
    if unknown:
        raise UsageError(
            f'{folder} measured no "{unknown[0]}"\n  allowed: {", ".join(cell.name for cell in cells)}'
        )
    return folder, [cell for cell in cells if not only or cell.name in only]


def _analyse_params(given: list[str]) -> dict[str, object]:
    """name=value pairs, values as in YAML; raises UsageError."""
    import yaml

    params: dict[str, object] = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            if not (equals and name.isidentifier()):
                raise UsageError(f"--param {text}: wanted name=value, alpha=0.9 say")
            params[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UsageError(f"--param {text}: the value cannot be read: {error}") from error
    return params


def _write_analyses(analyses: Analyses, folder: Path | None, out: Path | None) -> None:
    """Write numbers and page, and print where the page is."""
    from benchsuite.analyse.analyses_page import render
    from benchsuite.analyse.data import write_analyses
    from benchsuite.report.page import render as render_report
    from benchsuite.results.store import ANALYSES, REPORT, read_run

    try:
        if folder is not None and out is None:
            write_analyses(analyses, folder / ANALYSES)
            print(render_report([read_run(folder)], out=folder / REPORT))
            return
        page = out or Path("analyses.html")
        write_analyses(analyses, page.with_suffix(".json"))
        print(render(analyses, page))
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be written: {error.strerror}") from error
