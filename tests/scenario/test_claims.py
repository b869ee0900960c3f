"""Claims in a scenario: how they are written, what can be wrong, and that those we ship are testable."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from benchsuite.errors import ScenarioError
from benchsuite.findings.claims import judge
from benchsuite.results.cell import Cell
from benchsuite.results.metrics import measured_cells
from benchsuite.scenario.claim_model import Claim, pairing, stored_claims
from benchsuite.scenario.load import shipped
from benchsuite.scenario.model import Scenario
from benchsuite.scenario.schema import json_schema
from tests.report.synthetic import make_record
from tests.shipped import cells_of, scenario

from .documents import KNOWN, read, told

SWEEP = """
    sweep:
      mixer:
        - {name: msa, label: MSA}
        - {name: hilo, label: HiLo, vary: {alpha: [0.5, 0.9]}}
      resolution: [224, 448]
      kernel: [math, sdpa]
    """
"""Lines 3 to 8 of a text; the first claim is in line 10."""

FIELDS = {
    "id": "L1",
    "says": "it is so",
    "source": "a table",
    "metric": "throughput",
    "subject": "MSA",
    "against": '"HiLo alpha=0.5"',
    "expect": "higher",
}


def claiming(*claims: dict[str, Any], more: str = "") -> str:
    """A scenario with these claims, each in a line of its own from line 10 on, over `FIELDS`."""
    lines = []
    for claim in claims:
        fields = {key: value for key, value in (FIELDS | claim).items() if value is not None}
        lines.append(f"      - {{{', '.join(f'{key}: {value}' for key, value in fields.items())}}}")
    return SWEEP.rstrip() + "\n    claims:\n" + "".join(f"    {line}\n" for line in lines) + more


def mistakes(*claims: dict[str, Any], more: str = "") -> list[str]:
    return told(claiming(*claims, more=more))


def mistake(**claim: Any) -> str:
    """The only mistake of a claim, its place without the column."""
    (text,) = mistakes(claim)
    place, _, rest = text.partition("  ")
    assert place.startswith("f.yaml:10:")
    return rest


def claim_of(**claim: Any) -> Claim:
    (found,) = read(claiming(claim)).claims
    return found


@pytest.mark.parametrize(
    ("written", "band"),
    [
        ("higher", (1, math.inf)),
        ("lower", (-math.inf, 1)),
        ("{ratio_above: 1.05}", (1.05, math.inf)),
        ("{ratio_below: 0.9}", (-math.inf, 0.9)),
        ("{ratio_above: 0.9, ratio_below: 1.1}", (0.9, 1.1)),
    ],
)
def test_every_way_to_write_what_is_expected_is_a_band(written: str, band: tuple[float, float]) -> None:
    assert claim_of(expect=written).expect.band == band


def test_a_published_size_is_one_or_several_and_its_ratio_may_be_left_out() -> None:
    one = claim_of(published="{subject: 5104, against: 4403, unit: images/s, conditions: RTX 3090}")
    assert one.published is not None
    assert math.isclose(one.published[0].size, 5104 / 4403)
    two = claim_of(published="[{ratio: 1.5, conditions: a}, {ratio: 1.6, conditions: b}]")
    assert [printed.size for printed in two.published or ()] == [1.5, 1.6]
    assert claim_of().published is None


def test_claims_survive_json() -> None:
    published = "{subject: 5104, against: 4403, unit: images/s, ratio: 1.16, conditions: RTX 3090}"
    claim = {"published": published, "where": "tokens=196", "device": "cuda", "expect": "{ratio_above: 1.1}"}
    scenario = read(claiming(claim, {"id": "L2"}))
    stored = json.loads(json.dumps(scenario.to_dict()))
    assert Scenario.from_dict(stored) == scenario
    assert stored_claims(stored) == scenario.claims


def test_a_run_of_a_version_without_claims_has_none() -> None:
    assert stored_claims({"name": "old"}) == ()


def test_stored_claims_that_are_none_are_refused_by_the_name_of_their_file() -> None:
    with pytest.raises(ScenarioError, match=r"^run/scenario.json  claims\[0\].says\n  says is missing"):
        stored_claims({"claims": [{"id": "L1"}]}, "run/scenario.json")


def test_the_schema_has_claims_and_offers_their_words() -> None:
    schema = json_schema(KNOWN)
    claim = schema["$defs"]["Claim"]
    assert claim["required"] == ["id", "says", "source", "metric", "subject", "against", "expect"]
    assert "latency_s" in claim["properties"]["metric"]["enum"]
    assert claim["properties"]["expect"]["anyOf"][0] == {"enum": ["higher", "lower"]}


@pytest.mark.parametrize("key", FIELDS)
def test_a_claim_without_one_of_its_parts_is_told(key: str) -> None:
    assert mistake(**{key: None}) == f"claims[0].{key}\n  {key} is missing"


MISTAKES: dict[str, tuple[dict[str, str], str]] = {
    "a label that no mixer has": (
        {"against": '"HiLo alpha=0.6"'},
        'claims[0].against\n  no mixer of this scenario is called "HiLo alpha=0.6"; did you mean '
        '"HiLo alpha=0.9"?\n  allowed: msa, hilo, MSA, HiLo alpha=0.5, HiLo alpha=0.9',
    ),
    "a mixer of a filter that is not there": (
        {"where": "mixer!=MSSA"},
        'claims[0].where\n  no mixer of this scenario is called "MSSA"; did you mean "MSA"?\n'
        "  allowed: msa, hilo, MSA, HiLo alpha=0.5, HiLo alpha=0.9",
    ),
    "a filter that does not parse": (
        {"subject": "mixr=MSA"},
        'claims[0].subject\n  unknown axis "mixr" in "mixr=MSA"; did you mean "mixer"?\n  allowed: mixer,',
    ),
    "a side that is neither": ({"subject": "3"}, "claims[0].subject\n  subject must be a label, or a filter"),
    "an unknown metric": (
        {"metric": "troughput"},
        'claims[0].metric\n  unknown metric "troughput"; did you mean "throughput"?\n'
        "  allowed: params, macs, latency_s, throughput, peak_memory_bytes",
    ),
    "an unknown expectation": (
        {"expect": "hihger"},
        'claims[0].expect\n  unknown expectation "hihger"; did you mean "higher"?\n'
        "  allowed: higher, lower, {ratio_above: NUMBER}, {ratio_below: NUMBER}",
    ),
    "an expectation of the wrong kind": (
        {"expect": "1.5"},
        "claims[0].expect\n  expect must be higher, lower, ratio_above or ratio_below, got 1.5",
    ),
    "an expectation that says nothing": (
        {"expect": "{}"},
        "claims[0].expect\n  expect must be higher, lower, ratio_above or ratio_below, got {}",
    ),
    "an unknown key of an expectation": (
        {"expect": "{ratio_abov: 1}"},
        'claims[0].expect.ratio_abov\n  unknown key "ratio_abov"; did you mean "ratio_above"?\n'
        "  allowed: ratio_above, ratio_below",
    ),
    "a band upside down": (
        {"expect": "{ratio_above: 2, ratio_below: 1}"},
        "claims[0].expect\n  expect must be a band: ratio_above must be the smaller number",
    ),
    "a ratio that is not positive": (
        {"expect": "{ratio_above: 0}"},
        "claims[0].expect.ratio_above\n  ratio_above must be a positive number, got 0",
    ),
    "an unknown class of devices": (
        {"device": "gpu"},
        'claims[0].device\n  unknown device "gpu"; did you mean "cpu"?\n  allowed: cpu, cuda',
    ),
    "an unknown key of a published size": (
        {"published": "{rato: 2, conditions: c}"},
        'claims[0].published.rato\n  unknown key "rato"; did you mean "ratio"?\n'
        "  allowed: subject, against, unit, ratio, conditions",
    ),
    "an unknown key of a published size in a list": (
        {"published": "[{rato: 2, conditions: c}]"},
        'claims[0].published[0].rato\n  unknown key "rato"; did you mean "ratio"?',
    ),
    "a published size without a size": (
        {"published": "{subject: 2, conditions: c}"},
        "claims[0].published\n  published must be a ratio, or values for subject and against, got",
    ),
    "a published size without conditions": (
        {"published": "{ratio: 2}"},
        "claims[0].published.conditions\n  conditions is missing",
    ),
    "a published ratio that is not that of its values": (
        {"published": "{ratio: 2, subject: 3, against: 2, conditions: c}"},
        "claims[0].published.ratio\n  ratio 2 is not subject / against, 3 / 2 = 1.5",
    ),
    "a side that selects nothing": (
        {"subject": '"mixer=MSA resolution=896"'},
        "claims[0].subject\n  subject selects no cell of the scenario",
    ),
    "a side that where empties": (
        {"subject": '"mixer=MSA kernel=math"', "where": "kernel=sdpa"},
        "claims[0].subject\n  subject selects no cell of the scenario together with where",
    ),
    "a side of several mixers": (
        {"against": "mixer=hilo"},
        "claims[0].against\n  against selects 2 cells in one setting, HiLo alpha=0.5 and HiLo alpha=0.9; "
        "it must select one",
    ),
    "a comparison with itself": (
        {"against": "mixer=msa"},
        "claims[0].against\n  subject and against select the same cell",
    ),
}


@pytest.mark.parametrize(("claim", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_claim_is_named_with_its_place(claim: dict[str, str], expected: str) -> None:
    assert mistake(**claim).startswith(expected)


def test_the_column_is_that_of_the_wrong_word() -> None:
    (text,) = mistakes({"metric": "macz"})
    written = "      - {id: L1, says: it is so, source: a table, metric: macz"
    assert text.startswith(f"f.yaml:10:{written.index('macz') + 1}  claims[0].metric\n")


def test_sides_that_never_meet_are_told() -> None:
    text = """
        sweep: {mixer: [{name: msa, label: MSA}, {name: hilo, label: HiLo}]}
        include: [{mixer: HiLo, resolution: 448}]
        exclude: [{where: mixer=HiLo resolution=224, reason: r}]
        claims:
          - {id: a, says: s, source: t, metric: macs, subject: MSA, against: HiLo, expect: lower}
        """
    assert told(text) == [
        "f.yaml:7:70  claims[0].against\n"
        "  subject and against are never measured in the same setting: resolution differs"
    ]


def test_a_metric_that_is_not_measured_is_told() -> None:
    found = mistakes({}, {"id": "L2", "metric": "macs"}, more="    measure: {metrics: cost}\n")
    assert [text.split("\n  ")[1] for text in found] == [
        "throughput is not measured: measure.metrics leaves out latency"
    ]


def test_an_id_may_not_repeat() -> None:
    (text,) = mistakes({}, {})
    assert text.startswith("f.yaml:11:")
    assert text.endswith('claims[1].id\n  two claims have the id "L1"')


def test_one_mistake_in_a_claim_is_one_problem_and_the_other_claims_are_still_checked() -> None:
    found = mistakes({"metric": "fps", "against": "mixer=hilo"}, {"id": "L2", "against": "mixer=hilo"})
    assert [text.partition("  ")[2].partition("\n")[0] for text in found] == [
        "claims[0].metric",
        "claims[1].against",
    ]


def test_a_profile_may_take_away_what_a_claim_speaks_of() -> None:
    more = "    profiles:\n      quick: {sweep: {resolution: 448, mixer: [msa]}, measure: {metrics: cost}}\n"
    assert mistakes({"where": "resolution=224"}, more=more) == []


def test_claims_of_a_profile_are_held_against_the_cells_of_the_profile() -> None:
    claim = ", ".join(f"{key}: {value}" for key, value in FIELDS.items())
    few = f"{{sweep: {{resolution: 224}}, claims: [{{{claim}, where: resolution=448}}]}}"
    more = f"    profiles:\n      few: {few}\n"
    found = mistakes({"id": "L2"}, more=more)
    assert [text.split("\n")[0].partition("  ")[2] for text in found] == [
        "profiles.few.claims[0].subject",
        "profiles.few.claims[0].against",
    ]


def test_nothing_is_said_of_cells_when_the_sweep_is_wrong() -> None:
    text = claiming({"where": "resolution>=896"}).replace("[224, 448]", "[224, big]")
    assert [problem.split("\n")[0] for problem in told(text)] == ["f.yaml:7:21  sweep.resolution[1]"]


def test_a_claim_about_one_class_of_devices_may_stand_in_a_scenario_that_takes_what_there_is() -> None:
    assert mistakes({"device": "cuda"}, {"id": "L2", "device": "cpu"}) == []


def placed(cell: Cell, fastest: str) -> Any:
    """A record of a cell in which `fastest` has half the latency and half the multiply–adds of all others."""
    half = 0.5 if cell.name == fastest else 1.0
    fields = {
        key: getattr(cell, key)
        for key in ("target", "config", "stride", "batch", "dim", "num_heads", "dtype", "mode", "device")
    }
    return make_record(
        cell.name, resolution=cell.resolution, kernel=cell.kernel, latency=0.01 * half, noise=0.001,
        macs=int(1000 * half), memory=int(1000 * half), **fields,
    )  # fmt: skip


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_claim_is_testable_on_some_device_and_its_settings_have_one_cell_a_side(
    name: str,
) -> None:
    found = scenario(name)
    for claim in found.claims:
        device = claim.device or "cpu"
        pairs = pairing(claim, cells_of(name, device=device)).pairs
        assert pairs, claim.id
        if claim.metric == "throughput":
            assert all(len(pair.subject) == len(pair.against) == 1 for pair in pairs), claim.id


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_claims_of_hilo_follow_who_is_made_the_fastest(device: str) -> None:
    found = scenario("hilo")
    for fastest in ("HiLo", "MSA", "W-MSA"):
        measured = measured_cells([placed(cell, fastest) for cell in cells_of("hilo", device=device)])
        verdicts = {one.claim.id: one.verdict for one in judge(found.claims, measured)}
        speed = [claim for claim in found.claims if claim.metric == "throughput" and claim.subject == "HiLo"]
        for claim in (claim for claim in speed if claim.device):
            if claim.device != device:
                expected = "not testable here"
            elif fastest == "HiLo":
                expected = "holds"
            else:  # as fast as the others, to the last digit of the interval, or half as fast
                expected = (
                    "does not hold" if claim.against == fastest or claim.expect.band[0] > 1 else "undecided"
                )
            assert verdicts[claim.id] == expected, (claim.id, fastest)
        assert verdicts["L1-window"] == ("holds" if fastest == "HiLo" else "does not hold")
        assert verdicts["X3"] == ("holds" if fastest == "W-MSA" else "does not hold")


def test_published_ratios_of_hilo_are_those_of_the_authors_table() -> None:
    sizes = {claim.id: claim.published[0].size for claim in scenario("hilo").claims if claim.published}
    assert {key: round(size, 2) for key, size in sizes.items()} == {
        "L1-msa": 0.57, "L1-sra": 0.71, "L1-window": 0.63,
        "L2-msa": 1.16, "L2-sra": 1.06, "L2-window": 1.12, "L2-shifted": 1.17, "L2-performer": 1.61,
        "L5-performer": 0.72, "L3-sra": 1.45, "L3-window": 1.63, "L3-msa": 2.04, "L3-shifted": 2.75,
    }  # fmt: skip
