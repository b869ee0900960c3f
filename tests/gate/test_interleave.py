"""The order of a gate's processes, on a measurer that measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchsuite.gate.interleave import ProcessRun, interleaved
from benchsuite.gate.verdicts import ProcessPair, Records, judge_pairs
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record
from benchsuite.scenario.gate_settings import Gate
from tests.builders import make_cell, make_record

A, B, C = (make_cell(name=name) for name in "ABC")
CELLS = (A, B, C)
RULE = Gate(screen=3, pairs=4, delta=0.02)

Answer = Callable[[ProcessRun, Cell], Record]


@dataclass
class Scripted:
    """Answers every process by a script, and remembers what happened."""

    answer: Answer
    turns: list[ProcessRun] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def __call__(self, process: ProcessRun) -> Records:
        self.turns.append(process)
        records = [self.answer(process, cell) for cell in process.cells]
        return {record.id: record for record in records}

    def begins(self, process: ProcessRun) -> None:
        self.log.append(f"begin {process.name}")

    def ends(self, process: ProcessRun) -> None:
        self.log.append(f"end {process.name}")

    def flagged(self, cells: Sequence[Cell], of: int) -> None:
        self.log.append(f"flagged {''.join(cell.name for cell in cells)} of {of}")


def timed(ratio_of_b: float = 1.0) -> Answer:
    """10 ms, but of B on the candidate so many times as much."""

    def answer(process: ProcessRun, cell: Cell) -> Record:
        slow = ratio_of_b if (cell, process.side) == (B, "candidate") else 1.0
        return make_record(cell, (0.010 * slow,))

    return answer


def run(answer: Answer, rule: Gate = RULE, seed: int = 0) -> tuple[Scripted, list[ProcessPair]]:
    script = Scripted(answer)
    return script, interleaved({"base": CELLS, "candidate": CELLS}, rule, script, script, seed=seed)


def test_sides_take_turns_and_the_one_that_goes_first_alternates() -> None:
    for seed in range(8):
        script, _ = run(timed(), seed=seed)
        sides = [process.side[0] for process in script.turns]
        assert "".join(sides) in ("bccbbc", "cbbccb")
    firsts = {run(timed(), seed=seed)[0].turns[0].side for seed in range(8)}
    assert firsts == {"base", "candidate"}


def test_both_sides_of_a_pair_have_the_same_cells_and_seed_and_other_pairs_another_seed() -> None:
    script, _ = run(timed())
    for first, second in zip(script.turns[::2], script.turns[1::2], strict=True):
        assert (first.seed, first.cells, first.pair) == (second.seed, second.cells, second.pair)
    assert len({process.seed for process in script.turns}) == 3


def test_without_a_flag_the_gate_ends_with_its_screen() -> None:
    script, pairs = run(timed())
    assert (len(script.turns), len(pairs)) == (6, 3)
    assert script.log[-1] == "flagged  of 3"


def test_a_flagged_cell_alone_gets_fresh_pairs() -> None:
    script, pairs = run(timed(1.1))
    assert "flagged B of 3" in script.log
    fresh = [process for process in script.turns if process.fresh]
    assert len(fresh) == 8
    assert all(process.cells == (B,) for process in fresh)
    assert [pair.fresh for pair in pairs] == [False] * 3 + [True] * 4
    verdicts = {cell.cell.name: cell.verdict for cell in judge_pairs(CELLS, pairs, RULE)}
    assert verdicts == {"A": "not flagged", "B": "slower", "C": "not flagged"}


def test_the_noise_of_a_cell_keeps_it_from_being_flagged() -> None:
    script = Scripted(timed(1.1))
    interleaved({"base": CELLS, "candidate": CELLS}, RULE, script, script, noise={B.id: 0.2})
    assert len(script.turns) == 6


def test_without_a_screen_every_cell_gets_all_pairs() -> None:
    script, pairs = run(timed(), Gate(screen=0, pairs=4))
    assert all(process.cells == CELLS for process in script.turns)
    assert len(pairs) == 4
    assert not any(line.startswith("flagged") for line in script.log)


def test_exact_numbers_are_asked_for_once() -> None:
    script, _ = run(timed(1.1))
    assert [process.exact for process in script.turns] == [True, True] + [False] * 12


def test_a_cell_that_fails_twice_is_not_tried_again_and_one_that_fails_once_is() -> None:
    def answer(process: ProcessRun, cell: Cell) -> Record:
        always = cell == A and process.side == "candidate"
        once = cell == B and process.exact and process.side == "base"
        return make_record(cell, status="crash") if always or once else make_record(cell)

    script, pairs = run(answer)
    asked = ["".join(cell.name for cell in process.cells) for process in script.turns[::2]]
    assert asked == ["ABC", "ABC", "BC"]
    verdicts = {cell.cell.name: cell.verdict for cell in judge_pairs(CELLS, pairs, RULE)}
    assert verdicts == {"A": "broken", "B": "not flagged", "C": "not flagged"}


def test_a_cell_of_one_side_is_measured_once() -> None:
    script = Scripted(timed())
    pairs = interleaved({"base": (A, B), "candidate": CELLS}, RULE, script, script)
    asked = {process.name: "".join(cell.name for cell in process.cells) for process in script.turns}
    assert asked["screen-1-base"] == "AB"
    assert asked["screen-1-candidate"] == "ABC"
    assert asked["screen-2-candidate"] == "AB"
    assert [cell.verdict for cell in judge_pairs(CELLS, pairs, RULE)][2] == "new"


def test_an_observer_hears_of_every_process_in_order() -> None:
    script, _ = run(timed(), Gate(screen=1, pairs=3), seed=1)
    first, second = (process.name for process in script.turns)
    assert script.log == [
        f"begin {first}", f"end {first}", f"begin {second}", f"end {second}", "flagged  of 3",
    ]  # fmt: skip
    assert {first, second} == {"screen-1-base", "screen-1-candidate"}
