"""Shapes of the JSON files of a run folder, as far as those who read them rely on them.

Not the language of scenarios, which `scenario/` knows: a report is made of runs of older versions, too. Keys
that are not named here may hold anything.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import NotRequired, TypedDict

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class _Shard(TypedDict):
    index: int
    count: int


class _Part(TypedDict):
    machine: str
    device: str
    devices: list[str]
    filter: str
    shard: NotRequired[_Shard]


class _Settings(TypedDict, total=False):
    filter: str
    device: str
    pythonpath: list[str]
    shard: _Shard | None
    parts: list[_Part] | None


class _Report(TypedDict, total=False):
    sections: list[str] | None
    reference: str | None


class _Sweep(TypedDict, total=False):
    mixer: list[dict[str, Any] | str] | dict[str, Any] | str | None
    backbone: list[dict[str, Any] | str] | dict[str, Any] | str | None


class _Scenario(TypedDict, total=False):
    name: str
    title: str | None
    question: str | None
    sweep: _Sweep
    include: list[dict[str, Any]] | None
    exclude: list[dict[str, Any]] | None
    expect: list[dict[str, Any]] | None
    claims: list[dict[str, Any]] | None
    measure: dict[str, Any] | None
    gate: dict[str, Any] | None
    report: _Report | None
    profiles: list[str]
    applied: list[str]
    overrides: list[str]
    run: _Settings | None


class _Cpu(TypedDict, total=False):
    model: str | None
    logical_cores: int | None
    usable_cores: int | None
    threads: int | None
    load_1min: float | None
    memory_bytes: int | None


class _Gpu(TypedDict, total=False):
    name: str | None
    multiprocessors: int | None
    memory_bytes: int | None
    nvidia_smi: dict[str, str] | None


class _Ceilings(TypedDict, total=False):
    device: str
    macs_per_s: dict[str, float | None] | None
    copy_bytes_per_s: float | None


class _SelfTest(TypedDict, total=False):
    date: str
    age_days: float | None
    passed: bool
    noise_percent: float | None
    drift_percent: float | None


class _Environment(TypedDict, total=False):
    started_at: str
    command: list[str] | str
    device: str
    packages: dict[str, str | None] | None
    cpu: _Cpu | None
    gpu: _Gpu | None
    git: dict[str, Any] | None
    flags: dict[str, Any] | None
    allocator: dict[str, Any] | None
    selftest: _SelfTest | None
    ceilings: list[_Ceilings] | _Ceilings | None
    core_set: list[int] | None


def require_scenario(data: Mapping[str, Any]) -> None:
    """Raise ValueError, saying where, if a section of a stored scenario is of another kind."""
    _require("scenario", data)


def require_environment(data: Mapping[str, Any]) -> None:
    """Raise ValueError, saying where, if a part of a machine's description is of another kind."""
    _require("environment", data)


def _require(file: str, data: Mapping[str, Any]) -> None:
    from pydantic import ValidationError

    try:
        _adapters()[file].validate_python(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


@functools.cache
def _adapters() -> dict[str, TypeAdapter[Any]]:
    from pydantic import TypeAdapter

    return {"scenario": TypeAdapter(_Scenario), "environment": TypeAdapter(_Environment)}
