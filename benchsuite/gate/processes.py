"""Processes of the base and the candidate: each is a `benchsuite run` of its own, in its own folder.

What passes between a gate and its sides are scenario files and run folders, whose versions are known, so that
a side may be of an older or a newer benchsuite.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from benchsuite.errors import SideFailed, UsageError
from benchsuite.results.cell import SETTINGS, Cell
from benchsuite.results.store import RECORDS, REPORT, Run, read_run
from benchsuite.scenario.expand import expand, variants
from benchsuite.scenario.model import Scenario

_ROOT = Path(__file__).resolve().parents[2]
"""Where this benchsuite can be imported from."""
_LAST_LINES = 12
"""Of what a side printed, in the message when it failed."""
_KEPT = ("name", "title", "subject", "sweep", "include")
_OF_MEASURE = ("warmup_calls", "max_samples", "threads", "timeout_s", "memory_limit")
"""Settings that a process of the gate takes over as they are."""
_PROBE = """
import importlib.util, json, sys
def place(name):
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    return spec.origin or next(iter(spec.submodule_search_locations or ()), None)
from benchsuite import __version__, backbones, mixers
tables = (mixers.MIXERS, getattr(mixers, "BLOCKS", {}), getattr(backbones, "BACKBONES", {}))
known = [name for table in tables for name in table]
places = {name: place(name) for name in ("benchsuite", *sys.argv[1:])}
print(json.dumps({"version": __version__, "known": known, "places": places}))
"""
"""Says where a side finds modules, and what its zoo has. Imports no torch and nothing of the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSide:
    """The base or the candidate of a gate.

    Attributes:
        name: "base" or "candidate".
        words: what it is, for a reader: "main (a1b2c3d)".
        folder: where its processes run; the first place in which they look for modules, by PYTHONPATH.
        top: the top of its checkout; None where no revision is compared.
        pythonpath: folders relative to `folder`, the next places.
        env: its own virtual environment, which `python` is of; None if it has none.
    """

    name: str
    words: str
    folder: Path
    python: str
    top: Path | None = None
    pythonpath: tuple[str, ...] = ()
    env: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of its processes."""
        own = [str(self.folder / path) for path in ("", *self.pythonpath)]
        ours = [] if _ROOT.name in ("site-packages", "dist-packages") else [str(_ROOT)]
        paths = [*own, *filter(None, [os.environ.get("PYTHONPATH")]), *ours]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        if self.env is None:
            return variables
        programs = os.pathsep.join([str(self.env / "bin"), os.environ.get("PATH", os.defpath)])
        return {**variables, "VIRTUAL_ENV": str(self.env), "PATH": programs}

    def holds(self, place: str | None) -> bool:
        """Whether a file belongs to its checkout, or to what was installed for it."""
        homes = [home for home in (self.top, self.env) if home is not None]
        return place is not None and any(Path(place).resolve().is_relative_to(home) for home in homes)


@dataclass(frozen=True, slots=True)
class Probe:
    """Version, names and modules of a side, as it says itself.

    Attributes:
        version: of its benchsuite.
        known: names of its zoo.
        places: top-level module → the file that it is imported from; None where there is none.
    """

    version: str
    known: frozenset[str]
    places: Mapping[str, str | None]


def interpreter(word: str | None, folder: Path) -> str:
    """The python that a word names: one on PATH, or a path from the side's folder or from here.

    Raises:
        UsageError: there is none.
    """
    if word is None:
        return sys.executable
    if os.sep not in word:
        python = shutil.which(word)
    else:
        tried = (folder / word, Path.cwd() / word)
        # Not resolved: a virtual environment's python is a link, and known by where the link is.
        python = next((str(path.absolute()) for path in tried if path.is_file()), None)
    if python is None:
        raise UsageError(f"no interpreter {word!r}: not on PATH, in {folder} or in {Path.cwd()}")
    return python


def probe(side: GateSide, modules: Sequence[str]) -> Probe:
    """Ask a side where it finds these top-level modules.

    Raises:
        SideFailed: it cannot import benchsuite.
    """
    done = subprocess.run(
        [side.python, "-c", _PROBE, *modules],
        cwd=side.folder,
        env=side.environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise failed(side, f"{side.python} cannot import benchsuite", done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    return Probe(found["version"], frozenset(found["known"]), found["places"])


def set_up(side: GateSide, command: str, log: Path) -> None:
    """Run a user's command in a side's folder.

    Raises:
        SideFailed: it failed.
    """
    if code := _run(side, command, log):
        printed = log.read_text(encoding="utf-8", errors="replace")
        raise failed(side, f"--setup {shlex.quote(command)} exited with {code}", printed)


def process_scenario(
    scenario: Scenario, cells: Sequence[Cell], *, device: str, seed: int, exact: bool
) -> dict[str, Any]:
    """Plain data of a scenario file that measures exactly these cells of `scenario`.

    It says nothing that an older benchsuite might not know: no gate, no claims, no report, and of the
    settings only what sampling needs. So a side may be of any revision that can run a scenario.

    Args:
        cells: some of what `scenario` expands to; at least one.
        device: what "auto" means.
        seed: of weights, input and the order of the cells; the same for both sides of a pair.
        exact: also count, look at memory and compare outputs with their references; else only time.
    """
    whole = scenario.model_dump(mode="json", exclude_defaults=True)
    document = {key: whole[key] for key in _KEPT if key in whole}
    _prune(document, scenario, cells, device)
    document["measure"] = _measure(scenario, seed=seed, exact=exact)
    rest = expand(Scenario.from_dict(document), device=device)
    wanted = {cell.id for cell in cells}
    assert wanted <= {cell.id for cell in rest}
    document["exclude"] = [
        {"where": _only(cell, rest), "reason": "not asked for"} for cell in rest if cell.id not in wanted
    ]
    return document


def run_process(side: GateSide, document: Mapping[str, Any], folder: Path) -> Run:
    """Measure a scenario on a side, in processes that begin and end with it.

    Args:
        document: of `process_scenario`.
        folder: of the run; stays.

    Raises:
        SideFailed: it ended without having measured anything.
        KeyboardInterrupt: what it ran is gone.
    """
    log = folder.with_suffix(".log")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="benchsuite-scenario-") as home:
        scenario = Path(home) / "scenario.json"
        scenario.write_text(json.dumps(document), encoding="utf-8")
        words = ("-m", "benchsuite", "run", str(scenario), "--out", str(folder.resolve()), "--quiet")
        code = _run(side, [side.python, *words], log)
    if code not in (0, 3) or not (folder / RECORDS).is_file():
        printed = log.read_text(encoding="utf-8", errors="replace")
        raise failed(
            side, f"benchsuite run exited with {code}", printed.replace(str(scenario), "the scenario")
        )
    (folder / REPORT).unlink(missing_ok=True)  # `benchsuite report` makes it again
    if not log.stat().st_size:
        log.unlink()
    return read_run(folder)


def _run(side: GateSide, command: str | Sequence[str], log: Path) -> int:
    """Run a command, or a text for the shell, in a side's folder; its exit code.

    A wait that is broken off ends the process and all that it started.
    """
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command, shell=isinstance(command, str), cwd=side.folder, env=side.environment,
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
        ) as process,
    ):  # fmt: skip
        try:
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def failed(side: GateSide, what: str, printed: str) -> SideFailed:
    """The error of a side, with the last lines of what it printed."""
    lines = [f"  {line}" for line in printed.strip().splitlines()[-_LAST_LINES:]]
    return SideFailed("\n".join([f"the {side.name}, {side.words}, could not be measured: {what}", *lines]))


def _prune(document: dict[str, Any], scenario: Scenario, cells: Sequence[Cell], device: str) -> None:
    """Drop mixers or networks without a wanted cell: this side may not know them. The device "auto" becomes
    `device`, the kernel "auto" those that the cells have, resolved once for both sides."""
    labels = {cell.name for cell in cells}
    kept = {variant.entry for variant in variants(scenario.sweep) if variant.label in labels}
    lists: dict[str, list[Any]] = {"mixer": [], "backbone": []}
    for entry in sorted(kept):
        axis, number = scenario.sweep.place(entry)
        lists[axis].append(document["sweep"][axis][number])
    words = {one["name"] for entries in lists.values() for one in entries} | set(labels)
    includes = []
    for one in document.get("include", ()):
        named = {axis: [word for word in one[axis] if word in words] for axis in lists if axis in one}
        if not named or any(named.values()):
            rest = {key: value for key, value in one.items() if key not in named}
            includes.append(rest | {axis: left for axis, left in named.items() if left})
    meant: dict[str, Sequence[str]] = {
        "device": [device],
        "kernel": list(dict.fromkeys(cell.kernel for cell in cells)),
    }
    document["include"] = [_resolved(one, meant) for one in includes]
    if not lists["mixer"]:
        document["subject"] = "backbone"
    sweep = {key: value for key, value in document["sweep"].items() if key not in lists}
    sweep["device"] = sweep.get("device", ["auto"])
    entries = {axis: found for axis, found in lists.items() if found}
    document["sweep"] = _resolved(sweep | entries, meant)


def _resolved(axes: dict[str, Any], meant: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The axes with the values that "auto" is meant to be, on the axes that know the word."""
    resolved = dict(axes)
    for axis in meant.keys() & axes.keys():
        values = [meant[axis] if word == "auto" else [word] for word in axes[axis]]
        resolved[axis] = list(dict.fromkeys(chain.from_iterable(values)))
    return resolved


