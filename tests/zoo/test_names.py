"""Names that stand for nothing are known without importing anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.zoo.names import absent

OWN = """
import torch as t
from elsewhere import Borrowed
if t:
    class Mine: ...
Alias = Mine
def make(): ...
"""


@pytest.fixture
def search(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "own_layers.py").write_text(OWN)
    (tmp_path / "own_star.py").write_text("from elsewhere import *")
    (tmp_path / "own_lazy.py").write_text("def __getattr__(name): ...")
    (tmp_path / "own_broken.py").write_text("class Mine(:")
    (tmp_path / "own_package" / "inner").mkdir(parents=True)
    (tmp_path / "own_package" / "inner" / "__init__.py").write_text("")
    (tmp_path / "own_package" / "inner" / "deep.py").write_text("class Mine: ...")
    return (str(tmp_path),)


@pytest.mark.parametrize(
    "target",
    [
        *("own_layers:Mine", "own_layers:Borrowed", "own_layers:Alias", "own_layers:make"),
        *("own_star:Any", "own_lazy:Any", "own_broken:Mine", "own_package.inner.deep:Mine"),
        *("math:Any", "hilo"),  # compiled; of the zoo
    ],
)
def test_what_is_there_or_may_be_is_not_absent(target: str, search: tuple[str, ...]) -> None:
    assert absent(target, search) is None


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            "own_layres:Mine",
            'no module "own_layres" here, in --pythonpath, PYTHONPATH or installed; '
            'did you mean "own_layers"?',
        ),
        ("own_layers:Mime", 'module own_layers has no "Mime"; did you mean "Mine"?'),
        ("own_package.iner.deep:Mine", 'no module "iner" in own_package; did you mean "inner"?'),
        ("own_layers.deep:Mine", "own_layers is a module, not a package, and holds no deep"),
    ],
)
def test_what_is_absent_has_the_nearest_name(target: str, words: str, search: tuple[str, ...]) -> None:
    assert absent(target, search) == words
