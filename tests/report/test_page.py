"""The page as a whole: complete, self-contained, escaped, the same every time."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchsuite.report.page import render
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
FEW = realistic((224, 448), names=("msa", "hilo"))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of a usual run."""
    return of(tmp_path_factory.mktemp("usual"), REALISTIC)


def test_the_page_has_its_sections_in_order(usual: Page) -> None:
    assert usual.within("h1", "h2", "h3") == [
        "HiLo against the attention of its time",
        "Answer",
        "Figure 1. MACs against speed",
        "Figures",
        "Figure 2. Growth with resolution",
        "Figure 3. Speed relative to the reference",
        "Numbers",
        "More figures",
        "Fused kernels against math",
        "Memory breakdown",
        "Method",
    ]
    assert usual.within("summary") == [
        "Fused kernels against math", "Memory breakdown",
        "5 cells without a number", "How it was measured", "Names and their arguments",
        "Machine and software",
        "Repeat it",
    ]  # fmt: skip
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
    assert len(images) >= 5
    assert all(image["role"] == "graphics-document" and len(image["aria-label"]) > 40 for image in images)
    assert len(usual.within("figcaption")) >= 5


def test_tables_have_captions_and_scopes(usual: Page) -> None:
    tables = [tag for tag, _ in usual.tags].count("table")
    assert tables == [tag for tag, _ in usual.tags].count("caption") == 3
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
        ([make_record()], ["MACs against speed", "Growth with resolution", "Fused kernels against math"]),
        ([make_record("a"), make_record("b")], ["Growth with resolution", "Fused kernels against math"]),
        (
            [make_record("a", status="oom", macs=None)],
            ["MACs against speed", "Growth with resolution", "Figures"],
        ),
    ],
)
def test_a_section_without_data_is_absent(tmp_path: Path, records: list[Record], missing: list[str]) -> None:
    headings = of(tmp_path, records).within("h2", "h3")
    assert not [one for one in missing for heading in headings if heading.endswith(one)]
    assert "Numbers" in headings


def test_a_run_in_which_all_cells_failed_says_so(tmp_path: Path) -> None:
    records = [make_record(n, resolution=r, status="oom", macs=None) for n in "ab" for r in (224, 448)]
    found = of(tmp_path, records)
    assert "4 of 4 cells gave no number: 4 OOM (a and b)." in found.within("p")
    assert found.figures == []


def test_an_empty_run_renders(tmp_path: Path) -> None:
    found = of(tmp_path, [])
    assert "The run holds no records." in found.within("p")
    assert "Numbers" not in found.within("h2")


def test_a_bare_scenario_and_an_unknown_machine_render(tmp_path: Path) -> None:
    run = Run(path=tmp_path / "my-run", scenario={}, environment={}, records=(make_record(),))
    found = page(tmp_path, run)
    assert found.within("h1") == ["my-run"]
    assert not found.within("pre", "code")[0].startswith("benchsuite run hilo")


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    run = make_run(realistic((224, 896), names=("msa", "hilo", "performer")))
    assert page(tmp_path / "a", run).source == page(tmp_path / "b", run).source


def test_groups_that_cannot_be_compared_are_folded_each_with_its_answer(tmp_path: Path) -> None:
    records = [make_record(n, batch=b, resolution=r) for n in "ab" for b in (1, 64) for r in (224, 448)]
    found = of(tmp_path, records)
    assert found.within("h2", "h3").count("Figure 1. MACs against speed") == 1
    (fold,) = [title for title in found.within("summary") if title.startswith("batch")]
    assert fold == "batch 64"
    answers = [text for text in found.within("p") if "at 224 and 448 px" in text]
    assert len(answers) >= 2


def test_several_runs_come_one_after_the_other(tmp_path: Path) -> None:
    found = page(tmp_path, make_run([make_record()], title="One"), make_run([make_record()], title="Two"))
    assert found.within("h1") == ["Run B (runs/hilo) against A (runs/hilo)", "One", "Two"]
    assert found.within("title")[0] == "One · Two"
    assert {"#run1", "#run2"} <= set(found.attributes("href"))


