"""The command compare."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchsuite.errors import UsageError, nearest
from benchsuite.text import in_markdown

FORMATS = ("text", "markdown", "json")


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="A B...", help="Run folders; the others are compared with A.")
    ],
    format: Annotated[str, typer.Option(help="text, markdown or json.")] = "text",
    out: Annotated[Path | None, typer.Option(help="Also write an HTML report here.")] = None,
) -> None:
    """Compare runs: whether they are comparable, times with confidence intervals, exact numbers.

    Of more than two runs, and of two machines, it tells each mixer's speed relative to a reference mixer of
    the same run, and where the order of mixers differs. Runs that were not taken in turns are no evidence of
    code, so the exit code is 0 whatever is found; 4 where a cell was timed with other threads or another
    allocator.
    """
    import json

    from benchsuite.cli.sections import print_sections, wrapped
    from benchsuite.report.comparison_page import page as page_of
    from benchsuite.report.comparison_page import plain as data_of
    from benchsuite.report.comparison_page import to_html
    from benchsuite.report.templating import write
    from benchsuite.results.comparable import require_alike
    from benchsuite.results.store import read_run

    if format not in FORMATS:
        guess = nearest(format, FORMATS)
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise UsageError(f"no format {format!r}{hint}; allowed: {', '.join(FORMATS)}")
    if len(runs) < 2:
        raise UsageError("compare wants two runs or more: benchsuite compare A B")
    loaded = [read_run(path) for path in runs]
    require_alike([(str(run.path), run.records) for run in loaded])
    page = page_of(loaded)
    if format == "json":
        print(json.dumps(data_of(loaded), indent=2, ensure_ascii=False))
    else:
        text = format == "text"
        if not text:
            print(f"# {in_markdown(page.title)}\n")
        # The summary holds paths, which are not to be torn.
        plain = [wrapped(page.answer), page.summary, wrapped(page.caveat)]
        said = filter(None, plain if text else map(in_markdown, (page.answer, page.summary, page.caveat)))
        print(*said, sep="\n\n", end="\n\n")
        print_sections(page.sections, plain=text)
    if out is not None:
        try:
            write(to_html(page), out)
        except OSError as error:
            raise UsageError(f"{out}: cannot be written: {error.strerror}") from error
        print(f"report   {out}", file=sys.stderr)
