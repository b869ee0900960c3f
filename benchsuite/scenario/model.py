"""Typed scenario. Input that does not fit raises; `validate.py` says the same with lines and columns.

The models hold one form of everything the language can write in several: an axis is always a tuple, a
resolution always (height, width), and a mixer always an entry with a label. What relates values to each other
(divisibility, known mixers, repeated labels) is checked in `subjects.py` and `rules.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from benchsuite.errors import ScenarioError
from benchsuite.results.cell import SUBJECTS, Subject
from benchsuite.scenario.axes import Backbone, Include, Mixer, Sweep
from benchsuite.scenario.claim_model import CLAIM_PARTS, Claim
from benchsuite.scenario.gate_settings import Gate
from benchsuite.scenario.kernel_table import KernelRow
from benchsuite.scenario.measure_settings import Measure
from benchsuite.scenario.messages import Parts, problems_of
from benchsuite.scenario.types import (
    Bytes,
    FailureWord,
    Label,
    Listed,
    Name,
    OneOrMore,
    Part,
    Text,
    Where,
    one_of,
)
from benchsuite.scenario.yaml_tree import grown

Section = Literal["scatter", "scaling", "kernels", "memory", "training", "table"]
SECTIONS: tuple[Section, ...] = ("scatter", "scaling", "kernels", "memory", "training", "table")

_SectionWord = Annotated[Section, one_of(SECTIONS)]


class Exclude(Part):
    """Cells that are not measured, and why."""

    where: Where = Field(description="A filter: mixer=performer kernel!=math.")
    reason: Text = Field(description="Why these cells are not measured; shown by --dry-run.")


class Expect(Part):
    """Failures that are findings: they are reported, and the exit code stays 0."""

    where: Where = Field(description="A filter: kernel=flash device=cpu.")
    status: OneOrMore[FailureWord] = Field(description="What is expected to happen to these cells.")
    reason: Text = Field(description="Why it is expected; shown in the report.")
    memory_below: Bytes = Field(
        default=None,
        description="Only where the device has less memory than this, such as 150GB; null: everywhere.",
    )


class Report(Part):
    """What the HTML report shows."""

    sections: OneOrMore[_SectionWord] = Field(default=SECTIONS, description="Which sections, in this order.")
    reference: Label | None = Field(
        default=None, description="Label of the mixer that the others are compared with."
    )


class Document(Part):
    """What a scenario file says, without its profiles."""

    name: Name = Field(description="Short name; names run folders and reports.")
    title: Text = Field(description="One line that says what is measured.")
    question: Text | None = Field(
        default=None, description="What the scenario is to find out; shown in the report."
    )
    subject: Annotated[Subject, one_of(SUBJECTS)] = Field(default="mixer", description="What is measured.")
    sweep: Sweep = Field(description="The axes; every combination of their values is a cell.")
    include: Listed[Include] = Field(default=(), description="Cells beside the sweep's.")
    exclude: Listed[Exclude] = Field(default=(), description="Cells that are not measured, with a reason.")
    expect: Listed[Expect] = Field(default=(), description="Failures that are findings, with a reason.")
    claims: Listed[Claim] = Field(
        default=(), description="What papers say of these cells; the report says whether it holds here."
    )
    measure: Measure = Field(default=Measure(), description="What is measured and for how long.")
    gate: Gate = Field(default=Gate(), description="When a change counts as a regression.")
    report: Report = Field(default=Report(), description="Sections and reference of the HTML report.")


class Scenario(Document):
    """A document with profiles and overrides applied: exactly what a run does.

    Attributes:
        profiles: names of the profiles that the file has.
        applied: names of those that were merged, in order.
        overrides: `path=value` of every `--set`, in order.
        kernel_rows: what the kernel "auto" stands for, as it stood when the scenario was loaded.
    """

    profiles: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    kernel_rows: tuple[KernelRow, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data that `from_dict` reads back; stored in a run as scenario.json."""
        left_out = set() if self.kernel_rows else {"kernel_rows"}  # which older versions do not know
        return self.model_dump(mode="json", exclude=left_out)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], file: str = "scenario.json") -> Scenario:
        """Read what `to_dict` wrote.

        Raises:
            ScenarioError: it is something else; `file` is named in the message.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ScenarioError(problems_of(error, grown(data, file), PARTS)) from None


PARTS: Parts = {
    (): Document,
    ("sweep",): Sweep,
    ("sweep", "mixer"): Mixer,
    ("sweep", "backbone"): Backbone,
    ("include",): Include,
    ("exclude",): Exclude,
    ("expect",): Expect,
    **CLAIM_PARTS,
    ("measure",): Measure,
    ("gate",): Gate,
    ("report",): Report,
}
