"""Linformer attention: keys and values are projected from all tokens to a fixed number of rows.

Paper: Wang et al., "Linformer: Self-Attention with Linear Complexity", 2020, arXiv:2006.04768.
Reference: lucidrains/linformer @ 970e1c3, linformer/linformer.py, LinformerSelfAttention; share_kv "rows" and
    biases on q, k and v are HubHop/vit-attention-benchmark @ 1283a49, attentions/linformer.py.
Differs: keys and values come from one layer; the largest logit is not subtracted before softmax, which does
    so itself.
Names: rows is the paper's k, the projected dimension; proj_k and proj_v, its E and F transposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend
from benchsuite.mixers._checks import check_kernel, check_one_of, check_positive, head_dim_of
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, State, arguments

SHARINGS = ("none", "rows", "all")


class Linformer(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim). The grid's shape does not matter.

    MACs: 2NCI + pNCK + pNkK + 2NkI: I of all heads, K of the keys' heads, p projected maps (1 if shared).

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        grid: the largest grid. What counts is its number of tokens; an input of fewer uses the first rows of
            the projections.
        rows: rows that keys and values are projected to.
        head_dim: channels per head, dim / num_heads by default.
        one_kv_head: all heads share one head of keys and values.
        share_kv: "none"; "rows", keys and values share the projection over the tokens;
            "all", values are keys.

    Raises:
        ValueError: num_heads does not divide dim and no head_dim is given, rows is not positive, share_kv or
            the kernel is unknown; in `forward`, the grid has more tokens than `grid`.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("low rank", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        grid: tuple[int, int] = (14, 14),
        rows: int = 256,
        head_dim: int | None = None,
        one_kv_head: bool = False,
        share_kv: str = "none",
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        check_positive("rows", rows)
        check_one_of("share_kv", share_kv, SHARINGS)
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads) if head_dim is None else head_dim
        self.inner_dim = num_heads * self.head_dim
        self.grid = grid
        self.rows = rows
        self.kv_heads = 1 if one_kv_head else num_heads
        self.share_kv = share_kv
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "linformer")
        kv_dim = self.kv_heads * self.head_dim
        self.q = nn.Linear(dim, self.inner_dim, bias=qkv_bias)
        self.kv = nn.Linear(dim, kv_dim if share_kv == "all" else 2 * kv_dim, bias=qkv_bias)
        self.proj_k = nn.Parameter(self._new_projection())
        if share_kv == "none":
            self.proj_v = nn.Parameter(self._new_projection())
        self.proj = nn.Linear(self.inner_dim, dim)
        self.proj_drop = dropout(proj_drop)

    def _new_projection(self) -> Tensor:
        bound = self.rows**-0.5
        return torch.empty(self.grid[0] * self.grid[1], self.rows).uniform_(-bound, bound)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        batch, tokens, _ = x.shape
        self._check(size)
        k, v = self._keys_and_values(x)
        q = self.q(x)
        # With one head of keys, the heads of a query are further queries: a view, and no key is repeated.
        q = q.reshape(batch, -1, self.kv_heads, self.head_dim).transpose(1, 2)  # B, kv heads, …, head_dim
        k, v = (t.reshape(batch, -1, self.kv_heads, self.head_dim).transpose(1, 2) for t in (k, v))
        x = attend(
            q, k, v, kernel=self.kernel, dropout=self.attn_drop if self.training else 0.0, scale_q=True
        )
        x = x.transpose(1, 2).reshape(batch, tokens, self.inner_dim)
        out: Tensor = self.proj_drop(self.proj(x))
        return out

    def _keys_and_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Each (B, rows, kv heads × head_dim)."""
        tokens = x.shape[1]
        kv: Tensor = self.kv(x)
        to_rows = self.proj_k[:tokens].t()
        if self.share_kv == "all":
            k = to_rows @ kv
            return k, k
        if self.share_kv == "rows":
            k, v = (to_rows @ kv).chunk(2, dim=-1)
            return k, v
        k, v = kv.chunk(2, dim=-1)
        return to_rows @ k, self.proj_v[:tokens].t() @ v

    def _check(self, size: tuple[int, int]) -> None:
        most = self.grid[0] * self.grid[1]
        if size[0] * size[1] > most:
            raise ValueError(
                f"the {size[0]} × {size[1]} grid has more tokens than the {self.grid[0]} × {self.grid[1]} "
                f"grid that this module is made for"
            )


_LUCIDRAINS = arguments(
    "dim one_kv_head share_kv",
    renamed={
        "heads": "num_heads",
        "dim_head": "head_dim",
        "seq_len": "grid",
        "k": "rows",
        "dropout": "attn_drop",
    },
    defaults={"qkv_bias": False, "share_kv": False},
)
_HUBHOP = arguments(
    *SHARED_ARGUMENTS,
    "share_kv",
    renamed={"seq_len": "grid", "lin_feat": "rows"},
    defaults={"qkv_bias": False, "share_kv": False},
    only={"qk_scale": None},
)


def _lucidrains_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    return _from_authors(_LUCIDRAINS(authors), shared="all")


def _hubhop_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """Here the features of keys and values stay two; only their projection over the tokens is one."""
    return _from_authors(_HUBHOP(authors), shared="rows")


def _from_authors(ours: dict[str, Any], shared: str) -> dict[str, Any]:
    """A length as a grid of one column, and a flag as the name of what is shared."""
    if "grid" in ours:
        ours["grid"] = (ours["grid"], 1)
    return ours | {"share_kv": shared if ours["share_kv"] else "none"}


def _lucidrains_state(state: State) -> dict[str, Tensor]:
    """Stack to_k and to_v, which the authors lack where values are keys."""
    ours = {
        name.replace("to_q.", "q.").replace("to_out.", "proj."): tensor
        for name, tensor in state.items()
        if not name.startswith(("to_k.", "to_v."))
    }
    parts = [state[name] for name in ("to_k.weight", "to_v.weight") if name in state]
    ours["kv.weight"] = parts[0] if len(parts) == 1 else torch.cat(parts)
    return ours


def _hubhop_state(state: State) -> dict[str, Tensor]:
    """Without the second name of a projection that keys and values share."""
    ours = {name.replace("query.", "q."): tensor for name, tensor in state.items()}
    if "proj_v" in ours and torch.equal(ours["proj_v"], ours["proj_k"]):
        del ours["proj_v"]
    return ours


PORTS = {
    "linformer": Port(mixer="linformer", arguments=_lucidrains_arguments, state=_lucidrains_state),
    "linformer_hubhop": Port(mixer="linformer", arguments=_hubhop_arguments, state=_hubhop_state),
}
