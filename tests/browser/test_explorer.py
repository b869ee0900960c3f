"""What a reader does with a report: hover, filter, isolate, sort, follow links, print."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchsuite.api.results import load
from tests.browser.conftest import Opened
from tests.report.synthetic import make_record, make_run, realistic

Open = Callable[..., Opened]


@pytest.fixture(scope="session")
def failing(report: Callable[..., Path]) -> Path:
    """Nine mixers on two kernels with an OOM and an unsupported kernel; a name is markup."""
    evil = make_record("<img src=x onerror=alert(1)>", resolution=224, latency=0.004)
    return report(make_run([*realistic(), evil]))


def explorer(page: Opened) -> Any:
    """The chart in place of Figure 1, drawn."""
    button = page.page.locator("[data-explore]").first
    if button.get_attribute("aria-expanded") == "false":
        button.click()
    page.page.wait_for_selector(".explorer .mark")
    return page.page.locator(".explorer")


def all_settings(page: Opened) -> None:
    page.page.locator(".cells-box select").first.select_option("all")


def choose(page: Opened, label: str, value: str) -> None:
    page.page.locator(".explorer label", has_text=re.compile(rf"^{label}")).first.locator(
        "select"
    ).select_option(value)


def test_every_measured_cell_is_a_mark_with_its_record_on_hover(hilo: Path, opened: Open) -> None:
    page = opened(hilo)
    explorer(page)
    assert page.marks() == 45
    mark = page.page.locator(".explorer .mark").first
    mark.hover()
    tip = page.page.locator(".explore-tip")
    assert re.search(r"Latency per step\s*[\d.]+ \[[\d.]+, [\d.]+\] ms", tip.inner_text())
    assert "MACs per image" in tip.inner_text()
    page.shot("hover")


def test_the_keyboard_goes_from_mark_to_mark_and_opens_one(hilo: Path, opened: Open) -> None:
    page = opened(hilo)
    explorer(page)
    page.page.locator('.explorer .mark[tabindex="0"]').first.focus()
    first = page.page.evaluate("document.activeElement.dataset.cell")
    page.page.keyboard.press("ArrowRight")
    second = page.page.evaluate("document.activeElement.dataset.cell")
    assert first != second
    assert page.page.locator(".explore-tip").is_visible()
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector(".explorer .detail svg")
    assert f"cell={second}" in page.page.url


def test_failures_are_drawn_where_they_happen_and_say_why(failing: Path, opened: Open) -> None:
    page = opened(failing, "#x=resolution&y=latency_s")
    explorer(page)
    marks = page.page.locator('.explorer .mark[aria-label*="out of memory"]')
    assert marks.count() == 1
    marks.first.hover()
    assert "CUDA out of memory" in page.page.locator(".explore-tip").inner_text()
    top = marks.first.bounding_box()["y"]
    boxes = page.page.locator('.explorer .panel:first-of-type .mark:not([aria-label*="out of memory"])')
    assert all(top < boxes.nth(i).bounding_box()["y"] for i in range(boxes.count()))
    assert "failed cells (1 oom, " in page.page.locator(".explorer").inner_text()
    page.shot("failures")


def test_rings_tell_who_is_on_the_front_where_macs_stand_against_speed(
    report: Callable[..., Path], opened: Open
) -> None:
    cells = [("a", 10**9, 0.02, 0.01), ("b", 2 * 10**9, 0.0199, 0.05), ("c", 3 * 10**9, 0.08, 0.01)]
    records = [make_record(name, macs=m, latency=t, noise=n) for name, m, t, n in cells]
    page = opened(report(make_run(records)), "#x=macs&y=throughput")
    explorer(page)
    rings = page.page.locator('.explorer g[data-mark^="ring"]')
    assert [ring.get_attribute("data-mark") for ring in rings.all()] == ["ring certain", "ring possible"]
    assert [ring.locator("circle, path").count() for ring in rings.all()] == [1, 1]
    assert [bool(ring.get_attribute("stroke-dasharray")) for ring in rings.all()] == [False, True]
    said = page.page.locator(".explorer .mark").evaluate_all(
        "all => all.map(m => m.getAttribute('aria-label'))"
    )
    assert [text.rpartition(", ")[2] for text in said if "on the Pareto front" in text] == [
        "certainly on the Pareto front", "possibly on the Pareto front",
    ]  # fmt: skip
    assert (
        "Ring: solid, certainly on the Pareto front; dashed, possibly"
        in page.page.locator(".explorer").inner_text()
    )
    page.shot("rings")
    choose(page, "y", "peak_memory_bytes")
    page.page.wait_for_selector(".explorer .panel svg[aria-label^='Peak memory']")
    assert rings.count() == 0
    assert "Ring:" not in page.page.locator(".explorer").inner_text()


def test_a_name_isolates_in_chart_and_table_and_again_undoes(hilo: Path, opened: Open) -> None:
    page = opened(hilo)
    explorer(page)
    all_settings(page)
    all_rows = page.rows()
    assert len(all_rows) == 45
    button = page.page.locator('.legend button[data-name="HiLo"]')
    button.click()
    page.page.wait_for_function("document.querySelectorAll('.explorer .mark').length === 6")
    assert len(page.rows()) == 6
    assert all(row.startswith("cell-hilo-") for row in page.rows())
    assert button.get_attribute("aria-pressed") == "true"
    assert "only=HiLo" in page.page.url
    page.shot("isolated")
    button.click()
    page.page.wait_for_function("document.querySelectorAll('.explorer .mark').length === 45")
    assert page.rows() == all_rows


def test_the_chart_has_a_panel_a_resolution_on_one_scale_and_names_every_mixer(
    hilo: Path, opened: Open
) -> None:
    page = opened(hilo)
    chart = explorer(page)
    assert chart.locator(".panel-title").all_inner_texts() == [
        "Resolution: 224 px", "Resolution: 448 px", "Resolution: 672 px",
    ]  # fmt: skip
    scales = chart.locator(".panel svg").evaluate_all(
        "all => all.map(svg => [...svg.querySelectorAll('[data-mark*=\"tick label\"] text')]"
        ".map(t => t.textContent).join())"
    )
    assert len(scales) == 3
    assert len(set(scales)) == 1
    for panel in chart.locator(".panel").all():
        assert len(panel.locator("text.name").all()) == 8


def test_exploring_takes_the_place_of_the_first_figure_and_gives_it_back(hilo: Path, opened: Open) -> None:
    page = opened(hilo)
    picture = page.page.locator(".first figure .picture").first
    assert picture.is_visible()
    explorer(page)
    assert not picture.is_visible()
    page.page.locator(".explorer .mark").first.click()
    page.page.locator(".explorer .detail").wait_for()
    page.page.get_by_role("button", name="Back to the figure").click()
    assert picture.is_visible()
    assert page.page.locator(".explorer").count() == 0


def test_words_and_axes_filter_the_chart_and_words_the_table(hilo: Path, opened: Open) -> None:
    page = opened(hilo)
    explorer(page)
    all_settings(page)
    page.page.locator(".explorer").get_by_label("Words").fill("sra sdpa")
    page.page.wait_for_function("document.querySelectorAll('.explorer .mark').length === 6")
    assert {re.sub(r"-\d+-b1.*", "", row) for row in page.rows()} == {"cell-sra", "cell-linear-sra"}
    choose(page, "Resolution", "672")
    page.page.wait_for_function("document.querySelectorAll('.explorer .mark').length === 2")
    page.page.get_by_role("button", name="Reset all").click()
    page.page.wait_for_function("document.querySelectorAll('.explorer .mark').length === 45")


def test_a_name_can_be_taken_out_of_the_legend(hilo: Path, opened: Open) -> None:
    page = opened(hilo, "#set=all")
    explorer(page)
    page.page.get_by_label("Show MSA", exact=True).uncheck()
    page.page.wait_for_function("document.querySelectorAll('.explorer .mark').length === 39")
    assert not any(row.startswith("cell-msa-") for row in page.rows())


def test_axes_scales_and_panels_are_chosen_by_hand_and_kept_in_the_address(hilo: Path, opened: Open) -> None:
    page = opened(hilo)
    explorer(page)
    choose(page, "x", "resolution")
    choose(page, "y", "latency_s")
    choose(page, "Panels", "")
    page.page.get_by_label("log y").uncheck()
    page.page.wait_for_selector(".explorer .panel svg[aria-label^='Latency per step over Resolution']")
    assert page.page.locator(".explorer .panel").count() == 1
    assert page.page.locator('.explorer g[data-mark="line"] path').count() == 15  # 8 names on math, 7 on sdpa
    address = page.page.url
    again = opened(hilo, "#" + address.partition("#")[2])
    explorer(again)
    assert again.page.locator(".explorer select").nth(0).input_value() == "resolution"
    assert again.page.locator(".explorer select").nth(1).input_value() == "latency_s"
    assert not again.page.get_by_label("log y").is_checked()
    assert again.page.locator(".explorer .panel").count() == 1


def test_what_an_old_link_names_and_is_not_there_is_left_at_its_usual_value(hilo: Path, opened: Open) -> None:
    page = opened(hilo, "#x=gone&y=resolution&only=nobody&is.kernel=flash&cell=cell-gone")
    explorer(page)
    assert page.marks() == 45


def test_a_filter_leaves_the_reader_where_he_is_although_a_cell_is_chosen(hilo: Path, opened: Open) -> None:
    page = opened(hilo, "#cell=cell-msa-224-b1-fp32-math-41217b54&set=all")
    page.page.get_by_label("Filter").fill("math")
    page.page.wait_for_function("document.querySelectorAll('table.cells tbody tr[id]').length === 24")
    assert page.page.get_by_label("Filter").bounding_box()["y"] > 0
    assert "q=math" in page.page.url
    assert "cell=cell-msa" in page.page.url


def test_a_column_sorts_by_its_numbers_up_down_and_back(hilo: Path, opened: Open) -> None:
    page = opened(hilo)
    head = page.page.locator("table.cells th", has_text="Latency per step")
    first = page.rows()
    head.get_by_role("button").focus()
    page.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    up = page.rows()
    assert up == first  # the fastest of a setting comes first in any case
    page.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.rows() == up[::-1]
    assert "sort=latency_s" in page.page.url
    page.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") is None
    assert page.rows() == first


def test_the_numbers_of_a_row_are_those_of_the_frame(hilo: Path, opened: Open, repository: Path) -> None:
    frame = load(repository / "reports" / "hilo-cpu").frame().set_index("cell")
    page = opened(hilo, "#set=all")
    heads = page.page.locator("table.cells thead th").all_inner_texts()
    column = heads.index(next(head for head in heads if head.startswith("Latency")))
    texts = page.page.eval_on_selector_all(
        "table.cells tbody tr[id]", f"rows => rows.map(r => [r.id, r.cells[{column}].innerText])"
    )
    assert len(texts) == 45
    for row, text in texts:
        match = re.fullmatch(r"([\d.]+) \[([\d.]+), ([\d.]+)\]", text)
        assert match, text
        assert "(ms)" in heads[column]
        unit = 1e-3
        found = frame.loc[row.removeprefix("cell-")]
        last_digit = unit * 10.0 ** -len(match[1].partition(".")[2])
        half = (found["latency_hi_s"] - found["latency_lo_s"]) / 2
        assert last_digit <= half / 5  # as many digits as the interval allows, and not many more
        assert last_digit >= half / 200
        for said, key in zip(match.groups(), ("latency_s", "latency_lo_s", "latency_hi_s"), strict=True):
            assert abs(float(said) * unit - found[key]) <= 0.51 * last_digit


def test_a_lower_bound_of_macs_is_marked_and_said(report: Callable[..., Path], opened: Open) -> None:
    few = [
        make_record(name, macs=10**9 * (1 + i), exact=name != "t_msa")
        for i, name in enumerate(("a", "t_msa"))
    ]
    page = opened(report(make_run(few)))
    explorer(page)
    assert page.page.locator(".explorer svg text", has_text="≥").count() == 1
    assert "MACs of 1 cell are a lower bound" in page.page.locator(".explorer").inner_text()


def test_a_link_to_a_cell_shows_its_row_with_samples_and_command(hilo: Path, opened: Open) -> None:
    link = "cell-msa-224-b1-fp32-math-"
    (cell,) = [row for row in opened(hilo, "#set=all").rows() if row.startswith(link)]
    page = opened(hilo, f"#{cell}")
    page.page.wait_for_selector(".detail .samples svg")
    row = page.page.locator(f"tr#{cell}")
    assert row.get_attribute("class") == "chosen"
    box = row.bounding_box()
    assert 0 <= box["y"] < 900
    assert page.page.locator(".detail .samples svg").count() == 2
    command = page.page.locator(".repeat code").first.inner_text()
    asked = "benchsuite run scenarios/hilo.yaml --profile cpu"
    assert command == f"{asked} --filter 'cell={cell.removeprefix('cell-')}'"
    page.shot("cell")


def test_a_link_within_the_page_undoes_filters_that_hide_its_cell(hilo: Path, opened: Open) -> None:
    page = opened(hilo, "#only=HiLo")
    cell = "cell-msa-224-b1-fp32-math-41217b54"
    assert cell not in page.rows()
    page.page.evaluate(f"location.hash = '{cell}'")
    page.page.wait_for_selector(f"tr#{cell}.chosen")


def test_print_shows_figures_and_table_and_hides_the_controls(hilo: Path, opened: Open) -> None:
    page = opened(hilo)
    explorer(page)
    page.page.emulate_media(media="print")
    assert page.page.locator(".first .picture svg").first.is_visible()
    assert page.page.locator("[data-cells] table.sortable").is_visible()
    assert not page.page.locator(".controls").first.is_visible()
    assert not page.page.locator("table.cells").is_visible()
    page.shot("print", full=True)


def test_dark_and_light_differ_and_the_chart_follows(hilo: Path, opened: Open) -> None:
    colors = {}
    for scheme in ("light", "dark"):
        page = opened(hilo, color_scheme=scheme)
        explorer(page)
        colors[scheme] = page.page.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('.explorer .mark')).stroke]"
        )
        page.shot(scheme, full=True)
    assert colors["light"][0] != colors["dark"][0]
    assert colors["light"][1] != colors["dark"][1]


def test_nothing_is_wider_than_a_phone(hilo: Path, opened: Open) -> None:
    page = opened(hilo, viewport={"width": 400, "height": 800})
    explorer(page)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 400
    page.shot("phone", full=True)


def test_without_scripting_the_static_page_is_whole(hilo: Path, opened: Open) -> None:
    page = opened(hilo, ready=False, java_script_enabled=False)
    assert page.page.locator("figure svg").first.is_visible()
    assert page.page.locator("[data-cells] table tbody tr").count() == 45
    assert not page.page.get_by_role("button", name="Explore the chart").is_visible()
    assert page.page.locator("figure#run1-scaling .view").first.is_visible()
    page.page.locator("figure#run1-scaling label", has_text="sdpa").click()
    assert not page.page.locator("figure#run1-scaling .view").first.is_visible()
    assert page.page.locator("figure#run1-scaling .view").nth(1).is_visible()


def test_text_of_a_scenario_is_shown_and_not_run(failing: Path, opened: Open) -> None:
    page = opened(failing)
    explorer(page)
    name = "<img src=x onerror=alert(1)>"
    assert page.page.locator(".legend button", has_text=name).count() == 1
    page.page.locator(".legend button", has_text=name).click()
    page.page.wait_for_function("document.querySelectorAll('.explorer .mark').length === 1")
    assert page.page.locator("img").count() == 0


def test_runs_of_one_page_share_the_explorer_and_keep_their_tables(
    report: Callable[..., Path], opened: Open
) -> None:
    few = realistic((224, 384), names=("msa", "hilo"))
    page = opened(report(make_run(few, title="One"), make_run(few, title="Two")), "#facet=run&set=all")
    explorer(page)
    assert page.marks() == 16
    assert page.page.locator(".explorer .panel-title").all_inner_texts() == ["Run: One", "Run: Two"]
    assert page.page.locator("table.cells").count() == 2
    assert len({row.removeprefix("run2-") for row in page.rows()}) == 8
    page.page.locator('.legend button[data-name="hilo"]').click()
    page.page.wait_for_function("document.querySelectorAll('table.cells tbody tr[id]').length === 8")


def test_a_large_run_is_shown_a_page_at_a_time_and_every_cell_can_be_linked(
    report: Callable[..., Path], opened: Open
) -> None:
    records = [make_record(f"m{i % 40}", resolution=64 + 16 * (i // 40), samples=6) for i in range(800)]
    page = opened(report(make_run(records)))
    all_settings(page)
    assert len(page.rows()) == 100
    page.page.get_by_role("button", name="Next").click()
    assert page.rows()[0] == f"cell-{records[100].id}"
    last = opened(page.file, f"#cell-{records[-1].id}")
    last.page.wait_for_selector(f"tr#cell-{records[-1].id}.chosen")
    explorer(last)
    assert last.marks() == 800


def test_rounds_multiples_and_flags_of_a_cell_are_in_the_table_and_its_details(
    report: Callable[..., Path], opened: Open
) -> None:
    flagged = dataclasses.replace(make_record("hilo", latency=0.005), flags=("busy_host", "drift"))
    page = opened(report(make_run([make_record("msa", latency=0.01), flagged])), f"#cell-{flagged.id}")
    line = page.page.locator(f"#cell-{flagged.id}")
    assert len(re.findall("M", line.locator("svg.strip path").first.get_attribute("d") or "")) == 5
    assert line.locator("svg.strip title").text_content().count(",") == 4
    assert re.fullmatch(
        r"(2\.00|1\.99)\d* \[1\.9\d*, 2\.0\d*\]", line.locator("td[data-key=relative]").inner_text()
    )
    words = line.locator("abbr")
    assert words.all_inner_texts() == ["busy host", "drift"]
    assert words.first.get_attribute("title").startswith("Others used")
    assert page.page.locator("table.cells th", has_text="× msa").count() == 1
    details = page.page.locator("table.cells .detail")
    assert details.locator("svg.strip").count() == 1
    assert details.locator("abbr").count() == 2
    explorer(page)
    assert page.page.locator(".explorer .chart text", has_text="!").count() == 1
    assert "!: a cell whose samples have a flag." in page.page.locator(".explorer").inner_text()
