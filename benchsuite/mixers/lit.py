"""LIT: attention with a relative position bias over the whole grid, and deformable merging of tokens.

Paper: Pan et al., "Less is More: Pay Less Attention in Vision Transformers", AAAI 2022, arXiv:2105.14217.
Reference: ziplab/LITv2 @ 7501c86, classification/models/attentions.py, RelPosAttention, and patch_embed.py,
    DTM.
Differs: the deformable convolution is in plain torch, where the authors' runs on CUDA only; DTM takes grids
    of odd sides, of which the last row and column are merged only where offsets reach them.
Names: grid is the authors' input_resolution; DTM, their deformable token merging.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend, split_heads
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._grid import Size, as_map, as_tokens
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments, renamed
from benchsuite.mixers._windows import look_up, relative_position_index


class RelPosMSA(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim): self-attention plus a bias for each offset.

    MACs: 4NC² + 2N²C.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        grid: height and width, which fix the size of the table of biases.

    Raises:
        ValueError: num_heads does not divide dim, or the kernel is unknown; in `forward`, the tokens stand on
            another grid.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("dense", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        grid: Size = (14, 14),
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.grid = (grid[0], grid[1])
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "relpos_msa")
        table = torch.empty((2 * grid[0] - 1) * (2 * grid[1] - 1), num_heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)
        self._index: Tensor | None = None

    def forward(self, x: Tensor, size: Size) -> Tensor:
        self._check(size)
        q, k, v = split_heads(self.qkv(x), self.num_heads, 3)  # each B, heads, N, head_dim
        dropout = self.attn_drop if self.training else 0.0
        x = attend(q, k, v, kernel=self.kernel, bias=self._bias(), dropout=dropout, scale_q=True)
        x = x.transpose(1, 2).flatten(2)
        out: Tensor = self.proj_drop(self.proj(x))
        return out

    def _bias(self) -> Tensor:
        """(1, heads, N, N). Its index is made once for a device, and is no buffer, as in `swin.py`."""
        table = self.relative_position_bias_table
        if self._index is None or self._index.device != table.device:
            with torch.inference_mode(False):
                self._index = relative_position_index(self.grid, self.grid, table.device)
        return look_up(table.t(), self._index)

    def _check(self, size: Size) -> None:
        if tuple(size) != self.grid:
            raise ValueError(
                f"the tokens stand on a {size[0]} × {size[1]} grid, but this mixer is made for "
                f"{self.grid[0]} × {self.grid[1]}"
            )


_SIDE = 2
_TAPS = _SIDE**2


class DeformableMerging(nn.Module):
    """Merge a (B, dim, H, W) map into (B, out_dim, H / 2, W / 2): `merge`, of which tokens and maps make use.

    A deformable 2 × 2 convolution, batch norm and GELU. Another convolution predicts, for each of the four
    taps at each place, by how many positions it moves down and right; taps between positions are
    interpolated, and see zeros outside of the grid. The offsets are zero at first.
    """

    def __init__(self, dim: int, out_dim: int, *, kernel: str = "math") -> None:
        super().__init__()
        self.dim = dim
        self.out_dim = out_dim
        self.kernel = kernel
        self.offset = nn.Conv2d(dim, 2 * _TAPS, _SIDE, stride=_SIDE)
        self.conv = nn.Conv2d(dim, out_dim, _SIDE, stride=_SIDE)
        self.norm = nn.BatchNorm2d(out_dim, eps=1e-5)
        nn.init.zeros_(self.offset.weight)
        assert self.offset.bias is not None
        nn.init.zeros_(self.offset.bias)

    def merge(self, x: Tensor, size: Size) -> Tensor:
        """The map of half the sides; H and W as numbers where shapes may be traced."""
        height, width = self.grid(size)
        offset = self.offset(x)  # B, (tap, down or right), H / 2, W / 2
        if self.kernel == "math":
            taps = sample_taps(x, offset, size)  # B, dim × 4, N / 4
            x = (self.conv.weight.flatten(1) @ taps).reshape(-1, self.out_dim, height, width)
            assert self.conv.bias is not None
            x = x + self.conv.bias[:, None, None]
        else:
            deform_conv2d: Any = importlib.import_module("torchvision.ops").deform_conv2d
            x = deform_conv2d(x.contiguous(), offset, self.conv.weight, self.conv.bias, stride=_SIDE)
        return F.gelu(self.norm(x))

    def grid(self, size: Size) -> Size:
        """Height and width of the merged map; raises ValueError for a grid smaller than 2 × 2."""
        if min(size) < _SIDE:
            raise ValueError(f"a {size[0]} × {size[1]} grid has no 2 × 2 tokens to merge")
        return size[0] // _SIDE, size[1] // _SIDE


class DeformableTokenMerging(DeformableMerging):
    """DTM: merge (B, N, dim) tokens of an H × W grid into (B, N / 4, out_dim), as `DeformableMerging` says.

    MACs: 4MC(8 + D): offsets and convolution, M = N / 4, D = out_dim. Interpolation is not counted.

    Args:
        dim: channels of input and output.
        out_dim: 2 × dim by default.
        kernel: "math" samples by `grid_sample`; "torchvision", where installed, is its fused operator.

    Raises:
        ValueError: the kernel is unknown or not installed; in `forward`, the grid is smaller than 2 × 2.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = (
        ("math", "torchvision") if importlib.util.find_spec("torchvision") else ("math",)
    )

    def __init__(self, dim: int, *, out_dim: int | None = None, kernel: str = "math") -> None:
        check_kernel(kernel, self.kernels, "dtm")
        super().__init__(dim, 2 * dim if out_dim is None else out_dim, kernel=kernel)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return as_tokens(self.merge(as_map(x, size), size))


