"""The profile of a scenario that is chosen by itself: that of the kind of device. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.scenario.model import Scenario

_PROFILES = {"cpu": "cpu", "cuda": "gpu"}
"""Kind of device → name of the profile."""
_WHY = {"cpu": "no GPU was chosen", "gpu": "a GPU was chosen"}


def profile_for(device: str, asked: Sequence[str], scenario: Scenario) -> str | None:
    """The scenario's profile for this kind of device; None if it has none, or the user named one."""
    profile = _PROFILES.get(device.partition(":")[0])
    return profile if not asked and profile in scenario.profiles else None


def said(profile: str) -> str:
    """What a user is told of a profile that was chosen by itself."""
    return f'{_WHY[profile]}: running the scenario\'s profile "{profile}" (--profile names another)'
