"""A claim of a paper, as a scenario states it: which cells, which metric, and what is said of their ratio.

A claim is about the ratio subject / against of one metric. "higher" says that it is above 1, "lower" that it
is below; `ratio_above` and `ratio_below` name another threshold, and both together a band.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from benchsuite.errors import ScenarioError
from benchsuite.results.metrics import METRICS
from benchsuite.scenario.types import (
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

DeviceClass = Literal["cpu", "cuda"]

_SIGNS: Mapping[str, Mapping[str, float]] = {"higher": {"ratio_above": 1.0}, "lower": {"ratio_below": 1.0}}
_ALLOWED = (*_SIGNS, "{ratio_above: NUMBER}", "{ratio_below: NUMBER}")


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


class _Sign:
    """Lets the words "higher" and "lower" stand for a ratio above and below 1."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._spelled_out, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"enum": list(_SIGNS)}, handler(schema)]}

    def _spelled_out(self, value: Any) -> Any:
        if isinstance(value, Mapping | Expectation):
            return value
        if not isinstance(value, str):
            raise wrong_kind("higher, lower, ratio_above or ratio_below")
        if value not in _SIGNS:
            raise PydanticCustomError("word", "unknown word", {"allowed": _ALLOWED})
        return _SIGNS[value]


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
    metric: Annotated[str, one_of(tuple(METRICS)), WithJsonSchema({"enum": list(METRICS)})] = Field(
        description="What is compared."
    )
    subject: Side = Field(description="What the claim is about: a label, or a filter such as mixer=hilo.")
    against: Side = Field(description="What it is compared with: a label, or a filter.")
    where: Where | None = Field(default=None, description="Only in these settings: resolution<=448.")
    expect: Annotated[Expectation, AfterValidator(_says_something), _Sign()] = Field(
        description="What the claim says of subject / against: higher, lower, or a ratio."
    )
    published: OneOrMore[Annotated[Published, AfterValidator(_has_a_ratio)]] | None = Field(
        default=None, description="The size of the effect as printed, with its conditions."
    )
    device: (
        Annotated[DeviceClass, one_of(("cpu", "cuda")), WithJsonSchema({"enum": ["cpu", "cuda"]})] | None
    ) = Field(default=None, description="The claim is about this class of devices only.")


class _Claims(BaseModel):
    claims: Listed[Claim] = ()


def stored_claims(scenario: Mapping[str, Any], file: str = "scenario.json") -> tuple[Claim, ...]:
    """The claims of a scenario as a run stores it; none, if it is of a version that had none.

    Raises:
        ScenarioError: they are not as `Scenario.to_dict` writes them; `file` is named in the message.
    """
    from benchsuite.scenario.messages import problems_of
    from benchsuite.scenario.yaml_tree import grown

    claims = {"claims": scenario.get("claims") or ()}
    try:
        return _Claims.model_validate(claims).claims
    except ValidationError as error:
        raise ScenarioError(problems_of(error, grown(claims, file))) from None
