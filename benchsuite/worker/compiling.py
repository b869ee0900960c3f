"""A cell under `torch.compile`: what was compiled, how long it took, and that none of it was timed.

torch keeps what it has compiled, and counts it, for the whole process. A `Watch` begins with all of it
forgotten, and counts from where it begins; so at most one compiled cell is alive at a time.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from torch import nn

from benchsuite.errors import Recompiled, Unsupported
from benchsuite.measurement.device import Step, open_device
from benchsuite.results.cell import Compile
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Compilation
from benchsuite.worker.build import Subject

T = TypeVar("T")

SETTLING_CALLS = 4
"""So many calls after the first may still compile; a module that is not done then never will be. Below the
number of versions of one function (8) after which torch gives up and runs it eagerly."""


GRAPHED: tuple[Compile, ...] = ("reduce-overhead", "max-autotune")
"""Modes that replay CUDA graphs on a GPU."""


def compiled(subject: Subject, mode: Compile) -> Subject:
    """The subject with its module under `torch.compile`; compiling happens at the first calls of a step.

    Make a `Watch` first. Graphs may break, and shapes are taken as they are. An optimizer stays eager.

    Args:
        mode: as `torch.compile` takes it; "eager" leaves the subject as it is.
    """
    if mode == "eager":
        return subject
    module = torch.compile(subject.module, mode=mode, dynamic=False, fullgraph=False)
    assert isinstance(module, nn.Module)
    return replace(subject, module=module)


def original(module: nn.Module) -> nn.Module:
    """The module that was compiled; the module itself if it was not."""
    inner = getattr(module, "_orig_mod", module)
    assert isinstance(inner, nn.Module)
    return inner


class Watch:
    """What torch compiles from here on. Forgets what it has compiled before, of whichever cell.

    Args:
        name: of the folder that keeps what is compiled, for the life of the process: the cell's id. The
            first watch of a name finds it empty, so its seconds are those of a cold start whatever other
            cells, or earlier runs, have left on disk; a later one is quick.
        device: where the cell runs.

    Raises:
        Unsupported: there is no compiler for the device.
    """

    def __init__(self, name: str, device: torch.device | str) -> None:
        import torch._dynamo

        device = torch.device(device)
        _require_compiler(device)
        _find_tools(device)
        torch._dynamo.reset()
        self._name = name
        self._graphs, self._breaks = _graphs(), _breaks()
        self._first_graphs = self._first_breaks = 0
        self._seconds = 0.0
        self._compiled = self.mark()

    def first_call(self, step: Callable[[], T]) -> T:
        """Run a step for the first time, which compiles it, and take the time until its result is there."""
        start = time.perf_counter()
        with _cache(self._name):
            output = step()
            _synchronize(output)
        self._seconds += time.perf_counter() - start
        self._first_graphs, self._first_breaks = _graphs() - self._graphs, _breaks() - self._breaks
        self._compiled = self.mark()
        return output

    def settle(self, step: Step) -> None:
        """Call a step until a call compiles nothing.

        Raises:
            Recompiled: every one of SETTLING_CALLS calls compiles something.
        """
        with _cache(self._name):
            for _ in range(SETTLING_CALLS):
                mark = self.mark()
                step()
                if not self.recompiled_since(mark):
                    return
        raise Recompiled(f"compiled anew at every call, {SETTLING_CALLS} times after the first")

    def mark(self) -> int:
        """A moment, to ask about later."""
        return _counter("frames", "total")

    def recompiled_since(self, mark: int) -> bool:
        """Whether anything was compiled after a moment, or torch tried to."""
        return self.mark() > mark

    def require_unchanged(self, mark: int) -> None:
        """Raise Recompiled if anything was compiled after a moment: call it right after measuring."""
        if self.recompiled_since(mark):
            raise Recompiled("recompiled while it was measured")

    def compilation(self) -> Compilation:
        """What was compiled until now. Breaks are those of the first call: as `torch._dynamo.explain` counts
        them, its graphs less one, and at least one if torch met any."""
        breaks = max(self._first_graphs - 1, min(self._first_breaks, 1), 0)
        return Compilation(
            seconds=self._seconds,
            graphs=_graphs() - self._graphs,
            graph_breaks=breaks,
            recompiles=self.mark() - self._compiled,
        )


def _graphs() -> int:
    return _counter("stats", "unique_graphs")


def _breaks() -> int:
    """How often tracing had to stop. An inner function's break is met again by those that call it."""
    from torch._dynamo.utils import counters

    return sum(counters["graph_break"].values())


def _counter(group: str, name: str) -> int:
    from torch._dynamo.utils import counters

    return int(counters[group][name])


def _synchronize(output: object) -> None:
    if isinstance(output, torch.Tensor) and not output.is_meta:
        open_device(output.device).synchronize()


@contextmanager
def _cache(name: str) -> Iterator[None]:
    """Let what is compiled within be kept in a folder of this process, apart from what else there is."""
    from torch._inductor.utils import clear_inductor_caches

    folder = Path(_temporary().name, name)
    wanted = {"TORCHINDUCTOR_CACHE_DIR": str(folder), "TRITON_CACHE_DIR": str(folder / "triton")}
    before = {variable: os.environ.get(variable) for variable in wanted}
    clear_inductor_caches()  # what the process itself has at hand
    os.environ.update(wanted)
    try:
        yield
    finally:
        for variable, value in before.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value


@functools.cache
def _temporary() -> TemporaryDirectory[str]:
    """Removed when the process ends."""
    return TemporaryDirectory(prefix="benchsuite-compiled-", ignore_cleanup_errors=True)


@functools.cache
def _find_tools(device: torch.device) -> None:
    """Compile next to nothing, so that no cell's seconds hold what torch does once a process or a machine: it
    imports its compiler, and tries out which instructions the processor has."""
    with torch.no_grad():
        torch.compile(torch.relu)(torch.zeros(64, device=device))


def _require_compiler(device: torch.device) -> None:
    from torch._dynamo.eval_frame import is_dynamo_supported

    if not is_dynamo_supported():
        raise Unsupported("torch.compile does not work with this version of Python")
    if not kind_of(device.type).on_host:
        from torch.utils._triton import has_triton

        if not has_triton():
            raise Unsupported(
                "torch.compile needs Triton for this GPU: it is not installed, or not for this one"
            )
    elif device.type != "meta":
        from torch._inductor.cpp_builder import get_cpp_compiler
        from torch._inductor.exc import InvalidCxxCompiler

        try:
            get_cpp_compiler()
        except InvalidCxxCompiler as error:
            raise Unsupported(f"torch.compile needs a C++ compiler on a CPU: {error}") from error
