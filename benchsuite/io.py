"""Files that a kill leaves whole: JSON, journals of JSON lines, locks; and JSON from outside, of which
what no writer of ours can have written is refused."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import IO, Any

from benchsuite.errors import RunFolderError, StorageError, nearest
from benchsuite.text import all_storable

if sys.platform != "win32":  # there are no such locks there; a second writer is not noticed
    import fcntl


def write_whole(path: Path, data: str | bytes, *, temporary: Path | None = None, sync: bool = False) -> None:
    """Write a file so that a reader, or whoever comes after a kill, sees the old one or the new one.

    Args:
        temporary: where it is written first, in the same folder; by default the name with ".tmp" behind it.
            Processes that may write the file at the same time need one each.
        sync: wait until the disk has it.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    temporary = temporary or path.with_name(f"{path.name}.tmp")
    content = data.encode() if isinstance(data, str) else data
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def nearest_file(path: Path) -> str | None:
    """The file of the same folder and kind whose name is nearest to that of one that is not there."""
    try:
        there = [file.name for file in path.parent.iterdir() if file.suffix == path.suffix and file.is_file()]
    except OSError:
        return None
    name = nearest(path.name, there)
    return name and str(path.with_name(name))


def cache_folder() -> Path:
    """The user's folder for what can be made again, as the platform has it."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "benchsuite"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "benchsuite"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "benchsuite" / "cache"
    return Path.home() / ".cache" / "benchsuite"


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write an object; it is on disk when this returns."""
    text = json.dumps(all_storable(data), indent=2, ensure_ascii=False) + "\n"
    write_whole(path, text, temporary=path.with_suffix(".tmp"), sync=True)


def read_json(path: Path, require: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
    """Read an object.

    Args:
        require: raises ValueError unless the object is what belongs there.

    Raises:
        RunFolderError: the file is missing, cannot be read, or holds something else.
    """
    try:
        data: Any = parse(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("not a JSON object")
        require(data)
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path}: cannot be read: {error}") from error
    return data


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


MAX_DEPTH = 60
"""Of lists and mappings in each other; ours go down to about ten."""
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


def parse(text: str) -> Any:
    """The data of a JSON text. Texts in it are valid Unicode, numbers are finite, whole ones fit 64 bits.

    Raises:
        ValueError: it is no JSON, or holds something else.
    """
    try:
        data = json.loads(
            text.removeprefix(_BYTE_ORDER_MARK),
            parse_constant=_refused,
            parse_float=_finite,
            parse_int=_whole,
        )
        _require_shallow(data, MAX_DEPTH)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return all_storable(data) if "\\u" in text else data


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def _whole(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else 1 << 64
    if abs(number) >> 63:
        raise ValueError(f"a whole number of {len(digits)} digits is too large")
    return number


def _require_shallow(data: Any, depth: int) -> None:
    if not isinstance(data, dict | list):
        return
    if depth == 0:
        raise ValueError("nested too deeply")
    for below in data.values() if isinstance(data, dict) else data:
        _require_shallow(below, depth - 1)


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line that is not blank.

    Attributes:
        number: 1 for the first of the file, blank ones counted.
        offset: of its first byte in the file.
        raw: without the newline.
        ended: whether a newline stands behind it; the last line of a killed run may lack it.
    """

    number: int
    offset: int
    raw: bytes
    ended: bool

    @property
    def text(self) -> str:
        """The line decoded; bytes that are no UTF-8 are replaced, and then it is no record."""
        return self.raw.decode("utf-8", errors="replace")


def lines(path: Path) -> Iterator[JournalLine]:
    """The lines of a file in order; none if there is no file."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        offset = len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0
        file.seek(offset)
        for number, raw in enumerate(file, start=1):
            if raw.strip():
                yield JournalLine(number, offset, raw.removesuffix(b"\n"), raw.endswith(b"\n"))
            offset += len(raw)


def what_is_wrong(line: JournalLine, error: ValueError) -> str:
    """Reason why a line is no record, in one line; a torn one is what a kill leaves."""
    if not line.ended and isinstance(error, JSONDecodeError):
        return "the last line is torn, its cell counts as not measured"
    return f"skipped: {error}".splitlines()[0]


class Journal:
    """A file of a run folder that lines are appended to, each one whole or not there.

    A last line that a kill has torn is cut off at the start; one that lacks only its newline gets it.

    Args:
        sync: wait after each line until the disk has it.
    """

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        self.path = path
        self._sync = sync
        _end_last_line(path)
        self._file = path.open("ab", buffering=0)

    def append(self, text: str, what: str) -> int:
        """Write a line.

        Args:
            what: what it holds, for the message of an error.

        Returns:
            Where the line begins in the file.

        Raises:
            StorageError: it could not be written, and the file is as it was before; or the file is not where
                it was any more.
        """
        self.require_there()
        line = f"{text}\n".encode()
        before = os.fstat(self._file.fileno()).st_size
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            if self._sync:
                os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), before)
            folder = self.path.parent
            raise StorageError(
                f"{folder}: {what} cannot be written: {error.strerror}. What was measured before is safe; "
                f"when there is room again, go on with: benchsuite run --resume {folder}"
            ) from error
        return before

    def require_there(self) -> None:
        """Raise StorageError if the file was removed, moved or replaced since it was opened."""
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(self._file.fileno()), self.path.stat()):
                return
        raise StorageError(
            f"{self.path} was removed, moved or replaced while the run wrote it: nothing more can be kept"
        )

    def close(self) -> None:
        self._file.close()


def _end_last_line(path: Path) -> None:
    last = None
    for last in lines(path):  # noqa: B007  the last is wanted
        pass
    if last is None or last.ended:
        return
    try:
        parse(last.text)
    except ValueError:
        os.truncate(path, last.offset)
        return
    with path.open("ab") as file:
        file.write(b"\n")
