"""What `benchsuite` names: all of it is there, has types, and costs nothing before it is used."""

from __future__ import annotations

from importlib.resources import files

import pytest

import benchsuite


@pytest.mark.parametrize("name", benchsuite.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(benchsuite, name)
    assert name in dir(benchsuite)
    assert found.__doc__


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'mesure'"):
        benchsuite.mesure  # noqa: B018


def test_type_checkers_are_told_that_there_are_types() -> None:
    assert (files("benchsuite") / "py.typed").is_file()
