"""The table of executors: name on the command line → what opens it, with the options that it takes.

An executor is imported when it is opened, and with it what it needs beyond benchsuite.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchsuite.errors import ExecutorError, did_you_mean
from benchsuite.runner.executors.executor import Executor

Value = int | float | str | bool
Kind = Callable[[str], Value]


def number(text: str) -> int:
    """A whole number, 1 or more."""
    value = int(text)
    if value < 1:
        raise ValueError("must be 1 or more")
    return value


def seconds(text: str) -> float:
    """A time span above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError("must be above 0")
    return value


def count(text: str) -> int:
    """A whole number, 0 or more."""
    value = int(text)
    if value < 0:
        raise ValueError("must be 0 or more")
    return value


def yes(text: str) -> bool:
    """A choice."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in words:
        raise ValueError("must be true or false")
    return words[text.lower()]


def minutes(text: str) -> int:
    """A time span as SLURM writes them: minutes, H:MM:SS or D-HH:MM:SS; in whole minutes, rounded up."""
    days, _, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if days:
        padded = [*parts, 0, 0][:3]
        whole_s = ((int(days) * 24 + padded[0]) * 60 + padded[1]) * 60 + padded[2]
    elif len(parts) == 1:
        whole_s = parts[0] * 60
    else:
        padded = [0, 0, *parts][-3:]
        whole_s = (padded[0] * 60 + padded[1]) * 60 + padded[2]
    if whole_s <= 0:
        raise ValueError("must be above 0")
    return -(-whole_s // 60)


@dataclass(frozen=True, slots=True)
class ExecutorRow:
    """One executor.

    Attributes:
        target: "module:name" of its class, or of a function, which takes its options and the folders of
            `--pythonpath`.
        options: name of an option → how its value is read.
    """

    target: str
    options: Mapping[str, Kind] = field(default_factory=dict)


EXECUTORS: dict[str, ExecutorRow] = {
    "process": ExecutorRow("benchsuite.runner.executors.local:local_executor", {"workers": number}),
    "inline": ExecutorRow("benchsuite.runner.executors.local:inline_executor"),
    "ray": ExecutorRow(
        "benchsuite.runner.executors.ray:RayExecutor",
        {
            "address": str,
            "timeout": seconds,
            "gpu_type": str,
            "resource": str,
            "workers": number,
            "retries": count,
        },
    ),
    "slurm": ExecutorRow(
        "benchsuite.runner.executors.slurm:SlurmExecutor",
        {
            "cluster": str,
            "tasks": number,
            "parallel": number,
            "retries": count,
            "requeues": count,
            "poll": seconds,
            "time": minutes,
            "partition": str,
            "account": str,
            "qos": str,
            "constraint": str,
            "gpus": number,
            "gpu_type": str,
            "cpus": number,
            "mem": str,
            "exclusive": yes,
            "exclude": str,
            "nodelist": str,
        },
    ),
}
"""Name on the command line → executor.

Options of Ray: `workers` is for each node, for CPU cells. `timeout` is in seconds, for the cluster to answer
and a worker to be placed. `gpu_type` and `resource` say which nodes.

Options of SLURM: the first six are ours, the others go to `sbatch`. `tasks` is how many jobs the array has
(32 at most if not said, 1 on this machine), `parallel` how many run at a time, `retries` how often a group is
begun again whose job was lost, `requeues` how often a job may run out of its time.
"""


def require_executor(name: str) -> None:
    """Raise ExecutorError unless there is an executor of this name."""
    if name not in EXECUTORS:
        hint = did_you_mean(name, EXECUTORS)
        raise ExecutorError(f"no executor {name!r}{hint}; allowed: {', '.join(EXECUTORS)}")


def open_executor(name: str, pythonpath: Sequence[str], options: Sequence[str] = ()) -> Executor:
    """Start an executor.

    Args:
        options: `key=value` words.

    Raises:
        ExecutorError: there is no such executor or option, its extra is not installed, or no cluster answers.
    """
    require_executor(name)
    row = EXECUTORS[name]
    module, _, attribute = row.target.partition(":")
    values = parse(options, row.options, name)
    executor: Executor = getattr(importlib.import_module(module), attribute)(values, pythonpath)
    return executor


def parse(texts: Sequence[str], kinds: Mapping[str, Kind], executor: str) -> dict[str, Value]:
    """`key=value` words → values; of a key that stands twice the last counts.

    Raises:
        ExecutorError: a word is of another form, an executor has no such option, or a value does not fit.
    """
    options: dict[str, Value] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            raise ExecutorError(f"--executor-option {text!r}: write key=value")
        if key not in kinds:
            hint = did_you_mean(key, kinds)
            allowed = ", ".join(kinds) or "none"
            raise ExecutorError(
                f'--executor-option: executor "{executor}" has no option "{key}"{hint}\n  allowed: {allowed}'
            )
        try:
            options[key] = kinds[key](value.strip())
        except ValueError as error:
            raise ExecutorError(f"--executor-option {key}={value}: {error}") from None
    return options
