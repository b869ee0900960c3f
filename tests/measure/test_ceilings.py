"""Ceilings on a scripted clock, and how long they are kept."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from benchsuite.measure import ceilings_cache
from benchsuite.measure.ceilings import Sizes, ceilings, copy_rate, matmul_rate, measure_ceilings
from benchsuite.measure.fake import FakeDevice

SMALL = Sizes(side=64, copied_bytes=1 << 12, budget_s=1.0)


def scripted(*seconds: float, then: float = 1.0) -> FakeDevice:
    return FakeDevice(itertools.chain(seconds, itertools.repeat(then)))


def test_the_rate_of_a_product_is_its_cube_over_the_median() -> None:
    pilot, first = [0.5, 0.001, 0.001, 0.001], [0.25]
    device = scripted(*pilot, *first, 0.30, 0.10, 0.20, 0.90)
    assert matmul_rate(device, "cpu", "fp32", SMALL) == pytest.approx(64**3 / 0.25)
    assert device.blocks == [1, 3, 1, 4]  # what fits the budget after a first call of 0.25 s


def test_as_many_calls_as_fit_the_budget_are_timed_but_no_more_than_nine() -> None:
    device = scripted(then=1e-3)
    matmul_rate(device, "cpu", "fp32", SMALL)
    assert device.blocks[-1] == 9


@pytest.mark.parametrize(
    ("pilot_s", "side"), [(0.001, 64), (0.01, 64), (0.02, 32), (0.09, 32), (0.1, 16), (5.0, 16)]
)
def test_a_slow_format_is_multiplied_in_smaller_matrices(pilot_s: float, side: int) -> None:
    """A quarter of the side takes a 64th of the time; four products of full size may take three budgets."""
    device = scripted(*[pilot_s] * 4, then=2.0)
    assert matmul_rate(device, "cpu", "fp32", SMALL) == pytest.approx(side**3 / 2.0)


def test_a_byte_that_is_copied_counts_twice() -> None:
    device = scripted(9.0, 1.0, 4.0, 2.0)
    assert copy_rate(device, "cpu", SMALL) == pytest.approx(2 * 4096 / 2.0)


def test_a_copy_copies_and_a_product_is_of_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []

    class Watching(FakeDevice):
        def time_calls(self, step: Any, calls: int, **kwargs: Any) -> list[float]:
            seen.append(step())
            return super().time_calls(step, calls, **kwargs)

    device = Watching(itertools.repeat(1e-3))
    copy_rate(device, "cpu", SMALL)
    matmul_rate(device, "cpu", "fp32", SMALL)
    copied, product = seen[0], seen[-1]
    assert copied.nbytes == SMALL.copied_bytes
    assert len(copied.unique()) > 100
    assert product.shape == (64, 64)
    assert product.std() == pytest.approx(8.0, rel=0.2)  # of sums of 64 products


@pytest.mark.parametrize("dtype", ["tf32", "fp8", "int4"])
def test_a_format_that_the_device_lacks_has_no_rate_and_stops_nothing(dtype: str) -> None:
    found = measure_ceilings(scripted(), "cpu", [dtype, "fp32"], SMALL)
    assert found["macs_per_s"][dtype] is None
    assert found["macs_per_s"]["fp32"] > 0
    assert found["copy_bytes_per_s"] > 0
    assert "side 64" in found["method"]
    assert "fake_clock" in found["method"]


def test_fp32_is_multiplied_as_fp32_and_the_setting_is_put_back() -> None:
    seen: list[str] = []

    class Watching(FakeDevice):
        def time_calls(self, step: Any, calls: int, **kwargs: Any) -> list[float]:
            seen.append(torch.get_float32_matmul_precision())
            return super().time_calls(step, calls, **kwargs)

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        matmul_rate(Watching(itertools.repeat(1e-3)), "cpu", "fp32", SMALL)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert set(seen) == {"highest"}


KEY = {"device": "cpu", "cpu": "a model", "threads": 2}
DAY = 24 * 3600.0


class Machine:
    """Measures by handing out how often it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, ...]] = []
        self.time = 1e9
        self.others: float | None = 0.0

    def measure(self, dtypes: Sequence[str]) -> dict[str, Any]:
        self.asked.append(tuple(dtypes))
        rate = float(len(self.asked))
        return {"macs_per_s": dict.fromkeys(dtypes, rate), "copy_bytes_per_s": rate, "method": "a script"}

    def through(self, *dtypes: str, key: dict[str, Any] = KEY, refresh: bool = False) -> dict[str, Any]:
        return ceilings_cache.through(
            key,
            dtypes,
            self.measure,
            refresh=refresh,
            folder=self.folder,
            now=lambda: self.time,
            others=lambda: self.others,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "cache")


