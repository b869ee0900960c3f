"""A whole `benchsuite run` through processes on a real GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchsuite.measurement.nvml import for_device
from benchsuite.results.store import read_run
from tests.real_command import finished

pytestmark = pytest.mark.gpu

SCENARIO = """
name: on_a_gpu
title: Some cells on a GPU
sweep:
  mixer: [msa, hilo]
  batch: 16
  dtype: [fp32, bf16]
  kernel: [math, sdpa]
include:
  - {mixer: msa, mode: training_step}
measure: {rounds: 3, max_rounds: 3, warmup_s: 0.1, max_samples: 60, max_s: 0.3}
"""


def test_a_run_has_times_memory_busy_time_energy_conditions_and_ceilings(
    repository: Path, tmp_path: Path
) -> None:
    scenario, out = tmp_path / "on_a_gpu.yaml", tmp_path / "run"
    scenario.write_text(SCENARIO)
    code, said, wrong = finished(repository, scenario, "--device", "cuda", "--out", out)
    assert code == 0, said + wrong
    run = read_run(out)
    card, _ = for_device("cuda:0")
    counted = card is not None and card.energy_j() is not None
    assert len(run.records) == 12  # two mixers, two formats, two kernels; four training steps
    for record in run.records:
        assert record.status == "ok"
        assert record.timing is not None
        assert record.timing.busy is not None
        assert record.timing.busy.seconds > 0
        assert len(record.timing.rounds) == 3
        assert record.memory is not None
        assert record.memory.method == "cuda_allocator"
        assert (record.energy is not None) == counted
        assert record.conditions is not None
    (found,) = run.environment["ceilings"]
    assert set(found["macs_per_s"]) == {"fp32", "bf16"}
    assert found["macs_per_s"]["bf16"] > found["macs_per_s"]["fp32"]
    assert found["copy_bytes_per_s"] > 1e11
    assert (out / "report.html").is_file()
    assert json.loads((out / "environment.json").read_text())["gpu"]["name"]
