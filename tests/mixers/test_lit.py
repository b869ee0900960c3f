"""LIT's relative positions and deformable merging, against loops over positions and taps."""

from __future__ import annotations

import importlib.util
import math
import sys
import types
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.mixers import lit
from benchsuite.mixers.lit import DeformableTokenMerging, RelPosMSA, sample_taps
from tests.mixers.counting import counted

DIM, HEADS = 8, 2


def tokens(size: tuple[int, int], dim: int = DIM) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, size[0] * size[1], dim, generator=generator, dtype=torch.float64)


def filled(module: nn.Module) -> Any:
    torch.manual_seed(1)
    for tensor in (*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())):
        nn.init.uniform_(tensor, 0.2, 1.2)
    for name, parameter in module.named_parameters():
        if not name.startswith("norm."):
            nn.init.normal_(parameter, std=0.5)
    return module.double().eval()


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("size", [(3, 4), (4, 3), (1, 5), (2, 2)])
def test_attention_has_a_bias_for_each_offset(size: tuple[int, int], kernel: str) -> None:
    module, x = filled(RelPosMSA(DIM, HEADS, grid=size, kernel=kernel)), tokens(size)
    height, width = size
    q, k, v = (part.unflatten(-1, (HEADS, -1)) for part in module.qkv(x).chunk(3, -1))
    table = module.relative_position_bias_table
    out = torch.empty_like(q)
    for n in range(height * width):
        logits = torch.einsum("bhd,bmhd->bhm", q[:, n], k) / (DIM // HEADS) ** 0.5
        for m in range(height * width):
            dy, dx = n // width - m // width, n % width - m % width
            logits[:, :, m] += table[(dy + height - 1) * (2 * width - 1) + dx + width - 1]
        out[:, n] = torch.einsum("bhm,bmhd->bhd", logits.softmax(-1), v)
    torch.testing.assert_close(module(x, size), module.proj(out.flatten(2)))


def test_the_index_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = lit.relative_position_index

    def counted(*args: Any) -> Tensor:
        calls.append(args)
        return original(*args)

    monkeypatch.setattr(lit, "relative_position_index", counted)
    module = RelPosMSA(DIM, HEADS, grid=(3, 4)).double()
    for _ in range(3):
        module(tokens((3, 4)), (3, 4))
    assert len(calls) == 1
    assert set(module.state_dict()) == {
        "relative_position_bias_table",
        "qkv.weight",
        "qkv.bias",
        "proj.weight",
        "proj.bias",
    }


def test_another_grid_is_refused() -> None:
    module = RelPosMSA(DIM, HEADS, grid=(3, 4)).double()
    message = r"^the tokens stand on a 4 × 3 grid, but this mixer is made for 3 × 4$"
    with pytest.raises(ValueError, match=message):
        module(tokens((4, 3)), (4, 3))


def bilinear(image: Tensor, y: float, x: float) -> Tensor:
    """(C, H, W) at a place between positions; zeros outside."""
    out = torch.zeros(image.shape[0], dtype=image.dtype)
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < image.shape[1] and 0 <= column < image.shape[2]:
                out += image[:, row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return out


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (2, 2), (7, 8)])
def test_taps_are_interpolated_where_offsets_put_them(size: tuple[int, int]) -> None:
    height, width = size[0] // 2, size[1] // 2
    x = tokens(size, 3).transpose(1, 2).reshape(2, 3, *size)
    offset = 2 * torch.randn(2, 8, height, width, dtype=torch.float64)  # many taps are outside
    taps = sample_taps(x, offset, size).reshape(2, 3, 4, height, width)
    for image in range(2):
        for row in range(height):
            for column in range(width):
                for tap in range(4):
                    down, right = offset[image, 2 * tap : 2 * tap + 2, row, column]
                    y = 2 * row + tap // 2 + float(down)
                    z = 2 * column + tap % 2 + float(right)
                    expected = bilinear(x[image], y, z)
                    torch.testing.assert_close(taps[image, :, tap, row, column], expected)


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (8, 8)])
def test_merging_is_a_deformable_convolution_with_norm_and_gelu(size: tuple[int, int]) -> None:
    module, x = filled(DeformableTokenMerging(DIM)), tokens(size)
    image = x.transpose(1, 2).reshape(2, DIM, *size)
    with torch.no_grad():
        height, width = size[0] // 2, size[1] // 2
        patches = nn.functional.unfold(image[:, :, : 2 * height, : 2 * width], 2, stride=2)
        offset = module.offset.weight.reshape(8, -1) @ patches + module.offset.bias[:, None]
        taps = sample_taps(image, offset.reshape(2, 8, height, width), size)
        out = (module.conv.weight.reshape(2 * DIM, -1) @ taps + module.conv.bias[:, None]).transpose(1, 2)
        norm = module.norm
        out = (out - norm.running_mean) / (norm.running_var + 1e-5).sqrt() * norm.weight + norm.bias
        expected = out * (1 + torch.erf(out / 2**0.5)) / 2
        assert expected.shape == (2, height * width, 2 * DIM)
        torch.testing.assert_close(module(x, size), expected)


