"""Options of executors as typed on the command line: `partition=gpu time=60`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchsuite.errors import ExecutorError, nearest

Value = int | float | str | bool
Kind = Callable[[str], Value]


def number(text: str) -> int:
    """A whole number, 1 or more."""
    value = int(text)
    if value < 1:
        raise ValueError("must be 1 or more")
    return value


def seconds(text: str) -> float:
    """A time span above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError("must be above 0")
    return value


def count(text: str) -> int:
    """A whole number, 0 or more."""
    value = int(text)
    if value < 0:
        raise ValueError("must be 0 or more")
    return value


def yes(text: str) -> bool:
    """A choice."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in words:
        raise ValueError("must be true or false")
    return words[text.lower()]


def minutes(text: str) -> int:
    """A time span as SLURM writes them: minutes, H:MM:SS or D-HH:MM:SS; in whole minutes, rounded up."""
    days, _, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if days:
        padded = [*parts, 0, 0][:3]
        whole_s = ((int(days) * 24 + padded[0]) * 60 + padded[1]) * 60 + padded[2]
    elif len(parts) == 1:
        whole_s = parts[0] * 60
    else:
        padded = [0, 0, *parts][-3:]
        whole_s = (padded[0] * 60 + padded[1]) * 60 + padded[2]
    if whole_s <= 0:
        raise ValueError("must be above 0")
    return -(-whole_s // 60)


def parse(texts: Sequence[str], kinds: Mapping[str, Kind], executor: str) -> dict[str, Value]:
    """`key=value` words → values; of a key that stands twice the last counts.

    Raises:
        ExecutorError: a word is of another form, an executor has no such option, or a value does not fit.
    """
    found: dict[str, Value] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            raise ExecutorError(f"--executor-option {text!r}: write key=value")
        if key not in kinds:
            near = nearest(key, kinds)
            hint = f'; did you mean "{near}"?' if near else ""
            allowed = ", ".join(kinds) or "none"
            raise ExecutorError(
                f'--executor-option: executor "{executor}" has no option "{key}"{hint}\n  allowed: {allowed}'
            )
        try:
            found[key] = kinds[key](value.strip())
        except ValueError as error:
            raise ExecutorError(f"--executor-option {key}={value}: {error}") from None
    return found
