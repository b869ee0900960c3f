"""How often intervals from a few rounds hold what they say, on machines whose noise is known.

    python benchmarks/interval_coverage.py [--runs 4000]

A simulated run has some rounds, each with a level of its own and samples around it. Printed is, for each kind
of noise and number of rounds, the share of runs whose 95 % interval holds the value that such runs print on
average: Student on the logarithms of the rounds' medians (what `benchsuite/stats/evidence.py` does), order
statistics of these medians, a bootstrap of rounds, and order statistics of all samples pooled, as it was
before rounds were the unit. Then the same where rounds are added until the interval is narrow, and how often
the rule of evidence tells a slowdown of 10 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchsuite.stats.evidence import STOPPED_CONFIDENCE, Question, decide, ratio_of
from benchsuite.stats.intervals import median_interval, t_quantile

Array = npt.NDArray[np.float64]
Shape = tuple[int, int]
Interval = tuple[Array, Array]

ROUNDS = (5, 6, 7, 10)
LEAST, MOST = ROUNDS[0], ROUNDS[-1]
SAMPLES = 20
"""Of a round, at most."""
SPREAD = 0.01
"""Of the rounds' levels, as standard deviation of the logarithm; everything else is in proportion to it."""
SEED = 20


@dataclass(frozen=True)
class Noise:
    """A kind of machine.

    Attributes:
        levels: of each round of each run; logarithms.
        samples: what is added to that by each sample; NaN where a round took fewer.
        precision: a half width at which some runs stop early and others do not.
        held: numbers of rounds at which 93 to 97 % are asked for.
    """

    levels: Callable[[np.random.Generator, Shape], Array]
    samples: Callable[[np.random.Generator, Shape], Array]
    precision: float = 0.009
    held: tuple[int, ...] = ROUNDS

    def draw(self, runs: int, rounds: int) -> Array:
        """Logarithms of samples, of shape (runs, rounds, SAMPLES)."""
        rng = np.random.default_rng(SEED)
        levels = self.levels(rng, (runs, rounds))
        return levels[..., None] + self.samples(rng, (runs, rounds))


def normal(rng: np.random.Generator, shape: Shape) -> Array:
    return SPREAD * rng.standard_normal(shape)


def drifting(rng: np.random.Generator, shape: Shape) -> Array:
    """From beginning to end of a run the machine moves by one and a half spreads, up or down."""
    slope = 1.5 * SPREAD * rng.choice((-1.0, 1.0), (shape[0], 1))
    when = (np.arange(shape[1]) + rng.random(shape)) / shape[1]  # a visit comes anywhere within its round
    return normal(rng, shape) + slope * (when - 0.5)


def modes(apart: float, calm: float, share: float = 0.5) -> Callable[[np.random.Generator, Shape], Array]:
    """Each round falls into one of two modes, so many spreads apart, and scatters little around it."""
    return lambda rng, shape: calm * normal(rng, shape) + apart * SPREAD * (rng.random(shape) < share)


def chained(phi: float) -> Callable[[np.random.Generator, Shape], Array]:
    """Neighbouring rounds are alike."""

    def levels(rng: np.random.Generator, shape: Shape) -> Array:
        return autocorrelated(normal(rng, shape), phi)

    return levels


def autocorrelated(values: Array, phi: float) -> Array:
    for i in range(1, values.shape[-1]):
        values[..., i] = phi * values[..., i - 1] + (1 - phi**2) ** 0.5 * values[..., i]
    return values


def white(rng: np.random.Generator, shape: Shape) -> Array:
    return SPREAD * rng.standard_normal((*shape, SAMPLES))


def red(rng: np.random.Generator, shape: Shape) -> Array:
    return autocorrelated(2 * white(rng, shape), 0.9)


def unequal(rng: np.random.Generator, shape: Shape) -> Array:
    """A round takes between one sample and all of them."""
    samples = 4 * white(rng, shape)
    samples[np.arange(SAMPLES) >= rng.integers(1, SAMPLES + 1, shape)[..., None]] = np.nan
    return samples


