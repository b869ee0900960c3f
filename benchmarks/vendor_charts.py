"""Fetch the libraries of the report's charts with npm, check them, and write them into the package.

    make vendor

To move to another version, change VERSIONS, run it, look at the report, and write down the new sums.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "benchsuite" / "report" / "explore" / "vendor"
VERSIONS = {"d3": "7.9.2", "@observablehq/plot": "0.6.17"}
"""Package → version."""
FILES = {
    ("d3", "dist/d3.min.js"): "d3.min.js",
    ("d3", "LICENSE"): "d3.LICENSE.txt",
    ("@observablehq/plot", "dist/plot.umd.min.js"): "plot.umd.min.js",
    ("@observablehq/plot", "LICENSE"): "plot.LICENSE.txt",
}
"""(package, file in it) → file here."""
SUMS = HERE / "SHA256SUMS"


def main() -> None:
    """Write the files; exits with 1 if one is not what SHA256SUMS says, and leaves it unwritten."""
    known = dict(reversed(line.split()) for line in SUMS.read_text().splitlines()) if SUMS.is_file() else {}
    for package, version in VERSIONS.items():
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", "--silent", f"{package}@{version}", "--pack-destination", folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            (packed,) = Path(folder).glob("*.tgz")
            with tarfile.open(packed) as archive:
                for (owner, inside), name in FILES.items():
                    if owner == package:
                        member = archive.extractfile(f"package/{inside}")
                        assert member is not None
                        _write(name, member.read(), known.get(name))


def _write(name: str, data: bytes, known: str | None) -> None:
    found = hashlib.sha256(data).hexdigest()
    if known is not None and found != known:
        sys.exit(f"{name}: sha256 is {found}, SHA256SUMS says {known}")
    (HERE / name).write_bytes(data)
    sys.stdout.write(f"{found}  {name}\n")


if __name__ == "__main__":
    main()
