"""Cross-covariance attention, local patch interaction and the block of XCiT, from the paper's description."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.xcit import PORTS, CrossCovarianceAttention, LocalPatchInteraction, XCiTBlock
from tests.mixers.counting import counted

SIZE = (3, 5)


def tokens(dim: int = 8) -> Tensor:
    return torch.randn(2, 15, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / 2**0.5))


def test_channels_attend_to_channels_of_unit_length_over_the_tokens() -> None:
    module, x = CrossCovarianceAttention(8, 2).double(), tokens()
    torch.nn.init.uniform_(module.temperature, 0.5, 3.0)
    q, k, v = module.qkv(x).chunk(3, dim=-1)
    q = q / q.square().sum(1, keepdim=True).sqrt()
    k = k / k.square().sum(1, keepdim=True).sqrt()
    out = torch.zeros_like(x)
    for head in range(2):
        for i in range(4 * head, 4 * head + 4):  # a channel looks at those of its head
            products = [(q[:, :, i] * k[:, :, j]).sum(1) for j in range(4 * head, 4 * head + 4)]
            weights = (torch.stack(products, dim=1) * module.temperature[head]).softmax(1)  # B, head_dim
            for j in range(4):
                out[:, :, i] += weights[:, None, j] * v[:, :, 4 * head + j]
    torch.testing.assert_close(module(x, SIZE), module.proj(out))


def test_tokens_are_mixed_by_their_sums_only_so_that_their_order_does_not_matter() -> None:
    module, x = CrossCovarianceAttention(8, 2).double(), tokens()
    order = torch.randperm(15, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(module(x[:, order], SIZE), module(x, SIZE)[:, order])


def test_the_scale_of_queries_and_keys_has_no_effect() -> None:
    module, x = CrossCovarianceAttention(8, 2).double(), tokens()
    before = module(x, SIZE)
    with torch.no_grad():
        module.qkv.weight[:16] *= 7
        module.qkv.bias[:16] *= 7
    torch.testing.assert_close(module(x, SIZE), before)


@pytest.mark.parametrize(("c", "h", "size"), [(768, 12, (14, 14)), (384, 8, (28, 14)), (32, 4, (7, 9))])
def test_the_closed_form_is_linear_in_tokens(c: int, h: int, size: tuple[int, int]) -> None:
    n = size[0] * size[1]
    with torch.device("meta"):
        module = CrossCovarianceAttention(c, h)
    assert counted(module, size) == 4 * n * c**2 + 2 * n * c * (c // h)
    if c == 768:
        assert counted(module, size) == 481_689_600  # published as 481.69 M


def test_interaction_is_convolution_gelu_norm_convolution_on_the_grid() -> None:
    module, x = LocalPatchInteraction(8, kernel_size=5).double().eval(), tokens()
    torch.nn.init.normal_(module.bn.running_mean)
    torch.nn.init.uniform_(module.bn.running_var, 0.5, 2.0)

    def convolved(grid: Tensor, conv: torch.nn.Conv2d) -> Tensor:
        out = torch.zeros_like(grid) + conv.bias
        for y in range(3):
            for x in range(5):
                for dy in range(-2, 3):
                    for dx in range(-2, 3):
                        if 0 <= y + dy < 3 and 0 <= x + dx < 5:
                            out[:, y, x] += conv.weight[:, 0, dy + 2, dx + 2] * grid[:, y + dy, x + dx]
        return out

    grid = gelu(convolved(x.reshape(2, 3, 5, 8), module.conv1))
    grid = (grid - module.bn.running_mean) / (module.bn.running_var + 1e-5).sqrt()
    grid = grid * module.bn.weight + module.bn.bias
    expected = convolved(grid, module.conv2).reshape(2, 15, 8)
    torch.testing.assert_close(module(x, SIZE), expected)
    assert counted(module, SIZE) == 2 * 15 * 25 * 8


def test_a_block_is_attention_then_interaction_then_mlp() -> None:
    block, x = XCiTBlock(8, 2, mlp_ratio=3, layer_scale=0.5).double().eval(), tokens()
    for gamma in (block.gamma1, block.gamma2, block.gamma3):
        torch.nn.init.normal_(gamma)
    y = x + block.gamma1 * block.attn(block.norm1(x), SIZE)
    y = y + block.gamma3 * block.local_mp(block.norm3(y), SIZE)
    y = y + block.gamma2 * block.mlp.fc2(gelu(block.mlp.fc1(block.norm2(y))))
    torch.testing.assert_close(block(x, SIZE), y)
    parts = counted(block.attn, SIZE) + counted(block.local_mp, SIZE)
    assert counted(block, SIZE) == parts + 2 * 15 * 8 * 24


def test_factors_of_a_block_start_where_they_are_told_to() -> None:
    block = XCiTBlock(8, 2, layer_scale=1e-5)
    for gamma in (block.gamma1, block.gamma2, block.gamma3):
        assert torch.equal(gamma, torch.full((8,), 1e-5))


def test_the_norms_of_a_block_alone_have_another_epsilon_than_those_of_the_network() -> None:
    authors = PORTS["xcit_block"].arguments({"dim": 8, "num_heads": 2, "eta": 1.0})
    assert XCiTBlock(**authors).norm1.eps == 1e-5
    assert XCiTBlock(8, 2).norm1.eps == 1e-6


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^kernel_size 4 is not odd$"):
        LocalPatchInteraction(8, kernel_size=4)


def test_unknown_kernels_of_a_block_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^xcit_block has no kernel 'sdpa'; it runs on math$"):
        XCiTBlock(8, 2, kernel="sdpa")
