"""A shell line becomes a scenario, or an error that names the word."""

from __future__ import annotations

import pytest

from benchsuite.errors import UsageError
from benchsuite.scenario.expand import expand
from benchsuite.scenario.shorthand import ShellLine, option, scenario, to_yaml
from benchsuite.scenario.validate import check
from benchsuite.zoo.catalogue import known_parameters

MIXERS = ("hilo", "msa", "window")
BACKBONES = ("litv2_s", "swin_t")


def test_names_and_axes_are_those_of_the_line() -> None:
    line = ShellLine(
        ("hilo", "msa"), {"resolution": "224,448", "batch": "8", "dtype": ""}, ("hilo.alpha=0.9",)
    )
    document = scenario(line, MIXERS, BACKBONES)
    assert document["sweep"] == {
        "mixer": [{"name": "hilo", "vary": {"alpha": [0.9]}}, "msa"],
        "resolution": [224, 448],
        "batch": 8,
    }


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("sweep.mixer[0].vary.alfa", "--params hilo.alfa"),
        ("sweep.mixer[0].vary.alpha[1]", "--params hilo.alpha"),
        ("sweep.resolution[1]", "--resolution"),
        ("sweep.num_heads", "--heads"),
        ("sweep.mixer[1]", None),
        ("sweep.mixer[0].name", None),
        ("measure.max_s", None),
    ],
)
def test_a_mistake_is_placed_at_the_option_that_it_came_from(path: str, said: str | None) -> None:
    line = ShellLine(("hilo", "msa"), {"resolution": "224,448"}, ("hilo.alfa=0.5,0.9",))
    assert option(path, scenario(line, MIXERS, BACKBONES)) == said


def test_parameters_take_several_values_and_lists() -> None:
    line = ShellLine(("litv2_s",), params=("litv2_s.depths=[2, 2, 6, 2]", "litv2_s.stage3.dim=192,384"))
    (entry,) = scenario(line, MIXERS, BACKBONES)["sweep"]["backbone"]
    assert entry["vary"] == {"depths": [[2, 2, 6, 2]], "stage3.dim": [192, 384]}


def test_an_own_class_is_named_in_params_as_tables_name_it_or_whole() -> None:
    for text in ("Mine.x=1", "my.layers:Mine.x=1"):
        (entry,) = scenario(ShellLine(("my.layers:Mine",), params=(text,)), MIXERS, BACKBONES)["sweep"][
            "mixer"
        ]
        assert entry == {"name": "my.layers:Mine", "vary": {"x": [1]}}
    two = ShellLine(("my.layers:Mine", "your.layers:Mine"), params=("Mine.x=1",))
    with pytest.raises(UsageError, match=r'--params Mine\.x=1: write .* as "my\.layers:Mine\.…=…"'):
        scenario(two, MIXERS, BACKBONES)


@pytest.mark.parametrize(
    "line",
    [
        ShellLine(("hilo", "my.layers:Mine"), {"kernel": "math,sdpa", "dim": "96", "num_heads": "3"}),
        ShellLine(("litv2_s", "timm:resnet50", "swin_t"), {"resolution": "224"}),
        ShellLine(("my.nets:net",), {"dtype": "fp32"}, networks=True),
        ShellLine(("timm:resnet50", "torchvision:resnet50")),
        ShellLine(
            ("hilo", "my.layers:Mine", "swin_t"), {"dim": "96,192", "num_heads": "3"}, ("hilo.alpha=0.5",)
        ),
    ],
)
def test_what_is_written_is_a_scenario_without_mistakes(line: ShellLine) -> None:
    text = to_yaml(scenario(line, MIXERS, BACKBONES))
    checked = check(text, "mine.yaml", known_parameters(installed=False))
    assert checked.problems == ()
    assert checked.scenario is not None
    assert [entry.name for entry in checked.scenario.sweep.entries] == list(line.names)


def test_a_mixer_and_a_network_are_cells_of_their_own_kind() -> None:
    line = ShellLine(("swin_t", "hilo"), {"resolution": "224", "dim": "96,192", "num_heads": "3"})
    text = to_yaml(scenario(line, MIXERS, BACKBONES))
    checked = check(text, "mine.yaml", known_parameters(installed=False)).scenario
    assert checked is not None
    assert [(cell.subject, cell.name, cell.grid, cell.dim) for cell in expand(checked, device="cpu")] == [
        ("mixer", "hilo", (14, 14), 96),
        ("backbone", "swin_t", (224, 224), None),
        ("mixer", "hilo", (14, 14), 192),
    ]


@pytest.mark.parametrize(
    ("others", "networks", "axis"),
    [
        ((), False, "mixer"),
        ((), True, "backbone"),
        (("hilo",), False, "mixer"),
        (("swin_t",), False, "backbone"),
        (("swin_t", "hilo"), False, "mixer"),
    ],
)
def test_an_own_class_is_a_network_where_all_others_are(
    others: tuple[str, ...], networks: bool, axis: str
) -> None:
    line = ShellLine(("my.layers:Mine", *others), networks=networks)
    assert "my.layers:Mine" in scenario(line, MIXERS, BACKBONES)["sweep"][axis]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (ShellLine(("hillo",)), ["hillo", 'did you mean "hilo"?']),
        (ShellLine(("hilo",), params=("msa.qkv_bias=false",)), ["--params msa.qkv_bias=false", "hilo."]),
        (ShellLine(("hilo",), params=("hilo.alpha",)), ["NAME.PARAMETER=VALUE"]),
    ],
)
def test_a_wrong_line_names_the_word(line: ShellLine, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        scenario(line, MIXERS, BACKBONES)
    for word in words:
        assert word in str(caught.value)
