"""Comparison of our mixers and networks with the golden cases, forward and backward, kernel by kernel."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from benchsuite.errors import DeviceError, UsageError
from benchsuite.measurement.precision import tf32
from benchsuite.mixers._attention import ALL_KERNELS
from benchsuite.mixers._compiled import COMPILED
from benchsuite.parity.cases import WHOLE_MODEL, Case, Tolerance, read_cases
from benchsuite.parity.ports import find_network, find_port, load_authors_network, load_authors_weights

_log = logging.getLogger(__name__)

Verdict = Literal["ok", "mismatch", "unknown", "unavailable"]

COLUMNS = (
    ("verdict", len("unavailable")),
    ("kernel", len("mem_efficient")),
    ("output max |Δ|", 0),
    ("allowed", len("1.0e-05")),
    ("gradient max |Δ|", 0),
    ("allowed", len("1.0e-05")),
    ("case", 0),
)
"""Of `ParityRow.texts`, and how wide they are at least."""
_NO_KERNEL = ("No available kernel", "No viable backend")
"""Beginnings of torch's errors where a forced attention kernel cannot run on this device, dtype or mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityRow:
    """The comparison of one case on one kernel.

    Attributes:
        case: name of the case.
        mixer: the authors' mixer that the case is of.
        kernel: the attention kernel that ours ran on; None where there is nothing of ours to run.
        output_error, grad_error: largest |ours − theirs| of the output and of the input's gradient.
        output_allowed, grad_allowed: what the case's tolerance allows at the element nearest to its limit.
        grad_norms_compared: parameters whose gradient's L2 norm was compared as well.
        verdict: "ok"; "mismatch", also where ours cannot be built or filled; "unknown", no port of this
            mixer or network; "unavailable", the kernel does not run here, which says nothing about ours.
        reason: why the verdict is not "ok".
    """

    case: str
    mixer: str
    kernel: str | None = None
    output_error: float | None = None
    output_allowed: float | None = None
    grad_error: float | None = None
    grad_allowed: float | None = None
    grad_norms_compared: int = 0
    verdict: Verdict
    reason: str = ""

    def texts(self) -> tuple[str, ...]:
        """For a table: verdict, kernel, output and gradient with what is allowed, case with reason."""
        numbers = (self.output_error, self.output_allowed, self.grad_error, self.grad_allowed)
        shown = ("" if number is None else f"{number:.1e}" for number in numbers)
        of = self.case if self.case == self.mixer else f"{self.case} ({self.mixer})"
        return (self.verdict, self.kernel or "", *shown, f"{of}: {self.reason}" if self.reason else of)


def check_folder(
    folder: Path, *, device: str = "cpu", kernels: Sequence[str] | None = None
) -> Iterator[ParityRow]:
    """Compare ours with every golden case of a folder, in float32.

    Args:
        device: where ours runs, "cpu" or "cuda".
        kernels: to run on; by default all that the mixer or network has but "compiled", which takes up to a
            minute a case.

    Returns:
        One row for each case and kernel, cases in the order of their files. Each is
        compared when it is asked for.

    Raises:
        ParityDataError: the folder or a case cannot be read.
        DeviceError: there is no such device.
        UsageError: an unknown kernel.
    """
    unknown = [kernel for kernel in kernels or () if kernel not in ALL_KERNELS]
    if unknown:
        raise UsageError(
            f"unknown attention kernel {', '.join(unknown)}\n  allowed: {', '.join(ALL_KERNELS)}"
        )
    target = _device(device)
    return (row for case in read_cases(folder) for row in _rows(case, target, kernels))


