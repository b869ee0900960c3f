"""Analyses on the page: what they say of weights, and that nothing is drawn of nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.analyse.analyses_page import RANDOM, part, render, section
from benchsuite.analyse.charts import FIGURES, attention_figure, paths_figure, spectrum_figure
from benchsuite.analyse.data import (
    Analyses,
    AttentionLayer,
    PathWeights,
    ReceptiveField,
    ScaleStatistics,
    Spectrum,
    SubjectAnalysis,
    Weights,
    read_analyses,
    write_analyses,
)
from benchsuite.errors import UsageError
from benchsuite.report import theme
from benchsuite.report.page import render as render_report
from benchsuite.report.svg import StyleSheet
from benchsuite.results.store import ANALYSES
from tests.report.synthetic import make_record, make_run

TRAINED = Weights(kind="file", file="hilo.pth", sha256="ab" * 32, mapping="ziplab/LITv2:LITv2")


def layer(path: str = "", **changes: object) -> AttentionLayer:
    fields: dict[str, object] = {
        "layer": path,
        "keys": 4,
        "entropy_nats": (0.7, 1.386),
        "entropy": (0.5, 1.0),
        "distance": (0.1, 0.5),
    }
    return AttentionLayer.model_validate(fields | changes)


def subject(**changes: object) -> SubjectAnalysis:
    fields: dict[str, object] = {
        "name": "hilo",
        "target": "hilo",
        "kind": "mixer",
        "resolution": (224, 224),
        "images": 2,
        "inputs": "normal noise, seed 0",
        "weights": Weights(kind="random", seed=7),
    }
    return SubjectAnalysis.model_validate(fields | changes)


FULL = subject(
    attention=(layer(branch="Hi-Fi"), layer(branch="Lo-Fi", keys=49)),
    spectra=(
        Spectrum(
            layer="",
            branch="Hi-Fi",
            grid=(4, 4),
            frequency=(0, 0.5, 1),
            amplitude=(3, None, 1),
            high_share=0.4,
        ),
        Spectrum(
            layer="", branch="Lo-Fi", grid=(4, 4), frequency=(0, 0.5, 1), amplitude=(3, 0, 0), high_share=None
        ),
    ),
    paths=(
        PathWeights(layer="a", attention=0.5, convolution=0.25),
        PathWeights(layer="b", attention=0, convolution=1),
    ),
    scales=(ScaleStatistics(layer="", channels=8, mean=0, std=0, low=0, high=0, ratio=None),),
    field=ReceptiveField(
        output="the mixer", unit="token", grid=(2, 3), map=((0, 0, 0), (0, 1, 0)), side_95=0.5
    ),
)


@pytest.mark.parametrize("title", FIGURES)
def test_every_figure_says_whose_weights_it_shows_on_itself_and_below(title: str) -> None:
    with theme.applied():
        for one, words in (
            (FULL, "random weights, seed 7"),
            (FULL.model_copy(update={"weights": TRAINED}), "hilo.pth"),
        ):
            drawing = FIGURES[title](one)
            assert drawing is not None
            assert any(words in text.get_text() for text in drawing.figure.texts)
            assert words in drawing.caption
            assert "normal noise, seed 0" in drawing.caption
            assert "hilo" in drawing.alt


@pytest.mark.parametrize("title", FIGURES)
def test_of_nothing_there_is_no_figure(title: str) -> None:
    assert FIGURES[title](subject()) is None


def test_the_marks_of_one_layer_are_its_heads_and_lines_join_the_means_of_several() -> None:
    with theme.applied():
        single = attention_figure(subject(attention=(layer(),)))
        several = attention_figure(subject(attention=(layer("a"), layer("b", entropy=(0.25, 0.75)))))
    assert single is not None
    assert several is not None
    assert single.figure.axes[0].get_xlabel() == "Head"
    assert list(single.figure.axes[0].lines[0].get_ydata()) == [0.5, 1.0]
    assert several.figure.axes[0].get_xlabel() == "Layer, in the order of execution"
    assert list(several.figure.axes[0].lines[-1].get_ydata()) == [0.75, 0.5]


def test_layers_of_two_kinds_stand_in_the_order_of_execution() -> None:
    turns = (layer("a"), layer("b", over="channels"), layer("c"), layer("d", over="channels"))
    with theme.applied():
        drawing = attention_figure(subject(attention=turns))
    assert drawing is not None
    means = [
        line
        for line in drawing.figure.axes[0].lines
        if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"
    ]
    assert [list(line.get_xdata()) for line in means] == [[1, 3], [2, 4]]


def test_a_layer_without_hifi_keeps_its_place_in_the_spectra() -> None:
    def spectrum(path: str, branch: str) -> Spectrum:
        return Spectrum(
            layer=path, branch=branch, grid=(2, 2), frequency=(0, 1), amplitude=(1, 1), high_share=0.5
        )

    found = (spectrum("a", "Lo-Fi"), spectrum("b", "Hi-Fi"), spectrum("b", "Lo-Fi"))
    with theme.applied():
        drawing = spectrum_figure(subject(spectra=found))
    assert drawing is not None
    assert [list(line.get_xdata()) for line in drawing.figure.axes[1].lines] == [[1, 2], [2]]


def test_keys_without_a_place_leave_a_panel_that_says_so() -> None:
    with theme.applied():
        drawing = attention_figure(subject(attention=(layer(over="channels", distance=None),)))
    assert drawing is not None
    assert [note.get_text() for note in drawing.figure.axes[1].texts] == ["keys have no place in the image"]


def test_the_logarithm_of_the_ratio_of_paths_is_missing_where_one_is_zero() -> None:
    with theme.applied():
        drawing = paths_figure(FULL)
    assert drawing is not None
    first, second = drawing.figure.axes[1].lines[0].get_ydata()
    assert first == pytest.approx(0.6931, abs=1e-4)  # ln(0.5 / 0.25)
    assert second != second


def test_random_weights_are_said_to_be_and_trained_ones_are_not() -> None:
    with theme.applied():
        untrained = part(Analyses(subjects=(FULL,)), "a", StyleSheet())
        trained = part(Analyses(subjects=(subject(weights=TRAINED),)), "a", StyleSheet())
        mixed = part(Analyses(subjects=(FULL, subject(name="other", weights=TRAINED))), "a", StyleSheet())
    assert untrained.warning == RANDOM
    assert trained.warning == ""
    assert mixed.warning == f"Of hilo: {RANDOM}"
    assert "names of ziplab/LITv2:LITv2, SHA-256 abababababab…" in trained.subjects[0].conditions


def test_the_table_has_a_row_for_each_attention_with_means_over_layers_and_heads() -> None:
    one = subject(attention=(layer("a"), layer("b", keys=9, entropy=(0, 0), distance=None)))
    with theme.applied():
        table = part(Analyses(subjects=(one, subject())), "a", StyleSheet()).attention
    assert table is not None
    (row,) = table.rows
    texts = [cell.text for cell in row.cells]
    assert texts[:4] == ["hilo", "over tokens", "2", "4 to 9"]
    assert texts[5:7] == ["0.375", "0.300"]  # (0.5 + 1 + 0 + 0) / 4 and (0.1 + 0.5) / 2


def test_analyses_are_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / ANALYSES
    write_analyses(Analyses(subjects=(FULL,)), path)
    assert read_analyses(path) == Analyses(subjects=(FULL,))
    assert [one.name for one in path.parent.iterdir()] == [ANALYSES]
    assert read_analyses(tmp_path / "none.json") is None


@pytest.mark.parametrize("text", ["{", '{"version": 2, "subjects": []}', '{"subjects": [{}]}'])
def test_a_file_that_holds_none_is_named_with_the_command_that_makes_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / ANALYSES
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"holds no analyses: .*`benchsuite analyse` makes it anew"):
        read_analyses(path)


def test_a_file_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be written"):
        write_analyses(Analyses(subjects=()), tmp_path / "file" / ANALYSES)


def test_the_report_of_a_run_has_a_section_where_its_folder_holds_analyses(tmp_path: Path) -> None:
    run = make_run([make_record()])
    object.__setattr__(run, "path", tmp_path)
    without = render_report([run], out=tmp_path / "a.html").read_text(encoding="utf-8")
    write_analyses(Analyses(subjects=(FULL,)), tmp_path / ANALYSES)
    within = render_report([run], out=tmp_path / "b.html").read_text(encoding="utf-8")
    assert "What the mixers do to an image" not in without
    assert within.count("What the mixers do to an image") == 1
    assert 'id="run1-analyses"' in within
    assert "These weights are random." in within


def test_names_and_notes_are_escaped(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>"
    one = FULL.model_copy(update={"name": bad, "inputs": bad, "notes": (bad,), "target": bad})
    text = render(Analyses(subjects=(one,)), tmp_path / "a.html").read_text(encoding="utf-8")
    assert bad not in text
    assert "&lt;script&gt;" in text


def test_a_run_without_analyses_has_no_section(tmp_path: Path) -> None:
    assert section(tmp_path, "a", StyleSheet()) == ""


def test_their_figures_are_written_with_those_of_the_run_under_names_of_their_own(tmp_path: Path) -> None:
    run = make_run([make_record()])
    object.__setattr__(run, "path", tmp_path)
    write_analyses(Analyses(subjects=(FULL, FULL)), tmp_path / ANALYSES)
    render_report([run], out=tmp_path / "a.html", figures=tmp_path / "figures")
    names = [path.stem for path in (tmp_path / "figures").glob("analysis-*.pdf")]
    assert len(names) == 2 * len(FIGURES)
    again = [name for name in names if name.endswith("-2")]
    assert len(again) == len(FIGURES)
    assert {name.removesuffix("-2") for name in again} == set(names) - set(again)
    assert any(name.startswith("analysis-effective-receptive-field-") for name in names)
