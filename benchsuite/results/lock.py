"""One writer a run folder: a lock that the system takes back when its process ends, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO

from benchsuite.errors import RunFolderError

if sys.platform != "win32":  # there are no such locks there; a second writer is not noticed
    import fcntl

LOCK = ".lock"


def lock(folder: Path) -> IO[str]:
    """Lock a run folder for this process; closing the returned file unlocks it.

    Raises:
        RunFolderError: another process holds the lock; the message names it.
    """
    file = (folder / LOCK).open("a+", encoding="ascii")
    if sys.platform == "win32":
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        who = file.read().strip()
        file.close()
        by = f" (process {who})" if who else ""
        raise RunFolderError(f"{folder}: another benchsuite{by} is writing to this run") from error
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file
