"""Cells have stable names; records go through JSON unchanged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchsuite.errors import RecordVersionError
from benchsuite.results.codec import decode, encode
from benchsuite.results.record import RECORD_VERSION
from tests.builders import make_cell, make_record


def test_an_id_depends_on_no_order_of_keys() -> None:
    one = make_cell(config={"alpha": 0.5, "window_size": 2})
    other = make_cell(config={"window_size": 2, "alpha": 0.5})
    assert one.id == other.id


@pytest.mark.parametrize(
    "change",
    [
        {"target": "hilo"},
        {"config": {"alpha": 0.5}},
        {"resolution": (64, 80)},
        {"stride": 8},
        {"batch": 3},
        {"dim": 64},
        {"num_heads": 8},
        {"dtype": "bf16"},
        {"mode": "forward_backward"},
        {"kernel": "sdpa"},
        {"device": "cuda:0"},
    ],
)
def test_an_id_changes_with_every_field(change: dict[str, object]) -> None:
    assert make_cell(**change).id != make_cell().id


def test_an_id_is_the_same_in_another_process(repository: Path) -> None:
    code = "from tests.builders import make_cell; print(make_cell(config={'b': [1, 2], 'a': True}).id)"
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=repository,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert answers == {make_cell(config={"a": True, "b": [1, 2]}).id + "\n"}


def test_an_id_is_readable_and_safe_in_file_names_and_links() -> None:
    cell = make_cell(name="HiLo α=0.9 <b>", resolution=(224, 448), kernel="sdpa")
    assert cell.id.startswith("hilo-0-9-b-224x448-b2-fp32-sdpa-")
    assert cell.id.replace("-", "").isalnum()


def test_the_grid_is_the_resolution_over_the_stride() -> None:
    cell = make_cell(resolution=(224, 448), stride=16)
    assert cell.grid == (14, 28)
    assert cell.tokens == 392


@pytest.mark.parametrize("status", ["ok", "oom", "unsupported", "error", "crash"])
def test_a_record_survives_its_line(status: str) -> None:
    record = make_record(make_cell(config={"alpha": 0.5, "sizes": [1, 2]}, name="ü <x>"), status=status)
    line = encode(record)
    assert "\n" not in line
    assert decode(line) == record
    assert decode(line).cell.id == record.id


def test_a_record_of_a_newer_version_names_the_command_that_helps() -> None:
    data = json.loads(encode(make_record())) | {"version": RECORD_VERSION + 1}
    with pytest.raises(
        RecordVersionError, match=r"record version 4 is newer .* pip install --upgrade benchsuite"
    ):
        decode(json.dumps(data))


@pytest.mark.parametrize("line", ["", "{", "[]", "{}", '{"version": 1}'])
def test_what_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(line)


def test_only_an_unexpected_failure_counts_as_one() -> None:
    assert not make_record().failed
    assert make_record(status="oom").failed
    assert not make_record(status="oom", expected=True).failed


def test_memory_of_the_step_is_the_peak_without_weights_and_input() -> None:
    memory = make_record().memory
    assert memory is not None
    assert memory.activations_bytes == 300 - 100 - 50
