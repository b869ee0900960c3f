"""The records of a report, taken out of its file again."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchsuite.errors import RecordVersionError, UsageError
from benchsuite.io import parse
from benchsuite.report.explore.embed import FORMAT, MANIFEST, MOST_BYTES, block_id, unpack
from benchsuite.results.codec import decode
from benchsuite.results.record import Record
from benchsuite.results.store import Run, write_run
from benchsuite.text import bounded

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
PARTIAL = "records-without-samples.jsonl"
"""Cells whose samples found no room in the page. No run folder: nothing takes them for measured cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """One run of a report.

    Attributes:
        run: its records with all of their samples.
        partial: JSON lines of records whose samples the page does not hold; `timing.left_out` says how many
            there were.
    """

    key: str
    run: Run
    partial: tuple[str, ...]


def extract(path: Path) -> list[Extracted]:
    """The runs in a report.

    Raises:
        UsageError: there is no such file, it is no report, or its data are damaged or come to no end.
        RecordVersionError: a newer benchsuite made it.
    """
    page = _text(path)
    text = _block(page, MANIFEST)
    if text is None:
        raise UsageError(
            f"{path}: holds no records: it is not a report of benchsuite, or an old one that had none"
        )
    try:
        manifest = parse(text)
        if manifest["format"] > FORMAT:
            raise RecordVersionError(
                f"{path}: made by a newer benchsuite, {manifest['benchsuite']}; update this one to read it"
            )
        runs, room = [], MOST_BYTES
        for key in _keys(manifest):
            one, taken = _run(page, key, path, room)
            runs.append(one)
            room -= taken
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{path}: the records in it are damaged ({bounded(what, 200)}); make it again: benchsuite report "
            "RUN"
        ) from error
    return runs


def write(runs: list[Extracted], out: Path) -> list[Path]:
    """Write each run as a run folder: into `out` if there is one, else into folders below it.

    Raises:
        UsageError: `out` is a file or not empty, or cannot be written.
    """
    folders = [out] if len(runs) == 1 else [out / one.key for one in runs]
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        what = "is not empty" if out.is_dir() else "is a file"
        raise UsageError(f"{out}: {what}; name a new folder with --out")
    for one, folder in zip(runs, folders, strict=True):
        write_run(one.run, folder)
        if one.partial:
            (folder / PARTIAL).write_text("".join(f"{line}\n" for line in one.partial), encoding="utf-8")
    return folders


def _text(path: Path) -> str:
    """The page; raises UsageError if it is none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path}: not a report of benchsuite: larger than {MOST_BYTES >> 20} MiB")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a report of benchsuite: not a text file") from error


def _keys(manifest: Mapping[str, Any]) -> list[str]:
    """The keys of the runs. They become names of folders, so none may lead out of the one that is written."""
    keys = [str(run["key"]) for run in manifest["runs"]]
    for key in keys:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{bounded(key, 80)!r} is no key of a run")
    if len(set(keys)) < len(keys):
        raise ValueError("two runs have one key")
    return keys


def _run(page: str, key: str, path: Path, room: int) -> tuple[Extracted, int]:
    """A run, and the bytes that it took of `room`."""
    texts = [_block(page, block_id(key, what)) for what in ("records", "samples")]
    if texts[0] is None or texts[1] is None:
        raise ValueError(f"a block of {key} is missing")
    data, taken = unpack(texts[0], room)
    samples, more = unpack(texts[1], room - taken)
    records: list[Record] = []
    partial: list[str] = []
    for plain in data["records"]:
        whole = _restored(plain, samples)
        line = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
        if whole:
            records.append(decode(line))
        else:
            partial.append(line)
    environments = {int(session): _mapping(found) for session, found in data["environments"].items()}
    if set(environments) != set(range(1, len(environments) + 1)):
        raise ValueError("its sessions are not numbered from 1")
    run = Run(
        path=path,
        scenario=_mapping(data["scenario"]),
        environment=environments.get(1, {}),
        environments=environments,
        records=tuple(records),
    )
    return Extracted(key=key, run=run, partial=tuple(partial)), taken + more


def _mapping(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError("a list stands where a mapping belongs")
    return data


def _restored(plain: dict[str, Any], samples: dict[str, Any]) -> bool:
    """Put the samples back into a record; False, and the record stays marked, if there are none of it."""
    timing = plain["timing"]
    if timing is None or "left_out" not in timing:
        return True
    if plain["id"] not in samples:
        return False
    del timing["left_out"]
    timing.update(samples[plain["id"]])
    return True


def _block(page: str, id: str) -> str | None:
    """The text of a `<script>` of data, by its id. What a user wrote is escaped, so is none."""
    match = re.search(rf'<script type="application/[a-z]+" id="{re.escape(id)}">([^<]*)</script>', page)
    return match[1].strip() if match else None