def test_merging_makes_as_many_channels_as_asked_for() -> None:
    module, x = filled(DeformableTokenMerging(DIM, out_dim=5)), tokens((4, 6))
    assert tuple(module(x, (4, 6)).shape) == (2, 6, 5)
    assert counted(module, (4, 6)) == 6 * 4 * DIM * 8 + 6 * 4 * DIM * 5  # offsets, convolution
    twice = DeformableTokenMerging(DIM)
    assert twice.out_dim == 2 * DIM
    assert counted(twice, (4, 6)) == counted(DeformableTokenMerging(DIM, out_dim=2 * DIM), (4, 6))


@pytest.mark.parametrize("size", [(14, 14), (6, 10), (56, 28)])
def test_without_offsets_a_tap_is_exactly_the_token_under_it(size: tuple[int, int]) -> None:
    """In single precision, too: scaling to grid_sample's coordinates and back must not move it."""
    x = tokens(size, 2).float().transpose(1, 2).reshape(2, 2, *size)
    taps = sample_taps(x, torch.zeros(2, 8, size[0] // 2, size[1] // 2), size)
    assert torch.equal(taps, nn.functional.unfold(x, 2, stride=2))


def test_the_derivative_at_a_token_is_towards_the_next_one() -> None:
    """Interpolation has a kink at each token; the authors' operator takes the side to the right and below."""
    size = (14, 14)
    x = tokens(size, 1).float().transpose(1, 2).reshape(2, 1, *size)
    offset = torch.zeros(2, 8, 7, 7, requires_grad=True)
    sample_taps(x, offset, size).sum().backward()
    below = nn.functional.pad(x, (0, 0, 0, 1))[:, :, 1:] - x
    right = nn.functional.pad(x, (0, 1))[..., 1:] - x
    assert offset.grad is not None
    for tap in range(4):
        i, j = divmod(tap, 2)
        torch.testing.assert_close(offset.grad[:, 2 * tap], below[:, 0, i::2, j::2])
        torch.testing.assert_close(offset.grad[:, 2 * tap + 1], right[:, 0, i::2, j::2])


def test_merging_starts_as_a_plain_convolution() -> None:
    size = (6, 8)
    module, x = DeformableTokenMerging(DIM).double().eval(), tokens(size)
    plain = module.norm(module.conv(x.transpose(1, 2).reshape(2, DIM, *size)))
    expected = nn.functional.gelu(plain).flatten(2).transpose(1, 2)
    torch.testing.assert_close(module(x, size), expected)


def test_merging_trains_on_statistics_of_the_batch() -> None:
    module, x = filled(DeformableTokenMerging(DIM)).train(), tokens((6, 8))
    module.norm.running_mean.fill_(1e6)
    assert module(x, (6, 8)).abs().max() < 1e3


def test_reduced_precision_samples_at_exact_places() -> None:
    size = (300, 2)  # positions that bf16 cannot tell apart
    x = tokens(size, 2).bfloat16().transpose(1, 2).reshape(2, 2, *size)
    taps = sample_taps(x, torch.zeros(2, 8, 150, 1, dtype=torch.bfloat16), size)
    assert taps.dtype == torch.bfloat16
    assert torch.equal(taps, nn.functional.unfold(x, 2, stride=2))


@pytest.mark.parametrize("size", [(1, 4), (4, 1)])
def test_a_grid_without_two_by_two_tokens_is_refused(size: tuple[int, int]) -> None:
    module = DeformableTokenMerging(DIM).double()
    message = f"^a {size[0]} × {size[1]} grid has no 2 × 2 tokens to merge$"
    with pytest.raises(ValueError, match=message):
        module(tokens(size), size)


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed")
def test_the_operator_of_torchvision_gives_the_same() -> None:
    module, x = filled(DeformableTokenMerging(DIM)), tokens((6, 8))
    fused = filled(DeformableTokenMerging(DIM, kernel="torchvision"))
    torch.testing.assert_close(fused(x, (6, 8)), module(x, (6, 8)))


def test_the_operator_of_torchvision_is_given_what_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a stand-in with the operator's signature, so that the call is tested where it is not installed."""
    size = (6, 8)

    def deform_conv2d(
        input: Tensor,  # noqa: A002  the operator's name of it
        offset: Tensor,
        weight: Tensor,
        bias: Tensor,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        mask: Tensor | None = None,
    ) -> Tensor:
        assert (stride, padding, dilation, mask) == (2, 0, 1, None)
        taps = sample_taps(input, offset, size).unflatten(-1, (3, 4))
        return torch.einsum("dk,bkhw->bdhw", weight.flatten(1), taps) + bias[:, None, None]

    stand_in = types.ModuleType("torchvision.ops")
    stand_in.deform_conv2d = deform_conv2d  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.ops", stand_in)
    monkeypatch.setattr(DeformableTokenMerging, "kernels", ("math", "torchvision"))
    module, x = filled(DeformableTokenMerging(DIM)), tokens(size)
    torch.testing.assert_close(
        filled(DeformableTokenMerging(DIM, kernel="torchvision"))(x, size), module(x, size)
    )


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is installed")
def test_without_torchvision_its_operator_is_not_offered() -> None:
    with pytest.raises(ValueError, match=r"^dtm has no kernel 'torchvision'; it runs on math$"):
        DeformableTokenMerging(DIM, kernel="torchvision")
