"""HiLo's own facts, against the description of the paper and the authors' code."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.hilo import HiLo
from benchsuite.mixers.msa import MSA
from tests.mixers.counting import counted


def tokens(size: tuple[int, int], dim: int = 32, seed: int = 0) -> Tensor:
    return torch.randn(2, size[0] * size[1], dim, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("heads", "alpha", "low"),
    [(12, 0.9, 10), (12, 0.5, 6), (4, 0.9, 3), (8, 0.1, 0), (12, 0.99, 11), (12, 0.0, 0), (12, 1.0, 12)],
)
def test_lo_fi_gets_the_truncated_share_of_heads(heads: int, alpha: float, low: int) -> None:
    module = HiLo(8 * heads, heads, alpha=alpha)
    parameters = dict(module.named_parameters())
    assert module.l_heads == low
    assert module.h_heads == heads - low
    assert ("l_q.weight" in parameters) == (low > 0)
    assert ("h_qkv.weight" in parameters) == (low < heads)
    if low:
        assert parameters["l_kv.weight"].shape == (2 * 8 * low, 8 * heads)
    if low < heads:
        assert parameters["h_qkv.weight"].shape == (3 * 8 * (heads - low), 8 * heads)


def test_hi_fi_channels_come_first() -> None:
    module = HiLo(32, 4, alpha=0.25)
    for projection, value in ((module.h_proj, 1.0), (module.l_proj, 2.0)):
        torch.nn.init.zeros_(projection.weight)
        torch.nn.init.constant_(projection.bias, value)
    out = module(tokens((4, 6)), (4, 6))
    assert (out[..., :24] == 1).all()
    assert (out[..., 24:] == 2).all()


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("window", [2, 3])
def test_it_is_attention_within_windows_and_to_pooled_tokens(alpha: float, window: int) -> None:
    """An oracle over all pairs of tokens: the mask says who is in one window, a matrix does the pooling."""
    size = (6, 12)
    module, x = HiLo(32, 4, alpha=alpha, window_size=window).double(), tokens(size).double()
    place = torch.cartesian_prod(torch.arange(size[0]), torch.arange(size[1])) // window
    cell = place[:, 0] * (size[1] // window) + place[:, 1]
    member = F.one_hot(cell).double()  # N, M
    outputs = []
    if module.h_heads:
        q, k, v = heads_of(module.h_qkv(x), 3, module.h_heads)
        mask = torch.where(cell[:, None] == cell[None, :], 0.0, -torch.inf)
        outputs.append(module.h_proj(softmax_attention(q, k, v, mask)))
    if module.l_heads:
        pooled = (member / window**2).t() @ x
        (q,), (k, v) = (
            heads_of(module.l_q(x), 1, module.l_heads),
            heads_of(module.l_kv(pooled), 2, module.l_heads),
        )
        outputs.append(module.l_proj(softmax_attention(q, k, v)))
    torch.testing.assert_close(module(x, size), torch.cat(outputs, dim=-1))


def heads_of(x: Tensor, parts: int, heads: int) -> list[Tensor]:
    """B, N, parts × heads × d → for each part, B, heads, N, d."""
    return [part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in x.chunk(parts, dim=-1)]


def softmax_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | float = 0.0) -> Tensor:
    logits = torch.einsum("bhnd,bhmd->bhnm", q, k) / q.shape[-1] ** 0.5 + mask
    return torch.einsum("bhnm,bhmd->bnhd", logits.softmax(-1), v).flatten(2)


def test_lo_fi_keys_are_the_means_of_the_raw_input() -> None:
    size = (4, 6)
    module, x = HiLo(32, 4, alpha=1.0), tokens(size)
    other = x.clone()
    change = torch.randn(32)
    other[:, 0] += change  # two tokens of the first pooling cell, whose mean stays
    other[:, 1] -= change
    torch.testing.assert_close(module(other, size)[:, 2:], module(x, size)[:, 2:])
    assert not torch.allclose(module(other, size)[:, :2], module(x, size)[:, :2])


def test_hi_fi_sees_its_window_only() -> None:
    size = (4, 6)
    module, x = HiLo(32, 4, alpha=0.0), tokens(size)
    other = x.clone()
    other[:, 7] += 1  # row 1, column 1: the first window is tokens 0, 1, 6, 7
    changed = (module(other, size) - module(x, size)).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.nonzero().flatten().tolist() == [0, 1, 6, 7]


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_a_window_of_one_token_is_msa_whatever_alpha(alpha: float) -> None:
    module, msa = HiLo(32, 4, alpha=alpha, window_size=1), MSA(32, 4)
    with torch.no_grad():
        for kind in ("weight", "bias"):
            joined = torch.cat([getattr(module.l_q, kind), getattr(module.l_kv, kind)])
            getattr(msa.qkv, kind).copy_(joined)
            getattr(msa.proj, kind).copy_(getattr(module.l_proj, kind))
    x = tokens((5, 7))
    torch.testing.assert_close(module(x, (5, 7)), msa(x, (5, 7)))
    assert counted(module, (5, 7)) == counted(msa, (5, 7))


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_a_grid_that_the_window_does_not_divide_is_refused(alpha: float) -> None:
    module = HiLo(32, 4, alpha=alpha, window_size=2)
    message = r"^window_size 2 does not divide the 7 × 8 grid$"
    with pytest.raises(ValueError, match=message):
        module(tokens((7, 8)), (7, 8))


def test_lo_fi_alone_pools_without_the_last_odd_row_and_column() -> None:
    size = (5, 7)
    module, x = HiLo(32, 4, alpha=1.0, window_size=2), tokens(size)
    grid = x.reshape(2, 5, 7, 32)
    even = grid[:, :4, :6].reshape(2, 24, 32)
    expected = module(even, (4, 6)).reshape(2, 4, 6, 32)
    torch.testing.assert_close(module(x, size).reshape(2, 5, 7, 32)[:, :4, :6], expected)
    n, m, c = 35, 6, 32
    assert counted(module, size) == 2 * n * c**2 + 2 * m * c**2 + 2 * n * m * c


def test_lo_fi_alone_still_needs_one_window() -> None:
    with pytest.raises(ValueError, match=r"^window_size 4 does not divide the 3 × 8 grid$"):
        HiLo(32, 4, alpha=1.0, window_size=4)(tokens((3, 8)), (3, 8))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_padding_is_zeros_for_both_branches_and_a_crop(alpha: float) -> None:
    size, window = (5, 7), 3
    padded = HiLo(32, 4, alpha=alpha, window_size=window, pad=True)
    plain = HiLo(32, 4, alpha=alpha, window_size=window)
    plain.load_state_dict(padded.state_dict())
    x = tokens(size)
    grid = torch.zeros(2, 6, 9, 32)
    grid[:, :5, :7] = x.reshape(2, 5, 7, 32)
    expected = plain(grid.reshape(2, 54, 32), (6, 9)).reshape(2, 6, 9, 32)[:, :5, :7]
    torch.testing.assert_close(padded(x, size), expected.reshape(2, 35, 32))
    assert counted(padded, size) == counted(plain, (6, 9))


@pytest.mark.parametrize("alpha", [-0.1, 1.1])
def test_a_share_outside_of_0_to_1_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match=f"^alpha {alpha} is not between 0 and 1$"):
        HiLo(32, 4, alpha=alpha)
