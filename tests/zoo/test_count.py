"""`benchsuite count backbones`: ours by hand, and beside it what was published, explained."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from benchsuite.backbones import BACKBONES
from benchsuite.errors import UsageError
from benchsuite.results.record import Cost
from benchsuite.zoo import count
from benchsuite.zoo.count import PublishedCount, as_data, count_backbones, rows

DATA = count._published()


def published(value: str, ours: int, metric: str = "macs", norms: int = 0, note: str = "") -> PublishedCount:
    """What is said of a number of G MACs or of params if ours is another."""
    cost = Cost(params=ours, macs=ours, other_ops={"norm": norms} if norms else {})
    row = {"metric": metric, "value": value, "unit": "G", "source": "a paper", "note": note}
    return count._compared(cost, row)


@pytest.mark.parametrize(
    ("value", "ours", "agrees"),
    [
        ("3.7", 3_650_000_000, True),
        ("3.7", 3_649_999_999, False),
        ("3.7", 3_749_999_999, True),
        ("3.7", 3_750_000_000, False),
        ("28", 28_499_999_999, True),
        ("4.00", 4_010_000_000, False),
        ("4.0", 4_010_000_000, True),
    ],
)
def test_a_number_agrees_if_it_rounds_to_the_printed_digits(value: str, ours: int, agrees: bool) -> None:
    assert published(value, ours).agrees is agrees


@pytest.mark.parametrize(
    ("value", "ours", "norms", "why"),
    [
        ("3.7", 3_700_000_000, 0, ""),
        ("4.05", 4_026_734_592, 19_000_000, "norms counted as MACs"),
        ("28", 28_973_720_000, 0, "cut off instead of rounded"),
        ("25", 24_485_864_000, 0, "rounded up"),
        ("3.74", 3_726_000_000, 19_000_000, "norms counted as MACs, cut off instead of rounded"),
        ("9.9", 3_700_000_000, 0, "another input size"),
    ],
)
def test_a_difference_is_explained_by_what_makes_our_number_the_printed_one(
    value: str, ours: int, norms: int, why: str
) -> None:
    found = published(value, ours, norms=norms, note="another input size")
    assert found.why == why
    assert found.agrees is (why == "")


def test_norms_explain_no_number_of_parameters() -> None:
    assert published("4.05", 4_026_734_592, metric="params", norms=19_000_000).why == ""


def test_the_difference_is_ours_minus_the_printed_one() -> None:
    assert published("3.8", 3_726_862_848).difference == -73_137_152


def test_deit_is_counted_as_by_hand_and_agrees_with_its_authors() -> None:
    (found,) = count_backbones(["deit_s"])
    tokens, dim, depth = 197, 384, 12
    block = tokens * (4 * dim**2 + 2 * tokens * dim + 8 * dim**2)
    assert found.macs == 196 * 3 * 16**2 * dim + depth * block + dim * 1000
    assert found.complete
    assert {one.metric for one in found.published if one.agrees} == {"params", "macs"}


def test_another_resolution_has_other_macs_and_other_published_numbers() -> None:
    (found,) = count_backbones(["litv2_b"], resolution=384)
    assert found.resolution == 384
    assert {(one.metric, one.value) for one in found.published} == {("params", "87"), ("macs", "39.7")}
    assert abs(found.macs - 39.7e9) < 0.1e9
    assert next(count_backbones(["litv2_b"], resolution=128)).published == ()


def test_a_row_of_the_table_is_a_published_number_and_the_network_is_named_once() -> None:
    table = list(rows(count_backbones(["pvt_s", "deit_ti"])))
    assert [row["name"] for row in table if row["name"]] == ["pvt_s", "deit_ti"]
    assert table[0]["params"] == "24,485,864"
    cut = next(row for row in table if row["published"] == "25 M params")
    assert (cut["difference"], cut["why"]) == ("-2.1 %", "rounded up")
    assert next(row for row in table if row["name"] == "deit_ti")["published"] == "–"
    assert all(row["why"] == "" for row in table if row["difference"] == "rounding")


def test_json_has_one_object_a_network() -> None:
    (found,) = json.loads(json.dumps(as_data(list(count_backbones(["resnet50"])))))
    assert {"name", "params", "macs", "resolution", "published"} <= set(found)
    assert (found["name"], found["params"], found["resolution"]) == ("resnet50", 25_557_032, 224)
    assert {one["source"] for one in found["published"]} >= {"ziplab/LITv2: README.md"}


def test_an_unknown_network_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError) as error:
        count_backbones(["litv2_x"])
    assert str(error.value).startswith('unknown backbone "litv2_x"; did you mean "litv2_')
    assert str(error.value).endswith(f"allowed: {', '.join(BACKBONES)}")


def test_a_network_that_takes_no_such_images_says_so() -> None:
    with pytest.raises(UsageError, match="deit_s at 225 pixels: "):
        next(count_backbones(["deit_s"], resolution=225))


@pytest.mark.parametrize("name", DATA)
def test_published_numbers_are_of_networks_that_there_are_and_have_a_source(name: str) -> None:
    assert name in BACKBONES
    for row in DATA[name]:
        assert row["metric"] in ("params", "macs")
        assert row["unit"] == {"params": "M", "macs": "G"}[row["metric"]]
        assert float(row["value"]) > 0
        assert row["source"]
        assert set(row) <= {"metric", "value", "unit", "resolution", "source", "note"}


def test_a_family_is_counted_by_one_process_and_each_process_counts_about_as_many() -> None:
    shared = count._shared(tuple(BACKBONES), 2)
    assert [name for name, _ in shared] == list(BACKBONES)
    modules: dict[str, set[int]] = {}
    for name, process in shared:
        modules.setdefault(BACKBONES[name].partition(":")[0], set()).add(process)
    assert all(len(processes) == 1 for processes in modules.values())
    first = sum(process == 0 for _, process in shared)
    assert abs(len(shared) - 2 * first) <= len(shared) / 4


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchsuite", "count", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_command_prints_json_and_refuses_what_it_does_not_know() -> None:
    done = command("backbones", "deit_ti", "--format", "json")
    assert done.returncode == 0
    listed: list[dict[str, Any]] = json.loads(done.stdout)
    assert [(one["name"], one["params"]) for one in listed] == [("deit_ti", 5_717_416)]
    wrong = command("mixers")
    assert (wrong.returncode, wrong.stderr) == (2, 'count: no "mixers"\n  allowed: backbones\n')
    wrong = command("backbones", "--format", "csv")
    assert (wrong.returncode, wrong.stderr) == (2, '--format: no "csv"\n  allowed: text, json, markdown\n')


def test_the_command_prints_markdown() -> None:
    head = command("backbones", "deit_ti", "--format", "markdown").stdout.splitlines()[0]
    assert head == "| name | px | params | MACs | published | difference | source | why |"
