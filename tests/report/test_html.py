"""The page as a whole: complete, self-contained, escaped, the same every time."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchsuite.report.html import render
from benchsuite.results.record import Record
from benchsuite.results.store import Run
from tests.report.synthetic import make_network, make_record, make_run, realistic

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """A parsed page; raises AssertionError where tags are not nested."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[tuple[str, str]] = []  # tag, text
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            self.text.append((self._open[-1], " ".join(data.split())))

    def within(self, *tags: str) -> list[str]:
        return [text for tag, text in self.text if tag in tags]

    @property
    def figures(self) -> list[dict[str, str]]:
        """Attributes of the figures; strips within tables are none."""
        return [attrs for tag, attrs in self.tags if tag == "svg" and attrs.get("class") != "strip"]

    def attributes(self, name: str) -> list[str]:
        return [attrs[name] for _, attrs in self.tags if name in attrs]


def page(tmp_path: Path, *runs: Run) -> Page:
    return Page(render(runs, out=tmp_path / "report.html").read_text(encoding="utf-8"))


def of(tmp_path: Path, records: Sequence[Record], **scenario: Any) -> Page:
    return page(tmp_path, make_run(records, **scenario))


REALISTIC = realistic()


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of a usual run."""
    return of(tmp_path_factory.mktemp("usual"), REALISTIC)


def test_the_page_has_its_sections_in_order(usual: Page) -> None:
    assert usual.within("h1", "h2", "h3") == [
        "HiLo against the attention of its time",
        "What was found",
        "MACs against speed",
        "MACs against throughput",
        "Scaling",
        "Growth with resolution",
        "Where the time goes",
        "Fused kernels against math",
        "Memory, training steps and energy",
        "What memory is made of",
        "How it was measured",
        "To repeat it",
        "Explore",
        "All cells",
        "Failures and what was left out",
    ]
    assert usual.within("p")[:1] == ["Do fewer MACs make a faster layer?"]
    assert usual.within("title")[0] == "HiLo against the attention of its time"
    assert "benchsuite run hilo.yaml --out runs/hilo" in usual.within("code")


def test_the_page_loads_nothing(usual: Page) -> None:
    targets = [*usual.attributes("src"), *usual.attributes("href"), *usual.attributes("xlink:href")]
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert {tag for tag, _ in usual.tags}.isdisjoint({"link", "img", "iframe", "object", "embed", "base"})
    assert "http" not in usual.source
    assert "@import" not in usual.source
    assert re.findall(r"url\((?!#)", usual.source) == []


def test_every_link_has_a_target_and_every_id_is_unique(tmp_path: Path) -> None:
    few = realistic((224, 896), names=("msa", "hilo", "performer"))
    found = page(tmp_path, make_run(few), make_run([*few, *realistic((224,), batch=8)]))
    ids = found.attributes("id")
    assert len(ids) == len(set(ids))
    assert {target[1:] for target in found.attributes("href")} <= set(ids)
    assert {f"cell-{record.id}" for record in few} <= set(ids)


def test_names_titles_and_reasons_are_text_and_never_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    records = [
        make_record(evil, resolution=224),
        make_record("$x_2$", resolution=224),
        make_record("混合器", resolution=224),
        make_record(evil, resolution=448, status="error", reason=f"failed: {evil}", config={"a": evil}),
        make_record("$x_2$", resolution=448, kernel="flash"),
    ]
    run = make_run(
        records,
        title=evil,
        question=f"{evil}?",
        measure={"x": evil},
        exclude=[{"where": evil, "reason": evil}],
        applied=[evil],
    )
    run = dataclasses.replace(
        run, warnings=(evil,), environment={"command": ["run", evil], "machine": evil, "gpu": {"name": evil}}
    )
    found = page(tmp_path, run)
    assert "<script>alert" not in found.source
    assert sum(tag == "script" and "type" not in attrs for tag, attrs in found.tags) == 1
    assert found.within("h1") == [evil]
    assert evil in found.within("text")  # in the figures
    assert "$x_2$" in found.within("text")
    assert "混合器" in found.within("text")


def test_a_quote_cannot_end_an_attribute(tmp_path: Path) -> None:
    found = of(tmp_path, [make_record('" onload="alert(1)'), make_record("b")])
    assert not any("onload" in attrs for _, attrs in found.tags)


def test_figures_are_described_and_captioned(usual: Page) -> None:
    images = usual.figures
    assert len(images) == 4
    assert all(image["role"] == "graphics-document" and len(image["aria-label"]) > 60 for image in images)
    assert len(usual.within("figcaption")) == 4


def test_tables_have_captions_and_scopes(usual: Page) -> None:
    tables = [tag for tag, _ in usual.tags].count("table")
    assert tables == [tag for tag, _ in usual.tags].count("caption") == 5
    assert all("scope" in attrs for tag, attrs in usual.tags if tag == "th")


def test_the_table_of_numbers_sorts_by_numbers_and_by_keyboard(usual: Page) -> None:
    assert sum(attrs.get("class") == "sortable" for tag, attrs in usual.tags if tag == "table") == 1
    keys = {float(value) for value in usual.attributes("data-sort")}
    assert {float(record.cost.macs) for record in REALISTIC if record.cost} <= keys
    (script,) = re.findall(r"<script>(.*?)</script>", usual.source, re.DOTALL)
    assert 'createElement("button")' in script
    assert 'setAttribute("aria-sort"' in script


def test_light_dark_and_print_each_set_every_colour(tmp_path: Path) -> None:
    source = of(tmp_path, [make_record()]).source
    style = source[source.index("<style>") : source.index("</style>")]
    assert "prefers-color-scheme:dark" in style
    assert "@media print" in style
    assert style.count("--series-1:") == style.count("--paper:") == 3


@pytest.mark.parametrize(
    ("records", "missing"),
    [
        (
            [make_record()],
            ["MACs against throughput", "Growth with resolution", "Fused kernels against math"],
        ),
        ([make_record("a"), make_record("b")], ["Growth with resolution", "Fused kernels against math"]),
        ([make_record("a", resolution=r) for r in (224, 448)], ["All metrics", "MACs against throughput"]),
        ([make_record("a", status="oom", macs=None)], ["MACs against speed", "Scaling", "All metrics"]),
    ],
)
def test_a_section_without_data_is_absent(tmp_path: Path, records: list[Record], missing: list[str]) -> None:
    headings = of(tmp_path, records).within("h2", "h3")
    assert set(headings).isdisjoint(missing)
    assert "All cells" in headings


def test_a_run_in_which_all_cells_failed_says_so(tmp_path: Path) -> None:
    records = [make_record(n, resolution=r, status="oom", macs=None) for n in "ab" for r in (224, 448)]
    found = of(tmp_path, records)
    assert "4 of 4 cells gave no number: 4 OOM (a and b)." in found.within("dd")
    assert found.figures == []


def test_an_empty_run_renders(tmp_path: Path) -> None:
    found = of(tmp_path, [])
    assert "The run holds no records." in found.within("p")
    assert "All cells" not in found.within("h2")


def test_a_bare_scenario_and_an_unknown_machine_render(tmp_path: Path) -> None:
    run = Run(path=tmp_path / "my-run", scenario={}, environment={}, records=(make_record(),))
    found = page(tmp_path, run)
    assert found.within("h1") == ["my-run"]
    assert "To repeat it" not in found.within("h3")


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    run = make_run(realistic((224, 896), names=("msa", "hilo", "performer")))
    assert page(tmp_path / "a", run).source == page(tmp_path / "b", run).source


def test_groups_that_cannot_be_compared_have_figures_of_their_own(tmp_path: Path) -> None:
    records = [make_record(n, batch=b, resolution=r) for n in "ab" for b in (1, 64) for r in (224, 448)]
    found = of(tmp_path, records)
    headings = found.within("h2", "h3")
    assert headings[1:3] == ["batch 1", "batch 64"]
    start = headings.index("MACs against speed")
    assert headings[start : start + 6] == [
        "MACs against speed", "batch 1", "batch 64", "Scaling", "batch 1", "batch 64",
    ]  # fmt: skip
    assert found.within("h4")[:3] == ["MACs against throughput"] * 2 + ["Growth with resolution"]


def test_several_runs_come_one_after_the_other(tmp_path: Path) -> None:
    found = page(tmp_path, make_run([make_record()], title="One"), make_run([make_record()], title="Two"))
    assert found.within("h1") == ["2 runs beside each other", "One", "Two"]
    assert found.within("title")[0] == "One · Two"
    assert {"#run1", "#run2"} <= set(found.attributes("href"))


def test_the_scenario_chooses_the_sections_and_their_order(tmp_path: Path) -> None:
    found = of(tmp_path, REALISTIC, report={"sections": ["kernels", "scatter"]})
    assert found.within("h2", "h3")[1:5] == [
        "Where the time goes", "Fused kernels against math", "MACs against speed", "MACs against throughput",
    ]  # fmt: skip
    assert "All cells" not in found.within("h2")
    assert "Growth with resolution" not in found.within("h3")
    assert not any(target.startswith("#cell") for target in found.attributes("href"))


def test_the_reference_of_the_scenario_becomes_a_column(tmp_path: Path) -> None:
    records = [make_record("msa"), make_record("b")]
    assert "× msa" in of(tmp_path, records, report={"reference": "msa"}).within("th")
    assert not any(head.startswith("Times") for head in of(tmp_path, records).within("th"))


def test_mixers_come_in_the_order_of_the_scenario(tmp_path: Path) -> None:
    records = [make_record(name) for name in ("late", "HiLo alpha=0.5", "first")]
    sweep = {"mixer": [{"name": "msa", "label": "first"}, {"name": "hilo", "label": "HiLo"}, "other"]}
    source = of(tmp_path, records, sweep=sweep).source
    # Colours go by order: the first of the scenario has the first one, although its record came last.
    link = source.index(f'href="#cell-{records[2].id}"')
    drawn_with = re.findall(r'class="(f\d+)"', source[link : link + 600])
    assert any(f".{name}{{fill:var(--paper);stroke:var(--series-1)" in source for name in drawn_with)


def test_a_single_entry_that_the_scenario_does_not_list_has_its_place_too(tmp_path: Path) -> None:
    records = [make_record("late"), make_record("HiLo")]
    source = of(tmp_path, records, sweep={"mixer": "HiLo"}).source
    link = source.index(f'href="#cell-{records[1].id}"')
    drawn_with = re.findall(r'class="(f\d+)"', source[link : link + 600])
    assert any(f".{name}{{fill:var(--paper);stroke:var(--series-1)" in source for name in drawn_with)


SWAPPED = [
    make_network(
        name, resolution=size, latency=latency / 1e3, macs=macs * 10**9, config=config, kernel=kernel
    )
    for kernel in ("math", "sdpa")
    for size in (224, 448)
    for name, latency, macs, config in (
        ("HiLo", 10, 1, {}),
        ("MSA", 12, 3, {"mixer": {"stage3": "msa"}}),
        ("SRA", 14, 2, {"mixer": {"stage3": "sra"}}),
        ("W-MSA", 16, 4, {"mixer": {"stage3": "window"}}),
    )
]


def test_a_page_of_networks_speaks_of_networks_and_names_what_differs(tmp_path: Path) -> None:
    found = of(tmp_path, SWAPPED, subject="backbone")
    about = "All 4 networks are litv2_s; they differ in the mixers of stage3."
    assert found.within("p")[1] == about
    of_mixers = [text for _, text in found.text if "mixer" in text.lower()]
    assert sorted(of_mixers) == sorted([about, "Mixers of its stages"])
    assert all("mixer" not in label.lower() for label in found.attributes("aria-label"))
    assert found.within("th").count("Network") == 2  # all numbers, and what the names stand for
    assert any(text.startswith("The fastest network of every setting.") for text in found.within("span"))


def test_a_page_of_mixers_speaks_of_mixers(usual: Page) -> None:
    assert usual.within("th").count("Mixer") == 3
    assert not [text for _, text in usual.text if "network" in text.lower()]


def test_a_page_of_both_speaks_of_both(tmp_path: Path) -> None:
    found = of(tmp_path, [make_record("MSA"), make_network("LITv2-S", device="cuda", batch=64)])
    assert "Mixer or network" in found.within("th")
    assert any("Each point is a mixer or network" in text for text in found.within("figcaption"))


def test_what_was_measured_alone_is_called_by_its_noun(tmp_path: Path) -> None:
    alone = "A single {} was measured, so there is nothing to compare."
    assert alone.format("network") in of(tmp_path, [make_network()]).within("p")
    assert alone.format("mixer") in of(tmp_path, [make_record()]).within("p")
    assert alone.format("block") in of(tmp_path, [make_record(subject="block")]).within("p")


def test_the_first_screen_answers_before_any_figure(tmp_path: Path) -> None:
    """Fastest, fewest MACs, whether the orders agree, and the reference of the scenario."""
    found = of(tmp_path, SWAPPED, report={"reference": "HiLo"})
    assert found.within("dt")[:4] == ["Fastest", "Beside HiLo", "Fewest MACs", "MACs and speed"]
    tags = [tag for tag, _ in found.tags]
    assert tags.index("dl") < tags.index("svg")


def test_tooltips_tell_all_about_a_cell(tmp_path: Path) -> None:
    records = [make_record("a", latency=0.0123, noise=0.05), make_record("b", status="oom", macs=None)]
    found = of(tmp_path, records)
    assert "a, 224 px, math: 12.3 ms [12.0, 12.6], 5,203 images/s, 1 G MACs, 100 MiB" in found.within("title")
    assert "b, 224 px, math: OOM" in found.within("title")


def test_figures_are_written_for_papers_under_names_that_speak(tmp_path: Path) -> None:
    records = [make_record(n, batch=b) for n in "ab" for b in (1, 64)]
    render([make_run(records)], out=tmp_path / "report.html", figures=tmp_path / "figures")
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        f"{name}-batch-{batch}.{format}"
        for name in ("all-metrics", "macs-vs-throughput", "memory-breakdown", "relative-speed")
        for batch in (1, 64)
        for format in ("pdf", "png", "svg")
    ]


def test_figures_of_several_runs_do_not_overwrite_each_other(tmp_path: Path) -> None:
    run = make_run([make_record(batch=batch, memory=None) for batch in (1, 2, 4)])
    one = make_run([make_record()])
    render([run, one, run, one], out=tmp_path / "report.html", figures=tmp_path / "figures")
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        "over-axis-run1-batch",
        "memory-breakdown-run2",
        "over-axis-run3-batch",
        "memory-breakdown-run4",
    }


def test_the_folder_of_the_page_is_made(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "report.html"
    assert render([make_run([make_record()])], out=out) == out
    assert out.is_file()


@pytest.mark.slow
def test_a_report_of_three_hundred_cells_is_below_one_and_a_half_megabytes(tmp_path: Path) -> None:
    records = [record for batch in (1, 8, 64, 128) for record in realistic(batch=batch)]
    assert len(records) == 288
    assert render([make_run(records)], out=tmp_path / "report.html").stat().st_size < 1_500_000


def test_what_all_numbers_rest_on_comes_before_them_and_failures_after(tmp_path: Path) -> None:
    records = [make_record("a", samples=3), make_record("a", resolution=448, status="oom")]
    headings = of(tmp_path, records).within("h2", "h3")
    assert headings[-6:] == [
        "Warnings", "Protocol and precision", "To repeat it", "Explore", "All cells",
        "Failures and what was left out",
    ]  # fmt: skip
    calm = of(tmp_path, [make_record("a"), make_record("b")]).within("h2", "h3")
    assert {"Warnings", "Failures and what was left out"}.isdisjoint(calm)


def test_growth_of_more_than_eight_rows_is_folded(tmp_path: Path) -> None:
    def records(names: int) -> list[Record]:
        return [
            make_record(f"m{i}", resolution=size, latency=size**2 * 1e-8 * (i + 1))
            for i in range(names)
            for size in (224, 448, 896)
        ]

    few, many = of(tmp_path, records(8)), of(tmp_path, records(9))
    assert not any(text.startswith("Growth of") for text in few.within("summary"))
    assert "Growth of all 9, as exponents" in many.within("summary")
    assert sum("as a power of the tokens" in text for text in many.within("span")) == 1
    assert sum("as a power of the tokens" in text for text in few.within("span")) == 1
