"""Comparison of several runs in sentences and tables: differences, order of mixers, relative speed."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.report.across import Across, Entry, Reversal
from benchsuite.report.differences import COMPARABLE, table_of
from benchsuite.report.order import doubt
from benchsuite.report.points import MISSING, Value, stated
from benchsuite.report.prose import Section, present
from benchsuite.report.tables import Header, Row, Table, TableCell
from benchsuite.report.words import STATUS_WORDS, counted, joined, scale_of, some, spread


def sections(found: Across) -> list[Section]:
    """What is to be said of these runs, doubts first."""
    return list(present(_runs(found), _order(found), _relative(found), _times(found)))


def relative_sections(found: Across) -> list[Section]:
    """Order and speed by a reference only, for a page that says already what differs."""
    return list(present(_order(found), _relative(found)))


def _runs(found: Across) -> Section:
    heads = tuple(
        Header(text) for text in ("Run", "Folder", "Machine", "PyTorch", "Commit", "Date", "Comparable")
    )
    rows = tuple(
        Row(
            tuple(
                TableCell(text)
                for text in (
                    side.letter,
                    side.name,
                    side.machine,
                    side.torch or "–",
                    side.commit or "–",
                    side.date or "–",
                    "–" if side is found.sides[0] else COMPARABLE[side.level],
                )
            )
        )
        for side in found.sides
    )
    tables = [Table("The runs; the tables below name them by letter.", heads, rows)]
    differences = table_of(
        "Differences from run A, the most serious first.",
        [side.letter for side in found.sides],
        {side.letter: side.findings for side in found.sides},
    )
    if differences:
        tables.append(differences)
    return Section("comparable", "Comparability", tuple(_comparable(found)), tuple(tables))


def _comparable(found: Across) -> list[str]:
    said = []
    for level, text in (
        ("refuse", "Times of {runs} are not comparable with those of A: they differ in {what}."),
        ("warn", "Time differences of {runs} to A may have other causes than the code: {what}."),
    ):
        sides = [side for side in found.sides if side.level == level]
        if sides:
            labels = [one.label for side in sides for one in side.findings if one.level == level]
            letters = joined([side.letter for side in sides])
            said.append(text.format(runs=letters, what=some(list(dict.fromkeys(labels)))))
    if not said:
        said.append(
            "The runs differ in nothing that usually changes times."
            if found.level
            else "Machines, software and settings are the same in all runs."
        )
    alone = [f"{counted(n, 'cell')} of {letter}" for letter, n in found.alone.items() if n]
    if not found.entries:
        said.append("No cell occurs in two of the runs: all settings but device and threads must agree.")
    elif alone:
        verb = "is" if len(alone) == 1 and alone[0].startswith("1 ") else "are"
        said.append(f"{joined(alone)} {verb} in no other run, and left out here.")
    return [*said, *found.warnings]


def _order(found: Across) -> Section | None:
    if len({entry.name for entry in found.entries}) < 2:
        return None
    if not found.ordered:
        said = "No two mixers differ significantly in two of the runs, so their order cannot be compared."
        return Section("order", "The order of the mixers", (said,))
    same = found.ordered - len(found.reversals)
    pairs = f"{counted(found.ordered, 'pair')} of mixers that differ significantly in two runs"
    if not found.reversals:
        said = f"The order is the same in all {pairs}."
        return Section("order", "The order of the mixers", (said,))
    sentences = [f"Of {pairs}, {same} have the same order and {len(found.reversals)} do not."]
    merged = _merged(found.reversals)
    sentences += [_reversed(key, settings) for key, settings in merged[:6]]
    if len(merged) <= 6:
        return Section("order", "The order of the mixers", tuple(sentences))
    heads = (Header("Mixers"), Header("First is faster on"), Header("Slower on"), Header("Settings"))
    rows = tuple(
        Row(
            (
                TableCell(f"{first}, {second}"),
                TableCell(joined(faster)),
                TableCell(joined(slower)),
                TableCell("; ".join(settings)),
            )
        )
        for (first, second, faster, slower), settings in merged
    )
    table = Table("All pairs whose order differs significantly.", heads, rows, True)
    return Section("order", "The order of the mixers", tuple(sentences), (table,))


_Pair = tuple[str, str, tuple[str, ...], tuple[str, ...]]


def _merged(reversals: Sequence[Reversal]) -> list[tuple[_Pair, list[str]]]:
    """Reversals that say the same in several settings, those of the most settings first."""
    found: dict[_Pair, list[str]] = {}
    for one in reversals:
        found.setdefault((one.first, one.second, one.faster, one.slower), []).append(one.setting)
    return sorted(found.items(), key=lambda item: -len(item[1]))


def _reversed(pair: _Pair, settings: Sequence[str]) -> str:
    first, second, faster, slower = pair
    listed = "; ".join(settings[:3]) + (f"; {len(settings) - 3} more" if len(settings) > 3 else "")
    where = settings[0] if len(settings) == 1 else f"{len(settings)} settings ({listed})"
    return f"{first} is faster than {second} on {joined(faster)} and slower on {joined(slower)}: {where}."


def _relative(found: Across) -> Section | None:
    title = "Speed relative to a reference mixer"
    if len({entry.name for entry in found.entries}) < 2:
        return None
    if found.reference is None:
        said = "The runs have no timed mixer in common, so speeds have no common reference."
        return Section("relative", title, (said,))
    said = (
        f"Throughput as a multiple of that of {found.reference} in the same run and setting; above 1 is "
        "faster. Machines can be compared by these ratios, where their seconds cannot."
    )
    wish = (
        f"The scenario's reference, {found.wanted}, was not timed in all runs; {found.reference} is the "
        "first that was."
        if found.wanted
        else ""
    )
    letters = [side.letter for side in found.sides]
    rows = []
    for entry in found.entries:
        values = [entry.relative.get(letter, MISSING) for letter in letters]
        if entry.name != found.reference and any(value.known for value in values):
            told = TableCell(_told(entry))
            rows.append(Row((TableCell(entry.words), *map(_ratio, values), told)))
    if not rows:
        return Section("relative", title, (said, "No other cell was timed with it."))
    heads = (
        Header("Cell"),
        *(Header(letter, numeric=True) for letter in letters),
        Header("Compared with A"),
    )
    caption = f"Throughput over that of {found.reference}, paired by round." + stated(
        " Brackets: 95 % confidence intervals.",
        (value for entry in found.entries for value in entry.relative.values()),
    )
    sentences = tuple(text for text in (said, wish) if text)
    return Section("relative", title, sentences, (Table(caption, heads, tuple(rows), True),))


def _ratio(value: Value) -> TableCell:
    return TableCell(spread(value.value, value.lo, value.hi), value.value if value.known else None)


def _told(entry: Entry) -> str:
    """ "B higher, C undecided (the rounds disagree)"; nothing for runs that lack one of the two multiples."""
    said = []
    for side, word in (
        ("above", "higher"),
        ("below", "lower"),
        ("same", "no different"),
        ("undecided", "undecided"),
    ):
        letters = [letter for letter, found in entry.beside_a.items() if found.side == side]
        if letters:
            why = doubt(found for found in entry.beside_a.values()) if side == "undecided" else ""
            said.append(f"{joined(letters)} {word}{f' ({why})' if why else ''}")
    return ", ".join(said)


def _times(found: Across) -> Section | None:
    letters = [side.letter for side in found.sides]
    shown = [entry for entry in found.entries if any(p.latency.known for p in entry.points.values())]
    if not shown:
        return None
    factor, unit = scale_of((p.latency.value for e in shown for p in e.points.values()), "s")
    heads = (Header("Cell"), *(Header(f"{letter} ({unit})", numeric=True) for letter in letters))
    rows = []
    for entry in shown:
        cells = []
        for letter in letters:
            point = entry.points.get(letter)
            if point is None:
                cells.append(TableCell("–"))
            elif not point.latency.known:
                cells.append(TableCell(STATUS_WORDS[point.status]))
            else:
                value = point.latency
                cells.append(TableCell(spread(value.value, value.lo, value.hi, factor), value.value))
        rows.append(Row((TableCell(entry.words), *cells)))
    caption = "Latency per step." + stated(
        " Brackets: 95 % confidence intervals.",
        (point.latency for entry in shown for point in entry.points.values()),
    )
    return Section("times", "Times", (), (Table(caption, heads, tuple(rows), True),))