def test_ceilings_are_measured_once_and_kept_a_week(machine: Machine) -> None:
    first = machine.through("fp32")
    machine.time += 6.9 * DAY
    assert machine.through("fp32") == first
    assert len(machine.asked) == 1
    machine.time += 0.2 * DAY
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 2.0}
    assert len(machine.asked) == 2


def test_another_machine_thread_count_or_version_has_ceilings_of_its_own(machine: Machine) -> None:
    machine.through("fp32")
    assert machine.through("fp32", key=KEY | {"threads": 1})["macs_per_s"] == {"fp32": 2.0}
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 1.0}


def test_a_dtype_that_is_missing_is_added_and_makes_the_rest_no_younger(machine: Machine) -> None:
    machine.through("fp32")
    machine.time += 5 * DAY
    both = machine.through("fp32", "bf16")
    assert machine.asked == [("fp32",), ("bf16",)]
    assert both["macs_per_s"] == {"fp32": 1.0, "bf16": 2.0}
    assert both["copy_bytes_per_s"] == 1.0
    machine.time += 3 * DAY
    machine.through("bf16")
    assert machine.asked[2:] == [("bf16",)]


def test_what_is_kept_can_be_ignored_and_is_then_replaced(machine: Machine) -> None:
    machine.through("fp32")
    assert machine.through("fp32", refresh=True)["macs_per_s"] == {"fp32": 2.0}
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 2.0}


def test_what_was_measured_on_a_busy_machine_is_not_kept(machine: Machine) -> None:
    machine.others = 0.5
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 1.0}
    machine.others = None  # nobody knows
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 2.0}
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 2.0}


@pytest.mark.parametrize(
    "spoil",
    [
        "",
        "{",
        "[]",
        '{"form": 1}',
        '{"form": 0, "ceilings": {"measured_at": "2001-09-09T01:46:40+00:00", "macs_per_s": {"fp32": 9}}}',
        '{"form": 1, "ceilings": {"measured_at": "yesterday", "macs_per_s": {"fp32": 9}}}',
        '{"form": 1, "ceilings": {"measured_at": "2091-01-01T00:00:00+00:00", "macs_per_s": {"fp32": 9}}}',
    ],
)
def test_a_file_that_is_spoilt_counts_as_none_and_is_written_anew(machine: Machine, spoil: str) -> None:
    machine.through("fp32")
    (file,) = machine.folder.iterdir()
    file.write_text(spoil)
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 2.0}
    assert json.loads(file.read_text())["ceilings"]["macs_per_s"] == {"fp32": 2.0}


def test_a_folder_that_cannot_be_written_keeps_nothing_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    machine = Machine(tmp_path / "file" / "cache")
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 1.0}
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 2.0}


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/benchsuite"),
        ("linux", {}, "/home/me/.cache/benchsuite"),
        ("darwin", {}, "/home/me/Library/Caches/benchsuite"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/benchsuite/cache"),
    ],
)
def test_the_cache_lies_where_the_platform_has_caches(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    assert ceilings_cache.cache_folder().as_posix() == expected


def test_ceilings_of_this_machine_are_plain_data_with_what_they_depend_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("benchsuite.measure.ceilings.CPU", SMALL)
    found = ceilings("cpu", ["fp32", "autocast_bf16", "tf32"])
    assert json.loads(json.dumps(found)) == found
    assert list(found["macs_per_s"]) == ["fp32", "bf16"]
    assert found["device"] == "cpu"
    assert found["threads"] == torch.get_num_threads()
    assert found["copy_bytes_per_s"] > 0
    assert found["measured_at"].startswith("20")


def test_the_fingerprint_names_what_changes_a_rate() -> None:
    key = ceilings_cache.fingerprint("cpu")
    assert set(key) == {"device", "cpu", "cores", "threads", "torch", "driver"}
    assert (key["device"], key["torch"], key["driver"]) == ("cpu", torch.__version__, None)
