"""Retained memory: no page faults in a warm step; the variables of others and the memory pass left as they
are."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from benchsuite.measurement import allocator

GLIBC = pytest.mark.skipif(not allocator.can_retain(), reason=f"not retained by {allocator.library()}")
_FAULTS = """
import json, resource, sys
import torch
from benchsuite.measurement import allocator
word = allocator.retain() if sys.argv[1] == "retain" else allocator.in_use()
torch.set_num_threads(1)
left, right = torch.randn(700, 700), torch.randn(700, 700)
def step():
    for _ in range(10):
        (left @ right).softmax(-1)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(json.dumps([word, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before]))
"""


def faults(word: str, **environment: str) -> tuple[str, int]:
    """The allocator in force, and the page faults of a warm step, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _FAULTS, word],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    return str(found[0]), int(found[1])


@GLIBC
def test_a_process_that_retains_its_memory_has_no_page_faults_in_warm_steps() -> None:
    # A threshold below the size of the tensors is what the history of a process may leave.
    word, many = faults("system", MALLOC_MMAP_THRESHOLD_="65536")
    assert word == "system"
    assert many > 1000
    word, few = faults("retain", MALLOC_MMAP_THRESHOLD_="65536")
    assert word == "retain"
    assert few < 20


@pytest.mark.parametrize("name", ["jemalloc", "tcmalloc"])
def test_a_preloaded_allocator_is_named_and_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_mapped", lambda: f"7f00 r-xp /usr/lib/lib{name}.so.2")
    assert allocator.library() == name
    assert not allocator.can_retain()
    assert allocator.retain() == allocator.in_use() == name


def test_where_the_library_is_another_the_word_is_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    monkeypatch.setattr(allocator, "_mapped", lambda: "")
    monkeypatch.setattr(sys, "platform", "linux")
    assert allocator.library() == "musl"
    assert allocator.retain() == "system"
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert allocator.library() == "Darwin"
    assert allocator.retain() == "system"
    allocator.trim()  # does nothing
