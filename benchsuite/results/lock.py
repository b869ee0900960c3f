"""One writer a run folder: a lock that the system takes back when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import IO

from benchsuite.errors import RunFolderError

if sys.platform != "win32":  # there are no such locks there; a second writer is not noticed
    import fcntl

LOCK = ".lock"


def lock(folder: Path) -> IO[str]:
    """Lock a run folder for this process until `unlock` is given the returned file.

    Raises:
        RunFolderError: another process holds the lock; the message names it.
    """
    while True:
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
        if _is_there(file):
            break
        file.close()  # its last holder has removed it since it was opened here
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


def unlock(file: IO[str]) -> None:
    """Let others lock the folder; a run that is over keeps no trace of it."""
    with contextlib.suppress(OSError):  # the folder may be gone, or an open file may not be removable
        if _is_there(file):  # else the folder was replaced, and this is the lock of somebody else
            Path(file.name).unlink()
    file.close()


def _is_there(file: IO[str]) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(file.name))  # noqa: PTH116  as samestat wants
    except FileNotFoundError:
        return False
