"""Markdown: limits of the hosts, and names that would break a table or a page."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest

from benchsuite.gate.formats.html_page import to_html
from benchsuite.gate.formats.junit import to_junit
from benchsuite.gate.formats.markdown import escaped, to_comment, to_markdown
from benchsuite.gate.result import CELL_VERDICTS, GateResult
from tests.builders import make_cell
from tests.gates import EVERY, make_gate, make_gate_cell

HOSTILE = 'a|b<script>alert(1)</script>]]>`x`@team ![i](http://x.example) \x1b[31m"\n# no title'


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ") and "| verdict |" not in line]


def test_a_summary_has_every_cell_regressions_first_then_improvements_and_folds_what_did_not_change() -> None:
    shown, folded = to_markdown(EVERY).split("<details>")
    found = [row.split(" | ")[1] for row in rows(shown)]
    assert found[:6] == ["slower", "counts rose", "counts fell", "fails now", "removed", "faster"]
    hidden = [row.split(" | ")[1] for row in rows(folded)]
    assert hidden == [
        "inconclusive",
        "unchanged",
        "not flagged",
        "not counted",
        "not measured on either side",
        "counts equal",
    ]
    assert len(found) + len(hidden) == len(CELL_VERDICTS)


def test_a_row_has_a_label_and_both_times_and_the_ratio_once() -> None:
    cell = make_cell(name="HiLo", resolution=(448, 448))
    slow = make_gate_cell("slower", id=cell.id, cell=cell)
    for text in (to_comment, to_markdown):
        page = text(make_gate(cells=(slow, make_gate_cell("same"))))
        assert "| cell | verdict | base (ms) | candidate (ms) | ratio | why |" in page
        assert rows(page)[0] == (r"| HiLo, 448 px | slower | 10 | 12 | 1.200 \[1.100, 1.300\] | limit 2 % |")
        assert cell.id not in page


def test_cells_that_share_a_label_are_told_apart_by_their_ids() -> None:
    cells = tuple(make_gate_cell("slower", id=f"id-{i}") for i in range(2))
    assert [row.split(" | ")[0] for row in rows(to_comment(make_gate(cells=cells)))] == [
        "| cell slower (id-0)", "| cell slower (id-1)",
    ]  # fmt: skip


def test_a_gate_that_times_nothing_has_no_columns_of_times() -> None:
    assert "| cell | verdict | why |" in to_comment(make_gate("larger", "equal"))


def test_five_thousand_cells_stay_below_the_limits_and_the_text_says_what_is_left_out() -> None:
    long = "ß" * 290
    cells = [make_gate_cell("same", id=f"{long}{i}", reason=long) for i in range(4999)]
    result = make_gate(cells=(*cells, make_gate_cell("slower")), notes=(long * 50,) * 50)
    summary, comment = to_markdown(result), to_comment(result, "https://ci.example/1")
    assert len(summary.encode()) < 1 << 20
    assert f"Not shown: {5000 - len(rows(summary))} unchanged;" in summary
    assert "slower" in rows(summary)[0]
    assert len(comment.encode()) < 64 * 1024
    assert len(rows(comment)) == 1
    assert "Not shown: 4999 unchanged; [all of them](https://ci.example/1)." in comment


def test_a_comment_shows_the_worst_twenty_and_counts_all_others_in_one_line() -> None:
    cells = [make_gate_cell("slower", id=str(i)) for i in range(25)]
    comment = to_comment(make_gate(cells=(*(make_gate_cell("same") for _ in range(30)), *cells)))
    assert [row.split(" | ")[1] for row in rows(comment)] == ["slower"] * 20
    assert "Not shown: 5 slower, 30 unchanged;" in comment


def test_hostile_names_neither_break_the_table_nor_reach_the_page_as_markup() -> None:
    cell = make_gate_cell("failed", cell=make_cell(name=HOSTILE), id=HOSTILE, reason=HOSTILE)
    text = to_comment(make_gate(cells=(cell,), scenario=HOSTILE, notes=(HOSTILE,), refused=HOSTILE))
    (row,) = rows(text)
    assert row.count("|") == 4
    for bad in ("<script", "@team", "\x1b", "\n# no", "[i](", "]]>"):
        assert bad not in text


def test_a_command_cannot_leave_its_fence() -> None:
    text = to_markdown(make_gate("same", command="x\n~~~~\n<script>"))
    lines = text.splitlines()
    fence = lines.index("~~~~")
    assert lines[fence + 1 : fence + 3] == ["x  <script>", "~~~~"]


def test_a_link_that_is_no_web_address_is_left_out() -> None:
    result = make_gate(*["same"] * 30)  # type: ignore[arg-type]
    for link in ("javascript:alert(1)", "https://x.example/) [y](z"):
        assert link not in to_comment(result, link)


def test_neither_a_refusal_nor_an_empty_gate_looks_like_a_pass() -> None:
    for result in (make_gate(refused="another CPU"), make_gate()):
        text = to_markdown(result)
        assert "✅" not in text
        assert "No regression" not in text
    assert "✅" in to_markdown(make_gate("same"))
    assert "⚠️" in to_markdown(make_gate("inconclusive"))


def test_a_long_text_is_cut() -> None:
    assert escaped("x" * 1000) == "x" * 299 + "…"


@pytest.mark.parametrize("text_of", [to_markdown, to_comment, to_junit, to_html])
def test_a_failure_of_counts_says_in_every_page_how_it_is_accepted(
    text_of: Callable[[GateResult], str],
) -> None:
    command = "benchsuite baseline accept exact.json --pythonpath src"
    result = make_gate("larger", "removed", accept=command)
    text = text_of(result)
    assert f"{command} 'cell larger:macs'" in html.unescape(text)
    assert f"{command} --cells" in text
