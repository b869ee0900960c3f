"""Each line of the table "Adding one thing" in CONTRIBUTING.md, done in a copy of the package.

A test writes what the line says into the copy, and nothing else, and lets a process of its own use it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KINDS = {"mixer", "backbone", "metric", "operator rule", "figure", "device", "executor", "study"}
"""First column of the table; each has a test below."""


class Scratch:
    """A copy of the package that may be added to.

    Attributes:
        touched: files that were written or changed, relative to the repository.
    """

    def __init__(self, repository: Path, root: Path) -> None:
        self.root = root
        self.touched: list[str] = []
        shutil.copytree(repository / "benchsuite", root / "benchsuite")

    def write(self, path: str, text: str) -> None:
        """Write a new file."""
        file = self.root / path
        assert not file.exists()
        file.parent.mkdir(exist_ok=True)
        self._keep(path, text)

    def append(self, path: str, text: str) -> None:
        """Add functions or classes at the end of a file."""
        self._keep(path, f"{(self.root / path).read_text(encoding='utf-8')}\n\n{text}")

    def insert(self, path: str, anchor: str, line: str) -> None:
        """Add one line after the first that contains the anchor."""
        lines = (self.root / path).read_text(encoding="utf-8").splitlines(keepends=True)
        at = next(number for number, text in enumerate(lines) if anchor in text)
        self._keep(path, "".join([*lines[: at + 1], f"{line}\n", *lines[at + 1 :]]))

    def run(self, *command: str) -> str:
        """Run Python on the copy; what it printed."""
        environment = os.environ | {"PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _keep(self, path: str, text: str) -> None:
        (self.root / path).write_text(text, encoding="utf-8")
        if path not in self.touched:
            self.touched.append(path)


@pytest.fixture
def scratch(repository: Path, tmp_path: Path) -> Scratch:
    return Scratch(repository, tmp_path)


def test_every_line_of_the_table_is_done_here(repository: Path) -> None:
    text = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("## Adding one thing")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([a-z ]+) \|", table, re.MULTILINE)
    assert set(rows) - {"to add"} == KINDS


@pytest.mark.slow
def test_a_mixer_is_a_file_and_a_line(scratch: Scratch) -> None:
    scratch.write(
        "benchsuite/mixers/scratch.py",
        '''"""A mean over all tokens.

