"""The kernel that "auto" stands for: of a mixer's kernels the fastest, by a table of what was measured.

`kernel_table.json` comes with benchsuite and says where it was measured. `benchsuite tune` measures rows on
this machine and keeps them in the user's cache folder; these come first. A scenario takes the rows of its
mixers as it is loaded, and keeps them: a run that is gone on with, and both sides of a gate, have the cells
that it began with, whatever is measured meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from benchsuite.io import cache_folder, write_whole
from benchsuite.results.cell import DType, Kernel, Mode

AUTO = "auto"
OTHERWISE: Kernel = "sdpa"
"""What "auto" stands for where the table has no row: torch chooses among its fused kernels."""
SHIPPED = Path(__file__).with_suffix(".json")
_FORM = 1

Key = tuple[str, str, str, str, tuple[int, int]]
"""Mixer, kind of device, dtype, mode and grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRow:
    """The fastest kernel of a mixer in one setting.

    Attributes:
        mixer: a key of `MIXERS`, measured with its default parameters.
        device: kind of device, "cpu" or "cuda".
        mode: "inference" or "forward_backward"; a training step takes the row of the latter.
        grid: height and width of the token grid.
    """

    mixer: str
    device: str
    dtype: DType
    mode: Mode
    grid: tuple[int, int]
    kernel: Kernel

    @property
    def key(self) -> Key:
        return self.mixer, self.device, self.dtype, self.mode, self.grid


def own_file() -> Path:
    """File of the rows that were measured on this machine."""
    return cache_folder() / "kernels.json"


def table() -> tuple[KernelRow, ...]:
    """The rows that come with benchsuite, each replaced by this machine's where there is one."""
    return tuple(by_setting([*read(SHIPPED), *read(own_file())]).values())


def read(file: Path) -> tuple[KernelRow, ...]:
    """The rows of a file, the last measured last; none where it is missing, torn or of another form."""
    return tuple(row for _, rows in _measurements(file) for row in rows)


def add(file: Path, rows: Iterable[KernelRow], about: Mapping[str, Any]) -> None:
    """Add a measurement to a file; its rows take the place of those that the file has for their settings.

    Args:
        about: machine, date, versions and command of the measurement.

    Raises:
        OSError: it cannot be written.
    """
    new = by_setting(rows)
    older = [(said, [row for row in had if row.key not in new]) for said, had in _measurements(file)]
    kept = [(said, left) for said, left in (*older, (about, list(new.values()))) if left]
    text = ",\n".join(_text(said, left) for said, left in kept)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, f'{{"form": {_FORM}, "measurements": [\n{text}\n]}}\n')


def _measurements(file: Path) -> list[tuple[Mapping[str, Any], list[KernelRow]]]:
    """Each measurement of a file: what is said about it, and its rows."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["form"] == _FORM:
            return [
                (dict(one["about"]), [_row(row) for row in one["rows"]]) for one in content["measurements"]
            ]
    return []


def _row(data: Mapping[str, Any]) -> KernelRow:
    """A row as it is stored; raises ValueError or TypeError if it is none."""
    height, width = data["grid"]
    if data["kernel"] not in get_args(Kernel):
        raise ValueError(f"no kernel is called {data['kernel']}")
    return KernelRow(**{**data, "grid": (height, width)})


def _text(about: Mapping[str, Any], rows: Iterable[KernelRow]) -> str:
    """A measurement as JSON, a row a line."""
    lines = ",\n".join(f"    {json.dumps(asdict(row))}" for row in rows)
    return f'  {{"about": {json.dumps(about, ensure_ascii=False)},\n   "rows": [\n{lines}\n  ]}}'


def by_setting(rows: Iterable[KernelRow]) -> dict[Key, KernelRow]:
    """The rows by what they are for; the last one counts."""
    return {row.key: row for row in rows}


def kernel_of(rows: Mapping[Key, KernelRow], mixer: str, fields: Mapping[str, Any]) -> Kernel:
    """The kernel that "auto" stands for.

    Args:
        fields: the cell's axes. A cell under `torch.compile` takes no row, since all were measured without.
    """
    if fields["compile"] != "eager":
        return OTHERWISE
    device, mode = fields["device"].partition(":")[0], fields["mode"]
    mode = "forward_backward" if mode == "training_step" else mode
    height, width = fields["resolution"]
    grid = height // fields["stride"], width // fields["stride"]
    row = rows.get((mixer, device, fields["dtype"], mode, grid))
    return OTHERWISE if row is None else row.kernel
