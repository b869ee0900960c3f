"""SwinV2's window attention against an oracle that goes from token to token, and its block."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from benchsuite.mixers import swinv2
from benchsuite.mixers.swinv2 import PORTS, SwinV2Block, SwinV2WindowAttention, log_offsets
from tests.mixers.counting import counted

Size = tuple[int, int]


def made(dim: int = 8, heads: int = 2, **options: Any) -> SwinV2WindowAttention:
    torch.manual_seed(0)
    module = SwinV2WindowAttention(dim, heads, **options).double()
    for parameter in (module.q_bias, module.v_bias, module.logit_scale):
        if parameter is not None:
            torch.nn.init.normal_(parameter)
    return module


def tokens(size: Size, dim: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, size[0] * size[1], dim, generator=generator, dtype=torch.float64)


def oracle(module: SwinV2WindowAttention, x: Tensor, size: Size, window: Size, shift: int) -> Tensor:
    """Token by token: which tokens share its window, their cosines, the bias of each offset on its own."""
    height, width = size
    dim, heads = x.shape[-1], module.num_heads
    q = x @ module.qkv.weight[:dim].t() + module.q_bias
    k = x @ module.qkv.weight[dim : 2 * dim].t()
    v = x @ module.qkv.weight[2 * dim :].t() + module.v_bias
    q, k, v = (t.unflatten(-1, (heads, -1)) for t in (q, k, v))
    scale = torch.minimum(module.logit_scale.flatten().exp(), torch.tensor(100.0))

    def at(token: int) -> tuple[int, int]:
        """Where the roll moves a token."""
        return (token // width - shift) % height, (token % width - shift) % width

    def wrapped(token: int) -> tuple[bool, bool]:
        return token // width < shift, token % width < shift

    def bias(dy: int, dx: int) -> Tensor:
        near = []
        for offset, side, trained in zip((dy, dx), window, module.pretrained, strict=True):
            scaled = 8 * offset / ((trained or side) - 1)
            near.append(math.copysign(math.log2(abs(scaled) + 1) / math.log2(8), scaled))
        return 16 / (1 + (-module.cpb_mlp(torch.tensor(near, dtype=torch.float64))).exp())

    rows = []
    for i in range(height * width):
        (yi, xi), keys, logits = at(i), [], []
        for j in range(height * width):
            yj, xj = at(j)
            if (yi // window[0], xi // window[1]) != (yj // window[0], xj // window[1]):
                continue
            lengths = [t.norm(dim=-1).clamp(min=1e-12) for t in (q[:, i], k[:, j])]  # padded keys are 0
            cosine = (q[:, i] * k[:, j]).sum(-1) / (lengths[0] * lengths[1])
            logit = cosine * scale + bias(yi - yj, xi - xj)
            logits.append(logit - (100 if wrapped(i) != wrapped(j) else 0))
            keys.append(j)
        weights = torch.stack(logits, dim=-1).softmax(-1)  # B, heads, keys
        rows.append(torch.einsum("bhm,bmhd->bhd", weights, v[:, keys]).flatten(1))
    return module.proj(torch.stack(rows, dim=1))


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((4, 8), {"window_size": 2}),
        ((6, 8), {"window_size": 2, "shift_size": 1}),
        ((6, 6), {"window_size": 3, "shift_size": 1, "pretrained_window_size": 5}),
        ((4, 6), {"window_size": (2, 3)}),
        ((4, 6), {"window_size": (4, 2), "pretrained_window_size": (7, 5)}),
    ],
)
def test_it_is_cosine_attention_within_shifted_windows(
    size: Size, options: dict[str, Any], kernel: str
) -> None:
    module, x = made(**options, kernel=kernel), tokens(size)
    expected = oracle(module, x, size, module.window, module.shift_size)
    torch.testing.assert_close(module(x, size), expected, rtol=1e-5, atol=1e-6)  # offsets are float32's


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
def test_without_gradients_heads_are_normed_in_place_with_the_same_result(kernel: str) -> None:
    torch.manual_seed(0)
    module = SwinV2WindowAttention(16, 2, window_size=2, shift_size=1, kernel=kernel).double()
    x = torch.randn(2, 24, 16, dtype=torch.float64)
    given = x.clone()
    with torch.no_grad():
        out = module(x, (4, 6))
    torch.testing.assert_close(out, module(x, (4, 6)))
    assert torch.equal(x, given)


def test_padding_is_zeros_before_the_shift_and_a_crop_after() -> None:
    module, x = made(window_size=3, shift_size=1, pad=True), tokens((4, 5))
    grid = torch.zeros(2, 6, 6, 8, dtype=torch.float64)
    grid[:, :4, :5] = x.reshape(2, 4, 5, 8)
    full = oracle(module, grid.flatten(1, 2), (6, 6), (3, 3), 1)
    expected = full.reshape(2, 6, 6, 8)[:, :4, :5].flatten(1, 2)
    torch.testing.assert_close(module(x, (4, 5)), expected, rtol=1e-5, atol=1e-6)


def test_a_small_grid_is_that_of_a_module_with_the_smaller_window() -> None:
    large, small = made(window_size=7, shift_size=3), made(window_size=3)
    small.load_state_dict(large.state_dict())
    x = tokens((3, 6))
    assert torch.equal(large(x, (3, 6)), small(x, (3, 6)))
    assert counted(large, (3, 6)) == counted(small, (3, 6))


def test_a_grid_of_one_row_has_a_finite_bias() -> None:
    module, x = made(window_size=4), tokens((1, 5))
    torch.testing.assert_close(module(x, (1, 5)), module.proj(value(module, x)))


def value(module: SwinV2WindowAttention, x: Tensor) -> Tensor:
    """In windows of one token, attention passes the values on."""
    assert module.v_bias is not None
    return x @ module.qkv.weight[16:].t() + module.v_bias


def test_the_temperature_is_clamped_at_a_hundred() -> None:
    module, x = made(window_size=4), tokens((4, 4))
    with torch.no_grad():
        module.logit_scale.fill_(math.log(100))
        expected = module(x, (4, 4))
        module.logit_scale.fill_(7.0)
        torch.testing.assert_close(module(x, (4, 4)), expected)
        module.logit_scale.fill_(math.log(50))
        assert not torch.allclose(module(x, (4, 4)), expected)


def test_lengths_of_queries_and_keys_do_not_matter() -> None:
    module, x = made(window_size=4, qkv_bias=False), tokens((4, 4))
    expected = module(x, (4, 4))
    with torch.no_grad():
        module.qkv.weight[:16] *= 7
    torch.testing.assert_close(module(x, (4, 4)), expected)


def test_keys_have_no_bias_and_without_qkv_bias_nothing_has() -> None:
    assert {name for name, _ in made().named_parameters() if "bias" in name} == {
        "q_bias",
        "v_bias",
        "cpb_mlp.0.bias",
        "proj.bias",
    }
    assert made(qkv_bias=False).q_bias is None


def test_offsets_are_spaced_by_logarithm_and_end_at_one_for_eight_over_eight() -> None:
    offsets = log_offsets((3, 3), (0, 0), torch.empty(0)).reshape(5, 5, 2)
    half = math.log(5) / math.log(8)
    torch.testing.assert_close(
        offsets[:, 0, 0], torch.tensor([-1.0566, -half, 0, half, 1.0566]), atol=1e-4, rtol=0
    )
    assert torch.equal(offsets[2, :, 1], offsets[:, 2, 0])
    trained = log_offsets((3, 3), (5, 9), torch.empty(0)).reshape(5, 5, 2)
    assert trained[4, 4].tolist() == pytest.approx([math.log(5) / math.log(8), math.log(3) / math.log(8)])


def test_offsets_and_mask_are_made_once_for_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = swinv2.log_offsets
    monkeypatch.setattr(swinv2, "log_offsets", lambda *args: calls.append(args) or original(*args))
    module = made(window_size=2, shift_size=1)
    for size in ((4, 4), (4, 4), (4, 6), (4, 6)):
        module(tokens(size), size)
    assert len(calls) == 2


@pytest.mark.parametrize(("dim", "heads", "size"), [(768, 12, (14, 14)), (96, 3, (56, 28)), (32, 4, (7, 21))])
def test_macs_are_those_of_window_attention_and_of_the_bias(dim: int, heads: int, size: Size) -> None:
    n, offsets = size[0] * size[1], 13 * 13
    expected = 4 * n * dim**2 + 2 * n * 49 * dim + offsets * (2 * 512 + 512 * heads)
    with torch.device("meta"):
        module = SwinV2WindowAttention(dim, heads)
        block = SwinV2Block(dim, heads, shift_size=3, mlp_ratio=2)
    assert counted(module, size) == expected
    assert counted(block, size) == expected + 2 * n * dim * 2 * dim


def test_padding_is_paid_for() -> None:
    module = made(window_size=4, pad=True)
    assert counted(module, (5, 7)) == 4 * 64 * 8**2 + 2 * 64 * 16 * 8 + 49 * (2 * 512 + 512 * 2)


def test_the_block_norms_what_it_adds() -> None:
    torch.manual_seed(0)
    block, x = SwinV2Block(8, 2, window_size=2, shift_size=1, mlp_ratio=2).double(), tokens((4, 4))
    y = x + block.norm1(block.attn(x, (4, 4)))
    hidden = torch.nn.functional.gelu(block.mlp.fc1(y))
    torch.testing.assert_close(block(x, (4, 4)), y + block.norm2(block.mlp.fc2(hidden)))
    assert block.norm1.eps == block.norm2.eps == 1e-5
    with torch.no_grad():
        for norm in (block.norm1, block.norm2):
            norm.weight.zero_()
    assert torch.equal(block(x, (4, 4)), x)


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^shift_size 4 is not between 0 and window_size 4 - 1$"):
        SwinV2WindowAttention(8, 2, window_size=4, shift_size=4)
    with pytest.raises(ValueError, match=r"^window_size 0 is not positive$"):
        SwinV2WindowAttention(8, 2, window_size=0)
    with pytest.raises(
        ValueError, match=r"^window_size \(2, 3\) is not square, so it is neither shifted nor padded$"
    ):
        SwinV2WindowAttention(8, 2, window_size=(2, 3), shift_size=1)
    with pytest.raises(ValueError, match=r"^swinv2_block has no kernel 'mat'; it runs on math, sdpa, "):
        SwinV2Block(8, 2, kernel="mat")


@pytest.mark.parametrize(
    ("window", "text"), [(4, "window_size 4 does not"), ((3, 4), "window_size 3 × 4 does not")]
)
def test_a_grid_that_the_window_does_not_divide_is_refused(window: int | Size, text: str) -> None:
    module = SwinV2WindowAttention(8, 2, window_size=window)
    with pytest.raises(ValueError, match=f"^{text} divide the 5 × 8 grid$"):
        module(tokens((5, 8)).float(), (5, 8))


def test_the_ports_take_sides_as_the_authors_write_them() -> None:
    authors = {"dim": 8, "num_heads": 2, "window_size": [4, 6], "pretrained_window_size": [0, 0]}
    ours = PORTS["swinv2_window_attention"].arguments(authors)
    assert ours["window_size"] == (4, 6)
    assert SwinV2WindowAttention(**ours).window == (4, 6)
    block = PORTS["swinv2_block"].arguments({"dim": 8, "num_heads": 2, "drop": 0.1, "drop_path": 0.2})
    assert block == {"dim": 8, "num_heads": 2, "proj_drop": 0.1}


def test_the_authors_windows_are_grids_of_one_window() -> None:
    module, x = made(window_size=(2, 3)), tokens((2, 3))
    run = PORTS["swinv2_window_attention"].run
    assert run is not None
    assert torch.equal(run(module, x, (6, 1)), module(x, (2, 3)))
