"""Cells under torch.compile: what is counted, and that nothing is compiled while it is timed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchsuite.errors import Recompiled, Unsupported
from benchsuite.worker import compiling
from benchsuite.worker.build import Subject, build
from benchsuite.worker.compiling import Watch, compiled, original
from benchsuite.worker.reference import compare
from benchsuite.worker.steps import steps_of
from tests.builders import make_cell

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # torch's own, of what it imports
]


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(x).relu()
        return out


class Breaks(Plain):
    """Its graph has to end in the middle."""

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        torch._dynamo.graph_break()
        return super().forward(x)


def subject_of(module: nn.Module) -> Subject:
    return Subject(module.train(False), (torch.randn(32, 4),))


class Varying:
    """A step that hands a compiled module one row less at each call, from a call on."""

    def __init__(self, subject: Subject, steady: int) -> None:
        self.subject, self.steady = subject, steady
        self.calls = 0

    def __call__(self) -> Tensor:
        self.calls += 1
        rows = 32 - max(0, self.calls - self.steady)
        with torch.inference_mode():
            output: Tensor = self.subject.module(self.subject.tensor[:rows])
        return output


@pytest.fixture(autouse=True)
def _nothing_stays_compiled() -> Iterator[None]:
    yield
    torch._dynamo.reset()


def test_a_compiled_module_computes_the_same_and_is_one_graph() -> None:
    subject = subject_of(Plain())
    expected = steps_of(subject, "inference").whole()
    watch = Watch("one-graph", "cpu")
    step = steps_of(compiled(subject, "default"), "inference").whole
    torch.testing.assert_close(watch.first_call(step), expected)
    watch.settle(step)
    mark = watch.mark()
    step()
    watch.require_unchanged(mark)
    found = watch.compilation()
    assert (found.graphs, found.graph_breaks, found.recompiles) == (1, 0, 0)
    assert found.seconds > 0


def test_eager_leaves_a_subject_as_it_is() -> None:
    subject = subject_of(Plain())
    assert compiled(subject, "eager") is subject
    assert original(subject.module) is subject.module
    assert original(compiled(subject, "default").module) is subject.module


def test_a_place_where_the_graph_ends_is_counted_and_the_next_cell_begins_at_nothing() -> None:
    watch = Watch("breaks", "cpu")
    watch.first_call(steps_of(compiled(subject_of(Breaks()), "default"), "inference").whole)
    found = watch.compilation()
    assert (found.graphs, found.graph_breaks) == (2, 1)
    second = Watch("second", "cpu")
    nothing = second.compilation()
    assert (nothing.seconds, nothing.graphs, nothing.graph_breaks, nothing.recompiles) == (0, 0, 0, 0)
    second.first_call(steps_of(compiled(subject_of(Breaks()), "default"), "inference").whole)
    again = second.compilation()
    assert (again.graphs, again.graph_breaks, again.recompiles) == (2, 1, 0)


def test_compiling_anew_while_it_is_timed_is_an_error() -> None:
    step = Varying(compiled(subject_of(Plain()), "default"), steady=3)
    watch = Watch("anew", "cpu")
    watch.first_call(step)
    watch.settle(step)
    mark = watch.mark()
    step()
    watch.require_unchanged(mark)
    assert watch.compilation().recompiles == 0
    step()
    assert watch.recompiled_since(mark)
    with pytest.raises(Recompiled, match=r"^recompiled while it was measured$"):
        watch.require_unchanged(mark)
    assert watch.compilation().recompiles == 1


def test_a_step_that_compiles_at_every_call_never_settles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "SETTLING_CALLS", 2)
    step = Varying(compiled(subject_of(Plain()), "default"), steady=1)
    watch = Watch("never", "cpu")
    watch.first_call(step)
    with pytest.raises(Recompiled, match="compiled anew at every call, 2 times after the first"):
        watch.settle(step)


def test_gradients_of_a_compiled_training_step_are_those_of_the_eager_one() -> None:
    eager, other = subject_of(Plain()), subject_of(Plain())
    other.module.load_state_dict(eager.module.state_dict())
    other = replace(other, inputs=(eager.tensor.clone(),))
    torch.manual_seed(1)
    steps_of(eager, "training_step").first()
    watch = Watch("training", "cpu")
    steps = steps_of(compiled(other, "default"), "training_step")
    torch.manual_seed(1)
    watch.first_call(steps.first)
    for ours, theirs in zip(other.module.parameters(), eager.module.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    watch.settle(steps.whole)
    assert watch.compilation().recompiles == 0


def test_a_compiled_cell_is_compared_with_its_eager_reference_which_is_not_compiled() -> None:
    cell = make_cell(compile="default", dtype="autocast_bf16")
    watch = Watch(cell.id, "cpu")
    subject = compiled(build(cell, "cpu"), cell.compile)
    output = watch.first_call(steps_of(subject, "inference").first)
    assert isinstance(output, Tensor)
    mark = watch.mark()
    found = compare(cell, subject, output).check
    assert found is not None
    assert found.error is not None
    watch.require_unchanged(mark)


def test_what_is_compiled_is_kept_apart_and_the_environment_is_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/somewhere")
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    seen: list[Path] = []

    def look() -> None:
        seen.append(Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]))

    for name in ("a", "b", "a"):
        Watch(name, "cpu").first_call(look)
    assert seen[0] == seen[2] != seen[1]
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/somewhere"
    assert "TRITON_CACHE_DIR" not in os.environ


def test_without_a_compiler_a_compiled_cell_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import cpp_builder
    from torch._inductor.exc import InvalidCxxCompiler

    def none() -> str:
        raise InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    with pytest.raises(Unsupported, match="needs a C\\+\\+ compiler on a CPU: No working"):
        Watch("none", "cpu")
    assert torch._dynamo.config.recompile_limit > compiling.SETTLING_CALLS
