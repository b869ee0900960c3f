"""Sizes of a network as arguments: `depths`, `dims`, `num_heads` of all stages, or of one (`stage3.dim`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from benchsuite.backbones import SIZES, SizeError
from benchsuite.backbones._stage import HierarchyConfig

Config = TypeVar("Config")


def resized(config: Config, sizes: Mapping[str, Any]) -> Config:
    """The configuration with other sizes; those of one stage count before those of all.

    Args:
        sizes: `dims`, `depths`, `num_heads` → a number for each stage; `stage3.dim`, `stage3.depth`,
            `stage3.num_heads` → one number. Of a network without stages `dim`, `depth`, `num_heads`.

    Raises:
        SizeError: the configuration has no such size, or the value is no such number.
    """
    if not sizes:
        return config
    rows = _rows(config)
    for word, value in sorted(sizes.items(), key=lambda item: "." in item[0]):
        stage, _, size = word.rpartition(".")
        row, number = SIZES.get(size, ""), _number(stage)
        if not stage and word in rows:
            rows[word] = _checked(word, value, rows[word])
        elif stage and row in rows and 0 < number <= len(rows[row]):
            rows[row] = (*rows[row][: number - 1], _checked(word, value, 1), *rows[row][number:])
        else:
            raise SizeError(f"no size {word}; it has {', '.join(_words(rows))}")
    return cast(Config, _with_rows(config, rows))


def _rows(config: Any) -> dict[str, Any]:
    """Word → a number for each stage, or one number of a network without stages."""
    if isinstance(config, HierarchyConfig):
        return {
            "dims": tuple(stage.dim for stage in config.stages),
            "depths": tuple(stage.depth // config.blocks_a_layer for stage in config.stages),
            "num_heads": tuple(stage.num_heads for stage in config.stages),
        }
    words = ("dims", "depths", "dim", "depth", "num_heads")
    return {word: getattr(config, word) for word in words if hasattr(config, word)}


def _with_rows(config: Any, rows: Mapping[str, Any]) -> Any:
    if not isinstance(config, HierarchyConfig):
        return replace(config, **rows)
    columns = zip(config.stages, rows["dims"], rows["depths"], rows["num_heads"], strict=True)
    stages = tuple(
        replace(stage, dim=dim, depth=depth * config.blocks_a_layer, num_heads=heads)
        for stage, dim, depth, heads in columns
    )
    return replace(config, stages=stages)


def _checked(word: str, value: Any, now: Any) -> Any:
    """The value, a positive number or as many of them as there are now."""
    values = value if isinstance(now, tuple) and isinstance(value, list | tuple) else (value,)
    wanted = len(now) if isinstance(now, tuple) else 1
    if len(values) != wanted or not all(type(one) is int and one > 0 for one in values):
        what = "a positive whole number" if wanted == 1 else f"{wanted} positive whole numbers, one a stage"
        raise SizeError(f"{word} must be {what}, got {value!r}")
    return tuple(values) if isinstance(now, tuple) else value


def _number(stage: str) -> int:
    """3 of "stage3"; 0 if it is no stage."""
    digits = stage.removeprefix("stage")
    return int(digits) if digits != stage and digits.isdecimal() else 0


def _words(rows: Mapping[str, Any]) -> tuple[str, ...]:
    """All that may be said of these rows."""
    return (
        *rows,
        *(
            f"stage{number}.{size}"
            for size, row in SIZES.items()
            if isinstance(rows.get(row), tuple)
            for number in range(1, len(rows[row]) + 1)
        ),
    )
