from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.errors import UsageError
from benchsuite.scenario import find


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
    monkeypatch.setattr(find, "_PACKAGE", tmp_path / "benchsuite")
    return tmp_path


def test_a_checkout_ships_what_lies_beside_the_package(checkout: Path) -> None:
    assert find.shipped() == {
        "hilo": checkout / "scenarios" / "hilo.yaml",
        "twins": checkout / "scenarios" / "twins.yaml",
    }


def test_a_wheel_ships_what_lies_inside_the_package(checkout: Path) -> None:
    shipped = checkout / "benchsuite" / "_shipped"
    shipped.mkdir()
    (shipped / "cost.yaml").write_text("")
    assert find.shipped() == {"cost": shipped / "cost.yaml"}


def test_a_name_is_a_shipped_scenario_even_beside_a_folder_of_this_name(checkout: Path) -> None:
    Path("hilo").mkdir()  # a run folder, say
    assert find.resolve("hilo") == checkout / "scenarios" / "hilo.yaml"


def test_an_existing_file_comes_before_a_shipped_scenario(checkout: Path) -> None:
    assert checkout.exists()
    Path("hilo").write_text("")
    assert find.resolve("hilo") == Path("hilo")


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("reference", ["hlo", "hlo.yaml", "somewhere/hlo.yaml"])
def test_a_name_that_is_nothing_is_told_what_there_is(reference: str) -> None:
    with pytest.raises(UsageError) as error:
        find.resolve(reference)
    assert str(error.value) == (
        f'no file and no shipped scenario is called "{reference}"; did you mean "hilo"?\n'
        "  shipped: hilo, twins"
    )


def test_a_checkout_without_scenarios_says_so(checkout: Path) -> None:
    for path in find.shipped().values():
        path.unlink()
    assert list(checkout.glob("scenarios/*.yaml")) == []
    with pytest.raises(UsageError, match=r'is called "hilo"\n  shipped: none$'):
        find.resolve("hilo")


def test_a_title_is_read_from_the_file(checkout: Path, tmp_path: Path) -> None:
    assert find.title(checkout / "scenarios" / "hilo.yaml") == "About hilo"
    untitled = tmp_path / "untitled.yaml"
    untitled.write_text("title: [1\n")
    assert find.title(untitled) == ""
