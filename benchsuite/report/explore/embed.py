"""Records and tables packed into a page: gzip in base64, which no text of a user can break out of.

A page has one manifest (JSON) and blocks (`<script type="application/gzip">`): the table of the charts, and
for every run its records and their samples apart. Samples are most of the bytes; where a run is so large that
they find no room, those of some cells are left out, the page says of which, and so does `extract`.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from markupsafe import Markup

from benchsuite.format import counted
from benchsuite.io import parse
from benchsuite.results.codec import ENCODER, as_data
from benchsuite.results.record import Record, Timing
from benchsuite.results.store import Run
from benchsuite.text import all_storable

FORMAT = 1
"""Of the blocks; `extract` reads this one and older ones."""
MANIFEST = "benchsuite-manifest"
TABLE = "benchsuite-table"
ROOM_BYTES = 2_200_000
"""Of base64 that the records of a page may take, so that one of 10,000 cells stays below 5 MB. Records
without their samples are never left out."""
MOST_BYTES = 1 << 28
"""Of a page, and of all that is unpacked from it: some times what 100,000 cells take, and no bomb's worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The records of one run, packed.

    Attributes:
        cells: number of records.
        timed: how many of them have samples.
        kept: of how many the samples are in the page.
        blocks: id → packed data.
    """

    key: str
    title: str
    cells: int
    timed: int
    kept: int
    blocks: Mapping[str, str]

    @property
    def left_out(self) -> str:
        """Sentence on the samples that are not in the page; empty if all are."""
        missing = self.timed - self.kept
        if not missing:
            return ""
        return (
            f"The samples of {missing} of {counted(self.timed, 'timed cell')} are not in this file, which "
            "would have become too large. Their medians and intervals are, computed from all samples; "
            "flagged cells kept theirs first."
        )


def block_id(key: str, what: str) -> str:
    """Id of a block: `benchsuite-run1-records`."""
    return f"benchsuite-{key}-{what}"


def pack(data: Any) -> str:
    """Data as JSON, gzip and base64; the same data give the same text. What JSON cannot hold is replaced."""
    try:
        return pack_text(ENCODER.encode(data))
    except ValueError:  # NaN, or half a character
        return pack_text(ENCODER.encode(all_storable(data)))


def pack_text(text: str) -> str:
    """A text as gzip and base64. Level 6: the last percent would cost half of the time of a large page."""
    return base64.b64encode(gzip.compress(text.encode("utf-8"), 6, mtime=0)).decode("ascii")


def unpack(text: str, most: int = MOST_BYTES) -> tuple[Any, int]:
    """Data that `pack` was given, and the number of bytes of its JSON.

    Args:
        most: bytes to unpack, whatever the text would come to.

    Raises:
        ValueError, zlib.error: the text is damaged, or comes to more.
    """
    stream = zlib.decompressobj(wbits=31)
    raw = stream.decompress(base64.b64decode(text, validate=True), most + 1)
    if len(raw) > most:
        raise ValueError(f"unpacked they take more than {most >> 20} MiB")
    if not stream.eof:
        raise ValueError("a block is cut off")
    return parse(raw.decode("utf-8")), len(raw)


def embed(run: Run, key: str, title: str, room: int = ROOM_BYTES) -> Embedded:
    """Pack a run.

    Args:
        key: of the run on its page, unique there.
        room: bytes that its blocks may take; samples are left out to keep to it, records never.
    """
    plain = [_without_samples(record) for record in run.records]
    samples = {
        record.id: {"samples_s": record.timing.samples_s, "parts_s": record.timing.parts_s}
        for record in run.records
        if record.timing and _has_samples(record.timing)
    }
    environments = {str(session): found for session, found in run.environments.items()}
    records = pack({"scenario": run.scenario, "environments": environments, "records": plain})
    kept, packed = _fitting(run.records, samples, room - len(records))
    return Embedded(
        key=key,
        title=title,
        cells=len(run.records),
        timed=len(samples),
        kept=kept,
        blocks={block_id(key, "records"): records, block_id(key, "samples"): packed},
    )


def manifest(runs: Sequence[Embedded], version: str) -> Markup:
    """Contents of the page, as JSON that no text in it can end."""
    facts = ("key", "title", "cells", "timed", "kept")
    listed = [{fact: getattr(run, fact) for fact in facts} for run in runs]
    return inert({"format": FORMAT, "benchsuite": version, "runs": listed})


def inert(data: Any) -> Markup:
    """JSON for a `<script>`: without <, > and &, so that neither `</script>` nor `<!--` can occur."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    # Markup: nothing that is markup is left, and quotes within a script are no attribute's.
    return Markup(text)


def _has_samples(timing: Timing) -> bool:
    return bool(timing.samples_s or timing.parts_s)


def _without_samples(record: Record) -> Any:
    """A record as data without its samples; their number stays, so that a reader knows of them."""
    timing = record.timing
    if timing is None or not _has_samples(timing):
        return as_data(record)
    plain = as_data(replace(record, timing=replace(timing, samples_s=(), parts_s={})))
    plain["timing"]["left_out"] = len(timing.samples_s)
    return plain


def _fitting(records: Sequence[Record], samples: Mapping[str, Any], room: int) -> tuple[int, str]:
    """Samples of as many cells as fit: flagged cells first, then the order of measurement."""
    packed = pack(samples)
    if len(packed) <= room:
        return len(samples), packed
    timed = [record for record in records if record.id in samples]
    order = sorted(timed, key=lambda record: not record.flags)
    share = max(room, 0) / len(packed)
    while True:
        kept = _first(order, samples, share)
        packed = pack(kept)
        if len(packed) <= room or not kept:
            return len(kept), packed
        share *= 0.9  # fewer samples may be packed less tightly


def _first(order: Sequence[Record], samples: Mapping[str, Any], share: float) -> dict[str, Any]:
    """The samples of the first records that together have this share of all samples."""
    sums = list(accumulate(len(samples[record.id]["samples_s"]) for record in order))
    return {
        record.id: samples[record.id]
        for record, taken in zip(order, sums, strict=True)
        if taken <= share * sums[-1]
    }
