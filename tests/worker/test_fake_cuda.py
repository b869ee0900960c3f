"""Every mixer and block, and a network of each kind, on fake CUDA tensors, which have shapes and a device and
no data: what mixes devices, copies from or to the host, or waits for a number of the device, raises or is
noted."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchsuite.backbones import BACKBONES
from benchsuite.mixers import BLOCKS, MIXERS
from benchsuite.results.cell import Cell
from benchsuite.worker.build import Subject, build, mixer_class

pytestmark = pytest.mark.slow

SIDES = {"halo": 256}
"""Pixels of what does not take 224."""
INPUTS = {"cswin_lepe": lambda x: x.new_empty((3, *x.shape))}
"""Inputs of blocks that take more than tokens or a map."""
WAITS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::_unique2"}


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call,misc]  # torch gives it no types
    """Notes operators that take or make tensors of more than one device, or of another than is wanted, and
    those that wait for the device. A single number on the host travels with a kernel's arguments."""

    def __init__(self, device: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device = device
        self.found: dict[str, None] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [
            one for one in tree_leaves((args, kwargs, result)) if isinstance(one, Tensor) and one.dim()
        ]
        name = func._schema.name
        if name in WAITS or any(one.device.type != self.device for one in tensors):
            self.found[name] = None
        return result


class Tables(TorchFunctionMode):
    """Notes tensors that are made of numbers on the host, which on "meta" takes no operator."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in (torch.tensor, torch.as_tensor, torch.from_numpy):
            self.found.append(func.__name__)
        return func(*args, **(kwargs or {}))


def kinds() -> dict[tuple[str, str], list[str]]:
    """File, and name without its size → networks that differ in numbers only, the smallest first."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, target in BACKBONES.items():
        kind = re.sub(r"_(ti|[tsmblhg]|[bdmsl]\d+)(?=_|$)|\d\d$", "", name)
        found.setdefault((target.partition(":")[0], kind), []).append(name)
    return found


def _rows() -> Iterator[Any]:
    for name in (*MIXERS, *BLOCKS):
        for kernel in {"math", "sdpa"} & set(getattr(mixer_class(name), "kernels", ("math",))):
            yield pytest.param("mixer" if name in MIXERS else "block", name, kernel, id=f"{name}-{kernel}")
    for name, *_ in kinds().values():
        yield pytest.param("backbone", name, "math", id=name)


each = pytest.mark.parametrize(("subject", "name", "kernel"), sorted(_rows(), key=lambda row: str(row.id)))


def on_meta(subject: Any, name: str, kernel: Any, mode: Any) -> Subject:
    side = SIDES.get(name, 224)
    own: dict[str, Any] = {"stride": 1, "dim": None, "num_heads": None}
    layer: dict[str, Any] = {"stride": 16, "dim": 192, "num_heads": 6}
    cell = Cell(
        name=name,
        target=name,
        subject=subject,
        resolution=(side, side),
        batch=2,
        kernel=kernel,
        mode=mode,
        **(own if subject == "backbone" else layer),
    )
    made = build(cell, "meta")
    tensor = INPUTS[name](made.tensor) if name in INPUTS else made.tensor
    return Subject(made.module, (tensor, *made.inputs[1:]))


def faked(subject: Subject) -> Subject:
    """The subject with fake tensors of a GPU in place of those of "meta"."""
    for module in subject.module.modules():
        for key, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[key] = nn.Parameter(_on_gpu(parameter), requires_grad=False)
        for key, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[key] = _on_gpu(buffer)
    return Subject(subject.module, (_on_gpu(subject.tensor), *subject.inputs[1:]))


def _on_gpu(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="cuda")


@functools.cache
def _unlinked() -> str:
    """What this torch says against work on fake CUDA tensors; empty if nothing."""
    try:
        with FakeTensorMode(), torch.no_grad():
            numbers = torch.empty(2, device="cuda")
            numbers[numbers.long()]
    except RuntimeError as error:
        return str(error)
    return ""


def test_networks_of_a_kind_are_made_of_the_same_modules() -> None:
    for names in kinds().values():
        made = (on_meta("backbone", name, "math", "inference").module for name in names)
        first, *others = ({type(module) for module in network.modules()} for network in made)
        assert all(other == first for other in others), names


@each
def test_on_a_fake_gpu_a_step_neither_leaves_the_device_nor_waits_for_it(
    subject: str, name: str, kernel: str
) -> None:
    """The second step, which is what is timed: the first makes tables and keeps them. Without gradients, of
    which torch asks the driver for the device, and without cuDNN, whose grid_sampler it cannot fake."""
    if _unlinked():
        pytest.skip(_unlinked())
    made, watch = on_meta(subject, name, kernel, "inference"), Watch("cuda")
    with FakeTensorMode(), torch.no_grad(), torch.backends.cudnn.flags(enabled=False):
        fake = faked(made)
        fake.module(*fake.inputs)
        with watch:
            output = fake.module(*fake.inputs)
    assert output.device.type == "cuda"
    assert not watch.found


@each
def test_on_meta_a_step_neither_leaves_the_device_nor_asks_for_a_number(
    subject: str, name: str, kernel: str
) -> None:
    """Of layers there and back; of networks, which are made of them, the forward pass."""
    made, watch, tables = on_meta(subject, name, kernel, "inference"), Watch("meta"), Tables()
    with torch.set_grad_enabled(subject != "backbone"):
        _step(made)
        with watch, tables:
            _step(made)
    assert not watch.found
    assert not tables.found


def _step(made: Subject) -> None:
    output = made.module(made.tensor.requires_grad_(), *made.inputs[1:])
    if output.requires_grad:
        output.sum().backward()


class Careless(nn.Module):
    """Copies a table from the host, and asks the device for a number, in every call."""

    def __init__(self, mistake: str) -> None:
        super().__init__()
        self.mistake = mistake

    def forward(self, x: Tensor) -> Tensor:
        if self.mistake == "copy":
            return x + torch.tensor([1.0, 2.0], device=x.device)
        if self.mistake == "index":
            return x[torch.tensor([1, 0])]
        return x * x.sum().item()


@pytest.mark.parametrize("mistake", ["copy", "index"])
def test_a_copy_from_the_host_is_noted(mistake: str) -> None:
    watch, tables = Watch("meta"), Tables()
    with watch, tables:
        Careless(mistake)(torch.empty(2, device="meta"))
    assert watch.found or tables.found


def test_neither_meta_nor_a_fake_gpu_gives_a_number() -> None:
    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta tensors"):
        Careless("number")(torch.empty(2, device="meta"))
    with FakeTensorMode(), torch.no_grad(), pytest.raises(RuntimeError, match="_local_scalar_dense"):
        Careless("number")(torch.empty(2, device="cuda"))
