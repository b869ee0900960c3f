"""The setup of cells: a compiled one has run eagerly before, and every pass over a cell compiles it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from benchsuite.errors import Unsupported
from benchsuite.measurement.cpu import CpuDevice
from benchsuite.mixers._compiled import _compiled
from benchsuite.results.cell import Mode
from benchsuite.results.record import Busy
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker import calls, compiling, inspection
from benchsuite.worker.build import build
from benchsuite.worker.cell_setup import CellSetup, first_call, set_up_cell
from benchsuite.worker.inspection import inspect
from benchsuite.worker.steps import steps_of
from tests.builders import make_cell

MEMORY = Measure(metrics=("memory",), check=False)
BUSY = Measure(metrics=("latency",), check=False)
CACHING = (
    "window",
    "swinv2_window_attention",
    "nat",
    "focal",
    "dat",
    "cascaded_group",
    "gpsa",
    "acmix",
)
"""Mixers that make a mask, a table of neighbors or the like at their first call, and keep it."""


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of outputs of each graph that torch compiles; nothing is translated, which takes long."""
    found: list[int] = []
    real: Callable[..., Any] = torch.compile

    def backend(graph: torch.fx.GraphModule, _: object) -> Any:
        (output,) = (node for node in graph.graph.nodes if node.op == "output")
        found.append(len(output.args[0]))
        return graph.forward

    def compiles(module: Any, *, mode: str | None = None, **more: Any) -> Any:
        return real(module, backend=backend, **more)

    monkeypatch.setattr(torch, "compile", compiles)
    _compiled.cache_clear()
    for name in ("_find_tools", "_require_compiler"):
        monkeypatch.setattr(compiling, name, lambda device: None)
    yield found
    _compiled.cache_clear()
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of what it imports
@pytest.mark.parametrize(
    ("target", "mode"), [*((one, "inference") for one in CACHING), ("window", "training_step")]
)
def test_what_a_mixer_keeps_is_no_output_of_its_compiled_graph(
    graphs: list[int], target: str, mode: str
) -> None:
    cell = make_cell(target=target, mode=mode, compile="default", resolution=(224, 224), dim=96)
    setup = set_up_cell(cell, MEMORY)
    assert graphs == [1]
    assert setup.compilation is not None
    assert setup.compilation.recompiles == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_memory_of_a_compiled_cell_is_that_of_a_compiled_cell_however_many_came_before(
    graphs: list[int],
) -> None:
    with torch._dynamo.config.patch(recompile_limit=1):
        for dim in (32, 64, 96):
            assert inspect(make_cell(compile="default", dim=dim), MEMORY).memory is not None
    assert graphs == [1, 1, 1]


def test_the_eager_call_before_compiling_takes_one_image_and_what_it_makes_can_be_trained_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[int, bool]] = []

    class Stopped(Exception):  # noqa: N818  no error
        """Compiling would come next."""

    def watch(name: str, device: str) -> None:
        raise Stopped

    def note(self: object, x: torch.Tensor) -> torch.Tensor:
        seen.append((len(x), torch.is_inference_mode_enabled()))
        return x

    monkeypatch.setattr("benchsuite.worker.cell_setup.Watch", watch)
    monkeypatch.setattr(torch.nn.Linear, "forward", note)
    cell = make_cell(target="tests.planted:Fine", batch=4, compile="default")
    with pytest.raises(Stopped):
        set_up_cell(cell, MEMORY)
    assert seen == [(1, False)]


@pytest.mark.parametrize(
    ("changes", "capture"),
    [
        ({}, True),
        ({"mode": "forward_backward"}, True),
        ({"mode": "training_step"}, False),
        ({"compile": "default"}, True),
        ({"compile": "reduce-overhead"}, False),
        ({"compile": "max-autotune"}, False),
    ],
)
def test_a_step_that_no_graph_can_hold_is_not_captured(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], capture: bool
) -> None:
    """AdamW refuses to be captured, and a capture that fails costs the process."""
    told: list[bool] = []

    def setup(cell: Any, measure: Measure) -> CellSetup:
        subject = build(cell, "cpu")
        return CellSetup(subject, steps_of(subject, cell.mode))

    def busy(step: object, device: object, *, capture: bool) -> Busy:
        told.append(capture)
        return Busy(seconds=1.0, method="fake")

    monkeypatch.setattr(inspection, "set_up_cell", setup)
    monkeypatch.setattr(inspection, "measure_busy", busy)
    monkeypatch.setattr(inspection, "open_device", lambda _: CpuDevice())
    found = inspect(make_cell(device="cuda:0", **changes), BUSY)
    assert found.busy == Busy(seconds=1.0, method="fake")
    assert told == [capture]


class OutOfResources(Exception):  # noqa: N818  as Triton calls it
    """Not a RuntimeError, as with Triton."""

    __module__ = "triton.runtime.errors"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("No available kernel. Aborting execution."),
        RuntimeError("cuDNN Frontend error: [cudnn_frontend] Error: No valid execution plans built."),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED"),
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        OutOfResources("out of resource: shared memory, Required: 147456, Hardware limit: 101376."),
    ],
)
def test_a_kernel_that_does_not_exist_here_is_told_from_a_fault(error: Exception) -> None:
    def step() -> None:
        raise error

    with pytest.raises(Unsupported) as caught:
        first_call(step)
    assert str(caught.value) == str(error)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of what it imports
@pytest.mark.parametrize("mode", ["inference", "forward_backward"])
def test_the_part_of_a_mixer_that_is_compiled_is_compiled_before_it_is_timed(
    mode: Mode, graphs: list[int]
) -> None:
    cell = make_cell(target="involution", kernel="compiled", mode=mode, resolution=(112, 112), dim=32)
    setup = set_up_cell(cell, Measure(), comparing=True)
    assert setup.watch is not None
    assert setup.compilation is not None
    assert len(graphs) == setup.compilation.graphs == 1
    assert setup.compared.check is not None
    assert setup.compared.check.error is not None
    mark = setup.watch.mark()
    setup.steps.whole()
    setup.watch.require_unchanged(mark)


def test_without_a_compiler_such_a_cell_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import cpp_builder
    from torch._inductor.exc import InvalidCxxCompiler

    def none() -> str:
        raise InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    answer = calls.inspect_cell(make_cell(target="involution", kernel="compiled", dim=32), Measure())
    assert answer.status == "unsupported"
    assert answer.failure is not None
    assert "torch.compile needs a C++ compiler on a CPU" in answer.failure.message
