"""Labels of cells, verdicts, ratios, exact numbers and columns, which all formats of a gate share."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchsuite.findings.count_changes import Change
from benchsuite.format import counted, scale_of, si, significant
from benchsuite.gate.result import CELL_VERDICTS, COUNTED, CellVerdict, GateCell, GateResult
from benchsuite.labels import cell_names
from benchsuite.report.tables import Tone
from benchsuite.results.cell import Cell
from benchsuite.text import in_xml

VERDICT_WORDS: Mapping[CellVerdict, str] = {
    "slower": "slower",
    "larger": "counts rose",
    "smaller": "counts fell",
    "broken": "fails now",
    "no longer counted": "no longer counted",
    "removed": "removed",
    "new": "new",
    "failed": "not measured",
    "inconclusive": "inconclusive",
    "faster": "faster",
    "same": "unchanged",
    "not flagged": "not flagged",
    "not counted": "not counted",
    "neither measured": "not measured on either side",
    "equal": "counts equal",
}
_OF_CELLS: Mapping[CellVerdict, str] = {
    **VERDICT_WORDS,
    "larger": "with higher counts",
    "smaller": "with lower counts",
    "broken": "failing now",
    "equal": "with equal counts",
}
"""Verdicts as they stand after a number of cells."""
_CALM: tuple[CellVerdict, ...] = (
    "inconclusive", "same", "not flagged", "not counted", "neither measured", "equal",
)  # fmt: skip
"""Verdicts on which nobody acts."""
UNCOMPARED: tuple[CellVerdict, ...] = ("no longer counted", "failed")
"""Verdicts of cells that may have regressed, which nobody can tell."""
_OF_THE_FILE: tuple[CellVerdict, ...] = ("removed", "new", "broken", "failed", "no longer counted")
"""Verdicts of cells that a baseline takes over with `--cells`, and not by the name of a number."""
NO_CELLS = "no cell was compared, which is no pass"
_SHOWN = 3
"""Changes or cells that a line names; it says how many more there are."""


def one_line(text: str) -> str:
    """The text on one line, clean."""
    return " ".join(in_xml(text).split())


def labels(result: GateResult) -> dict[str, str]:
    """Cell id → mixer and setting: "HiLo, 448 px, sdpa"."""
    return labels_of({cell.id: cell.cell for cell in result.cells})


def labels_of(cells: Mapping[str, Cell]) -> dict[str, str]:
    """Id → label of each of these cells; with the id where two would have one label."""
    names = {id: one_line(name) for id, name in cell_names(list(cells.values())).items()}
    shared = Counter(names[cell.id] for cell in cells.values())
    return {
        key: name if shared[name := names[cell.id]] == 1 else f"{name} ({one_line(key)})"
        for key, cell in cells.items()
    }


def ordered(result: GateResult) -> list[GateCell]:
    """Regressions, improvements, the others, the worst first; of one verdict, the largest change first."""

    def key(cell: GateCell) -> tuple[bool, bool, int, float]:
        size = abs(math.log(cell.decision.ratio)) if cell.decision else math.nan
        regressed, faster = cell.verdict in result.failing, cell.verdict == "faster"
        return (
            not regressed,
            not faster,
            CELL_VERDICTS.index(cell.verdict),
            0.0 if math.isnan(size) else -size,
        )

    return sorted(result.cells, key=key)


def notable(cell: GateCell) -> bool:
    """Whether a reader acts on it: it regressed, improved, has changed numbers, or was not compared."""
    return cell.verdict not in _CALM or bool(cell.changes)


def counts(cells: Iterable[GateCell]) -> str:
    """ "1 slower, 30 unchanged", the worst first."""
    number = Counter(cell.verdict for cell in cells)
    return ", ".join(
        f"{number[verdict]} {_OF_CELLS[verdict]}" for verdict in CELL_VERDICTS if number[verdict]
    )


def ratio_words(cell: GateCell) -> str:
    """ "1.052 [1.031, 1.073]", candidate over base; empty if no times were compared."""
    decision = cell.decision
    if decision is None or math.isnan(decision.ratio):
        return ""
    if math.isnan(decision.lo):
        return f"{decision.ratio:.3f}"
    return f"{decision.ratio:.3f} [{decision.lo:.3f}, {decision.hi:.3f}]"


def change_words(changes: Sequence[Change], shown: int = _SHOWN) -> str:
    """ "macs 1,000 → 1,200 (+20 %)", the first few."""
    words = [_change(change) for change in changes[:shown]]
    more = len(changes) - shown
    return "; ".join([*words, *([f"{more} more"] if more > 0 else [])])


def why(cell: GateCell) -> str:
    """In a line, why the cell has its verdict, times aside."""
    changed = change_words([change for change in cell.changes if change not in cell.accepted])
    accepted = f"accepted: {change_words(cell.accepted)}" if cell.accepted else ""
    limit = ""
    if cell.decision is not None and cell.verdict in ("slower", "faster", "inconclusive"):
        limit = f"limit {100 * cell.decision.delta:.3g} %"
    alone = cell.base_s is None and cell.candidate_s is not None and "macs" in cell.counts
    macs = f"{cell.counts['macs']:,} MACs" if alone else ""
    return "; ".join(filter(None, (limit, changed, one_line(cell.reason), macs, accepted)))


def detail(cell: GateCell) -> str:
    """In a line, why the cell has its verdict: "10 ms → 12 ms, ratio 1.200 [1.100, 1.300]; limit 2 %"."""
    times = ""
    if cell.verdict in ("slower", "faster") and cell.base_s is not None and cell.candidate_s is not None:
        times = f"{si(cell.base_s, 's')} → {si(cell.candidate_s, 's')}, ratio {ratio_words(cell)}"
    return "; ".join(filter(None, (times, why(cell))))


@dataclass(frozen=True, slots=True)
class GateColumn:
    """A column of a table; `values` holds a number to sort by, or None, for each cell id that has one."""

    head: str
    texts: dict[str, str]
    numeric: bool = False
    values: dict[str, float] | None = None


def columns(result: GateResult) -> list[GateColumn]:
    """Label, verdict, times of both sides in one unit, ratio, and why; no times where none were compared."""
    cells = result.cells
    labelled = [
        GateColumn("cell", labels(result)),
        GateColumn("verdict", {c.id: VERDICT_WORDS[c.verdict] for c in cells}),
    ]
    if any(cell.base_s is not None or cell.candidate_s is not None for cell in cells):
        labelled += _times(cells)
    return [*labelled, GateColumn("why", {cell.id: why(cell) for cell in cells})]


def headline(result: GateResult) -> str:
    """What the gate came to, in a few sentences; a refusal or an empty gate never reads as a pass."""
    return " ".join(outcome(result))


def outcome(result: GateResult) -> list[str]:
    """The sentences of the headline: whether cells fail the gate and which, then what else was found."""
    if result.refused:
        return [f"Not comparable: {one_line(result.refused)}"]
    if result.unmeasured:
        return [f"Not measured: {one_line(result.unmeasured)}"]
    if not result.cells:
        return [f"Nothing compared: {NO_CELLS}"]
    failing, unknown = result.of(*result.failing), result.of(*UNCOMPARED)
    others = [cell for cell in result.cells if cell.verdict not in (*result.failing, *UNCOMPARED)]
    told = counts(others)
    if failing:
        share = f"{len(failing)} of {counted(len(result.cells), 'cell')} regressed"
        found = [f"FAIL: {share}.", f"{counts(failing)} ({_names(result)})."]
    else:
        found = [f"No regression found: {told}." if others else "No regression found."]
    if unknown:
        found.append(f"{counted(len(unknown), 'cell')} could not be compared: {counts(unknown)}.")
    if failing and others:
        found.append(f"Others: {told}.")
    if result.unread:
        found.append(f"Lines that are no records: {len(result.unread)}; {one_line(result.unread[0])}")
    return found


def _names(result: GateResult) -> str:
    """Labels of the first few cells that fail the gate, the worst first."""
    named = labels(result)
    names = [named[cell.id] for cell in ordered(result) if cell.verdict in result.failing]
    more = len(names) - _SHOWN
    return "; ".join([*names[:_SHOWN], *([f"{more} more"] if more > 0 else [])])


def tone(result: GateResult) -> Tone:
    """The outcome in a colour; "open" where nothing regressed and not all could be told."""
    if result.refused or result.of(*result.failing) or not result.cells:
        return "bad"
    return "open" if result.strict_exit_code else "good"


def provenance(result: GateResult) -> list[tuple[str, str]]:
    """Terms of the gate and what is said of them: base, candidate, machine, rule."""
    known = {"Base": result.base, "Candidate": result.candidate, "Machine": result.machine}
    if result.rule is not None and not result.refused:
        known["Rule"] = (
            f"slower, if the {100 * result.rule.confidence:g} % confidence interval of the ratio is above "
            f"{1 + result.rule.delta:g}, or above the cell's own noise if that is larger"
        )
    if result.of(*COUNTED) and not result.refused:
        known["Counts"] = "have no noise: any change fails the gate until it is accepted by name"
    return [(term, one_line(text)) for term, text in known.items() if text]


def notes(result: GateResult) -> list[str]:
    """Differences of the machines and remarks, at most 20 of each, then how many are slower by chance."""
    differences = [
        f"{one.level}: {one.label}: {one.old} → {one.new} ({one.why})" for one in result.differences[:20]
    ]
    return [one_line(text) for text in (*differences, *result.notes[:20], _chance(result)) if text]


def how_to_accept(result: GateResult, only: GateCell | None = None) -> str:
    """One command that accepts what changed, by the cells' labels, in lines; empty if there is nothing.

    Args:
        only: the cell that is spoken of; None for all of them.
    """
    cells = result.cells if only is None else (only,)
    label = labels(result)
    names = [
        f"{label[cell.id]}:{change.metric}"
        for cell in cells
        if cell.verdict in COUNTED
        for change in cell.changes
        if change not in cell.accepted
    ]
    lines = []
    if names:
        also = " and commit the file" if result.accept else ""
        before = "" if result.accept else "--accept "
        words = [result.accept or "benchsuite gate …", *(before + shlex.quote(name) for name in names[:10])]
        lines = [f"If these changes are meant, accept them by name{also}:", f"  {' '.join(words)}"]
        if len(names) > 10:
            lines.append(f"  and {len(names) - 10} more; a metric alone, as `macs`, accepts it in every cell")
    if result.accept and (others := [cell for cell in cells if cell.verdict in _OF_THE_FILE]):
        came = counted(len(others), "cell came or went or changed its", "cells came or went or changed their")
        lines += [f"{came} status; if that is meant:", f"  {result.accept} --cells"]
    return "\n".join(in_xml(line) for line in lines)


def _chance(result: GateResult) -> str:
    """How often an interval errs; empty where none decided."""
    if not result.tested:
        return ""
    were = "was" if result.tested == 1 else "were"
    return f"{counted(result.tested, 'cell')} {were} decided by an interval. {chance_words(result)}"


def chance_words(result: GateResult) -> str:
    """Sentence on how often a cell that did not change is called slower, where cells were tested."""
    share = 100 * result.by_chance / result.tested
    return f"At most {share:.2g} % of such decisions wrongly call an unchanged cell slower."


def _change(change: Change) -> str:
    share = f" ({100 * (change.new / change.old - 1):+.3g} %)" if change.old else ""
    note = f" [{one_line(change.note)}]" if change.note else ""
    return f"{one_line(change.metric)} {change.old:,} → {change.new:,}{share}{note}"


def _times(cells: tuple[GateCell, ...]) -> list[GateColumn]:
    sides = {
        "base": {cell.id: cell.base_s for cell in cells if cell.base_s is not None},
        "candidate": {cell.id: cell.candidate_s for cell in cells if cell.candidate_s is not None},
    }
    factor, unit = scale_of((time for side in sides.values() for time in side.values()), "s")
    return [
        *(
            GateColumn(
                f"{side} ({unit})", {id: significant(s / factor, 4) for id, s in times.items()}, True, times
            )
            for side, times in sides.items()
        ),
        GateColumn(
            "ratio",
            {cell.id: ratio_words(cell) for cell in cells},
            True,
            {cell.id: cell.decision.ratio for cell in cells if cell.decision and ratio_words(cell)},
        ),
    ]
