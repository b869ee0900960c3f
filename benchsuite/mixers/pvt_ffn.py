"""The feed-forward network of PVT v2, with a depth-wise convolution between its layers.

Paper: Wang et al., "PVT v2", CVMJ 2022, arXiv:2106.13797.
Reference: whai362/PVT @ 57e2dfa, classification/pvt_v2.py, Mlp.
Names: hidden_dim is the authors' hidden_features; linear, that the network is of the variant with linear SRA.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers._layers import ConvFFN, conv_ffn_arguments, conv_ffn_state
from benchsuite.mixers._port import Port


class PVTFeedForward(ConvFFN):
    """fc1, 3 × 3 depth-wise convolution, GELU, fc2: (B, N, dim) tokens of an H × W grid → (B, N, out_dim).

    Args:
        dim: channels of input and output.
        hidden_dim: channels between the layers, 4 × dim by default.
        out_dim: channels of the output, dim by default.
        linear: put a ReLU between fc1 and the convolution, as the variant with linear SRA does.
        drop: dropout in the feed-forward network.
    """

    def __init__(
        self,
        dim: int,
        *,
        hidden_dim: int | None = None,
        out_dim: int | None = None,
        linear: bool = False,
        drop: float = 0.0,
    ) -> None:
        super().__init__(dim, hidden_dim=hidden_dim, out_dim=out_dim, drop=drop)
        self.linear = linear

    def _before_conv(self, x: Tensor) -> Tensor:
        return F.relu(x) if self.linear else x


PORTS = {"pvtv2_mlp": Port(mixer="pvtv2_mlp", arguments=conv_ffn_arguments("linear"), state=conv_ffn_state)}
