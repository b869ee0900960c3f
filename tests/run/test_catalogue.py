"""What is read from the source of the zoo is what the classes are."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from benchsuite.mixers import MIXERS
from benchsuite.run.build import mixer_class
from benchsuite.run.catalogue import entry, known_parameters


@pytest.mark.parametrize("name", MIXERS)
def test_parameters_and_layout_are_those_of_the_class(name: str) -> None:
    cls = mixer_class(name)
    found = entry(name)
    assert [parameter.name for parameter in found.parameters] == list(inspect.signature(cls).parameters)
    assert found.layout == cls.layout
    assert found.summary
    assert "arXiv:" in found.paper


def test_axes_are_no_parameters_but_heads_may_be() -> None:
    assert "dim" not in known_parameters()["hilo"]
    assert "kernel" not in known_parameters()["hilo"]
    assert {"alpha", "num_heads", "window_size"} <= set(known_parameters()["hilo"])


def test_reading_needs_no_torch(repository: Path) -> None:
    code = (
        "import sys; from benchsuite.run.catalogue import known_parameters; known_parameters(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=repository).returncode == 0
