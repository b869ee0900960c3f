"""What a scenario measures of each cell, how precisely, and what it gives up on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from benchsuite.scenario.kinds import (
    Bytes,
    Count,
    FailureWord,
    Flag,
    Limit,
    OneOrMore,
    Part,
    Positive,
    Precision,
    Seconds,
    Threads,
    one_of,
)

MetricGroup = Literal["cost", "latency", "memory"]
METRIC_GROUPS: tuple[MetricGroup, ...] = ("cost", "latency", "memory")
Rule = Literal["interval", "entropy", "fixed"]
RULES: tuple[Rule, ...] = ("interval", "entropy", "fixed")
Order = Literal["shuffled", "abba", "sequential"]
ORDERS: tuple[Order, ...] = ("shuffled", "abba", "sequential")

PRECISIONS = {"cpu": 0.02, "cuda": 0.01}
"""Class of device → the precision that "auto" asks for: a GPU's samples spread less."""

_MetricWord = Annotated[MetricGroup, one_of(METRIC_GROUPS), WithJsonSchema({"enum": list(METRIC_GROUPS)})]
_RuleWord = Annotated[Rule, one_of(RULES), WithJsonSchema({"enum": list(RULES)})]
_OrderWord = Annotated[Order, one_of(ORDERS), WithJsonSchema({"enum": list(ORDERS)})]


class Measure(Part):
    """What is measured and for how long.

    The cells of one comparison group take turns, in `rounds` rounds. In a round a cell is warmed up for at
    least `warmup_calls` calls and `warmup_s` seconds, longer while its samples still drift, and then sampled.
    The rule "interval" ends sampling when the 95 % interval of the median has a half width of at most
    `precision` × median, "entropy" when new samples say nothing new, "fixed" after `max_samples`. None of
    them ends before `min_samples`, nor goes on after `max_samples` or `max_s` seconds; all three are for the
    cell, over its rounds.
    """

    metrics: OneOrMore[_MetricWord] = Field(
        default=METRIC_GROUPS, description="Which groups of metrics to take."
    )
    warmup_calls: Count = Field(default=3, description="Warm up for at least so many calls.")
    warmup_s: Seconds = Field(default=0.5, description="Warm up for at least so many seconds.")
    min_samples: Positive = Field(
        default=10, description="Samples to take whatever the time and the precision."
    )
    max_samples: Positive = Field(default=200, description="Stop after so many samples.")
    max_s: Limit = Field(default=5.0, description="Stop after so many seconds of sampling.")
    precision: Precision = Field(
        default="auto",
        description="Stop when the interval's half width is this share of the median; null: never; auto: "
        "0.01 on a GPU, 0.02 on a CPU.",
    )
    rule: _RuleWord = Field(default="interval", description="What ends sampling within the budgets.")
    rounds: Positive = Field(default=3, description="How often the cells of a group take turns.")
    order: _OrderWord = Field(default="shuffled", description="Their order in a round.")
    threads: Threads = Field(
        default=None, description="Intra-op CPU threads of torch; null leaves torch's choice."
    )
    seed: Count = Field(default=0, description="Seed of weights, input and the order of cells.")
    check: Flag = Field(
        default=True, description="Compare each cell's output with the math kernel in fp32 before timing it."
    )
    busy: Flag = Field(
        default=True, description="On a GPU, also read how long the device is busy, without the gaps."
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

    def precision_on(self, device: str) -> float | None:
        """The share that sampling aims at on a device; None to use up the budget."""
        if self.precision != "auto":
            return self.precision
        return PRECISIONS["cuda" if device.startswith("cuda") else "cpu"]
