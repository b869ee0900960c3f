"""Make the reports of a folder of runs again, and the table of its README: `make reports`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchsuite.errors import UsageError
from benchsuite.site.reports import rebuild


def main() -> int:
    """Exit code: 0, or 2 where the folder is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("reports"), help="default: reports")
    parser.add_argument("--index-only", action="store_true", help="leave the reports as they are")
    given = parser.parse_args()
    try:
        written = rebuild(given.folder, pages=not given.index_only)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    for path in written:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
