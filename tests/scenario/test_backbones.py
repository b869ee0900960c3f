"""Networks in scenarios: what `subject: backbone` and `subject: block` sweep, and every mistake in them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence

import pytest

from benchsuite.results.cell import Cell
from benchsuite.scenario.expand import expand
from benchsuite.scenario.filters import parse
from benchsuite.scenario.model import Scenario
from benchsuite.scenario.schema import json_schema
from benchsuite.scenario.subjects import Catalogue, named
from benchsuite.scenario.validate import check, problems

from .documents import KNOWN


class Zoo(Catalogue):
    """Three mixers, a block and two networks."""

    blocks: Mapping[str, Sequence[str]] = {"ffn": ("ratio",)}
    backbones: Mapping[str, Sequence[str]] = {"lit_s": ("num_classes",), "swin_t": ("num_classes",)}

    def __getitem__(self, name: str) -> Sequence[str]:
        return {**KNOWN, **self.blocks}[name]

    def __iter__(self):  # type: ignore[no-untyped-def]  # as of any mapping
        return iter({**KNOWN, **self.blocks})

    def __len__(self) -> int:
        return len(KNOWN) + len(self.blocks)


ZOO = Zoo()
HEAD = "name: s\ntitle: A study\nsubject: backbone\n"


def told(text: str, head: str = HEAD) -> list[str]:
    return [str(problem) for problem in problems(head + textwrap.dedent(text).lstrip("\n"), "f.yaml", ZOO)]


def read(text: str, head: str = HEAD, overrides: Sequence[str] = ()) -> Scenario:
    body = head + textwrap.dedent(text).lstrip("\n")
    checked = check(body, "f.yaml", ZOO, overrides=overrides)
    assert checked.scenario, "\n".join(map(str, checked.problems))
    return checked.scenario


SWAPPED = """
    sweep:
      backbone:
        - lit_s
        - name: lit_s
          label: swapped
          params: {num_classes: 10}
          mixer: {stage4: msa, stage3: {params: {window_size: 2, alpha: 0.5}, name: hilo}}
        - {name: swin_t, vary: {num_classes: [10, 20]}, mixer: {all: {alternate: [msa, {name: pool}]}}}
      resolution: [225, [64, 96]]
      batch: 2
      kernel: [math, sdpa]
    """


def test_a_cell_of_a_network_has_pixels_and_no_width_or_heads_of_its_own() -> None:
    cells = expand(read(SWAPPED), device="cpu")
    assert len(cells) == 4 * 2 * 2
    assert {(c.subject, c.stride, c.dim, c.num_heads, c.batch) for c in cells} == {
        ("backbone", 1, None, None, 2)
    }
    assert {c.grid for c in cells} == {(225, 225), (64, 96)}
    assert [c.name for c in cells[:4]] == [
        "lit_s",
        "swapped",
        "swin_t num_classes=10",
        "swin_t num_classes=20",
    ]


def test_the_swap_is_part_of_the_cell_as_plain_data() -> None:
    cells = expand(read(SWAPPED), device="cpu")
    assert cells[0].config == {}
    assert cells[1].config == {
        "num_classes": 10,
        "mixer": {
            "stage3": {"name": "hilo", "params": {"alpha": 0.5, "window_size": 2}},
            "stage4": "msa",
        },
    }
    assert cells[2].config == {"num_classes": 10, "mixer": {"all": {"alternate": ["msa", "pool"]}}}
    assert json.loads(json.dumps(cells[1].config)) == cells[1].config
    assert len({cell.id for cell in cells}) == len(cells)


@pytest.mark.parametrize(
    "swap", ["{stage3: msa}", "{stage3: {name: msa}}", "{stage3: {name: msa, params: {}}}"]
)
def test_a_swap_has_one_form_and_one_id_however_it_is_written(swap: str) -> None:
    (cell,) = expand(read(f"sweep: {{backbone: {{name: lit_s, mixer: {swap}}}}}"), device="cpu")
    assert cell.config == {"mixer": {"stage3": "msa"}}
    assert cell.id == _only("sweep: {backbone: {name: lit_s, mixer: {stage3: msa}}}").id


def _only(text: str) -> Cell:
    (cell,) = expand(read(text), device="cpu")
    return cell


def test_a_scenario_of_networks_survives_json() -> None:
    scenario = read(SWAPPED)
    again = Scenario.from_dict(json.loads(json.dumps(scenario.to_dict())))
    assert again == scenario
    assert [c.id for c in expand(again, device="cpu")] == [c.id for c in expand(scenario, device="cpu")]


def test_a_block_is_swept_as_a_mixer_is() -> None:
    scenario = read("sweep: {mixer: ffn, dim: 64, num_heads: 4}", head="name: s\ntitle: t\nsubject: block\n")
    (cell,) = expand(scenario, device="cpu")
    assert (cell.subject, cell.target, cell.dim, cell.num_heads, cell.stride) == ("block", "ffn", 64, 4, 16)


def test_rules_and_includes_speak_of_backbones() -> None:
    scenario = read(
        """
        sweep: {backbone: [lit_s, {name: swin_t, label: Swin}], kernel: [math, sdpa]}
        include: [{backbone: Swin, resolution: 448, kernel: math}]
        exclude: [{where: backbone=lit_s kernel=sdpa, reason: no such kernel}]
        report: {reference: Swin}
        """
    )
    cells = expand(scenario, device="cpu")
    assert {(c.name, c.resolution[0], c.kernel) for c in cells} == {
        ("lit_s", 224, "math"),
        ("Swin", 224, "math"),
        ("Swin", 224, "sdpa"),
        ("Swin", 448, "math"),
    }


def test_no_order_of_widths_holds_for_a_network() -> None:
    cell = _only("sweep: {backbone: lit_s}")
    assert not parse("dim<=384").matches(cell)
    assert not parse("dim>384").matches(cell)
    assert parse("dim!=384 backbone=lit_s").matches(cell)


MISTAKES = {
    "an unknown network": (
        "sweep: {backbone: [lit_s, swin_tt]}",
        'f.yaml:4:27  sweep.backbone[1]\n  unknown backbone "swin_tt"; did you mean "swin_t"?\n'
        "  allowed: lit_s, swin_t",
    ),
    "a mixer for a network": (
        "sweep: {backbone: msa}",
        'f.yaml:4:19  sweep.backbone\n  unknown backbone "msa"\n  allowed: lit_s, swin_t',
    ),
    "an unknown stage": (
        "sweep: {backbone: {name: lit_s, mixer: {stge3: msa}}}",
        'f.yaml:4:41  sweep.backbone.mixer.stge3\n  unknown stage "stge3"; did you mean "stage3"?\n'
        "  allowed: all, stage1, stage2, stage3, stage4",
    ),
    "an unknown mixer in a stage": (
        "sweep: {backbone: {name: lit_s, mixer: {stage3: hillo}}}",
        'f.yaml:4:49  sweep.backbone.mixer.stage3\n  unknown mixer "hillo"; did you mean "hilo"?\n'
        "  allowed: msa, hilo, pool, ffn",
    ),
    "an unknown layout of a mixer in a stage": (
        "sweep: {backbone: {name: lit_s, mixer: {stage3: {name: hilo, layout: NCWH}}}}",
        "f.yaml:4:49  sweep.backbone.mixer.stage3\n"
        "  stage3 must be a mixer whose layout is one of BNC, NCHW, NHWC, got "
        '{"name": "hilo", "layout": "NCWH"}',
    ),
    "an unknown mixer that alternates": (
        "sweep: {backbone: {name: lit_s, mixer: {stage3: {alternate: [msa, pol]}}}}",
        'f.yaml:4:67  sweep.backbone.mixer.stage3.alternate[1]\n  unknown mixer "pol"; did you mean "pool"?\n'
        "  allowed: msa, hilo, pool, ffn",
    ),
    "an unknown parameter of a mixer in a stage": (
        "sweep: {backbone: {name: lit_s, mixer: {stage3: {name: hilo, params: {alhpa: 1}}}}}",
        "f.yaml:4:71  sweep.backbone.mixer.stage3.params.alhpa\n"
        '  unknown parameter of mixer "hilo"; did you mean "alpha"?\n'
        "  allowed: alpha, num_heads, window_size",
    ),
    "the width of a mixer in a stage": (
        "sweep: {backbone: {name: lit_s, mixer: {stage3: {name: hilo, params: {dim: 1}}}}}",
        "f.yaml:4:71  sweep.backbone.mixer.stage3.params.dim\n  dim is given by the network, not a parameter",
    ),
    "a stage that holds no mixer": (
        "sweep: {backbone: [{name: lit_s, mixer: {stage3: 4}}]}",
        "f.yaml:4:50  sweep.backbone[0].mixer.stage3\n"
        "  stage3 must be a mixer's name, {name, params, call, layout} or {alternate: [...]} of such, got 4",
    ),
    "stages that are no mapping": (
        "sweep: {backbone: [{name: lit_s, mixer: msa}]}",
        'f.yaml:4:41  sweep.backbone[0].mixer\n  mixer must be a mapping of stages to mixers, got "msa"',
    ),
    "an unknown parameter of a network": (
        "sweep: {backbone: {name: lit_s, params: {num_clases: 10}}}",
        'f.yaml:4:42  sweep.backbone.params.num_clases\n  unknown parameter of backbone "lit_s"; '
        'did you mean "num_classes"?\n  allowed: num_classes',
    ),
    "an axis as a parameter": (
        "sweep: {backbone: {name: lit_s, params: {resolution: 10}}}",
        "f.yaml:4:42  sweep.backbone.params.resolution\n"
        "  resolution is an axis, not a parameter; write sweep.resolution",
    ),
    "a width": (
        "sweep: {backbone: lit_s, dim: 384}",
        "f.yaml:4:26  sweep.dim\n  dim is no axis of a backbone, whose stages fix it",
    ),
    "heads in an include": (
        "sweep: {backbone: lit_s}\ninclude: [{num_heads: 3}]",
        "f.yaml:5:12  include[0].num_heads\n  num_heads is no axis of a backbone, whose stages fix it",
    ),
    "mixers to compare": (
        "sweep: {mixer: msa}",
        'f.yaml:4:9  sweep.mixer\n  a scenario with "subject: backbone" names a backbone, not a mixer; '
        "write backbone",
    ),
    "nothing to compare": ("sweep: {batch: 1}", "f.yaml:4:1  sweep.backbone\n  backbone is missing"),
    "an empty entry": (
        "sweep:\n  backbone:\n",
        "f.yaml:5:12  sweep.backbone\n  backbone must be one value or a list of at least one, got nothing",
    ),
    "an entry that is a number": (
        "sweep: {backbone: [3]}",
        "f.yaml:4:20  sweep.backbone[0]\n"
        "  backbone must be a backbone's name or a mapping with a name, got 3",
    ),
    "an unknown key of an entry": (
        "sweep: {backbone: [{name: lit_s, mixr: {}}]}",
        'f.yaml:4:34  sweep.backbone[0].mixr\n  unknown key "mixr"; did you mean "mixer"?\n'
        "  allowed: name, label, call, layout, inputs, params, vary, mixer",
    ),
    "two of one name": (
        "sweep: {backbone: [lit_s, {name: lit_s, mixer: {all: msa}}]}",
        "f.yaml:4:27  sweep.backbone[1]\n"
        '  two backbones are labelled "lit_s"; give one of them another label',
    ),
    "a function that is no dotted name": (
        'sweep: {backbone: "my-nets:tiny"}',
        'f.yaml:4:19  sweep.backbone\n  "my-nets:tiny" is not of the form package.module:function',
    ),
    "a filter for a network that is not there": (
        "sweep: {backbone: lit_s}\nexclude: [{where: backbone=swin_t, reason: no}]",
        'f.yaml:5:19  exclude[0].where\n  no network of this scenario is called "swin_t"\n  allowed: lit_s',
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_place(mistake: str) -> None:
    text, expected = MISTAKES[mistake]
    assert told(text) == [expected]


NETWORKS = "sweep: {backbone: [lit_s, swin_t]}\n"


def test_a_network_is_a_bare_word_like_a_mixer() -> None:
    (only,) = read(NETWORKS, overrides=["sweep.backbone=swin_t"]).sweep.backbone
    assert only.name == "swin_t"
    listed = read(NETWORKS, overrides=["sweep.backbone=[swin_t, lit_s]"]).sweep.backbone
    assert [entry.name for entry in listed] == ["swin_t", "lit_s"]
    first, second = read(
        NETWORKS, overrides=["sweep.backbone[0].params.num_classes=10", "sweep.backbone[1].label=Swin"]
    ).sweep.backbone
    assert (first.name, dict(first.params)) == ("lit_s", {"num_classes": 10})
    assert (second.name, second.label) == ("swin_t", "Swin")


def test_a_mixer_of_a_stage_can_be_given_parameters_where_it_is_a_bare_word() -> None:
    text = "sweep: {backbone: {name: lit_s, mixer: {stage3: hilo}}}\n"
    (only,) = read(text, overrides=["sweep.backbone.mixer.stage3.params.alpha=0.5"]).sweep.backbone
    assert only.mixer["stage3"] == {"name": "hilo", "params": {"alpha": 0.5}}
    text = "sweep: {backbone: [{name: lit_s, mixer: {stage3: {alternate: [msa, hilo]}}}]}\n"
    override = "sweep.backbone[0].mixer.stage3.alternate[1].params.alpha=0.5"
    (only,) = read(text, overrides=[override]).sweep.backbone
    assert only.mixer["stage3"] == {"alternate": ["msa", {"name": "hilo", "params": {"alpha": 0.5}}]}


def test_a_mixer_scenario_names_no_backbone_and_a_block_scenario_only_blocks() -> None:
    head = "name: s\ntitle: A study\n"
    assert told("sweep: {backbone: lit_s}", head) == [
        "f.yaml:3:9  sweep.backbone\n"
        '  a scenario with "subject: mixer" names a mixer, not a backbone; write mixer'
    ]
    assert told("subject: block\nsweep: {mixer: msa}", head) == [
        'f.yaml:4:16  sweep.mixer\n  unknown block "msa"\n  allowed: ffn'
    ]


def test_a_network_of_ones_own_may_have_stages_and_parameters_of_its_own() -> None:
    text = 'sweep: {backbone: {name: "my.nets:tiny", params: {depth: 3}, mixer: {neck: msa}}}'
    assert _only(text).config == {"depth": 3, "mixer": {"neck": "msa"}}


def test_a_plain_mapping_knows_mixers_only() -> None:
    assert named(KNOWN, "mixer") is KNOWN
    assert named(KNOWN, "backbone") == named(KNOWN, "block") == {}


def test_the_schema_offers_the_networks_and_asks_for_the_axis_of_the_subject() -> None:
    schema = json_schema(ZOO)
    assert schema["$defs"]["BackboneName"]["anyOf"][0]["enum"] == ["lit_s", "swin_t"]
    asked = {
        rule["then"]["properties"]["sweep"]["required"][0]: rule["if"]["properties"]["subject"]["enum"]
        for rule in schema["allOf"]
    }
    assert asked == {"mixer": ["mixer", "block"], "backbone": ["backbone"]}


def test_the_size_of_a_stage_is_one_parameter_on_the_command_line_too() -> None:
    text = "sweep: {backbone: [{name: 'my:net', params: {depths: [1, 2]}}]}"
    scenario = read(text, overrides=["sweep.backbone[0].params.stage2.dim=48"])
    (cell,) = expand(scenario, device="cpu")
    assert cell.config == {"depths": [1, 2], "stage2.dim": 48}


def test_a_mixer_in_a_stage_may_say_how_it_is_called() -> None:
    said = "{layout: NCHW, call: null, name: 'my_layers:Gate'}"
    swaps = f"{{stage3: {said}, stage4: {{alternate: [msa, {said}]}}}}"
    (cell,) = expand(read(f"sweep: {{backbone: [{{name: lit_s, mixer: {swaps}}}]}}"), device="cpu")
    gate = {"name": "my_layers:Gate", "layout": "NCHW"}
    assert cell.config["mixer"] == {"stage3": gate, "stage4": {"alternate": ["msa", gate]}}
