"""Parameters and multiply–adds of whole networks, worked by hand from the papers' tables.

Nothing here comes from the code under test: a network is a sum of layers, and a layer is known by its sizes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Count:
    """Parameters, multiply–adds, and those of them that are products of activations (attention)."""

    params: int = 0
    macs: int = 0
    attention: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.params + other.params, self.macs + other.macs, self.attention + other.attention)

    def __mul__(self, times: int) -> Count:
        return Count(self.params * times, self.macs * times, self.attention * times)


def conv(n: int, i: int, o: int, k: int = 1, *, groups: int = 1, bias: bool = True) -> Count:
    """K × k convolution of i channels to o, at n positions; k = 1 is a linear layer."""
    return Count(k * k * i // groups * o + o * bias, n * k * k * i // groups * o)


def norm(c: int) -> Count:
    return Count(2 * c)


def attend(n: int, keys: int, c: int) -> Count:
    """Queries by keys and weights by values."""
    return Count(0, 2 * n * keys * c, 2 * n * keys * c)


def mlp(n: int, c: int, r: int, *, kernel: int = 0) -> Count:
    hidden = conv(n, r * c, r * c, kernel, groups=r * c) if kernel else Count()
    return conv(n, c, r * c) + hidden + conv(n, r * c, c)


def msa(n: int, c: int, *, keys: int | None = None, bias_rows: int = 0, heads: int = 0) -> Count:
    """Self-attention, each token to `keys`, with a table of biases for each head."""
    projections = conv(n, c, 3 * c) + conv(n, c, c)
    return projections + attend(n, n if keys is None else keys, c) + Count(bias_rows * heads)


def sra(n: int, c: int, r: int) -> Count:
    m = n // r**2
    reduction = conv(m, c, c, r) + norm(c) if r > 1 else Count()
    return reduction + conv(n, c, c) + conv(m, c, 2 * c) + conv(n, c, c) + attend(n, m, c)


def linear_sra(n: int, c: int) -> Count:
    return conv(49, c, c) + norm(c) + conv(n, c, c) + conv(49, c, 2 * c) + conv(n, c, c) + attend(n, 49, c)


def hilo(n: int, c: int, heads: int, alpha: float, window: int) -> Count:
    lo = int(heads * alpha) * c // heads
    hi, m = c - lo, n // window**2
    high = conv(n, c, 3 * hi) + attend(n, window**2, hi) + conv(n, hi, hi) if hi else Count()
    low = conv(n, c, lo) + conv(m, c, 2 * lo) + attend(n, m, lo) + conv(n, lo, lo) if lo else Count()
    return high + low


def channel(n: int, c: int, width: int) -> Count:
    return conv(n, c, 3 * c) + conv(n, c, c) + attend(n, width, c)


def dw_block(n: int, c: int, kind: str) -> Count:
    around = (conv(n, c, c, bias=False) + norm(c)) * 2 + norm(c)
    hidden = c // 4
    if kind == "static":
        return around + conv(n, c, c, 7, groups=c)
    if kind == "dynamic":
        kernels = conv(1, c, hidden, bias=False) + norm(hidden) + conv(1, hidden, 49 * c)
        return around + kernels + Count(c, 49 * n * c)
    kernels = conv(n, c, hidden) + norm(hidden) + conv(n, hidden, 49 * 32)
    return around + kernels + Count(0, 49 * n * c)


@dataclass(frozen=True)
class Table:
    """A column of a paper's table of networks, for images of `image` × `image`."""

    dims: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...] = (1, 2, 5, 8)
    ratios: tuple[int, ...] = (4, 4, 4, 4)
    image: int = 224

    def tokens(self, stage: int) -> int:
        return (self.image // 4 // 2**stage) ** 2


def head(c: int) -> Count:
    return norm(c) + conv(1, c, 1000)


def patches(n: int, i: int, o: int, k: int) -> Count:
    return conv(n, i, o, k) + norm(o)


def merging(n: int, i: int, o: int) -> Count:
    """Swin's."""
    return norm(4 * i) + conv(n, 4 * i, o, bias=False)


def deformable(n: int, i: int, o: int) -> Count:
    return conv(n, i, 8, 2) + conv(n, i, o, 2) + norm(o)


def swin(t: Table) -> Count:
    total = patches(t.tokens(0), 3, t.dims[0], 4) + head(t.dims[-1])
    for i, (c, depth, heads) in enumerate(zip(t.dims, t.depths, t.heads, strict=True)):
        n = t.tokens(i)
        total += (norm(c) * 2 + msa(n, c, keys=49, bias_rows=169, heads=heads) + mlp(n, c, 4)) * depth
        total += merging(n, t.dims[i - 1], c) if i else Count()
    return total


def dwnet(t: Table, kind: str) -> Count:
    total = patches(t.tokens(0), 3, t.dims[0], 4) + head(t.dims[-1])
    for i, (c, depth) in enumerate(zip(t.dims, t.depths, strict=True)):
        n = t.tokens(i)
        total += (norm(c) + dw_block(n, c, kind) + mlp(n, c, 4)) * depth
        total += merging(n, t.dims[i - 1], c) if i else Count()
    return total


def lit(t: Table, *, kernel: int = 0) -> Count:
    """LIT-S, M and B; kernel 3 puts a convolution in the feed-forward networks."""
    total = patches(t.tokens(0), 3, t.dims[0], 4) + head(t.dims[-1])
    for i, (c, depth, heads) in enumerate(zip(t.dims, t.depths, t.heads, strict=True)):
        n = t.tokens(i)
        attention = (
            norm(c) + msa(n, c, bias_rows=(2 * int(n**0.5) - 1) ** 2, heads=heads) if i > 1 else Count()
        )
        total += (attention + norm(c) + mlp(n, c, 4, kernel=kernel)) * depth
        total += deformable(n, t.dims[i - 1], c) if i else Count()
    return total


def lit_ti(t: Table) -> Count:
    total = patches(t.tokens(0), 3, t.dims[0], 4) + head(t.dims[-1]) + Count(t.dims[-1])
    for i, (c, depth, ratio) in enumerate(zip(t.dims, t.depths, t.ratios, strict=True)):
        n = t.tokens(i)
        total += deformable(n, t.dims[i - 1], c) if i else Count()
        n += i == 3  # the class token
        attention = norm(c) + msa(n, c) if i > 1 else Count()
        total += (attention + norm(c) + mlp(n, c, ratio)) * depth + Count(n * c)
    return total


def litv2(t: Table, *, alpha: float = 0.9) -> Count:
    total = patches(t.tokens(0), 3, t.dims[0], 4) + head(t.dims[-1])
    for i, (c, depth, heads) in enumerate(zip(t.dims, t.depths, t.heads, strict=True)):
        n = t.tokens(i)
        mixer = (Count(), Count(), hilo(n, c, heads, alpha, 2), hilo(n, c, heads, 1, 1))[i]
        total += (mixer + norm(c) * (2 if i > 1 else 1) + mlp(n, c, 4, kernel=3)) * depth
        total += deformable(n, t.dims[i - 1], c) if i else Count()
    return total


def pvt(t: Table) -> Count:
    total = head(t.dims[-1]) + Count(t.dims[-1])
    for i, (c, depth, ratio) in enumerate(zip(t.dims, t.depths, t.ratios, strict=True)):
        n = t.tokens(i)
        total += patches(n, t.dims[i - 1] if i else 3, c, 2 if i else 4)
        n += i == 3  # the class token
        total += (norm(c) * 2 + sra(n, c, 8 >> i) + mlp(n, c, ratio)) * depth + Count(n * c)
    return total


def pvtv2(t: Table, *, linear: bool = False) -> Count:
    total = conv(1, t.dims[-1], 1000)
    for i, (c, depth, ratio) in enumerate(zip(t.dims, t.depths, t.ratios, strict=True)):
        n = t.tokens(i)
        mixer = linear_sra(n, c) if linear else sra(n, c, 8 >> i)
        total += patches(n, t.dims[i - 1] if i else 3, c, 3 if i else 7) + norm(c)
        total += (norm(c) * 2 + mixer + mlp(n, c, ratio, kernel=3)) * depth
    return total


def twins(t: Table, *, windows: bool) -> Count:
    total = head(t.dims[-1])
    for i, (c, depth, ratio) in enumerate(zip(t.dims, t.depths, t.ratios, strict=True)):
        n = t.tokens(i)
        local = (depth + 1) // 2 if windows else 0
        total += patches(n, t.dims[i - 1] if i else 3, c, 2 if i else 4) + conv(n, c, c, 3, groups=c)
        total += msa(n, c, keys=49) * local + sra(n, c, 8 >> i) * (depth - local)
        total += (norm(c) * 2 + mlp(n, c, ratio)) * depth
    return total


def davit(t: Table, *, overlap: bool = False, window: int = 7) -> Count:
    """Depths are of pairs of blocks."""
    total = head(t.dims[-1])
    for i, (c, pairs, heads) in enumerate(zip(t.dims, t.depths, t.heads, strict=True)):
        n, before = t.tokens(i), t.dims[i - 1] if i else 3
        total += conv(n, before, c, (3 if overlap else 2) if i else 7) + norm(before if i else c)
        block = conv(n, c, c, 3, groups=c) * 2 + norm(c) * 2 + mlp(n, c, 4)
        total += (block * 2 + msa(n, c, keys=window**2) + channel(n, c, c // heads)) * pairs
    return total


_SWIN = (3, 6, 12, 24), (4, 8, 16, 32)
_96, _128 = (96, 192, 384, 768), (128, 256, 512, 1024)
_PVT, _8844 = (64, 128, 320, 512), (8, 8, 4, 4)
T = Table(_96, (2, 2, 6, 2), _SWIN[0])
S = Table(_96, (2, 2, 18, 2), _SWIN[0])
B = Table(_128, (2, 2, 18, 2), _SWIN[1])
PVT_T, PVT_S, PVT_M, PVT_L = (
    Table(_PVT, depths, ratios=_8844) for depths in ((2, 2, 2, 2), (3, 4, 6, 3), (3, 4, 18, 3), (3, 8, 27, 3))
)
_DAVIT_H = Table((256, 512, 1024, 2048), (1, 1, 9, 1), (8, 16, 32, 64))
_DAVIT_G = Table((384, 768, 1536, 3072), (1, 1, 12, 3), (12, 24, 48, 96))

NETWORKS = {
    "davit_t": davit(Table(_96, (1, 1, 3, 1), _SWIN[0])),
    "davit_s": davit(Table(_96, (1, 1, 9, 1), _SWIN[0])),
    "davit_b": davit(Table(_128, (1, 1, 9, 1), _SWIN[1])),
    "davit_l": davit(Table((192, 384, 768, 1536), (1, 1, 9, 1), (6, 12, 24, 48))),
    "davit_h": davit(_DAVIT_H),
    "davit_h_overlap": davit(_DAVIT_H, overlap=True),
    "davit_g": davit(_DAVIT_G),
    "davit_g_overlap": davit(_DAVIT_G, overlap=True),
    "dwnet_t": dwnet(T, "static"),
    "dwnet_t_dynamic": dwnet(T, "dynamic"),
    "dwnet_t_idynamic": dwnet(T, "inhomogeneous"),
    "dwnet_b": dwnet(B, "static"),
    "dwnet_b_dynamic": dwnet(B, "dynamic"),
    "dwnet_b_idynamic": dwnet(B, "inhomogeneous"),
    "lit_ti": lit_ti(PVT_S),
    "lit_s": lit(T),
    "lit_s_conv": lit(T, kernel=3),
    "lit_m": lit(S),
    "lit_b": lit(B),
    "litv2_s": litv2(T),
    "litv2_m": litv2(S),
    "litv2_b": litv2(B),
    "pvt_t": pvt(PVT_T),
    "pvt_s": pvt(PVT_S),
    "pvt_m": pvt(PVT_M),
    "pvt_l": pvt(PVT_L),
    "pvtv2_b0": pvtv2(Table((32, 64, 160, 256), (2, 2, 2, 2), ratios=_8844)),
    "pvtv2_b1": pvtv2(PVT_T),
    "pvtv2_b2": pvtv2(PVT_S),
    "pvtv2_b2_linear": pvtv2(PVT_S, linear=True),
    "pvtv2_b3": pvtv2(PVT_M),
    "pvtv2_b4": pvtv2(PVT_L),
    "pvtv2_b5": pvtv2(Table(_PVT, (3, 6, 40, 3))),
    "swin_t": swin(T),
    "swin_s": swin(S),
    "swin_b": swin(B),
    "twins_pcpvt_s": twins(PVT_S, windows=False),
    "twins_pcpvt_b": twins(PVT_M, windows=False),
    "twins_pcpvt_l": twins(PVT_L, windows=False),
    "twins_svt_s": twins(Table((64, 128, 256, 512), (2, 2, 10, 4)), windows=True),
    "twins_svt_b": twins(Table(_96, (2, 2, 18, 2)), windows=True),
    "twins_svt_l": twins(Table(_128, (2, 2, 18, 2)), windows=True),
}
