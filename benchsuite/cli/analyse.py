"""What mixers do to an image: `benchsuite analyse`. Nothing is timed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.errors import UsageError

if TYPE_CHECKING:
    from benchsuite.analyse.data import Analyses
    from benchsuite.results.record import Cell


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
) -> None:
    """Show what mixers do to an image: attention, spectra, learned scalars, receptive field. Times nothing.

    Of a run folder, it adds analyses.json to the folder and a section to its report.
    """
    from benchsuite.analyse.analyses import Ask
    from benchsuite.analyse.analyses import analyse as look_into
    from benchsuite.analyse.data import Analyses

    ask = Ask(
        resolution=(resolution, resolution),
        images=number,
        seed=seed,
        weights=weights,
        folder=images,
        stride=stride,
        dim=dim,
        num_heads=num_heads,
        params=_params(param or []),
    )
    folder, cells = _cells(what, only or [], ask)
    if weights is not None and len(cells) > 1:
        names = ", ".join(cell.name for cell in cells)
        raise UsageError(f"--weights fills one subject, and there are {len(cells)}: {names}")
    subjects = []
    for cell in cells:
        print(f"looking into {cell.name}", file=sys.stderr)
        subjects.append(look_into(cell, ask))
    _write(Analyses(subjects=tuple(subjects)), folder, out)


def _cells(what: list[str], only: list[str], ask: object) -> tuple[Path | None, list[Cell]]:
    """The run folder, if one was named, and what is to be looked into."""
    from benchsuite.analyse.analyses import Ask, cell_of, cells_of
    from benchsuite.results.store import read_run

    assert isinstance(ask, Ask)
    if not any(Path(name).is_dir() for name in what):
        if only:
            raise UsageError("--only chooses from a run folder, and none was named")
        return None, [cell_of(name, ask) for name in dict.fromkeys(what)]
    if len(what) > 1:
        raise UsageError("name one run folder, or names of mixers and networks, not both and not several")
    if ask.params:
        raise UsageError("--param is for mixers and networks by name; a run says what its own are")
    folder = Path(what[0])
    cells = cells_of(read_run(folder), ask)
    unknown = [name for name in only if name not in {cell.name for cell in cells}]
    if unknown:
        raise UsageError(
            f'{folder} measured no "{unknown[0]}"\n  allowed: {", ".join(cell.name for cell in cells)}'
        )
    return folder, [cell for cell in cells if not only or cell.name in only]


def _params(given: list[str]) -> dict[str, object]:
    """name=value pairs, values as in YAML; raises UsageError."""
    import yaml

    found: dict[str, object] = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            if not (equals and name.isidentifier()):
                raise UsageError(f"--param {text}: wanted name=value, alpha=0.9 say")
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UsageError(f"--param {text}: the value cannot be read: {error}") from error
    return found


def _write(analyses: Analyses, folder: Path | None, out: Path | None) -> None:
    """Write numbers and page, and print where the page is."""
    from benchsuite.analyse.data import ANALYSES, write_analyses
    from benchsuite.report.analyses_section import render
    from benchsuite.report.page import render as render_report
    from benchsuite.results.store import REPORT, read_run

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
