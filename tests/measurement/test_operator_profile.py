"""What a profile says of modules whose work is known."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchsuite.measurement.operator_profile import (
    PROFILER_TABLE,
    TRACE_PARSER,
    OpTotal,
    ParserError,
    attention_backends,
    of_averages,
    parsed,
    parsed_apart,
    profile_step,
    shares,
    top_ops,
)
from benchsuite.mixers import MIXERS
from benchsuite.mixers._attention import attend
from benchsuite.results.cell import Mode
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.build import build, mixer_class
from benchsuite.worker.inspection import inspect
from benchsuite.worker.steps import steps_of
from tests.builders import make_cell


def test_a_big_product_stands_on_top_with_its_calls_per_step(tmp_path: Path) -> None:
    module = nn.Sequential(*(nn.Linear(512, 512) for _ in range(3)), nn.ReLU())
    x = torch.randn(256, 512)

    def step() -> None:
        with torch.inference_mode():
            module(x)

    step()
    reading = profile_step(step, device="cpu", steps=4, top=3, trace=tmp_path / "a" / "x.pt.trace.json.gz")
    first = reading.ops[0]
    assert (first.name, first.kind, first.calls) == ("aten::addmm", "operator", 3.0)
    assert first.share > 0.5
    assert len(reading.ops) == 3
    assert sum(op.share for op in reading.ops) <= 1


@pytest.mark.parametrize("steps", [1, 3])
def test_the_trace_holds_the_steps_asked_for_and_the_call_before_them_is_left_out(
    tmp_path: Path, steps: int
) -> None:
    calls = []

    def step() -> None:
        calls.append(torch.ones(8).neg())

    trace = tmp_path / "x.pt.trace.json.gz"
    profile_step(step, device="cpu", steps=steps, top=3, trace=trace)
    assert len(calls) == 1 + steps
    events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    names = [one["name"] for one in events if one["ph"] == "X"]
    assert names.count("aten::neg") == steps
    assert sum(name.startswith("ProfilerStep#") for name in names) == steps


@pytest.mark.gpu
def test_on_a_gpu_kernels_are_named_beside_operators(tmp_path: Path) -> None:
    x = torch.randn(1024, 1024, device="cuda")

    def step() -> None:
        torch.relu(x @ x)

    step()
    reading = profile_step(step, device="cuda", steps=3, top=5, trace=tmp_path / "x.pt.trace.json.gz")
    kernels = [op for op in reading.ops if op.kind == "kernel"]
    assert [op.calls for op in kernels[:2]] == [1.0, 1.0]
    assert sum(op.share for op in kernels) == pytest.approx(1)
    assert {op.name for op in reading.ops if op.kind == "operator"} >= {"aten::mm", "aten::relu"}


def event(name: str, category: str, start: float, length: float, number: int, **more: Any) -> dict[str, Any]:
    """One event of a Chrome trace, in microseconds; on the GPU if its category says so."""
    on_gpu = category in ("kernel", "gpu_memcpy")
    return {
        "ph": "X",
        "name": name,
        "cat": category,
        "pid": 0 if on_gpu else 10,
        "tid": 7 if on_gpu else 1,
        "ts": start,
        "dur": length,
        "args": {"External id": number, "correlation": number, "device": 0, "stream": 7} | more,
    }


@pytest.fixture
def gpu_trace(tmp_path: Path) -> Path:
    """Two steps: a linear layer of 200 µs on the host that calls addmm for 150 of them, which runs a GEMM of
    300 µs; then a copy of 50 µs, and of 30 µs on the device."""
    events = []
    for step in range(2):
        at, first = 1000.0 * step, 100 * step + 1
        events += [
            event(f"ProfilerStep#{step}", "user_annotation", at, 900, first),
            event("aten::linear", "cpu_op", at + 10, 200, first + 1),
            event("aten::addmm", "cpu_op", at + 20, 150, first + 2),
            event("cudaLaunchKernel", "cuda_runtime", at + 100, 20, first + 2),
            event("gemm", "kernel", at + 150, 300, first + 2, grid=[1, 1, 1], block=[128, 1, 1]),
            event("aten::copy_", "cpu_op", at + 300, 50, first + 3),
            event("Memcpy DtoD", "gpu_memcpy", at + 460, 30, first + 3),
        ]
    path = tmp_path / "made.pt.trace.json.gz"
    with gzip.open(path, "wt") as file:
        json.dump({"schemaVersion": 1, "deviceProperties": [], "traceEvents": events}, file)
    return path


def test_own_time_leaves_out_what_is_called_and_kernels_are_counted_apart(gpu_trace: Path) -> None:
    found = {(one.name, one.kind): (one.seconds, one.calls) for one in parsed_apart(gpu_trace)}
    assert found == {
        ("aten::linear", "operator"): (pytest.approx(2 * 50e-6), 2),
        ("aten::addmm", "operator"): (pytest.approx(2 * 150e-6), 2),
        ("aten::copy_", "operator"): (pytest.approx(2 * 50e-6), 2),
        ("gemm", "kernel"): (pytest.approx(2 * 300e-6), 2),
        ("Memcpy DtoD", "kernel"): (pytest.approx(2 * 30e-6), 2),
    }


def test_shares_are_of_all_of_a_kind_and_times_are_per_step(gpu_trace: Path) -> None:
    reading = top_ops(gpu_trace, [], steps=2, top=5)
    assert (reading.reader, reading.trouble) == (TRACE_PARSER, "")
    assert [(op.name, op.kind, op.calls) for op in reading.ops[:2]] == [
        ("gemm", "kernel", 1.0),
        ("aten::addmm", "operator", 1.0),
    ]
    assert [op.seconds for op in reading.ops[:2]] == pytest.approx([300e-6, 150e-6])
    assert [op.share for op in reading.ops[:2]] == pytest.approx([300 / 330, 150 / 250])
    for kind in ("operator", "kernel"):
        assert sum(op.share for op in reading.ops if op.kind == kind) == pytest.approx(1)


def test_the_top_is_of_each_kind_and_its_shares_are_still_of_all() -> None:
    totals = [OpTotal(name, "operator", seconds, 1) for name, seconds in (("a", 1), ("b", 3), ("c", 4))]
    found = shares([*totals, OpTotal("k", "kernel", 0.5, 1)], steps=1, top=2)
    assert [(op.name, op.share) for op in found] == [("c", 0.5), ("b", 3 / 8), ("k", 1.0)]


def test_nothing_took_no_time_and_has_no_share() -> None:
    assert shares([], steps=1, top=3) == ()
    assert shares([OpTotal("a", "operator", 0.0, 1)], steps=1, top=3) == ()


@dataclass(frozen=True)
class Row:
    """A row of `key_averages()`."""

    key: str
    self_cpu_time_total: float
    count: int = 1
    self_device_time_total: float = 0.0
    is_user_annotation: bool = False
    device: str = "CPU"

    @property
    def device_type(self) -> Any:
        return SimpleNamespace(name=self.device)


def test_annotations_and_calls_of_the_driver_are_no_operators() -> None:
    table: Iterable[Row] = [
        Row("aten::mm", 7.0, 3),
        Row("ProfilerStep*", 99.0, is_user_annotation=True),
        Row("ProfilerStep*", 0.0, self_device_time_total=99.0, device="CUDA"),
        Row("cudaDeviceSynchronize", 50.0),
        Row("cuLaunchKernelEx", 50.0),
        Row("Activity Buffer Request", 50.0),
        Row("gemm", 0.0, 3, self_device_time_total=40.0, device="CUDA"),
        Row("graph_0_cpp_fused_add_0", 2.0),
    ]
    assert of_averages(table) == [
        OpTotal("aten::mm", "operator", pytest.approx(7e-6), 3),
        OpTotal("gemm", "kernel", pytest.approx(40e-6), 3),
        OpTotal("graph_0_cpp_fused_add_0", "operator", pytest.approx(2e-6), 1),
    ]


@pytest.mark.parametrize("mode", ["forward", "backward"])
def test_both_readers_say_the_same_of_a_real_trace(tmp_path: Path, mode: str) -> None:
    x = torch.randn(256, 256, requires_grad=mode == "backward")
    weight = torch.randn(256, 256)

    def step() -> None:
        output = (x @ weight).softmax(-1).exp() @ weight
        if mode == "backward":
            output.sum().backward()

    step()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(3):
            step()
    trace = tmp_path / "real.pt.trace.json"
    profiler.export_chrome_trace(str(trace))
    table = shares(of_averages(profiler.key_averages()), steps=3, top=100)
    read = shares(parsed_apart(trace), steps=3, top=100)
    assert [op.name for op in read[:3]] == [op.name for op in table[:3]]
    assert {op.name: op.calls for op in read} == {op.name: op.calls for op in table}
    # A trace is written to the thousandth of a microsecond; a step has some fifty operators.
    by_name = {op.name: op.seconds for op in table}
    assert {op.name: op.seconds for op in read} == pytest.approx(by_name, rel=0.01, abs=0.1e-6)
    assert sum(op.share for op in read) == pytest.approx(1)


def test_a_trace_that_cannot_be_parsed_is_read_from_the_profilers_table(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pt.trace.json"
    broken.write_text('{"traceEvents": [')
    reading = top_ops(broken, [Row("aten::mm", 6.0, 2)], steps=2, top=3)
    assert reading.reader == PROFILER_TABLE
    assert reading.trouble.startswith("torch-tb-profiler failed: ")
    assert [(op.name, op.share, op.calls) for op in reading.ops] == [("aten::mm", 1.0, 1.0)]


def test_a_parser_that_takes_too_long_is_ended(gpu_trace: Path) -> None:
    with pytest.raises(ParserError, match=r"took longer than 0\.001 s"):
        parsed_apart(gpu_trace, limit_s=0.001)


def test_the_parser_starts_no_processes(gpu_trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", refuse)
    assert len(parsed(gpu_trace)) == 5


FUSED = [name for name in MIXERS if "sdpa" in getattr(mixer_class(name), "kernels", ())]
LEARNED_BIAS = {
    *("window", "relpos_msa", "acmix_swin", "nat", "halo", "focal", "dat", "swinv2_window_attention"),
    *("maxvit_block_attention", "maxvit_grid_attention", "coatnet_attention"),
    "bottleneck_attention",
}
"""Mixers whose bias wants a gradient, which no fused kernel of a CPU has."""
FEW_KEYS = {"hilo": ("flash", "math"), "biformer_bra": ("math",), "biformer_bra_nchw": ("math",)}
"""Mixers with a branch of at most twice as many keys as channels of a head, formed on the way back, and which
backends they reach then."""
UNEQUAL = {"cascaded_group"}
"""Mixers whose values are wider than their keys, which no fused kernel of a CPU takes."""


def backends(name: str, mode: Mode, **params: Any) -> tuple[str, ...]:
    """On 14 × 14 tokens of 32 channels."""
    config = params | ({"block_size": 7} if name == "halo" else {})
    cell = make_cell(target=name, resolution=(224, 224), batch=1, kernel="sdpa", mode=mode, config=config)
    return attention_backends(steps_of(build(cell, "cpu"), mode).whole)


def qkv() -> Tensor:
    return torch.randn(3, 1, 2, 8, 16)


@pytest.mark.parametrize(
    ("attention", "seen"),
    [
        (lambda q, k, v: attend(q, k, v, kernel="sdpa"), ("flash",)),
        (lambda q, k, v: attend(*(t.mT.contiguous().mT for t in (q, k, v)), kernel="sdpa"), ("flash",)),
        (lambda q, k, v: F.scaled_dot_product_attention(q.mT.contiguous().mT, k, v), ("math",)),
        (lambda q, k, v: attend(q, k, v, kernel="sdpa", dropout=0.5), ("math",)),
        (
            lambda q, k, v: attend(q, k, v, kernel="sdpa") + attend(q, k, v[..., :8], kernel="sdpa").sum(),
            ("flash", "math"),
        ),
        (lambda q, k, v: attend(q, k, v, kernel="math"), ()),
    ],
)
def test_the_backend_that_ran_is_told_and_not_the_kernel_that_was_asked_for(
    attention: Callable[..., Tensor], seen: tuple[str, ...]
) -> None:
    q, k, v = qkv()
    assert attention_backends(lambda: attention(q, k, v)) == seen


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
def test_attention_is_the_same_however_its_channels_lie_in_memory(kernel: str) -> None:
    q, k, v = qkv()
    apart = (t.mT.contiguous().mT for t in (q, k, v))
    torch.testing.assert_close(attend(*apart, kernel=kernel), attend(q, k, v, kernel=kernel))


@pytest.mark.parametrize("name", FUSED)
def test_on_a_cpu_every_mixer_reaches_the_fused_kernel_unless_its_values_are_wider(name: str) -> None:
    assert backends(name, "inference") == (("math",) if name in UNEQUAL else ("flash",))


def test_acmix_of_stride_2_reaches_the_fused_kernel() -> None:
    assert backends("acmix", "inference", stride=2) == ("flash",)


@pytest.mark.parametrize("name", FUSED)
def test_back_and_forth_a_bias_that_learns_is_recorded_as_math(name: str) -> None:
    expected = ("math",) if name in LEARNED_BIAS | UNEQUAL else FEW_KEYS.get(name, ("flash",))
    assert backends(name, "forward_backward") == expected


@pytest.mark.parametrize(("kernel", "seen"), [("math", ()), ("sdpa", ("flash",))])
def test_a_cell_is_inspected_for_it_once(kernel: Any, seen: tuple[str, ...]) -> None:
    found = inspect(make_cell(kernel=kernel), Measure(metrics=("memory",)))
    assert found.attention_backend == seen
