"""Where a Python caller's modules are measured: in fresh processes, or, where these cannot have them, in the
caller's own."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchsuite.errors import UsageError
from benchsuite.measurement.precision import tf32
from benchsuite.runner.executors.table import open_executor
from benchsuite.runner.prepare import Prepared, Request, prepare
from benchsuite.runner.sweep import run_sweep
from benchsuite.scenario.subjects import OBJECT
from benchsuite.terminal import observer
from benchsuite.worker.objects import ModuleCall, NotLoadable, in_process

_ADVICE = "give a function in a module that can be imported, which makes it"
_ONE_PROCESS: Mapping[str, Any] = {"rounds": 1, "allocator": "system"}
"""Settings of the caller's own process: one round, so that no interval is stated, and its memory as it is."""


def measure_in_fresh_processes(
    document: Mapping[str, Any], calls: Mapping[str, ModuleCall], out: Path, folder: Path, *, quiet: bool
) -> str:
    """Measure a scenario whose cells are these objects, round by round in fresh processes.

    Args:
        calls: name of a file → what it is to hold.
        out: the run folder.
        folder: for the files.

    Returns:
        Why it cannot be done, before anything is measured; empty if it was.
    """
    cannot = "timed in this process, without a 95 % interval:"
    try:
        for name, call in calls.items():
            _save(call, folder, name)
    except Exception as error:  # noqa: BLE001  pickling asks objects of the caller, which may raise anything
        return f"{cannot} it cannot be handed to another one ({type(error).__name__}: {error}); {_ADVICE}"
    with contextlib.closing(open_executor("process", [str(folder)])) as opened:
        prepared = prepare(Request(reference=document), opened.planner)
        failures = [plan.failure for plan in prepared.plans if plan.failure is not None]
        _require_taken(prepared, calls)
        lost = next((one.message for one in failures if one.kind == NotLoadable.__name__), None)
        if lost is not None:
            return f"{cannot} it cannot be handed to another one ({lost.partition(': ')[2]}); {_ADVICE}"
        run_sweep(prepared, out, opened, observer(quiet=quiet, verbose=False))
    return ""


def measure_in_this_process(
    document: Mapping[str, Any], calls: Mapping[str, ModuleCall], out: Path, *, quiet: bool
) -> None:
    """Measure the same here, once, on copies of the modules.

    Raises:
        UsageError: a module cannot be copied.
    """
    try:
        copy.deepcopy([call.source for call in calls.values() if isinstance(call.source, nn.Module)])
    except Exception as error:  # what copies itself may raise anything
        what = f"{type(error).__name__}: {error}"
        raise UsageError(f"module: it can neither be pickled nor copied ({what}); {_ADVICE}") from error
    document = {**document, "measure": {**document["measure"], **_ONE_PROCESS}}
    with (
        in_process(calls),
        _as_it_was(str(document["sweep"]["device"])),
        contextlib.closing(open_executor("inline", ())) as opened,
    ):
        prepared = prepare(Request(reference=document), opened.planner)
        _require_taken(prepared, calls)
        run_sweep(prepared, out, opened, observer(quiet=quiet, verbose=False))


def _require_taken(prepared: Prepared, calls: Mapping[str, ModuleCall]) -> None:
    """Raise UsageError if counting failed on a module because its `forward` does not take its inputs."""
    first = next(iter(calls))
    for cell, plan in zip(prepared.cells, prepared.plans, strict=True):
        if plan.failure is None or plan.failure.kind != TypeError.__name__:
            continue
        name = cell.target.removeprefix(OBJECT)
        own = f'against={{"{cell.name}": (module, inputs)}}'
        calls[name].require_taken(calls[name].module(), "inputs" if name == first else own)


def _save(call: ModuleCall, folder: Path, name: str) -> None:
    """Write a call for other processes. Of a function that these cannot import, the module that it makes.

    Raises:
        Exception: whatever pickling raises; LookupError for a class that is known to be nowhere else.
    """
    if not isinstance(call.source, nn.Module) and getattr(call.source, "__module__", "") != "__main__":
        with contextlib.suppress(Exception):  # a lambda, say
            call.save(folder, name)
            return
    module = call.module()
    here = next((type(one).__name__ for one in module.modules() if type(one).__module__ == "__main__"), "")
    if here:
        raise LookupError(f"class {here} is in __main__, which no other process can import")
    replace(call, source=module).save(folder, name)


@contextlib.contextmanager
def _as_it_was(device: str) -> Iterator[None]:
    """Put threads, TF32 and the random state of this process back at the end."""
    threads = torch.get_num_threads()
    forked = [torch.device(device)] if device.startswith("cuda") else []
    with tf32(False), torch.random.fork_rng(devices=forked):
        try:
            yield
        finally:
            torch.set_num_threads(threads)