Paper: none.
"""

from typing import ClassVar

from torch import Tensor, nn


class Mean(nn.Module):
    """Add the mean of all tokens to each of (B, N, dim)."""

    layout: ClassVar[str] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        return x + self.proj(x.mean(1, keepdim=True))
''',
    )
    scratch.insert(
        "benchsuite/mixers/__init__.py",
        "MIXERS: dict[str, str] = {",
        '    "scratch": "benchsuite.mixers.scratch:Mean",',
    )
    assert "scratch" in scratch.run("-m", "benchsuite", "list", "mixers")
    macs = scratch.run(
        "-c",
        "from benchsuite.results.cell import Cell\n"
        "from benchsuite.worker.calls import count\n"
        "cell = Cell(name='scratch', target='scratch', resolution=(64, 64), stride=16, batch=2, dim=32)\n"
        "print(count(cell).value.macs)",
    )
    assert int(macs) == 32 * 32
    assert len(scratch.touched) == 2


@pytest.mark.slow
def test_a_backbone_is_a_file_and_a_line(scratch: Scratch) -> None:
    scratch.write(
        "benchsuite/backbones/scratch.py",
        '''"""One convolution and a head."""

from torch import nn


def scratch_net(*, num_classes=1000, resolution=224, kernel="math", mixer=None) -> nn.Module:
    """Logits (B, num_classes) of images (B, 3, H, W)."""
    stem = nn.Conv2d(3, 8, kernel_size=16, stride=16)
    return nn.Sequential(stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, num_classes))
''',
    )
    scratch.insert(
        "benchsuite/backbones/__init__.py",
        "BACKBONES: dict[str, str] = {",
        '    "scratch_net": "benchsuite.backbones.scratch:scratch_net",',
    )
    macs = scratch.run(
        "-c",
        "from benchsuite.results.cell import Cell\n"
        "from benchsuite.worker.calls import count\n"
        "at = {'resolution': (32, 32), 'stride': 1, 'batch': 1}\n"
        "cell = Cell(subject='backbone', name='scratch', target='scratch_net', **at)\n"
        "print(count(cell).value.macs)",
    )
    assert int(macs) == 4 * 8 * 3 * 16 * 16 + 8 * 1000
    assert len(scratch.touched) == 2


@pytest.mark.slow
def test_a_metric_is_a_function_a_field_and_a_row(scratch: Scratch) -> None:
    scratch.append(
        "benchsuite/measurement/macs.py",
        '''def largest_weight(module: nn.Module) -> int:
    """Elements of the largest parameter."""
    return max((one.numel() for one in module.parameters()), default=0)
''',
    )
    scratch.insert(
        "benchsuite/measurement/macs.py", "    return Cost(", "        largest_weight=largest_weight(module),"
    )
    scratch.insert(
        "benchsuite/results/record.py",
        "    dense_3x3_macs: int | None = None",
        "    largest_weight: int | None = None",
    )
    scratch.insert(
        "benchsuite/results/metrics.py",
        '        Metric("params"',
        '        Metric("largest_weight", "Int64", "cost.largest_weight", "Largest weight"),',
    )
    printed = scratch.run(
        "-c",
        """
import torch
from benchsuite.measurement.macs import count_cost
from benchsuite.report.columns import MEASURES
from benchsuite.results.codec import decode, encode
from benchsuite.results.frame import to_frame
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record
from benchsuite.scenario.claim_model import Claim

cost = count_cost(torch.nn.Linear(8, 4), (torch.ones(1, 8),))
cell = Cell(name="a", target="msa", resolution=(32, 32), stride=16, batch=1)
record = Record(id=cell.id, cell=cell, status="ok", cost=cost, started_at="2026-01-02", seconds=1.0)
print(to_frame([decode(encode(record))])["largest_weight"][0])
print(MEASURES["largest_weight"].label)
print("largest_weight" in str(Claim.model_json_schema()))
""",
    )
    assert printed.splitlines() == ["32", "Largest weight", "True"]
    assert len(scratch.touched) == 3


@pytest.mark.slow
def test_an_operator_rule_is_a_function_and_a_row(scratch: Scratch) -> None:
    rules = "benchsuite/measurement/op_rules.py"
    scratch.insert(
        rules,
        "Rule = Callable[",
        """

