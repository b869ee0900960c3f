"""Tables: what a cell of each says, and by what it sorts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from markupsafe import escape

from benchsuite.analyse.flags import FLAGS
from benchsuite.report import tables
from benchsuite.report.tables import Table, TableCell
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Busy, Energy, Record
from tests.report.synthetic import fields_of, make_record, with_rounds


def numbers(*records: Record, reference: str | None = None, **options: str) -> Table:
    frame = tables.with_relative(to_frame(records), reference)
    return tables.all_numbers(frame, reference=reference, **options)


def column(table: Table, header: str) -> list[TableCell]:
    (place,) = [i for i, head in enumerate(table.headers) if head.text.startswith(header)]
    return [row.cells[place] for row in table.rows]


def heads(table: Table) -> list[str]:
    return [header.text for header in table.headers]


def test_units_stand_in_the_headers_and_suit_the_column() -> None:
    assert heads(numbers(make_record(latency=0.0123))) == [
        "Mixer",
        "Resolution (px)",
        "Kernel",
        "MACs per image (G)",
        "Latency per step (ms)",
        "Rounds",
        "Throughput (images/s)",
        "Peak memory (MiB)",
        "Parameters (k)",
        "Samples",
        "Flags",
        "Status",
    ]


def test_latency_is_shown_with_its_interval_and_sorts_by_seconds() -> None:
    (cell,) = column(numbers(make_record(latency=0.0123, noise=0.05)), "Latency")
    assert cell.text == "12.3 ms [12.0, 12.6]"
    assert cell.sort == pytest.approx(0.0123)


def test_a_row_can_be_linked_to() -> None:
    record = make_record()
    assert [row.id for row in numbers(record).rows] == [f"cell-{record.id}"]
    assert [row.id for row in numbers(record, prefix="run2-").rows] == [f"run2-{record.id}"]


def test_a_failure_shows_its_status_and_reason_and_no_numbers() -> None:
    table = numbers(make_record(), make_record(resolution=448, status="oom", macs=None))
    assert column(table, "Status")[1].text == "OOM: CUDA out of memory. Tried to allocate 2.00 GiB"
    for header in ("MACs", "Latency", "Throughput", "Peak", "Samples"):
        assert column(table, header)[1] == TableCell("–", None)
    assert [row.failed for row in table.rows] == [False, True]


def test_an_expected_failure_says_so_and_a_long_reason_is_cut() -> None:
    table = numbers(make_record(status="error", reason="x" * 500, expected=True))
    text = column(table, "Status")[0].text
    assert text.endswith("xx… (expected)")
    assert len(text) < 120


def test_a_lower_bound_has_its_sign_and_sorts_as_a_number() -> None:
    table = numbers(make_record(exact=False), make_record("b"))
    assert column(table, "MACs") == [TableCell("≥ 1.000", 1e9), TableCell("1.000", 1e9)]
    assert "≥: a lower bound" in table.caption
    assert "≥" not in numbers(make_record()).caption


def test_resolutions_sort_by_area() -> None:
    table = numbers(make_record(resolution=(480, 640)), make_record(resolution=224))
    assert column(table, "Resolution") == [TableCell("480×640", 480 * 640), TableCell("224", 224 * 224)]


def test_conditions_are_columns_only_where_they_differ() -> None:
    one = make_record()
    assert "Batch" not in heads(numbers(one))
    table = numbers(one, make_record(batch=1, mode="forward_backward"))
    assert column(table, "Batch") == [TableCell("64", 64), TableCell("1", 1)]
    assert [cell.text for cell in column(table, "Mode")] == ["inference", "forward and backward"]


def test_a_reference_adds_how_many_times_as_fast_in_the_same_setting() -> None:
    table = numbers(
        make_record("msa", latency=0.02),
        make_record("hilo", latency=0.01),
        make_record("msa", latency=0.02, resolution=448, status="oom"),
        make_record("hilo", latency=0.01, resolution=448),
        reference="msa",
    )
    own, other, *missing = column(table, "× msa")
    assert own == TableCell("1", 1.0)
    assert other.text.startswith("2.00")
    assert other.text.endswith("]")
    assert [cell.text for cell in missing] == ["–", "–"]


def test_rounds_are_a_strip_with_their_medians_in_words() -> None:
    record = with_rounds(make_record(), [0.010, 0.0101, 0.0099, 0.0150, 0.010])
    (cell,) = column(numbers(record), "Rounds")
    assert cell.text == "10.0, 10.1, 9.90, 15.0, 10.0 ms"
    assert cell.sort == pytest.approx(15 / 9.9)
    assert cell.shown is not None
    within, beyond = re.findall(r'<path(?: class="beyond")? d="(M[^"]*)"', cell.shown)
    assert within.count("M") == 4
    assert beyond.count("M") == 1
    assert "10.0, 10.1, 9.90, 15.0, 10.0 ms</title>" in cell.shown
    assert column(numbers(make_record("b", rounds=1)), "Rounds") == [TableCell("–")]


def test_flags_are_short_words_that_explain_themselves() -> None:
    record = replace(make_record(), flags=("busy_host", "drift"))
    (cell,) = column(numbers(record), "Flags")
    assert cell.text == "busy host, drift"
    assert cell.shown is not None
    assert f'<abbr title="{escape(FLAGS["busy_host"])}">busy host</abbr>' in cell.shown
    assert column(numbers(make_record()), "Flags") == [TableCell("")]


def test_the_caption_counts() -> None:
    assert numbers(make_record()).caption.startswith("The only cell.")
    assert numbers(make_record("a"), make_record("b")).caption.startswith("All 2 cells.")
    assert "interval" not in numbers(make_record(samples=3)).caption


def fastest(records: Sequence[Record]) -> list[str]:
    (row,) = tables.fastest(fields_of(records)).rows
    return [cell.text for cell in row.cells]


def test_the_table_of_the_fastest_names_winner_interval_and_lead() -> None:
    row = fastest([make_record("a", latency=0.01), make_record("b", latency=0.02)])
    assert row[:3] == ["224 px", "math", "a"]
    assert row[3].startswith("6,400 [")
    assert row[4].startswith("2.00 [")
    assert row[4].endswith("] × b")


def test_the_table_of_the_fastest_does_not_rank_what_is_undecided() -> None:
    row = fastest([make_record("a", latency=0.01), make_record("b", latency=0.010001)])
    assert row[2] == "a and b (the rounds disagree)"
    assert row[4] == "–"


def test_device_time_and_energy_are_columns_where_a_device_tells_them() -> None:
    record = make_record("a", latency=0.01)
    assert record.timing is not None
    watched = replace(
        record,
        timing=replace(record.timing, busy=Busy(seconds=0.004, method="cuda_graph")),
        energy=Energy(joules=6.4, idle_w=None, seconds=1.0, method="nvml_energy_counter"),
    )
    table = numbers(watched, make_record("b"))
    assert [cell.text for cell in column(table, "Device busy (ms)")] == ["4.000", "–"]
    assert heads(table).index("Device busy (ms)") == heads(table).index("Latency per step (ms)") + 1
    assert [cell.sort for cell in column(table, "Energy per image (mJ)")] == [0.1, None]
    assert not any("busy" in head or "Energy" in head for head in heads(numbers(make_record("b"))))


def test_a_kernel_is_shown_with_the_backend_that_ran() -> None:
    records = [make_record("a", kernel="sdpa"), make_record("b", kernel="sdpa")]
    seen = replace(records[0], attention_backend=("math",))
    assert [cell.text for cell in column(numbers(seen, records[1]), "Kernel")] == ["sdpa (math)", "sdpa"]
