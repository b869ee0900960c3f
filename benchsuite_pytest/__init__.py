"""A gate in a project's own tests: `pytest --benchsuite-gate FILE`, and two fixtures.

`bench_cell` counts one mixer. `benchsuite_gate` measures a scenario, in processes of its own, since the unit
of evidence about times is the process, and a test runs in one.

pytest imports this in every run of an environment that has benchsuite. So it imports nothing of benchsuite,
and no torch, until it is asked for something; and it is no part of that package, or coverage would begin too
late.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from benchsuite.results.record import Cost
    from benchsuite_pytest.times import ScenarioGate

REWRITTEN = "benchsuite_rewritten"
"""Property of a test that wrote a baseline anew; its value says what changed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchsuite", "benchsuite: has a change made mixers slower or larger?")
    group.addoption(
        "--benchsuite-gate",
        metavar="FILE",
        default=None,
        help="Add a test for each cell of a baseline that `benchsuite baseline exact` wrote.",
    )
    group.addoption(
        "--benchsuite-update",
        action="store_true",
        help="Write the baselines anew in place of comparing with them.",
    )
    group.addoption(
        "--benchsuite-pythonpath",
        metavar="DIR",
        action="append",
        default=[],
        help="Look here for the mixers' modules; repeatable.",
    )


@pytest.hookimpl(tryfirst=True)  # so that -k and -m choose among these tests, too
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    file = config.getoption("--benchsuite-gate")
    if file is not None:
        from benchsuite_pytest.counts import tests_of

        pythonpath, update = _options(config)
        items.extend(tests_of(session, Path(file), pythonpath, update=update))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == REWRITTEN:
                terminalreporter.write_line(f"benchsuite: written anew: {text}")


@pytest.fixture
def bench_cell(pytestconfig: pytest.Config) -> Callable[..., Cost]:
    """Count one mixer on "meta": `bench_cell("pkg.mixers:Mine", dim=64, resolution=224).macs`.

    Arguments are those of a mixer in a scenario: `dim`, `num_heads`, `resolution` in pixels, `stride`,
    `kernel`; all others go to the mixer. Fails the test if it cannot be built.
    """
    from benchsuite_pytest.counts import counted

    pythonpath, _ = _options(pytestconfig)

    def count(target: str, **arguments: Any) -> Cost:
        return counted(target, arguments, pythonpath)

    return count


@pytest.fixture
def benchsuite_gate(pytestconfig: pytest.Config, tmp_path: Path) -> ScenarioGate:
    """Measure a scenario and fail if it became slower or larger: `benchsuite_gate("scenarios/mine.yaml")`.

    With `base="main"` the files as they are and that revision are measured in turns. Without, the scenario is
    compared with what was stored for this machine; see `ScenarioGate.__call__`.
    """
    from benchsuite_pytest.times import ScenarioGate

    pythonpath, update = _options(pytestconfig)
    return ScenarioGate(tmp_path, pythonpath, _say_at_once(pytestconfig), update=update)


def _say_at_once(config: pytest.Config) -> Callable[[str], None]:
    """What prints a line now, though output is captured until a test ends: a gate takes minutes."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    if reporter is None or capture is None:  # a process of pytest-xdist
        return print

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"benchsuite: {line}")

    return say


def _options(config: pytest.Config) -> tuple[tuple[str, ...], bool]:
    return tuple(config.getoption("--benchsuite-pythonpath")), config.getoption("--benchsuite-update")
