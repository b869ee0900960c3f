"""Cache of what was measured of a machine, in the user's cache folder: its ceilings, a week, and its last
self-test.

One small JSON file each, by what it depends on. Every doubt is settled by measuring: a file that is old,
torn, or of another form counts as none. Where the folder cannot be written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from benchsuite.io import cache_folder, write_whole
from benchsuite.measurement import environment
from benchsuite.measurement.device import open_device

MAX_AGE_S = 7 * 24 * 3600.0
BUSY_HOST = 0.1
"""Share of the cores' time used by others above which what was measured is not kept."""
_CEILINGS_FORM = 3
OF_A_DTYPE = ("macs_per_s", "kernels", "counted", "clocks")
"""Keys of ceilings whose values are a dict from dtype on."""
SELFTEST_FORM = 2
KEPT_RUNS = 20
"""Runs of former self-tests that the drift of a machine is made of, beside those of the last."""
_DAY_S = 24 * 3600.0


def read_ceilings(key: Mapping[str, Any]) -> dict[str, Any] | None:
    """The ceilings kept under `key`, if they are of today's form and not too old, or from the future.

    Args:
        key: what the ceilings depend on, JSON-able.
    """
    try:
        content = json.loads(_file("ceilings", key).read_text(encoding="utf-8"))
        ceilings = content["ceilings"]
        age = time.time() - datetime.fromisoformat(ceilings["measured_at"]).timestamp()
        sound = content["form"] == _CEILINGS_FORM and all(
            isinstance(ceilings[key], dict) for key in OF_A_DTYPE
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(ceilings) if sound and -1 <= age <= MAX_AGE_S else None


def keep_ceilings(
    key: Mapping[str, Any],
    fresh: Mapping[str, Any],
    earlier: Mapping[str, Any] | None,
    others: float | None,
) -> dict[str, Any]:
    """Keep ceilings under `key`, what was measured now beside what was kept; returns both as one.

    What was measured while others used the machine, or only in part, is returned but not kept.

    Args:
        fresh: the keys of `OF_A_DTYPE` and more.
        earlier: as `read_ceilings` gives it.
        others: share of the cores that others used meanwhile; None if nobody knows or it does not matter.
    """
    failures = fresh.get("failures", {})
    if earlier is not None:  # as old as its oldest part
        joined = {key: {**earlier[key], **fresh[key]} for key in OF_A_DTYPE}
        both = {**earlier, **joined, "failures": failures}
    else:
        at = datetime.fromtimestamp(time.time(), timezone.utc)
        both = {**fresh, "measured_at": at.isoformat(timespec="seconds")}
    if (others is None or others <= BUSY_HOST) and not failures:
        _write(_file("ceilings", key), {"form": _CEILINGS_FORM, "key": dict(key), "ceilings": both})
    return both


def fingerprint(device: str) -> dict[str, Any]:
    """Machine that ceilings depend on: the device, the CPU and threads of it, torch, and the GPU's driver."""
    opened = open_device(device)
    cpu, gpu = environment.cpu(), opened.describe() or {}
    return {
        "device": device if not gpu else gpu.get("uuid") or gpu.get("name"),
        "cpu": cpu["model"],
        "cores": cpu["usable_cores"],
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "driver": opened.driver(),
    }


def latest_selftest(fingerprint: Mapping[str, Any]) -> dict[str, Any] | None:
    """The last self-test of a machine, in a line for the environment of a run; None if there was none.

    Args:
        fingerprint: of the machine as it is now.

    Returns:
        "date", ISO 8601; "noise_percent", what the ratio of two cells of a run must exceed, or None;
        "drift_percent", half width of what a latency differs by from run to run, or None; "passed";
        "age_days".
    """
    document = _read_selftest(fingerprint)
    with suppress(ValueError, KeyError, TypeError):
        age_s = time.time() - datetime.fromisoformat(document["date"]).timestamp()
        return {
            "date": str(document["date"]),
            "noise_percent": _number(document["noise_percent"]),
            "drift_percent": _number(document["drift_percent"]),
            "passed": bool(document["passed"]),
            "age_days": round(max(0.0, age_s) / _DAY_S, 1),
        }
    return None


def selftest_log_means(fingerprint: Mapping[str, Any]) -> tuple[float, ...]:
    """Logarithms of what the cell of former self-tests took in each of their runs, the oldest first."""
    found = _read_selftest(fingerprint)
    with suppress(ValueError, KeyError, TypeError):
        return tuple(float(value) for value in found["log_means"])
    return ()


def keep_selftest(document: Mapping[str, Any]) -> None:
    """Keep a self-test as the last one of its machine: "form", "fingerprint", "date" and what it found."""
    _write(selftest_file(document["fingerprint"]), document)


def selftest_file(fingerprint: Mapping[str, Any]) -> Path:
    """File of the last self-test of a machine."""
    return _file("selftest", fingerprint)


def _read_selftest(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a machine's last self-test, empty if there is none of today's form."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(selftest_file(fingerprint).read_text(encoding="utf-8"))
        if found["form"] == SELFTEST_FORM and found["fingerprint"] == dict(fingerprint):
            return dict(found)
    return {}


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _file(what: str, key: Mapping[str, Any]) -> Path:
    """File of something about a machine that depends on `key`."""
    digest = hashlib.sha256(json.dumps(dict(key), sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder() / f"{what}-{digest}.json"


def _write(file: Path, content: Mapping[str, Any]) -> None:
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(
            file, json.dumps(content, indent=2) + "\n", temporary=file.with_suffix(f".{os.getpid()}.tmp")
        )