def sample_taps(x: Tensor, offset: Tensor, size: Size) -> Tensor:
    """Sample a map at the taps of a deformable 2 × 2 convolution of stride 2, bilinear, zeros outside.

    Args:
        x: (B, C, H, W).
        offset: (B, 8, H / 2, W / 2); channel 2t moves tap t = 2i + j down, 2t + 1 moves it right.
        size: H and W, as numbers where shapes may be traced.

    Returns:
        (B, C × 4, places), taps innermost.
    """
    batch, channels = x.shape[:2]
    height, width = size[0] // _SIDE, size[1] // _SIDE
    exact = torch.promote_types(x.dtype, torch.float32)  # bf16 could not tell one position from the next
    # grid_sample wants positions scaled to the map, and scales them back. On a map whose sides are powers of
    # 2 that is exact, so that a tap that is not moved is not interpolated, and has the derivative it should.
    side_y, side_x = (1 << (side - 1).bit_length() for side in size)
    padded = F.pad(x.to(exact), (0, side_x - size[1], 0, side_y - size[0]))
    place = offset.to(exact).reshape(batch, _SIDE, _SIDE, 2, height, width)
    rows = torch.arange(height * _SIDE, device=x.device).reshape(1, height, _SIDE).permute(0, 2, 1)
    columns = torch.arange(width * _SIDE, device=x.device).reshape(1, width, _SIDE).permute(0, 2, 1)
    y = place[:, :, :, 0] + rows[:, :, None, :, None]  # B, i, j, H / 2, W / 2
    x_ = place[:, :, :, 1] + columns[:, None, :, None, :]
    where = torch.stack(((2 * x_ + 1) / side_x - 1, (2 * y + 1) / side_y - 1), dim=-1)
    where = where.reshape(batch, _TAPS * height, width, 2)
    taps = F.grid_sample(padded, where, mode="bilinear", padding_mode="zeros", align_corners=False)
    return taps.to(x.dtype).reshape(batch, channels * _TAPS, height * width)


PORTS = {
    "relpos_msa": Port(
        mixer="relpos_msa",
        arguments=arguments(
            *SHARED_ARGUMENTS,
            renamed={"input_resolution": "grid"},
            defaults={"qkv_bias": False},
            only={"qk_scale": None},
        ),
        state=renamed(drop=(r"relative_position_index",)),
    ),
    "dtm": Port(
        mixer="dtm",
        arguments=arguments("dim", ignored=("input_resolution",)),
        state=renamed(
            (r"dconv\.conv_offset\.", "offset."), (r"dconv\.", "conv."), (r"norm_layer\.", "norm.")
        ),
    ),
}
