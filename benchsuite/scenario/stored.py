"""The cells that a stored scenario asks for: what a run folder says of what is still to be measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchsuite.errors import BenchsuiteError
from benchsuite.results.record import Cell


def stored_cells(document: Mapping[str, Any]) -> tuple[Cell, ...] | None:
    """The cells of a run, from its stored scenario, filter and shard; None if this version cannot tell."""
    from benchsuite.scenario.expand import expand
    from benchsuite.scenario.model import Scenario
    from benchsuite.scenario.select import parse
    from benchsuite.scenario.shards import Shard, only

    settings = document.get("run", {})
    plain = {key: value for key, value in document.items() if key != "run"}
    try:
        cells = expand(Scenario.from_dict(plain), device=str(settings.get("device", "cpu")))
        selection = parse(str(settings.get("filter", "")))
        cells = tuple(cell for cell in cells if selection.matches(cell))
        return only(Shard.from_dict(settings["shard"]), cells, ())[0] if "shard" in settings else cells
    except (BenchsuiteError, KeyError, ValueError):
        return None
