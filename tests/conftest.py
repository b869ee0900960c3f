"""What every test may rely on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from tests.commands import Answer, Cli

# The profiler of torch logs each start and stop to stderr unless told not to.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")
# One thread a process: the tests run side by side, and their tensors are tiny.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What this machine can do at most, and its last self-test, are kept for later runs; not by the tests.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="benchsuite-tests-")

# Under nohup this process ignores SIGHUP, and so would the runs that the tests start and hang up on.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# A test that fails in CI fails at home; HYPOTHESIS_PROFILE=search looks for new examples.
with contextlib.suppress(
    ImportError
):  # a machine that is lent for its GPU may lack it, and `tests/gpu` needs none
    from hypothesis import settings

    settings.register_profile("repeatable", derandomize=True, deadline=None)
    settings.register_profile("search", max_examples=1000, deadline=None)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

REPOSITORY = Path(__file__).resolve().parents[1]
_SAMPLED = "BENCHSUITE_SAMPLED_TESTS"
_MARKS = "not compile"
"""What pyproject.toml asks for; another `-m` is somebody's own choice."""
_ONE_IN = 16
"""Of the cases of a test that has more than so many, one in so many is in the sample."""


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    """The command line in this process: exit code, stdout and stderr of one command."""
    from benchsuite.cli import main

    def call(*words: str | Path) -> Answer:
        monkeypatch.setattr("sys.argv", ["benchsuite", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        return Answer(int(caught.value.code or 0), *capfd.readouterr())

    return call


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--all`, which `make test-all` gives."""
    parser.addoption("--all", action="store_true", help="slow tests too, and every case of every test")


def pytest_configure(config: pytest.Config) -> None:
    """Whoever names files or tests gets all of them; the processes of xdist are told by the environment."""
    if not hasattr(config, "workerinput"):
        asked = config.option.all or config.option.keyword or config.option.markexpr != _MARKS
        named = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
        os.environ[_SAMPLED] = "" if asked or named else "1"


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups after it
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long and most cases of long tables, unless asked for; skip `gpu` without a GPU."""
    if os.environ[_SAMPLED]:
        kept = _sample(items)
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = [item for item in items if item in kept]
    _skip_without_gpu(items)
    _keep_together(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Leave the processes of slow tests out of coverage, which delays the start of each by 0.3 s of CPU time:
    they are hundreds, and run what the processes of other tests run."""
    with pytest.MonkeyPatch.context() as patch:
        if "slow" in item.keywords:
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        return (yield)


def _sample(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """All tests but those marked slow; of one with many cases, those whose names have the smallest hashes, so
    that they are the same ones everywhere."""
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        if "slow" not in item.keywords:
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    return {
        case
        for cases in tests.values()
        for case in sorted(cases, key=_hash)[
            : max(1, len(cases) // _ONE_IN) if len(cases) > _ONE_IN else None
        ]
    }


def _hash(item: pytest.Item) -> bytes:
    return hashlib.sha256(item.nodeid.encode()).digest()


def _keep_together(items: Iterable[pytest.Item]) -> None:
    """Let one process of xdist run the tests that share what a fixture of their module makes, once."""
    for item in items:
        found = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ()
        shares = any(fixture.scope == "module" for fixtures in found for fixture in fixtures)
        if shares and "xdist_group" not in item.keywords:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def _skip_without_gpu(items: list[pytest.Item]) -> None:
    marked = [item for item in items if "gpu" in item.keywords]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
