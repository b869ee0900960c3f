"""Copies of the example package, as it is or with something planted."""

from __future__ import annotations

import shutil
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "gated_package"
MIXER = Path("gated_mixers") / "diffusion.py"
MORE_MACS = (
    ("        self.proj = nn.Linear(dim, dim)\n",
     "        self.proj = nn.Sequential(nn.Linear(dim, dim), nn.Linear(dim, dim))\n"),
)  # fmt: skip
"""A second projection: twice the multiply–adds."""
SLOWER = (("steps: int = 20", "steps: int = 23"),)
"""15 % more of what takes nearly all of the time."""


def copy_of_example(folder: Path, planted: tuple[tuple[str, str], ...] = ()) -> Path:
    """A copy of the package in a new folder."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    plant(folder, planted)
    return folder


def plant(folder: Path, planted: tuple[tuple[str, str], ...]) -> None:
    """Replace texts of the mixer's file, each of which must be there."""
    file = folder / MIXER
    text = file.read_text(encoding="utf-8")
    for old, new in planted:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
