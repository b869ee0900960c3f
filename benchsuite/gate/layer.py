"""A virtual environment on top of another: it has what the other has, and keeps to itself what it installs.

Standard library only, since action.yml runs this file before benchsuite is installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_PACKAGES = """
import json, sys
print(json.dumps([path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]))
"""
"""Says where an interpreter has its packages."""
_SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"
"""Says where it installs them."""
_LAST = "zz_layer.pth"
"""File that names the packages below: by its name it comes after whatever is installed on top."""


def make_layer(below: str, folder: Path) -> Path:
    """The interpreter of an environment in `folder` on top of the one `below`; one that is there is kept.

    `venv --system-site-packages` shows the packages of a system, and not those of another virtual
    environment; and it would take seconds to install pip, of which one serves both.

    Raises:
        subprocess.CalledProcessError: Python cannot make one; its `stderr` says why.
    """
    packages = json.loads(_printed(below, "-c", _PACKAGES))
    _printed(below, "-m", "venv", "--system-site-packages", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    lines = [f"import site; site.addsitedir({path!r})\n" for path in packages]
    (Path(_printed(str(python), "-c", _SITE)) / _LAST).write_text("".join(lines), encoding="utf-8")
    pip = folder / "bin" / "pip"
    pip.write_text(f'#!/bin/sh\nexec "{python}" -m pip "$@"\n', encoding="utf-8")
    pip.chmod(0o755)
    return python


def _printed(python: str, *words: str) -> str:
    done = subprocess.run([python, "-I", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    make_layer(sys.executable, Path(sys.argv[1]))
