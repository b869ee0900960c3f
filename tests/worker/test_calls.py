"""What a cell may do, and what the worker makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest
import torch

from benchsuite.errors import UsageError
from benchsuite.measurement import cuda, machine_cache
from benchsuite.measurement.stopping import Visit
from benchsuite.mixers import MIXERS
from benchsuite.results.machine import Ceilings, ceilings_of
from benchsuite.results.record import Cell, Cost, Timing
from benchsuite.results.shapes import require_environment
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker import calls
from benchsuite.worker.build import build, mixer_class
from benchsuite.worker.steps import step_of
from benchsuite.worker.timer import Timer
from benchsuite.worker.worker_reply import WorkerReply
from tests.builders import make_cell
from tests.plans import plans_of

QUICK = Measure(warmup_calls=1, warmup_s=0.0, min_samples=3, max_samples=3, max_s=60.0, precision=None)


def planted(name: str, **changes: object) -> Cell:
    return make_cell(name=name, target=f"tests.planted:{name}", **changes)


def timed(cell: Cell) -> WorkerReply[Timing]:
    """The timing of a cell alone, or why there is none."""
    answer = calls.visit(cell, QUICK, Visit())
    timing = answer.value.timing if answer.value else None
    return WorkerReply(timing, answer.status, answer.failure)


def test_a_cell_that_works_has_its_samples() -> None:
    answer = timed(make_cell())
    assert answer.status == "ok"
    assert answer.failure is None
    assert answer.value is not None
    assert len(answer.value.samples_s) == 3
    assert answer.value.method == "monotonic_clock"
    assert answer.value.threads == torch.get_num_threads()


@pytest.mark.parametrize(
    ("name", "status", "kind", "message"),
    [
        ("Raises", "error", "KeyError", "'planted'"),
        ("RunsOut", "oom", "OutOfMemoryError", "CUDA out of memory. Tried to allocate 20.00 GiB"),
        ("RunsOutOnHost", "oom", "RuntimeError", "[enforce fail at alloc_cpu"),
        ("SaysItRunsOut", "error", "RuntimeError", "CUDA out of memory, thinks my cache"),
    ],
)
def test_whatever_a_cell_raises_becomes_a_status_with_its_reason(
    name: str, status: str, kind: str, message: str
) -> None:
    answer = timed(planted(name))
    assert answer.value is None
    assert answer.status == status
    assert answer.failure is not None
    assert answer.failure.stage == "time"
    assert answer.failure.kind == kind
    assert answer.failure.message.startswith(message)


def test_an_error_keeps_the_end_of_its_traceback_and_an_out_of_memory_needs_none() -> None:
    error, oom = timed(planted("Raises")).failure, timed(planted("RunsOut")).failure
    assert error is not None
    assert oom is not None
    assert "in misbehave" in error.traceback
    assert oom.traceback == ""


def test_what_a_mixer_refuses_is_unsupported() -> None:
    answer = timed(planted("Refuses", resolution=(64, 32)))
    assert answer.status == "unsupported"
    assert answer.failure is not None
    assert answer.failure.message == "the 4 × 2 grid is not square"


def test_a_kernel_that_the_mixer_lacks_is_unsupported_and_the_others_are_named() -> None:
    answer = timed(make_cell(target="performer", kernel="flash"))
    assert answer.status == "unsupported"
    assert answer.failure is not None
    assert answer.failure.message == "performer has no flash kernel; it runs on math"


def test_a_kernel_that_the_device_lacks_is_unsupported_with_torchs_reason() -> None:
    answer = timed(make_cell(kernel="cudnn"))
    assert answer.status == "unsupported"
    assert answer.failure is not None
    assert "No viable backend" in answer.failure.message or "No available kernel" in answer.failure.message


@pytest.mark.parametrize("dtype", ["fp64", "bf16", "fp16"])
def test_other_dtypes_are_built_in_that_dtype(dtype: str) -> None:
    subject = build(make_cell(dtype=dtype), "cpu")
    assert subject.tensor.dtype == next(subject.module.parameters()).dtype
    assert str(subject.tensor.dtype).removeprefix("torch.") in {"float64", "bfloat16", "float16"}


def test_maps_are_made_for_a_mixer_of_maps() -> None:
    subject = build(planted("Map", resolution=(64, 32)), "cpu")
    assert subject.tensor.shape == (2, 32, 4, 2)
    assert subject.inputs == (subject.tensor,)


def test_inference_records_no_gradients_and_eval_is_on() -> None:
    subject = build(make_cell(), "cpu")
    out = step_of(subject, "inference")()
    assert isinstance(out, torch.Tensor)
    assert out.is_inference()
    assert not subject.module.training


def test_forward_backward_reaches_every_parameter_and_the_input() -> None:
    subject = build(make_cell(mode="forward_backward"), "cpu")
    step = step_of(subject, "forward_backward")
    step()
    first = [parameter.grad for parameter in subject.module.parameters()]
    assert all(grad is not None and grad.any() for grad in first)
    assert subject.tensor.grad is not None
    kept = [grad.clone() for grad in first if grad is not None]
    step()  # gradients are made anew and do not add up
    for before, parameter in zip(kept, subject.module.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, before)


def test_the_same_seed_gives_the_same_weights_and_input() -> None:
    one, other = build(make_cell(), "cpu", seed=3), build(make_cell(), "cpu", seed=3)
    assert torch.equal(one.tensor, other.tensor)
    assert all(map(torch.equal, one.module.parameters(), other.module.parameters()))
    assert not torch.equal(one.tensor, build(make_cell(), "cpu", seed=4).tensor)


KERNEL_DECIDES_THE_WORK = {"acmix", "bottleneck_attention", "gpsa", "nat"}
"""Mixers whose fused path multiplies other pairs than the papers' code: masked tiles, positions in keys."""


