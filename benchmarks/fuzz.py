"""Mutants of the files that benchsuite reads, through every command that reads them.

    python benchmarks/fuzz.py      # 1,000 scenarios, 300 records files, 200 reports, and others
    python benchmarks/fuzz.py --only records --first 17 --count 1 --keep /tmp/mutant

A command fails if it prints a traceback, ends with a code that is not documented, with 1 though it judges
nothing, or leaves a file outside its folder. Mutant and commands follow from the number alone.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import random
import re
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # as a script it finds the package that it lies beside

from benchmarks._called import Answer, called  # noqa: E402
from benchsuite.errors import EXIT_CODES, INTERNAL, REGRESSION  # noqa: E402

RUN = HERE.parent / "tests" / "data" / "outside" / "run"
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1 << 63, 10**400, 0.0, -0.5, 1e308, 5e-324, float("nan"), float("inf"), "", "x", "é😀",
    "\ud800", "\x1b[31m\x00\r", "../../x", "/etc/passwd", "=1+1", "<script>", "{{ 7 * 7 }}", "$x$", "%s",
    "x" * 5000, [], {}, [[]], {"": {}}, [1, "a", None], {"a": [float("nan")]},
)  # fmt: skip
"""What a value is replaced by."""
TOKENS = (
    b"NaN", b"-Infinity", b"1e999", b"9" * 500, b"[" * 3000, b"{" * 3000, b'"', b"\\", b"\\ud800", b"\x00",
    b"\x1b[2J", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\t", b": ", b"- ", b"&a *a", b"<<: *a",
    b"!!python/object:os.system", b"<script>", b"-->", b"]", b"}", b",",
)  # fmt: skip
"""What is put between bytes."""


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        count: mutants of it in a whole run.
        plant: writes mutant number n into a folder.
        commands: the words of the commands that read it, in that folder.
    """

    count: int
    plant: Callable[[random.Random, Path], None]
    commands: tuple[tuple[str, ...], ...]


def bitten(rng: random.Random, data: bytes) -> bytes:
    """Bytes with one to four wounds."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        span = rng.choice((1, 1, 2, 8, 64))
        piece = data[at : at + span]
        data = rng.choice((
            data[:at] + data[at + span :],
            data[:at] + piece * rng.choice((2, 3, 50)) + data[at + span :],
            data[:at] + rng.choice(TOKENS) + data[at:],
            data[:at] + rng.choice(TOKENS) + data[at + span :],
            data[:at] + bytes(rng.randrange(256) for _ in piece) + data[at + span :],
            data[:at],
        ))  # fmt: skip
    return data


def twisted(rng: random.Random, data: Any) -> Any:
    """Plain data with one to three values that are odd, gone, or elsewhere."""
    data = json.loads(json.dumps(data))
    for _ in range(rng.randint(1, 3)):
        places = list(_places(data))
        if not places:
            return deepcopy(rng.choice(ODD))
        holder, key = rng.choice(places)
        what = rng.random()
        if what < 0.15:
            del holder[key]
        elif what < 0.3:
            there, other = rng.choice(places)
            holder[key] = json.loads(json.dumps(there[other], default=str)) if there is not holder else None
        elif what < 0.4 and isinstance(holder, dict):
            holder[str(rng.choice(ODD))[:100]] = deepcopy(rng.choice(ODD))
        else:
            holder[key] = deepcopy(rng.choice(ODD))  # else a list of it may come to hold itself
    return data


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every value below, as its holder and its key."""
    for key in list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ():
        yield data, key
        yield from _places(data[key])


def _text(data: Any) -> bytes:
    return json.dumps(data).encode()


def plant_scenario(rng: random.Random, folder: Path) -> None:
    """A shipped scenario, bitten."""
    source = rng.choice(sorted((HERE.parent / "scenarios").glob("*.yaml")))
    (folder / "s.yaml").write_bytes(bitten(rng, source.read_bytes()))


