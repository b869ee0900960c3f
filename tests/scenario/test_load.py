from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.errors import ScenarioError, UsageError
from benchsuite.scenario import load as scenario_files
from benchsuite.scenario.load import load, resolve, shipped, title
from benchsuite.scenario.yaml_tree import MAX_BYTES

from .documents import HEAD, KNOWN

GOOD = HEAD + "sweep: {mixer: [msa, hilo], batch: 8}\nprofiles: {one: {sweep: {batch: 1}}}\n"


def test_a_file_is_read_with_profiles_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())  # as a Windows editor leaves it
    assert load(path, KNOWN).sweep.batch == (8,)
    scenario = load(path, KNOWN, profiles=["one"], overrides=["sweep.dim=768"])
    assert (scenario.sweep.batch, scenario.sweep.dim) == ((1,), (768,))


def test_all_mistakes_are_raised_together_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(HEAD + "measure: {max_s: fast}\nsweep: {mixer: hillo, batch: 0}\n")
    with pytest.raises(ScenarioError) as error:
        load(path, KNOWN)
    assert [(problem.line, problem.path) for problem in error.value.problems] == [
        (3, "measure.max_s"),
        (4, "sweep.mixer"),
        (4, "sweep.batch"),
    ]
    assert str(error.value).startswith(f"{path}:3:18  measure.max_s\n  max_s must be a positive number")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"name: \xff\n", "not UTF-8 text: byte 6 does not decode"),
        (b"#" * (MAX_BYTES + 1), "the file is larger than 1 MB"),
        ("é".encode() * MAX_BYTES, "the file is larger than 1 MB"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "s.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScenarioError) as error:
        load(path, KNOWN)
    assert str(error.value) == f"{path}\n  {expected}"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two scenarios; the working directory is elsewhere."""
    (tmp_path / "benchsuite").mkdir()
    (tmp_path / "scenarios").mkdir()
    for name in ("hilo", "twins"):
        (tmp_path / "scenarios" / f"{name}.yaml").write_text(f"name: {name}\ntitle: About {name}\n")
    (tmp_path / "scenarios" / "schema.json").write_text("{}")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(scenario_files, "_PACKAGE", tmp_path / "benchsuite")
    return tmp_path


def test_a_checkout_ships_what_lies_beside_the_package(checkout: Path) -> None:
    assert shipped() == {
        "hilo": checkout / "scenarios" / "hilo.yaml",
        "twins": checkout / "scenarios" / "twins.yaml",
    }


def test_a_wheel_ships_what_lies_inside_the_package(checkout: Path) -> None:
    inside = checkout / "benchsuite" / "_shipped"
    inside.mkdir()
    (inside / "cost.yaml").write_text("")
    assert shipped() == {"cost": inside / "cost.yaml"}


def test_a_name_is_a_shipped_scenario_even_beside_a_folder_of_this_name(checkout: Path) -> None:
    Path("hilo").mkdir()  # a run folder, say
    assert resolve("hilo") == checkout / "scenarios" / "hilo.yaml"


def test_an_existing_file_comes_before_a_shipped_scenario(checkout: Path) -> None:
    assert checkout.exists()
    Path("hilo").write_text("")
    assert resolve("hilo") == Path("hilo")


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("reference", ["hlo", "hlo.yaml", "somewhere/hlo.yaml"])
def test_a_name_that_is_nothing_is_told_what_there_is(reference: str) -> None:
    with pytest.raises(UsageError) as error:
        resolve(reference)
    assert str(error.value) == (
        f'no file and no shipped scenario is called "{reference}"; did you mean "hilo"?\n'
        "  shipped: hilo, twins"
    )


@pytest.mark.usefixtures("checkout")
def test_a_file_that_is_not_there_is_told_the_nearest_beside_it(tmp_path: Path) -> None:
    (tmp_path / "hilos.yaml").write_text("")
    with pytest.raises(UsageError, match=f'; did you mean "{tmp_path}/hilos.yaml"\\?\n  shipped: '):
        resolve(f"{tmp_path}/hilso.yaml")


def test_a_checkout_without_scenarios_says_so(checkout: Path) -> None:
    for path in shipped().values():
        path.unlink()
    assert list(checkout.glob("scenarios/*.yaml")) == []
    with pytest.raises(UsageError, match=r'is called "hilo"\n  shipped: none$'):
        resolve("hilo")


def test_a_title_is_read_from_the_file(checkout: Path, tmp_path: Path) -> None:
    assert title(checkout / "scenarios" / "hilo.yaml") == "About hilo"
    untitled = tmp_path / "untitled.yaml"
    untitled.write_text("title: [1\n")
    assert title(untitled) == ""
