"""What the templates do to the text of all pages."""

from __future__ import annotations

from dataclasses import replace

from benchsuite.report.comparison_page import page, to_html
from tests.report.synthetic import make_record, make_run


def test_no_line_breaks_within_a_number_with_its_unit_a_range_or_a_date() -> None:
    run = make_run([make_record()])
    made = replace(
        page([run, run]),
        headlines=("Of 5 % to 0.98–1.10 times, not a % or multiply–adds.",),
        summary="A is <b>, on 2026-01-05; 12026-01-05",
    )
    html = to_html(made)
    assert "Of 5\u00a0% to 0.98–\u20601.10 times, not a % or multiply–adds." in html
    assert 'A is &lt;b&gt;, on <span class="whole">2026-01-05</span>; 12026-01-05' in html
