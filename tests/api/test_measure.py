"""Any module measured from Python: in fresh processes where they can have it, else here, once."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import benchsuite
from benchsuite.api.modules import Measurement

BRIEF = {"rounds": 3, "max_rounds": 3, "min_samples": 3, "max_samples": 3, "max_s": 0.1, "warmup_s": 0}
X = torch.randn(2, 16, 8)
ODD = "mine <b>$&"


def made_here() -> nn.Module:
    """A module that no other process can have."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8)
            self.frozen = nn.BatchNorm1d(16).eval()

        def forward(self, x: Tensor, *, by: float = 1.0, y: Tensor | None = None) -> Tensor:
            return self.frozen(self.linear(x)) * by + (0 if y is None else y)

    return Scaled()


@pytest.fixture(scope="module")
def fresh() -> Measurement:
    """A module, a function that no process can import, and one that each can."""
    wide = lambda: nn.Sequential(nn.Linear(8, 512), nn.Linear(512, 8))  # noqa: E731
    others = {"wide": wide, "made": partial(nn.Linear, 8, 4)}
    return benchsuite.measure(nn.Linear(8, 8), X, name=ODD, against=others, settings=BRIEF)


@pytest.fixture(scope="module")
def here() -> Measurement:
    return benchsuite.measure(made_here(), {"by": 2.0, "x": X}, settings=BRIEF)


@pytest.mark.slow
class TestFreshProcesses:
    def test_each_round_is_one_and_has_all_modules(self, fresh: Measurement) -> None:
        assert not fresh.reason
        assert fresh.frame()["name"].tolist() == [ODD, "wide", "made"]
        assert all(len(record.timing.rounds) == 3 for record in fresh.records if record.timing)
        assert fresh.frame()["latency_lo_s"].notna().all()

    def test_the_ratio_has_an_interval_by_the_rule_of_evidence(self, fresh: Measurement) -> None:
        ratio = fresh.ratios["wide"]
        assert ratio.lo < ratio.ratio < ratio.hi
        assert any(f"{ODD} " in line and "wide" in line for line in fresh.sentences())

    def test_multiply_adds_are_those_of_the_closed_form(self, fresh: Measurement) -> None:
        assert fresh.frame()["macs"].tolist() == [16 * 8 * 8, 2 * 16 * 8 * 512, 16 * 8 * 4]
        assert fresh.frame()["batch"].tolist() == [2, 2, 2]

    def test_a_notebook_shows_a_table_and_a_figure_with_names_escaped(self, fresh: Measurement) -> None:
        html = fresh._repr_html_()
        assert "mine &lt;b&gt;$&amp;" in html
        assert "mine <b>" not in html
        assert "95 % confidence" in html
        assert "data:image/svg+xml;base64," in html

    def test_it_is_a_run_like_any_other(self, fresh: Measurement, tmp_path: Path) -> None:
        assert fresh.report(tmp_path / "out.html").stat().st_size > 10_000


@pytest.mark.slow
def test_a_class_of_a_script_is_timed_by_the_script_itself(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import torch, benchsuite\n"
        "class Mine(torch.nn.Linear): pass\n"
        f"m = benchsuite.measure(Mine(8, 8), torch.ones(2, 8), settings={BRIEF!r})\n"
        "print(m.records[0].status, m.reason)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ok timed in this process, without a 95 % interval")
    assert "__main__" in done.stdout


