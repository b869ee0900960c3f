"""Where a mixer stands in the relation graph of local attention, depth-wise convolution and MLPs.

Source: Han et al., "On the Connection between Local Attention and Dynamic Depth-wise Convolution",
ICLR 2022, arXiv:2106.04263: connections are dense, local or of low rank; weights are shared or not, and are
learned as such (static) or predicted from the input (dynamic).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Connectivity = Literal["dense", "local", "sparse", "low rank", "none"]
"""Which tokens a token sees: all; those of a window; a chosen few; all through fewer; none but itself."""
Sharing = Literal["none", "positions", "channels", "heads"]
"""Over what a spatial weight is shared: nothing; all positions; all channels; a head's channels."""
Weights = Literal["static", "dynamic per image", "dynamic per position"]
"""Whether spatial weights are parameters, or are predicted once an image, or for each position of it."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A mixer's place: which tokens it connects, what shares a weight, where the weights come from."""

    connectivity: Connectivity
    sharing: tuple[Sharing, ...]
    weights: Weights
