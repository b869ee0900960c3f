"""A report that was made to harm: nothing is written outside the folder named, and nothing has no end."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from benchmarks._called import Answer, called
from benchsuite.report.explore import extract as extracting
from benchsuite.report.explore.embed import FORMAT, MANIFEST, block_id, inert, unpack
from benchsuite.results.store import read_run

RUN = Path(__file__).parents[1] / "data" / "outside" / "run"


OUTSIDE = "/tmp/benchsuite-planted"


def packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


def content(**changes: Any) -> str:
    """What a page holds of a run: no samples are left out of its records."""
    lines = (RUN / "records.jsonl").read_text(encoding="utf-8").splitlines()
    data = {
        "scenario": json.loads((RUN / "scenario.json").read_text(encoding="utf-8")),
        "environments": {"1": {}},
        "records": [json.loads(line) for line in lines],
    }
    return json.dumps(data | changes)


def page(path: Path, *keys: str, records: str | None = None, samples: str = "{}") -> Path:
    """A report with a run of each key."""
    manifest = {"format": FORMAT, "benchsuite": "0", "runs": [{"key": key} for key in keys]}
    blocks = [f'<script type="application/json" id="{MANIFEST}">{inert(manifest)}</script>']
    for key in dict.fromkeys(keys):
        for what, text in (("records", records or content()), ("samples", samples)):
            blocks.append(
                f'<script type="application/gzip" id="{block_id(key, what)}">{packed(text)}</script>'
            )
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


def extracted(report: Path, out: Path) -> Answer:
    answer = called("extract", report, "--out", out)
    assert "Traceback" not in answer.err
    return answer


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refused(report: Path, home: Path) -> str:
    """The line that `extract` says; nothing is written but that report was there."""
    before = everything(home)
    answer = extracted(report, home / "deep" / "out")
    assert answer.code == 2
    assert everything(home) == before
    (line,) = answer.err.splitlines()
    assert len(line) < 600
    return line


def test_a_page_made_here_is_a_report(tmp_path: Path) -> None:
    answer = extracted(page(tmp_path / "r.html", "run1", "A-b_2"), tmp_path / "out")
    assert answer.code == 0
    for key in ("run1", "A-b_2"):
        assert read_run(tmp_path / "out" / key).records == read_run(RUN).records


@pytest.mark.parametrize(
    "key",
    [
        "../../x",
        "..",
        ".",
        "",
        OUTSIDE,
        "a/b",
        "a\\b",
        "a\x00b",
        "C:x",
        "é",
        "x" * 65,
        "a\n",
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_a_key_that_leads_elsewhere_writes_nothing(tmp_path: Path, key: str, alone: bool) -> None:
    keys = (key,) if alone else ("run1", key)
    assert "is no key of a run" in refused(page(tmp_path / "r.html", *keys), tmp_path)
    assert not Path(OUTSIDE).exists()


def test_two_runs_of_one_key_write_nothing(tmp_path: Path) -> None:
    assert "two runs have one key" in refused(page(tmp_path / "r.html", "run1", "run1"), tmp_path)


@pytest.mark.parametrize(
    "sessions", [{"../../x": {}}, {"-1": {}}, {"2": {}}, {"1": {}, "9" * 30: {}}, {"1": []}, []]
)
def test_a_session_that_is_no_number_writes_nothing(tmp_path: Path, sessions: object) -> None:
    refused(page(tmp_path / "r.html", "run1", records=content(environments=sessions)), tmp_path)


@pytest.mark.parametrize(
    "records",
    [
        "[" * 200_000,
        json.dumps({"records": []}),
        content(records=[1]),
        content(records=[{"timing": {"left_out": 3}, "id": "a"}], scenario="name"),
        content(scenario={"a": float("nan")}),
        content(records=[{"id": "x", "timing": None, "seconds": 10**400}]),
        '{"scenario":{},"environments":{},"records":[{"timing":null,"version":2,"id":"\\ud800"}]}',
    ],
)
def test_records_that_are_none_are_one_line(tmp_path: Path, records: str) -> None:
    assert "the records in it are damaged" in refused(
        page(tmp_path / "r.html", "run1", records=records), tmp_path
    )


def test_a_block_unpacks_to_so_many_bytes_and_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert unpack(packed("[1, 2]"), most=6) == ([1, 2], 6)
    with pytest.raises(ValueError, match="take more than 0 MiB"):
        unpack(packed("[1, 2]"), most=5)
    stream = zlib.compressobj(wbits=31)
    bomb = b"".join(stream.compress(b"0," * (1 << 20)) for _ in range(4)) + stream.flush()
    with pytest.raises(ValueError, match="take more than 1 MiB"):
        unpack(base64.b64encode(bomb).decode(), most=1 << 20)
    # Two runs of which either is small enough are too much together.
    monkeypatch.setattr(extracting, "MOST_BYTES", 3 * len(content()))
    two = page(tmp_path / "two.html", "a", "b", samples=" " * len(content()) + "{}")
    assert "take more than" in refused(two, tmp_path)
    assert extracted(page(tmp_path / "one.html", "a"), tmp_path / "one").code == 0


def test_a_page_that_is_larger_than_any_report_is_not_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(extracting, "MOST_BYTES", 100)
    assert "larger than" in refused(page(tmp_path / "r.html", "run1"), tmp_path)


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000 + "y"])
def test_a_name_that_the_system_does_not_take_is_one_line(tmp_path: Path, name: str) -> None:
    for words in (
        ("extract", page(tmp_path / "r.html", "a"), "--out", f"{tmp_path}/{name}"),
        ("extract", name),
    ):
        answer = called(*words)
        assert answer.code == 2
        (line,) = answer.err.splitlines()
        assert len(line) < 5_000
