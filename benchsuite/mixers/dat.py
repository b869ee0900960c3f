"""Deformable attention: keys and values are sampled where offsets, predicted from the queries, point to.

Papers: Xia et al., "Vision Transformer with Deformable Attention", CVPR 2022, arXiv:2201.00520; "DAT++",
    2023, arXiv:2309.01430.
Reference: LeapLabTHU/DAT @ 32173fc, models/dat_blocks.py, DAttentionBaseline; early=True is
    HubHop/vit-attention-benchmark @ 1283a49, attentions/dat.py, an earlier revision.
Differs: returns the map alone, not the sampled positions; early=True takes and returns maps, where that
    revision takes tokens and returns a map.
Names: kernel_size is the authors' ksize; position, their use_pe, dwc_pe, fixed_pe and log_cpb; offsets=False,
    their no_off; offset_range_factor, the paper's s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, as_heads, attend_maps
from benchsuite.mixers._checks import check_kernel, check_one_of, head_dim_of
from benchsuite.mixers._grid import as_map
from benchsuite.mixers._layers import ChannelNorm, dropout
from benchsuite.mixers._port import Port, arguments, renamed

Size = tuple[int, int]

POSITIONS = ("rpe", "log_cpb", "fixed", "dwc", "none")

_EPS = 1e-5


class DeformableAttention(nn.Module):
    """Mix a (B, dim, H, W) map into one of the same shape.

    Samples outside of the map are zero.

    MACs: 2NC² + 2MC² + 2NMC, offsets M(k² + 2)C, and the position's: 9NC "dwc", NM(64g + 32h) "log_cpb".

        M samples, g groups, h heads, k the side of the offsets' kernel. Sampling is not counted.

    Args:
        dim, num_heads, attn_drop, proj_drop, kernel: as for `MSA`.
        grid: height and width of the map; free for position "log_cpb", "dwc" and "none".
        num_groups: groups of heads with offsets of their own.
        stride: rows and columns of the map for one of samples.
        kernel_size: of the convolution that predicts offsets; not padded where it equals the stride.
        offset_range_factor: offsets are at most so many steps of the sampling grid; below 0 they are free and
            the positions are clamped to the map.
        position: what tells positions apart. "rpe", a table that is read between its entries; "log_cpb", an
            MLP on log-spaced displacements; "fixed", a bias for each pair of query and sample; "dwc", a
            depth-wise convolution of the queries that is added to the output; "none".
        offsets: False averages squares of `stride` instead of sampling, without position; the layers that
            predict offsets stay, frozen and unused, so that weights load.
        early: the earlier revision: positions are divided by the sides of the map (true centres), not by
            sides − 1; free positions pass through tanh, and a factor of 0 leaves them as they are; the
            convolution is always padded.

    Raises:
        ValueError: num_heads does not divide dim, num_groups does not divide num_heads, stride or kernel_size
            is not positive, position or the kernel is unknown, or `early` comes with an option that the
            revision does not have; in `forward`, the map is not of size `grid` or is too small.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("sparse", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        grid: Size = (14, 14),
        num_groups: int = 2,
        stride: int = 1,
        kernel_size: int = 5,
        offset_range_factor: float = 2.0,
        position: str = "rpe",
        offsets: bool = True,
        early: bool = False,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        head_dim_of(dim, num_heads)
        if num_groups < 1 or num_heads % num_groups:
            raise ValueError(f"num_groups {num_groups} does not divide num_heads {num_heads}")
        if stride < 1 or kernel_size < 1:
            raise ValueError(f"stride {stride} and kernel_size {kernel_size} must be positive")
        check_one_of("position", position, POSITIONS)
        if early and (position in {"fixed", "log_cpb"} or not offsets):
            raise ValueError('early has neither position "fixed" or "log_cpb" nor offsets=False')
        self.dim = dim
        self.num_heads = num_heads
        self.grid = grid
        self.num_groups = num_groups
        self.stride = stride
        self.kernel_size = kernel_size
        self.padding = 0 if kernel_size == stride and not early else kernel_size // 2
        self.offset_range_factor = offset_range_factor
        self.position = position if offsets else "none"
        self.offsets = offsets
        self.early = early
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "dat")
        width = dim // num_groups
        self.conv_offset = nn.Sequential(
            nn.Conv2d(width, width, kernel_size, stride, self.padding, groups=width),
            ChannelNorm(width, eps=_EPS),
            nn.GELU(),
            nn.Conv2d(width, 2, 1, bias=False),
        )
        self.conv_offset.requires_grad_(offsets)
        self.proj_q, self.proj_k, self.proj_v, self.proj_out = (nn.Conv2d(dim, dim, 1) for _ in range(4))
        self._make_position()
        self.proj_drop = dropout(proj_drop)
        self._made_for: tuple[object, ...] | None = None
        self._fixed: tuple[Tensor, ...] = ()

    def _make_position(self) -> None:
        """Create the parameters that positions need; the authors name all of them rpe_table."""
        (height, width), heads = self.grid, self.num_heads
        if self.position == "rpe":
            table = torch.empty(heads, 2 * height - 1, 2 * width - 1)
            self.rpe_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.01))
        elif self.position == "fixed":
            samples = (height // self.stride) * (width // self.stride)
            table = torch.empty(heads, height * width, samples)
            self.rpe_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.01))
        elif self.position == "log_cpb":
            out = nn.Linear(32, heads // self.num_groups, bias=False)
            self.position_mlp = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), out)
        elif self.position == "dwc":
            self.position_conv = nn.Conv2d(self.dim, self.dim, 3, padding=1, groups=self.dim)

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[2], x.shape[3])
        samples = self._samples(size)
        q = self.proj_q(x)
        if self.offsets:
            where = self._positions(q, samples)  # B × groups, h, w, 2
            of_groups = x.reshape(where.shape[0], -1, *size)
            sampled = _sample(of_groups, where.flip(-1)).reshape(x.shape[0], self.dim, *samples)
            bias = self._bias(where, x.shape[0], size)
        else:
            sampled, bias = F.avg_pool2d(x, self.stride), None
        heads = (as_heads(t, self.num_heads) for t in (q, self.proj_k(sampled), self.proj_v(sampled)))
        dropout = self.attn_drop if self.training else 0.0
        out = attend_maps(*heads, kernel=self.kernel, bias=bias, dropout=dropout).reshape(q.shape)
        if self.position == "dwc":
            out = out + self.position_conv(q)
        mixed: Tensor = self.proj_drop(self.proj_out(out))
        return mixed

    def _positions(self, q: Tensor, samples: Size) -> Tensor:
        """(B × groups, h, w, 2): row and column of each sample, −1 and 1 the centres of the outer pixels."""
        reference, _, step = self._prepare((q.shape[2], q.shape[3]), samples, q)
        offset = self.conv_offset(q.reshape(q.shape[0] * self.num_groups, -1, *q.shape[2:]))
        offset = offset.permute(0, 2, 3, 1)
        factor = self.offset_range_factor
        if factor > 0 or (factor == 0 and not self.early):
            offset = offset.tanh() * step * factor
        where: Tensor = offset + reference
        if factor >= 0:
            return where
        return where.tanh() if self.early else where.clamp(-1.0, 1.0)

    def _bias(self, where: Tensor, batch: int, size: Size) -> Tensor | None:
        """Position bias of the logits: (B or 1, heads, N, samples), or None."""
        if self.position == "fixed":
            return self.rpe_table[None]
        if self.position not in {"rpe", "log_cpb"}:
            return None
        _, queries, _ = self._prepare(size, (where.shape[1], where.shape[2]), where)
        if self.position == "rpe":  # what is sampled is told columns first: here while it is small
            queries, where = queries.flip(-1), where.flip(-1)
        # B × groups, N, samples, 2
        apart = queries.reshape(1, -1, 1, 2) - where.reshape(where.shape[0], 1, -1, 2)
        if self.position == "log_cpb":
            apart = apart * 4.0
            spaced = apart.sign() * (apart.abs() + 1.0).log() / math.log(8.0)
            bias: Tensor = self.position_mlp(spaced).permute(
                0, 3, 1, 2
            )  # B × groups, heads of a group, N, samples
        else:
            of_groups = self.rpe_table.view(self.num_groups, -1, *self.rpe_table.shape[1:])
            tables = of_groups.expand(batch, -1, -1, -1, -1).flatten(0, 1)
            bias = _sample(tables, apart.mul_(0.5))
        return bias.reshape(batch, self.num_heads, *bias.shape[2:])

    def _prepare(self, size: Size, samples: Size, like: Tensor) -> tuple[Tensor, ...]:
        """Positions of samples without offsets, positions of queries, and one step of the sampling grid.

        Made once for a size, device and dtype. They are plain attributes and not buffers, so that a module
        from "meta" makes them where it runs.
        """
        made_for = (size, samples, like.device, like.dtype)
        if made_for != self._made_for:
            # The authors divide the centres of pixels by the number of gaps between them, which shifts them.
            less = 0 if self.early else 1
            with torch.inference_mode(False):  # what inference mode makes, a later backward pass may not save
                reference = _grid_of(samples, 0.5, less, like)
                queries = _grid_of(size, 0.5 if self.early else 0.0, less, like)
                steps = [1 / (side - less) for side in samples]
                step = torch.tensor(steps, device=like.device, dtype=like.dtype)
            self._fixed = (reference, queries, step)
            self._made_for = made_for
        return self._fixed

    def _samples(self, size: Size) -> Size:
        """Height and width of the sampling grid."""
        if self.position in {"rpe", "fixed"} and size != tuple(self.grid):
            (height, width), (rows, columns) = size, self.grid
            raise ValueError(f"the map is {height} × {width}, this module is made for {rows} × {columns}")
        if not self.offsets:
            height, width = size[0] // self.stride, size[1] // self.stride
        else:
            height, width = ((side + 2 * self.padding - self.kernel_size) // self.stride + 1 for side in size)
        least = 2 if self.offsets and not self.early else 1  # the authors divide by sides − 1
        if min(height, width) < least:
            raise ValueError(
                f"stride {self.stride} and kernel_size {self.kernel_size} leave too few samples of the "
                f"{size[0]} × {size[1]} map"
            )
        if self.position == "fixed" and height * width != self.rpe_table.shape[2]:
            raise ValueError(
                f'position "fixed" is made for {self.rpe_table.shape[2]} samples, not for {height * width}'
            )
        return height, width


def _grid_of(size: Size, first: float, less: int, like: Tensor) -> Tensor:
    """(h, w, 2): `first`, `first` + 1, … of rows and columns, divided by side − `less`, from −1 on."""
    y, x = (
        (torch.arange(side, device=like.device, dtype=like.dtype) + first) / (side - less) * 2 - 1
        for side in size
    )
    return torch.stack((y[:, None].expand(size), x[None, :].expand(size)), dim=-1)


def _sample(maps: Tensor, where: Tensor) -> Tensor:
    """(B, C, H, W) maps between their pixels, at (B, h, w, 2) columns and rows: (B, C, h, w)."""
    return F.grid_sample(maps, where, mode="bilinear", padding_mode="zeros", align_corners=True)


_DAT = arguments(
    "stride attn_drop proj_drop offset_range_factor",
    renamed={"q_size": "grid", "n_heads": "num_heads", "n_groups": "num_groups", "ksize": "kernel_size"},
    ignored=("kv_size", "n_head_channels", "use_pe", "dwc_pe", "fixed_pe", "log_cpb", "no_off", "stage_idx"),
)


def _dat_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """One position for four flags, of which the first that is set decides."""
    ours = _DAT(authors)
    flags = {"dwc_pe": "dwc", "fixed_pe": "fixed", "log_cpb": "log_cpb"}
    position = next((ours_of for flag, ours_of in flags.items() if authors.get(flag)), "rpe")
    return ours | {
        "dim": authors["n_heads"] * authors["n_head_channels"],
        "grid": tuple(ours["grid"]),
        "position": position if authors.get("use_pe", True) else "none",
        "offsets": not authors.get("no_off", False),
    }


def _hubhop_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    """The kernel depends on the stage of the network here."""
    defaults = {"num_groups": 3, "kernel_size": (9, 7, 5, 3)[authors.get("stage_idx", 2)], "early": True}
    return defaults | _dat_arguments(authors)


def _run_hubhop(module: nn.Module, x: Tensor, size: Size) -> Tensor:
    """The authors' takes tokens and returns a map."""
    out: Tensor = module(as_map(x, size))
    return out


_dat_state = renamed(
    (r"conv_offset\.1\.norm\.", "conv_offset.1."),
    (r"rpe_table\.(?=\d)", "position_mlp."),
    (r"rpe_table\.", "position_conv."),
)

PORTS = {
    "dat": Port(mixer="dat", arguments=_dat_arguments, state=_dat_state),
    "dat_hubhop": Port(mixer="dat", arguments=_hubhop_arguments, state=_dat_state, run=_run_hubhop),
}
