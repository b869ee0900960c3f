"""The convolutional feed-forward networks of LITv2 and PVT v2, and LITv2's blocks around them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.mixers import litv2, pvt_ffn
from benchsuite.mixers._layers import MLP
from benchsuite.mixers.litv2 import ConvFFNBlock, LITv2Block, LITv2FeedForward
from benchsuite.mixers.pvt_ffn import PVTFeedForward

DIM = 4
SIZES = [(3, 5), (4, 4), (1, 6)]


def tokens(size: tuple[int, int], dim: int = DIM) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, size[0] * size[1], dim, generator=generator, dtype=torch.float64)


def filled(module: nn.Module) -> Any:
    torch.manual_seed(1)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.double()


def gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / 2**0.5)) / 2


def place_by_place(module: Any, x: Tensor, size: tuple[int, int], relu_first: bool) -> Tensor:
    """Each token gathers its neighbours' hidden channels, weighted by the taps of the convolution."""
    hidden = module.fc1(x)
    hidden = hidden.clamp(min=0) if relu_first else hidden
    moved = torch.zeros_like(hidden)
    for y in range(size[0]):
        for z in range(size[1]):
            for i in range(-1, 2):
                for j in range(-1, 2):
                    if 0 <= y + i < size[0] and 0 <= z + j < size[1]:
                        tap = module.dwconv.weight[:, 0, i + 1, j + 1]
                        neighbour = hidden[:, (y + i) * size[1] + z + j]
                        moved[:, y * size[1] + z] += tap * neighbour
    return module.fc2(gelu(moved + module.dwconv.bias))


@pytest.mark.parametrize("size", SIZES)
def test_the_convolution_stands_between_first_layer_and_gelu(size: tuple[int, int]) -> None:
    x = tokens(size)
    for module, relu_first in (
        (LITv2FeedForward(DIM, hidden_dim=6), False),
        (PVTFeedForward(DIM, hidden_dim=6), False),
        (PVTFeedForward(DIM, hidden_dim=6, linear=True), True),
        (PVTFeedForward(DIM, out_dim=3, linear=True), True),
    ):
        out = filled(module)(x, size)
        assert out.shape[2] == module.out_dim
        torch.testing.assert_close(out, place_by_place(module, x, size, relu_first))


def test_widths_are_four_times_the_input_and_the_input_unless_said() -> None:
    module = PVTFeedForward(DIM)
    assert (module.hidden_dim, module.out_dim) == (4 * DIM, DIM)


@pytest.mark.parametrize(
    "port",
    [pytest.param(litv2.PORTS["convffn"], id="litv2"), pytest.param(pvt_ffn.PORTS["pvtv2_mlp"], id="pvt")],
)
def test_authors_who_do_not_say_how_wide_mean_as_wide_as_the_input(port: Any) -> None:
    assert port.arguments({"in_features": 24})["hidden_dim"] == 24
    assert port.arguments({"in_features": 24, "hidden_features": None})["hidden_dim"] == 24
    given = {"in_features": 24, "hidden_features": 96, "out_features": 12, "drop": 0.0}
    assert port.arguments(given) == {"dim": 24, "hidden_dim": 96, "out_dim": 12, "drop": 0.0}
    theirs = {"dwconv.dwconv.weight": torch.ones(1), "fc1.bias": torch.ones(1)}
    assert set(port.state(theirs)) == {"dwconv.weight", "fc1.bias"}


@pytest.mark.parametrize("make", [lambda: PVTFeedForward(DIM, drop=0.5), lambda: ConvFFNBlock(DIM, drop=0.5)])
def test_dropout_acts_in_training_only(make: Any) -> None:
    module, x = filled(make()), tokens((3, 5))
    assert not torch.equal(module(x, (3, 5)), module(x, (3, 5)))
    module.eval()
    assert torch.equal(module(x, (3, 5)), module(x, (3, 5)))


def test_a_plain_mlp_is_two_layers_with_gelu_between() -> None:
    module, x = filled(MLP(DIM, hidden_dim=6)), tokens((2, 2))
    torch.testing.assert_close(module(x), module.fc2(gelu(module.fc1(x))))


def normed(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * norm.weight + norm.bias


def test_the_block_of_the_first_stages_has_no_attention() -> None:
    size = (3, 5)
    block, x = filled(ConvFFNBlock(DIM, mlp_ratio=1.5)), tokens(size) * 0.001  # so that eps matters
    expected = x + place_by_place(block.mlp, normed(block.norm2, x), size, relu_first=False)
    assert block.mlp.fc1.out_features == 6
    torch.testing.assert_close(block(x, size), expected)


@pytest.mark.parametrize("options", [{}, {"window_size": 1}, {"alpha": 1.0}, {"pad": True, "window_size": 3}])
def test_the_block_of_the_later_stages_attends_first(options: dict[str, Any]) -> None:
    size = (4, 6)
    block, x = filled(LITv2Block(8, 4, **options)), tokens(size, 8) * 0.01
    y = x + block.attn(normed(block.norm1, x), size)
    expected = y + place_by_place(block.mlp, normed(block.norm2, y), size, relu_first=False)
    torch.testing.assert_close(block(x, size), expected)


def test_a_block_names_the_kernels_that_it_has() -> None:
    with pytest.raises(ValueError, match=r"^litv2_block has no kernel 'fast'; it runs on math, sdpa, "):
        LITv2Block(8, 4, kernel="fast")


def test_ports_of_the_blocks_read_the_authors_arguments() -> None:
    theirs = {"dim": 24, "input_resolution": [14, 14], "num_heads": 4, "mlp_ratio": 4}
    block = litv2.PORTS["litv2_block"].arguments(theirs | {"local_ws": 2, "alpha": 0.9, "drop_path": 0.1})
    assert block == {
        "dim": 24,
        "num_heads": 4,
        "mlp_ratio": 4,
        "window_size": 2,
        "alpha": 0.9,
        "qkv_bias": False,
    }
    assert litv2.PORTS["litv2_block"].arguments(theirs)["window_size"] == 1
    convolution = litv2.PORTS["litv2_convffn_block"].arguments(theirs | {"qkv_bias": True, "local_ws": 0})
    assert convolution == {"dim": 24, "mlp_ratio": 4}
