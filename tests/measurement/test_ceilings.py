"""Ceilings on a scripted clock, and how long they are kept."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchsuite.io import cache_folder
from benchsuite.measurement import ceilings as ceilings_module
from benchsuite.measurement import machine_cache
from benchsuite.measurement.ceiling_kernels import KERNELS, Kernel, Sizes
from benchsuite.measurement.ceilings import (
    ceilings,
    copy_rate,
    fastest,
    kernel_rates,
    measure_ceilings,
    sizes_of,
)
from benchsuite.measurement.cpu import CpuDevice
from benchsuite.measurement.cuda import CudaDevice
from tests.doubles.fake_device import FakeDevice

SMALL = Sizes(side=64, images=2, copied_bytes=1 << 12, budget_s=1.0)
SQUARE = {"square": KERNELS["square product"]}


def scripted(*seconds: float, then: float = 1.0) -> FakeDevice:
    return FakeDevice(itertools.chain(seconds, itertools.repeat(then)))


class Watching(FakeDevice):
    """Keeps what the steps return, and how torch was set while they ran."""

    def __init__(self, durations: Iterator[float]) -> None:
        super().__init__(durations)
        self.outputs: list[torch.Tensor] = []
        self.settings: set[tuple[str, bool]] = set()

    def time_calls(self, step: Any, calls: int, **kwargs: Any) -> list[float]:
        self.outputs.append(step())
        self.settings.add((torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32))
        return super().time_calls(step, calls, **kwargs)


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("square product", 64**3),
        ("linear layer of 96 channels", 2 * 196 * 96 * 96),  # 196 tokens an image
        ("1 × 1 convolution of 384 channels", 2 * 196 * 384 * 384),
        ("3 × 3 convolution of 128 channels, stride 2", 2 * 196 * 9 * 128 * 128),
        ("7 × 7 depth-wise convolution of 384 channels", 2 * 196 * 49 * 384),
    ],
)
def test_a_kernel_has_the_multiply_adds_that_its_shape_says(name: str, macs: int) -> None:
    found, _ = KERNELS[name].make(SMALL, "cpu", torch.float32)
    assert found == macs


@pytest.mark.parametrize("name", list(KERNELS))
def test_each_kernel_multiplies_as_often_as_it_says(name: str) -> None:
    """By torch's own counter, which shares no code with the table."""
    macs, step = KERNELS[name].make(SMALL, "cpu", torch.float32)
    with FlopCounterMode(display=False) as counter:
        step()
    assert counter.get_total_flops() == 2 * macs


def test_of_kernels_with_3_x_3_weights_only_those_that_winograd_cannot_do_are_exact() -> None:
    exact = {name: kernel.exact for name, kernel in KERNELS.items() if name.startswith("3 × 3")}
    assert exact == {name: "stride 2" in name for name in exact}
    assert set(exact.values()) == {True, False}


def test_the_rate_is_that_of_the_fastest_call_of_all_turns() -> None:
    fits = [0.1, 0.1] * 5
    device = scripted(*fits, 0.5, 0.4, 0.3, 0.9, 0.25, 0.3)
    assert kernel_rates(device, "cpu", "fp32", SMALL, SQUARE) == {"square": pytest.approx(64**3 / 0.25)}


def test_a_kernel_is_timed_until_the_budget_is_spent_and_three_times_at_least() -> None:
    device = scripted(then=0.01)
    assert fastest(device, lambda: None, 1.0) == 0.01
    assert sum(device.blocks) == 100
    slow = scripted(5.0, 2.0, 3.0)
    assert fastest(slow, lambda: None, 1.0) == 2.0
    assert sum(slow.blocks) == 3


def warmed(device: FakeDevice, warm_s: float, kernels: dict[str, Kernel]) -> int:
    """Calls for a format of which each takes 10 ms, at a budget of a second."""
    kernel_rates(device, "cpu", "fp32", replace(SMALL, warm_s=warm_s), kernels)
    return device.calls


