"""Lambda layers against an oracle that makes the lambda of every position on its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.lambda_layer import PORTS, LambdaLayer
from tests.mixers.counting import counted

Size = tuple[int, int]


def made(**options: Any) -> LambdaLayer:
    torch.manual_seed(0)
    module = LambdaLayer(8, 2, **options).double()
    for norm in (module.norm_q, module.norm_v):
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
        torch.nn.init.normal_(norm.running_mean)
        torch.nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return module


def oracle(module: LambdaLayer, x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    heads, d = module.num_heads, module.head_dim
    q, k, v = module.qkv(x).split([heads * d, d, module.v_dim], dim=1)

    def normed(t: Tensor, norm: torch.nn.BatchNorm2d) -> Tensor:
        axes = (0, 2, 3)
        mean, var = norm.running_mean, norm.running_var
        if norm.training:
            mean, var = t.mean(axes), t.var(axes, unbiased=False)
        assert mean is not None
        assert var is not None
        scaled = (t - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()
        return scaled * norm.weight[:, None, None] + norm.bias[:, None, None]

    q, k, v = (
        normed(q, module.norm_q).flatten(2),
        k.flatten(2).softmax(-1),
        normed(v, module.norm_v).flatten(2),
    )
    out = torch.zeros(x.shape[0], heads * module.v_dim, height * width, dtype=x.dtype)
    for n in range(height * width):
        function = torch.einsum("bkm,bvm->bkv", k, v)
        if module.r is not None:
            function = function + module.conv_lambda.bias[:, None]
        for m in range(height * width):
            dy, dx = m // width - n // width, m % width - n % width
            if module.r is None:
                embedding = module.pos_emb[dy + height - 1, dx + width - 1]
            elif max(abs(dy), abs(dx)) <= module.r // 2:
                embedding = module.conv_lambda.weight[:, 0, dy + module.r // 2, dx + module.r // 2]
            else:
                continue
            function = function + embedding[:, None] * v[:, None, :, m]
        for h in range(heads):
            query = q[:, h * d : (h + 1) * d, n]
            of_head = slice(h * module.v_dim, (h + 1) * module.v_dim)
            out[:, of_head, n] = torch.einsum("bk,bkv->bv", query, function)
    return out.reshape(x.shape[0], -1, height, width)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((4, 5), {"r": 3, "head_dim": 3}),
        ((3, 4), {"r": 9}),
        ((3, 4), {"r": None, "grid": (3, 4), "qkv_bias": True}),
        ((4, 3), {"r": None, "grid": (4, 3), "dim_out": 12, "head_dim": 5}),
        ((3, 3), {"r": 1, "head_dim": None, "qk_ratio": 2.0}),
    ],
)
def test_each_position_applies_its_lambda_to_its_queries(
    size: Size, options: dict[str, Any], train: bool
) -> None:
    module = made(**options).train(train)
    x = torch.randn(2, 8, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(module(x), oracle(module, x))


def test_a_stride_averages_squares_of_the_output() -> None:
    module, whole = made(stride=2).eval(), made().eval()
    x = torch.randn(2, 8, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(module(x), whole(x).reshape(2, 8, 2, 2, 3, 2).mean((3, 5)))


@pytest.mark.parametrize(("dim", "heads", "size"), [(768, 12, (14, 14)), (96, 3, (28, 14)), (32, 4, (7, 7))])
@pytest.mark.parametrize("r", [9, 23, None])
def test_macs_by_hand(dim: int, heads: int, size: Size, r: int | None) -> None:
    n, k, v = size[0] * size[1], 16, dim // heads
    projections = n * dim * (heads * k + k + v)
    content, with_queries = n * k * v, 2 * n * heads * k * v
    positions = n * k * v * (n if r is None else r**2)
    with torch.device("meta"):
        module = LambdaLayer(dim, heads, r=r, grid=size)
    assert counted(module, size) == projections + content + with_queries + positions


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^r 4 is not odd and positive$"):
        made(r=4)
    with pytest.raises(ValueError, match=r"^stride 4 is neither 1 nor 2$"):
        made(stride=4)
    module = made(r=None, grid=(3, 4))
    message = r"^this lambda_layer is made for a 3 × 4 grid, not for one of 4 × 4$"
    with pytest.raises(ValueError, match=message):
        module(torch.randn(1, 8, 4, 4, dtype=torch.float64))


def test_the_port_flattens_the_authors_kernel_and_fills_in_counters() -> None:
    port = PORTS["lambda_layer"]
    assert port.arguments({"dim": 16, "r": None, "feat_size": [7, 5]}) == {
        "dim": 16,
        "r": None,
        "grid": (7, 5),
    }
    assert port.arguments({"dim": 16, "feat_size": None, "dim_head": 4}) == {"dim": 16, "head_dim": 4}
    theirs = {
        name: tensor[..., None] if name == "conv_lambda.weight" else tensor
        for name, tensor in made(r=3).state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    other = made(r=3)
    other.load_state_dict(port.state(theirs), strict=True)
