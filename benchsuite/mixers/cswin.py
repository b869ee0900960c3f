"""Cross-shaped windows: half of the heads attend in vertical stripes, half in horizontal ones.

Paper: Dong et al., "CSWin Transformer", CVPR 2022, arXiv:2107.00652.
Reference: microsoft/CSWin-Transformer @ f111ae2, models/cswin.py, the attention path of CSWinBlock and
    LePEAttention; pad=True is segmentation/backbone/cswin_transformer.py.
Differs: proj_drop drops behind the projection; the authors define it and do not use it.
Names: split_size is the paper's sw, the width of a stripe; get_v, the convolution of its locally-enhanced
    positional encoding (LePE).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend
from benchsuite.mixers._checks import check_kernel, check_one_of, check_positive, head_dim_of
from benchsuite.mixers._grid import as_map, as_tokens
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import Port, arguments

Size = tuple[int, int]

STRIPES = ("vertical", "horizontal", "whole")


class StripeAttention(nn.Module):
    """Attention in stripes plus LePE, from (3, B, N, dim) queries, keys and values to (B, N, dim).

    LePE is a 3 × 3 depth-wise convolution of the values inside of each stripe: at its border it sees zeros,
    not the neighbouring stripe.

    MACs: 2NTC + 9NC, N of the padded grid and T the tokens of a stripe.

    Args:
        dim, num_heads, attn_drop, kernel: as for `MSA`.
        stripes: "vertical", all rows of split_size columns; "horizontal", split_size rows of all columns;
            "whole", the grid as one stripe.
        split_size: width of a stripe, in tokens.
        pad: pad queries, keys and values with zeros on both sides to whole stripes, and crop the output.
            Padded tokens are not masked.

    Raises:
        ValueError: num_heads does not divide dim, split_size is not positive, stripes or the kernel is
            unknown; in `forward`, pad is False and stripes do not tile the grid.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        stripes: str = "vertical",
        split_size: int = 7,
        pad: bool = False,
        attn_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        check_one_of("stripes", stripes, STRIPES)
        check_positive("split_size", split_size)
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.stripes = stripes
        self.split_size = split_size
        self.pad = pad
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "cswin_lepe")
        self.get_v = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)

    def forward(self, qkv: Tensor, size: Size) -> Tensor:
        (height, width), stripe = self._geometry(size)
        rows, columns = stripe
        batch = qkv.shape[1]
        x = qkv.reshape(3, batch, *size, self.dim)
        top, left = (height - size[0]) // 2, (width - size[1]) // 2
        if (height, width) != size:
            bottom, right = height - size[0] - top, width - size[1] - left
            x = F.pad(x, (0, 0, left, right, top, bottom))
        tiles = (height // rows, width // columns)
        x = x.reshape(3, batch, tiles[0], rows, tiles[1], columns, self.num_heads, self.head_dim)
        q, k, v = x.unbind(0)
        heads = (-1, self.num_heads, rows * columns, self.head_dim)  # B × stripes, heads, tokens, head_dim
        # Each a copy of its own, so that the queries' is gone once they are scaled.
        q, k = (t.permute(0, 1, 3, 5, 2, 4, 6).reshape(heads) for t in (q, k))
        v = v.transpose(2, 3).reshape(-1, rows * columns, self.dim)  # B × stripes, tokens, dim
        lepe = as_tokens(self.get_v(as_map(v, stripe)))
        v, lepe = (torch.unflatten(t, 2, (self.num_heads, self.head_dim)) for t in (v, lepe))
        dropout = self.attn_drop if self.training else 0.0
        x = attend(q, k, v.transpose(1, 2), kernel=self.kernel, dropout=dropout, scale_q=True)
        x = (x.transpose(1, 2) + lepe).reshape(batch, *tiles, rows, columns, self.dim)
        x = x.transpose(2, 3).reshape(batch, height, width, self.dim)
        x = x[:, top : top + size[0], left : left + size[1]]
        return x.reshape(batch, size[0] * size[1], self.dim)

    def _geometry(self, size: Size) -> tuple[Size, Size]:
        """Sizes of the grid that is cut, and of a stripe."""
        split = self.split_size
        stripe = {"vertical": (size[0], split), "horizontal": (split, size[1]), "whole": size}[self.stripes]
        height, width = (-(-side // part) * part for side, part in zip(size, stripe, strict=True))
        if not self.pad and (height, width) != size:
            raise ValueError(f"{self.stripes} stripes of {split} do not tile the {size[0]} × {size[1]} grid")
        return (height, width), stripe


class CrossShapedWindowAttention(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim).

    The first half of channels and heads attends in vertical stripes, the second in horizontal ones.

    MACs: 4NC² and, for each kind of stripes, 2N'TC' + 9N'C' with its share C' of the channels, N' padded.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        split_size: width of a stripe.
        whole: one branch with all heads and the grid as one stripe, as in the authors' last stage.
        pad: pad queries, keys and values with zeros to whole stripes, each branch for itself, and crop.

    Raises:
        ValueError: num_heads does not divide dim or is odd (unless `whole`), split_size is not positive, or
            the kernel is unknown; in `forward`, pad is False and stripes do not tile the grid.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        split_size: int = 7,
        whole: bool = False,
        pad: bool = False,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        head_dim_of(dim, num_heads)
        kinds = ("whole",) if whole else ("vertical", "horizontal")
        if num_heads % len(kinds):
            raise ValueError(f"num_heads {num_heads} is odd, and two kinds of stripes share the heads")
        self.dim = dim
        check_kernel(kernel, self.kernels, "cswin")
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.attns = nn.ModuleList(
            StripeAttention(
                dim // len(kinds),
                num_heads // len(kinds),
                stripes=kind,
                split_size=split_size,
                pad=pad,
                attn_drop=attn_drop,
                kernel=kernel,
            )
            for kind in kinds
        )
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        qkv = self.qkv(x).reshape(*x.shape[:2], 3, self.dim).permute(2, 0, 1, 3)  # 3, B, N, dim
        parts = qkv.chunk(len(self.attns), dim=-1)
        branches = [attn(part, size) for attn, part in zip(self.attns, parts, strict=True)]
        x = branches[0] if len(branches) == 1 else torch.cat(branches, dim=-1)
        out: Tensor = self.proj_drop(self.proj(x))
        return out


_LEPE = arguments(
    "dim idx split_size num_heads attn_drop",
    only={"qk_scale": None},
    ignored=("resolution", "dim_out", "qkv_bias", "proj_drop"),  # the last three have no effect there
)
_BLOCK = arguments(
    "dim num_heads split_size qkv_bias attn_drop",
    renamed={"drop": "proj_drop", "last_stage": "whole"},
    defaults={"qkv_bias": False, "whole": False},
    only={"qk_scale": None},
    ignored=("reso", "patches_resolution", "mlp_ratio", "drop_path"),
)


def _lepe_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    ours = _LEPE(authors)
    return ours | {"stripes": {0: "vertical", 1: "horizontal", -1: "whole"}[ours.pop("idx")]}


def _block_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """A stripe as wide as the grid makes the authors' block one of the last stage."""
    ours = _BLOCK(authors)
    return ours | {"whole": ours["whole"] or authors.get("reso") == authors.get("split_size", 7)}


def _seg_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """Here only last_stage decides, and there is a bias whatever the authors' argument says."""
    return _BLOCK(authors) | {"pad": True, "qkv_bias": True}


def _run_lepe(module: nn.Module, qkv: Tensor, size: Size) -> Tensor:
    out: Tensor = module(qkv, size)
    return out


PORTS = {
    "cswin": Port(mixer="cswin", arguments=_block_arguments),
    "cswin_seg": Port(mixer="cswin", arguments=_seg_arguments),
    "cswin_lepe": Port(mixer="cswin_lepe", arguments=_lepe_arguments, run=_run_lepe),
}
