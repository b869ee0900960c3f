"""What a profile says of modules whose work is known."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from benchsuite.measurement.operator_profile import profile_step


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
