"""A gate that would measure the same code twice, or somebody else's, is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.errors import UsageError
from benchsuite.gate.interleave import SideName
from benchsuite.gate.measure import missing_targets, modules_of, require_ours
from benchsuite.gate.processes import GateSide, Probe
from tests.builders import make_cell

ZOO = make_cell()
OWN = make_cell(target="mine.mixers:Mixer")
ROOT = Path("/repository")
A, B = Path("/gate/a"), Path("/gate/b")


def sides() -> dict[SideName, GateSide]:
    return {
        "base": GateSide(name="base", words="x", folder=A, top=A, python="p"),
        "candidate": GateSide(name="candidate", words="y", folder=B, top=B, python="p"),
    }


def probes(base: dict[str, str | None], candidate: dict[str, str | None]) -> dict[SideName, Probe]:
    zoo: dict[str, str | None] = {"benchsuite": "/lib/benchsuite/__init__.py"}
    return {
        "base": Probe("1", frozenset(), zoo | base),
        "candidate": Probe("1", frozenset(), zoo | candidate),
    }


def test_only_modules_of_ones_own_are_looked_for() -> None:
    theirs = make_cell(subject="backbone", target="timm:resnet18", dim=None, num_heads=None)
    assert modules_of([ZOO, OWN, theirs, make_cell(target="mine.other:B")]) == ("mine",)


def test_a_zoo_lacks_the_names_that_it_does_not_know() -> None:
    new = make_cell(target="brand_new")
    assert missing_targets([ZOO, OWN, new], {"msa"}) == {"brand_new"}


def test_modules_inside_of_both_checkouts_are_what_is_wanted() -> None:
    found = probes({"mine": "/gate/a/src/mine/__init__.py"}, {"mine": "/gate/b/src/mine/__init__.py"})
    assert require_ours(sides(), found, [ZOO, OWN], ROOT) == ()


def test_benchsuites_own_repository_gates_its_zoo() -> None:
    found = probes(
        {"benchsuite": "/gate/a/benchsuite/__init__.py"}, {"benchsuite": "/gate/b/benchsuite/__init__.py"}
    )
    assert require_ours(sides(), found, [ZOO], ROOT) == ()


def test_a_module_of_another_package_is_noted() -> None:
    theirs = make_cell(target="theirs:B")
    elsewhere: dict[str, str | None] = {"theirs": "/lib/theirs.py"}
    found = probes(
        {"mine": "/gate/a/mine/__init__.py", **elsewhere}, {"mine": "/gate/b/mine/__init__.py", **elsewhere}
    )
    notes = require_ours(sides(), found, [OWN, theirs], ROOT)
    assert notes == ("theirs is not of this repository: /lib/theirs.py",)


@pytest.mark.parametrize(
    ("base", "candidate", "said"),
    [
        # Installed for development: both sides would import the files of the checkout that stands there.
        (
            "/repository/src/mine/__init__.py",
            "/repository/src/mine/__init__.py",
            "the base would not measure",
        ),
        # The base does not have it yet, and finds the candidate's, or any other that is installed.
        ("/lib/mine/__init__.py", "/gate/b/mine/__init__.py", "the base would not measure its own code"),
        ("/gate/a/mine/__init__.py", "/lib/mine/__init__.py", "the candidate would not measure its own code"),
        ("/lib/mine/__init__.py", "/lib/mine/__init__.py", "which is not of that revision"),
        (None, None, "the module mine is not to be found there"),
    ],
)
def test_other_peoples_code_is_refused(base: str | None, candidate: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        require_ours(sides(), probes({"mine": base}, {"mine": candidate}), [OWN], ROOT)
    assert "--pythonpath src" in str(caught.value)


def test_an_environment_that_stands_in_the_checkout_is_not_its_source() -> None:
    place = "/repository/.venv/lib/python3/site-packages/theirs.py"
    found = probes(
        {"benchsuite": "/gate/a/b.py", "theirs": place}, {"benchsuite": "/gate/b/b.py", "theirs": place}
    )
    notes = require_ours(sides(), found, [ZOO, make_cell(target="theirs:B")], ROOT)
    assert notes == (f"theirs is not of this repository: {place}",)


def test_a_gate_of_the_installed_zoo_in_another_repository_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing of this repository is measured"):
        require_ours(sides(), probes({}, {}), [ZOO], ROOT)


def test_a_module_that_only_the_candidate_has_is_no_reason_to_refuse() -> None:
    found = probes({"mine": None}, {"mine": "/gate/b/mine/__init__.py"})
    assert require_ours(sides(), found, [OWN], ROOT) == ()