def test_before_the_first_kernel_of_a_format_the_device_works_for_a_while() -> None:
    two = {"square": KERNELS["square product"], "again": KERNELS["square product"]}
    without = warmed(scripted(then=0.01), 0.0, two)
    assert warmed(scripted(then=0.01), 0.3, two) == without + 30
    assert sizes_of(CpuDevice()).warm_s == 0.0


def test_a_gpu_is_warmed_up_and_sampled_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(multi_processor_count=132)
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (139 << 30, 139 << 30))
    sizes = sizes_of(CudaDevice(0))
    assert sizes.warm_s == 0.3
    device = scripted(then=0.011)  # a square product of 8192 in fp32
    fastest(device, lambda: None, sizes.budget_s)
    assert sum(device.blocks) * 0.011 >= sizes.budget_s


def test_the_clock_at_work_and_its_reasons_are_kept_beside_the_fastest_kernel() -> None:
    clocks = itertools.count(1000)

    def look() -> dict[str, Any]:
        return {"sm_clock_mhz": next(clocks), "throttle": ["power_cap"]}

    found = measure_ceilings(scripted(), "cpu", ["fp32", "fp8"], SMALL, look)
    best = max(found["kernels"]["fp32"], key=found["kernels"]["fp32"].__getitem__)
    last_turn = 1000 + len(KERNELS) + list(KERNELS).index(best)
    assert found["clocks"] == {"fp32": {"sm_clock_mhz": last_turn, "throttle": ["power_cap"]}, "fp8": {}}
    assert measure_ceilings(scripted(), "cpu", ["fp32"], SMALL)["clocks"] == {"fp32": {}}


def test_a_clock_that_stands_still_ends_too() -> None:
    assert fastest(scripted(then=0.0), lambda: None, 1e-3) > 0


@pytest.mark.parametrize(("fits", "side"), [(5, 64), (4, 32), (1, 4), (0, 4)])
def test_a_slow_format_is_multiplied_in_the_largest_matrices_that_fit_the_budget(
    fits: int, side: int
) -> None:
    tried = [0.9] * 2 * fits + ([9.0, 9.0] if fits < 5 else [])
    device = scripted(*tried, then=2.0)
    assert kernel_rates(device, "cpu", "fp32", SMALL, SQUARE) == {"square": pytest.approx(side**3 / 2.0)}


def test_a_kernel_that_the_device_cannot_run_is_left_out_and_stops_nothing() -> None:
    def broken(*_: object) -> tuple[int, Any]:
        raise RuntimeError("not implemented for 'Half'")

    kernels = {"broken": Kernel(broken), **SQUARE}
    assert list(kernel_rates(scripted(), "cpu", "fp32", SMALL, kernels)) == ["square"]


def test_a_byte_that_is_copied_counts_twice() -> None:
    device = scripted(9.0, 1.0, 4.0, 2.0)
    assert copy_rate(device, "cpu", SMALL) == pytest.approx(2 * 4096 / 1.0)


def test_a_copy_copies_and_a_product_is_of_random_numbers() -> None:
    device = Watching(itertools.repeat(1e-3))
    copy_rate(device, "cpu", SMALL)
    kernel_rates(device, "cpu", "fp32", SMALL, SQUARE)
    copied, product = device.outputs[0], device.outputs[-1]
    assert copied.nbytes == SMALL.copied_bytes
    assert len(copied.unique()) > 100
    assert product.shape == (64, 64)
    assert product.std() == pytest.approx(8.0, rel=0.2)  # of sums of 64 products


@pytest.mark.parametrize("dtype", ["tf32", "fp8", "int4"])
def test_a_format_that_the_device_lacks_has_no_rate_and_stops_nothing(dtype: str) -> None:
    found = measure_ceilings(scripted(), "cpu", [dtype, "fp32"], SMALL)
    assert found["macs_per_s"][dtype] is None
    assert found["macs_per_s"]["fp32"] == max(found["kernels"]["fp32"].values())
    assert found["copy_bytes_per_s"] > 0
    assert "fake_clock" in found["method"]


