"""The axes of a scenario: what is compared, and the values that it is measured with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from benchsuite.results.cell import Call, Layout
from benchsuite.scenario.entry import Entry
from benchsuite.scenario.types import (
    AllocatorWord,
    Before,
    CacheWord,
    CompileWord,
    Device,
    DTypeWord,
    KernelWord,
    Label,
    MemoryFormatWord,
    ModeWord,
    OneOrMore,
    Part,
    Positive,
    PositiveOrNone,
    ProtocolWord,
    Resolution,
    is_label,
    is_whole,
    wrong_kind,
)

_SAID: Mapping[str, tuple[str, ...]] = {"call": get_args(Call), "layout": get_args(Layout)}
"""What a mixer that is put into a network may say of how it is called."""


def _positive_heads(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one parameter that is also an axis, so that it must be right before cells can be made."""
    heads = values.get("num_heads", 1)
    if not all(is_whole(value) and value > 0 for value in (heads if isinstance(heads, tuple) else (heads,))):
        raise wrong_kind("a positive whole number", at="num_heads")
    return values


def _stage_mixers(value: Any) -> dict[str, Any]:
    """Stage → choice, each choice in its shortest form, so that a cell's id depends on no spelling."""
    if not isinstance(value, Mapping):
        raise wrong_kind("a mapping of stages to mixers")
    choices = {str(stage): _stage_mixer(choice) for stage, choice in value.items()}
    for stage, choice in choices.items():
        if choice is None:
            what = "a mixer's name, {name, params, call, layout} or {alternate: [...]} of such"
            raise wrong_kind(what, at=stage)
        for key, allowed in _SAID.items():
            if not all(said in allowed for said in _all_said(choice, key)):
                raise wrong_kind(f"a mixer whose {key} is one of {', '.join(allowed)}", at=stage)
    return choices


def _all_said(choice: Any, key: str) -> Iterator[Any]:
    """What the mixers of a choice say under a key."""
    for one in [choice] if isinstance(choice, str) else choice.get("alternate", [choice]):
        if not isinstance(one, str) and key in one:
            yield one[key]


def _stage_mixer(value: Any) -> Any:
    """A choice in its shortest form; None if it is none."""
    if isinstance(value, str):
        return value if is_label(value) else None
    if not isinstance(value, Mapping):
        return None
    if set(value) == {"alternate"} and isinstance(value["alternate"], list | tuple):
        choices = [_stage_mixer(choice) for choice in value["alternate"]]
        return {"alternate": choices} if choices and None not in choices else None
    params = value.get("params", {})
    keys = {"name", "params", *_SAID}
    if not (set(value) <= keys and is_label(value.get("name")) and isinstance(params, Mapping)):
        return None
    said = {key: value[key] for key in _SAID if value.get(key) is not None}
    if not params and not said:
        return value["name"]
    return {"name": value["name"], **({"params": dict(sorted(params.items()))} if params else {}), **said}


class Mixer(Entry):
    """One mixer of a sweep, with the parameters it is measured with.

    Attributes:
        name: a key of `MIXERS`, or "package.module:Class".
        params: keyword arguments; `num_heads` replaces the axis, `dim` and `kernel` are axes only.
        vary: parameter → values; every combination is a mixer of its own, over `params`.
    """

    name: Label = Field(description="A mixer of benchsuite, or package.module:Class.")
    params: Annotated[dict[str, Any], AfterValidator(_positive_heads)] = Field(
        default_factory=dict, description="Keyword arguments of the mixer; num_heads replaces the axis."
    )
    vary: Annotated[dict[str, OneOrMore[Any]], AfterValidator(_positive_heads)] = Field(
        default_factory=dict,
        description='Lists of values of parameters; each combination is a mixer, labelled "… alpha=0.5".',
    )

    def arguments(self, varied: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments of one combination of `vary`, num_heads among them if the entry sets it."""
        return {**self.params, **varied}


class Backbone(Entry):
    """One network of a sweep, with the mixers that are put into it.

    Attributes:
        name: a key of `BACKBONES`, "package.module:function" or ":Class", "timm:name", "torchvision:name".
        params: keyword arguments; `kernel` and `resolution` are axes only.
        vary: parameter → values; every combination is a network of its own, over `params`.
        mixer: stage → what mixes there in place of what the paper has: a name, {"name": …, "params": {…}},
            with `call` and `layout` as in `Entry`, or {"alternate": […]} of such, one block after the other.
    """

    name: Label = Field(
        description="A network of benchsuite, package.module:function or :Class, timm:NAME, torchvision:NAME."
    )
    params: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the network.")
    vary: dict[str, OneOrMore[Any]] = Field(
        default_factory=dict,
        description="Lists of values of parameters; each combination is a network of its own.",
    )
    mixer: Annotated[dict[str, Any], BeforeValidator(_stage_mixers)] = Field(
        default_factory=dict,
        description="Stage (stage1 to stage4, or all) and what mixes there instead: a mixer's name, a "
        "mapping with name, params, call, layout, or {alternate: [...]} of such.",
    )

    @model_validator(mode="after")
    def _of_images(self) -> Backbone:
        if self.layout == "BNC":
            raise wrong_kind("NCHW or NHWC, as a network takes images; `inputs` say what else", at="layout")
        return self

    def arguments(self, varied: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments of one combination of `vary`."""
        return {**self.params, **varied, **({"mixer": self.mixer} if self.mixer else {})}


def _spelled_out(kind: str) -> Before:
    """Lets a bare word stand for an entry without label and parameters; `kind` is what the word names."""

    def entry(value: Any) -> Any:
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, Mapping):
            raise wrong_kind(f"a {kind}'s name or a mapping with a name")
        name = value.get("name")
        if "label" in value or not is_label(name):
            return value
        return {**value, "label": name.rpartition(":")[2] or name}

    return Before(entry, lambda schema: {"anyOf": [{"type": "string"}, schema]})


