"""A table of the page as text for elsewhere: Markdown for GitHub, LaTeX for a paper."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.report.tables import Header, Row, Table
from benchsuite.text import in_markdown

_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "×": r"$\times$", "≥": r"$\geq$",
    "µ": r"$\mu$", "α": r"$\alpha$", "−": "$-$",
})  # fmt: skip
_BETTER = {"lower": r" $\downarrow$", "higher": r" $\uparrow$", "": ""}


def to_markdown(table: Table) -> str:
    """The table as GitHub reads it."""
    lines = [
        [in_markdown(header.text) for header in table.headers],
        ["---:" if header.numeric else "---" for header in table.headers],
        *([in_markdown(cell.text) for cell in row.cells] for row in table.rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_latex(table: Table) -> str:
    """The table with booktabs: in columns where one way is better the best is bold, the second underlined."""
    ranks = [_ranked(header, table.rows, i) for i, header in enumerate(table.headers)]
    rows = [
        [_told(cell.text, ranks[i].get(number, "")) for i, cell in enumerate(row.cells)]
        for number, row in enumerate(table.rows)
    ]
    heads = [f"{header.text.translate(_LATEX)}{_BETTER[header.better]}" for header in table.headers]
    body = "".join(f"    {' & '.join(row)} \\\\\n" for row in rows)
    return (
        f"% {' '.join(table.caption.split())}\n"
        "\\begin{tabular}{" + "".join("r" if header.numeric else "l" for header in table.headers) + "}\n"
        f"    \\toprule\n    {' & '.join(heads)} \\\\\n    \\midrule\n"
        f"{body}    \\bottomrule\n\\end{{tabular}}\n"
    )


def _ranked(header: Header, rows: Sequence[Row], column: int) -> dict[int, str]:
    """Row → the command for it: equal values share theirs."""
    known = {
        number: float(sort)
        for number, row in enumerate(rows)
        if isinstance(sort := row.cells[column].sort, int | float)
    }
    best = sorted(set(known.values()), reverse=header.better == "higher")
    if not header.better or len(best) < 2:
        return {}
    return {
        number: "textbf" if value == best[0] else "underline"
        for number, value in known.items()
        if value in best[:2]
    }


def _told(text: str, command: str) -> str:
    plain = text.translate(_LATEX)
    return f"\\{command}{{{plain}}}" if command else plain
