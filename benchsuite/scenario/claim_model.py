"""A claim of a paper: what a scenario states of two kinds of cells, and which cells that compares. Pure.

A claim is about the ratio subject / against of one metric. "higher" says that it is above 1, "lower" that it
is below; `ratio_above` and `ratio_below` name another threshold, and both together a band.

It is tested in each *setting*: a combination of values of all axes but those that are compared. The mixer
always is, and so is every axis that the filters of the two sides name differently: `mixer=HiLo kernel=sdpa`
against `mixer=HiLo kernel=math` compares kernels at every resolution. What is counted and not timed depends
on sizes alone, so there only sizes make a setting, and cells of one mixer are one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic_core import PydanticCustomError

from benchsuite.errors import ScenarioError
from benchsuite.results.cell import TOLD_APART, Cell
from benchsuite.results.metrics import METRICS
from benchsuite.scenario import filters
from benchsuite.scenario.messages import Parts, problems_of
from benchsuite.scenario.types import (
    Before,
    JsonSchema,
    Label,
    Listed,
    OneOrMore,
    Part,
    Ratio,
    Side,
    Text,
    Where,
    one_of,
    wrong_kind,
)
from benchsuite.scenario.yaml_tree import grown

DeviceClass = Literal["cpu", "cuda"]

_SIGNS: Mapping[str, Mapping[str, float]] = {"higher": {"ratio_above": 1.0}, "lower": {"ratio_below": 1.0}}
_ALLOWED = (*_SIGNS, "{ratio_above: NUMBER}", "{ratio_below: NUMBER}")

_SIZES = ("resolution", "stride", "dim", "num_heads")
_COUNTED = ("params", "macs")
_SAME_AS: Mapping[str, tuple[str, ...]] = {"tokens": ("resolution", "stride")}
"""Axis of a filter → the axes of a cell that decide it."""


class Expectation(Part):
    """What is said of the ratio: above a number, below one, or between the two."""

    ratio_above: Ratio | None = Field(default=None, description="The ratio is larger than this.")
    ratio_below: Ratio | None = Field(default=None, description="The ratio is smaller than this.")

    @property
    def band(self) -> tuple[float, float]:
        """The open interval that the ratio is said to lie in; infinite where it has no end."""
        lo = -math.inf if self.ratio_above is None else self.ratio_above
        return lo, math.inf if self.ratio_below is None else self.ratio_below


def _says_something(expectation: Expectation) -> Expectation:
    if expectation == Expectation():
        raise wrong_kind("higher, lower, ratio_above or ratio_below")
    lo, hi = expectation.band
    if lo >= hi:
        raise wrong_kind("a band: ratio_above must be the smaller number")
    return expectation


def _spelled_out(value: Any) -> Any:
    """The words "higher" and "lower" as a ratio above and below 1."""
    if isinstance(value, Mapping | Expectation):
        return value
    if not isinstance(value, str):
        raise wrong_kind("higher, lower, ratio_above or ratio_below")
    if value not in _SIGNS:
        raise PydanticCustomError("word", "unknown word", {"allowed": _ALLOWED})
    return _SIGNS[value]


def _or_a_sign(schema: JsonSchema) -> JsonSchema:
    return {"anyOf": [{"enum": list(_SIGNS)}, schema]}


class Published(Part):
    """A size that somebody printed, with the conditions it was measured in."""

    subject: Ratio | None = Field(default=None, description="The subject's value.")
    against: Ratio | None = Field(default=None, description="The other side's value.")
    unit: Text | None = Field(default=None, description="Unit of both values.")
    ratio: Ratio | None = Field(
        default=None, description="Subject / against; made from the values if they are there."
    )
    conditions: Text = Field(description="Machine, batch, precision: what a reader must know to compare.")

    @property
    def size(self) -> float:
        """The printed ratio, or that of the printed values."""
        if self.ratio is not None:
            return self.ratio
        assert self.subject is not None  # `_has_a_ratio`
        assert self.against is not None
        return self.subject / self.against


def _has_a_ratio(published: Published) -> Published:
    if published.ratio is None and None in (published.subject, published.against):
        raise wrong_kind("a ratio, or values for subject and against")
    return published


class Claim(Part):
    """What a paper says of two kinds of cells, to be tested wherever a run has both."""

    id: Label = Field(description="Short and unique: L2-msa.")
    says: Text = Field(description="The claim in one sentence of our own.")
    source: Text = Field(description="Paper and table, or where it was derived.")
    metric: Annotated[str, one_of(tuple(METRICS))] = Field(description="What is compared.")
    subject: Side = Field(description="What the claim is about: a label, or a filter such as mixer=hilo.")
    against: Side = Field(description="What it is compared with: a label, or a filter.")
    where: Where | None = Field(default=None, description="Only in these settings: resolution<=448.")
    expect: Annotated[Expectation, AfterValidator(_says_something), Before(_spelled_out, _or_a_sign)] = Field(
        description="What the claim says of subject / against: higher, lower, or a ratio."
    )
    published: OneOrMore[Annotated[Published, AfterValidator(_has_a_ratio)]] | None = Field(
        default=None, description="The size of the effect as printed, with its conditions."
    )
    device: Annotated[DeviceClass, one_of(("cpu", "cuda"))] | None = Field(
        default=None, description="The claim is about this class of devices only."
    )


CLAIM_PARTS: Parts = {
    ("claims",): Claim,
    ("claims", "expect"): Expectation,
    ("claims", "published"): Published,
}


class _Claims(BaseModel):
    claims: Listed[Claim] = ()


def stored_claims(scenario: Mapping[str, Any], file: str = "scenario.json") -> tuple[Claim, ...]:
    """The claims of a scenario as a run stores it; none, if it is of a version that had none.

    Raises:
        ScenarioError: they are not as `Scenario.to_dict` writes them; `file` is named in the message.
    """
    claims = {"claims": scenario.get("claims") or ()}
    try:
        return _Claims.model_validate(claims).claims
    except ValidationError as error:
        raise ScenarioError(problems_of(error, grown(claims, file), CLAIM_PARTS)) from None


@dataclass(frozen=True, slots=True)
class ClaimPair:
    """One setting in which both sides have cells; a sound claim has one `distinct` cell on each.

    Attributes:
        setting: axis → value, as in a `Cell`.
        subject, against: positions of the cells.
    """

    setting: Mapping[str, Any]
    subject: tuple[int, ...]
    against: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pairing:
    """The cells of both sides, and the settings that they share, in the order of the subject's cells.

    Attributes:
        subject, against: positions of all cells of each side, paired or not.
        apart: axis → the values of each side, where they have none in common; the reason for no pairs.
    """

    subject: tuple[int, ...]
    against: tuple[int, ...]
    pairs: tuple[ClaimPair, ...]
    apart: Mapping[str, tuple[tuple[Any, ...], tuple[Any, ...]]]


def pairing(claim: Claim, cells: Sequence[Cell]) -> Pairing:
    """The comparisons that a claim speaks of, among these cells."""
    where = filters.parse(claim.where or "")
    allowed = [i for i, cell in enumerate(cells) if where.matches(cell) and on_device(claim, cell)]
    sides = filters.side(claim.subject), filters.side(claim.against)
    subject, against = (tuple(i for i in allowed if side.matches(cells[i])) for side in sides)
    axes = _setting_axes(sides, [cells[i] for i in subject], [cells[i] for i in against])
    if claim.metric in _COUNTED:
        axes = tuple(axis for axis in axes if axis in _SIZES)
    left, right = _by_setting(subject, cells, axes), _by_setting(against, cells, axes)
    pairs = tuple(
        ClaimPair(dict(zip(axes, setting, strict=True)), left[setting], right[setting])
        for setting in left
        if setting in right
    )
    return Pairing(subject, against, pairs, {} if pairs else _apart(left, right, axes))


def on_device(claim: Claim, cell: Cell) -> bool:
    """True if the claim speaks of the cell's class of devices."""
    return claim.device is None or cell.device.partition(":")[0] == claim.device


