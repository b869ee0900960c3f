"""What the things that were measured are called: mixers, blocks, or networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchsuite.results.record import SUBJECTS, Subject

_WORDS: Mapping[Subject, str] = {"mixer": "mixer", "block": "block", "backbone": "network"}


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun: one "network", several "networks"; one "mixer or network", several "mixers and networks"."""

    single: str
    plural: str

    @property
    def heading(self) -> str:
        """The noun above a column: "Network"."""
        return self.single[:1].upper() + self.single[1:]

    def counted(self, number: int) -> str:
        """1 network; 3 networks; 3 mixers and networks."""
        return f"{number} {self.single if number == 1 else self.plural}"


def noun(subjects: Iterable[str]) -> Noun:
    """The noun for cells of these subjects, each named once; "mixer" if there are no cells."""
    found = set(subjects)
    words = [_WORDS[subject] for subject in SUBJECTS if subject in found] or ["mixer"]
    plurals = [f"{word}s" for word in words]
    if len(words) == 1:
        return Noun(words[0], plurals[0])
    return Noun(f"{', '.join(words[:-1])} or {words[-1]}", f"{', '.join(plurals[:-1])} and {plurals[-1]}")
