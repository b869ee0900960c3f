"""Names of timm's networks and of their pretrained weights, as its sources list them; imports nothing.

timm registers each network with a decorator, and the weights of a network as "network.tag".
"""

from __future__ import annotations

import difflib
import functools
import importlib.machinery
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_NETWORK = re.compile(r"^@register_model\s*\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
_KEY = re.compile(r"""^\s*['"](\w+)(?:\.([\w.-]+))?\*?['"]\s*:""", re.MULTILINE)
_RENAMED = re.compile(r"register_model_deprecations\(\s*__name__")
_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Names:
    """What an installed timm has.

    Attributes:
        networks: those with an old name, which timm still takes, included.
        tagged: "network.tag" of all weights, but for networks whose tags are computed.
    """

    networks: frozenset[str]
    tagged: frozenset[str]

    def nearest(self, name: str) -> tuple[str, ...] | None:
        """None if there is such a network, else the names that are most like `name`."""
        network, dot, _ = name.partition(".")
        if network not in self.networks:  # its weights, of which one network has many, are not compared
            return tuple(difflib.get_close_matches(name, sorted(self.networks), n=_NEAREST))
        tags = [tagged for tagged in self.tagged if tagged.startswith(f"{network}.")]
        if not dot or name in tags or not tags:
            return None
        return tuple(difflib.get_close_matches(name, sorted(tags), n=_NEAREST, cutoff=0.0))


@functools.cache
def timm_names(search: Sequence[str]) -> Names | None:
    """The names of the timm that is found in these folders; None if there is none, or none that can be read.

    Args:
        search: folders to look in, as `sys.path`.
    """
    spec = importlib.machinery.PathFinder.find_spec("timm", list(search))
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    try:
        texts = [file.read_text(encoding="utf-8") for file in sorted(root.glob("models/**/*.py"))]
    except (OSError, UnicodeDecodeError):
        return None
    networks = {name for text in texts for name in _NETWORK.findall(text)}
    keys = [match for text in texts for match in _KEY.findall(text)]
    tagged = frozenset(f"{name}.{tag}" for name, tag in keys if tag and name in networks)
    renamed = {name for text in texts for name, _ in _KEY.findall("".join(_RENAMED.split(text)[1:]))}
    return Names(frozenset(networks | renamed), tagged) if networks else None
