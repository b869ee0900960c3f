"""Kind of work that an operator or a kernel does, told from its name.

A GPU's kernels bear long names that change from one library version to the next, and a step of a network
calls some thirty operators; a dozen kinds of work are what a reader can compare.
"""

from __future__ import annotations

import re

OTHER = "other"

_KINDS: tuple[tuple[str, str], ...] = (
    ("compiled code", r"^triton_|cpp_fused|compiledfxgraph|torch-compiled"),
    ("autograd", r"autograd::|backward\d$"),
    ("fused attention", r"scaled_dot_product|flash|fmha|mem_eff|sdpa|flex_attention"),
    ("softmax", r"softmax"),
    (
        "norms",
        r"(layer|batch|group|instance|rms)_?norm|bn_(fw|bw)|rowwisemoments|gammabeta|cucomputegradinput",
    ),
    (
        "convolutions",
        r"conv(?!ert)|winograd|implicit_gemm|fprop|dgrad|wgrad|depthwise",
    ),
    (
        "matrix products",
        r"gemm|gemv|nvjet|splitk|^(_?addmm|mm|bmm|baddbmm|addbmm|matmul|linear|mkldnn_linear|dot|v?dot|mv|addmv"
        r"|einsum)(_|$)|_addmm|cutlass.*tensorop",
    ),
    ("Fourier transforms", r"fft"),
    ("sorting", r"top_?k|sort|radix"),
    ("indexing", r"index|gather|scatter|embedding|take|masked_select|nonzero"),
    ("resampling", r"grid_sampl|upsample|interpolate"),
    ("pooling and sums", r"pool|reduce|^(sum|mean|amax|amin|max|min|var|std|prod|cumsum|norm)(_|$)"),
    (
        "copies",
        r"copy|^(clone|contiguous|cat|stack|fill|zero|ones|empty|pad|constant_pad_nd|repeat|tile|to)(_|$)"
        r"|(?<!un)roll|catarray|memcpy|memset|nchwtonhwc|nhwctonchw|fillfunctor|reflection_pad"
        r"|replication_pad|im2col|col2im",
    ),
    (
        "views",
        r"^(_?unsafe_view|_reshape_alias|view|view_as|reshape|as_strided|expand|expand_as|permute|t|transpose|unbind"
        r"|flatten|unflatten|select|slice|narrow|squeeze|unsqueeze|chunk|split|split_with_sizes|alias|detach"
        r"|resolve_conj|resolve_neg|movedim|swapaxes|unfold|view_as_real|view_as_complex)(_|$)",
    ),
    ("optimizer", r"adam|multi_tensor_apply|_foreach|lerp|addcmul|addcdiv"),
    (
        "elementwise",
        r"elementwise|^(add|sub|rsub|mul|div|neg|exp|log|sqrt|rsqrt|pow|relu|gelu|silu|hardswish|sigmoid|tanh|elu"
        r"|softplus|where|clamp|clamp_min|abs|reciprocal|maximum|minimum|masked_fill|dropout|native_dropout"
        r"|threshold|hardtanh|leaky_relu|erf|sign|sin|cos|bernoulli|eq|ne|lt|le|gt|ge|bitwise_\w+|logical_\w+)"
        r"(_|$)",
    ),
)
"""Kind → what its names look like, in lower case and without "aten::"; the first that fits counts, so a fused
softmax is no elementwise kernel and an implicit GEMM is a convolution."""

_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _KINDS)
_NAMESPACE = re.compile(r"^(aten|prims|quantized|mkldnn|torchvision)::")
KINDS: tuple[str, ...] = (*(kind for kind, _ in _KINDS), OTHER)


def kind_of_work(name: str) -> str:
    """One of `KINDS` for the name of an operator ("aten::addmm") or kernel ("void at::native::…")."""
    short = _NAMESPACE.sub("", name.lower())
    return next((kind for kind, pattern in _PATTERNS if pattern.search(short)), OTHER)
