"""Keep what the command line says, byte for byte, and compare it again after each step of a clean-up.

    python benchmarks/freeze.py keep FOLDER [--gate RESULT ...]
    python benchmarks/freeze.py compare FOLDER [--gate RESULT ...] [--only WORD]

Kept are, for every folder in `reports/`: `export` in each format, `claims`, `compare` with the next run,
`history` of all, and `report`; `gate-report` in each format for the results that are named; `schema`, `list`,
`show mixer` of every mixer, `check` of every scenario and of twenty wrong ones; `--help` of every command.
Version, date and paths are masked. Exits with 1 where anything differs, and shows the first lines that do. It
needs the same `reports/` and results on both sides.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["COLUMNS"] = "100"

import typer.main  # noqa: E402

from benchmarks._called import called  # noqa: E402
from benchsuite import __version__  # noqa: E402
from benchsuite.cli import app  # noqa: E402
from benchsuite.mixers import MIXERS  # noqa: E402

GOOD = """name: good
title: A good one
sweep:
  mixer: [hilo, {name: msa, label: MSA}]
  resolution: [224, 448]
  dim: 384
  num_heads: 12
"""

WRONG: dict[str, tuple[str, str]] = {
    "unknown mixer": ("hilo", "hillo"),
    "unknown axis": ("resolution:", "resolutoin:"),
    "unknown section": ("title:", "titel:"),
    "text for a number": ("384", "wide"),
    "negative": ("384", "-384"),
    "empty axis": ("[224, 448]", "[]"),
    "twice in an axis": ("[224, 448]", "[224, 224]"),
    "heads do not divide": ("num_heads: 12", "num_heads: 7"),
    "unknown parameter": ("label: MSA", "label: MSA, params: {alhpa: 0.5}"),
    "no mixer": ("  mixer: [hilo, {name: msa, label: MSA}]\n", ""),
    "not YAML": ("[224, 448]", "[224, 448"),
    "a list on top": ("name: good", "- name: good"),
    "unknown dtype": ("dim: 384", "dim: 384\n  dtype: fp23"),
    "unknown kernel": ("dim: 384", "dim: 384\n  kernel: flsah"),
    "a claim without its subject": ("sweep:", "claims: [{id: A, says: B, source: C, metric: macs}]\nsweep:"),
    "a claim about an unknown metric": (
        "sweep:",
        "claims: [{id: A, says: B, source: C, metric: mcas, subject: hilo, against: MSA, expect: lower}]\n"
        "sweep:",
    ),
    "a filter that fits nothing": ("sweep:", "exclude: [{where: mixer=nobody, reason: none}]\nsweep:"),
    "an unknown setting of measuring": ("sweep:", "measure: {warmup: 3}\nsweep:"),
    "precision with two rounds": ("sweep:", "measure: {precision: 0.01, rounds: 2}\nsweep:"),
    "a profile with a mistake": ("sweep:", "profiles: {cpu: {sweep: {batch: many}}}\nsweep:"),
}
"""What is wrong → the piece of `GOOD` that is replaced, and by what."""


def commands(folder: Path, gates: Sequence[Path]) -> Iterator[tuple[str, list[str], Path | None]]:
    """Name, words, and the file that the command writes if its output is not what it prints."""
    for words in _helps():
        yield f"help {' '.join(words)}", [*words, "--help"], None
    yield "schema", ["schema"], None
    for what in ("scenarios", "mixers", "blocks"):
        for form in ("text", "markdown", "csv", "json"):
            yield f"list {what} {form}", ["list", what, "--format", form], None
    for name in MIXERS:
        yield f"show {name}", ["show", "mixer", name], None
    for scenario in sorted((ROOT / "scenarios").glob("*.yaml")):
        yield f"check {scenario.name}", ["check", str(scenario)], None
    for number, (what, (old, new)) in enumerate(WRONG.items()):
        file = folder / f"wrong{number:02}.yaml"
        assert old in GOOD, what
        file.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
        yield f"check wrong: {what}", ["check", str(file)], None
    runs = sorted(path.parent for path in (ROOT / "reports").glob("*/records.jsonl"))
    for run, following in zip(runs, [*runs[1:], *runs[:1]], strict=True):
        for form in ("csv", "markdown"):
            yield f"export {run.name} {form}", ["export", str(run), "--format", form], None
        yield f"claims {run.name}", ["claims", str(run)], None
        yield f"compare {run.name}", ["compare", str(run), str(following)], None
        page = folder / f"{run.name}.html"
        yield f"report {run.name}", ["report", str(run), "--out", str(page)], page
    yield "history", ["history", str(ROOT / "reports")], None
    for gate in gates:
        for form in ("junit", "markdown", "comment", "github-benchmark", "bencher", "csv"):
            made = folder / f"{gate.name}.{form}"
            yield f"gate-report {gate.name} {form}", ["gate-report", str(gate), f"--{form}", str(made)], made


def _helps() -> Iterator[list[str]]:
    yield []
    root = typer.main.get_command(app)
    for name, command in sorted(vars(root)["commands"].items()):
        yield [name]
        yield from ([name, inner] for inner in sorted(vars(command).get("commands", ())))


def masked(text: str, folder: Path) -> str:
    """Without what differs from day to day and from place to place."""
    text = (
        text.replace(str(folder), "<folder>").replace(str(ROOT), "<root>").replace(__version__, "<version>")
    )
    return re.sub(r"\d{4}-\d\d-\d\d(T[\d:.]+(\+00:00|Z)?)?", "<date>", text)


def said(folder: Path, gates: Sequence[Path], only: str) -> Iterator[tuple[str, str]]:
    """Name → what each command says."""
    for name, words, made in commands(folder, gates):
        if only not in name:
            continue
        answer = called(*words)
        text = f"exit {answer.code}\n{answer.out}\n--- stderr\n{answer.err}"
        if made is not None and made.exists():
            text += f"\n--- file\n{made.read_text(encoding='utf-8')}"
        yield name, masked(text, folder)


def main() -> int:
    """Keep or compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["keep", "compare"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gate", type=Path, nargs="*", default=[])
    parser.add_argument("--only", default="", help="only commands whose name holds this word")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    differing = 0
    names = []
    with tempfile.TemporaryDirectory() as made:
        for name, text in said(Path(made), asked.gate, asked.only):
            names.append(name)
            file = asked.folder / (re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-") + ".txt")
            if asked.what == "keep":
                file.write_text(text, encoding="utf-8")
                continue
            before = file.read_text(encoding="utf-8") if file.exists() else ""
            if before != text:
                differing += 1
                print(f"differs: {name}")
                lines = difflib.unified_diff(
                    before.splitlines(), text.splitlines(), "before", "now", lineterm="", n=0
                )
                for _, line in zip(range(12), lines, strict=False):
                    print(f"    {line[:200]}")
    print(f"{len(names)} outputs {'kept' if asked.what == 'keep' else f'compared, {differing} differ'}")
    return min(1, differing)


if __name__ == "__main__":
    sys.exit(main())