def _twice(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counts:
    return {"macs.scratch": 2 * outputs[0].elements}
""",
    )
    scratch.insert(rules, "RULES: dict[str, Rule] = {", '    "scratch::twice": _twice,')
    printed = scratch.run(
        "-c",
        """
import torch
from benchsuite.measurement.macs import count_cost

library = torch.library.Library("scratch", "DEF")
library.define("twice(Tensor x) -> Tensor")
torch.library.impl(library, "twice", "CompositeExplicitAutograd")(lambda x: x.new_empty(x.shape))

class Twice(torch.nn.Module):
    def forward(self, x):
        return torch.ops.scratch.twice(x)

cost = count_cost(Twice(), (torch.ones(3, 5, device="meta"),))
print(cost.macs, cost.complete)
""",
    )
    assert printed.split() == ["30", "True"]
    assert scratch.touched == [rules]


def test_a_device_is_a_class_and_a_row(scratch: Scratch) -> None:
    scratch.write(
        "benchsuite/measurement/mtia.py",
        '''"""A device that is the host under another name."""

from benchsuite.measurement.cpu import CpuDevice


class MtiaDevice(CpuDevice):
    """The host, called MTIA."""

    kind = "mtia"
    method = "scratch_clock"
''',
    )
    scratch.insert(
        "benchsuite/results/devices.py",
        'DeviceKind(name="xpu"',
        '        DeviceKind(name="mtia", implementation="benchsuite.measurement.mtia:MtiaDevice"),',
    )
    printed = scratch.run(
        "-c",
        """
from benchsuite.measurement.device import open_device, resolve
from benchsuite.measurement.stopping import FixedCount
from benchsuite.measurement.timing import SamplingPlan, WarmUp, measure_time

name = resolve("mtia")
plan = SamplingPlan(WarmUp(1, 0.0), FixedCount(3, 3, 1.0), threads=1)
timing = measure_time(lambda: None, open_device(name), plan)
print(name, timing.method, len(timing.samples_s), resolve("auto"))
""",
    )
    assert printed.split() == ["mtia:0", "scratch_clock", "3", "mtia:0"]
    assert len(scratch.touched) == 2


@pytest.mark.slow
def test_an_executor_is_a_class_and_a_row(scratch: Scratch) -> None:
    scratch.write(
        "benchsuite/runner/executors/scratch.py",
        '''"""Measures in the process that asks."""

from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.workers import WORKERS


class ScratchExecutor(LocalExecutor):
    """Everything in this process."""

    def __init__(self, options, pythonpath) -> None:
        super().__init__(WORKERS["inline"](pythonpath), "scratch")
''',
    )
    scratch.insert(
        "benchsuite/runner/executors/table.py",
        "EXECUTORS: dict[str, ExecutorRow] = {",
        '    "scratch": ExecutorRow("benchsuite.runner.executors.scratch:ScratchExecutor"),',
    )
    scratch.write(
        "one.yaml",
        """name: one
title: One cell
sweep: {mixer: msa, resolution: 32, stride: 16, batch: 1, dim: 8, num_heads: 2}
measure: {rounds: 1, max_samples: 2, min_samples: 1, warmup_s: 0, ceilings: false, metrics: [latency]}
""",
    )
    scratch.run("-m", "benchsuite", "run", "one.yaml", "--executor", "scratch", "--out", "out")
    assert '"executor": "scratch"' in (scratch.root / "out" / "environment.json").read_text(encoding="utf-8")
    assert len(scratch.touched) == 3  # the last is the scenario that is run


def test_a_study_is_a_scenario(scratch: Scratch) -> None:
    scratch.write(
        "scenarios/scratch.yaml",
        """name: scratch
title: A scratch
question: Is a scenario all it takes?
sweep:
  mixer: [msa, hilo]
  resolution: [224]
  stride: 16
  batch: 1
  dim: 384
  num_heads: 12
""",
    )
    assert ": ok" in scratch.run("-m", "benchsuite", "check", "scenarios/scratch.yaml")


def test_a_figure_is_a_function_and_a_row(scratch: Scratch) -> None:
    scratch.append(
        "benchsuite/report/figures/accuracy.py",
        '''def scratch(request: FigureRequest) -> Drawn | None:
    """An empty panel."""
    canvas, _ = grid(request.layout, 1, columns=1, height=100.0, handles=[], left=48.0, above=14.0)
    return canvas, "Nothing is drawn."
''',
    )
    scratch.insert(
        "benchsuite/report/figures/__init__.py",
        "FIGURES: tuple[FigureKind, ...] = (",
        '    FigureKind(kind="scratch", title="Scratch", file="scratch", function="accuracy:scratch"),',
    )
    printed = scratch.run(
        "-c",
        """
from benchsuite.report.figures import KINDS
from benchsuite.report.figures.choose import FigureRequest
from benchsuite.report.figures.layout import PAGE

print(KINDS["scratch"].draw(FigureRequest([], {}, PAGE)).caption)
""",
    )
    assert printed.strip() == "Nothing is drawn."
    assert len(scratch.touched) == 2
