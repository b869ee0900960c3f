"""`benchsuite export` to Markdown and LaTeX: one table of one run or several, to be pasted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchsuite.errors import UsageError
from benchsuite.report.exported import exported
from benchsuite.report.tables import Table, to_latex, to_markdown
from benchsuite.results.record import Record
from benchsuite.results.store import Run
from tests.report.runs import on
from tests.report.synthetic import make_record, with_rounds


def sizes(**options: str) -> Run:
    """Two mixers at two resolutions; b is the faster one at 448 px only."""
    speeds = {("a", 224): 0.01, ("b", 224): 0.02, ("a", 448): 0.08, ("b", 448): 0.04}
    return on([make_record(name, resolution=px, latency=s) for (name, px), s in speeds.items()], **options)


def column(table: Table, head: str) -> list[str]:
    (place,) = [i for i, header in enumerate(table.headers) if header.text.startswith(head)]
    return [row.cells[place].text for row in table.rows]


def test_settings_are_blocks_the_fastest_first() -> None:
    table = exported([sizes()])
    assert column(table, "Resolution") == ["224", "224", "448", "448"]
    assert column(table, "Mixer") == ["a", "b", "b", "a"]
    assert [row.block for row in table.rows] == [0, 0, 1, 1]
    assert table.caption.startswith("cuda, fp16, inference, batch 64")
    assert table.caption.endswith("runs/hilo: NVIDIA H200, PyTorch 2.13.0+cu128, 2026-01-01.")


def test_the_best_of_each_setting_is_marked_in_scaled_units() -> None:
    table = exported([sizes()], ["name", "latency_s"])
    markdown = to_markdown(table).splitlines()
    assert markdown[0] == "| Mixer | Latency per step (ms) |"
    assert [line.startswith("| a | **10.") for line in markdown[2:]] == [True, False, False, False]
    assert [line.startswith("| b | **40.") for line in markdown[2:]] == [False, False, True, False]
    latex = to_latex(table).splitlines()
    assert latex[0].endswith("Underlined: the second.")
    assert [line.strip().partition("{")[0] for line in latex[3:]] == [
        "Mixer & Latency per step (ms) $\\downarrow$ \\\\", "\\midrule", "a & \\textbf", "b & \\underline",
        "\\midrule", "b & \\textbf", "a & \\underline", "\\bottomrule", "\\end",
    ]  # fmt: skip


def scattered(name: str, rounds: list[float], **cell: Any) -> Record:
    return with_rounds(make_record(name, **cell), rounds)


TIED = [
    scattered("a", [0.010, 0.012, 0.0105, 0.0115, 0.011]),
    scattered("b", [0.0121, 0.0101, 0.0114, 0.0106, 0.0111]),
]
SPEEDS = ["name", "kernel", "latency_s", "throughput", "relative"]


def bold(records: list[Record], columns: list[str] = SPEEDS) -> list[str]:
    """Each bold cell as "name column"."""
    heads, _, *rows = [
        line[2:-2].split(" | ") for line in to_markdown(exported([on(records)], columns)).splitlines()
    ]
    return [
        f"{row[0]} {head.split()[0]}"
        for row in rows
        for head, text in zip(heads, row, strict=True)
        if text.startswith("**")
    ]


def test_all_that_may_be_fastest_are_bold_and_the_rest_is_the_second() -> None:
    slow = scattered("c", [0.040, 0.041, 0.042, 0.043, 0.044])
    assert sorted(bold([*TIED, slow])) == [
        "a Latency", "a Throughput", "a ×", "b Latency", "b Throughput", "b ×",
    ]  # fmt: skip
    assert to_latex(exported([on([*TIED, slow])], ["name", "latency_s"])).count("underline{") == 1


def test_nothing_is_bold_where_all_tie_but_exact_numbers() -> None:
    cheap = replace(TIED[0], cost=replace(TIED[0].cost, macs=10**8))
    assert bold([cheap, TIED[1]], ["name", "macs", "latency_s", "throughput"]) == ["a MACs"]
    assert "none where no cell is surely slower" in to_latex(exported([on(TIED)])).splitlines()[0]


def test_medians_speak_where_there_is_no_interval() -> None:
    one_round = [make_record("a", latency=0.01, rounds=1), make_record("b", latency=0.02, rounds=1)]
    assert bold(one_round, ["name", "latency_s"]) == ["a Latency"]


def test_speeds_relative_to_two_kernels_of_the_reference_have_no_best() -> None:
    every = [make_record(n, kernel=k, latency=s) for n, k, s in (
        ("a", "math", 0.04), ("b", "math", 0.02), ("a", "sdpa", 0.01), ("b", "sdpa", 0.03),
    )]  # fmt: skip
    assert bold(every) == ["a Latency", "a Throughput"]


def test_rounds_of_two_runs_are_no_pairs() -> None:
    """Paired by number, one is surely the faster; another process drew each of them."""
    rounds = [0.010, 0.013, 0.011, 0.012, 0.014]
    first = on([scattered("a", rounds)], path="r1")
    second = on([scattered("a", [1.05 * one for one in rounds])], path="r2")
    assert "**" not in to_markdown(exported([first, second], ["latency_s"]))


def test_runs_of_one_machine_share_blocks_and_those_of_two_do_not() -> None:
    fast, slow = (
        on([make_record("a", latency=0.01)], path="r1"),
        on([make_record("a", latency=0.02)], path="r2"),
    )
    table = exported([slow, fast])
    assert column(table, "Run") == ["r1", "r2"]
    assert column(exported([slow, fast], ["name", "latency_s"]), "Run") == ["r1", "r2"]
    assert [row.block for row in table.rows] == [0, 0]
    other = on([make_record("a", latency=0.02)], path="r2", gpu="NVIDIA A100")
    table = exported([fast, other])
    assert column(table, "Machine") == ["NVIDIA A100", "NVIDIA H200"]
    assert [row.block for row in table.rows] == [0, 1]
    assert "**" not in to_markdown(table)


def test_a_failure_has_its_status_and_no_number() -> None:
    table = exported([on([make_record("a"), make_record("b", status="oom")])])
    assert (column(table, "Latency")[1], column(table, "Status")) == ("–", ["ok", "OOM"])


def test_columns_are_those_asked_for_and_an_unknown_one_is_named() -> None:
    names = [
        "status",
        "machine",
        "macs",
        "relative",
        "run",
        "rounds",
        "flags",
        "kernel",
        "resolution",
        "name",
    ]
    assert len(exported([sizes()], names).headers) == len(names)
    with pytest.raises(
        UsageError, match='--columns: no "latency"; did you mean "latency_s"\\?\n  allowed: run, name'
    ):
        exported([sizes()], ["latency"])


def test_a_run_without_cells_is_a_table_without_rows() -> None:
    table = exported([on([])])
    assert (table.rows, table.caption.partition(".")[0]) == ((), "No cell was measured")
