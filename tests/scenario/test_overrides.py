from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.scenario.overrides import merge
from benchsuite.scenario.yaml_tree import grown

from .documents import read, told

TEXT = """
    sweep:
      mixer: [msa, {name: hilo, params: {window_size: 2}}]
      batch: [1, 64]
    measure: {warmup_s: 0.1, max_s: 2.0, seed: 7}
    profiles:
      cpu: {sweep: {batch: 4}, measure: {max_s: 1.0}}
      quick: {measure: {max_s: 0.1}, sweep: {mixer: [msa]}}
    """


def test_profiles_merge_mappings_and_replace_everything_else() -> None:
    scenario = read(TEXT, profiles=["cpu"])
    assert scenario.sweep.batch == (4,)
    assert [entry.name for entry in scenario.sweep.mixer] == ["msa", "hilo"]
    assert (scenario.measure.max_s, scenario.measure.seed) == (1.0, 7)
    assert scenario.applied == ("cpu",)
    assert scenario.profiles == ("cpu", "quick")


def test_a_later_profile_wins() -> None:
    one, other = read(TEXT, profiles=["cpu", "quick"]), read(TEXT, profiles=["quick", "cpu"])
    assert (one.measure.max_s, other.measure.max_s) == (0.1, 1.0)
    assert one.sweep == other.sweep
    assert [entry.name for entry in one.sweep.mixer] == ["msa"]


def test_overrides_win_over_profiles_and_are_kept_as_written() -> None:
    scenario = read(
        TEXT, profiles=["cpu"], overrides=["measure.max_s=9", "sweep.batch=[2, 8]", "report.reference=msa"]
    )
    assert (scenario.measure.max_s, scenario.sweep.batch, scenario.report.reference) == (9.0, (2, 8), "msa")
    assert scenario.overrides == ("measure.max_s=9", "sweep.batch=[2, 8]", "report.reference=msa")


def test_a_mixer_can_be_given_parameters_even_where_it_is_a_bare_word() -> None:
    overrides = [
        "sweep.mixer[0].params.qkv_bias=false",
        "sweep.mixer[1].params.alpha=0.5",
        "sweep.mixer[0].label=M=1",
    ]
    first, second = read(TEXT, overrides=overrides).sweep.mixer
    assert (first.name, first.label, first.params) == ("msa", "M=1", {"qkv_bias": False})
    assert second.params == {"window_size": 2, "alpha": 0.5}


def test_a_single_bare_word_can_be_given_parameters() -> None:
    (only,) = read("sweep: {mixer: hilo}", overrides=["sweep.mixer.params.alpha=0.5"]).sweep.mixer
    assert (only.name, only.params) == ("hilo", {"alpha": 0.5})


ROOT = "name, title, question, subject, sweep, include, exclude, expect, claims, measure, gate, report"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("swep.batch=3", f'swep\n  unknown key "swep"; did you mean "sweep"?\n  allowed: {ROOT}'),
        ("sweep.btch=3",
         'sweep.btch\n  unknown key "btch"; did you mean "batch"?\n'
         '  allowed: mixer, backbone, resolution, stride, batch, dim, '
         "num_heads, dtype, mode, kernel, device,\n"
         "    memory_format, compile, cache, protocol, threads, allocator"),
        ("sweep.batch=none", 'sweep.batch\n  batch must be a positive whole number, got "none"'),
        ("sweep.batch=", "sweep.batch\n  batch must be a positive whole number, got nothing"),
        ("sweep.batch=[1, x]", 'sweep.batch[1]\n  batch must be a positive whole number, got "x"'),
        ("sweep.batch=[1", "sweep.batch\n"
         "  not valid YAML: expected ',' or ']', but got '<stream end>', while "
         "parsing a flow sequence"),
        ("sweep.mixer[2]=msa", "sweep.mixer[2]\n  sweep.mixer has 2 entries, counted from 0"),
        ("sweep.mixer[0].params.alpha=1",
         'sweep.mixer[0].params.alpha\n  unknown parameter of mixer "msa"\n'
         "  allowed: attn_drop, num_heads, qkv_bias"),
        ("sweep[0]=1", "sweep[0]\n  sweep is not a list"),
        ("title.x=1", "title.x\n  title is not a mapping"),
        ("sweep.batch[1].x.y=1", "sweep.batch[1].x.y\n  sweep.batch[1] is not a mapping"),
        ("sweep.batch[0].x=1", "sweep.batch[0].x\n  sweep.batch[0] is not a mapping"),
        ("profiles.cpu.sweep.batch=2",
         "profiles.cpu.sweep.batch\n  profiles are applied before --set; set the key itself"),
        ("sweep.dim=100", "sweep.dim\n  num_heads 12 does not divide dim 100"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_named_by_its_option(override: str, expected: str) -> None:
    assert told(TEXT, overrides=[override]) == [f"--set {override}  {expected}"]


@pytest.mark.parametrize("text", ["sweep.batch", "=3", "sweep..batch=3", "sweep batch=3", ""])
def test_an_override_of_another_form_is_refused_with_an_example(text: str) -> None:
    example = "sweep.batch=64 or sweep.mixer[0].params.alpha=0.5"
    (found,) = told(TEXT, overrides=[text])
    assert found == f"--set {text}\n  not of the form path=value; write for example {example}".replace(
        " \n", "\n"
    )


def test_mistakes_of_the_command_line_come_after_those_of_the_file() -> None:
    found = told("sweep: {mixer: msa, batch: 0}", profiles=["x"], overrides=["a=1", "sweep.stride=0"])
    assert [text.split("  ")[0].split("\n")[0] for text in found] == [
        "f.yaml:3:28",
        "--profile x",
        "--set a=1",
        "--set sweep.stride=0",
    ]


values = st.recursive(
    st.integers(0, 9) | st.none(),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.sampled_from("abc"), below, max_size=3),
    max_leaves=8,
)


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """What replaces and does not merge, with its path."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    else:
        yield path, value


@given(values, values)
def test_everything_that_is_laid_over_is_there_and_nothing_else_changes(a: object, b: object) -> None:
    base, over = grown({"x": a}, "f"), grown({"x": b}, "f")
    merged, laid = list(leaves(merge(base, over).plain())), list(leaves(over.plain()))
    assert all(leaf in merged for leaf in laid)
    assert all(leaf in laid or leaf in list(leaves(base.plain())) for leaf in merged)


@given(values)
def test_merging_a_document_over_itself_or_with_nothing_changes_nothing(value: object) -> None:
    node = grown({"x": value}, "f")
    assert merge(node, node).plain() == merge(node, grown({}, "f")).plain() == node.plain()
