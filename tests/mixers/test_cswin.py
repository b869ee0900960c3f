"""Cross-shaped windows, token by token: who shares a stripe, and what the positional encoding sees."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.cswin import PORTS, CrossShapedWindowAttention, StripeAttention
from tests.mixers.counting import counted

Size = tuple[int, int]


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def stripe_attention(module: StripeAttention, qkv: Tensor, size: Size, before: Size) -> Tensor:
    """Attention and LePE of each token on its own. `before`: padding above and left of the grid."""
    height, width = size
    split = module.split_size

    def stripe(y: int, x: int) -> int:
        shifted = {"vertical": x + before[1], "horizontal": y + before[0], "whole": 0}[module.stripes]
        return shifted // split

    length = {"vertical": width, "horizontal": height, "whole": 0}[module.stripes]
    padding = -length % split
    across = {"vertical": height, "horizontal": width, "whole": 0}[module.stripes]
    q, k, v = qkv.reshape(3, -1, height, width, module.num_heads, module.head_dim)
    taps = module.get_v.weight[:, 0].reshape(module.num_heads, module.head_dim, 3, 3)
    out = torch.zeros_like(q)
    for y in range(height):
        for x in range(width):
            own = stripe(y, x)
            others = [(i, j) for i in range(height) for j in range(width) if stripe(i, j) == own]
            logits = [(q[:, y, x] * k[:, i, j]).sum(-1) / module.head_dim**0.5 for i, j in others]
            edge = {0, (length + padding) // split - 1} if padding else set()
            zeros = 0
            if own in edge:  # padded tokens of this stripe: logit 0, value 0
                zeros = (split - len({(i, j)[module.stripes == "vertical"] for i, j in others})) * across
            logits += [torch.zeros_like(logits[0])] * zeros
            weights = torch.stack(logits).softmax(0)  # keys, B, heads
            for weight, (i, j) in zip(weights, others, strict=False):
                out[:, y, x] += weight[..., None] * v[:, i, j]
                if abs(i - y) <= 1 and abs(j - x) <= 1:
                    out[:, y, x] += taps[:, :, i - y + 1, j - x + 1] * v[:, i, j]
    out += module.get_v.bias.reshape(module.num_heads, module.head_dim)
    return out.reshape(-1, height * width, module.dim)


@pytest.mark.parametrize("stripes", ["vertical", "horizontal", "whole"])
@pytest.mark.parametrize("split", [1, 2])
def test_a_token_attends_to_its_stripe_and_its_neighbours_there(stripes: str, split: int) -> None:
    module = StripeAttention(4, 2, stripes=stripes, split_size=split).double()
    qkv = random(3, 2, 24, 4)
    torch.testing.assert_close(module(qkv, (4, 6)), stripe_attention(module, qkv, (4, 6), (0, 0)))


@pytest.mark.parametrize("stripes", ["vertical", "horizontal"])
@pytest.mark.parametrize("split", [3, 4])
def test_padding_is_on_both_sides_and_takes_part_with_a_logit_of_zero(stripes: str, split: int) -> None:
    module = StripeAttention(4, 2, stripes=stripes, split_size=split, pad=True).double()
    size = (5, 5)  # to 6 rows or columns, all behind, or to 8, one before
    qkv = random(3, 2, 25, 4)
    before = (-5 % split // 2,) * 2
    torch.testing.assert_close(module(qkv, size), stripe_attention(module, qkv, size, before))


def test_the_first_half_of_channels_is_vertical_and_the_second_horizontal() -> None:
    module, x = CrossShapedWindowAttention(8, 4, split_size=2).double(), random(2, 24, 8)
    q, k, v = module.qkv(x).chunk(3, dim=-1)
    halves = []
    for branch, half in zip(module.attns, (slice(0, 4), slice(4, 8)), strict=True):
        assert branch.num_heads == 2
        halves.append(branch(torch.stack([q[..., half], k[..., half], v[..., half]]), (4, 6)))
    assert [branch.stripes for branch in module.attns] == ["vertical", "horizontal"]
    torch.testing.assert_close(module(x, (4, 6)), module.proj(torch.cat(halves, dim=-1)))


def test_one_branch_over_the_whole_grid_is_attention_to_all_with_the_encoding() -> None:
    module, x = CrossShapedWindowAttention(8, 2, whole=True).double(), random(1, 6, 8)
    (branch,) = module.attns
    qkv = torch.stack(module.qkv(x).chunk(3, dim=-1))
    torch.testing.assert_close(module(x, (2, 3)), module.proj(stripe_attention(branch, qkv, (2, 3), (0, 0))))


@pytest.mark.parametrize(("c", "h", "size"), [(768, 12, (14, 14)), (64, 2, (56, 28)), (32, 4, (14, 21))])
def test_the_closed_form(c: int, h: int, size: Size) -> None:
    n = size[0] * size[1]
    with torch.device("meta"):
        module, whole = CrossShapedWindowAttention(c, h), CrossShapedWindowAttention(c, h, whole=True)
    vertical, horizontal = 2 * n * (7 * size[0]) * (c // 2), 2 * n * (7 * size[1]) * (c // 2)
    assert counted(module, size) == 4 * n * c**2 + vertical + horizontal + 9 * n * c
    assert counted(whole, size) == 4 * n * c**2 + 2 * n * n * c + 9 * n * c


def test_padding_is_paid_for_by_the_branch_that_needs_it() -> None:
    with torch.device("meta"):
        module = CrossShapedWindowAttention(16, 4, split_size=4, pad=True)
    vertical, horizontal = 9 * 12, 12 * 10  # 9 × 10 tokens
    expected = 4 * 90 * 16**2 + vertical * 8 * (2 * 9 * 4 + 9) + horizontal * 8 * (2 * 10 * 4 + 9)
    assert counted(module, (9, 10)) == expected


def test_stripes_that_do_not_tile_the_grid_are_refused() -> None:
    module = CrossShapedWindowAttention(8, 2, split_size=4)
    with pytest.raises(ValueError, match=r"^vertical stripes of 4 do not tile the 8 × 6 grid$"):
        module(torch.zeros(1, 48, 8), (8, 6))
    with pytest.raises(ValueError, match=r"^horizontal stripes of 4 do not tile the 6 × 8 grid$"):
        module(torch.zeros(1, 48, 8), (6, 8))


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match=r"^num_heads 1 is odd, and two kinds of stripes share the heads$"):
        CrossShapedWindowAttention(8, 1)
    with pytest.raises(ValueError, match=r"^split_size 0 is not positive$"):
        CrossShapedWindowAttention(8, 2, split_size=0)
    with pytest.raises(
        ValueError, match=r"^unknown stripes 'diagonal'; allowed: vertical, horizontal, whole$"
    ):
        StripeAttention(8, 2, stripes="diagonal")


def test_a_stripe_as_wide_as_the_grid_makes_the_last_stage_but_not_for_dense_prediction() -> None:
    same = {"dim": 8, "num_heads": 2, "split_size": 7}
    assert PORTS["cswin"].arguments(same | {"reso": 7})["whole"]
    assert not PORTS["cswin"].arguments(same | {"reso": 14})["whole"]
    dense = PORTS["cswin_seg"].arguments(same | {"patches_resolution": 7, "qkv_bias": False})
    assert (dense["whole"], dense["pad"], dense["qkv_bias"]) == (False, True, True)
