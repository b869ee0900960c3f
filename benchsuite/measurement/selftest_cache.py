"""What the last self-test of this machine found, kept in the user's cache folder: one small file a machine.

A file that is torn or of another form counts as none. Where the folder cannot be written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from benchsuite.io import write_whole
from benchsuite.measurement.ceilings_cache import cache_folder

FORM = 2
KEPT_RUNS = 20
"""Runs of former self-tests that the drift of a machine is made of, beside those of the last."""
_DAY_S = 24 * 3600.0


def latest(
    fingerprint: Mapping[str, Any], *, folder: Path | None = None, now: Callable[[], float] = time.time
) -> dict[str, Any] | None:
    """The last self-test of a machine, in a line for the environment of a run; None if there was none.

    Args:
        fingerprint: of the machine as it is now, `ceilings_cache.fingerprint`.

    Returns:
        "date", ISO 8601; "noise_percent", what the ratio of two cells of a run must exceed, or None;
        "drift_percent", half width of what a latency differs by from run to run, or None; "passed";
        "age_days".
    """
    try:
        found = json.loads(file_of(fingerprint, folder).read_text(encoding="utf-8"))
        if found["form"] != FORM or found["fingerprint"] != dict(fingerprint):
            return None
        age_s = now() - datetime.fromisoformat(found["date"]).timestamp()
        return {
            "date": str(found["date"]),
            "noise_percent": _number(found["noise_percent"]),
            "drift_percent": _number(found["drift_percent"]),
            "passed": bool(found["passed"]),
            "age_days": round(max(0.0, age_s) / _DAY_S, 1),
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


def log_means(fingerprint: Mapping[str, Any], *, folder: Path | None = None) -> tuple[float, ...]:
    """Logarithms of what the cell of former self-tests took in each of their runs, the oldest first."""
    try:
        found = json.loads(file_of(fingerprint, folder).read_text(encoding="utf-8"))
        if found["form"] != FORM or found["fingerprint"] != dict(fingerprint):
            return ()
        return tuple(float(value) for value in found["log_means"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def keep(document: Mapping[str, Any], folder: Path | None = None) -> None:
    """Keep a self-test as the last one of its machine: "form", "fingerprint", "date" and what it found."""
    file = file_of(document["fingerprint"], folder)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(
            file,
            json.dumps(dict(document), indent=2) + "\n",
            temporary=file.with_suffix(f".{os.getpid()}.tmp"),
        )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def file_of(fingerprint: Mapping[str, Any], folder: Path | None = None) -> Path:
    """Where the last self-test of a machine is kept."""
    digest = hashlib.sha256(json.dumps(dict(fingerprint), sort_keys=True).encode()).hexdigest()[:16]
    return (folder or cache_folder()) / f"selftest-{digest}.json"
