"""The benchmark of benchsuite's own cost: what counts as measuring, and that its parts make up the whole."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml


@pytest.fixture
def overhead(repository: Path) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        yield importlib.import_module("overhead")


@pytest.mark.slow
def test_the_parts_of_the_overhead_make_it_up(
    overhead: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert overhead.main(["--cells", "4", "--rounds", "2"]) == 0
    out = capsys.readouterr().out
    assert "4 cells, 2 rounds: planned in " in out
    rows = re.findall(r"^( *)(\w.*?)  .*?([-\d.]+)%$", out, flags=re.MULTILINE)
    whole = {name: float(share) for indent, name, share in rows if not indent}
    parts = {name: float(share) for indent, name, share in rows if indent}
    assert list(whole) == ["measured steps", "memory pass", "warm-up", "overhead"]
    assert sum(whole.values()) == pytest.approx(100, abs=0.21)
    assert list(parts)[:2] == ["builds and comparison", "start of processes, messages"]
    assert sum(parts.values()) == pytest.approx(whole["overhead"], abs=1)


@pytest.mark.slow
def test_the_parts_of_a_whole_run_make_it_up(
    overhead: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    document = overhead.TINY | {"sweep": overhead.TINY["sweep"] | {"batch": 2}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    assert overhead.main(["--scenario", str(tmp_path / "tiny.yaml")]) == 0
    out = capsys.readouterr().out
    (told, started) = map(float, re.findall(r"([\d.]+)% of", out))
    assert out.splitlines()[2].startswith("4 cells in ")
    parts = {
        name: float(share)
        for name, share in re.findall(r"^  (\w.*?)  .* ([-\d.]+)%$", out, flags=re.MULTILINE)
    }
    assert sum(parts.values()) == pytest.approx(100, abs=0.4)
    assert parts["measured steps"] + parts["memory pass"] == pytest.approx(told, abs=0.11)
    assert told < started < 100
    assert parts["memory pass"] > 0
    assert min(parts.values()) >= 0


def test_a_ratio_is_looked_at_until_its_interval_is_narrow(overhead: ModuleType) -> None:
    aim = overhead.Aim(within=0.01)
    for look in [(1.00, 2.0), (1.01, 2.0), (0.99, 2.0), (1.00, 2.0)]:
        aim.looks.append(look)
        assert not aim.over  # whatever their spread, there are too few
    aim.looks.append((1.0, 2.0))
    assert aim.ratio == pytest.approx(0.5, abs=1e-4)
    # Student's t of 4 degrees at 97 % is 3.298, and the five logarithms deviate by 0.00707.
    assert aim.half_width == pytest.approx(3.298 * 0.00707 / 5**0.5, rel=0.01)
    assert not aim.over
    aim.looks += [(1.0, 2.0)] * 5
    assert aim.over


@pytest.mark.slow
def test_each_way_to_a_ratio_says_how_long_it_took(
    overhead: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overhead, "MIN_RUN_S", 0.001)
    monkeypatch.setattr(overhead, "LEAST_LOOKS", 3)
    assert overhead.main(["--ratio", "pooling", "cb", "--within", "9", "--times", "1"]) == 0
    rows = capsys.readouterr().out.splitlines()
    looks = {row[:24].strip(): row.split()[-3] for row in rows if "±" in row}
    assert looks == dict.fromkeys(("benchsuite", "torch, fresh processes", "torch, one process"), "3")
    assert [row.partition(":")[0] for row in rows if "median" in row] == list(looks)
