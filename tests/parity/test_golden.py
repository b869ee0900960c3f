"""Our mixers against the authors' own code, on the cases in tests/data and, where they are, on all others."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

from benchsuite.mixers import BLOCKS, MIXERS
from benchsuite.parity.cases import read_cases
from benchsuite.parity.compare import ParityRow, check_folder
from benchsuite.parity.ports import find_port, load_authors_weights

DATA = Path(__file__).parents[1] / "data" / "golden"
SHARED = Path(__file__).parents[2].parent / "shared" / "golden"

NO_PARAMETERS = {"cb", "fnet", "ge", "pooling"}
"""Authors' mixers that have nothing to learn, so no gradient of a parameter to compare."""

NO_CASES = {"benchsuite.mixers.convnext"}
"""Files with ports but without a golden case; their tests derive them again, by loops over positions."""

FOLDERS = [
    pytest.param(DATA, id="tests/data"),
    pytest.param(
        SHARED,
        id="shared",
        marks=pytest.mark.skipif(not SHARED.is_dir(), reason="the full set of cases is not here"),
    ),
]


def agrees(rows: list[ParityRow]) -> None:
    bad = [row for row in rows if row.verdict == "mismatch"]
    assert bad == []
    # A forced kernel may be missing on this device, but these two always run.
    assert all(row.verdict in {"ok", "unknown"} for row in rows if row.kernel in {"math", "sdpa", None})


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_kernel_that_runs_computes_what_the_authors_compute(folder: Path) -> None:
    rows = list(check_folder(folder))
    agrees(rows)
    without = {row.mixer for row in rows if row.verdict == "ok" and not row.grad_norms_compared}
    assert without <= NO_PARAMETERS


def test_the_cases_here_are_all_of_mixers_that_we_have() -> None:
    rows = list(check_folder(DATA, kernels=["math"]))
    assert {row.verdict for row in rows} == {"ok"}
    assert [row.case for row in rows] == sorted(path.stem for path in DATA.glob("*.json"))


def test_the_cases_here_cover_every_file_of_mixers() -> None:
    zoo = MIXERS | BLOCKS
    files = {zoo[port[0]].partition(":")[0] for case in read_cases(DATA) if (port := find_port(case.mixer))}
    ported = {
        file for target in zoo.values() if importlib.import_module(file := target.partition(":")[0]).PORTS
    }
    assert ported - files == NO_CASES


@pytest.mark.gpu
@pytest.mark.parametrize("folder", FOLDERS)
def test_they_agree_on_a_gpu_too(folder: Path) -> None:
    agrees(list(check_folder(folder, device="cuda")))


def test_the_epsilon_of_the_norm_matters_to_the_case_made_for_it() -> None:
    (case,) = (case for case in read_cases(DATA) if case.name == "pvt_sra_smallscale")
    module = load_authors_weights(case.mixer, case.kwargs, case.state)
    with torch.no_grad():
        right = (module(case.input, case.size) - case.output).abs().max()
        module.norm.eps = 1e-6
        wrong = (module(case.input, case.size) - case.output).abs().max()
    assert wrong > 1000 * right
