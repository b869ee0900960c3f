"""The one place where mixers attend."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchsuite.mixers._attention import ATTENTION_KERNELS, Axial, attend, attend_maps


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("scale_q", [True, False])
def test_each_query_gets_the_softmax_weighted_mean_of_the_values(kernel: str, scale_q: bool) -> None:
    q, k, v = torch.randn(1, 2, 3, 4), torch.randn(1, 2, 5, 4), torch.randn(1, 2, 5, 4)
    bias = torch.randn(1, 2, 3, 5)
    out = attend(q, k, v, kernel=kernel, bias=bias, scale_q=scale_q)
    for head in range(2):
        for n in range(3):
            logits = [float(q[0, head, n] @ k[0, head, m]) / math.sqrt(4) for m in range(5)]
            weights = [math.exp(logit + float(bias[0, head, n, m])) for m, logit in enumerate(logits)]
            mean = sum(weight * v[0, head, m] for m, weight in enumerate(weights)) / sum(weights)
            torch.testing.assert_close(out[0, head, n], mean)


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("learned", [True, False])
def test_a_bias_of_rows_and_columns_is_their_sum(kernel: str, learned: bool) -> None:
    """Outputs and all gradients are those of the sum, written out; the parts are not written over."""

    def leaf(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, requires_grad=learned)

    q, k, v, rows, columns = (
        leaf(2, 2, 5, 4),
        leaf(2, 2, 6, 4),
        leaf(2, 2, 6, 4),
        leaf(2, 2, 5, 2),
        leaf(2, 2, 5, 3),
    )
    kept = rows.detach().clone(), columns.detach().clone()
    summed = (rows[..., :, None] + columns[..., None, :]).reshape(2, 2, 5, 6)
    logits = q @ k.mT / 2 + summed
    expected = logits.softmax(-1) @ v
    out = attend(q, k, v, kernel=kernel, bias=Axial(rows, columns))
    torch.testing.assert_close(out, expected)
    maps = attend_maps(q.mT, k.mT, v.mT, kernel=kernel, bias=Axial(rows, columns))
    torch.testing.assert_close(maps, expected.mT.flatten(1, 2))
    assert torch.equal(rows, kept[0])
    assert torch.equal(columns, kept[1])
    if learned:
        inputs, cotangent = (q, k, v, rows, columns), torch.randn_like(out)
        grads = (torch.autograd.grad(one, inputs, cotangent, retain_graph=True) for one in (out, expected))
        for ours, theirs in zip(*grads, strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("learned", ["bias", "bias and few keys", "few keys"])
def test_sdpa_forms_the_matrix_where_a_fused_kernel_is_missing_or_only_costs(learned: str) -> None:
    """Then it is "math", bit by bit; a counter of operators is shown torch's kernel where there is one."""
    tokens, generator = 3 if "few" in learned else 24, torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 2, tokens, 8, generator=generator, requires_grad=True) for _ in range(3))
    bias = torch.randn(1, 2, tokens, tokens, generator=generator).requires_grad_("bias" in learned)
    formed, chosen = (attend(q, k, v, kernel=kernel, bias=bias) for kernel in ("math", "sdpa"))
    assert torch.equal(formed, chosen)
    with FlopCounterMode(display=False):
        watched = attend(q, k, v, kernel="sdpa", bias=bias.detach())
    assert "ScaledDotProduct" in watched.grad_fn.name()
    assert "ScaledDotProduct" not in chosen.grad_fn.name()


@pytest.mark.parametrize("kernel", ATTENTION_KERNELS)
def test_every_kernel_has_a_shape_on_meta(kernel: str) -> None:
    q, k = torch.empty(1, 2, 3, 4, device="meta"), torch.empty(1, 2, 5, 4, device="meta")
    bias = torch.empty(1, 1, 3, 5, device="meta")
    assert attend(q, k, k, kernel=kernel, bias=bias).shape == (1, 2, 3, 4)


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
def test_dropout_drops_weights_and_keeps_their_mean(kernel: str) -> None:
    torch.manual_seed(0)
    q, v = torch.zeros(1, 1, 2000, 8), torch.ones(1, 1, 10, 8)
    out = attend(q, torch.zeros(1, 1, 10, 8), v, kernel=kernel, dropout=0.5)
    assert float(out.mean()) == pytest.approx(1, abs=0.05)
    assert float(out.std()) > 0.1
