"""What the formats of a gate's result share: the words of a verdict, of a ratio, and of what was counted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchsuite.analyse.exact import Change
from benchsuite.analyse.gate_result import CELL_VERDICTS, REGRESSIONS, CellVerdict, GateCell, GateResult
from benchsuite.text import in_xml

VERDICT_WORDS: Mapping[CellVerdict, str] = {
    "slower": "slower",
    "larger": "counts changed",
    "smaller": "counts fell",
    "broken": "fails now",
    "no longer counted": "no longer counted",
    "missing": "on one side only",
    "failed": "not measured",
    "inconclusive": "cannot tell",
    "faster": "faster",
    "same": "same",
    "not flagged": "not flagged",
    "not counted": "not counted",
    "equal": "counts equal",
}
NO_CELLS = "no cell was compared, which is no pass"
_SHOWN = 3
"""Changes that a line names; it says how many more there are."""


def one_line(text: str) -> str:
    """The text on one line, clean."""
    return " ".join(in_xml(text).split())


def ordered(cells: Sequence[GateCell]) -> list[GateCell]:
    """The worst first; of one verdict, the slowest first."""

    def key(cell: GateCell) -> tuple[int, float]:
        ratio = cell.decision.ratio if cell.decision else math.nan
        return CELL_VERDICTS.index(cell.verdict), -ratio if not math.isnan(ratio) else 0.0

    return sorted(cells, key=key)


def ratio_words(cell: GateCell) -> str:
    """ "1.052 (1.031 to 1.073)", new over old; empty if no times were compared."""
    decision = cell.decision
    if decision is None or math.isnan(decision.ratio):
        return ""
    if math.isnan(decision.lo):
        return f"{decision.ratio:.3f}"
    return f"{decision.ratio:.3f} ({decision.lo:.3f} to {decision.hi:.3f})"


def change_words(changes: Sequence[Change], shown: int = _SHOWN) -> str:
    """ "macs 1,000 → 1,200 (+20 %)", the first few."""
    words = [_change(change) for change in changes[:shown]]
    more = len(changes) - shown
    return "; ".join([*words, *([f"{more} more"] if more > 0 else [])])


def detail(cell: GateCell) -> str:
    """In a line, why the cell has its verdict."""
    accepted = f"accepted: {change_words(cell.accepted)}" if cell.accepted else ""
    changed = [change for change in cell.changes if change not in cell.accepted]
    decision = cell.decision
    slow = ""
    if decision is not None and cell.verdict in ("slower", "faster"):
        slow = f"{ratio_words(cell)} times the base, limit {100 * decision.delta:.3g} %"
    return "; ".join(filter(None, (slow, change_words(changed), one_line(cell.reason), accepted)))


def headline(result: GateResult) -> str:
    """What the gate came to, in a sentence; a refusal or an empty gate never reads as a pass."""
    if result.refused:
        return f"Not comparable: {one_line(result.refused)}"
    if not result.cells:
        return f"Nothing compared: {NO_CELLS}"
    counts = [f"{len(found)} {VERDICT_WORDS[v]}" for v in CELL_VERDICTS if (found := result.of(v))]
    bad = len(result.of(*REGRESSIONS))
    unmeasured = " Some cells could not be measured." if not bad and result.exit_code else ""
    if result.unread:
        unmeasured += f" Lines that are no records: {len(result.unread)}; {one_line(result.unread[0])}"
    said = f"{bad} of {len(result.cells)} cells regressed" if bad else "No regression found"
    return f"{said}: {', '.join(counts)}.{unmeasured}"


def chance_words(result: GateResult) -> str:
    """How many cells would be called slower by chance; empty where none was tested."""
    if not result.tested:
        return ""
    return (
        f"{result.tested} cells were decided by an interval; at most {result.by_chance:.2g} of them would be "
        "called slower by chance, on average."
    )


def _change(change: Change) -> str:
    share = f" ({100 * (change.new / change.old - 1):+.3g} %)" if change.old else ""
    note = f" [{one_line(change.note)}]" if change.note else ""
    return f"{one_line(change.metric)} {change.old:,} → {change.new:,}{share}{note}"
