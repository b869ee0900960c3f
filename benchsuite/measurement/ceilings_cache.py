"""Measured ceilings, kept a week for a machine as it is: one small JSON file each in the user's cache folder.

Every doubt is settled by measuring: a file that is old, torn, or of another form counts as none. Where the
folder cannot be written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from benchsuite.io import write_whole
from benchsuite.measurement import environment

MAX_AGE_S = 7 * 24 * 3600.0
BUSY_HOST = 0.1
"""Share of the cores' time used by others above which what was measured is not kept."""
_FORM = 3
OF_A_DTYPE = ("macs_per_s", "kernels", "counted", "clocks")
"""Keys of ceilings whose values are a dict from dtype on."""


def through(
    key: Mapping[str, Any],
    dtypes: Sequence[str],
    measure: Callable[[Sequence[str]], dict[str, Any]],
    *,
    refresh: bool = False,
    folder: Path | None = None,
    now: Callable[[], float] = time.time,
    others: Callable[[], float | None] = lambda: None,
) -> dict[str, Any]:
    """What is kept under `key`, with what `measure` finds for the dtypes that are missing in it.

    What was measured while others used the machine, or only in part, is handed out but not kept.

    Args:
        key: what the ceilings depend on, JSON-able.
        measure: dtypes → the keys of `OF_A_DTYPE` and more; called only if any are missing.
        refresh: take nothing that is kept.
        others: share of the cores that others used since the call before; None if nobody knows or it does
            not matter.
    """
    file = (folder or cache_folder()) / f"ceilings-{_digest(key)}.json"
    kept = None if refresh else _read(file, now())
    missing = [dtype for dtype in dtypes if kept is None or dtype not in kept["macs_per_s"]]
    if kept is not None and not missing:
        return kept
    others()
    found = measure(missing)
    share, failures = others(), found.get("failures", {})
    if kept is not None:  # as old as its oldest part
        found = {**kept, **{key: {**kept[key], **found[key]} for key in OF_A_DTYPE}, "failures": failures}
    else:
        at = datetime.fromtimestamp(now(), timezone.utc)
        found = {**found, "measured_at": at.isoformat(timespec="seconds")}
    if (share is None or share <= BUSY_HOST) and not failures:
        _write(file, {"form": _FORM, "key": dict(key), "ceilings": found})
    return found


def fingerprint(device: str) -> dict[str, Any]:
    """What ceilings depend on: the device, the CPU and threads of it, torch, and the GPU's driver."""
    cpu, gpu = environment.cpu(), environment.gpu(device) or {}
    return {
        "device": device if not gpu else gpu.get("uuid") or gpu.get("name"),
        "cpu": cpu["model"],
        "cores": cpu["usable_cores"],
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "driver": environment.driver(device),
    }


def cache_folder() -> Path:
    """The user's folder for what can be made again, as the platform has it."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "benchsuite"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "benchsuite"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "benchsuite" / "cache"
    return Path.home() / ".cache" / "benchsuite"


def _digest(key: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(dict(key), sort_keys=True).encode()).hexdigest()[:16]


def _read(file: Path, now: float) -> dict[str, Any] | None:
    """The ceilings in a file, if they are of today's form and not too old, or from the future."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        found = content["ceilings"]
        age = now - datetime.fromisoformat(found["measured_at"]).timestamp()
        sound = content["form"] == _FORM and all(isinstance(found[key], dict) for key in OF_A_DTYPE)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(found) if sound and -1 <= age <= MAX_AGE_S else None


def _write(file: Path, content: Mapping[str, Any]) -> None:
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(
            file, json.dumps(content, indent=2) + "\n", temporary=file.with_suffix(f".{os.getpid()}.tmp")
        )
