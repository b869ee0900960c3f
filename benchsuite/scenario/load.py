"""A scenario file, checked and resolved: `load`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchsuite.errors import ScenarioError
from benchsuite.scenario.find import read
from benchsuite.scenario.model import Scenario
from benchsuite.scenario.validate import check


def load(
    path: Path,
    known: Mapping[str, Sequence[str]],
    *,
    profiles: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> Scenario:
    """Read a scenario, lay profiles and then overrides over it, and check all of it.

    Args:
        known: mixer → names of its parameters.

    Raises:
        ScenarioError: with all mistakes, in the order of the file.
    """
    checked = check(read(path), str(path), known, profiles=profiles, overrides=overrides)
    if checked.scenario is None:
        raise ScenarioError(checked.problems)
    return checked.scenario
