"""Channel gates (SE, ECA, gather-excite) against their definitions, written with loops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.mixers import eca, gather_excite
from benchsuite.mixers.eca import EfficientChannelAttention
from benchsuite.mixers.gather_excite import GatherExcite
from benchsuite.mixers.se import SqueezeExcite

DIM = 8


def maps(size: tuple[int, int]) -> Tensor:
    return torch.randn(2, DIM, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def filled(module: nn.Module) -> Any:
    torch.manual_seed(1)
    for tensor in (*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())):
        nn.init.uniform_(tensor, 0.2, 1.2)
    for name, parameter in module.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(parameter, std=0.5)
    return module.double().eval()


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


@pytest.mark.parametrize("add_maxpool", [False, True])
def test_squeeze_excite_gates_by_two_layers_of_the_means(add_maxpool: bool) -> None:
    module, x = filled(SqueezeExcite(DIM, rd_channels=3, add_maxpool=add_maxpool)), maps((3, 5))
    mean = x.flatten(2).mean(-1)
    described = (mean + x.flatten(2).max(-1).values) / 2 if add_maxpool else mean
    hidden = (described @ module.fc1.weight[:, :, 0, 0].T + module.fc1.bias).clamp(min=0)
    gate = sigmoid(hidden @ module.fc2.weight[:, :, 0, 0].T + module.fc2.bias)
    torch.testing.assert_close(module(x), x * gate[:, :, None, None])


@pytest.mark.parametrize(
    ("dim", "options", "width"),
    [
        (32, {"rd_ratio": 0.25}, 8),
        (32, {}, 8),  # 2, and at least the divisor
        (768, {}, 48),
        (100, {"rd_ratio": 0.25}, 24),  # 25, to the nearest multiple of 8
        (100, {"rd_ratio": 0.3}, 32),  # 30
        (100, {"rd_ratio": 0.25, "rd_divisor": 1}, 25),
        (100, {"rd_channels": 7}, 7),
    ],
)
def test_the_width_between_the_layers_is_rounded(dim: int, options: dict[str, Any], width: int) -> None:
    assert SqueezeExcite(dim, **options).rd_channels == width


def test_widths_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^rd_channels 0 is not positive$"):
        SqueezeExcite(8, rd_channels=0)
    with pytest.raises(ValueError, match=r"^rd_divisor 0 is not positive$"):
        GatherExcite(8, use_mlp=True, rd_divisor=0)


@pytest.mark.parametrize("side", [1, 3, 5])
def test_eca_gates_by_neighbouring_channels_with_zeros_at_the_ends(side: int) -> None:
    module, x = filled(EfficientChannelAttention(DIM, kernel_size=side)), maps((3, 5))
    out = module(x)
    for image in range(2):
        for c in range(DIM):
            total = torch.zeros((), dtype=x.dtype)
            for tap in range(side):
                neighbour = c + tap - side // 2
                if 0 <= neighbour < DIM:
                    total = total + module.conv.weight[0, 0, tap] * x[image, neighbour].mean()
            torch.testing.assert_close(out[image, c], x[image, c] * sigmoid(total))


@pytest.mark.parametrize(("dim", "side"), [(16, 3), (64, 3), (128, 5), (256, 5), (768, 5), (4096, 7)])
def test_eca_sees_more_neighbours_of_more_channels(dim: int, side: int) -> None:
    """(log₂ C + 1) / 2, truncated, one more if even, and at least 3."""
    assert EfficientChannelAttention(dim).kernel_size == side


def test_the_port_of_eca_lets_channels_override_the_kernel() -> None:
    convert = eca.PORTS["eca"].arguments
    assert convert({"channels": 128, "kernel_size": 9}) == {"dim": 128}
    free = EfficientChannelAttention(**convert({"channels": None, "kernel_size": 5}))
    assert free.kernel_size == 5
    assert free(torch.randn(2, 6, 3, 3)).shape == (2, 6, 3, 3)
    assert convert({"channels": None})["kernel_size"] == 3
    with pytest.raises(ValueError, match="use_mlp=True is not supported"):
        convert({"channels": 8, "use_mlp": True})


def nearest(gathered: Tensor, size: tuple[int, int]) -> Tensor:
    """Spread a small map over a large one: place y shows row ⌊y h / H⌋."""
    rows = torch.arange(size[0]) * gathered.shape[2] // size[0]
    columns = torch.arange(size[1]) * gathered.shape[3] // size[1]
    return gathered[:, :, rows][:, :, :, columns]


@pytest.mark.parametrize("add_maxpool", [False, True])
@pytest.mark.parametrize("size", [(8, 8), (7, 10), (3, 5)])
@pytest.mark.parametrize("extent", [2, 4, 6])
def test_gathering_without_parameters_is_a_mean_of_what_is_there(
    extent: int, size: tuple[int, int], add_maxpool: bool
) -> None:
    module = GatherExcite(DIM, extent=extent, extra_params=False, add_maxpool=add_maxpool)
    x, reach = maps(size), extent - 1
    rows = []
    for y in range(0, size[0], extent):
        row = []
        for z in range(0, size[1], extent):
            seen = x[:, :, max(y - reach, 0) : y + reach + 1, max(z - reach, 0) : z + reach + 1].flatten(2)
            row.append((seen.mean(-1) + seen.max(-1).values) / 2 if add_maxpool else seen.mean(-1))
        rows.append(torch.stack(row, -1))
    torch.testing.assert_close(module(x), x * nearest(sigmoid(torch.stack(rows, 2)), size))


@pytest.mark.parametrize("add_maxpool", [False, True])
def test_gathering_all_without_parameters_is_one_value_a_channel(add_maxpool: bool) -> None:
    module = GatherExcite(DIM, extent=0, extra_params=False, add_maxpool=add_maxpool)
    x = maps((3, 5))
    mean = x.mean((2, 3), keepdim=True)
    gathered = (mean + x.amax((2, 3), keepdim=True)) / 2 if add_maxpool else mean
    torch.testing.assert_close(module(x), x * sigmoid(gathered))


def convolved(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """A depth-wise convolution, tap by tap."""
    padded = nn.functional.pad(x, (padding,) * 4)
    height, width = (padded.shape[axis] - weight.shape[axis] for axis in (2, 3))
    out = torch.zeros_like(padded[:, :, : height + 1 : stride, : width + 1 : stride])
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            seen = padded[:, :, i : i + height + 1 : stride, j : j + width + 1 : stride]
            out += weight[:, 0, i, j][:, None, None] * seen
    return out


def normed(bn: nn.BatchNorm2d, x: Tensor) -> Tensor:
    assert bn.running_mean is not None
    assert bn.running_var is not None
    shape = (-1, 1, 1)
    scaled = (x - bn.running_mean.view(shape)) / (bn.running_var.view(shape) + 1e-5).sqrt()
    return scaled * bn.weight.view(shape) + bn.bias.view(shape)


@pytest.mark.parametrize("use_mlp", [False, True])
@pytest.mark.parametrize("size", [(8, 8), (7, 10)])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_gathering_with_parameters_is_a_chain_of_convolutions_with_relu_between(
    levels: int, size: tuple[int, int], use_mlp: bool
) -> None:
    module = filled(GatherExcite(DIM, extent=2**levels, use_mlp=use_mlp, rd_ratio=0.25))
    x = maps(size)
    gathered = x
    for level in range(1, levels + 1):
        weight = module.gather.get_submodule(f"conv{level}").weight
        gathered = normed(module.gather.get_submodule(f"norm{level}"), convolved(gathered, weight, 2, 1))
        gathered = gathered.clamp(min=0) if level < levels else gathered
    if use_mlp:
        assert module.mlp.fc1.out_channels == 2
        hidden = torch.einsum("bchw,dc->bdhw", gathered, module.mlp.fc1.weight[:, :, 0, 0])
        hidden = (hidden + module.mlp.fc1.bias[:, None, None]).clamp(min=0)
        gathered = torch.einsum("bchw,dc->bdhw", hidden, module.mlp.fc2.weight[:, :, 0, 0])
        gathered = gathered + module.mlp.fc2.bias[:, None, None]
    torch.testing.assert_close(module(x), x * nearest(sigmoid(gathered), size))


def test_the_global_gather_with_parameters_is_one_value_a_channel_as_in_the_paper() -> None:
    module, x = filled(GatherExcite(DIM, extent=0, grid=(3, 5))), maps((3, 5))
    gathered = (x * module.gather.conv1.weight[:, 0]).sum((2, 3), keepdim=True)
    torch.testing.assert_close(module(x), x * sigmoid(normed(module.gather.norm1, gathered)))


@pytest.mark.parametrize(("side", "out"), [(5, 5), (4, 3)])
def test_the_global_gather_of_timm_pads_and_gives_a_map(side: int, out: int) -> None:
    given = {"channels": DIM, "feat_size": side, "extra_params": True, "use_mlp": False}
    module = filled(GatherExcite(**gather_excite.PORTS["ge"].arguments(given)))
    x = maps((side, side))
    gathered = convolved(x, module.gather.conv1.weight, 1, (side - 1) // 2)
    assert gathered.shape[2:] == (out, out)
    expected = x * nearest(sigmoid(normed(module.gather.norm1, gathered)), (side, side))
    torch.testing.assert_close(module(x), expected)


def test_a_global_gather_takes_the_map_that_it_was_made_for() -> None:
    module = GatherExcite(DIM, extent=0, grid=(3, 5))
    message = r"^the map is 5 × 3, but grid is \(3, 5\)$"
    with pytest.raises(ValueError, match=message):
        module.eval()(torch.randn(1, DIM, 5, 3))


@pytest.mark.parametrize("extent", [-2, 3])
def test_extents_that_are_not_even_are_refused(extent: int) -> None:
    with pytest.raises(ValueError, match=f"^extent {extent} is neither 0 nor even$"):
        GatherExcite(DIM, extent=extent, extra_params=False)


def test_strides_of_two_make_up_powers_of_two_only() -> None:
    with pytest.raises(ValueError, match=r"^extent 6 is no power of 2, so strides of 2 do not make it up$"):
        GatherExcite(DIM, extent=6)


def test_the_port_of_gather_excite_has_the_authors_defaults() -> None:
    ours = gather_excite.PORTS["ge"].arguments({"channels": DIM})
    module = GatherExcite(**ours)
    assert module.gather is None
    assert module.extent == 0
    assert module.mlp.fc1.out_channels == 1