def distinct(claim: Claim, chosen: Sequence[int], cells: Sequence[Cell]) -> tuple[int, ...]:
    """The cells of one side that may differ in the claim's metric: one of each mixer if it is counted."""
    if claim.metric not in _COUNTED:
        return tuple(chosen)
    return tuple({cells[i].name: i for i in reversed(chosen)}.values())[::-1]


def _setting_axes(
    sides: tuple[filters.Selection, filters.Selection], subject: Sequence[Cell], against: Sequence[Cell]
) -> tuple[str, ...]:
    """The axes that make a setting.

    Heads are part of a mixer where each side has one number of them: a scenario may give its mixers the heads
    that their papers do.
    """
    differently = set(sides[0].terms) ^ set(sides[1].terms)
    compared = {axis for term in differently for axis in _SAME_AS.get(term.axis, (term.axis,))}
    if all(len({cell.num_heads for cell in side}) <= 1 for side in (subject, against)):
        compared.add("num_heads")
    return tuple(axis for axis in TOLD_APART if axis not in compared)


def _by_setting(
    chosen: Sequence[int], cells: Sequence[Cell], axes: Sequence[str]
) -> dict[tuple[Any, ...], tuple[int, ...]]:
    by_setting: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for i in chosen:
        setting = tuple(getattr(cells[i], axis) for axis in axes)
        by_setting[setting] = (*by_setting.get(setting, ()), i)
    return by_setting


def _apart(
    left: Mapping[tuple[Any, ...], Any], right: Mapping[tuple[Any, ...], Any], axes: Sequence[str]
) -> dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]]:
    apart = {}
    for position, axis in enumerate(axes):
        ours = tuple(dict.fromkeys(setting[position] for setting in left))
        theirs = tuple(dict.fromkeys(setting[position] for setting in right))
        if ours and theirs and not set(ours) & set(theirs):
            apart[axis] = (ours, theirs)
    return apart
