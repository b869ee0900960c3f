"""Outlook attention, the outlooker and both class attentions against explicit loops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers.cait import ClassAttention
from benchsuite.mixers.msa import MSA
from benchsuite.mixers.volo import PORTS, OutlookAttention, Outlooker, VOLOClassAttention, cut, lay


def random_weights(module: nn.Module) -> Any:
    torch.manual_seed(0)
    module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module


def outlook_by_loops(module: OutlookAttention, x: Tensor) -> Tensor:
    batch, height, width, dim = x.shape
    k, stride, heads, d = module.kernel_size, module.stride, module.num_heads, module.head_dim
    values = module.v(x).reshape(batch, height, width, heads, d)
    out = torch.zeros(batch, height, width, heads, d, dtype=x.dtype)
    for row in range(-(-height // stride)):
        for column in range(-(-width // stride)):
            y, x_ = row * stride, column * stride
            source = x[:, y : y + stride, x_ : x_ + stride].mean(dim=(1, 2))  # fewer at the far edges
            logits = (module.attn.weight @ source[:, :, None]).squeeze(-1) + module.attn.bias
            weights = (logits.reshape(batch, heads, k * k, k * k) / d**0.5).softmax(-1)
            spots = [(y + i - module.padding, x_ + j - module.padding) for i in range(k) for j in range(k)]
            exists = [0 <= at[0] < height and 0 <= at[1] < width for at in spots]
            for target, there in zip(range(k * k), exists, strict=True):
                for source_, known in zip(range(k * k), exists, strict=True):
                    if there and known:
                        a, b = spots[target], spots[source_]
                        out[:, a[0], a[1]] += weights[:, :, target, source_, None] * values[:, b[0], b[1]]
    return module.proj(out.reshape(batch, height, width, dim))


OPTIONS = pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (4, 5)),
        ({"stride": 2}, (4, 6)),
        ({"stride": 2}, (5, 7)),
        ({"stride": 3}, (7, 4)),
        ({"kernel_size": 5, "padding": 2, "stride": 2, "qkv_bias": True}, (5, 6)),
        ({"kernel_size": 1, "padding": 0}, (3, 4)),
        ({"kernel_size": 2, "padding": 0, "stride": 2}, (4, 6)),
    ],
)


@OPTIONS
def test_it_mixes_the_values_of_each_window_and_sums_what_overlaps(
    options: dict[str, Any], size: tuple[int, int]
) -> None:
    module = random_weights(OutlookAttention(8, 2, **options))
    x = torch.randn(2, *size, 8, dtype=torch.float64)
    torch.testing.assert_close(module(x), outlook_by_loops(module, x))


def test_the_overlap_is_a_sum_and_no_mean() -> None:
    module = OutlookAttention(8, 2).double()
    with torch.no_grad():
        module.v.weight.copy_(torch.eye(8))
        module.proj.weight.copy_(torch.eye(8))
        for parameter in (module.attn.weight, module.attn.bias, module.proj.bias):
            parameter.zero_()
    out = module(torch.ones(1, 5, 6, 8, dtype=torch.float64))
    torch.testing.assert_close(out[:, 2:3, 2:4], torch.full((1, 1, 2, 8), 9.0).double())


def test_windows_that_do_not_fit_the_positions_are_refused() -> None:
    module = OutlookAttention(8, 2, padding=0)
    message = r"^kernel_size 3, padding 0 and stride 1 make 2 × 4 windows for 4 × 6 positions$"
    with pytest.raises(ValueError, match=message):
        module(torch.zeros(1, 4, 6, 8))


@pytest.mark.parametrize("stride", [1, 2])
def test_the_outlooker_is_attention_and_an_mlp_on_residual_branches(stride: int) -> None:
    module = random_weights(Outlooker(8, 2, stride=stride, mlp_ratio=2.5))
    x = torch.randn(2, 4, 6, 8, dtype=torch.float64)

    def norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
        x = x - x.mean(-1, keepdim=True)
        return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * layer.weight + layer.bias

    after = x + outlook_by_loops(module.attn, norm(module.norm1, x))
    hidden = norm(module.norm2, after) @ module.mlp.fc1.weight.t() + module.mlp.fc1.bias
    hidden = 0.5 * hidden * (1 + torch.erf(hidden / 2**0.5))
    assert hidden.shape[-1] == 20
    expected = after + hidden @ module.mlp.fc2.weight.t() + module.mlp.fc2.bias
    torch.testing.assert_close(module(x), expected)


def test_the_outlookers_port_takes_the_authors_names() -> None:
    authors = {"dim": 16, "kernel_size": 3, "padding": 1, "stride": 2, "num_heads": 4, "mlp_ratio": 3.0}
    port = PORTS["volo_outlooker_block"]
    module = Outlooker(**port.arguments(authors))
    theirs = {
        **{f"norm{n}.{kind}": torch.randn(16) for n in (1, 2) for kind in ("weight", "bias")},
        "attn.v.weight": torch.randn(16, 16),
        "attn.attn.weight": torch.randn(324, 16),
        "attn.attn.bias": torch.randn(324),
        "attn.proj.weight": torch.randn(16, 16),
        "attn.proj.bias": torch.randn(16),
        "mlp.fc1.weight": torch.randn(48, 16),
        "mlp.fc1.bias": torch.randn(48),
        "mlp.fc2.weight": torch.randn(16, 48),
        "mlp.fc2.bias": torch.randn(16),
    }
    module.load_state_dict(port.state(theirs), strict=True)
    assert torch.equal(module.mlp.fc1.weight, theirs["mlp.fc1.weight"])


def class_token_by_hand(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """(B, width) queries of one token, (B, T, width) keys and values."""
    q, k, v = (t.unflatten(-1, (heads, -1)) for t in (q, k, v))
    logits = torch.einsum("bhd,bthd->bht", q, k) / q.shape[-1] ** 0.5
    return torch.einsum("bht,bthd->bhd", logits.softmax(-1), v).flatten(1)


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("qkv_bias", [True, False])
def test_class_attention_renews_the_first_token_and_passes_the_others(qkv_bias: bool, kernel: str) -> None:
    module = random_weights(ClassAttention(12, 3, qkv_bias=qkv_bias, kernel=kernel))
    x = torch.randn(2, 1 + 6, 12, dtype=torch.float64)
    q, k, v = module.qkv(x).chunk(3, dim=-1)
    out = module(x, (2, 3))
    torch.testing.assert_close(out[:, 0], module.proj(class_token_by_hand(q[:, 0], k, v, 3)))
    assert torch.equal(out[:, 1:], x[:, 1:])


def test_class_attention_is_the_first_token_of_self_attention() -> None:
    module, msa = ClassAttention(12, 3), MSA(12, 3)
    msa.load_state_dict(module.state_dict())
    x = torch.randn(2, 7, 12)
    torch.testing.assert_close(module(x, (2, 3))[:, 0], msa(x, (7, 1))[:, 0])


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("head_dim", [None, 5])
def test_volos_class_attention_gives_the_class_token_only(head_dim: int | None, kernel: str) -> None:
    module = random_weights(VOLOClassAttention(12, 3, head_dim=head_dim, qkv_bias=True, kernel=kernel))
    x = torch.randn(2, 1 + 6, 12, dtype=torch.float64)
    k, v = module.kv(x).chunk(2, dim=-1)
    expected = module.proj(class_token_by_hand(module.q(x[:, 0]), k, v, 3))
    torch.testing.assert_close(module(x, (2, 3)), expected[:, None])


@pytest.mark.parametrize("cls", [ClassAttention, VOLOClassAttention])
def test_class_attention_refuses_what_it_cannot_do(cls: type[ClassAttention]) -> None:
    with pytest.raises(ValueError, match=r"^num_heads 5 does not divide dim 12$"):
        cls(12, 5)
    with pytest.raises(ValueError, match=r"class_attention has no kernel 'mat'; it runs on math, sdpa"):
        cls(12, 3, kernel="mat")


@pytest.mark.parametrize("cls", [ClassAttention, VOLOClassAttention])
def test_class_attention_drops_in_training_only(cls: type[ClassAttention]) -> None:
    for option in ("attn_drop", "proj_drop"):
        module, x = cls(12, 3, **{option: 0.5}), torch.randn(2, 9, 12)
        assert not torch.equal(module(x, (2, 4)), module(x, (2, 4)))
        module.eval()
        assert torch.equal(module(x, (2, 4)), module(x, (2, 4)))


HEADS, DIM = 2, 6

SIZES = pytest.mark.parametrize(
    ("kernel_size", "stride", "size"),
    [(3, 1, (5, 6)), (3, 2, (7, 9)), (3, 2, (8, 6)), (2, 2, (4, 6)), (2, 3, (8, 5)), (1, 1, (3, 2))],
)
"""Windows that overlap, that leave rows and columns over, that touch, and that leave gaps."""


def random_map(size: tuple[int, int]) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, *size, DIM, dtype=torch.float64)


@SIZES
def test_windows_are_those_of_unfold(kernel_size: int, stride: int, size: tuple[int, int]) -> None:
    x = random_map(size)
    windows = cut(x, HEADS, kernel_size, stride)
    columns = windows.permute(0, 3, 6, 4, 5, 1, 2).reshape(2, DIM * kernel_size**2, -1)
    assert torch.equal(columns, F.unfold(x.permute(0, 3, 1, 2), kernel_size, stride=stride))


@SIZES
def test_laying_windows_is_fold(kernel_size: int, stride: int, size: tuple[int, int]) -> None:
    x = random_map(size)
    windows = torch.randn_like(cut(x, HEADS, kernel_size, stride))
    columns = windows.permute(0, 3, 6, 4, 5, 1, 2).reshape(2, DIM * kernel_size**2, -1)
    folded = F.fold(columns, size, kernel_size, stride=stride).permute(0, 2, 3, 1)
    torch.testing.assert_close(lay(windows, x.shape, stride), folded)


@SIZES
def test_gradients_of_both_are_right_and_so_are_theirs(
    kernel_size: int, stride: int, size: tuple[int, int]
) -> None:
    x = random_map(size)[:1].requires_grad_()
    windows = torch.randn_like(cut(x, HEADS, kernel_size, stride)).requires_grad_()

    def cut_map(x: Tensor) -> Tensor:
        return cut(x, HEADS, kernel_size, stride)

    def lay_windows(windows: Tensor) -> Tensor:
        return lay(windows, x.shape, stride)

    for function, given in ((cut_map, x), (lay_windows, windows)):
        assert torch.autograd.gradcheck(function, given)
        assert torch.autograd.gradgradcheck(function, given)


def test_the_same_comes_out_whether_gradients_are_recorded_or_not() -> None:
    x = random_map((7, 5))
    recorded = cut(x, HEADS, 3, 2)
    laid = lay(recorded, x.shape, 2)
    with torch.no_grad():
        assert torch.equal(cut(x, HEADS, 3, 2), recorded)
        assert torch.equal(lay(recorded, x.shape, 2), laid)


def test_the_gradient_of_laying_is_a_view() -> None:
    windows = cut(random_map((7, 7)), HEADS, 3, 2).clone().requires_grad_()
    laid = lay(windows, torch.Size((2, 7, 7, DIM)), 2)
    cotangent = torch.ones_like(laid)
    (grad,) = torch.autograd.grad(laid, windows, cotangent)
    assert grad.untyped_storage().data_ptr() == cotangent.untyped_storage().data_ptr()


def test_compiled_is_refused_where_its_backward_pass_would_break_memory() -> None:
    module, x = OutlookAttention(16, 2, kernel="compiled"), torch.randn(1, 4, 4, 16)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError, match=r"^No available kernel: .* more than one thread of a CPU"):
            module(x)
    finally:
        torch.set_num_threads(threads)
