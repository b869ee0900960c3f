"""The command gate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchsuite.analyse.simulate import Rates
    from benchsuite.scenario.gate import Gate

_MANY = 200
"""Cells of a large scenario."""
_WIDTH = 160
"""Of tables where stdout is no terminal."""


def gate(
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Say how often the rule errs on machines of known noise.")
    ] = False,
    scenario: Annotated[
        str | None, typer.Option(metavar="FILE", help="Take the rule from this scenario's `gate`.")
    ] = None,
    trials: Annotated[int, typer.Option(help="Simulated comparisons for each number.")] = 1000,
) -> None:
    """Say how often the rule for regressions cries wolf, and how often it sees one. Measures nothing."""
    from benchsuite.analyse.gate import expected_by_chance
    from benchsuite.analyse.simulate import table
    from benchsuite.run.fitted import fitted
    from benchsuite.scenario.gate import Gate

    if not simulate:
        raise UsageError("gate needs --simulate: it measures nothing yet")
    if trials < 1:
        raise UsageError(f"--trials must be 1 or more, not {trials}")
    rule = _rule(scenario) if scenario else Gate()
    print(_described(rule))
    print()
    print(fitted([_row(rates) for rates in table(rule, trials=trials)], _width()))
    print()
    print(f"{trials} comparisons each; the others have passed the screen, or are called the same.")
    many = expected_by_chance(_MANY, rule.confidence)
    print(f"Of {_MANY} cells exactly at the limit, {many:.2g} would be called slower by chance, on average.")


def _rule(scenario: str) -> Gate:
    from benchsuite.run.catalogue import known_parameters
    from benchsuite.scenario.find import resolve
    from benchsuite.scenario.load import load

    return load(resolve(scenario), known_parameters(())).gate


def _described(rule: Gate) -> str:
    screen = (
        f"only a cell whose median ratio over {rule.screen} pairs of processes is above gets {rule.pairs} "
        "fresh pairs, which decide"
        if rule.screen
        else f"every cell gets {rule.pairs} pairs of processes"
    )
    sure = f"{100 * rule.confidence:g} %"
    return f"slower: the {sure} interval of the ratio lies above {1 + rule.delta:g}; {screen}"


def _row(rates: Sequence[Rates]) -> dict[str, str]:
    """Verdicts of one regime; the first effect is none, so "slower" is a false alarm there."""
    from benchsuite.analyse.simulate import at_most

    same = rates[0]
    alarms = same.counts.get("slower", 0)
    bound = _percent(at_most(alarms, same.trials))
    row = {
        "machine": same.regime.name,
        "order": same.order,
        "false alarms": f"{_percent(same.share('slower'))} (at most {bound})",
        "unchanged: inconclusive": _percent(same.share("inconclusive")),
    }
    for one in rates[1:]:
        row[f"{one.effect:+.0%} caught"] = _percent(one.share("slower"))
        row[f"{one.effect:+.0%} inconclusive"] = _percent(one.share("inconclusive"))
    return row


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