def planned_costs(name: str) -> list[Cost]:
    """What is counted on each kernel, "math" first."""
    found = []
    for kernel in ("math", "sdpa", "flash", "flex"):
        if kernel in mixer_class(name).kernels:
            config = {"block_size": 7} if name == "halo" else {}
            cell = make_cell(
                target=name, kernel=kernel, config=config, resolution=(224, 448), dim=96, num_heads=4
            )
            (plan,) = plans_of([cell])
            assert plan.value is not None, plan.failure
            found.append(plan.value.cost)
    return found


@pytest.mark.parametrize("name", MIXERS)
def test_a_mixer_has_the_same_macs_and_parameters_on_every_kernel(name: str) -> None:
    costs = planned_costs(name)
    if name not in KERNEL_DECIDES_THE_WORK:
        assert {cost.macs for cost in costs} == {costs[0].macs}
    assert {cost.params for cost in costs} == {costs[0].params}
    # A Fourier transform multiplies and adds, and nobody counts it: "≥" is right there.
    assert all(operator.startswith("aten::fft_") for cost in costs for operator in cost.uncounted)


@pytest.mark.parametrize(
    ("name", "kernel"),
    [(name, kernel) for name in ("msa", "hilo", "sra") for kernel in ("math", "sdpa")]
    + [("performer", "math")],
)
def test_the_memory_that_a_plan_foresees_is_what_the_step_takes(name: str, kernel: str) -> None:
    cell = make_cell(target=name, kernel=kernel, resolution=(128, 128), dim=32)
    (plan,) = plans_of([cell])
    inspected = calls.inspect_cell(cell, QUICK).value
    assert plan.value is not None
    assert inspected is not None
    memory = inspected.memory
    assert memory is not None
    # Not estimated: one number a query that the fused kernel keeps, and a convolution's copy of its weights.
    assert plan.value.memory_bytes == pytest.approx(memory.peak_allocated_bytes, rel=0.1)


def test_planning_names_every_mixer_that_does_not_take_its_arguments_once() -> None:
    cells = [
        make_cell(name="A", config={"x": 1}),
        make_cell(name="A", config={"x": 1}, batch=9),
        make_cell(name="B", target="pooling", config={"y": 1}),
        make_cell(),
    ]
    with pytest.raises(UsageError) as caught:
        plans_of(cells)
    assert str(caught.value).splitlines() == [
        "A (msa): got an unexpected keyword argument 'x'",
        "B (pooling): got an unexpected keyword argument 'y'",
    ]


def test_what_a_constructor_refuses_costs_its_cells_only() -> None:
    bad, good = plans_of([make_cell(num_heads=5), make_cell()])
    assert (bad.status, good.status) == ("unsupported", "ok")
    assert bad.failure is not None
    assert bad.failure.message == "num_heads 5 does not divide dim 32"


def test_a_cell_that_its_mixer_refuses_is_planned_as_unsupported() -> None:
    (plan,) = plans_of([make_cell(target="hilo", resolution=(48, 48), stride=16)])
    assert plan.status == "unsupported"
    assert plan.failure is not None
    assert plan.failure.message == "window_size 2 does not divide the 3 × 3 grid"


CUDA_LOST = "CUDA error: device-side assert triggered"


