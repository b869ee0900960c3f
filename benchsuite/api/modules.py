"""Any module measured as it is: `measure` for what it takes, `count` for what it computes."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from benchsuite.api.places import measure_in_fresh_processes, measure_in_this_process
from benchsuite.api.results import Results
from benchsuite.api.runs import interactive
from benchsuite.api.wording import in_python
from benchsuite.errors import ScenarioError, UsageError
from benchsuite.findings.relative_speed import Relative, in_words, relative
from benchsuite.measurement.macs import count_cost
from benchsuite.measurement.precision import FORMATS
from benchsuite.results.record import Cost
from benchsuite.results.store import Run, check_free, read_run
from benchsuite.scenario.shorthand import MEASURE
from benchsuite.scenario.subjects import OBJECT
from benchsuite.stats.evidence import Decision
from benchsuite.worker.objects import ModuleCall, dtype_of, file_name

if TYPE_CHECKING:
    from benchsuite.report.cells import Cells

Source = nn.Module | Callable[[], nn.Module]
"""A module, or a function without arguments that makes one."""


class Measurement(Results):
    """A module, and those that it is held against.

    Attributes:
        name: of the module, in tables and sentences.
        reason: why it was timed in this process, without intervals; empty where fresh processes did it.
    """

    def __init__(self, run: Run, name: str, reason: str = "") -> None:
        super().__init__(run)
        self.name = name
        self.reason = reason

    @property
    def ratios(self) -> dict[str, Decision]:
        """Name of another module → how many times as fast as it this one is, with the 95 % interval (`lo`,
        `hi`; NaN where there is none) and the `side` of 1 that it surely lies on."""
        return {
            cell.name: decision
            for one in self._relative()
            if one.first.name == self.name
            for cell, decision in one.others
        }

    def sentences(self) -> list[str]:
        """How many times as fast as the others it is, and why there are no intervals, if so."""
        return [*(line.strip() for line in in_words(self._relative())), *filter(None, [self.reason])]

    def _relative(self) -> list[Relative]:
        return relative(self.records, self.run.environment, self.name)

    def __repr__(self) -> str:
        return "\n".join([*self.lines(lambda cell: cell.name), *self.sentences()])

    def _repr_html_(self) -> str:
        from benchsuite.api.notebook import of_run

        def answer(cells: Cells) -> list[str]:
            return self.sentences()

        return of_run(self.run, answer, without=("Resolution (px)", "Kernel"))


@in_python
def measure(
    module: Source,
    inputs: Any,
    *,
    name: str | None = None,
    against: Mapping[str, Source | tuple[Source, Any]] | None = None,
    mode: str = "inference",
    batch: int | None = None,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    progress: bool | None = None,
) -> Measurement:
    """Measure a module on inputs: multiply–adds, latency and memory; beside others, who is how much faster.

    The evidence is that of `benchsuite time`: rounds in fresh processes, each of which visits every module,
    and ratios within rounds. Where a fresh process cannot have the module, because it cannot be pickled, or
    its class is in `__main__` or in a notebook, this process times it once and states no interval.

    Args:
        module: in eval mode, but for "training_step"; it is left as it is. Or a function that makes it.
        inputs: a tensor, a tuple of positional arguments, or a mapping of keyword
            arguments, a tensor among them. They are moved to the device of the module's parameters.
        name: of the module; that of its class, or of the function, if None.
        against: name → another module, which is given the same inputs, or (module, inputs) with its own.
        mode: "inference", "forward_backward" or "training_step".
        batch: images in the inputs, which counts and throughput are for; the first tensor's length if None.
        settings: of the section `measure` of a scenario: {"rounds": 3, "max_s": 2}.
        out: a new run folder; without one, the samples are in memory only.
        progress: print a line a round; where Python is interactive if None.

    Raises:
        UsageError: this is no module, no inputs, or no setting that there is.
        Exception: whatever a function raises that makes a module.
    """
    others: object = against
    if others is not None and not isinstance(others, Mapping):
        what = type(against).__name__
        raise UsageError(f'against: give a mapping of names to modules, {{"msa": module}}, not a {what}')
    _require_images(batch)
    label = name or _called(module)
    if label in (against or {}):
        raise UsageError(f'against: "{label}" is what the module itself is called; say name="…"')
    sources: dict[str, Any] = {label: (module, inputs), **(against or {})}
    calls = {
        one: ModuleCall.of(*source)
        if isinstance(source, tuple) and len(source) == 2
        else ModuleCall.of(source, inputs)
        for one, source in sources.items()
    }
    document = _document(calls, mode, batch, settings or {})
    quiet = not (interactive() if progress is None else progress)
    if out is not None:
        check_free(Path(out))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(out or Path(made, "run"))
        files = {file_name(one): call for one, call in calls.items()}
        try:
            reason = measure_in_fresh_processes(document, files, folder, Path(made), quiet=quiet)
            if reason:
                measure_in_this_process(document, files, folder, quiet=quiet)
        except ScenarioError as error:
            raise error.told_as(_argument) from None
        run = read_run(folder)
    return Measurement(run if out else replace(run, path=Path(label)), label, reason)


def count(module: Source, inputs: Any, *, batch: int | None = None) -> Cost:
    """Count parameters, and multiply–adds and other operations of one image, of a call of a module.

    Args:
        module, inputs: as of `measure`.
        batch: images in the inputs, which counts are divided by; the first tensor's length if None. 1 counts
            the call as a whole.

    Returns:
        The cost; `uncounted` names operators without a rule, and `macs` is then a lower bound.

    Raises:
        UsageError: this is no module, or no inputs, or others than the module takes, or no number of images.
        Exception: whatever the module raises.
    """
    _require_images(batch)
    call = ModuleCall.of(module, inputs)
    made = call.module()
    try:
        return count_cost(call.positional(made), call.values, images=batch or call.images)
    except TypeError:
        call.require_taken(made)
        raise


def _argument(path: str) -> str | None:
    """The argument of `measure` that a path of its scenario came from."""
    section, _, key = path.partition(".")
    if section == "measure":
        return f"settings.{key}" if key else "settings"
    return "mode" if path.startswith("sweep.mode") else None


def _require_images(batch: int | None) -> None:
    if batch is not None and batch < 1:
        raise UsageError(f"batch: there is at least one image, not {batch}")


def _called(source: Source) -> str:
    """A name for a module or for what makes it."""
    if isinstance(source, nn.Module):
        return type(source).__name__
    return str(getattr(source, "__name__", type(source).__name__)).strip("<>")


def _document(
    calls: Mapping[str, ModuleCall], mode: str, batch: int | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The scenario of a measurement. The first module decides on device and format, its first tensor on the
    form of the cells.

    Raises:
        UsageError: the module is nowhere, or in a format that there is no word for.
    """
    labels = list(calls)
    call = calls[labels[0]]
    module, first = call.module(), call.tensor
    device = next((parameter.device for parameter in module.parameters()), first.device)
    if device.type == "meta":
        raise UsageError('module: it is on "meta", where nothing can be timed; give it memory, or count it')
    words = {form.tensors: word for word, form in FORMATS.items() if not (form.autocast or form.tf32)}
    dtype = dtype_of(module, call.values) or torch.float32
    if dtype not in words:
        raise UsageError(f"module: its format is {dtype}; allowed: {', '.join(map(str, words))}")
    images = first.ndim == 4  # (B, C, H, W); else tokens (B, N, C), or something of one place
    return {
        "name": "measure",
        "title": f"Time of {', '.join(labels)}",
        "subject": "backbone",
        "sweep": {
            "backbone": [{"name": f"{OBJECT}{file_name(label)}", "label": label} for label in labels],
            "resolution": [list(first.shape[-2:]) if images else [1, math.prod(first.shape[1:-1])]],
            "batch": batch or call.images,
            "dtype": words[dtype],
            "mode": mode,
            "device": str(device),
        },
        "measure": {**MEASURE, "ceilings": False, **settings},
        **({"report": {"reference": labels[1]}} if len(labels) > 1 else {}),
    }
