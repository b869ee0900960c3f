"""Method behind the numbers of a run, in words: protocol, failures and warnings."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchsuite.findings.disputed_macs import disputed_macs
from benchsuite.format import counted, joined, sentence, some
from benchsuite.report import reliability
from benchsuite.report.differences import machines_of
from benchsuite.report.machine_table import flat, machine_table
from benchsuite.report.reported_cells import grouped
from benchsuite.report.words import STATUS_WORDS
from benchsuite.results.record import Record, Timing
from benchsuite.results.store import Run
from benchsuite.scenario.subjects import SCALED
from benchsuite.stats.evidence import LEAST_ROUNDS

_TIMING: Mapping[str, str] = {
    "cuda_events": "pairs of CUDA events around each step, read after the last",
    "monotonic_clock": "the monotonic clock of the host around each step",
    "host_clock": "the monotonic clock of the host around whole blocks, the device idle before and after",
}
_MEMORY: Mapping[str, str] = {
    "cuda_allocator": "the peak of torch's caching allocator during one step, in a pass of its own",
    "cuda_graph_pool": "that peak, and what a replayed CUDA graph holds for itself, in whole segments",
    "torch_profiler": "live tensors as torch's profiler saw them allocated and freed during one step",
}
_BUSY: Mapping[str, str] = {
    "cuda_graph": "replays of the step, captured as one CUDA graph",
    "profiler": "the time in which a kernel ran, as the profiler saw it",
}


Fact = tuple[str, str]
"""A term and the text on it."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Failure that one or more cells share.

    Attributes:
        cells: (id, target of the link) of each.
    """

    status: str
    where: str
    message: str
    traceback: str
    cells: tuple[tuple[str, str], ...]


def command(run: Run) -> str | None:
    """The command line of the run, quoted for a shell; None if the run does not say."""
    value = run.environment.get("command")
    if not value:
        return None
    return value if isinstance(value, str) else shlex.join(str(word) for word in value)


def protocol(run: Run) -> list[Fact]:
    """Facts on how samples were taken and counted, from the records; then the scenario's own settings."""
    records = run.records
    timed = [record.timing for record in records if record.timing is not None and record.timing.samples_s]
    settings = dict(flat(run.scenario.get("measure") or {}))
    told = {
        **(_timing(timed) | _sureness(run, timed) if timed else {}),
        "Allocator": _named(
            _ALLOCATOR, [r.timing.allocator for r in records if r.timing and r.cell.device == "cpu"]
        ),
        "Correctness": reliability.comparison(records),
        "Compilation": reliability.compilation(records),
        **_counting(records),
        "Device time": _busy(records),
        "Memory": _memory(records),
        "Settings": "; ".join(f"{key} {value}" for key, value in settings.items()),
        "Profiles": joined([str(name) for name in run.scenario.get("applied") or ()]),
        "Overrides": "; ".join(str(override) for override in run.scenario.get("overrides") or ()),
    }
    return [(term, text) for term, text in told.items() if text]


def _named(words: Mapping[str, str], found: Iterable[str]) -> str:
    """What each distinct one of these is called, as a sentence."""
    return sentence(joined([words.get(one, one) for one in dict.fromkeys(found)]))


def _timing(timed: Sequence[Timing]) -> dict[str, str]:
    counts = [len(timing.samples_s) for timing in timed]
    few, many = min(counts), max(counts)
    number = counted(few, "sample") if few == many else f"{few} to {many} samples (median {median(counts):g})"
    methods = dict.fromkeys(_TIMING.get(timing.method, timing.method) for timing in timed)
    threads = joined([str(n) for n in sorted({timing.threads for timing in timed})], "or")
    return {
        "Samples": f"{number} a cell. None was dropped.",
        "Timing": f"{joined(list(methods))}, after {median(t.warmup_calls for t in timed):.0f} warm-up calls "
        f"({median(t.warmup_s for t in timed):.2g} s) in the median cell.",
        "Threads": f"The CPU computes in {threads} while cells are timed.",
    }


_ALLOCATOR: Mapping[str, str] = {
    "retain": "the C library's, keeping memory between steps (retain), as a GPU's caching allocator does",
    "system": "the C library's as it is (system), which maps large tensors anew in every step, so that page "
    "faults are part of the time",
}
_INTERVALS = (
    "95 % confidence intervals by Student's t from the logarithms of the medians of the rounds, each of "
    "which counts once, however many samples it took. Ratios are taken within each round, so that what moves "
    "a whole process drops out. A difference is significant where the interval of the ratio excludes 1, the "
    "ratio is beyond the noise floor of the machine, and the test of Benjamini and Hochberg over all "
    "comparisons of a group agrees. Claims, which were asked before the run, are tested among themselves. "
    f"Below {LEAST_ROUNDS} rounds there is no interval."
)


