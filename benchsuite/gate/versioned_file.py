"""Files that a gate leaves: JSON with a version, read back as the dataclass that was written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchsuite.errors import UsageError, suggested
from benchsuite.io import nearest_file, parse, write_whole
from benchsuite.results.shapes import require_environment

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionedFile(Generic[T]):
    """A kind of file.

    Attributes:
        holds: the dataclass that is in it.
        version: counts up when a field changes its meaning.
        noun: what a message calls it: "a baseline".
        made_by: command that writes one.
        machine: the description of a machine in it, if there is one.
        restore: brings the data into the shape of the dataclass, in place.
    """

    holds: type[T]
    version: int
    noun: str
    made_by: str
    machine: Callable[[T], Mapping[str, Any]] = lambda _: {}
    restore: Callable[[dict[str, Any]], object] = lambda _: None

    def load(self, text: str, name: str) -> T:
        """What was written.

        Args:
            name: of the file, for messages.

        Raises:
            UsageError: it is something else, or another version of benchsuite wrote it.
        """
        from pydantic import TypeAdapter

        try:
            data = parse(text)
            version = data.pop("version")
            if isinstance(version, int) and version != self.version:
                raise UsageError(self._other_version(name, version))
            self.restore(data)
            found = TypeAdapter(self.holds).validate_python(data)
            require_environment(self.machine(found))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{name}: not {self.noun}: {str(error).splitlines()[0]}") from error
        return found

    def read(self, path: Path) -> T:
        """What is in a file.

        Raises:
            UsageError: there is none, or it cannot be read.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            hint = suggested(nearest_file(path))
            raise UsageError(
                f"{path}: cannot be read: {error.strerror}{hint or f'; make one with {self.made_by}'}"
            ) from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: not {self.noun}: {error}") from error
        return self.load(text, str(path))

    def _other_version(self, name: str, version: int) -> str:
        newer = version > self.version
        todo = (
            "update with: pip install --upgrade benchsuite" if newer else f"make it anew with {self.made_by}"
        )
        return (
            f"{name}: version {version} of {self.noun} is {'newer' if newer else 'older'} than what this "
            f"benchsuite reads ({self.version}); {todo}"
        )


def write_file(path: Path, text: str) -> None:
    """Write a file whole: a reader sees the old one or the new one.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
