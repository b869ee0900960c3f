"""Markdown: limits of the hosts, and names that would break a table or a page."""

from __future__ import annotations

from benchsuite.analyse.gate_result import CELL_VERDICTS
from benchsuite.report.gate_formats.markdown import escaped, to_comment, to_markdown
from tests.gates import EVERY, make_gate, make_gate_cell

HOSTILE = 'a|b<script>alert(1)</script>]]>`x`@team ![i](http://x.example) \x1b[31m"\n# no title'


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ") and "| verdict |" not in line]


def test_a_summary_has_every_cell_the_worst_first() -> None:
    found = [row.split(" | ")[1] for row in rows(to_markdown(EVERY))]
    assert len(found) == len(CELL_VERDICTS)
    assert found[0] == "slower"
    assert found[-1] == "counts equal"


def test_five_thousand_cells_stay_below_the_limits_and_the_text_says_what_is_left_out() -> None:
    long = "ß" * 290
    cells = [make_gate_cell("same", id=f"{long}{i}", reason=long) for i in range(4999)]
    result = make_gate(cells=(*cells, make_gate_cell("slower")), notes=(long * 50,) * 50)
    summary, comment = to_markdown(result), to_comment(result, "https://ci.example/1")
    assert len(summary.encode()) < 1 << 20
    assert f"{5000 - len(rows(summary))} more cells are not shown" in summary
    assert "slower" in rows(summary)[0]
    assert len(comment.encode()) < 64 * 1024
    assert len(rows(comment)) == 20
    assert "4980 more cells" in comment
    assert "[all of them](https://ci.example/1)" in comment


def test_the_worst_twenty_of_a_comment_are_the_slowest() -> None:
    comment = to_comment(make_gate(*["same"] * 30, "slower", "broken"))  # type: ignore[arg-type]
    assert [row.split(" | ")[1] for row in rows(comment)[:3]] == ["slower", "fails now", "same"]


def test_hostile_names_neither_break_the_table_nor_reach_the_page_as_markup() -> None:
    cell = make_gate_cell("failed", id=HOSTILE, reason=HOSTILE)
    text = to_comment(make_gate(cells=(cell,), scenario=HOSTILE, notes=(HOSTILE,), refused=HOSTILE))
    (row,) = rows(text)
    assert row.count("|") == 5
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
