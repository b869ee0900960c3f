"""Lambda layers: keys and values become linear functions, which are applied to queries without attention.

Paper: Bello, "LambdaNetworks: Modeling Long-Range Interactions Without Attention", ICLR 2021,
    arXiv:2102.08602.
Reference: huggingface/pytorch-image-models @ aa4b585, timm/layers/lambda_layer.py, LambdaLayer.
Differs: the position lambdas of a local context come from a 2-D convolution of every channel of the values,
    where timm's is 3-D over a transposed copy; those of the whole map slide a window over the embeddings,
    where timm looks up each pair. The weights and numbers are the same.
Names: r is the side of the local context; head_dim, the paper's |k|; its |u|, the intra-depth, is 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._port import Port, State, arguments, with_batch_counters
from benchsuite.mixers._timm import check_grid, pool_for, round_width


class LambdaLayer(nn.Module):
    """Mix a (B, dim, H, W) map into (B, dim_out, H / stride, W / stride).

    MACs: NC(hK + K + V) + NKV(1 + 2h + S): projections; content, two products with queries, positions.

        K = head_dim, V = dim_out / h; S, the positions that a position lambda sums over, is r² or N.

    Args:
        dim, num_heads, qkv_bias, kernel: as for `MSA`.
        r: odd side of the local context of the position lambdas; None for the whole map.
        grid: H and W of the maps; of importance only where r is None.
        dim_out: channels of the output, dim by default.
        stride: 2 averages squares of four positions of the output.
        head_dim: channels per head of queries, and of the keys; by default dim_out × qk_ratio, rounded to a
            multiple of 8, shared out among the heads.
        qk_ratio: channels of queries and keys over dim_out, before rounding to a multiple of 8.

    Raises:
        ValueError: num_heads does not divide dim_out, r is not odd and positive, stride is neither 1 nor 2,
            or the kernel is unknown; in `forward`, r is None and the map is not of this grid.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("low rank", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 4,
        *,
        r: int | None = 9,
        grid: tuple[int, int] = (14, 14),
        dim_out: int | None = None,
        stride: int = 1,
        head_dim: int | None = 16,
        qk_ratio: float = 1.0,
        qkv_bias: bool = False,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.grid = grid
        self.dim_out = dim if dim_out is None else dim_out
        self.v_dim = head_dim_of(self.dim_out, num_heads)
        self.head_dim = head_dim or round_width(self.dim_out * qk_ratio) // num_heads
        if r is not None and (r < 1 or r % 2 == 0):
            raise ValueError(f"r {r} is not odd and positive")
        self.r = r
        self.kernel = check_kernel(kernel, self.kernels, "lambda_layer")
        self.widths = (num_heads * self.head_dim, self.head_dim, self.v_dim)
        self.qkv = nn.Conv2d(dim, sum(self.widths), 1, bias=qkv_bias)
        self.norm_q = nn.BatchNorm2d(self.widths[0])
        self.norm_v = nn.BatchNorm2d(self.v_dim)
        if r is None:
            table = torch.empty(2 * grid[0] - 1, 2 * grid[1] - 1, self.head_dim)
            self.pos_emb = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        else:
            self.conv_lambda = nn.Conv2d(1, self.head_dim, r, padding=r // 2)
        self.pool = pool_for(stride)

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[2], x.shape[3])
        self._check(size)
        q, k, v = self.qkv(x).split_with_sizes(self.widths, dim=1)
        q = self.norm_q(q).flatten(2).unflatten(1, (self.num_heads, self.head_dim))  # B, heads, K, N
        v = self.norm_v(v)  # B, V, H, W
        values = v.flatten(2).transpose(1, 2)  # B, N, V
        content = k.flatten(2).softmax(dim=-1) @ values  # B, K, V: one lambda for all positions and heads
        lambdas = self._position_lambdas(values) if self.r is None else self._local_lambdas(v)
        q = q.permute(0, 3, 1, 2).contiguous()  # B, N, heads, K
        out = (q.flatten(1, 2) @ content).view(*q.shape[:3], -1) + q @ lambdas  # B, N, heads, V
        pooled: Tensor = self.pool(out.permute(0, 2, 3, 1).reshape(x.shape[0], self.dim_out, *size))
        return pooled

    def _local_lambdas(self, v: Tensor) -> Tensor:
        """(B, V, H, W) → (B, N, K, V), each from the values around its position."""
        batch, _, height, width = v.shape
        lambdas = self.conv_lambda(v.reshape(batch * self.v_dim, 1, height, width))  # B·V, K, H, W
        out: Tensor = lambdas.view(batch, self.v_dim, self.head_dim, -1).permute(0, 3, 2, 1)
        return out.contiguous()  # once, and not matrix by matrix in the product

    def _position_lambdas(self, values: Tensor) -> Tensor:
        """(B, N, V) → (B, N, K, V), each from all values.

        The embedding of an offset key − query moves down its table as the key moves on, but up as the query
        does. With the table and the values back to front both move down, and a window of the table slides.
        """
        (height, width), tokens = self.grid, values.shape[1]
        table = self.pos_emb.flip(0, 1).permute(2, 0, 1).contiguous()  # K, 2H − 1, 2W − 1
        # A view: K, H and W of the query, H and W of the key.
        windows = table.unfold(1, height, 1).unfold(2, width, 1)
        by_query = windows.permute(1, 2, 0, 3, 4).reshape(tokens * self.head_dim, tokens)
        return torch.unflatten(by_query @ values.flip(1), 1, (tokens, self.head_dim))

    def _check(self, size: tuple[int, int]) -> None:
        if self.r is None:
            check_grid(self.grid, size, "lambda_layer")


_ARGUMENTS = arguments(
    "dim num_heads r dim_out stride qk_ratio qkv_bias", renamed={"feat_size": "grid", "dim_head": "head_dim"}
)


def _arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    ours = _ARGUMENTS(authors)
    if ours.get("grid") is not None:
        return ours | {"grid": tuple(ours["grid"])}
    ours.pop("grid", None)
    return ours


def _state(state: State) -> dict[str, Tensor]:
    ours = {name: tensor for name, tensor in state.items() if not name.endswith("rel_pos_indices")}
    if "conv_lambda.weight" in ours:
        ours["conv_lambda.weight"] = ours["conv_lambda.weight"].squeeze(-1)
    return with_batch_counters(ours)


PORTS = {"lambda_layer": Port(mixer="lambda_layer", arguments=_arguments, state=_state)}
