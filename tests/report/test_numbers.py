"""The table of numbers: what a cell of it says, by what it sorts, and one setting as text for a paper."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from markupsafe import escape

from benchsuite.findings.flags import FLAGS
from benchsuite.report.cells import read
from benchsuite.report.numbers import all_cells, of_settings, settings
from benchsuite.report.tables import Header, Row, Table, TableCell, to_latex, to_markdown
from benchsuite.results.record import Busy, Energy, Record
from tests.report.synthetic import make_record, make_run, with_rounds


def numbers(*records: Record, reference: str | None = None, **options: str) -> Table:
    run = make_run(records, report={"reference": reference} if reference else {})
    return all_cells(read(run), **options)


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
        "Throughput (images/s)",
        "Peak memory (MiB)",
        "Rounds",
        "Parameters (k)",
    ]


def test_latency_is_shown_with_its_interval_and_sorts_by_seconds() -> None:
    (cell,) = column(numbers(make_record(latency=0.0123, noise=0.05)), "Latency")
    assert cell.text == "12.3 [12.0, 12.6]"
    assert cell.sort == pytest.approx(0.0123)


def test_a_row_can_be_linked_to() -> None:
    record = make_record()
    assert [row.id for row in numbers(record).rows] == [f"cell-{record.id}"]
    assert [row.id for row in numbers(record, prefix="run2-").rows] == [f"run2-{record.id}"]


def test_a_failure_shows_its_status_and_reason_and_no_numbers() -> None:
    table = numbers(make_record(), make_record(resolution=448, status="oom", macs=None))
    assert column(table, "Status")[1].text == "OOM: CUDA out of memory. Tried to allocate 2.00 GiB"
    for header in ("MACs", "Latency", "Throughput", "Peak"):
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
    assert "Flags" not in heads(numbers(make_record()))


def test_the_caption_counts() -> None:
    assert numbers(make_record()).caption.startswith("The only cell.")
    assert numbers(make_record("a"), make_record("b")).caption.startswith("All 2 cells.")
    assert "interval" not in numbers(make_record(samples=3)).caption


def test_device_time_and_energy_are_columns_where_a_device_tells_them() -> None:
    record = make_record("a", latency=0.01)
    assert record.timing is not None
    watched = replace(
        record,
        timing=replace(record.timing, busy=Busy(seconds=0.004, method="cuda_graph")),
        energy=Energy(joules=6.4, idle_w=None, seconds=1.0, method="nvml_energy_counter"),
    )
    table = numbers(watched, make_record("b"))
    assert [cell.text for cell in column(table, "Device busy per step (ms)")] == ["4.000", "–"]
    assert heads(table).index("Device busy per step (ms)") == heads(table).index("Latency per step (ms)") + 1
    assert [cell.sort for cell in column(table, "Energy per image (mJ)")] == [0.1, None]
    assert not any("busy" in head or "Energy" in head for head in heads(numbers(make_record("b"))))


def test_the_setting_shown_first_is_the_largest_of_which_all_cells_have_a_number() -> None:
    def labels(*records: Record) -> list[str]:
        return [setting.label for setting in settings(read(make_run(records)))]

    whole = [make_record(n, resolution=r) for n in "ab" for r in (224, 448)]
    assert labels(*whole) == ["448 px", "224 px"]
    cut = [make_record("a", resolution=896), make_record("b", resolution=896, status="oom")]
    assert labels(*whole, *cut) == ["448 px", "224 px", "896 px"]
    other = [make_record(n, batch=1, resolution=448) for n in "ab"]
    assert labels(*whole, *other)[0] == "448 px, batch 64"
    assert labels() == []


def one_setting(*records: Record) -> Table:
    cells = read(make_run(records))
    return of_settings(cells, settings(cells)[:1])


def test_a_setting_lists_its_cells_the_fastest_first_without_what_all_share() -> None:
    table = one_setting(
        make_record("slow", latency=0.02, macs=2 * 10**9), make_record("fast", latency=0.01),
        make_record("gone", status="oom", macs=None),
    )  # fmt: skip
    assert [row.cells[0].text for row in table.rows] == ["fast", "slow", "gone"]
    assert heads(table)[:3] == ["Mixer", "MACs per image (G)", "Latency per step (ms)"]
    assert table.caption.startswith("224 px, cuda, fp16, inference, batch 64")
    both = one_setting(make_record("a"), make_record("a", kernel="flash"))
    assert "Kernel" in heads(both)


def test_latex_has_booktabs_the_best_in_bold_and_the_second_underlined() -> None:
    text = to_latex(
        one_setting(*(make_record(f"m_{i}", latency=i / 100, rounds=1, macs=10**9) for i in (1, 2, 4)))
    )
    lines = [line.strip() for line in text.splitlines()]
    assert lines[1].startswith("\\begin{tabular}{lrrrrr}")
    assert lines[2] == "\\toprule"
    assert "Latency per step (ms) $\\downarrow$ & Throughput (images/s) $\\uparrow$" in text
    assert "m\\_1 & 1.000 & \\textbf{10.00} & \\textbf{6400} & 100.0 & \\textbf{1}" in text
    assert "\\underline{20.00} & \\underline{3200}" in text
    assert lines[-2:] == ["\\bottomrule", "\\end{tabular}"]
    assert text.count("textbf") == 3  # nothing is best where all are equal: MACs and memory


def test_equal_values_share_the_first_place() -> None:
    rows = tuple(Row((TableCell(n), TableCell(str(v), v))) for n, v in (("a", 1.0), ("b", 1.0), ("c", 2.0)))
    text = to_latex(Table("", (Header("Name"), Header("MACs", numeric=True, better="lower")), rows))
    assert text.count("textbf{1.0}") == 2
    assert "underline{2.0}" in text


@pytest.mark.parametrize("text", ["a_b", "50 %", "x & y", "#1", "$x$", "{", "a\\b", "~", "^"])
def test_no_name_is_a_command_of_latex(text: str) -> None:
    table = to_latex(
        Table("", (Header("Name"), Header("V", numeric=True)), (Row((TableCell(text), TableCell("1"))),))
    )
    (line,) = [line for line in table.splitlines() if line.endswith("1 \\\\")]
    cell = line.strip().removesuffix(" & 1 \\\\")
    assert re.sub(r"\\(?:textbackslash|textasciitilde|textasciicircum)\{\}|\\[&%$#_{}]", "", cell) == re.sub(
        r"[\\&%$#_{}~^]", "", text
    )


def test_markdown_escapes_what_would_end_a_cell() -> None:
    table = Table("", (Header("Name"), Header("V", numeric=True)), (Row((TableCell("a|b"), TableCell("1"))),))
    assert to_markdown(table) == "| Name | V |\n| --- | ---: |\n| a\\|b | 1 |\n"


def test_a_kernel_is_shown_with_the_backend_that_ran() -> None:
    records = [make_record("a", kernel="sdpa"), make_record("b", kernel="sdpa")]
    seen = replace(records[0], attention_backend=("math",))
    assert [cell.text for cell in column(numbers(seen, records[1]), "Kernel")] == ["sdpa (math)", "sdpa"]
