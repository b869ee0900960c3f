"""What was done so that the numbers can be trusted, and what makes some of them suspicious, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchsuite.analyse.flags import FLAGS
from benchsuite.report.words import counted, joined, some, tiny
from benchsuite.results.record import Record
from benchsuite.units import si


def rounds(records: Sequence[Record]) -> str | None:
    """How often cells took turns, and in how many processes; None where none did."""
    timings = [record.timing for record in records if record.timing and record.timing.rounds]
    if not timings:
        return None
    often = joined([str(number) for number in sorted({len(timing.rounds) for timing in timings})], "or")
    fresh = any(timing.usage for timing in timings)
    return (
        f"{counted(len(timings), 'cell')} took turns with the others of the same size and setting, in "
        f"{often} rounds, {'each in a fresh process, ' if fresh else ''}so that drift of the machine falls "
        "on all alike."
    )


def comparison(records: Sequence[Record]) -> str | None:
    """What comparing outputs with a reference brought; None where none was compared."""
    checks = [(record, record.check) for record in records if record.check is not None]
    if not checks:
        return None
    compared = [(record, check) for record, check in checks if check.error is not None]
    text = ""
    if compared:
        worst, check = max(compared, key=lambda pair: (pair[1].error or 0.0) / pair[1].tolerance)
        text = (
            f"{counted(len(compared), 'cell')} computed the same as {check.reference} on the same weights "
            f"and input before being timed; the nearest to its limit was {worst.cell.name} with "
            f"{worst.cell.kernel} {worst.cell.dtype}: {tiny(check.error or 0.0)} of the norm, of "
            f"{tiny(check.tolerance)} allowed."
        )
    without = dict.fromkeys(check.reason for _, check in checks if check.error is None)
    count = len(checks) - len(compared)
    if count:
        text += f" {counted(count, 'cell')} could not be compared: {some(list(without))}."
    return text.strip()


def compilation(records: Sequence[Record]) -> str | None:
    """What torch.compile did; None where nothing was compiled."""
    found = [record.compilation for record in records if record.compilation is not None]
    if not found:
        return None
    seconds = [one.seconds for one in found]
    breaks = sum(one.graph_breaks for one in found)
    again = sum(one.recompiles for one in found)
    return (
        f"{counted(len(found), 'cell')} compiled in {si(min(seconds), 's')} to {si(max(seconds), 's')}, "
        f"outside the timed region, with {counted(breaks, 'graph break')} and "
        f"{counted(again, 'recompilation')} in all."
    )


def flagged(records: Sequence[Record]) -> Iterator[str]:
    """A sentence for every flag that some cell has, in the order of `FLAGS`."""
    for word, meaning in FLAGS.items():
        names = [record.cell.name for record in records if word in record.flags]
        if names:
            who = some(list(dict.fromkeys(names)))
            yield f"{word.replace('_', ' ')} ({counted(len(names), 'cell')}: {who}). {meaning}"
