"""Position encoding of Twins (PEG): a depth-wise convolution over the tokens' grid.

Papers: Chu et al., "Conditional Positional Encodings for Vision Transformers", ICLR 2023, arXiv:2102.10882;
    "Twins", NeurIPS 2021, arXiv:2104.13840, which applies it once a stage, after the first block.
Reference: Meituan-AutoML/Twins @ c1ff671, gvt.py, PosCNN.
Names: kernel_size is CPVT's k; stride, the authors' s.
"""

from __future__ import annotations

from typing import Any

from benchsuite.mixers._layers import ConvolutionalPosition
from benchsuite.mixers._port import Arguments, Port, arguments, renamed


class PositionEncodingGenerator(ConvolutionalPosition):
    """Add to (B, N, dim) tokens of an H × W grid a depth-wise convolution of them.

    With stride above 1, the convolution alone, of ⌈H / stride⌉ × ⌈W / stride⌉ tokens.

    Args:
        dim: channels of input and output.
        kernel_size: side of the convolution's kernel, odd.
        stride: of the convolution; with one there is no residual.

    Raises:
        ValueError: kernel_size is not odd and positive, or stride is not positive.
    """


_read = arguments(renamed={"in_chans": "dim", "embed_dim": "out_dim", "s": "stride"})


def _arguments(authors: Arguments) -> dict[str, Any]:
    ours = _read({"embed_dim": 768, **authors})
    if ours.setdefault("dim", 768) != ours.pop("out_dim"):
        raise ValueError(f"in_chans {ours['dim']} is not embed_dim {authors.get('embed_dim', 768)}")
    return ours


PORTS = {"twins_peg": Port(mixer="twins_peg", arguments=_arguments, state=renamed((r"proj\.0\.", "proj.")))}