class TestThisProcess:
    def test_there_is_no_interval_and_a_reason(self, here: Measurement, tmp_path: Path) -> None:
        assert [record.status for record in here.records] == ["ok"]
        assert "cannot be handed to another one" in here.reason
        assert "in a module that can be imported" in repr(here)
        assert here.frame()["latency_s"].notna().all()
        assert here.frame()["latency_lo_s"].isna().all()
        assert "cannot be handed to another one" in here._repr_html_()
        assert "in the caller&#39;s own process" in here.report(tmp_path / "out.html").read_text()

    def test_a_ratio_has_none_either(self) -> None:
        found = benchsuite.measure(made_here(), X, against={"other": made_here()}, settings=BRIEF)
        assert math.isnan(found.ratios["other"].lo)
        assert found.ratios["other"].side == "undecided"

    def test_positional_inputs_come_in_their_order(self) -> None:
        class Concatenated(nn.Module):
            def forward(self, size: int, x: Tensor, y: Tensor) -> Tensor:
                return torch.cat([x, y.float()], dim=-1)[:, :size]

        found = benchsuite.measure(
            Concatenated(), (4, X, torch.ones(2, 16, 1, dtype=torch.long)), settings=BRIEF
        )
        assert [record.status for record in found.records] == ["ok"]
        assert found.name == "Concatenated"

    @pytest.mark.parametrize("mode", ["inference", "training_step"])
    def test_whole_numbers_may_come_in_and_a_mapping_out(self, mode: str) -> None:
        class Embedded(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.table = nn.Embedding(10, 4)

            def forward(self, tokens: Tensor) -> dict[str, Tensor]:
                return {"embedded": self.table(tokens)}

        found = benchsuite.measure(Embedded(), torch.randint(10, (2, 5)), mode=mode, settings=BRIEF)
        assert [record.status for record in found.records] == ["ok"]

    def test_it_leaves_module_and_process_as_they_were(self) -> None:
        module = made_here().train()
        module.frozen.eval()  # type: ignore[union-attr,operator]
        before = [value.clone() for value in module.state_dict().values()]
        state, threads, path = torch.random.get_rng_state(), torch.get_num_threads(), list(sys.path)
        benchsuite.measure(module, X, mode="training_step", settings=BRIEF)
        assert module.training
        assert not module.frozen.training  # type: ignore[union-attr]
        assert all(torch.equal(a, b) for a, b in zip(before, module.state_dict().values(), strict=True))
        assert torch.equal(torch.random.get_rng_state(), state)
        assert (torch.get_num_threads(), sys.path) == (threads, path)

    def test_what_fails_is_a_record_with_the_reason(self) -> None:
        found = benchsuite.measure(made_here(), torch.ones(2, 16, 5), settings=BRIEF)
        assert [record.status for record in found.records] == ["error"]
        assert "mat1 and mat2" in repr(found)


class Uncopyable(nn.Linear):
    def __deepcopy__(self, memo: object) -> Uncopyable:
        raise TypeError("no copies")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("no pickles")


def _measured(**changes: Any) -> Callable[[], object]:
    given = {"module": nn.Linear(8, 8), "inputs": X, "settings": BRIEF} | changes
    return lambda: benchsuite.measure(given.pop("module"), given.pop("inputs"), **given)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (_measured(module=random.Random(0)), "an instance of Random is no torch.nn.Module"),
        (_measured(module=lambda: 1), "the function makes a int"),
        (_measured(module=nn.Linear), "Linear cannot be called without arguments (missing a required"),
        (_measured(against=[nn.Linear(8, 8)]), "against: give a mapping of names to modules"),
        (_measured(inputs=(1, 2)), "no tensor among them, but int, int"),
        (_measured(against={"a": (nn.Linear(8, 8),)}), "an instance of tuple is no torch.nn.Module"),
        (_measured(inputs={}), "no tensor among them, but nothing"),
        (_measured(module=nn.Linear(8, 8, device="meta")), 'it is on "meta"'),
        (_measured(module=nn.Linear(8, 8).to(torch.float8_e4m3fn)), "torch.float8_e4m3fn; allowed: "),
        (_measured(module=Uncopyable(8, 8)), "neither be pickled nor copied"),
        (_measured(module=made_here(), settings={"round": 3}), 'did you mean "rounds"?'),
        (_measured(module=made_here(), settings={"round": 3}), "settings.round\n"),
        (_measured(module=made_here(), mode="train"), "mode\n  unknown mode"),
        (_measured(module=made_here(), mode="train"), "training_step"),
        (_measured(batch=0), "batch: there is at least one image, not 0"),
        (_measured(module=made_here(), inputs=(X, X)), "inputs: Scaled does not take them"),
        (_measured(module=nn.MultiheadAttention(8, 2)), "inputs: MultiheadAttention does not take them"),
        (
            _measured(against={"a": (made_here(), (X, X))}),
            'against={"a": (module, inputs)}: Scaled does not take them',
        ),
        (_measured(name="a", against={"a": nn.Linear(8, 8)}), '"a" is what the module itself is called'),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_at_once(wrong: Callable[[], object], said: str) -> None:
    with pytest.raises(benchsuite.UsageError) as raised:
        wrong()
    assert said in str(raised.value)


def test_another_module_may_have_inputs_of_its_own_and_says_what_it_failed_on() -> None:
    others = {"named": (made_here(), {"x": X, "y": X}), "wrong": (made_here(), X[..., :4])}
    found = benchsuite.measure(made_here(), X, against=others, settings=BRIEF)
    status = {record.cell.name: record.status for record in found.records}
    assert status == {"Scaled": "ok", "named": "ok", "wrong": "error"}
    assert "benchsuite calls it with (2, 16, 4); for inputs of its own, against=" in repr(found)


def test_a_folder_that_is_taken_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(benchsuite.UsageError, match=r"is not empty.* name a new folder with out="):
        benchsuite.measure(nn.Linear(8, 8), X, out=tmp_path)
