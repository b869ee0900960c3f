"""`benchsuite init`: what it writes is a scenario, and nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks._called import called

OWN = """
import torch


class Mine(torch.nn.Module):
    layout = "BNC"

    def __init__(self, dim: int, num_heads: int = 1) -> None:
        super().__init__()
        self.project = torch.nn.Linear(dim, dim)

    def forward(self, x, size):
        return self.project(x)


class Fused(Mine):
    def __init__(self, dim: int, num_heads: int = 1, kernel: str = "math") -> None:
        super().__init__(dim)


class Net(torch.nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, width, 4, 4)

    def forward(self, x):
        return self.stem(x).mean((2, 3))


class Pool(torch.nn.Module):
    layout = "NCHW"

    def forward(self, x):
        return torch.nn.functional.avg_pool2d(x, 3, 1, 1)


def net(num_classes: int = 10):
    return torch.nn.Sequential(torch.nn.Flatten(1), torch.nn.LazyLinear(num_classes))
"""


@pytest.mark.parametrize(
    "words",
    [
        ("own_layers:Mine",),
        ("own_layers:Fused",),
        ("own_layers:net", "--network"),
        ("own_layers:Net",),
        ("own_layers:Pool", "--mixer"),
    ],
)
def test_what_it_writes_has_no_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    (tmp_path / "own_layers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    assert called("init", *words).code == 0
    answer = called("check", "scenario.yaml")
    assert (answer.code, answer.out) == (0, "scenario.yaml: ok\n")
    answer = called("check", "scenario.yaml", "--build")
    assert answer.code == 0, answer.out + answer.err
    assert "unsupported" not in answer.out + answer.err


def test_a_class_in_another_folder_is_read_there_and_the_next_command_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "far_layers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    answer = called("init", "far_layers:Fused", "--pythonpath", "src")
    assert answer.out.rstrip().endswith("next: benchsuite check scenario.yaml --pythonpath src")
    text = (tmp_path / "scenario.yaml").read_text()
    assert "kernel: [math, sdpa]" in text
    assert "benchsuite run scenario.yaml --pythonpath src --dry-run" in text
    assert called("init", "far_layers:Fussed", "--pythonpath", "src", "--out", "b.yaml").code == 2


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("mine")
    answer = called("init", "--out", file)
    assert answer.code == 2
    assert "is there already" in answer.err
    assert file.read_text() == "mine"


def test_its_folder_is_made(tmp_path: Path) -> None:
    out = tmp_path / "scenarios" / "own.yaml"
    assert called("init", "--out", str(out)).code == 0
    assert out.read_text(encoding="utf-8").startswith("#")


def test_a_name_without_a_class_is_refused(tmp_path: Path) -> None:
    answer = called("init", "hilo", "--out", tmp_path / "mine.yaml")
    assert answer.code == 2
    assert "package.module:Class" in answer.err


def test_both_kernels_stand_in_the_file_of_a_class_that_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_layers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    for name, kernel in {"Mine": "kernel: math ", "Fused": "kernel: [math, sdpa]"}.items():
        assert called("init", f"own_layers:{name}", "--out", f"{name}.yaml").code == 0
        assert f"\n  {kernel}" in Path(f"{name}.yaml").read_text()


def test_a_name_that_its_module_has_not_is_refused_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_layers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    answer = called("init", "own_layers:Fusd")
    assert answer.code == 2
    assert 'module own_layers has no "Fusd"; did you mean "Fused"?' in answer.err
    assert not Path("scenario.yaml").exists()


def test_a_module_that_is_not_there_is_refused_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").write_text("")
    (tmp_path / "own_package" / "mixers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    for target, said in {
        "own_package.mixer:Mine": 'no module "mixer" in own_package; did you mean "mixers"?',
        "own_package.mixers:Nope": 'module own_package.mixers has no "Nope"',
    }.items():
        answer = called("init", target)
        assert answer.code == 2
        assert answer.err.startswith(f"{target}: {said}")
    assert not Path("scenario.yaml").exists()
    assert called("init").code == 0  # a scenario to put one's own into
    assert "my_package.my_module:MyAttention" in Path("scenario.yaml").read_text()


def test_a_class_that_takes_no_dim_is_taken_for_a_network_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_layers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    assert "if it is a mixer, say --mixer" in called("init", "own_layers:Net").out
    assert "subject: backbone" in Path("scenario.yaml").read_text()
    assert "--mixer" not in called("init", "own_layers:Mine", "--out", "b.yaml").out
    assert "subject: backbone" not in Path("b.yaml").read_text()


def test_a_dot_in_place_of_the_colon_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wants = 'for one of your own write "own_layers:Mine"'
    assert wants in called("time", "own_layers.Mine").err
    Path("one.yaml").write_text("name: a\nsweep: {mixer: [own_layers.Mine], resolution: 64, dim: 8}\n")
    answer = called("check", "one.yaml")
    assert answer.code == 2
    assert wants in answer.out + answer.err
