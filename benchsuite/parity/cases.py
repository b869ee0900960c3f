"""Golden cases: inputs, weights, outputs and gradients that the authors' own code computed.

A case is a pair of files, `<name>.json` (what it is) and `<name>.safetensors` (the tensors). A folder of them
is a set of cases; other JSON files in it that do not describe a case are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from benchsuite.errors import ParityDataError

WHOLE_MODEL = "whole_model"
_TENSORS = ("input", "output", "cotangent", "grad_input")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Tolerance(_Strict):
    """a agrees with b where |a − b| ≤ atol + rtol |b|."""

    rtol: float
    atol: float


class _Tolerances(_Strict):
    output: Tolerance
    grad_input: Tolerance


class Source(_Strict):
    """Origin of the code that computed a case.

    Attributes:
        repo: address of the repository; None for a formula.
        cls: name of the class in it.
    """

    repo: str | None = None
    cls: str | None = None

    @property
    def repository(self) -> str:
        """Owner and name, "dingmyu/davit" of "https://github.com/dingmyu/davit"; "" if there is none."""
        return "/".join((self.repo or "").removesuffix("/").removesuffix(".git").split("/")[-2:])


class _Description(_Strict):
    """The keys of a case's JSON that a comparison needs; others are for people."""

    name: str
    mixer: str
    source: Source = Source()
    kwargs: dict[str, Any]
    layout: str
    H: int | None = None
    W: int | None = None
    train_mode: bool
    tolerance: _Tolerances
    param_grad_l2_norms: dict[str, float] = {}
    params_with_zero_gradient_up_to_rounding: list[str] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One golden case.

    Attributes:
        name: of the case.
        mixer: the authors' mixer that it is of; a key of some mixer's `PORTS`. WHOLE_MODEL for a network.
        source: of the authors' code; what tells networks apart.
        kwargs: the authors' constructor arguments.
        layout: of input and output: "BNC", "NHWC" or "NCHW".
        size: height and width of the token grid; (N, 1) where the case has tokens but no grid.
        train_mode: whether norms used the statistics of the batch.
        input, output, cotangent: float32.
        grad_input: gradient of (output × cotangent).sum() with respect to the input.
        state: parameters and buffers under the authors' names.
        grad_norms: L2 norm of each parameter's gradient, under the authors' names.
        zero_grads: parameters whose gradient is zero but for rounding, so that its norm says nothing.
    """

    name: str
    mixer: str
    source: Source
    kwargs: Mapping[str, Any]
    layout: str
    size: tuple[int, int]
    train_mode: bool
    output_tolerance: Tolerance
    grad_tolerance: Tolerance
    input: Tensor
    output: Tensor
    cotangent: Tensor
    grad_input: Tensor
    state: Mapping[str, Tensor]
    grad_norms: Mapping[str, float]
    zero_grads: frozenset[str]


def read_cases(folder: Path) -> list[Case]:
    """Read all cases of a folder, sorted by file name.

    Raises:
        ParityDataError: there is no such folder, it holds no case, or a file of a case is unreadable,
            incomplete or without its partner. Names the file.
    """
    if not folder.is_dir():
        raise ParityDataError(f"{folder}: no such folder")
    cases = []
    for path in sorted(folder.glob("*.json")):
        tensors = path.with_suffix(".safetensors")
        document = _read_json(path)
        if tensors.is_file():
            cases.append(_case(path, document, tensors))
        elif isinstance(document, dict) and "mixer" in document:
            raise ParityDataError(f"{path}: the case has no {tensors.name} beside it")
    for path in sorted(folder.glob("*.safetensors")):
        if not path.with_suffix(".json").is_file():
            raise ParityDataError(f"{path}: the tensors have no {path.stem}.json beside them")
    if not cases:
        raise ParityDataError(f"{folder}: holds no cases (pairs of <name>.json and <name>.safetensors)")
    return cases


def _read_json(path: Path) -> object:
    try:
        document: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ParityDataError(f"{path}: cannot be read: {error}") from error
    return document


def _case(path: Path, document: object, tensors_path: Path) -> Case:
    try:
        description = _Description.model_validate(document)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ParityDataError(f"{path}: is no case: {'; '.join(problems)}") from error
    try:
        tensors = load_file(tensors_path)
    except (OSError, SafetensorError) as error:
        raise ParityDataError(f"{tensors_path}: cannot be read: {error}") from error
    missing = [name for name in _TENSORS if name not in tensors]
    if missing:
        raise ParityDataError(f"{tensors_path}: lacks {', '.join(missing)}")
    height, width = description.H, description.W
    return Case(
        name=description.name,
        mixer=description.mixer,
        source=description.source,
        kwargs=description.kwargs,
        layout=description.layout,
        size=(tensors["input"].shape[1], 1) if height is None or width is None else (height, width),
        train_mode=description.train_mode,
        output_tolerance=description.tolerance.output,
        grad_tolerance=description.tolerance.grad_input,
        **{name: tensors[name] for name in _TENSORS},
        state={
            name.partition(".")[2]: tensor
            for name, tensor in tensors.items()
            if name.startswith(("param.", "buffer."))
        },
        grad_norms=description.param_grad_l2_norms,
        zero_grads=frozenset(description.params_with_zero_gradient_up_to_rounding),
    )