def test_what_there_is_no_memory_for_is_noted_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def runs_out(*_: object) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB\nand more")

    monkeypatch.setattr(ceilings_module, "KERNELS", {**SQUARE, "large": Kernel(runs_out)})
    monkeypatch.setattr(ceilings_module, "copy_rate", runs_out)
    found = measure_ceilings(scripted(), "cpu", ["fp32"], SMALL)
    assert found["macs_per_s"]["fp32"] == 64**3
    assert found["copy_bytes_per_s"] is None
    why = "CUDA out of memory. Tried to allocate 1.00 GiB"
    assert found["failures"] == {"large, fp32": why, "copy": why}
    assert f"not measured: large, fp32 ({why})" in found["method"]


@pytest.mark.parametrize(
    ("free_gib", "side", "images", "copied_mib"),
    [(139, 8192, 528, 1024), (8, 8192, 528, 1024), (5, 4096, 264, 512), (0, 512, 33, 64)],
)
def test_a_gpu_with_less_memory_free_is_given_less_to_do(
    monkeypatch: pytest.MonkeyPatch, free_gib: int, side: int, images: int, copied_mib: int
) -> None:
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(multi_processor_count=132)
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free_gib << 30, 139 << 30))
    assert sizes_of(CudaDevice(0)) == Sizes(side, images, copied_mib << 20, 0.2, 0.3)


def test_all_rates_are_kept_and_one_by_counted_multiply_adds_makes_no_roof() -> None:
    found = measure_ceilings(scripted(), "cpu", ["fp32"], SMALL)
    assert [*found["kernels"]["fp32"], *found["counted"]["fp32"]] == list(KERNELS)
    assert list(found["counted"]["fp32"]) == ["3 × 3 convolution of 128 channels"]
    # At one second a call the most multiply–adds are the fastest: the convolution of 384 channels.
    assert found["macs_per_s"]["fp32"] == 2 * 196 * 9 * 384 * 384


def test_fp32_is_multiplied_as_fp32_and_the_settings_are_put_back() -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.allow_tf32 = True
    try:
        device = Watching(itertools.repeat(1.0))
        kernel_rates(device, "cpu", "fp32", SMALL, SQUARE)
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == ("medium", True)
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
    assert device.settings == {("highest", False)}


KEY = {"device": "cpu", "cpu": "a model", "threads": 2}
DAY = 24 * 3600.0


def kept(form: int = 3, **changes: Any) -> str:
    """A file of the cache; sound without changes."""
    own = {
        "macs_per_s": {"fp32": 9},
        "kernels": {"fp32": {}},
        "counted": {"fp32": {}},
        "clocks": {"fp32": {}},
    }
    ceilings = {"measured_at": "2001-09-09T01:46:40+00:00"} | own | changes
    return json.dumps({"form": form, "ceilings": ceilings})