def _measure(scenario: Scenario, *, seed: int, exact: bool) -> dict[str, Any]:
    """One round in shuffled order, with the gate's budgets, which are used up: a rule that stops on precision
    would give the two sides different numbers of samples."""
    measure, gate = scenario.measure, scenario.gate
    settings = {key: getattr(measure, key) for key in _OF_MEASURE}
    return settings | {
        "metrics": list(measure.metrics) if exact else ["latency"],
        "check": measure.check and exact,
        "rule": "fixed",
        "rounds": 1,
        "order": "shuffled",
        "seed": seed,
        "warmup_s": gate.warmup_s,
        "min_samples": gate.min_samples,
        "max_samples": max(measure.max_samples, gate.min_samples),
        "max_s": gate.max_s,
        "busy": False,
        "ceilings": False,
    }


def _only(cell: Cell, among: Sequence[Cell]) -> str:
    """A filter that holds for this cell and for no other: a label is one mixer with its parameters."""
    terms = [f'mixer="{cell.name}"']
    for axis in SETTINGS:
        value, values = getattr(cell, axis), dict.fromkeys(getattr(one, axis) for one in among)
        if len(values) == 1:
            continue
        if value is None:  # that which has none of the others' values
            terms.append(f"{axis}!={','.join(str(one) for one in values if one is not None)}")
        else:
            terms.append(f"{axis}={value[0]}x{value[1]}" if axis == "resolution" else f"{axis}={value}")
    return " ".join(terms)
