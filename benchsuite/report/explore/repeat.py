"""The command that measures one cell of a run again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

_KEPT = ("--profile", "--set", "--device", "--timeout", "--memory-limit", "--pythonpath", "--executor")
"""Options that decide what a cell is and how it is measured."""
_DROPPED = ("--filter", "--out", "--figures", "--style", "--resume", "--retry")
_SWITCHES = ("--quiet", "-q", "--verbose", "-v", "--dry-run")


def base_command(environment: Mapping[str, Any]) -> str | None:
    """`benchsuite run SCENARIO` with the options of the run that matter, for `--filter cell=…` to follow.

    Returns:
        None where the run does not say its command, or says one that cannot be told apart.
    """
    command = environment.get("command")
    try:
        words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command or ()]
    except ValueError:
        return None
    if words[:1] != ["benchsuite"] or words[1:2] != ["run"]:
        return None
    kept = _sorted_out(words[2:])
    return None if kept is None else shlex.join(["benchsuite", "run", *kept])


def _sorted_out(words: Sequence[str]) -> list[str] | None:
    scenario: list[str] = []
    options: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, joined, _ = word.partition("=")
        if word in _SWITCHES:
            continue
        if name in _KEPT or name in _DROPPED:
            taken = [word] if joined else [word, *rest[:1]]
            rest = rest if joined else rest[1:]
            options += taken if name in _KEPT else []
        elif word.startswith("-"):
            return None
        else:
            scenario.append(word)
    return [*scenario, *options] if len(scenario) == 1 else None