class Machine:
    """Measures by handing out how often it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, ...]] = []
        self.time = 1e9
        self.others: float | None = 0.0
        self.failures: dict[str, str] = {}

    def measure(self, dtypes: Sequence[str]) -> dict[str, Any]:
        self.asked.append(tuple(dtypes))
        rate = float(len(self.asked))
        named = {dtype: {"a kernel": rate} for dtype in dtypes}
        return {
            "macs_per_s": dict.fromkeys(dtypes, rate),
            "kernels": named,
            "counted": {dtype: {} for dtype in dtypes},
            "clocks": {dtype: {} for dtype in dtypes},
            "copy_bytes_per_s": rate,
            "failures": dict(self.failures),
            "method": "a script",
        }

    def snapshot(self) -> dict[str, float | None]:
        return {"cpu_others": self.others}

    def through(self, *dtypes: str, key: dict[str, Any] = KEY) -> dict[str, Any]:
        self.key = key
        return ceilings("cpu", dtypes)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return on(Machine(tmp_path / "benchsuite"), monkeypatch)


def on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The machine, in place of this one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine.folder.parent))
    monkeypatch.setattr(machine_cache, "time", SimpleNamespace(time=lambda: machine.time))
    monkeypatch.setattr(ceilings_module, "fingerprint", lambda device: machine.key)
    monkeypatch.setattr(ceilings_module, "StateReader", lambda: machine)
    monkeypatch.setattr(
        ceilings_module, "measure_ceilings", lambda _, __, dtypes, *___: machine.measure(dtypes)
    )
    return machine


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
    assert both["kernels"] == {"fp32": {"a kernel": 1.0}, "bf16": {"a kernel": 2.0}}
    assert both["copy_bytes_per_s"] == 1.0
    machine.time += 3 * DAY
    machine.through("bf16")
    assert machine.asked[2:] == [("bf16",)]


def test_what_was_measured_on_a_busy_machine_is_not_kept(machine: Machine) -> None:
    machine.others = 0.5
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 1.0}
    machine.others = None  # nobody knows
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 2.0}
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 2.0}


def test_what_was_measured_only_in_part_is_not_kept(machine: Machine) -> None:
    machine.through("fp32")
    machine.failures["copy"] = "out of memory"
    for _ in range(2):
        assert machine.through("fp32", "bf16")["failures"] == machine.failures
    machine.failures.clear()
    assert machine.through("fp32", "bf16")["macs_per_s"] == {"fp32": 1.0, "bf16": 4.0}
    assert machine.asked == [("fp32",), ("bf16",), ("bf16",), ("bf16",)]


@pytest.mark.parametrize(
    "spoil",
    [
        "",
        "{",
        "[]",
        '{"form": 3}',
        kept(form=2),
        kept(measured_at="yesterday"),
        kept(measured_at="2091-01-01T00:00:00+00:00"),
        kept(kernels=None),
    ],
)
def test_a_file_that_is_spoilt_counts_as_none_and_is_written_anew(machine: Machine, spoil: str) -> None:
    machine.through("fp32")
    (file,) = machine.folder.iterdir()
    file.write_text(spoil)
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 2.0}
    assert json.loads(file.read_text())["ceilings"]["macs_per_s"] == {"fp32": 2.0}


def test_the_file_that_the_spoilt_ones_differ_from_is_read(machine: Machine) -> None:
    machine.through("fp32")
    (file,) = machine.folder.iterdir()
    file.write_text(kept())
    assert machine.through("fp32")["macs_per_s"] == {"fp32": 9}


def test_a_folder_that_cannot_be_written_keeps_nothing_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    machine = on(Machine(tmp_path / "file" / "benchsuite"), monkeypatch)
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
    assert cache_folder().as_posix() == expected


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing kept, and little to multiply."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tiny = Sizes(side=64, images=2, copied_bytes=1 << 12, budget_s=1e-3)
    monkeypatch.setattr("benchsuite.measurement.ceilings.sizes_of", lambda _: tiny)


@pytest.mark.usefixtures("small")
def test_ceilings_of_this_machine_are_plain_data_with_what_they_depend_on() -> None:
    found = ceilings("cpu", ["fp32", "autocast_bf16", "tf32"])
    assert json.loads(json.dumps(found)) == found
    for key in machine_cache.OF_A_DTYPE:
        assert list(found[key]) == ["fp32", "bf16"]
    assert found["device"] == "cpu"
    assert found["threads"] == torch.get_num_threads()
    assert found["copy_bytes_per_s"] > 0
    assert found["measured_at"].startswith("20")


@pytest.mark.usefixtures("small")
def test_ceilings_can_be_asked_for_another_number_of_threads_and_it_is_put_back() -> None:
    before = torch.get_num_threads()
    assert ceilings("cpu", ["fp32"], threads=before + 1)["threads"] == before + 1
    assert torch.get_num_threads() == before


def test_a_cpu_is_given_more_to_do_for_each_thread() -> None:
    sizes = sizes_of(CpuDevice())
    assert sizes.images == 16 * torch.get_num_threads()


def test_the_fingerprint_names_what_changes_a_rate() -> None:
    key = machine_cache.fingerprint("cpu")
    assert set(key) == {"device", "cpu", "cores", "threads", "torch", "driver"}
    assert (key["device"], key["torch"], key["driver"]) == ("cpu", torch.__version__, None)
