"""What mixers and networks of a sweep have in common: a name, a label, and how they are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, model_validator

from benchsuite.results.cell import Call, Layout
from benchsuite.scenario.types import Label, Part, is_whole, one_of, wrong_kind

LETTERS = ("B", "H", "W", "N", "C")
"""Sizes that a shape of `inputs` may name: batch; height and width of the grid, or of the images of a
network; H · W; channels."""
INTEGERS = ("int64", "int32", "bool")
"""Formats of inputs that are not the cell's own; those of torch, by its names."""
_AN_INPUT = (
    f"a shape that begins with B, as in [B, 3, 64] (letters: {', '.join(LETTERS)}), or {{shape: [...], "
    f"dtype: {' | '.join(INTEGERS)}, high: ...}}"
)


def _inputs(value: Any) -> dict[str, dict[str, Any]]:
    """Name of an argument → its shape and format, each in one form, so that a cell's id depends on no
    spelling."""
    if not isinstance(value, Mapping) or not all(str(name).isidentifier() for name in value):
        raise wrong_kind("a mapping of arguments of forward to shapes, such as {x: [B, 3, 64]}")
    return {str(name): _input(one, str(name)) for name, one in value.items()}


def _input(value: Any, name: str) -> dict[str, Any]:
    given = dict(value) if isinstance(value, Mapping) else {"shape": value}
    shape, dtype, high = (given.pop(key, None) for key in ("shape", "dtype", "high"))
    sizes = list(shape) if isinstance(shape, list | tuple) else []
    right = sizes[:1] == ["B"] and all(size in LETTERS or (is_whole(size) and size > 0) for size in sizes)
    if given or not right or dtype not in (None, *INTEGERS):
        raise wrong_kind(_AN_INPUT, at=name)
    if (dtype in ("int64", "int32")) != (high is not None) or (high is not None and not _positive(high)):
        raise wrong_kind("given high, the end of their range as in torch.randint, if integers", at=name)
    return {"shape": sizes} | ({"dtype": dtype} if dtype else {}) | ({"high": high} if high else {})


def _positive(value: Any) -> bool:
    return is_whole(value) and value > 0


class Entry(Part):
    """One module of a sweep.

    Attributes:
        label: how it is called in tables and figures; the name, or what is behind the colon of one's own.
        call, layout, inputs: how it is called where its class and its signature do not say it.
    """

    name: Label
    label: Label = Field(default="", description="Name in tables and figures; the name if absent.")
    call: Annotated[Call, one_of(get_args(Call))] | None = Field(
        default=None, description="Arguments that it is called with; null: found from its signature."
    )
    layout: Annotated[Layout, one_of(get_args(Layout))] | None = Field(
        default=None,
        description="Layout of x: tokens BNC, maps NCHW or NHWC; null: what its class says, or its layers.",
    )
    inputs: Annotated[dict[str, Any], BeforeValidator(_inputs)] = Field(
        default_factory=dict,
        description="Instead of both: argument of forward and its shape, {x: [B, 3, 64]}, or {shape, dtype, "
        "high} of integers.",
    )

    @model_validator(mode="after")
    def _said_once(self) -> Entry:
        if self.inputs and (self.call or self.layout):
            key = "call" if self.call else "layout"
            raise wrong_kind("left out where inputs say how it is called", at=key)
        return self

    @property
    def forward(self) -> dict[str, Any]:
        """What a `Cell` holds of it: what is said."""
        said = {"call": self.call, "layout": self.layout, "inputs": self.inputs}
        return {key: value for key, value in said.items() if value}
