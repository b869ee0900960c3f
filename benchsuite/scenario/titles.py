"""Numbers in title and question that the sweep does not have: "768 channels" over a sweep of 384 is wrong.

A profile that changes the sweep may bring a question of its own; where it does not, a report puts the
sweep's own numbers into the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_KINDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(\d+) to (\d+) (?:pixels|px)\b"), "span"),
    (re.compile(r"\b(\d+) (?:pixels|px)\b"), "resolution"),
    (re.compile(r"\b(\d+) × (\d+) tokens\b"), "tokens"),
    (re.compile(r"\b(\d+) channels\b"), "dim"),
    (re.compile(r"\b(\d+) heads\b"), "num_heads"),
    (re.compile(r"\bbatch (\d+)\b"), "batch"),
)
"""Pattern of the words → the value of a sweep that they state."""


def contradictions(text: str, scenario: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(words, what the sweep has instead) for all that the text says and the sweep does not have.

    Args:
        scenario: plain data of a whole scenario, its lists as lists.
    """
    return [(match[0], _have(kind, values)) for match, kind, values in _wrong(text, scenario)]


def fitted(text: str, scenario: Mapping[str, Any]) -> str:
    """The text with the sweep's own numbers, where it has one for what the words say and not several."""
    for match, kind, values in reversed(list(_wrong(text, scenario))):
        mended = _mended(match, kind, values)
        text = f"{text[: match.start()]}{mended}{text[match.end() :]}"
    return text


def _wrong(
    text: str, scenario: Mapping[str, Any]
) -> Iterator[tuple[re.Match[str], str, Sequence[tuple[int, ...]]]]:
    """Numbers of the text that the sweep does not have, in order, with the values of the sweep."""
    taken: set[int] = set()
    matches = []
    for pattern, kind in _KINDS:
        for match in pattern.finditer(text):
            if not taken.intersection(range(*match.span())):
                taken.update(range(*match.span()))
                matches.append((match, kind))
    for match, kind in sorted(matches, key=lambda pair: pair[0].start()):
        values, numbers = _VALUES[kind](scenario), tuple(map(int, match.groups()))
        within = kind == "span" and set(numbers) <= set(_sides(scenario))
        if values and numbers not in values and not within:
            yield match, kind, values


def _mended(match: re.Match[str], kind: str, values: Sequence[tuple[int, ...]]) -> str:
    if len(values) > 1:
        return match[0]
    numbers = iter(values[0])
    if kind == "span" and values[0][0] == values[0][1]:
        return f"at {values[0][0]} pixels"
    return re.sub(r"\d+", lambda _: str(next(numbers)), match[0])


def _have(kind: str, values: Sequence[tuple[int, ...]]) -> str:
    between = " to " if kind == "span" else " × "
    return ", ".join(between.join(map(str, numbers)) for numbers in values)


def _axis(scenario: Mapping[str, Any], key: str) -> list[Any]:
    """The values of an axis in the sweep and in the cells beside it."""
    parts = [scenario.get("sweep") or {}, *(scenario.get("include") or ())]
    return [value for part in parts for value in (part.get(key) or ())]


def _sides(scenario: Mapping[str, Any]) -> list[int]:
    return sorted({max(value) if isinstance(value, list | tuple) else int(value)
                   for value in _axis(scenario, "resolution")})  # fmt: skip


def _of_layers(key: str) -> Callable[[Mapping[str, Any]], list[tuple[int, ...]]]:
    """Values of an axis that a network has none of."""

    def values(scenario: Mapping[str, Any]) -> list[tuple[int, ...]]:
        if scenario.get("subject") == "backbone":
            return []
        return list(dict.fromkeys((int(value),) for value in _axis(scenario, key)))

    return values


def _tokens(scenario: Mapping[str, Any]) -> list[tuple[int, ...]]:
    strides = [] if scenario.get("subject") == "backbone" else _axis(scenario, "stride")
    return [(side // stride, side // stride) for stride in strides for side in _sides(scenario)]


_VALUES: Mapping[str, Callable[[Mapping[str, Any]], list[tuple[int, ...]]]] = {
    "span": lambda scenario: [(sides[0], sides[-1])] if (sides := _sides(scenario)) else [],
    "resolution": lambda scenario: [(side,) for side in _sides(scenario)],
    "tokens": _tokens,
    "dim": _of_layers("dim"),
    "num_heads": _of_layers("num_heads"),
    "batch": lambda scenario: list(dict.fromkeys((int(value),) for value in _axis(scenario, "batch"))),
}
