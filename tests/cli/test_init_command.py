"""`benchsuite init`: what it writes is a scenario, and nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks._called import called

OWN = """
import torch


class Mine(torch.nn.Module):
    layout = "tokens"

    def __init__(self, dim: int, num_heads: int = 1) -> None:
        super().__init__()
        self.project = torch.nn.Linear(dim, dim)

    def forward(self, x, size):
        return self.project(x)


def net(num_classes: int = 10):
    return torch.nn.Sequential(torch.nn.Flatten(1), torch.nn.LazyLinear(num_classes))
"""


@pytest.mark.parametrize("words", [("own_layers:Mine",), ("own_layers:net", "--network")])
def test_what_it_writes_has_no_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    (tmp_path / "own_layers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    assert called("init", *words).code == 0
    answer = called("check", "scenario.yaml")
    assert (answer.code, answer.out) == (0, "scenario.yaml: ok\n")


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("mine")
    answer = called("init", "own_layers:Mine", "--out", file)
    assert answer.code == 2
    assert "is there already" in answer.err
    assert file.read_text() == "mine"


def test_a_name_without_a_class_is_refused(tmp_path: Path) -> None:
    answer = called("init", "hilo", "--out", tmp_path / "mine.yaml")
    assert answer.code == 2
    assert "package.module:Class" in answer.err
