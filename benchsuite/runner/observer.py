"""Observers of a sweep: told how it goes, to draw it or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchsuite.results.cell import Cell
    from benchsuite.results.record import Record


class Observer:
    """Is told how a sweep goes, and says nothing; those that draw it begin here."""

    def begin(self, total: int, done: int) -> None:
        """The sweep has `total` cells, of which `done` are there already."""

    def round_begins(self, number: int, cells: int) -> None:
        """A round of so many cells begins, the first being 1."""

    def cell_begins(self, cell: Cell) -> None:
        """A cell is about to be measured, or visited once more."""

    def cell_ends(self, record: Record, environment: Mapping[str, Any]) -> None:
        """A record is on disk, measured on this machine."""

    def workers(self, doing: Mapping[str, str]) -> None:
        """What each of several workers is doing now, in words."""

    def end(self) -> None:
        """The sweep is over, or was broken off."""