def _sureness(run: Run, timed: Sequence[Timing]) -> dict[str, str]:
    machines = dict.fromkeys(map(reliability.of_machine, machines_of(run, run.records)))
    known = any(len(timing.rounds) >= LEAST_ROUNDS for timing in timed)
    return {"Intervals": _INTERVALS if known else "", "Noise floor": " ".join(machines)}


def _counting(records: Sequence[Record]) -> dict[str, str]:
    costs = [record.cost for record in records if record.cost is not None]
    scaled = dict.fromkeys(record.cell.name for record in records if SCALED in record.cell.name)
    uncounted = {record.cell.name: record.not_counted for record in records if record.not_counted}
    windows = (
        f"timm scales those of {joined([*scaled])} with the image: another network than at its own size; "
        "`params` such as window_size keep them, where there is such a one."
    )
    text = "of the forward pass of one image; a multiply–add counts as one"
    if counters := [counter for counter in dict.fromkeys(cost.counter for cost in costs) if counter]:
        text += f"; counted by {joined(counters)}"
    if missed := sorted({operator for cost in costs for operator in cost.uncounted}):
        text += f"; without a rule, so not counted: {joined(missed)}"
    if disputed := disputed_macs(records):
        text += f"; two counters differ ({some(disputed)})"
    return {
        "Windows": windows if scaled else "",
        "Not counted": sentence("; ".join(f"{name}: {why}" for name, why in uncounted.items())),
        "MACs": f"{text}." if costs else "",
    }


def _busy(records: Sequence[Record]) -> str:
    methods = Counter(record.timing.busy.method for record in records if record.timing and record.timing.busy)
    words = [f"{_BUSY.get(method, method)} ({counted(cells, 'cell')})" for method, cells in methods.items()]
    return f"{joined(words)}; in a pass of its own." if words else ""


def _memory(records: Sequence[Record]) -> str:
    words = _named(_MEMORY, (record.memory.method for record in records if record.memory is not None))
    left_out = "masks and tables that a module keeps outside its parameters and buffers are not"
    return f"{words[:-1]}; weights and input are included; {left_out}." if words else ""


def troubles(records: Sequence[Record], prefix: str) -> list[Trouble]:
    """Every cell without numbers, in full; cells with the same message share an entry."""

    def trouble(record: Record) -> tuple[str, str, str]:
        failure = record.failure
        status = STATUS_WORDS[record.status] + (" (expected)" if record.expected else "")
        where = f"{failure.kind} in stage {failure.stage}" if failure else ""
        return status, where, failure.message if failure else ""

    found = grouped((record for record in records if record.status not in ("ok", "skipped")), trouble)
    return [
        Trouble(
            status=status,
            where=where,
            message=message,
            traceback=alike[0].failure.traceback if alike[0].failure else "",
            cells=tuple((record.id, f"{prefix}{record.id}") for record in alike),
        )
        for (status, where, message), alike in found.items()
    ]


def rules(run: Run) -> list[Fact]:
    """Cells that the scenario left out or expected to fail, with its reasons."""
    facts = [
        (f"Left out: {rule.get('where', '')}", str(rule.get("reason", "")))
        for rule in run.scenario.get("exclude") or ()
    ]
    for rule in run.scenario.get("expect") or ():
        status = rule.get("status", "")
        words = [status] if isinstance(status, str) else list(status)
        expected = joined([STATUS_WORDS.get(word, str(word)) for word in words], "or")
        facts.append((f"Expected {expected}: {rule.get('where', '')}", str(rule.get("reason", ""))))
    return facts


def _within(timing: Timing, asked: object) -> bool:
    """True if the last sample that there was time for brought the wanted precision."""
    return isinstance(asked, float) and timing.precision is not None and timing.precision <= asked


def warnings(run: Run) -> list[str]:
    """Warnings that a reader should know before trusting the numbers."""
    texts = list(run.warnings)
    timed = [record.timing for record in run.records if record.timing is not None]
    few = sum(bool(timing.samples_s) and len(timing.rounds) < LEAST_ROUNDS for timing in timed)
    if few:
        texts.append(
            f"{counted(few, 'cell')} with fewer than {LEAST_ROUNDS} rounds: no interval, no order is stated"
        )
    asked = (run.scenario.get("measure") or {}).get("precision")
    short = sum(
        timing.stopped_by not in ("precision", "protocol", "entropy", "rounds") and not _within(timing, asked)
        for timing in timed
    )
    if asked and short:
        wanted = f" of {asked:g}" if isinstance(asked, float) else ""
        texts.append(f"{counted(short, 'cell')} ended before the wanted precision{wanted} was reached")
    texts += reliability.flagged(run.records)
    if (run.environment.get("git") or {}).get("dirty"):
        texts.append("benchsuite's own working tree had uncommitted changes")
    if len(run.environments) > 1 and len(machine_table(run).headers) > 2:
        texts.append("the machine or its software changed within the run: see the table of the machine")
    return texts
