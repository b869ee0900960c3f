"""What a cell is built as: formats of numbers and of memory, and what is refused up front."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from benchsuite.errors import Unsupported, UsageError
from benchsuite.measurement import cuda
from benchsuite.measurement.precision import FORMATS, precision_of, require_dtype
from benchsuite.results.cell import Cell, DType
from benchsuite.worker.build import build
from benchsuite.worker.steps import step_of
from tests.builders import make_cell

HERE = "tests.worker.test_build"


class LastMap(nn.Module):
    """Takes (B, H, W, dim) maps."""

    layout: ClassVar[str] = "NHWC"

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(x)
        return out


def planted(name: str, **changes: object) -> Cell:
    return make_cell(name=name, target=f"tests.planted:{name}", **changes)


def network(**changes: object) -> Cell:
    return make_cell(
        subject="backbone", name="net", target="resnet50", stride=1, dim=None, num_heads=None, **changes
    )


def flags() -> tuple[str, bool]:
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


@pytest.fixture(autouse=True)
def _flags_are_put_back() -> Iterator[None]:
    matmul, cudnn = flags()
    yield
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = cudnn


@pytest.fixture
def turing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A GPU of compute capability 7.5: neither TF32 nor bf16 of its own."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    cuda._missing.cache_clear()
    yield
    cuda._missing.cache_clear()


@pytest.mark.parametrize(
    ("dtype", "tensors", "autocast"),
    [
        ("fp64", torch.float64, None),
        ("bf16", torch.bfloat16, None),
        ("autocast_fp16", torch.float32, torch.float16),
        ("autocast_bf16", torch.float32, torch.bfloat16),
    ],
)
def test_autocast_keeps_single_precision_weights_and_input(
    dtype: str, tensors: torch.dtype, autocast: torch.dtype | None
) -> None:
    subject = build(make_cell(dtype=dtype), "cpu")
    assert {parameter.dtype for parameter in subject.module.parameters()} == {tensors}
    assert subject.tensor.dtype == tensors
    assert subject.autocast == autocast


def test_tf32_on_a_cpu_is_unsupported_on_meta_too_so_that_planning_finds_it() -> None:
    for device in ("cpu", "meta"):
        with pytest.raises(Unsupported, match="a CPU has no TF32"):
            build(make_cell(dtype="tf32", device="cpu"), device)


def test_what_an_older_gpu_lacks_is_unsupported_and_the_gpu_is_named(turing: None) -> None:
    with pytest.raises(Unsupported, match=r"Tesla T4 \(compute capability 7.5\) has no TF32"):
        require_dtype("tf32", "cuda:0")
    for dtype in ("fp32", "fp16", "fp64", "autocast_fp16"):
        require_dtype(dtype, "cuda:0")


@pytest.mark.parametrize("dtype", ["bf16", "autocast_bf16"])
def test_a_format_that_a_gpu_only_emulates_counts_as_lacking(
    dtype: DType, turing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device", lambda index: torch.no_grad())
    with pytest.raises(Unsupported, match="has no bf16 of its own"):
        require_dtype(dtype, "cuda")


def test_nothing_is_refused_for_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for dtype in FORMATS:
        require_dtype(dtype, "cuda:0")


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "autocast_bf16"])
def test_only_tf32_lets_torch_use_tf32_and_the_flags_are_put_back(dtype: DType) -> None:
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    with precision_of(dtype, "cpu"):
        assert flags() == ("highest", False)
    assert flags() == ("high", True)


def test_tf32_is_allowed_within_its_cell_and_not_after_it_even_if_the_cell_fails() -> None:
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    found = []

    def fail() -> None:
        with precision_of("tf32", "meta"):
            found.append(flags())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert found == [("high", True)]
    assert flags() == ("highest", False)


def test_channels_last_moves_weights_and_input_and_changes_no_number() -> None:
    cell = planted("Map", resolution=(96, 64))
    plain = build(cell, "cpu")
    moved = build(planted("Map", resolution=(96, 64), memory_format="channels_last"), "cpu")
    for tensor in (moved.tensor, moved.module.conv.weight):
        assert isinstance(tensor, Tensor)
        assert tensor.is_contiguous(memory_format=torch.channels_last)
        assert not tensor.is_contiguous()
    assert torch.equal(plain.tensor, moved.tensor)
    torch.testing.assert_close(step_of(moved, "inference")(), step_of(plain, "inference")())


def test_images_of_a_network_are_channels_last_too() -> None:
    subject = build(network(resolution=(32, 32), memory_format="channels_last"), "meta")
    assert subject.images
    assert subject.tensor.is_contiguous(memory_format=torch.channels_last)
    weights = [p for p in subject.module.parameters() if p.ndim == 4 and min(p.shape[1:]) > 1]
    assert weights
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)


@pytest.mark.parametrize("target", ["msa", f"{HERE}:LastMap"])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_channels_last_means_nothing_where_channels_are_last_already(target: str, device: str) -> None:
    with pytest.raises(Unsupported, match=r"^channels_last means nothing to .*: its input is (tokens|maps)"):
        build(make_cell(target=target, memory_format="channels_last"), device)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_training_step_of_what_has_no_parameters_is_a_mistake_of_the_scenario(device: str) -> None:
    cell = make_cell(name="Pool", target="pooling", mode="training_step")
    with pytest.raises(UsageError, match=r"^Pool \(pooling\) has no parameters, so a training_step"):
        build(cell, device)
    build(make_cell(target="pooling", mode="forward_backward"), device)


@pytest.mark.parametrize(
    ("axes", "why"),
    [
        ({"protocol": "timm", "cache": "cold"}, "protocol timm has its own caches"),
        ({"protocol": "hilo_single_layer", "compile": "default"}, "has no warm-up, and compiling is one"),
        ({"protocol": "hilo_single_layer", "kernel": "compiled"}, "has no warm-up, and compiling is one"),
    ],
)
def test_what_a_published_protocol_does_not_do_is_unsupported(axes: dict[str, str], why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        build(make_cell(**axes), "meta")
    build(make_cell(cache="cold"), "meta")
    build(make_cell(protocol="timm", compile="default"), "meta")
