"""Name on the command line → engine. What an engine needs beyond benchsuite is imported when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchsuite.errors import ExecutorError, nearest
from benchsuite.runner.executors.executor import Engine
from benchsuite.runner.executors.local import LocalEngine, LocalPoolEngine
from benchsuite.runner.executors.options import number, parse
from benchsuite.runner.workers import EXECUTORS

Opened = Callable[[Sequence[str], Sequence[str]], Engine]


def _process(pythonpath: Sequence[str], texts: Sequence[str]) -> Engine:
    options = parse(texts, {"workers": number}, "process")
    if int(options.get("workers", 1)) > 1:
        return LocalPoolEngine(int(options["workers"]), pythonpath)
    return LocalEngine(EXECUTORS["process"](pythonpath), "process")


def _inline(pythonpath: Sequence[str], texts: Sequence[str]) -> Engine:
    parse(texts, {}, "inline")
    return LocalEngine(EXECUTORS["inline"](pythonpath), "inline")


def _ray(pythonpath: Sequence[str], texts: Sequence[str]) -> Engine:
    from benchsuite.runner.executors.ray import OPTIONS, RayEngine

    return RayEngine(parse(texts, OPTIONS, "ray"), pythonpath)


def _slurm(pythonpath: Sequence[str], texts: Sequence[str]) -> Engine:
    from benchsuite.runner.executors.slurm import OPTIONS, SlurmEngine

    return SlurmEngine(parse(texts, OPTIONS, "slurm"), pythonpath)


ENGINES: dict[str, Opened] = {"process": _process, "inline": _inline, "ray": _ray, "slurm": _slurm}
"""Name → what opens it, given the folders of `--pythonpath` and the words of `--executor-option`."""


def require_engine(name: str) -> None:
    """Raise ExecutorError unless there is an executor of this name."""
    if name not in ENGINES:
        near = nearest(name, ENGINES)
        hint = f'; did you mean "{near}"?' if near else ""
        raise ExecutorError(f"no executor {name!r}{hint}; allowed: {', '.join(ENGINES)}")


def open_engine(name: str, pythonpath: Sequence[str], options: Sequence[str] = ()) -> Engine:
    """Start an engine.

    Args:
        options: `key=value` words.

    Raises:
        ExecutorError: there is no such executor or option, its extra is not installed, or no cluster answers.
    """
    require_engine(name)
    return ENGINES[name](pythonpath, options)
