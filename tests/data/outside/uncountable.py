"""Mixers of kinds that people have reported as not to be counted by one tool or another; all run on a CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Size = tuple[int, int]

torch.library.define("uncountable::twice", "(Tensor x) -> Tensor")
torch.library.define("uncountable::known", "(Tensor x, Tensor w) -> Tensor")


@torch.library.impl("uncountable::twice", "cpu")
def _twice(x: Tensor) -> Tensor:
    return x * 2


@torch.library.impl("uncountable::known", "cpu")
def _known(x: Tensor, w: Tensor) -> Tensor:
    return x @ w


class Linear(nn.Module):
    """A linear layer, and nothing that could not be counted."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.p = nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return self.p(x)


class Inner(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.p = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.p(x).relu()


class Scripted(Linear):
    """To torch's tracer: "Tried to trace <__torch__…> but it is not part of the active trace"."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.p = torch.jit.script(Inner(dim))


@torch.jit.script
def doubled_if_long(x: Tensor) -> Tensor:
    if x.size(1) > 8:
        x = torch.matmul(x, x.transpose(1, 2))
    return x


class ScriptedFunction(Linear):
    def forward(self, x: Tensor, size: Size) -> Tensor:
        return doubled_if_long(self.p(x))


class Compiled(Linear):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.p = torch.compile(self.p)


class CompiledFunction(Linear):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.f = torch.compile(lambda x: x @ x.mT @ x, fullgraph=True)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return self.f(self.p(x))


class TracedSubmodule(Linear):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        with torch.device("cpu"):
            self.p = torch.jit.trace(nn.Linear(dim, dim), torch.zeros(1, 64, dim))


class Recurrent(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.r = nn.GRU(dim, dim, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return self.r(x)[0]


class Numpy(Linear):
    def forward(self, x: Tensor, size: Size) -> Tensor:
        return self.p(torch.from_numpy(2 * x.detach().numpy()))


class WeightNorm(Linear):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.p = nn.utils.parametrizations.weight_norm(self.p)


class Checkpointed(Linear):
    """Re-entrant, which is a `torch.autograd.Function`."""

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return checkpoint(self.p, x, use_reentrant=True)


class _Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x @ x.transpose(-2, -1) @ x


class OwnFunction(Linear):
    def forward(self, x: Tensor, size: Size) -> Tensor:
        return _Square.apply(self.p(x))


class OwnOperator(Linear):
    """An operator without a fake implementation, of which nobody knows what it holds."""

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return torch.ops.uncountable.twice(self.p(x))


class OwnOperatorWithRule(Linear):
    """The same with a rule, see `rules.py`."""

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return torch.ops.uncountable.known(x, self.p.weight)


class Flex(nn.Module):
    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.h, self.qkv = num_heads, nn.Linear(dim, 3 * dim)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        from torch.nn.attention.flex_attention import flex_attention

        q, k, v = self.qkv(x).unflatten(-1, (3, self.h, -1)).permute(2, 0, 3, 1, 4)
        return flex_attention(q, k, v).transpose(1, 2).flatten(2)


class Linspace(nn.Module):
    """Drop path rates as released code has them: not to be had on "meta"."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        rates = torch.linspace(0, 0.1, 2)
        self.ps = nn.ModuleList(nn.Sequential(nn.Linear(dim, dim), nn.Dropout(r.item())) for r in rates)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        for p in self.ps:
            x = p(x)
        return x


class NoDevice(Linear):
    def forward(self, x: Tensor, size: Size) -> Tensor:
        return self.p(x + torch.arange(x.shape[1], dtype=x.dtype)[None, :, None])


class Branch(Linear):
    def forward(self, x: Tensor, size: Size) -> Tensor:
        return self.p(x / 2 if x.abs().max().item() > 1e9 else x)


class Mask(Linear):
    """Its work depends on its input: a linear layer on the tokens that are not negative, here on all."""

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return self.p(x[x[..., 0] > -1e9])


class EinsumEllipsis(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        return torch.einsum("...nm,...md->...nd", torch.einsum("...nd,...md->...nm", q, k).softmax(-1), v)


class EinsumImplicit(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(dim, dim))

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return torch.einsum("bnd,de", x, self.w)


class MultiQuery(nn.Module):
    """One key and value for all heads: an axis of size 1 in one factor of an einsum."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.h, self.d = num_heads, dim // num_heads
        self.q, self.kv = nn.Linear(dim, dim, bias=False), nn.Linear(dim, 2 * self.d, bias=False)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        q = self.q(x).unflatten(-1, (self.h, self.d)).transpose(1, 2)
        k, v = self.kv(x).unsqueeze(1).chunk(2, -1)
        a = torch.einsum("bhnd,bhmd->bhnm", q, k).softmax(-1)
        return torch.einsum("bhnm,bhmd->bhnd", a, v).transpose(1, 2).flatten(2)


class Dot(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return torch.stack([torch.dot(t, self.w) for t in x.flatten(0, 1)]).unflatten(0, x.shape[:2])


class Parts(Linear):
    """Harmless operators around a linear layer, of which none holds multiply–adds of its own."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.norm, self.table, self.slope = nn.RMSNorm(dim), nn.Embedding(64, dim), nn.PReLU()

    def forward(self, x: Tensor, size: Size) -> Tensor:
        x = self.p(self.norm(x)) + self.table(torch.arange(64, device=x.device))
        x = x * torch.std_mean(x, -1, keepdim=True)[0] + torch.linspace(0, 1, x.shape[-1], device=x.device)
        return F.glu(F.mish(self.slope(x)))


class Refuses(Linear):
    """A refusal of its own, on whatever tensors."""

    def forward(self, x: Tensor, size: Size) -> Tensor:
        raise ValueError("the 8 × 8 grid is too fine")


class OnlyElsewhere(Linear):
    """Runs on no tensors that a count could use, but would on its own device."""

    def forward(self, x: Tensor, size: Size) -> Tensor:
        if torch.utils._python_dispatch._get_current_dispatch_mode() is not None or x.is_meta:
            raise RuntimeError("not while anybody watches")
        return self.p(x)


class Heavy(Linear):
    """Wants more memory than a count on real tensors may take; on "meta" it cannot be built."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        torch.zeros(1).item() if self.p.weight.is_meta else None
        self.table = torch.empty(3 << 30, dtype=torch.uint8) if not self.p.weight.is_meta else None

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return self.p(x)


class TwoHeads(Linear):
    """Returns two tensors, of which the second is the costly one."""

    def forward(self, x: Tensor, size: Size) -> dict[str, Tensor]:  # type: ignore[override]
        return {"out": x + 1, "aux": self.p(x)}
