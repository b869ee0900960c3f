"""Files of a gate that are something else, of another version, or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.errors import UsageError
from benchsuite.gate import baseline, noise, result
from benchsuite.gate.versioned_file import VersionedFile, write_file

every_kind = pytest.mark.parametrize(
    "kind", [baseline.STORED, noise.STORED, result.STORED], ids=lambda kind: kind.noun
)


@every_kind
@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"version": NOW}', '{"version": NOW, "cells": [{"id": 3}]}']
)
def test_what_is_something_else_is_refused_with_its_name(kind: VersionedFile, text: str) -> None:
    with pytest.raises(UsageError, match=f"^here.json: not {kind.noun}: "):
        kind.load(text.replace("NOW", str(kind.version)), "here.json")


@every_kind
@pytest.mark.parametrize(
    ("version", "said"),
    [
        (99, "version 99 of {0.noun} is newer than what .*; update with: pip install --upgrade benchsuite"),
        (0, "version 0 of {0.noun} is older than what .*; make it anew with {0.made_by}"),
    ],
)
def test_another_version_is_refused_with_what_to_do(kind: VersionedFile, version: int, said: str) -> None:
    with pytest.raises(UsageError, match=f"^here.json: {said.format(kind)}$"):
        kind.load(f'{{"version": {version}, "cells": []}}', "here.json")


@every_kind
def test_a_file_that_cannot_be_read_is_named_with_what_makes_one(kind: VersionedFile, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"none.json: cannot be read: .*; make one with {kind.made_by}"):
        kind.read(tmp_path / "none.json")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=f"binary: not {kind.noun}: "):
        kind.read(tmp_path / "binary")


@every_kind
def test_a_file_that_is_not_there_is_told_the_nearest_beside_it(kind: VersionedFile, tmp_path: Path) -> None:
    for name in ("exact.json", "exat.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match=f'exat.json: cannot .*; did you mean "{tmp_path}/exact.json"\\?$'):
        kind.read(tmp_path / "exat.json")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_file(tmp_path, "{}")
