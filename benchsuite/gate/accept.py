"""Which changes of exact numbers are regressions, and which somebody has accepted by name. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchsuite.errors import UsageError, did_you_mean
from benchsuite.findings.count_changes import GROUPS, Change
from benchsuite.gate.result import GateCell
from benchsuite.scenario.gate_settings import ExactPolicy


@dataclass(frozen=True, slots=True)
class Accepted:
    """What `--accept` names: a metric everywhere, or in one cell.

    Attributes:
        metric: "macs", "other_ops.softmax", or "other_ops" for all of its kind.
        cell: id, name or label; empty for every cell.
        ids: of the cells whose label it is.
    """

    metric: str
    cell: str = ""
    ids: tuple[str, ...] = ()

    def covers(self, change: Change) -> bool:
        """Whether this change is meant."""
        group = change.metric.partition(".")[0]
        here = self.cell in ("", change.cell.id, change.cell.name) or change.cell.id in self.ids
        return here and self.metric in (change.metric, group)

    def __str__(self) -> str:
        return f"{self.cell}:{self.metric}" if self.cell else self.metric


def parse_accepted(texts: Iterable[str]) -> tuple[Accepted, ...]:
    """The changes that "macs" or "CELL:macs" name; CELL is an id or a label, and may hold colons itself.

    Raises:
        UsageError: there is no such metric.
    """
    accepted = []
    for text in texts:
        cell, _, metric = text.rpartition(":")
        group = metric.partition(".")[0]
        if group not in GROUPS:
            hint = did_you_mean(group, GROUPS)
            raise UsageError(
                f'--accept {text}: no exact number is called "{metric}"{hint}\n'
                f"  allowed: {', '.join(GROUPS)}, alone or after CELL:"
            )
        accepted.append(Accepted(metric, cell))
    return tuple(accepted)


def by_label(accepted: Iterable[Accepted], names: Mapping[str, str]) -> tuple[Accepted, ...]:
    """What is accepted, where it names cells by their labels; `names` is cell id → label."""
    return tuple(
        replace(one, ids=(*one.ids, *(key for key, name in names.items() if name == one.cell)))
        for one in accepted
    )


def accepted_of(changes: Iterable[Change], accepted: Sequence[Accepted]) -> tuple[Change, ...]:
    """Those of the changes that somebody has accepted."""
    return tuple(change for change in changes if any(one.covers(change) for one in accepted))


def regressions(
    changes: Iterable[Change], policy: ExactPolicy, accepted: Sequence[Accepted] = ()
) -> tuple[Change, ...]:
    """The changes that fail a gate: those that the policy counts and nobody has accepted.

    "increase" counts a number that became larger: every one of them is a cost. "any" also counts one that
    became smaller, so that a baseline is never better than what it stands for.
    """
    if policy == "ignore":
        return ()
    return tuple(
        change
        for change in changes
        if (policy == "any" or change.new > change.old) and not any(one.covers(change) for one in accepted)
    )


def unused(changes: Sequence[Change], accepted: Iterable[Accepted]) -> tuple[Accepted, ...]:
    """What was accepted and is no change at all, so that it can be taken away again."""
    return tuple(one for one in accepted if not any(one.covers(change) for change in changes))


def notes_on_unused(cells: Iterable[GateCell], accepted: Iterable[Accepted]) -> tuple[str, ...]:
    """Notes on what was accepted and is no change of any of these cells."""
    changes = [change for cell in cells for change in cell.changes]
    return tuple(f"--accept {one}: nothing of it changed" for one in unused(changes, accepted))
