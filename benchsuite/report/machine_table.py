"""Machine and software of a run as a table, a row for each property that is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from benchsuite.findings.fingerprint import PROPERTIES
from benchsuite.format import counted, si
from benchsuite.report.differences import known
from benchsuite.report.tables import Table, table
from benchsuite.results.machine import machine_name
from benchsuite.results.store import Run

_LABELS = {row.path: row.label for row in PROPERTIES} | {"packages.torch": "PyTorch"}
_ACRONYMS = ("cpu", "gpu", "sm", "uuid", "tf32", "mhz", "mib")


def machine_table(run: Run) -> Table:
    """Everything that is known of the machine; a column for each machine or session where they differ."""
    machines, columns = [run.environment], [_flatly(run.environment)]
    for session in sorted(run.environments):
        other = _flatly(run.environments[session])
        if not any(_same(other, column) for column in columns):
            columns.append(other)
            machines.append(run.environments[session])
    labels: dict[str, str] = {}
    for key in (key for column in columns for key in column if key != "command"):
        labels.setdefault(_label(key), key)  # torch's version stands in two places
    heads = ["Value"] if len(machines) == 1 else [machine_name(machine) for machine in machines]
    if len(set(heads)) < len(heads):
        heads = [f"Session {number}" for number in range(1, len(heads) + 1)]
    rows = ((label, *(column.get(key, "–") for column in columns)) for label, key in labels.items())
    return table("Machine and software.", ("Property", *heads), rows)


def _flatly(environment: Mapping[str, Any]) -> dict[str, str]:
    """All that is known, without the settings of a GPU where there is none."""
    of_gpu = ("cudnn", "cuda", "tf32")
    found = dict(flat(environment))
    if environment.get("gpu"):
        return found
    return {
        k: text for k, text in found.items() if not (k.startswith("flags.") and any(w in k for w in of_gpu))
    }


_PASSING = ("started_at", "command", "load", "temperature", "clock")


def _same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """True if two descriptions differ in no more than time, load and momentary clocks."""
    keys = {key for key in (*one, *other) if not any(word in key for word in _PASSING)}
    return all(one.get(key) == other.get(key) for key in keys)


def flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """All that is known of nested data: "gpu.memory_bytes", "140.4 GiB"."""
    for key, value in data.items():
        name = f"{prefix}{key}"
        if key == "ceilings" and isinstance(value, Mapping | list | tuple):  # not the setting, a bool
            several = [value] if isinstance(value, Mapping) else value
            yield from (_ceilings(name, one) for one in several)
        elif isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif value is not None and value != "":
            yield name, _text(key, value)


def _ceilings(name: str, ceiling: Mapping[str, Any]) -> tuple[str, str]:
    """Rates that one device with so many threads reached, in words."""
    threads = ceiling.get("threads")
    where = f"{ceiling.get('device', '')}" + (f", {counted(threads, 'thread')}" if threads else "")
    rates = ceiling.get("macs_per_s")
    parts = [f"{dtype} {si(rate, 'MAC/s')}" for dtype, rate in rates.items()] if rates else []
    if ceiling.get("copy_bytes_per_s"):
        parts.append(f"copy {si(ceiling['copy_bytes_per_s'], 'B/s')}")
    return f"{name} ({where})", "; ".join([*parts, *filter(None, [ceiling.get("method")])])


def _text(key: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return known(key, value)


def _label(key: str) -> str:
    """Name of a row, as comparisons of machines call it; else "TF32 matmul" for flags.tf32_matmul."""
    words = re.sub(r"^(flags|packages)\.|nvidia_smi\.", "", key).replace(".", " ").replace("_", " ").split()
    text = " ".join(word.upper() if word in _ACRONYMS else word for word in words)
    return _LABELS.get(key, text[:1].upper() + text[1:])
