"""A run in comparable parts.

Cells that differ in more than mixer, resolution and kernel never share a panel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchsuite.report.words import MODE_WORDS, counted

_WORDS: dict[str, Callable[[Any], str]] = {
    "device": str,
    "dtype": str,
    "mode": lambda mode: MODE_WORDS.get(mode, mode),
    "batch": lambda batch: f"batch {batch}",
    "dim": lambda dim: f"dim {dim}",
    "num_heads": lambda heads: counted(heads, "head"),
    "stride": lambda stride: f"stride {stride}",
    "memory_format": str,
    "cache": lambda cache: f"{cache} caches",
    "protocol": lambda protocol: f"protocol {protocol}",
    "compile": lambda mode: "eager" if mode == "eager" else f"torch.compile {mode}",
    "allocator": lambda allocator: f"allocator {allocator}",
    "threads": lambda threads: "torch's threads" if pd.isna(threads) else counted(int(threads), "thread"),
}
_DTYPES = ("fp64", "fp32", "tf32", "bf16", "fp16", "autocast_bf16", "autocast_fp16")
_ALWAYS = ("device", "dtype", "mode", "batch")
_SELDOM = {"memory_format": "contiguous", "cache": "warm", "protocol": "adaptive", "compile": "eager"}
"""Axes that are said only where a run departs from these values."""
_SHAPE = ("dim", "num_heads", "stride")


@dataclass(frozen=True)
class Group:
    """Cells that can be compared.

    Attributes:
        title: what tells it from the other groups of the run, "fp16, batch 64"; all conditions if it is
            the only one.
        conditions: everything that its cells share.
    """

    title: str
    conditions: str
    frame: pd.DataFrame


def split(frame: pd.DataFrame, *, over: str = "") -> list[Group]:
    """The groups of a run, by device, dtype, mode, batch, and by shape where one mixer has several shapes.

    Mixers may differ in heads or width among themselves, that is a choice of the scenario; one mixer swept
    over widths is several comparisons.

    Args:
        over: a factor that may differ within a group, because it is looked at over its values.
    """
    factors = [*_said(frame), *(factor for factor in _SHAPE if _varies_within_a_mixer(frame, factor))]
    factors = [factor for factor in factors if factor != over]
    if frame.empty:
        return []
    varying = [factor for factor in factors if frame[factor].nunique(dropna=False) > 1]
    constant = [*factors, *(factor for factor in _shape(frame) if factor not in factors)]
    groups = []
    for _, part in frame.groupby(factors, sort=False, dropna=False):
        first = {
            factor: part[factor].iloc[0] for factor in constant if part[factor].nunique(dropna=False) == 1
        }
        conditions = describe(first)
        title = describe({factor: first[factor] for factor in varying}) or conditions
        groups.append(
            (
                _key({factor: first[factor] for factor in factors}),
                Group(title, conditions, part.reset_index(drop=True)),
            )
        )
    return [group for _, group in sorted(groups, key=lambda item: item[0])]


def describe(values: Mapping[str, Any]) -> str:
    """Conditions in words: "cuda, fp16, inference, batch 64"."""
    return ", ".join(_WORDS[factor](value) for factor, value in values.items())


def shared(frame: pd.DataFrame) -> dict[str, Any]:
    """The conditions that all cells have in common."""
    factors = (*_said(frame), *_shape(frame))
    return {factor: frame[factor].iloc[0] for factor in factors if frame[factor].nunique(dropna=False) == 1}


def _said(frame: pd.DataFrame) -> tuple[str, ...]:
    """The factors that every run states, and those of the others that this one makes use of."""
    seldom = [factor for factor, usual in _SELDOM.items() if (frame[factor] != usual).any()]
    threads = ["threads"] if frame["threads"].notna().any() else []
    return (*_ALWAYS, *seldom, *threads, *(["allocator"] if frame["allocator"].nunique() > 1 else []))


def _shape(frame: pd.DataFrame) -> tuple[str, ...]:
    """What there is to state of width and stride; nothing for networks, which make their own tokens."""
    return () if (frame["subject"] == "backbone").all() else _SHAPE


def _varies_within_a_mixer(frame: pd.DataFrame, factor: str) -> bool:
    return not frame.empty and bool(frame.groupby("name")[factor].nunique().max() > 1)


def _key(values: Mapping[str, Any]) -> tuple[tuple[int, Any], ...]:
    """Order of groups: numbers as numbers, dtypes from wide to narrow."""
    return tuple(
        (_DTYPES.index(value) if value in _DTYPES else len(_DTYPES), value)
        if factor == "dtype"
        else (0, 0 if pd.isna(value) else value)
        for factor, value in values.items()
    )
