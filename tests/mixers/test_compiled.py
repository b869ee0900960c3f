"""The kernel "compiled": the numbers of "math", of outputs and gradients, on every mixer that offers it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.mixers import MIXERS
from benchsuite.mixers._compiled import by_kernel
from benchsuite.mixers.involution import Involution
from benchsuite.parity.compare import check_folder
from benchsuite.worker.build import mixer_class

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, as it compiles
compiles = pytest.mark.skipif(
    shutil.which("c++") is None, reason="no C++ compiler, which torch.compile needs"
)
OFFERED = [name for name in MIXERS if "compiled" in mixer_class(name).kernels]
OTHER_OPTIONS = {
    "involution stride": {"stride": 2, "kernel_size": 3},
    "outlook stride": {"stride": 2},
    "outlook kernel_size": {"kernel_size": 5, "padding": 2},
    "acmix stride": {"stride": 2, "kernel_size": 5},
}
DATA = Path(__file__).parents[1] / "data" / "golden"
SHARED = Path(__file__).parents[2].parent / "shared" / "golden"


@pytest.fixture(autouse=True)
def _nothing_stays_compiled() -> Iterator[None]:
    yield
    torch._dynamo.reset()


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """A mixer of 32 channels on "math", and with the same weights on "compiled"."""
    cls, options = mixer_class(name.partition(" ")[0]), OTHER_OPTIONS.get(name, {})
    torch.manual_seed(0)
    plain, other = (cls(32, kernel=kernel, **options).eval() for kernel in ("math", "compiled"))
    other.load_state_dict(plain.state_dict())
    return plain, other


def maps(module: nn.Module, *, dtype: torch.dtype = torch.float32) -> Tensor:
    torch.manual_seed(1)
    shape = (2, 8, 10, 32) if module.layout == "NHWC" else (2, 32, 8, 10)
    return torch.randn(shape, dtype=dtype)


def with_gradients(module: nn.Module, x: Tensor) -> list[Tensor]:
    """Output, and the gradients of the input and of every parameter."""
    x = x.clone().requires_grad_()
    out = module(x)
    (out * torch.linspace(-1, 1, out.numel()).reshape(out.shape)).sum().backward()
    assert x.grad is not None
    return [out.detach(), x.grad, *(p.grad for p in module.parameters() if p.grad is not None)]


@compiles
@pytest.mark.compile
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [*OFFERED, *OTHER_OPTIONS])
def test_outputs_and_gradients_are_those_of_math(name: str) -> None:
    plain, other = pair(name)
    with torch.inference_mode():
        torch.testing.assert_close(other(maps(other)), plain(maps(plain)))
    expected = with_gradients(plain, maps(plain))
    torch.testing.assert_close(with_gradients(other, maps(other)), expected, rtol=1e-4, atol=1e-5)


@compiles
@pytest.mark.compile
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", OFFERED)
def test_bfloat16_gives_about_the_same(name: str) -> None:
    plain, other = pair(name)
    exact = plain(maps(plain))
    half = other.bfloat16()(maps(other, dtype=torch.bfloat16))
    assert half.dtype == torch.bfloat16
    assert (half.float() - exact).abs().max() < 0.1 * exact.abs().max()


@compiles
@pytest.mark.compile
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("folder", [DATA, SHARED])
def test_it_computes_what_the_authors_compute(folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip("the full set of cases is not here")
    rows = [row for row in check_folder(folder, kernels=["compiled"]) if row.verdict != "unavailable"]
    assert {row.verdict for row in rows} <= {"ok", "unknown"}
    assert sum(row.verdict == "ok" for row in rows) >= 3


@compiles
def test_a_mixer_alone_compiles_its_own_part_and_no_more() -> None:
    """In the default run the smallest one: a kernel of 3, of four channels."""
    options: dict[str, Any] = {"kernel_size": 3, "group_channels": 2, "reduction": 2}
    plain = Involution(4, **options).eval()
    other = Involution(4, kernel="compiled", **options).eval()
    other.load_state_dict(plain.state_dict())
    x = torch.randn(1, 4, 5, 6)
    with torch.inference_mode():
        torch.testing.assert_close(other(x), plain(x))
    assert not isinstance(other.reduce, torch._dynamo.OptimizedModule)


def double(x: Tensor, factor: int = 2) -> Tensor:
    return x * factor


def test_other_kernels_and_what_is_only_counted_compile_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **options: Any) -> Any:
        raise AssertionError("compiled")

    monkeypatch.setattr(torch, "compile", never)
    assert by_kernel("math", double, torch.ones(1), factor=3) == 3
    assert by_kernel("compiled", double, torch.ones(1, device="meta")).is_meta


@pytest.mark.parametrize("name", [*OFFERED, *OTHER_OPTIONS])
def test_it_counts_as_math_does_without_being_compiled(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchsuite.measurement.macs import count_cost

    monkeypatch.setattr(torch, "compile", None)
    plain, other = (module.to("meta") for module in pair(name))
    counts = [count_cost(module, (maps(module).to("meta"),)) for module in (plain, other)]
    assert counts[0] == counts[1]


def test_a_compiler_that_fails_is_a_kernel_that_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import cpp_builder
    from torch._inductor.exc import InvalidCxxCompiler

    def none() -> str:
        raise InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    why = r"^No available kernel: compiled double cannot be compiled here: .*C\+\+"
    with torch.no_grad(), pytest.raises(RuntimeError, match=why):
        by_kernel("compiled", double, torch.ones(2))
