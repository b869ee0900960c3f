"""Errors as types, and the exit codes that they end with.

BenchsuiteError
├── UsageError              the input is wrong
│   ├── ScenarioError       a scenario has mistakes; carries all of them, each with its place
│   ├── RunFolderError      a run folder is missing, taken, unwritable, or not one
│   ├── RecordVersionError  a record was written by a newer version
│   ├── SelectionError      a filter expression does not parse
│   ├── DeviceError         the device asked for is not there
│   ├── ExecutorError       an executor cannot be had: no such extra, cluster or resources
│   └── ParityDataError     a golden case cannot be read
├── NotComparableError      two results were measured in ways that do not compare
├── Unsupported             this cell cannot be measured here; it becomes a record, not a crash
├── Mismatch                this cell computes something else than its reference, so it is not timed
├── Recompiled              this cell was compiled anew while it was timed
├── StorageError            records cannot be written any more
├── SideFailed              one side of a gate cannot be measured at all
├── ExecutorFailed          an executor has no workers any more
├── WorkerLost              a worker of an executor is gone, with its machine perhaps
├── WorkerDied              a worker process ended without an answer
└── WorkerTimeout           a worker process did not answer in time, and was killed
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from benchsuite.text import bounded

FINE = 0
REGRESSION = MISMATCH = 1
BAD_INPUT = 2
FAILED = 3
NOT_COMPARABLE = 4
INCONCLUSIVE = 5
INTERNAL = 70
INTERRUPTED = 130
EXIT_CODES: Mapping[int, str] = {
    FINE: "fine",
    REGRESSION: "regression or mismatch",
    BAD_INPUT: "bad input",
    FAILED: "something failed or could not be measured",
    NOT_COMPARABLE: "not comparable",
    INCONCLUSIVE: "inconclusive (only with --strict)",
    INTERNAL: "internal error",
    INTERRUPTED: "interrupted",
}
"""Every code that a command ends with. --help, action.yml, docs/running.md and docs/ci say the same."""
EXIT_SENTENCE = f"Exit codes: {', '.join(f'{code} {words}' for code, words in EXIT_CODES.items())}."

_WRAP = textwrap.TextWrapper(
    110, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
)
"""For long lists of allowed words."""


_MOST = 2_000
"""Characters of a line about a mistake, which may quote what somebody wrote."""


class BenchsuiteError(Exception):
    """Root of every error that benchsuite raises on purpose."""

    exit_code: ClassVar[int] = FAILED


class UsageError(BenchsuiteError):
    """The input is wrong. The message says what, where and what is allowed."""

    exit_code = BAD_INPUT


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in one file.

    Attributes:
        path: where in the document, `sweep.mixer[1].params.window_sise`; empty for the whole file.
        message: what is wrong, one sentence without a full stop.
        allowed: every word that would have been right, if that is a closed set.
        suggestion: the nearest right word.
        line, column: 1-based; 0 where the file has no such place (a value from the command line).
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    suggestion: str | None = None
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        lines = [bounded(f"{place}  {self.path}".rstrip(), _MOST)]
        lines.append(f"  {bounded(self.message, _MOST)}{suggested(self.suggestion)}")
        if self.allowed:
            lines += _WRAP.wrap(f"allowed: {', '.join(self.allowed)}")
        return "\n".join(lines)


DOCUMENT = "the scenario"
"""Stands for the file in the mistakes of a document that is in none."""


class ScenarioError(UsageError):
    """A scenario has mistakes; `problems` holds all of them in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def told_as(self, word: Callable[[str], str | None]) -> ScenarioError:
        """The same for a document that nobody wrote as such.

        Args:
            word: path in the document → the argument or option that it came from; None for one of no other
                name.
        """
        return ScenarioError(
            replace(one, file=said, path="") if one.file == DOCUMENT and (said := word(one.path)) else one
            for one in self.problems
        )


class RunFolderError(UsageError):
    """A run folder is missing, already taken, not writable, or not a run folder."""


class RecordVersionError(UsageError):
    """A record was written by a newer version of benchsuite than this one."""


class SelectionError(UsageError):
    """A filter expression (`mixer=hilo resolution<=448`) does not parse."""


class DeviceError(UsageError):
    """The device asked for is not present on this machine."""


class ExecutorError(UsageError):
    """An executor cannot be had: its extra is not installed, there is no cluster, or no node can do this."""


class ParityDataError(UsageError):
    """A folder of golden cases, or one case in it, cannot be read."""


class NotComparableError(BenchsuiteError):
    """Results were measured in ways that do not compare: other threads, another allocator."""

    exit_code = NOT_COMPARABLE


class Unsupported(BenchsuiteError):  # noqa: N818  a state of a cell, not a fault
    """The cell cannot be measured here: no such kernel, dtype or size. Says why."""


class Mismatch(BenchsuiteError):  # noqa: N818  a state of a cell, not a fault
    """The cell computes something else than its reference.

    Attributes:
        check: the comparison, a `results.record.Check`.
    """

    def __init__(self, message: str, check: Any) -> None:
        super().__init__(message)
        self.check = check


class Recompiled(BenchsuiteError):  # noqa: N818  names what happened
    """`torch.compile` compiled a cell anew while it was timed, or never came to an end of it."""


class StorageError(BenchsuiteError):
    """A record could not be written: the disk is full, say. What is written already is whole."""


class SideFailed(BenchsuiteError):  # noqa: N818  names what happened
    """One side of a gate could not be measured at all. Says which, and what it printed last."""


class ExecutorFailed(BenchsuiteError):  # noqa: N818  names what happened
    """An executor cannot go on. What was measured is on disk, and the run can be gone on with."""


class WorkerLost(BenchsuiteError):  # noqa: N818  names what happened
    """A worker of an executor is gone: its process, its node or its job. Says which and why."""


class WorkerDied(BenchsuiteError):  # noqa: N818  names what happened
    """A worker process ended without an answer.

    Attributes:
        kind: the signal's name, or the exit code.
        out_of_memory: whether the system killed it for want of memory.
    """

    def __init__(self, message: str, kind: str = "", *, out_of_memory: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.out_of_memory = out_of_memory


class WorkerTimeout(BenchsuiteError):  # noqa: N818  names what happened
    """A worker process did not answer within its time, and was killed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")
        self.seconds = seconds


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that `word` most likely was meant to be, or None."""
    matches = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.6)
    return matches[0] if matches else None


def suggested(word: str | None) -> str:
    """The end of a message that suggests a word: '; did you mean "hilo"?'; empty if None."""
    return f'; did you mean "{word}"?' if word else ""


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """The end of a message about a wrong word: the nearest allowed one; empty if none is near."""
    return suggested(nearest(word, allowed))


def require_word(option: str, word: str | None, allowed: Sequence[str]) -> None:
    """Raise UsageError, with the nearest right word, unless the word is None or one of those allowed."""
    if word is None or word in allowed:
        return
    raise UsageError(f'{option}: no "{word}"{did_you_mean(word, allowed)}\n  allowed: {", ".join(allowed)}')
