from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.scenario.validate import problems

from .documents import HEAD, KNOWN, read, told


def test_a_text_that_is_no_mapping_is_no_scenario() -> None:
    assert told("[a, b]", head="") == ['f.yaml:1:1\n  a scenario must be a mapping, got ["a", "b"]']


def test_a_text_that_is_no_yaml_has_no_other_mistakes() -> None:
    assert told("sweep: [\n", profiles=["x"], overrides=["a=1"]) == [
        "f.yaml:4:1\n  not valid YAML: expected the node content, but found '<stream end>', "
        "while parsing a flow node"
    ]


def test_a_name_must_be_fit_for_folders() -> None:
    assert told("name: Hilo α\ntitle: x\nsweep: {mixer: msa}", head="") == [
        'f.yaml:1:7  name\n  name must be lower-case letters, digits, - and _, got "Hilo α"'
    ]


def test_name_and_title_are_missed_and_the_rest_is_still_checked() -> None:
    assert told("sweep: {mixer: msa, stride: 15}", head="") == [
        "f.yaml:1:1  name\n  name is missing",
        "f.yaml:1:1  title\n  title is missing",
        "f.yaml:1:29  sweep.stride\n  resolution 224 is not divisible by stride 15",
    ]


def test_ten_mistakes_of_ten_kinds_are_reported_at_once_in_the_order_of_the_file() -> None:
    found = told(
        """
        titel: A study
        sweep:
          mixer:
            - hillo
            - {name: hilo, params: {window_sise: 2}}
            - {name: hilo, label: wide, params: {num_heads: 7}}
          resolution: [224, 225]
          batch: lots
          kernel: [math, mth]
        expect:
          - {where: "mixer=performer btch<2", status: oom, reason: r}
        report: {reference: HiLo}
        profiles:
          cpu: {sweep: {stride: 0}}
        batch: 4
        batch: 4
        """,
        head="name: s\ntitle: t\n",
    )
    assert [text.splitlines()[0] for text in found] == [
        "f.yaml:3:1  titel",
        "f.yaml:6:7  sweep.mixer[0]",
        "f.yaml:7:29  sweep.mixer[1].params.window_sise",
        "f.yaml:8:53  sweep.mixer[2].params.num_heads",
        "f.yaml:9:21  sweep.resolution[1]",
        "f.yaml:10:10  sweep.batch",
        "f.yaml:11:18  sweep.kernel[1]",
        "f.yaml:13:13  expect[0].where",
        "f.yaml:14:21  report.reference",
        "f.yaml:16:25  profiles.cpu.sweep.stride",
        "f.yaml:17:1  batch",
        "f.yaml:18:1  batch",
    ]


def test_what_is_wrong_by_itself_has_no_second_mistakes() -> None:
    # Neither the default dim nor the default stride is blamed, nor are there no cells.
    assert len(told("sweep: {mixer: msa, dim: wide, num_heads: 7, stride: [], resolution: 225}")) == 2
    assert len(told("sweep: {mixer: msa, resolution: 225}\nexclude: [{where: resolution=225}]")) == 1
    assert len(told("sweep: {mixer: msa}\nmeasure: {min_samples: 300, max_samples: many}")) == 1
    assert len(told("sweep: {mixer: [msa, {name: pool, label: 3}, {name: pool, label: 4}]}")) == 2


def test_only_cells_that_are_kept_can_clash() -> None:
    text = """
        sweep: {mixer: [msa, pool], resolution: [224, 225], dim: [384, 100]}
        exclude:
          - {where: resolution=225, reason: no grid}
          - {where: mixer=msa dim=100, reason: no heads}
        """
    assert told(text) == []  # pool has no heads, so that dim 100 is right for it


def test_an_exclusion_for_one_device_does_not_hide_a_clash_on_the_other() -> None:
    text = "sweep: {mixer: msa, resolution: 225}\nexclude: [{where: device=cpu, reason: r}]"
    assert [line.splitlines()[1] for line in told(text)] == ["  resolution 225 is not divisible by stride 16"]


