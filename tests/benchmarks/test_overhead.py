"""The benchmark of benchsuite's own cost: what counts as measuring, and that its parts make up the whole."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.builders import make_record


@pytest.fixture
def overhead(repository: Path) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        yield importlib.import_module("overhead")


def test_measuring_is_warm_up_and_samples_of_what_was_timed(overhead: ModuleType) -> None:
    assert overhead.measuring_s(make_record(samples=(0.010, 0.011, 0.012))) == pytest.approx(0.1 + 0.033)
    assert overhead.measuring_s(make_record(status="oom")) == 0.0


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
    assert list(whole) == ["warm-up and samples", "memory pass", "overhead"]
    assert sum(whole.values()) == pytest.approx(100, abs=0.11)
    assert list(parts)[:2] == ["building, checking, machine state", "messages"]
    assert sum(parts.values()) == pytest.approx(whole["overhead"], abs=1)


@pytest.mark.slow
def test_the_parts_of_a_whole_run_make_it_up(
    overhead: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    document = overhead.TINY | {"sweep": overhead.TINY["sweep"] | {"batch": 2}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    assert overhead.main(["--scenario", str(tmp_path / "tiny.yaml")]) == 0
    out = capsys.readouterr().out
    (told,) = re.findall(r"^4 cells in .*: ([\d.]+)% of it measuring$", out, flags=re.MULTILINE)
    parts = {
        name: float(share)
        for name, share in re.findall(r"^  (\w.*?)  .* ([-\d.]+)%$", out, flags=re.MULTILINE)
    }
    assert sum(parts.values()) == pytest.approx(100, abs=0.4)
    assert parts["warm-up and samples"] + parts["memory pass"] == pytest.approx(float(told), abs=0.11)
    assert parts["memory pass"] > 0
    assert min(parts.values()) >= 0