KINDS = {
    "normal": Noise(normal, white),
    "drift over the run": Noise(drifting, white, 0.010),
    "autocorrelated samples": Noise(lambda rng, shape: 0.5 * normal(rng, shape), red, 0.015),
    "two modes, near": Noise(modes(3, 1), white, 0.016),
    "two modes, far": Noise(modes(10, 0.3), white, 0.045, held=(5, 6, 10)),
    "unequal rounds": Noise(lambda rng, shape: 0.3 * normal(rng, shape), unequal, 0.017),
    "t3 rounds": Noise(lambda rng, shape: SPREAD * rng.standard_t(3, shape), white, 0.011),
    "t3 samples": Noise(
        lambda rng, shape: 0.3 * normal(rng, shape),
        lambda rng, shape: 5 * SPREAD * rng.standard_t(3, (*shape, SAMPLES)),
        0.014,
    ),
    "lognormal rounds": Noise(lambda rng, shape: SPREAD * rng.lognormal(0, 0.6, shape), white, 0.0065),
    "lognormal samples": Noise(
        normal, lambda rng, shape: 10 * SPREAD * rng.lognormal(0, 0.8, (*shape, SAMPLES)), 0.021
    ),
    "rounds alike by 0.2": Noise(chained(0.2), white, 0.009, held=()),
    "two modes, one seldom": Noise(modes(10, 0.3, 0.3), white, 0.045, held=()),
}
"""The last two are no promise: five rounds cannot know of a mode that they have not seen, nor of what changes
more slowly than a run. That is what the machine's drift is added for."""


def medians(samples: Array) -> Array:
    return np.asarray(np.nanmedian(samples, axis=-1), dtype=np.float64)


def student(logs: Array, confidence: float = 0.95) -> Interval:
    """As `estimate` makes it, for many runs together."""
    count = logs.shape[1]
    reach = t_quantile(confidence, count - 1) * logs.std(axis=1, ddof=1) / count**0.5
    middle, value = logs.mean(axis=1), np.median(logs, axis=1)
    return np.minimum(middle - reach, value), np.maximum(middle + reach, value)


def order(logs: Array) -> Interval:
    """Order statistics of rounds; of five rounds the smallest and the largest, which hold 93.75 %."""
    count = logs.shape[1]
    ends = median_interval([float(rank) for rank in range(count)], min(0.95, 1 - 0.5 ** (count - 1)))
    assert ends is not None
    ordered = np.sort(logs, axis=1)
    low, high = (_between(ordered, end) for end in ends)
    return low, high


def bootstrap(logs: Array, draws: int = 400) -> Interval:
    """Percentiles of the median of rounds that are drawn with replacement."""
    pick = np.random.default_rng(SEED).integers(0, logs.shape[1], (draws, logs.shape[1]))
    low, high = np.quantile(np.median(logs[:, pick], axis=2), [0.025, 0.975], axis=1)
    return low, high


def pooled(samples: Array) -> Interval:
    """Order statistics of all samples, whichever round they are from."""
    ends = [median_interval(run[~np.isnan(run)].tolist()) for run in samples.reshape(len(samples), -1)]
    low, high = np.array(ends, dtype=np.float64).T
    return low, high


def share(interval: Interval, logs: Array) -> float:
    """Share of runs whose interval holds the value that runs print on average."""
    truth = np.median(logs, axis=1).mean()
    return float(((interval[0] <= truth) & (truth <= interval[1])).mean())


def stopped(kind: Noise, confidence: float, runs: int, most: int = MOST) -> tuple[float, float]:
    """Coverage, and mean number of rounds, where rounds are added from the fifth on until the interval is as
    narrow as `Noise.precision`. What is never narrow enough has the plain 95 % interval of all rounds."""
    every = medians(kind.draw(runs, most))
    going = np.ones(runs, dtype=bool)
    low, high, value, ended = (np.zeros(runs) for _ in range(4))
    for count in range(LEAST, most + 1):
        logs = every[:, :count]
        lo, hi = student(logs, confidence)
        narrow = (hi - lo) / 2 <= kind.precision
        if count == most:
            plain = student(logs)
            lo, hi = np.where(narrow, lo, plain[0]), np.where(narrow, hi, plain[1])
            narrow[:] = True
        ends = going & narrow
        low[ends], high[ends], ended[ends] = lo[ends], hi[ends], count
        value[ends] = np.median(logs, axis=1)[ends]
        going &= ~ends
    truth = value.mean()
    return float(((low <= truth) & (truth <= high)).mean()), float(ended.mean())


