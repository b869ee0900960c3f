"""How mixers of one's own are called that are put into a network of ours, for the error of one that fails."""

from __future__ import annotations

from torch import nn

from benchsuite.backbones import BACKBONES
from benchsuite.backbones._call import Adapted
from benchsuite.mixers import MIXERS
from benchsuite.results.cell import Call, Cell, Layout
from benchsuite.worker.build import mixer_class
from benchsuite.worker.forward import AXES, CALLS, LAYOUTS


def how_stages_called(cell: Cell, network: nn.Module) -> str:
    """How they are called and how to say otherwise; empty where there are none."""
    if cell.target not in BACKBONES:
        return ""
    told: dict[str, None] = {}
    for stage, choice in (cell.config.get("mixer") or {}).items():
        for one in [choice] if isinstance(choice, str) else choice.get("alternate", [choice]):
            entry = {"name": one} if isinstance(one, str) else one
            if entry["name"] in MIXERS:
                continue
            call, layout = _call_in(network, mixer_class(entry["name"]))
            how = f"in {stage} benchsuite calls {call} of {entry['name']} with x {AXES[layout]}"
            if "call" in entry or "layout" in entry:
                told[f"{how}, as its entry says"] = None
            else:
                words = f"call: {' | '.join(CALLS)}, layout: {' | '.join(LAYOUTS)}"
                told[f"{how}; if that is wrong, say {stage}: {{name: …, …}} with {words}"] = None
    return "; ".join(told)


def _call_in(network: nn.Module, mixer: type[nn.Module]) -> tuple[Call, Layout]:
    """Call and layout of the first mixer of this class."""
    for part in network.modules():
        if isinstance(part, Adapted) and type(part.mixer) is mixer:
            return part.call, part.layout
    layout: Layout = getattr(mixer, "layout", "BNC")
    return ("forward(x, size)" if layout == "BNC" else "forward(x)"), layout
