"""Settings of measuring: which metrics of each cell, how precisely, and what is given up on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from benchsuite.results.devices import kind_of
from benchsuite.scenario.types import (
    AllocatorWord,
    Bytes,
    Count,
    EnergyWord,
    FailureWord,
    Flag,
    Limit,
    MeasureThreads,
    OneOrMore,
    Part,
    Positive,
    PositiveOrNone,
    Precision,
    Seconds,
    one_of,
)
from benchsuite.stats.evidence import LEAST_ROUNDS

Threads = int | Literal["all"] | None
"""As `measure.threads` says it."""
MetricGroup = Literal["cost", "latency", "memory"]
METRIC_GROUPS: tuple[MetricGroup, ...] = ("cost", "latency", "memory")
Rule = Literal["interval", "entropy", "fixed"]
RULES: tuple[Rule, ...] = ("interval", "entropy", "fixed")
Order = Literal["shuffled", "abba", "sequential"]
ORDERS: tuple[Order, ...] = ("shuffled", "abba", "sequential")

_MetricWord = Annotated[MetricGroup, one_of(METRIC_GROUPS)]
_RuleWord = Annotated[Rule, one_of(RULES)]
_OrderWord = Annotated[Order, one_of(ORDERS)]


class Measure(Part):
    """What is measured and for how long.

    A round is a fresh process that visits every cell once: it builds it, warms it up for at least
    `warmup_calls` calls and its part of `warmup_s`, longer while the samples still drift, and samples it.
    Each round has an equal part of `warmup_s`, `min_samples`, `max_samples` and `max_s`, which are those of a
    cell in `rounds` rounds. Within a round the rule "interval" ends sampling where more samples would say
    less than another round, "entropy" when new samples say nothing new, "fixed" after `max_samples`.

    With the rule "interval" more rounds follow, up to `max_rounds`, while the 95 % interval between rounds of
    some cell of a comparison group is wider than ±`precision` × median.
    """

    metrics: OneOrMore[_MetricWord] = Field(
        default=METRIC_GROUPS, description="Which groups of metrics to take."
    )
    warmup_calls: Count = Field(default=3, description="Warm up for at least so many calls in each round.")
    warmup_s: Seconds = Field(
        default=0.5, description="Warm up for at least so many seconds, over all rounds."
    )
    min_samples: Positive = Field(
        default=10, description="Samples to take whatever the time and the precision."
    )
    max_samples: Positive = Field(default=200, description="Stop after so many samples.")
    max_s: Limit = Field(default=5.0, description="Stop after so many seconds of sampling.")
    precision: Precision = Field(
        default="auto",
        description="Half width of the interval between rounds, as a share of the median, that more rounds "
        "are taken for; null: none are; auto: 0.01 on a GPU, 0.02 on a CPU.",
    )
    rule: _RuleWord = Field(default="interval", description="What ends sampling within the budgets.")
    rounds: Positive = Field(
        default=5,
        description="Fresh processes that each cell is measured in; below three there is no interval.",
    )
    max_rounds: PositiveOrNone = Field(
        default=None, description="Rounds that a cell has at most; null: twice as many as `rounds`."
    )
    order: _OrderWord = Field(default="shuffled", description="The order of cells in a round.")
    threads: MeasureThreads = Field(
        default=None,
        description="Intra-op CPU threads of torch; null: on a CPU one fewer than there are cores, so that "
        "the host has one; all: every core.",
    )
    allocator: AllocatorWord | None = Field(
        default=None,
        description="retain: a process that times on a CPU keeps its memory, as torch's allocator does on a "
        "GPU; system: as the C library does it; null: retain where that can be had.",
    )
    seed: Count = Field(default=0, description="Seed of weights, input and the order of cells.")
    check: Flag = Field(
        default=True, description="Compare each cell's output with the math kernel in fp32 before timing it."
    )
    busy: Flag = Field(
        default=True, description="On a GPU, also read how long the device is busy, without the gaps."
    )
    energy: EnergyWord = Field(
        default="auto",
        description="auto: on a GPU that counts its energy, also read the joules of a step, which takes over "
        "a second a cell; false: do not.",
    )
    ceilings: Flag = Field(
        default=True, description="Once a run, measure what the device does at most: matrix products, copies."
    )
    timeout_s: Limit = Field(default=600.0, description="Give a cell up after so many seconds in all.")
    memory_limit: Bytes = Field(
        default=None,
        description="Host memory that a worker process may have, such as 8GiB; null: all there is.",
    )
    retry: dict[FailureWord, Count] = Field(
        default_factory=dict, description="Status and how often a cell that ends so is tried again: crash: 1."
    )

    @property
    def most_rounds(self) -> int:
        """Rounds that a cell has at most."""
        adaptive = self.rule == "interval" and self.precision is not None and self.rounds >= LEAST_ROUNDS
        return (self.max_rounds or 2 * self.rounds) if adaptive else self.rounds

    def precision_on(self, device: str) -> float | None:
        """The share that rounds aim at on a device; None if there is none."""
        if self.precision != "auto":
            return self.precision
        return kind_of(device).precision