def _between(ordered: Array, position: float) -> Array:
    below = int(position)
    above = min(below + 1, ordered.shape[1] - 1)
    part: Array = ordered[:, below] + (position - below) * (ordered[:, above] - ordered[:, below])
    return part


def table(runs: int) -> Iterator[str]:
    """Lines in Markdown: per cent of runs at each number of rounds."""
    counts = ", ".join(map(str, ROUNDS))
    yield f"| noise | Student, {counts} rounds | order statistics | bootstrap | pooled samples |"
    yield "|---|---|---|---|---|"
    for name, kind in KINDS.items():
        found: dict[str, list[str]] = {"student": [], "order": [], "bootstrap": [], "pooled": []}
        for rounds in ROUNDS:
            samples = kind.draw(runs, rounds)
            logs = medians(samples)
            few = logs[: runs // 4]
            for method, interval, values in (
                ("student", student(logs), logs),
                ("order", order(logs), logs),
                ("bootstrap", bootstrap(few), few),
                ("pooled", pooled(samples[: runs // 4]), few),
            ):
                found[method].append(f"{100 * share(interval, values):.0f}")
        yield f"| {name} | {' | '.join(' '.join(one) for one in found.values())} |"


def stopping(runs: int) -> Iterator[str]:
    """Lines in Markdown: coverage and rounds with the plain interval and with the wider one."""
    yield f"| noise, stopped by precision | nominal 95 % | nominal {100 * STOPPED_CONFIDENCE:.0f} % |"
    yield "|---|---|---|"
    for name, kind in KINDS.items():
        both = [stopped(kind, confidence, runs) for confidence in (0.95, STOPPED_CONFIDENCE)]
        said = " | ".join(f"{100 * held:.1f} % ({rounds:.1f} rounds)" for held, rounds in both)
        yield f"| {name} | {said} |"


def seen(trials: int, *, rounds: int, others: int, differing: float, noise: float = 0.02) -> float:
    """Share of trials in which a slowdown of 10 % is told, among other ratios of which a share differ.

    Ratios of single rounds scatter by 2.7 %, so that the interval of five reaches ±3.4 %.
    """
    rng, found = np.random.default_rng(SEED), 0
    for _ in range(trials):
        logs = 0.027 * rng.standard_normal((1 + others, rounds))
        logs[0] += np.log(1.1)
        logs[1 : 1 + int(differing * others)] += rng.uniform(0.1, 1.5)
        family = {i: Question(ratio_of(one.tolist()), noise=noise) for i, one in enumerate(logs)}
        found += decide(family)[0].side == "above"
    return found / trials


def sight(trials: int) -> Iterator[str]:
    """Lines in Markdown: how often the rule tells a slowdown of 10 %."""
    yield "| a slowdown of 10 % | five rounds | seven rounds |"
    yield "|---|---|---|"
    for name, others, differing in (
        ("alone", 0, 0.0),
        ("among 23 of which most differ", 23, 0.8),
        ("among 23 equal ones", 23, 0.0),
    ):
        told = [seen(trials, rounds=n, others=others, differing=differing) for n in (5, 7)]
        yield f"| {name} | {' | '.join(f'{100 * one:.0f} %' for one in told)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=4000, help="simulated runs of each kind")
    runs = parser.parse_args().runs
    print("\n".join(table(runs)), end="\n\n")
    print("\n".join(stopping(runs)), end="\n\n")
    print("\n".join(sight(runs // 8)))


if __name__ == "__main__":
    main()
