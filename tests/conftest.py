"""What every test may rely on."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import pytest

# The profiler of torch logs each start and stop to stderr unless told not to.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")
# One thread a process: the tests run side by side, and their tensors are tiny.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What this machine can do at most, and its last self-test, are kept for later runs; not by the tests.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="benchsuite-tests-")

# A test that fails in CI fails at home; HYPOTHESIS_PROFILE=search looks for new examples.
with contextlib.suppress(
    ImportError
):  # a machine that is lent for its GPU may lack it, and `tests/gpu` needs none
    from hypothesis import settings

    settings.register_profile("repeatable", derandomize=True, deadline=None)
    settings.register_profile("search", max_examples=1000, deadline=None)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `gpu` on a machine without a CUDA device."""
    marked = [item for item in items if "gpu" in item.keywords]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
