"""The fastest kernel, from records that are planted; what is measured for it, and where it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from benchsuite.cli import app
from benchsuite.errors import UsageError
from benchsuite.health.tune import TuneRequest, document, fastest, tune
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record
from benchsuite.scenario.expand import expand
from benchsuite.scenario.kernel_table import read
from benchsuite.scenario.load import load
from benchsuite.zoo.catalogue import known_parameters
from tests.builders import make_cell, make_record

NOISE = (1.0, 1.01, 0.99, 1.005, 0.995)
"""Of five rounds."""


def measured(cell: Cell, ms: float, noise: Sequence[float] = NOISE) -> Record:
    return make_record(cell, [ms * factor / 1e3 for factor in noise], rounds=[1] * len(noise))


def records(times: Mapping[str, float | str], target: str = "outlook", **changes: Any) -> list[Record]:
    """One for each kernel, with its time in milliseconds or the status that it ended with."""
    cells = {kernel: make_cell(target=target, kernel=kernel, **changes) for kernel in times}
    return [
        make_record(cells[kernel], status=time) if isinstance(time, str) else measured(cells[kernel], time)  # type: ignore[arg-type]
        for kernel, time in times.items()
    ]


@pytest.mark.parametrize(
    ("times", "kernel"),
    [
        ({"math": 24.0, "compiled": 12.0}, "compiled"),
        ({"math": 24.0, "sdpa": 20.0, "compiled": 12.0}, "compiled"),
        ({"math": 10.0, "sdpa": 20.0, "compiled": 12.0}, "math"),
        ({"math": 20.0, "sdpa": 20.3, "compiled": 20.1}, "sdpa"),
        ({"math": 24.0, "compiled": 23.6}, "math"),
        ({"math": 24.0, "compiled": "unsupported"}, "math"),
        ({"math": "oom", "sdpa": 24.0}, "sdpa"),
        ({"math": "oom", "compiled": 30.0}, "compiled"),
    ],
)
def test_another_kernel_is_taken_where_it_is_faster_for_sure(
    times: dict[str, float | str], kernel: str
) -> None:
    (row,) = fastest(records(times))
    assert row.kernel == kernel


def test_rounds_that_disagree_choose_nothing() -> None:
    slow, quick = make_cell(target="nat", kernel="sdpa"), make_cell(target="nat", kernel="compiled")
    (row,) = fastest([measured(slow, 12.0), measured(quick, 10.0, (0.5, 2.0, 1.0, 1.7, 0.6))])
    assert row.kernel == "sdpa"


def test_every_setting_has_a_row_of_its_own_but_for_those_in_which_nothing_ran() -> None:
    rows = fastest(
        [
            *records({"math": 24.0, "compiled": 12.0}, device="cuda:1", resolution=(224, 448)),
            *records({"math": 12.0, "compiled": 24.0}, dtype="bf16", mode="forward_backward"),
            *records({"math": "oom", "compiled": "oom"}, target="nat"),
        ]
    )
    assert [(row.mixer, row.device, row.dtype, row.mode, row.grid, row.kernel) for row in rows] == [
        ("outlook", "cuda", "fp32", "inference", (14, 28), "compiled"),
        ("outlook", "cpu", "bf16", "forward_backward", (4, 4), "math"),
    ]


def test_what_is_measured_is_every_kernel_that_a_mixer_has_in_every_setting() -> None:
    request = TuneRequest(
        mixers=("nat", "involution", "msa", "acmix"), grids=((14, 14), (7, 28)), modes=("inference",)
    )
    cells = expand(load(document(request), known_parameters()), device="cpu")
    kernels: dict[str, list[str]] = {}
    for cell in cells:
        if cell.grid == (7, 28):
            kernels.setdefault(cell.target, []).append(cell.kernel)
    assert kernels == {
        "nat": ["math", "sdpa", "flex"],
        "involution": ["math", "compiled"],
        "msa": ["math", "sdpa"],
        "acmix": ["math", "sdpa", "compiled"],
    }
    assert len(cells) == 2 * 10


@pytest.mark.parametrize(
    ("mixer", "why"),
    [
        ("pooling", "^pooling runs on math alone, so there is no kernel to choose$"),
        ("involutoin", 'unknown mixer "involutoin"; did you mean "involution"'),
    ],
)
def test_a_mixer_that_cannot_be_tuned_is_refused_before_anything_is_measured(mixer: str, why: str) -> None:
    def never(document: Mapping[str, Any]) -> Sequence[Record]:
        raise AssertionError

    with pytest.raises(UsageError, match=why):
        tune(TuneRequest(mixers=(mixer,)), never)


ENVIRONMENT = {
    "started_at": "2026-01-02T03:04:05+00:00",
    "cpu": {"model": "a loom", "threads": 1},
    "gpu": None,
    "packages": {"torch": "2.13.0", "triton": None},
}


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """The documents that were measured, by a run that plants records."""
    asked: list[Mapping[str, Any]] = []

    def run(document: Mapping[str, Any], **settings: Any) -> SimpleNamespace:
        asked.append(document)
        return SimpleNamespace(
            run=SimpleNamespace(environment=ENVIRONMENT),
            records=records({"math": 24.0, "compiled": 12.0}, target="involution"),
        )

    monkeypatch.setattr("benchsuite.api.runs.run", run)
    return asked


def test_the_command_keeps_what_is_the_fastest(planted: list[Mapping[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "kernels.json"
    done = CliRunner().invoke(app, ["tune", "involution", "--grid", "14", "--out", str(file)])
    assert done.exit_code == 0, done.output
    assert planted[0]["sweep"]["resolution"] == [[224, 224]]
    assert [(row.mixer, row.kernel) for row in read(file)] == [("involution", "compiled")]
    assert (
        '"machine": "a loom, 1 threads", "date": "2026-01-02", "versions": {"torch": "2.13.0"}'
        in file.read_text()
    )
    assert "compiled" in done.output


def test_without_names_all_mixers_with_a_compiled_kernel_are_measured(
    planted: list[Mapping[str, Any]], tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["tune", "--out", str(tmp_path / "kernels.json")])
    assert done.exit_code == 0, done.output
    assert "involution" in planted[0]["sweep"]["mixer"]
    assert "msa" not in planted[0]["sweep"]["mixer"]


@pytest.mark.parametrize("grid", ["big", "14x", "0", "14,x7"])
def test_a_grid_that_is_none_is_refused(grid: str, planted: list[Mapping[str, Any]]) -> None:
    done = CliRunner().invoke(app, ["tune", "involution", "--grid", grid])
    assert isinstance(done.exception, UsageError)
    assert planted == []