class Sweep(Part):
    """The axes; the cells are every combination of their values."""

    mixer: OneOrMore[Annotated[Mixer, _spelled_out("mixer")]] | None = Field(
        default=None,
        description="What is compared: names, or mappings with name, label, params, vary, and call and such.",
    )
    backbone: OneOrMore[Annotated[Backbone, _spelled_out("backbone")]] | None = Field(
        default=None,
        description="Networks: instead of mixer with `subject: backbone`, else beside it. Names, or mappings "
        "with name, label, params, vary, mixer and how it is called.",
    )
    resolution: OneOrMore[Resolution] = Field(
        default=((224, 224),),
        description="Image sides in pixels; [height, width] inside a list for a rectangle.",
    )
    stride: OneOrMore[Positive] = Field(
        default=(16,), description="Pixels per token side; must divide the resolution."
    )
    batch: OneOrMore[Positive] = Field(default=(1,), description="Images per step.")
    dim: OneOrMore[Positive] = Field(default=(384,), description="Channels of a token.")
    num_heads: OneOrMore[Positive] = Field(default=(12,), description="Attention heads; must divide dim.")
    dtype: OneOrMore[DTypeWord] = Field(default=("fp32",), description="Number format of weights and input.")
    mode: OneOrMore[ModeWord] = Field(default=("inference",), description="What one step does.")
    kernel: OneOrMore[KernelWord] = Field(
        default=("math",),
        description="How a mixer runs: math forms the matrix as the papers do, sdpa lets torch choose a "
        "fused kernel, compiled has torch compile what math does, the others force one; auto takes the "
        "one that was measured as the fastest, and sdpa where none was.",
    )
    device: OneOrMore[Device] = Field(default=("auto",), description="auto takes a GPU if there is one.")
    memory_format: OneOrMore[MemoryFormatWord] = Field(
        default=("contiguous",), description="channels_last lays feature maps out as NHWC in memory."
    )
    compile: OneOrMore[CompileWord] = Field(
        default=("eager",), description="eager, or the mode that torch.compile is given."
    )
    cache: OneOrMore[CacheWord] = Field(
        default=("warm",),
        description="warm: back-to-back steps on resident data; cold: isolated steps after a flush, on "
        "another input each.",
    )
    protocol: OneOrMore[ProtocolWord] = Field(
        default=("adaptive",), description="How samples are taken: adaptive, or as published numbers were."
    )
    threads: OneOrMore[PositiveOrNone] = Field(
        default=(None,), description="Intra-op CPU threads of torch; null leaves it to measure.threads."
    )
    allocator: OneOrMore[AllocatorWord | None] = Field(
        default=(None,),
        description="Whether a process that times on a CPU retains its memory or hands it back to the "
        "system; null leaves it to measure.allocator.",
    )

    @property
    def entries(self) -> tuple[Mixer | Backbone, ...]:
        """Mixers and backbones that are compared, in the order of the file, mixers first."""
        return (*(self.mixer or ()), *(self.backbone or ()))

    def place(self, entry: int) -> tuple[str, int]:
        """The axis that lists an entry, and its position there."""
        layers = len(self.mixer or ())
        return ("mixer", entry) if entry < layers else ("backbone", entry - layers)


class Include(Part):
    """Cells beside the sweep's: the axes it names replace the sweep's values, the others keep them.

    `mixer` or `backbone` picks among the sweep's, by name or label. None: the sweep's values.
    """

    mixer: OneOrMore[Label] | None = Field(
        default=None, description="Names or labels out of the sweep's mixers."
    )
    backbone: OneOrMore[Label] | None = Field(
        default=None, description="Names or labels out of the sweep's backbones."
    )
    resolution: OneOrMore[Resolution] | None = Field(default=None, description="Instead of the sweep's.")
    stride: OneOrMore[Positive] | None = Field(default=None, description="Instead of the sweep's.")
    batch: OneOrMore[Positive] | None = Field(default=None, description="Instead of the sweep's.")
    dim: OneOrMore[Positive] | None = Field(default=None, description="Instead of the sweep's.")
    num_heads: OneOrMore[Positive] | None = Field(default=None, description="Instead of the sweep's.")
    dtype: OneOrMore[DTypeWord] | None = Field(default=None, description="Instead of the sweep's.")
    mode: OneOrMore[ModeWord] | None = Field(default=None, description="Instead of the sweep's.")
    kernel: OneOrMore[KernelWord] | None = Field(default=None, description="Instead of the sweep's.")
    device: OneOrMore[Device] | None = Field(default=None, description="Instead of the sweep's.")
    memory_format: OneOrMore[MemoryFormatWord] | None = Field(
        default=None, description="Instead of the sweep's."
    )
    compile: OneOrMore[CompileWord] | None = Field(default=None, description="Instead of the sweep's.")
    cache: OneOrMore[CacheWord] | None = Field(default=None, description="Instead of the sweep's.")
    protocol: OneOrMore[ProtocolWord] | None = Field(default=None, description="Instead of the sweep's.")
    threads: OneOrMore[PositiveOrNone] | None = Field(default=None, description="Instead of the sweep's.")
    allocator: OneOrMore[AllocatorWord | None] | None = Field(
        default=None, description="Instead of the sweep's."
    )