def plant_records(rng: random.Random, folder: Path) -> None:
    """A run whose records are bitten, or twisted line by line."""
    run = shutil.copytree(RUN, folder / "runs" / "run")
    raw = (run / "records.jsonl").read_bytes()
    if rng.random() < 0.5:
        lines = raw.splitlines()
        chosen = rng.randrange(len(lines))
        lines[chosen] = _text(twisted(rng, json.loads(lines[chosen])))
        raw = b"\n".join(lines) + b"\n"
    else:
        raw = bitten(rng, raw)
    (run / "records.jsonl").write_bytes(raw)
    shutil.copytree(RUN, folder / "whole")
    shutil.copy(_made("baseline.json"), folder)


def plant_folder(rng: random.Random, folder: Path) -> None:
    """A run of which scenario or environment is bitten or twisted."""
    plant_records(random.Random(0), folder)
    shutil.copy(RUN / "records.jsonl", folder / "runs" / "run")
    _wound(rng, folder / "runs" / "run" / rng.choice(("scenario.json", "environment.json")))


def plant_report(rng: random.Random, folder: Path) -> None:
    """A report that is bitten near its data, or whose data are twisted."""
    page = _made("report.html").read_bytes()
    blocks = list(
        re.finditer(rb'(<script type="application/[a-z]+" id="benchsuite-[a-z0-9-]+">)([^<]*)', page)
    )
    block = rng.choice([one for one in blocks if b"library" not in one[1] and b"table" not in one[1]])
    start, end = block.span(2)
    if rng.random() < 0.4:
        around = slice(max(0, start - 80), end)
        page = page[: around.start] + bitten(rng, page[around]) + page[end:]
    else:
        packed = b"gzip" in block[1]
        text = gzip.decompress(base64.b64decode(block[2])) if packed else block[2]
        text = _text(twisted(rng, json.loads(text))) if rng.random() < 0.7 else bitten(rng, text)
        text = base64.b64encode(gzip.compress(text, 1)) if packed else text.replace(b"<", b"\\u003c")
        page = page[:start] + text + page[end:]
    (folder / "r.html").write_bytes(page)


def plant_baseline(rng: random.Random, folder: Path) -> None:
    """A baseline and the result of a gate, each wounded."""
    shutil.copytree(RUN, folder / "run")
    for name in ("baseline.json", "result.json"):
        shutil.copy(_made(name), folder)
        _wound(rng, folder / name)


