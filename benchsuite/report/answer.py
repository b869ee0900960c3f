"""The answer of a page: a headline and a few sentences, computed from the cells, on the scenario's question.

Who is fastest where and by how much, whether fewest MACs meant fastest, what a fused kernel changed; of a run
that varies a parameter or the protocol, what that changes. Memory and growth are told where the question has
the words. `ranking` decides who is faster; what is undecided is said to be so. Caveats come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchsuite.format import capitalised, counted, joined, sentence, some
from benchsuite.labels import noun
from benchsuite.report.answer_costs import costs, growth
from benchsuite.report.answer_headline import headline
from benchsuite.report.answer_macs import fewest, predicted
from benchsuite.report.answer_over_axis import of_parameter, of_protocols
from benchsuite.report.answer_speed import are_listed, changed, clauses, fastest, variants
from benchsuite.report.cells import Cells
from benchsuite.report.ranking import Order, Ranking, rankings, speed
from benchsuite.report.reported_cells import ReportedCell, names_of
from benchsuite.report.words import STATUS_WORDS, pixels
from benchsuite.results.record import STATUSES
from benchsuite.scenario.titles import fitted


def answer(cells: Cells) -> list[str]:
    """Headline and sentences about a run; the headline is missing where nothing can be compared.

    They are about its protocols if it compares them, a parameter if it varies one, else its largest group.
    """
    if not cells.reported:
        return ["The run holds no records."]
    machines = {cell.settings["machine"] for cell in cells.reported}
    if len(machines) > 1:
        return _on_one_machine(cells)
    question = asked(cells)
    if found := of_protocols(cells) or of_parameter(cells, question):
        return found
    own = main_group(cells)
    whole = [ranking for ranking in rankings(own, cells.order) if ranking.finished]
    first = headline(whole, cells.named_reference, question)
    texts = of_group(own, cells.order, cells.named_reference, question)
    return [first, *texts] if first else texts


def asked(cells: Cells) -> str:
    """The scenario's question with the numbers of its sweep; empty where it has none."""
    scenario = cells.run.scenario
    return fitted(str(scenario.get("question") or ""), scenario)


def _on_one_machine(cells: Cells) -> list[str]:
    """The answer of the machine that most cells were timed on, which it names."""
    name = main_group(cells)[0].settings["machine"]
    reported = tuple(cell for cell in cells.reported if cell.settings["machine"] == name)
    groups = tuple(group for group in cells.groups if group.cells[0].settings["machine"] == name)
    own = answer(replace(cells, reported=reported, groups=groups))
    return [*own, f"This is of {name}; the other machines stand under More figures."]


def main_group(cells: Cells) -> Sequence[ReportedCell]:
    """The cells of the group in which most were timed; of several such, the first."""
    return max(cells.groups, key=lambda group: sum(p.throughput.known for p in group.cells)).cells


def of_group(
    cells: Sequence[ReportedCell], order: Order, reference: str | None = None, question: str = ""
) -> list[str]:
    """The sentences about comparable cells.

    Args:
        question: in its words "memory" and "grow" it asks for more than speed and MACs.
    """
    fields = rankings(cells, order)
    whole = [ranking for ranking in fields if ranking.finished]
    texts = [] if fields else [_alone(cells)]
    if whole:
        own = [ranking for ranking in whole if ranking.kernel == whole[0].kernel]
        fused = [ranking for ranking in whole if ranking.kernel != whole[0].kernel]
        memory, grows = "memory" in question, "grow" in question
        changes = changed(own, fused, reference)
        cost = costs(own, reference) if memory and not grows else ""
        first, *rest = [
            text
            for text in (
                growth(own, reference, memory=memory) if grows else "",
                "" if are_listed(own, reference) else variants(own, reference),
                fastest(own, reference),
                "" if are_listed(own, reference) else _with_macs(own),
                cost,
                (predicted(own) if cost else "") or fewest(own),
                changes,
            )
            if text
        ]
        apart = changes.startswith("With")
        texts = [f"With the {own[0].kernel} kernel, {first}" if apart else first, *rest]
    return [capitalised(text) for text in (*texts, _unfinished(fields)) if text]


def _with_macs(fields: Sequence[Ranking]) -> str:
    """Sentence on the fastest of those that need MACs, where those that need none are the fastest."""
    own = busy(fields)
    if not own:
        return ""
    called = noun(cell.subject for one in own for cell in one.cells).plural
    idle = names_of(cell for one in fields for cell in one.leaders if cell.exact and cell.macs == 0)
    verb = "needs" if len(idle) == 1 else "need"
    return sentence(
        f"{joined(idle)} {verb} no MACs; of the {called} with MACs, {'; '.join(clauses(own, None))}"
    )


def busy(fields: Sequence[Ranking]) -> list[Ranking]:
    """The rankings that those without MACs lead, without these."""
    led = [one for one in fields if all(cell.exact and cell.macs == 0 for cell in one.leaders)]
    own = [replace(one, cells=tuple(p for p in one.cells if p.macs or not p.exact)) for one in led]
    return [one for one in own if len(one.cells) > 1]


def _alone(cells: Sequence[ReportedCell]) -> str:
    """A run with nothing to compare."""
    timed = [cell for cell in cells if cell.throughput.known]
    called = noun(cell.subject for cell in cells)
    if not timed:
        return failures(cells) or "Nothing was timed."
    if len(names_of(timed)) > 1:
        return f"No two {called.plural} were timed in the same setting, so there is nothing to compare."
    return (
        f"A single {called.single} was measured, so there is nothing to compare: {timed[0].name} reaches "
        f"{speed(timed[0])} at {pixels(timed[0].resolution)}."
    )


def failures(cells: Sequence[ReportedCell]) -> str:
    """Cells without a number, by status, as a sentence; empty if there are none."""
    failed = [cell for cell in cells if cell.status != "ok"]
    kinds = [
        f"{len(these)} {STATUS_WORDS[status]} ({some(names_of(these))})"
        for status in STATUSES
        if (these := [cell for cell in failed if cell.status == status])
    ]
    return f"{len(failed)} of {counted(len(cells), 'cell')} gave no number: {joined(kinds)}." if kinds else ""


def _unfinished(fields: Sequence[Ranking]) -> str:
    left = [ranking.setting for ranking in fields if not ranking.finished]
    return f"No winner is named at {some(left)}: cells of the same setting are not measured." if left else ""


def deciding(cells: Sequence[ReportedCell], order: Order) -> list[ReportedCell]:
    """The cells that the answer rests on: leaders and runners-up."""
    found: dict[str, ReportedCell] = {}
    fields = rankings(cells, order)
    for ranking in (*fields, *busy(fields)):
        found |= {cell.id: cell for cell in (*ranking.leaders, ranking.cells[1])}
    return list(found.values())