def test_the_scenario_chooses_the_sections(tmp_path: Path) -> None:
    found = of(tmp_path, FEW, report={"sections": ["kernels", "scatter"]})
    headings = found.within("h2", "h3")
    assert "Figure 1. MACs against speed" in headings
    assert "Fused kernels against math" in headings
    assert {"Numbers", "Memory breakdown"}.isdisjoint(headings)
    assert not any("Growth" in heading for heading in headings)
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


def test_a_page_of_networks_speaks_of_networks(tmp_path: Path) -> None:
    found = of(tmp_path, SWAPPED, subject="backbone")
    of_mixers = [text for _, text in found.text if "mixer" in text.lower()]
    assert of_mixers == ["Mixers of its stages"]
    assert all("mixer" not in label.lower() for label in found.attributes("aria-label"))
    assert found.within("th").count("Network") == 2  # all numbers, and what the names stand for


def test_a_page_of_mixers_speaks_of_mixers(usual: Page) -> None:
    assert usual.within("th").count("Mixer") == 2
    assert not [text for _, text in usual.text if "network" in text.lower()]


def test_a_page_of_both_speaks_of_both(tmp_path: Path) -> None:
    found = of(tmp_path, [make_record("MSA"), make_network("LITv2-S", device="cuda", batch=64)])
    assert "Mixer or network" in found.within("th")


def test_what_was_measured_alone_is_called_by_its_noun(tmp_path: Path) -> None:
    for noun, record in (
        ("network", make_network()), ("mixer", make_record()), ("block", make_record(subject="block")),
    ):  # fmt: skip
        alone = f"A single {noun} was measured, so there is nothing to compare"
        assert any(text.startswith(alone) for text in of(tmp_path, [record]).within("p"))


def test_the_answer_comes_before_any_figure_and_claims_after(tmp_path: Path) -> None:
    claim = {
        "id": "A",
        "says": "x",
        "source": "y",
        "metric": "macs",
        "subject": "HiLo",
        "against": "MSA",
        "expect": "lower",
    }
    source = of(tmp_path, SWAPPED, claims=[claim]).source
    places = [
        source.index(text) for text in (">Answer</h2>", "Figure 1.", "Figure 2.", "<h2>Claims", "<h2>Numbers")
    ]
    assert places == sorted(places)


def test_the_words_of_the_question_are_those_of_the_sweep(tmp_path: Path) -> None:
    question = "What do 768 channels cost at 224 pixels?"
    run = make_run(FEW, question=question, sweep={"dim": [256], "resolution": [[224, 224], [448, 448]]})
    assert "What do 256 channels cost at 224 pixels?" in page(tmp_path, run).within("p")


def test_a_figure_over_a_parameter_stands_first_where_a_run_is_about_it(tmp_path: Path) -> None:
    alphas = [
        make_record(f"HiLo alpha={a}", config={"alpha": a}, macs=10**9 + int(a * 1e8))
        for a in (0.1, 0.5, 0.9)
    ]
    assert "Figure 1. Over α" in of(tmp_path, alphas).within("h3")
    others = [*alphas, make_record("msa", target="msa")]
    assert "Figure 1. MACs against speed" in of(tmp_path, others).within("h3")


def test_contents_name_every_part_that_there_is(usual: Page) -> None:
    links = [
        attrs["href"]
        for tag, attrs in usual.tags
        if tag == "a" and attrs.get("href", "").startswith("#run1-")
    ]
    assert links[:5] == ["#run1-answer", "#run1-figures", "#run1-numbers", "#run1-more", "#run1-method"]
    assert usual.within("a")[0] == "Skip to content"


def test_tooltips_tell_all_about_a_cell(tmp_path: Path) -> None:
    records = [make_record("a", latency=0.0123, noise=0.05), make_record("b")]
    found = of(tmp_path, records)
    assert "a, 224 px, math: 12.3 ms [12.0, 12.6], 5,203 images/s, 1 G MACs, 100 MiB" in found.within("title")


def test_figures_are_written_for_papers_under_names_that_speak(tmp_path: Path) -> None:
    records = [make_record(n, batch=b) for n in "ab" for b in (1, 64)]
    render([make_run(records)], out=tmp_path / "report.html", figures=tmp_path / "figures")
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        f"{name}-batch-{batch}.{format}"
        for name in ("macs-vs-throughput", "memory-breakdown", "relative-speed")
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