def _rows(case: Case, device: torch.device, kernels: Sequence[str] | None) -> Iterator[ParityRow]:
    ours = counterpart_of(case)
    if ours is None:
        yield ParityRow(case=case.name, mixer=case.mixer, verdict="unknown", reason=_unknown_reason(case))
        return
    for kernel in (one for one in ours.kernels if one != COMPILED) if kernels is None else kernels:
        if kernel in ours.kernels:
            row = _check(case, ours, kernel, device)
        else:
            reason = f"the {ours.kind} runs on {', '.join(ours.kernels)}"
            row = ParityRow(
                case=case.name, mixer=case.mixer, kernel=kernel, verdict="unavailable", reason=reason
            )
        _log.debug("%s", row)
        yield row


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # a build of torch without CUDA asserts
        raise DeviceError(f'device "{name}" is not there: {str(error).splitlines()[0]}') from error
    return device


def _check(case: Case, ours: Counterpart, kernel: str, device: torch.device) -> ParityRow:
    def row(verdict: Verdict, reason: str) -> ParityRow:
        return ParityRow(case=case.name, mixer=case.mixer, kernel=kernel, verdict=verdict, reason=reason)

    try:
        module = ours.load(case, kernel)
    except (ValueError, TypeError, RuntimeError) as error:
        return row("mismatch", f"ours cannot be built from the case: {error}")
    module = module.to(device).train(case.train_mode)
    with warnings.catch_warnings(record=True) as caught, tf32(False):
        warnings.simplefilter("always")
        try:
            output, grad_input = _run(module, case, ours, device)
        except (ValueError, RuntimeError) as error:
            if str(error).startswith(_NO_KERNEL):
                return row("unavailable", _why_not(error, [str(w.message) for w in caught], device))
            return row("mismatch", f"ours does not run: {error}")
    return _compare(case, kernel, output, grad_input, _grad_pairs(case, ours, module))


def _run(module: nn.Module, case: Case, ours: Counterpart, device: torch.device) -> tuple[Tensor, Tensor]:
    """Output and gradient of the input, on the CPU; leaves the parameters' gradients in the module."""
    x = case.input.detach().clone().to(device).requires_grad_()
    output = ours.run(module, x, case.size)
    if output.shape != case.output.shape:
        raise ValueError(f"output is {tuple(output.shape)}, the authors' {tuple(case.output.shape)}")
    torch.autograd.backward((output * case.cotangent.to(device)).sum())
    assert x.grad is not None
    return output.detach().cpu(), x.grad.cpu()


def _grad_pairs(case: Case, ours: Counterpart, module: nn.Module) -> dict[str, tuple[float, float]]:
    """(ours, the authors') L2 norm of a parameter's gradient, by our name.

    Only for parameters that are one of the authors' as it is, not several of theirs put together.
    """
    theirs_of = {id(tensor): name for name, tensor in case.state.items()}
    named = ours.state(case.state)
    pairs = {}
    for name, parameter in module.named_parameters():
        theirs = theirs_of.get(id(named[name]), "")
        if theirs in case.grad_norms and theirs not in case.zero_grads:
            norm = 0.0 if parameter.grad is None else float(parameter.grad.double().norm())
            pairs[name] = (norm, case.grad_norms[theirs])
    return pairs


def _compare(
    case: Case, kernel: str, output: Tensor, grad_input: Tensor, norms: Mapping[str, tuple[float, float]]
) -> ParityRow:
    output_error, output_allowed, output_ok = _deviation(output, case.output, case.output_tolerance)
    grad_error, grad_allowed, grad_ok = _deviation(grad_input, case.grad_input, case.grad_tolerance)
    reasons = []
    if not output_ok:
        reasons.append(f"output is off by up to {output_error:.3g}")
    if not grad_ok:
        reasons.append(f"gradient of the input is off by up to {grad_error:.3g}")
    for name, (ours, theirs) in norms.items():
        allowed = case.grad_tolerance.atol + case.grad_tolerance.rtol * theirs
        if not abs(ours - theirs) <= allowed:
            reasons.append(f"gradient of {name} has norm {ours:.6g}, the authors' {theirs:.6g}")
    return ParityRow(
        case=case.name,
        mixer=case.mixer,
        kernel=kernel,
        output_error=output_error,
        output_allowed=output_allowed,
        grad_error=grad_error,
        grad_allowed=grad_allowed,
        grad_norms_compared=len(norms),
        verdict="mismatch" if reasons else "ok",
        reason="; ".join(reasons),
    )


