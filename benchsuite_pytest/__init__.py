"""A gate in a project's own tests: `pytest --benchsuite-gate FILE`, and the fixture `bench_cell`.

Only what is counted is tested here: MACs, parameters and operators, which are the same on every machine. A
time is not, since the unit of evidence is the process, and a test runs in one: times belong to `benchsuite
gate SCENARIO --base REF`.

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


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchsuite", "benchsuite: gate on MACs, parameters and operators")
    group.addoption(
        "--benchsuite-gate",
        metavar="FILE",
        default=None,
        help="Add a test for each cell of a baseline that `benchsuite baseline exact` wrote.",
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
        from benchsuite_pytest.gate import tests_of

        items.extend(tests_of(session, Path(file), config.getoption("--benchsuite-pythonpath")))


@pytest.fixture
def bench_cell() -> Callable[..., Cost]:
    """Count one mixer on "meta": `bench_cell("pkg.mixers:Mine", dim=64, resolution=224).macs`.

    Arguments are those of a mixer in a scenario: `dim`, `num_heads`, `resolution` in pixels, `stride`,
    `kernel`; all others go to the mixer. Fails the test if it cannot be built.
    """
    from benchsuite_pytest.gate import counted

    def count(target: str, **arguments: Any) -> Cost:
        return counted(target, arguments)

    return count