def test_every_clash_of_an_axis_is_named() -> None:
    found = told("sweep: {mixer: msa, dim: [384, 100, 90], num_heads: [8, 12]}")
    assert [text.splitlines()[1] for text in found] == [
        "  num_heads 8 does not divide dim 100",
        "  num_heads 8 does not divide dim 90",
        "  num_heads 12 does not divide dim 100",
        "  num_heads 12 does not divide dim 90",
    ]


def test_a_filter_may_speak_of_a_mixer_that_a_profile_takes_away_or_brings() -> None:
    text = """
        sweep: {mixer: [msa, hilo]}
        exclude: [{where: "mixer=hilo,pool batch=64", reason: r}]
        profiles: {few: {sweep: {mixer: msa}}, other: {sweep: {mixer: pool}}}
        """
    assert told(text) == []
    assert told(text, profiles=["few"]) == []


def test_an_unknown_profile_is_named_with_the_nearest_one() -> None:
    text = "sweep: {mixer: msa}\nprofiles: {cpu: {}, quick: {}}"
    assert told(text, profiles=["quik"]) == [
        '--profile quik\n  unknown profile "quik"; did you mean "quick"?\n  allowed: cpu, quick'
    ]
    assert told("sweep: {mixer: msa}", profiles=["cpu"]) == [
        '--profile cpu\n  no profile "cpu": the scenario has no profiles'
    ]


def test_a_mistake_is_reported_once_however_many_profiles_share_it() -> None:
    text = "sweep: {mixer: msa, resolution: 225}\nprofiles: {a: {}, b: {measure: {seed: 1}}}"
    assert len(told(text, profiles=["a", "b"], overrides=["sweep.batch=2"])) == 1


def test_a_clash_of_two_profiles_names_both() -> None:
    text = """
        sweep: {mixer: msa}
        profiles:
          a: {sweep: {resolution: 240}}
          b: {sweep: {stride: 32}}
        """
    assert told(text) == []
    assert told(text, profiles=["b", "a"]) == [
        "f.yaml:5:27  profiles.a.sweep.resolution\n  resolution 240 is not divisible by stride 32"
    ]


def test_what_an_override_brings_out_elsewhere_says_so() -> None:
    assert told("sweep: {mixer: msa, resolution: 240}", overrides=["sweep.stride=32"]) == [
        "f.yaml:3:33  sweep.resolution\n"
        "  resolution 240 is not divisible by stride 32 (with --set sweep.stride=32)"
    ]


def test_any_mixer_of_ones_own_is_taken_as_it_is() -> None:
    scenario = read("sweep: {mixer: [{name: 'my.zoo:Mixer', params: {depth: 2}}], dim: 100}")
    assert (scenario.sweep.mixer[0].name, scenario.sweep.mixer[0].label) == ("my.zoo:Mixer", "Mixer")


KEYS = [
    "name", "title", "sweep", "mixer", "batch", "resolution", "kernel", "include", "exclude", "where",
    "reason", "expect", "status", "measure", "max_s", "metrics", "report", "profiles", "label", "params",
    "vary", "num_heads",
]  # fmt: skip
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 300)
    | st.floats(-1, 9)
    | st.sampled_from([*KEYS, "msa", "mixer=x"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(KEYS), below, max_size=4),
    max_leaves=20,
)
documents = st.fixed_dictionaries(
    {
        "sweep": st.fixed_dictionaries(
            {"mixer": st.just("msa") | junk}, optional={"batch": junk, "num_heads": junk}
        )
    },
    optional={
        key: junk | st.lists(st.dictionaries(st.sampled_from(KEYS), junk, max_size=3), max_size=2)
        for key in (
            "name",
            "title",
            "include",
            "exclude",
            "expect",
            "measure",
            "report",
            "profiles",
            "kernel",
        )
    },
)


@settings(deadline=None, max_examples=150)
@given(documents | junk)
def test_no_document_is_answered_in_jargon(document: Any) -> None:
    text = yaml.safe_dump(document, allow_unicode=True)
    for problem in problems(text, "f.yaml", KNOWN):
        assert "Input should" not in str(problem)
        assert "valid" not in problem.message
        assert (problem.line, problem.column) >= (1, 1)
        assert problem.line <= text.count("\n") + 1


def test_a_text_without_mistakes_has_no_problems() -> None:
    assert problems(HEAD + "sweep: {mixer: msa}", "f.yaml", KNOWN) == []
