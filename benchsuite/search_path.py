"""Search path of this process for modules: not first in the folder that somebody happens to stand in."""

from __future__ import annotations

import contextlib
import os
import sys

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  pathlib comes too late


def leave_current_folder() -> None:
    """Take the current folder, which `python -m` puts first, off the search path, so that nothing in it
    stands for a module of an installed package. It stays if benchsuite itself is imported from there.

    Whoever loads a user's modules looks there last (`plugins.py`).
    """
    here = os.getcwd()  # noqa: PTH109
    safe = getattr(sys.flags, "safe_path", False)  # then Python has put nothing there
    if sys.path and sys.path[0] in ("", here) and not safe and here != _HOME:
        del sys.path[0]


def move_to(folder: str) -> None:
    """Make a folder the current one, if there is such a folder here, and look for modules as from there."""
    with contextlib.suppress(OSError):
        os.chdir(folder)
    leave_current_folder()