def _wound(rng: random.Random, path: Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(_text(twisted(rng, json.loads(raw))) if rng.random() < 0.5 else bitten(rng, raw))


_home = tempfile.TemporaryDirectory(prefix="benchsuite-fuzz-")


def _made(name: str) -> Path:
    """A file that commands of today make of the run."""
    home = Path(_home.name)
    if not (home / "result.json").is_file():
        called("report", RUN, "--out", home / "report.html")
        called("baseline", "update", RUN, "--out", home / "made")
        next((home / "made").glob("*.json")).rename(home / "baseline.json")
        called("gate", RUN, "--baseline", home / "baseline.json", "--out", home / "gate")
        (home / "gate" / "result.json").rename(home / "result.json")
    return home / name


READERS = (
    ("status", "runs/run"),
    ("export", "runs/run"),
    ("export", "runs/run", "--format", "markdown"),
    ("export", "runs/run", "--format", "parquet", "--out", "r.parquet"),
    ("claims", "runs/run"),
    ("claims", "runs/run", "--format", "json"),
    ("compare", "runs/run", "whole"),
    ("compare", "whole", "runs/run", "--format", "markdown", "--out", "c.html"),
    ("compare", "runs/run", "whole", "whole", "--format", "json"),
    ("history", "runs"),
    ("history", "runs", "--format", "csv"),
    ("history", "runs", "--format", "otava", "--out", "otava"),
    ("merge", "runs/run", "whole", "--out", "merged", "--on-conflict", "last"),
    ("baseline", "update", "runs/run", "--out", "baselines"),
    (
        "gate",
        "runs/run",
        "--baseline",
        "baseline.json",
        "--junit",
        "j.xml",
        "--comment",
        "c.md",
        "--csv",
        "g.csv",
    ),
    ("analyse", "runs/run", "--only", "nothing"),
    ("report", "runs/run", "--out", "r.html"),
    ("publish", "runs/run", "--site", "site"),
)
KINDS = {
    "scenarios": Kind(1000, plant_scenario, (("check", "s.yaml"),)),
    "records": Kind(300, plant_records, READERS),
    "folders": Kind(100, plant_folder, READERS),
    "reports": Kind(200, plant_report, (("extract", "r.html", "--out", "out"),)),
    "baselines": Kind(
        200,
        plant_baseline,
        (
            ("baseline", "show", "baseline.json"),
            (
                "gate",
                "run",
                "--baseline",
                "baseline.json",
                "--github-benchmark",
                "b.json",
                "--bencher",
                "m.json",
            ),
            ("gate-report", "result.json"),
            ("gate-report", "result.json", "--junit", "j.xml", "--csv", "g.csv", "--comment", "c.md"),
        ),
    ),
}


def planted(name: str, number: int, folder: Path) -> None:
    """Write mutant `number` of a kind into an empty folder."""
    KINDS[name].plant(random.Random(f"{name} {number}"), folder)


def wrong(words: Sequence[str], answer: Answer) -> str:
    """What is wrong with how a command ended; empty if nothing is."""
    if "Traceback" in answer.err or answer.code == INTERNAL:
        return (answer.err.strip().splitlines() or ["?"])[-2:][0]
    if answer.code not in EXIT_CODES:
        return f"exit code {answer.code}"
    if answer.code == REGRESSION and not words[0].startswith("gate"):
        return "exit code 1, and it judges nothing"
    return ""


def tried(
    name: str, number: int, home: Path, commands: Sequence[Sequence[str]] | None = None
) -> Iterator[str]:
    """What is wrong with the commands that read mutant `number` of a kind, planted in an empty folder."""
    inner = home / "inner" / "folder"
    inner.mkdir(parents=True)
    ours = (inner, inner.parent)
    planted(name, number, inner)
    for command in commands or KINDS[name].commands:
        placed = [str(inner / word) if _is_path(word) else word for word in command]
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of odd glyphs and numbers; a user sees them, and they end nothing
            answer = called(*placed)
        fault = wrong(command, answer)
        if fault:
            yield f"{name} {number}: {' '.join(command)}: {fault}"
        strays = [path.name for path in (*home.iterdir(), *inner.parent.iterdir()) if path not in ours]
        if strays:
            yield f"{name} {number}: {' '.join(command)}: wrote {', '.join(strays)} beside its folder"
        CODES[command[0]][answer.code] += 1


CODES: dict[str, Counter[int]] = {words[0]: Counter() for kind in KINDS.values() for words in kind.commands}
"""Command → how often it ended with each code."""


def _is_path(word: str) -> bool:
    return (
        "." in word
        or "/" in word
        or word in ("runs", "whole", "run", "out", "merged", "baselines", "site", "otava")
    )


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=KINDS, action="append")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int)
    parser.add_argument("--keep", type=Path, help="Plant the first mutant here, and run nothing.")
    options = parser.parse_args(words)
    faults: list[str] = []
    for name in options.only or KINDS:
        if options.keep:
            options.keep.mkdir(parents=True)
            planted(name, options.first, options.keep)
            return 0
        count = options.count or KINDS[name].count
        for number in range(options.first, options.first + count):
            with tempfile.TemporaryDirectory(prefix="benchsuite-fuzz-") as home:
                for fault in tried(name, number, Path(home)):
                    print(fault, flush=True)
                    faults.append(fault)
        print(f"{name}: {count} mutants", flush=True)
    for command, codes in CODES.items():
        if codes:
            print(f"{command:<12}{', '.join(f'{code}: {times}' for code, times in sorted(codes.items()))}")
    print(f"faults: {len(faults)}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
