"""ACmix against explicit loops, its two ways to shift against each other, and its combinations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import acmix
from benchsuite.mixers.acmix import PORTS, ACmix, ACmixBottleneck, ShiftedConvolution
from benchsuite.mixers.acmix_pvt import ACmixSpatialReductionAttention
from benchsuite.mixers.acmix_san import ACmixPatchwiseAttention
from benchsuite.mixers.acmix_swin import PORTS as SWIN_PORTS
from benchsuite.mixers.acmix_swin import ACmixWindowAttention
from benchsuite.mixers.pvt import SpatialReductionAttention
from benchsuite.mixers.san import PatchwiseAttention
from benchsuite.mixers.swin import WindowAttention
from tests.mixers.counting import counted


def random_weights(module: nn.Module) -> Any:
    """In double precision, nothing at its initial value."""
    torch.manual_seed(0)
    module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module.eval()


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def convolution_by_loops(conv: ShiftedConvolution, features: Tensor) -> Tensor:
    """The convolution path, position by position: (B, heads, head_dim, H, W) → (B, dim, H', W')."""
    batch, heads, head_dim, height, width = features.shape
    k, stride, half = conv.kernel_size, conv.stride, conv.kernel_size // 2
    mixed = torch.zeros(batch, k * k, head_dim, height, width, dtype=features.dtype)
    for head in range(heads):
        mixed += conv.fc.weight[:, head, 0, 0][None, :, None, None, None] * features[:, head, None]
    if conv.fc.bias is not None:
        mixed += conv.fc.bias[None, :, None, None, None]
    each = conv.dim // head_dim
    out = torch.zeros(batch, conv.dim, height // stride, width // stride, dtype=features.dtype)
    for row in range(height // stride):
        for column in range(width // stride):
            for i in range(k):
                for j in range(k):
                    y, x = row * stride + i - half, column * stride + j - half
                    if not (0 <= y < height and 0 <= x < width):
                        continue
                    for channel in range(conv.dim):
                        weight = conv.dep_conv.weight[channel, :, i, j]
                        out[:, channel, row, column] += mixed[:, :, channel // each, y, x] @ weight
    return out


def acmix_by_loops(module: ACmix, x: Tensor) -> Tensor:
    """Queries, keys and values by the description of the paper, with the query's own position embedding."""
    batch, _, height, width = x.shape
    heads, d, k, stride = module.num_heads, module.head_dim, module.kernel_size, module.stride
    q, k_map, v = module.qkv(x).reshape(batch, 3, heads, d, height, width).unbind(1)
    across = torch.linspace(-1, 1, width, dtype=x.dtype).expand(height, width)
    down = torch.linspace(-1, 1, height, dtype=x.dtype)[:, None].expand(height, width)
    weight, bias = module.conv_p.weight[:, :, 0, 0], module.conv_p.bias
    place = torch.einsum("dc,cyx->dyx", weight, torch.stack([across, down])) + bias[:, None, None]

    def inside(at: int, side: int) -> int:
        at = -at if at < 0 else at
        return 2 * (side - 1) - at if at >= side else at

    attended = torch.zeros(batch, heads, d, height // stride, width // stride, dtype=x.dtype)
    for row in range(height // stride):
        for column in range(width // stride):
            y, x_ = row * stride, column * stride
            query, keys, values = q[..., y, x_] * d**-0.5, [], []
            for i in range(-(k // 2), k // 2 + 1):
                for j in range(-(k // 2), k // 2 + 1):
                    at = inside(y + i, height), inside(x_ + j, width)
                    keys.append(k_map[..., at[0], at[1]] + place[:, y, x_] - place[:, at[0], at[1]])
                    values.append(v[..., at[0], at[1]])
            weights = torch.einsum("bhd,bhnd->bhn", query, torch.stack(keys, 2)).softmax(-1)
            attended[..., row, column] = torch.einsum("bhn,bhnd->bhd", weights, torch.stack(values, 2))
    features = torch.cat([q, k_map, v], dim=1)
    conv = convolution_by_loops(module.conv, features)
    return module.rate1 * attended.flatten(1, 2) + module.rate2 * conv


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2},
        {"kernel_size": 5, "conv_kernel_size": 5},
        {"dim_out": 16, "stride": 2, "conv_kernel_size": 1},
    ],
)
def test_acmix_is_attention_plus_convolution(options: dict[str, Any], kernel: str) -> None:
    module = random_weights(ACmix(8, 2, kernel=kernel, **{"kernel_size": 3} | options))
    x = random(1, 8, 6, 8)
    torch.testing.assert_close(module(x), acmix_by_loops(module, x))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("k", [3, 5])
def test_shifting_tensors_is_the_group_convolution_before_it_has_learned(stride: int, k: int) -> None:
    torch.manual_seed(0)
    convolved = ShiftedConvolution(6, 4, 12, kernel_size=k, stride=stride)
    shifted = ShiftedConvolution(6, 4, 12, kernel_size=k, stride=stride, shift="tensor")
    shifted.load_state_dict({"fc.weight": convolved.fc.weight})
    x = torch.randn(2, 6, 4, 6, 8)
    torch.testing.assert_close(shifted(x), convolved(x))


def test_the_maps_of_a_channel_are_equal_and_stand_together() -> None:
    out = ShiftedConvolution(6, 4, 12, kernel_size=3)(torch.randn(2, 6, 4, 6, 8)).unflatten(1, (4, 3))
    assert torch.equal(out, out[:, :, :1].expand_as(out))
    assert not torch.allclose(out[:, 0], out[:, 1])


def test_the_tensor_shift_adds_and_does_not_multiply() -> None:
    size, c = (14, 28), 32
    n = size[0] * size[1]
    assert counted(ACmix(c, 4), size) - counted(ACmix(c, 4, shift="tensor"), size) == 81 * n * c


def test_a_querys_own_position_does_not_matter_but_the_keys_do() -> None:
    module = random_weights(ACmix(8, 2, kernel_size=3))
    x = random(1, 8, 5, 6)
    expected = module(x)
    with torch.no_grad():
        module.conv_p.bias += 1.0
        torch.testing.assert_close(module(x), expected)
        module.conv_p.weight += 1.0
    assert not torch.allclose(module(x), expected)


def test_the_release_has_no_bias_on_its_convolution_path() -> None:
    names = {name for name, _ in ACmix(8, 2).named_parameters()}
    assert names == {
        *("rate1", "rate2", "qkv.weight", "qkv.bias", "conv_p.weight", "conv_p.bias"),
        *("conv.fc.weight", "conv.dep_conv.weight"),
    }


def test_tiles_are_cut_once_for_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[torch.Size] = []

    class Counted(acmix.Tiles):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            cut.append(self.mask.shape)

    monkeypatch.setattr(acmix, "Tiles", Counted)
    module = ACmix(8, 2, kernel_size=3, kernel="sdpa")
    for size in ((6, 8), (6, 8), (8, 6)):
        module(torch.randn(1, 8, *size))
    assert len(cut) == 2
    ACmix(8, 2, kernel_size=3)(torch.randn(1, 8, 6, 8))
    assert len(cut) == 2


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^unknown shift 'roll'; allowed: group_conv, tensor$"):
        ACmix(8, 2, shift="roll")
    with pytest.raises(ValueError, match=r"^kernel_size 4 is not odd and positive$"):
        ACmix(8, 2, kernel_size=4)
    with pytest.raises(ValueError, match=r"^conv_kernel_size 2 is not odd and positive$"):
        ACmix(8, 2, conv_kernel_size=2)
    with pytest.raises(ValueError, match=r"^num_heads 3 does not divide dim 16$"):
        ACmix(8, 3, dim_out=16)
    with pytest.raises(ValueError, match=r"^head_dim 3 does not divide dim 8$"):
        ShiftedConvolution(4, 3, 8, kernel_size=3)
    with pytest.raises(ValueError, match=r"^dilation=2 is not supported; only dilation=1 is$"):
        PORTS["acmix"].arguments({"in_planes": 8, "out_planes": 8, "dilation": 2})


def test_a_grid_that_the_stride_does_not_divide_is_refused() -> None:
    module, message = ACmix(8, 2, stride=2), r"^stride 2 does not divide the 7 × 8 grid$"
    with pytest.raises(ValueError, match=message):
        module(torch.zeros(1, 8, 7, 8))


@pytest.mark.parametrize(("width", "stride"), [(4, 1), (4, 2), (8, 1)])
def test_the_bottleneck_is_resnets_with_acmix_in_the_middle(width: int, stride: int) -> None:
    module = ACmixBottleneck(16, 2, width=width, kernel_size=3, stride=stride)
    module = random_weights(module)
    assert (module.downsample is not None) == (width == 8 or stride == 2)
    x = random(2, 16, 6, 8)

    def norm(bn: nn.BatchNorm2d, x: Tensor) -> Tensor:
        scaled = bn.weight / (bn.running_var + 1e-5).sqrt()
        return (x - bn.running_mean[:, None, None]) * scaled[:, None, None] + bn.bias[:, None, None]

    def project(conv: nn.Conv2d, x: Tensor) -> Tensor:
        return torch.einsum("oc,bcyx->boyx", conv.weight[:, :, 0, 0], x)

    hidden = norm(module.bn1, project(module.conv1, x)).clamp_min(0)
    hidden = norm(module.bn2, acmix_by_loops(module.conv2, hidden)).clamp_min(0)
    shortcut = x
    if module.downsample is not None:
        shortcut = norm(module.downsample[1], project(module.downsample[0], x[..., ::stride, ::stride]))
    expected = (norm(module.bn3, project(module.conv3, hidden)) + shortcut).clamp_min(0)
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize(("shift_size", "pad"), [(0, False), (1, False), (2, True)])
def test_on_swin_the_convolution_sees_the_shifted_grid(shift_size: int, pad: bool) -> None:
    size, window = ((5, 7) if pad else (8, 8)), 4  # one strip of windows would not be shifted
    options = {"window_size": window, "shift_size": shift_size, "pad": pad}
    module = random_weights(ACmixWindowAttention(8, 2, **options))
    attention = WindowAttention(8, 2, **options).double()
    attention.load_state_dict({key: module.state_dict()[key] for key in attention.state_dict()})
    x = random(2, size[0] * size[1], 8)
    grid = x.reshape(2, *size, 8)
    if pad:
        grid = F.pad(grid, (0, 0, 0, 1, 0, 3))
    features = module.qkv(grid.roll((-shift_size, -shift_size), (1, 2)))
    features = features.unflatten(-1, (6, 4)).permute(0, 3, 4, 1, 2)
    conv = convolution_by_loops(module.conv, features).permute(0, 2, 3, 1)
    conv = conv.roll((shift_size, shift_size), (1, 2))[:, : size[0], : size[1]].flatten(1, 2)
    expected = module.rate1 * attention(x, size) + module.rate2 * conv
    torch.testing.assert_close(module(x, size), expected)


def test_a_window_of_two_sides_is_refused_by_the_port_of_swin() -> None:
    ours = SWIN_PORTS["acmix_swin"].arguments({"dim": 8, "num_heads": 2, "window_size": [4, 4]})
    assert ours == {"dim": 8, "num_heads": 2, "window_size": 4}
    with pytest.raises(ValueError, match=r"^window_size=\[4, 7\] is not supported; only square windows are$"):
        SWIN_PORTS["acmix_swin"].arguments({"dim": 8, "num_heads": 2, "window_size": [4, 7]})


@pytest.mark.parametrize(("size", "ratio"), [((4, 6), 2), ((5, 7), 2), ((4, 6), 1), ((7, 6), 3)])
def test_on_pvt_each_key_and_value_is_spread_over_the_tokens_it_was_made_of(
    size: tuple[int, int], ratio: int
) -> None:
    module = random_weights(ACmixSpatialReductionAttention(8, 2, sr_ratio=ratio))
    attention = SpatialReductionAttention(8, 2, sr_ratio=ratio).double()
    attention.load_state_dict({key: module.state_dict()[key] for key in attention.state_dict()})
    x = random(2, size[0] * size[1], 8)
    q, kv = module.q(x), module.kv(module._reduce(x, size))
    rows, columns = size[0] // ratio, size[1] // ratio
    features = torch.zeros(2, 24, *size, dtype=x.dtype)
    for y in range(size[0]):
        for x_ in range(size[1]):
            key = min(y // ratio, rows - 1) * columns + min(x_ // ratio, columns - 1)
            features[:, :, y, x_] = torch.cat([q[:, y * size[1] + x_], kv[:, key]], dim=-1)
    conv = convolution_by_loops(module.conv, features.unflatten(1, (6, 4))).flatten(2).transpose(1, 2)
    expected = module.rate1 * attention(x, size) + module.rate2 * conv
    torch.testing.assert_close(module(x, size), expected)


def test_on_san_the_projections_are_heads_of_the_narrow_ones_width() -> None:
    module = random_weights(ACmixPatchwiseAttention(16, dim_out=12, rel_dim=3, share=4, kernel_size=3))
    attention = PatchwiseAttention(16, dim_out=12, rel_dim=3, share=4, kernel_size=3).double().eval()
    attention.load_state_dict({key: module.state_dict()[key] for key in attention.state_dict()})
    x = random(2, 16, 5, 6)
    features = torch.cat([module.conv1(x), module.conv2(x), module.conv3(x)], dim=1)
    conv = convolution_by_loops(module.conv, features.unflatten(1, (2 + 4, 3)))
    torch.testing.assert_close(module(x), module.rate1 * attention(x) + module.rate2 * conv)


def test_on_san_the_narrow_projections_must_divide_the_output() -> None:
    with pytest.raises(ValueError, match=r"^rel_dim 5 does not divide dim_out 16$"):
        ACmixPatchwiseAttention(16, rel_dim=5)
