"""The scenario that one process of a gate runs: the cells that are wanted of it, in short. Pure.

It says nothing that an older benchsuite might not know: no gate, no claims, no report, and of the settings
only what sampling needs. So a side may be of any revision that can run a scenario.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from benchsuite.results.record import SETTINGS, Cell
from benchsuite.scenario.expand import expand, variants
from benchsuite.scenario.model import Scenario

_KEPT = ("name", "title", "subject", "sweep", "include")
_OF_MEASURE = ("warmup_calls", "max_samples", "threads", "timeout_s", "memory_limit")
"""Settings that a process of the gate takes over as they are."""


def side_scenario(
    scenario: Scenario, cells: Sequence[Cell], *, device: str, seed: int, exact: bool
) -> dict[str, Any]:
    """Plain data of a scenario file that measures exactly these cells of `scenario`.

    Args:
        cells: some of what `scenario` expands to; at least one.
        device: what "auto" means.
        seed: of weights, input and the order of the cells; the same for both sides of a pair.
        exact: also count, look at memory and compare outputs with their references; else only time.
    """
    whole = scenario.model_dump(mode="json", exclude_defaults=True)
    found = {key: whole[key] for key in _KEPT if key in whole}
    _prune(found, scenario, {cell.name for cell in cells}, device)
    found["measure"] = _measure(scenario, seed=seed, exact=exact)
    rest = expand(Scenario.from_dict(found), device=device)
    wanted = {cell.id for cell in cells}
    assert wanted <= {cell.id for cell in rest}
    found["exclude"] = [
        {"where": _only(cell, rest), "reason": "not asked for"} for cell in rest if cell.id not in wanted
    ]
    return found


def _prune(found: dict[str, Any], scenario: Scenario, labels: Collection[str], device: str) -> None:
    """Drop mixers or networks without a wanted cell: this side may not know them. "auto" becomes `device`."""
    axis = "backbone" if scenario.subject == "backbone" else "mixer"
    kept = {variant.entry for variant in variants(scenario.sweep) if variant.label in labels}
    entries = [one for position, one in enumerate(found["sweep"][axis]) if position in kept]
    words = {one["name"] for one in entries} | set(labels)
    includes = []
    for one in found.get("include", ()):
        named = one.get(axis)
        left = None if named is None else [word for word in named if word in words]
        if left != []:
            includes.append(one if left is None else one | {axis: left})
    found["include"] = [_on(one, device) for one in includes]
    devices = found["sweep"].get("device", ["auto"])
    found["sweep"] = _on(found["sweep"] | {axis: entries, "device": devices}, device)


def _on(axes: dict[str, Any], device: str) -> dict[str, Any]:
    if "device" not in axes:
        return axes
    resolved = dict.fromkeys(device if word == "auto" else word for word in axes["device"])
    return axes | {"device": list(resolved)}


def _measure(scenario: Scenario, *, seed: int, exact: bool) -> dict[str, Any]:
    """One round in shuffled order, with the gate's budgets, which are used up: a rule that stops on precision
    would give the two sides different numbers of samples."""
    measure, gate = scenario.measure, scenario.gate
    found = {key: getattr(measure, key) for key in _OF_MEASURE}
    return found | {
        "metrics": list(measure.metrics) if exact else ["latency"],
        "check": measure.check and exact,
        "rule": "fixed",
        "rounds": 1,
        "order": "shuffled",
        "seed": seed,
        "warmup_s": gate.warmup_s,
        "min_samples": gate.min_samples,
        "max_samples": max(measure.max_samples, gate.min_samples),
        "max_s": gate.max_s,
        "busy": False,
        "ceilings": False,
    }


def _only(cell: Cell, among: Sequence[Cell]) -> str:
    """A filter that holds for this cell and for no other: a label is one mixer with its parameters."""
    terms = [f'mixer="{cell.name}"']
    for axis in SETTINGS:
        value, values = getattr(cell, axis), dict.fromkeys(getattr(one, axis) for one in among)
        if len(values) == 1:
            continue
        if value is None:  # that which has none of the others' values
            terms.append(f"{axis}!={','.join(str(one) for one in values if one is not None)}")
        else:
            terms.append(f"{axis}={value[0]}x{value[1]}" if axis == "resolution" else f"{axis}={value}")
    return " ".join(terms)
