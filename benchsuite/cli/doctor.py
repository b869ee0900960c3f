"""The command about this machine: doctor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchsuite.errors import UsageError

if TYPE_CHECKING:
    from benchsuite.health.doctor import Diagnosis


def doctor(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    format: Annotated[str, typer.Option(help="text or json.")] = "text",
) -> None:
    """Look at this machine: what would spoil measurements, and what to do about it. Changes nothing."""
    import json

    from benchsuite.health.doctor import findings
    from benchsuite.health.facts import facts

    if format not in ("text", "json"):
        raise UsageError(f"no format {format!r}; allowed: text, json")
    known = facts(device)
    found = findings(known)
    if format == "json":
        from dataclasses import asdict

        data = {"facts": known, "findings": [asdict(one) for one in found]}
        print(json.dumps(data, indent=2, ensure_ascii=False))
        return
    for name, text in _described(known):
        print(f"{name:<10}  {text}")
    print()
    for finding in found:
        print(*_lines(finding), sep="\n")


def _lines(finding: Diagnosis) -> Iterator[str]:
    yield f"{finding.level:<4}  {finding.what}"
    if finding.effect:
        yield (
            f"      spoils: {finding.effect}" if finding.level == "warn" else f"      means: {finding.effect}"
        )
    if finding.remedy:
        yield f"      remedy: {finding.remedy}"


def _described(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
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