class Card:
    """A GPU, as far as a worker asks for one beside the cell. Order of what was done to it: `log`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.lost = False
        self.free = 100 << 20
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "empty_cache", self._empty)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (self.free, 1 << 40))
        monkeypatch.setattr(torch.cuda, "synchronize", lambda device: self.log.append(f"wait {device}"))

    def _empty(self) -> None:
        if self.lost:
            raise RuntimeError(CUDA_LOST)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    calls._capacity.cache_clear()
    yield Card(monkeypatch)
    calls._capacity.cache_clear()


def test_a_cell_that_loses_the_context_keeps_its_own_message_and_its_process_is_replaced(card: Card) -> None:
    card.lost = True
    answer = calls.visit(planted("LosesItsContext"), QUICK, Visit())
    assert (answer.status, answer.poisoned) == ("error", True)
    assert answer.failure is not None
    assert answer.failure.message == CUDA_LOST


def test_a_process_that_cannot_release_its_memory_answers_and_is_replaced(card: Card) -> None:
    card.lost = True
    answer = calls.visit(planted("Fine"), QUICK, Visit())
    assert (answer.status, answer.poisoned) == ("ok", True)
    assert answer.value is not None


@pytest.mark.slow
def test_a_process_in_which_a_capture_failed_answers_and_is_replaced(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not calls.inspect_cell(planted("Fine"), QUICK).poisoned
    monkeypatch.setattr(cuda, "_failures", ["operation not permitted when stream is capturing"])
    answer = calls.inspect_cell(planted("Fine"), QUICK)
    assert (answer.status, answer.poisoned) == ("ok", True)
    assert answer.value is not None
    assert answer.value.memory is not None


@pytest.mark.parametrize(
    ("message", "status", "poisoned"),
    [
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "oom", False),
        ("cuFFT error: CUFFT_ALLOC_FAILED", "oom", False),
        (
            "cuDNN Frontend error: [cudnn_frontend] Error: No valid execution plans built.",
            "unsupported",
            False,
        ),
        ("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED", "unsupported", False),
        ("CUDA error: no kernel image is available for execution on the device", "unsupported", False),
        ("Triton Error [CUDA]: an illegal memory access was encountered", "error", True),
        ("CUDA driver error: unspecified launch failure", "error", True),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "error", True),
        ("a shape that does not fit", "error", False),
    ],
)
def test_words_of_cuda_and_its_libraries_become_a_status(
    monkeypatch: pytest.MonkeyPatch, message: str, status: str, poisoned: bool
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(message)

    in_torch = {**globals(), "__name__": "torch.nn.modules.linear"}
    raised_there = FunctionType(fail.__code__, in_torch, "fail", None, fail.__closure__)
    monkeypatch.setattr(torch.nn.Linear, "forward", raised_there)
    answer = calls.visit(planted("Fine"), QUICK, Visit())
    assert (answer.status, answer.poisoned) == (status, poisoned)
    assert answer.failure is not None
    assert answer.failure.message == message


def test_a_cell_on_a_gpu_is_held_against_the_memory_that_is_free(card: Card) -> None:
    cell = make_cell(device="cuda:0", batch=64)
    (roomy,) = plans_of([cell])
    assert (roomy.status, roomy.failure) == ("ok", None)
    assert roomy.value is not None
    assert roomy.value.memory_bytes is not None
    calls._capacity.cache_clear()
    card.free = roomy.value.memory_bytes  # all of it is more than the share that one may have
    (full,) = plans_of([cell])
    assert full.status == "oom"
    assert full.failure is not None
    assert full.failure.message.endswith("not tried")


def test_cuda_is_started_before_memory_is_limited(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "resolve", lambda device: device)
    monkeypatch.setattr(calls, "_limit_memory", lambda limit: card.log.append(f"limit {limit}"))
    monkeypatch.setattr(calls, "_TIMER", Timer())
    calls.set_up("cuda:0", None, 1 << 30)
    assert card.log == ["wait cuda:0", "limit 1073741824"]


def test_ceilings_that_cannot_be_measured_say_so_and_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB")

    monkeypatch.setattr("benchsuite.measurement.ceilings.ceilings", fail)
    found = calls.ceilings("cuda:0", ["fp32"], 1)
    assert found["device"] == "cuda:0"
    assert found["method"] == "not measured: CUDA out of memory. Tried to allocate 1.00 GiB"
    require_environment({"ceilings": [found]})
    assert ceilings_of({"ceilings": [found]}, "cuda:0", "fp32", 1) == Ceilings()


def test_single_precision_is_not_tf32_and_the_record_says_so() -> None:
    torch.backends.cudnn.allow_tf32 = True
    _, environment = calls.describe("cpu", None, [])
    assert environment["flags"]["cudnn_tf32"] is False
    assert environment["flags"]["float32_matmul_precision"] == "highest"


def test_describing_resolves_the_device_and_sets_the_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = torch.get_num_threads()
    try:
        device, environment = calls.describe("cpu", 1, ["benchsuite", "run"])
        assert device == "cpu"
        assert environment["command"] == ["benchsuite", "run"]
        assert environment["cpu"]["threads"] == 1 == torch.get_num_threads()
        assert environment["torch"] == torch.__version__
        assert environment["gpu"] is None
        assert "selftest" not in environment
        found = {"date": "2026-01-02", "noise_percent": 1.5, "passed": True, "age_days": 0.5}
        monkeypatch.setattr(machine_cache, "latest_selftest", lambda fingerprint: found)
        assert calls.describe("cpu", 1, [])[1]["selftest"] == found
    finally:
        torch.set_num_threads(before)
