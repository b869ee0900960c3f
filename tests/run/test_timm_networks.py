"""Networks of timm, on a stand-in for timm: what is asked of it, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from torch import Tensor, nn

from benchsuite.results.record import Cell
from benchsuite.run.build import backbone_builder, build
from tests.builders import make_cell
from tests.plans import plans_of


class Net(nn.Module):
    """Notes how it was built."""

    def __init__(self, num_classes: int, fused: bool) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_classes, 1)
        self.fused = fused
        self.img_size: Any = None

    def set_input_size(self, img_size: Any) -> None:
        self.img_size = img_size

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x).mean((2, 3))
        return out


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    state = SimpleNamespace(fused=True)
    module = ModuleType("timm")
    module.__version__ = "9.9"
    module.is_model = lambda name: name == "tiny_net"
    module.layers = SimpleNamespace(
        use_fused_attn=lambda: state.fused, set_fused_attn=lambda on: setattr(state, "fused", on)
    )
    module.create_model = lambda name, num_classes: Net(num_classes, state.fused)
    monkeypatch.setitem(sys.modules, "timm", module)
    backbone_builder.cache_clear()
    yield module
    backbone_builder.cache_clear()


def cell(**changes: Any) -> Cell:
    shape = {"subject": "backbone", "target": "timm:tiny_net", "stride": 1, "dim": None, "num_heads": None}
    return make_cell(**(shape | changes))


@pytest.mark.parametrize(("kernel", "fused"), [("math", False), ("sdpa", True)])
def test_the_kernel_of_the_cell_decides_and_timms_setting_is_put_back(
    timm: Any, kernel: str, fused: bool
) -> None:
    network = build(cell(kernel=kernel, resolution=(64, 64)), "cpu").module
    assert isinstance(network, Net)
    assert network.fused is fused
    assert network.img_size == 64
    assert timm.layers.use_fused_attn() is True


def test_it_is_counted_like_any_other_network(timm: Any) -> None:
    (plan,) = plans_of([cell(resolution=(8, 8))])
    assert plan.value is not None
    assert plan.value.cost.macs == 3 * 1000 * 64


def test_another_kernel_is_unsupported(timm: Any) -> None:
    (plan,) = plans_of([cell(kernel="flash")])
    assert plan.status == "unsupported"
    assert plan.failure is not None
    assert plan.failure.message == "timm:tiny_net has no flash kernel; it runs on math, sdpa"


def test_a_mixer_cannot_be_put_in(timm: Any) -> None:
    with pytest.raises(ValueError, match="takes no mixer"):
        backbone_builder("timm:tiny_net")(mixer={"stage1": "sra"})


def test_an_unknown_network_is_named_with_timms_version(timm: Any) -> None:
    with pytest.raises(LookupError, match=r"timm 9\.9 has no network 'tiny_nett'"):
        backbone_builder("timm:tiny_nett")


def test_without_timm_the_cell_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    (plan,) = plans_of([cell()])
    assert plan.status == "error"
    assert plan.failure is not None
    assert plan.failure.message.startswith("timm:tiny_net cannot be loaded: it needs timm: pip")
