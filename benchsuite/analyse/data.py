"""Analyses of mixers as data: `analyses.json` beside the records of a run, or a file of its own.

None of it is a measurement of speed, so it is kept apart from the records. Definitions stand at the fields; a
report prints them beside the figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from benchsuite.errors import UsageError
from benchsuite.io import write_whole


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AttentionLayer(_Strict):
    """One attention matrix of one layer, a number a head. a_ij is what query i gives to key j.

    Attributes:
        layer: path of the module in the network, "" for a mixer on its own.
        branch: which attention of the layer it is, "" where it has one.
        over: what the keys are, "tokens" or "channels".
        keys: number of keys of a query; windows, pooled keys and the class token counted as they are.
        entropy_nats: − Σ_j a_ij ln a_ij, natural logarithm, mean over queries and images.
        entropy: the same over ln(keys): 0 one key, 1 all keys alike. None for a single key.
        distance: Σ_j a_ij ‖p_i − p_j‖₁, mean over queries and images. p is the centre of a token, or of the
            cell that a pooled key stands for, in shares of the image's height and width; tokens of the grid
            only, no class token. None where keys have no place.
    """

    layer: str
    branch: str = ""
    over: Literal["tokens", "channels"] = "tokens"
    keys: int
    entropy_nats: tuple[float, ...]
    entropy: tuple[float, ...] | None
    distance: tuple[float, ...] | None


class Spectrum(_Strict):
    """Fourier magnitude of one branch's output, mean over images, channels and all directions.

    Attributes:
        frequency: of each ring, in shares of the Nyquist frequency along the shorter side; √2 in the corner.
        amplitude: mean |F| in the ring. None where no frequency of the grid falls into it.
        high_share: share of the energy |F|² above half the Nyquist frequency along either axis. None for an
            output that is zero.
    """

    layer: str
    branch: str
    grid: tuple[int, int]
    frequency: tuple[float, ...]
    amplitude: tuple[float | None, ...]
    high_share: float | None


class PathWeights(_Strict):
    """ACmix: its learned weight of the attention path (the paper's α) and of the convolution path (β)."""

    layer: str
    attention: float
    convolution: float


class ScaleStatistics(_Strict):
    """CBS: the learned scale of the context (the paper's Λ), over the channels of one layer.

    Attributes:
        low, high: its quantiles at 10 % and 90 %.
        ratio: |low| / |high|. None where high is 0.
    """

    layer: str
    channels: int
    mean: float
    std: float
    low: float
    high: float
    ratio: float | None


class ReceptiveField(_Strict):
    """|∂ y_centre / ∂ x|, y_centre the sum over the channels of the central token's output.

    Attributes:
        output: whose output it is.
        unit: what a position of the input is, "token" or "pixel".
        grid: height and width of the input, in `unit`.
        map: sum over the input's channels, mean over images, over the largest value; summed over squares
            where the input is larger than the map.
        side_95: side of the smallest square around the centre that holds 95 % of it, in shares of the shorter
            side of the input, at most 1.
    """

    output: str
    unit: Literal["token", "pixel"]
    grid: tuple[int, int]
    map: tuple[tuple[float, ...], ...]
    side_95: float


class Weights(_Strict):
    """Origin of the weights.

    Attributes:
        kind: "random", drawn with `seed`; or "file".
        file: its name, and `sha256` of its content.
        mapping: whose names the file uses: "benchsuite", or the authors' version that was mapped.
    """

    kind: Literal["random", "file"]
    seed: int | None = None
    file: str = ""
    sha256: str = ""
    mapping: str = ""


class SubjectAnalysis(_Strict):
    """One mixer or network.

    Attributes:
        inputs: what the input was, in words.
        notes: what was not read, and why.
    """

    name: str
    target: str
    kind: Literal["mixer", "network"]
    resolution: tuple[int, int]
    images: int
    inputs: str
    weights: Weights
    attention: tuple[AttentionLayer, ...] = ()
    spectra: tuple[Spectrum, ...] = ()
    paths: tuple[PathWeights, ...] = ()
    scales: tuple[ScaleStatistics, ...] = ()
    field: ReceptiveField | None = None
    notes: tuple[str, ...] = ()


class Analyses(_Strict):
    """The file."""

    version: Literal[1] = 1
    subjects: tuple[SubjectAnalysis, ...]


def write_analyses(analyses: Analyses, path: Path) -> None:
    """Write the file whole or not at all; its folder is made if needed.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, analyses.model_dump_json())
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def read_analyses(path: Path) -> Analyses | None:
    """The analyses in a file; None if there is no such file.

    Raises:
        UsageError: the file is not one of analyses.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    try:
        return Analyses.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise UsageError(
            f"{path}: holds no analyses: {where}: {first['msg']}; `benchsuite analyse` makes it anew"
        ) from error