def _deviation(ours: Tensor, theirs: Tensor, tolerance: Tolerance) -> tuple[float, float, bool]:
    """Largest |ours − theirs|; what the element nearest to its limit may have; whether all are within."""
    error = (ours.double() - theirs.double()).abs()
    allowed = tolerance.atol + tolerance.rtol * theirs.double().abs()
    nearest = int((error / allowed).argmax())
    # Comparisons with NaN are false, so a NaN is never within.
    return float(error.max()), float(allowed.flatten()[nearest]), bool((error <= allowed).all())


def _why_not(error: RuntimeError | ValueError, caught: Sequence[str], device: torch.device) -> str:
    """Reasons that torch gives, by way of warnings beside an error that says nothing."""
    reasons = [text.split(" (Triggered internally")[0].strip() for text in caught]
    reasons = list(dict.fromkeys(text for text in reasons if text and not text.endswith("not used because:")))
    return "; ".join(reasons) if reasons else f"torch has no such kernel on {device.type}: {error}"


@dataclass(frozen=True, slots=True)
class Counterpart:
    """Ours of a case.

    Attributes:
        kind: "mixer" or "network".
        kernels: that it runs on.
        load: case and kernel → ours with the authors' weights. Raises ValueError, TypeError or RuntimeError
            if ours cannot be built of the arguments or filled with the weights.
        state: the authors' state dict → ours.
        run: ours on the case's input, and the height and width of its grid → output in the case's layout.
    """

    kind: str
    kernels: tuple[str, ...]
    load: Callable[[Case, str], nn.Module]
    state: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    run: Callable[[nn.Module, Tensor, tuple[int, int]], Tensor]


def counterpart_of(case: Case) -> Counterpart | None:
    """Ours of a case, or None if we have none."""
    return _network(case) if case.mixer == WHOLE_MODEL else _mixer(case)


def _unknown_reason(case: Case) -> str:
    """Reason why there is no counterpart."""
    if case.mixer == WHOLE_MODEL:
        return f'no network here is a port of "{case.source.repository}:{case.source.cls}"'
    return f'no mixer here is a port of "{case.mixer}"'


def _mixer(case: Case) -> Counterpart | None:
    named = find_port(case.mixer)
    if named is None:
        return None
    _, cls, port = named

    def run(module: nn.Module, x: Tensor, size: tuple[int, int]) -> Tensor:
        if port.run is not None:
            return port.run(module, x, size)
        out: Tensor = module(x, size) if module.layout == "BNC" else module(x)
        return out

    def load(case: Case, kernel: str) -> nn.Module:
        return load_authors_weights(case.mixer, case.kwargs, case.state, kernel=kernel)

    return Counterpart("mixer", cls.kernels, load, port.state, run)


def _network(case: Case) -> Counterpart | None:
    repository, cls = case.source.repository, case.source.cls or ""
    port = find_network(repository, cls)
    if port is None:
        return None

    def run(module: nn.Module, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = module(x)
        return out

    def load(case: Case, kernel: str) -> nn.Module:
        return load_authors_network(repository, cls, case.kwargs, case.state, kernel=kernel)

    try:
        with torch.device("meta"):
            built = port.network(**port.arguments(case.kwargs))
    except (ValueError, TypeError, RuntimeError):
        kernels: tuple[str, ...] = ("math",)  # loading it will say what is wrong
    else:
        kernels = _kernels_of(built)
    return Counterpart("network", kernels, load, port.state, run)


def _kernels_of(network: nn.Module) -> tuple[str, ...]:
    """The attention kernels that some mixer in it runs on; "math" is of all."""
    of_parts = {kernel for part in network.modules() for kernel in getattr(part, "kernels", ())}
    return tuple(kernel for kernel in ALL_KERNELS if kernel == "math" or kernel in of_parts)
