"""Machine and software of a run as a table, a row for each property that is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchsuite.format import si
from benchsuite.report.differences import known
from benchsuite.report.tables import Table, table
from benchsuite.report.words import counted
from benchsuite.results.machine import machine_name
from benchsuite.results.store import Run

_WORDS: Mapping[str, str] = {
    "os": "Operating system", "cpu": "CPU", "gpu": "GPU", "git": "Git", "cuda": "CUDA", "cudnn": "cuDNN",
    "tf32": "TF32", "torch": "PyTorch", "benchsuite": "benchsuite", "mib": "MiB", "mhz": "MHz", "sm": "SM",
    "uuid": "UUID", "omp": "OMP", "fvcore": "fvcore", "numpy": "numpy", "triton": "triton",
}  # fmt: skip


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
    return f"{name} ({where})", "; ".join(
        [*parts, *([str(ceiling["method"])] if ceiling.get("method") else [])]
    )


def _text(key: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return known(key, value)


def _label(key: str) -> str:
    """Name of a row: "GPU memory" for gpu.memory_bytes, "TF32 matmul" for flags.tf32_matmul."""
    for group in ("flags.", "packages.", "gpu.nvidia_smi."):
        key = key.replace(group, "gpu." if group.startswith("gpu") else "", 1)
    words = key.replace(".", " ").replace("_", " ").removesuffix(" bytes").split()
    words = [word for i, word in enumerate(words) if word not in words[:i]]
    text = " ".join(_WORDS.get(word, word) for word in words)
    return text if words[0] in _WORDS else text[:1].upper() + text[1:]
