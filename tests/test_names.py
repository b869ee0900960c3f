"""Names of modules beside the public functions of `benchsuite`, which an import must not hide."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import benchsuite

FUNCTIONS = ("run", "measure", "count", "load", "create_mixer")
"""Functions that `benchsuite` has or is to have."""

IMPORT_ALL = """
import importlib, pkgutil, types
import benchsuite

def broken(name):
    raise AssertionError(f"{name} cannot be imported")

names = [module.name for module in pkgutil.walk_packages(benchsuite.__path__, "benchsuite.", broken)]
for name in names:
    if not name.endswith(".__main__"):
        importlib.import_module(name)
assert len(names) > 100, names
for name in ("load", "count_operator"):
    assert isinstance(getattr(benchsuite, name), types.FunctionType), name
"""


def test_no_module_is_named_like_a_function_of_the_package() -> None:
    modules = {module.name for module in pkgutil.iter_modules(benchsuite.__path__)}
    assert not modules & set(FUNCTIONS)


def test_public_functions_are_there_when_every_module_was_imported(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORT_ALL],
        capture_output=True,
        text=True,
        check=False,
        cwd=repository,
    )
    assert done.returncode == 0, done.stderr
