"""DWNet's mixers and blocks: their wiring, and that the dynamic ones are dynamic."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.mixers.depthwise import DynamicDepthwiseConv, InhomogeneousDepthwiseConv
from benchsuite.mixers.dwnet import PORTS, DWBlock, DWNetBlock, DynamicDWBlock, InhomogeneousDWBlock

DIM, SIZE = 8, (4, 5)


def filled(module: nn.Module) -> Any:
    torch.manual_seed(1)
    for tensor in (*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())):
        nn.init.uniform_(tensor, 0.2, 1.2)
    for name, parameter in module.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(parameter, std=0.5)
    return module.double().eval()


def normed(bn: nn.BatchNorm2d, x: Tensor) -> Tensor:
    assert bn.running_mean is not None
    assert bn.running_var is not None
    return (x - bn.running_mean) / (bn.running_var + 1e-5).sqrt() * bn.weight + bn.bias


def wired(block: Any, x: Tensor) -> Tensor:
    """The mixer on (B, H, W, C), its 1 × 1 convolutions written as matrix products."""
    x = normed(block.bn0, x @ block.conv0.weight[:, :, 0, 0].T).clamp(min=0)
    x = block.conv(x.permute(0, 3, 1, 2).contiguous()).permute(0, 2, 3, 1)
    x = normed(block.bn, x).clamp(min=0)
    return normed(block.bn2, x @ block.conv2.weight[:, :, 0, 0].T)


def image() -> Tensor:
    return torch.randn(3, *SIZE, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DWBlock(DIM, kernel_size=3),
        lambda: DWBlock(DIM, kernel_size=3, groups=2),
        lambda: DynamicDWBlock(DIM, kernel_size=3),
        lambda: InhomogeneousDWBlock(DIM, kernel_size=3, groups=4),
    ],
)
def test_a_mixer_has_relu_after_two_of_its_three_norms(make: Any) -> None:
    block, x = filled(make()), image()
    out = block(x)
    torch.testing.assert_close(out, wired(block, x))
    assert (out < 0).any()


def test_a_dynamic_mixer_holds_a_dynamic_convolution() -> None:
    """In the released code a later line replaces it by a static one, which has far fewer parameters."""
    assert isinstance(DynamicDWBlock(DIM).conv, DynamicDepthwiseConv)
    assert isinstance(DWNetBlock(DIM, weights="dynamic").mixer.conv, DynamicDepthwiseConv)
    assert isinstance(DWNetBlock(32, weights="idynamic").mixer.conv, InhomogeneousDepthwiseConv)
    with torch.device("meta"):
        static, dynamic = DWBlock(96), DynamicDWBlock(96)
    more = sum(p.numel() for p in dynamic.parameters()) - sum(p.numel() for p in static.parameters())
    predicted = 96 * 24 + 2 * 24 + 24 * 96 * 49 + 96 * 49
    assert more == predicted - 96 * 49


@pytest.mark.parametrize(("weights", "groups"), [("static", None), ("dynamic", None), ("idynamic", 4)])
def test_a_block_norms_before_the_mlp_only(weights: str, groups: int | None) -> None:
    block = filled(DWNetBlock(DIM, weights=weights, kernel_size=3, groups=groups, mlp_ratio=2.0))
    x = image().reshape(3, -1, DIM)
    expected = x + wired(block.mixer, x.reshape(3, *SIZE, DIM)).reshape(x.shape)
    expected = expected + block.mlp(normed(block.norm, expected))
    torch.testing.assert_close(block(x, SIZE), expected)


def test_a_block_refuses_weights_and_groups_that_mean_nothing() -> None:
    with pytest.raises(ValueError, match=r"^unknown weights 'fixed'; allowed: static, dynamic, idynamic$"):
        DWNetBlock(DIM, weights="fixed")
    with pytest.raises(ValueError, match=r'^groups 4 has no meaning where weights is "dynamic"$'):
        DWNetBlock(DIM, weights="dynamic", groups=4)


def test_ports_take_their_kind_from_the_name_and_refuse_flags_that_contradict() -> None:
    flags = {"dim": 24, "window_size": 7, "dynamic": True, "inhomogeneous": True, "heads": 3}
    assert PORTS["dwnet_idynamic_block"].arguments(flags) == {"dim": 24, "kernel_size": 7, "groups": 8}
    for name in ("dwnet_static_block", "dwnet_dynamic_block"):
        with pytest.raises(ValueError, match="dynamic=True and inhomogeneous=True are not"):
            PORTS[name].arguments(flags)
    released = flags | {"inhomogeneous": False, "heads": None}
    assert PORTS["dwnet_static_block"].arguments(released) == {"dim": 24, "kernel_size": 7}


def test_the_port_of_the_inhomogeneous_block_fills_it() -> None:
    authors = {
        "dim": 24,
        "input_resolution": [14, 14],
        "window_size": 3,
        "mlp_ratio": 2.0,
        "dynamic": True,
        "inhomogeneous": True,
        "inhomo_head": 6,
    }
    port = PORTS["dwnet_spatial_block_idynamic"]
    block = DWNetBlock(**port.arguments(authors))
    assert block.mixer.conv.groups == 4
    theirs = {
        "attn2conv.conv0.weight": (24, 24, 1, 1),
        "attn2conv.conv.conv1.0.weight": (6, 24, 1, 1),
        "attn2conv.conv.conv1.0.bias": (6,),
        "attn2conv.conv.conv2.0.weight": (36, 6, 1, 1),
        "attn2conv.conv.conv2.0.bias": (36,),
        "attn2conv.conv2.weight": (24, 24, 1, 1),
        "mlp.fc1.weight": (48, 24),
        "mlp.fc1.bias": (48,),
        "mlp.fc2.weight": (24, 48),
        "mlp.fc2.bias": (24,),
    }
    norms = ("attn2conv.bn0", "attn2conv.bn", "attn2conv.bn2", "bn")
    for name, width in [(norm, 24) for norm in norms] + [("attn2conv.conv.conv1.1", 6)]:
        for part in ("weight", "bias", "running_mean", "running_var"):
            theirs[f"{name}.{part}"] = (width,)
    state = port.state({name: torch.rand(shape) for name, shape in theirs.items()})
    block.load_state_dict(state, strict=True)
    torch.testing.assert_close(block.mixer.conv.bn.weight, state["mixer.conv.bn.weight"])
