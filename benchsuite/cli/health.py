"""Commands about this machine: doctor and selftest."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchsuite.errors import INTERRUPTED, MISMATCH, UsageError

if TYPE_CHECKING:
    from benchsuite.health.doctor import Diagnosis
    from benchsuite.health.selftest import Selftest

FILE = "selftest.json"
_WORDS = {"ok": "ok", "warn": "warn", "fail": "FAIL", "skip": "–"}


def doctor(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    format: Annotated[str, typer.Option(help="text or json.")] = "text",
) -> None:
    """Look at this machine: what would spoil measurements, and what to do about it. Changes nothing."""
    import json

    from benchsuite.health.doctor import findings
    from benchsuite.health.system_info import system_info

    if format not in ("text", "json"):
        raise UsageError(f"no format {format!r}; allowed: text, json")
    known = system_info(device)
    problems = findings(known)
    if format == "json":
        from dataclasses import asdict

        data = {"facts": known, "findings": [asdict(one) for one in problems]}
        print(json.dumps(data, indent=2, ensure_ascii=False))
        return
    for name, text in _machine_lines(known):
        print(f"{name:<10}  {text}")
    print()
    for finding in problems:
        print(*_finding_lines(finding), sep="\n")


def selftest(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    quick: Annotated[
        bool, typer.Option("--quick", help="Less of everything; the result is not kept for the machine.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help=f"Also write {FILE} into this folder.")
    ] = None,
) -> None:
    """Prove the instrument on this machine, in some three minutes: the same cell against itself, things of
    known cost, and other people's clocks. Says what a difference must exceed here to mean something.

    Warnings are about the machine. A FAIL is about the instrument, and makes the exit code 1.
    """
    from benchsuite.health.selftest import FULL, QUICK
    from benchsuite.health.selftest import selftest as test
    from benchsuite.runner.workers import ProcessWorkers

    if out is not None:
        _require_folder(out)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler of torch logs each start and stop
    try:
        done = test(device, QUICK if quick else FULL, ProcessWorkers, _say, ("benchsuite", *sys.argv[1:]))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    _print_table(done)
    _keep(done, out)
    _print_sum(done)
    if not done.passed:
        raise typer.Exit(MISMATCH)


def _say(words: str) -> None:
    print(f"{words} …", file=sys.stderr, flush=True)


def _require_folder(out: Path) -> None:
    """Refuse a folder that cannot be written to, before any time is spent."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be made: {error.strerror}") from error


def _print_table(done: Selftest) -> None:
    from benchsuite.terminal import print_rows

    rows = [
        {
            "": _WORDS[one.level],
            "check": one.name,
            "found": one.value,
            "limit": one.limit,
            "means": one.means,
        }
        for one in done.verdicts
    ]
    print_rows(rows)
    print()


def _keep(done: Selftest, out: Path | None) -> None:
    import json

    from benchsuite.cli.options import write
    from benchsuite.measurement.machine_cache import keep_selftest, selftest_file

    if not done.quick:
        keep_selftest(done.document)
        print(f"kept in {selftest_file(done.fingerprint)}")
    if out is not None:
        write(json.dumps(done.document, indent=2, ensure_ascii=False) + "\n", out / FILE)
        print(f"written to {out / FILE}")


def _print_sum(done: Selftest) -> None:
    from benchsuite.health.verdict import share

    failed = sum(one.level == "fail" for one in done.verdicts)
    warned = sum(one.level == "warn" for one in done.verdicts)
    sound = "the instrument is sound" if done.passed else f"{failed} FAILED: do not trust numbers from here"
    warnings = f", {warned} warning{'s' if warned > 1 else ''} about the machine" if warned else ""
    if done.noise is not None:
        print(
            f"noise: {share(done.noise.ratio)} of a ratio within a run; "
            f"drift: {share(done.noise.drift)} of a latency from run to run"
        )
    print(f"{done.device}: {sound}{warnings}, {done.seconds:.0f} s")


def _finding_lines(finding: Diagnosis) -> Iterator[str]:
    yield f"{finding.level:<4}  {finding.what}"
    if finding.effect:
        yield (
            f"      spoils: {finding.effect}" if finding.level == "warn" else f"      means: {finding.effect}"
        )
    if finding.remedy:
        yield f"      remedy: {finding.remedy}"


def _machine_lines(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and text of what is known of the machine."""
    from benchsuite.format import byte_size

    cpu, memory, torch = facts["cpu"], facts["memory"], facts["torch"]
    yield "machine", f"{facts['os']}, Python {facts['python']}"
    yield (
        "CPU",
        f"{cpu['model'] or 'unknown'}; {cpu['logical_cores']} cores, {cpu['usable_cores']} usable, "
        f"{cpu['threads']} threads, {cpu['instructions']}",
    )
    if cpu["mhz"]:
        boost = {True: ", boost on", False: ", boost off"}.get(cpu["boost"], "")
        yield "clock", f"{cpu['mhz']:.0f} MHz, governor {cpu['governor'] or 'unknown'}{boost}"
    if "total" in memory:
        swap = byte_size(memory.get("swap_used", 0), 3) if memory.get("swap_total") else "no"
        free = byte_size(memory.get("available", float("nan")), 3)
        yield "memory", f"{free} of {byte_size(memory['total'], 3)} free, {swap} swap"
    for one in facts["processes"]:
        yield "process", f"{one['name']} (pid {one['pid']}), {one['cores']:.2f} cores"
    for gpu in facts["gpus"]:
        yield gpu["device"], _gpu(gpu)
    yield (
        "torch",
        f"{torch['version']}, CUDA {torch['cuda'] or 'none'}, cuDNN {torch['cudnn'] or 'none'}"
        + {True: ", TF32", False: ", no TF32"}.get(torch["tf32"], ""),
    )
    there = [name for name, works in torch["kernels"].items() if works]
    yield "attention", f"{', '.join(there)} on {facts['device']}"
    installed = [f"{name} {version}" for name, version in facts["packages"].items() if version]
    yield "optional", ", ".join(installed) or "none installed"


def _gpu(gpu: Mapping[str, Any]) -> str:
    """One GPU in a line; what is unknown is left out."""
    parts = [
        ("{}", "name"),
        ("driver {}", "driver"),
        ("SM clock {:g} MHz", "sm_clock_mhz"),
        ("at most {:g} MHz", "max_sm_clock_mhz"),
        ("{:g} °C", "temperature_c"),
        ("limit {:g} W", "power_limit_w"),
        ("processes {}", "processes"),
    ]
    words = [form.format(gpu[key]) for form, key in parts if gpu.get(key) is not None]
    if gpu.get("throttle"):
        words.append(f"clock reasons {' '.join(gpu['throttle'])}")
    for key, name in (("mig", "MIG"), ("persistence", "persistence")):
        if gpu.get(key) is not None:
            words.append(f"{name} {'on' if gpu[key] else 'off'}")
    return ", ".join(words)
