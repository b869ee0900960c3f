"""The text of a scenario: from a shell line, or a commented one to begin with. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from benchsuite.errors import UsageError, did_you_mean
from benchsuite.scenario.subjects import LIBRARIES, own_with_colon

MIXER = """\
# Check this file:  benchsuite check {file}{where}
# Count and plan:   benchsuite run {file}{where} --dry-run
# Measure:          benchsuite run {file}{where}
name: {name}
title: {label} beside known mixers
question: Is {label} faster than MSA, W-MSA and HiLo?

sweep:
  mixer:
    # Yours, as package.module:Class. It is built as Class(dim, num_heads=..., **params); its module is looked
    # for where you start benchsuite, and in the folders of --pythonpath.
    # Called with (x, size), (x, H, W) or (x), as its signature says; call: and layout: say it otherwise.
    - {{name: "{target}", label: {label}, params: {{}}}}
    # What it is held against: `benchsuite list mixers` names all, `benchsuite show mixer hilo` one.
    - {{name: msa, label: MSA}}
    # A window_size must divide the tokens of a side.
    - {{name: window, label: W-MSA, params: {{window_size: 7}}}}
    - {{name: hilo, label: HiLo, params: {{alpha: 0.9, window_size: 2}}}}
  resolution: [224, 448]  # pixels; tokens are resolution / stride on each side
  stride: 16
  batch: 1                # images a step; a GPU wants more, such as 64
  dim: 384                # channels of a token
  num_heads: 12           # must divide dim
  dtype: fp32             # or [fp32, bf16]
  {kernel}
  # mode: training_step   # default: inference

measure:
  precision: auto         # half width of the 95 % interval that rounds are added for
  max_s: 0.75             # seconds of samples a cell, over all rounds
  warmup_s: 0.3

report:
  reference: MSA          # ratios are to this one
"""

NETWORK = """\
# Check this file:  benchsuite check {file}{where}
# Count and plan:   benchsuite run {file}{where} --dry-run
# Measure:          benchsuite run {file}{where}
name: {name}
title: {label} beside known networks
question: Is {label} the fastest of these networks?

subject: backbone
sweep:
  backbone:
    # Yours, as package.module:function or package.module:Class; its module is looked for where you start
    # benchsuite, and in the folders of --pythonpath. One that takes no images names what it takes, as in
    # inputs: {{x: [B, 3, 64]}}.
    - {{name: "{target}", label: {label}, params: {{}}}}
    # What it is held against: `benchsuite list backbones` names all; timm:NAME, torchvision:NAME.
    - litv2_s
    - swin_t
  resolution: [224]       # pixels
  batch: 1                # images a step; a GPU wants more, such as 64
  dtype: fp32             # or [fp32, bf16]
  {kernel}

measure:
  precision: auto         # half width of the 95 % interval that rounds are added for
  max_s: 1.5              # seconds of samples a cell, over all rounds
  warmup_s: 0.3

report:
  reference: swin_t       # ratios are to this one
"""


_SDPA = "kernel: [math, sdpa]    # the attention matrix as papers form it, and torch's fused kernel"
_MATH = "kernel: math            # for [math, sdpa] yours must take an argument kernel, or name its kernels"


def starter(target: str, file: str, where: str = "", *, network: bool, sdpa: bool) -> str:
    """A scenario for one's own mixer or network.

    Args:
        target: "package.module:Class".
        file: how the file will be called, for the comments.
        where: options that say where its module lies, for the comments.
        sdpa: whether it runs on torch's fused kernel as well.
    """
    label = target.rpartition(":")[2] or target
    text = NETWORK if network else MIXER
    return text.format(
        target=target, label=label, name=label.lower().replace(".", "_"), file=file, where=where,
        kernel=_SDPA if sdpa else _MATH,
    )  # fmt: skip


MEASURE: Mapping[str, Any] = {
    "precision": "auto",
    "warmup_s": 0.3,
    "min_samples": 15,
    "max_samples": 100,
    "max_s": 0.75,
    "max_rounds": 7,
}
"""Settings of measuring: as the shipped scenarios do on a CPU, a second a cell."""


_OPTIONS = {"num_heads": "heads"}
"""Axis → its option, where it is called otherwise."""
_AXIS = re.compile(r"sweep\.(?!mixer|backbone)(\w+)(?:\[\d+\])*")
_VARIED = re.compile(r"sweep\.(mixer|backbone)\[(\d+)\]\.vary\.(.+?)(?:\[\d+\])*")


@dataclass(frozen=True, slots=True)
class ShellLine:
    """Words of a shell line that measures some mixers or networks.

    Attributes:
        names: mixers, or networks; an own one is "package.module:Class".
        axes: axis of a sweep → the word for its values, separated by commas; empty words are left out.
        params: "name.parameter=value", or several values with commas between them, which that entry varies;
            of an own one the class alone is name enough, where no other has it.
        networks: whether own classes are networks; names of the zoo say it themselves, and beside networks of
            the zoo alone they are, too.
    """

    names: Sequence[str]
    axes: Mapping[str, str] = field(default_factory=dict)
    params: Sequence[str] = ()
    networks: bool = False


def scenario(line: ShellLine, mixers: Collection[str], backbones: Collection[str]) -> dict[str, Any]:
    """The document of a scenario that measures these, mixers and networks each with inputs of their own.

    Args:
        mixers, backbones: the names that are known.

    Raises:
        UsageError: an unknown name, or parameters of something that is not measured.
    """
    kinds = _kinds(line, mixers, backbones)
    own = _parameters(line)
    short = Counter(name.rpartition(":")[2] for name in kinds)
    lists: dict[str, list[Any]] = {}
    for name, kind in kinds.items():
        said: dict[str, Any] = {"vary": own[name]} if name in own else {}
        if short[name.rpartition(":")[2]] > 1:
            said["label"] = name
        lists.setdefault(kind, []).append({"name": name, **said} if said else name)
    axes = {axis: _values(word) for axis, word in line.axes.items() if word}
    return {
        "name": "time",
        "title": f"Time of {', '.join(name.rpartition(':')[2] for name in kinds)}",
        **({} if "mixer" in lists else {"subject": "backbone"}),
        "sweep": {**lists, **axes},
        "measure": dict(MEASURE),
    }


def option(path: str, document: Mapping[str, Any]) -> str | None:
    """The words of a shell line that a path of its scenario came from: "--params hilo.alpha", "--batch"."""
    if varied := _VARIED.fullmatch(path):
        entry = document["sweep"][varied[1]][int(varied[2])]
        return f"--params {entry['name']}.{varied[3]}"
    axis = _AXIS.fullmatch(path)
    return f"--{_OPTIONS.get(axis[1], axis[1])}" if axis else None


def to_yaml(document: Mapping[str, Any]) -> str:
    """The text of a scenario file."""
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=100)


def _kinds(line: ShellLine, mixers: Collection[str], backbones: Collection[str]) -> dict[str, str]:
    """Name → the axis of a sweep that lists it."""
    ours = {name: _kind(name, mixers, backbones) for name in line.names}
    kinds = set(ours.values())
    networks = line.networks or ("backbone" in kinds and "mixer" not in kinds)
    return {name: kind or ("backbone" if networks else "mixer") for name, kind in ours.items()}


def _kind(name: str, mixers: Collection[str], backbones: Collection[str]) -> str:
    """ "mixer" or "backbone"; empty for an own class, which may be either."""
    if name in backbones or name.startswith(LIBRARIES):
        return "backbone"
    if name in mixers:
        return "mixer"
    if ":" in name:
        return ""
    hint = own_with_colon(name) or did_you_mean(name, [*mixers, *backbones])
    raise UsageError(
        f'no mixer and no network is called "{name}"{hint}\n'
        "  `benchsuite list mixers` and `benchsuite list backbones` name all; yours is package.module:Class"
    )


def _values(word: str) -> Any:
    values = [yaml.safe_load(piece) for piece in word.split(",")]
    return values if len(values) > 1 else values[0]


def _parameters(line: ShellLine) -> dict[str, dict[str, list[Any]]]:
    """Name → the values of its keyword arguments, which stand in the labels of its cells."""
    parameters: dict[str, dict[str, list[Any]]] = {}
    short = Counter(name.rpartition(":")[2] for name in line.names)
    owners = {label: name for name in line.names if short[label := name.rpartition(":")[2]] == 1}
    owners |= {name: name for name in line.names}
    for text in line.params:
        path, equals, value = text.partition("=")
        called = max((name for name in owners if path.startswith(f"{name}.")), key=len, default=None)
        if called is None or not equals:
            raise UsageError(
                f'--params {text}: write NAME.PARAMETER=VALUE with one of the names, as "{line.names[0]}.…=…"'
            )
        key = path.removeprefix(f"{called}.")
        parameters.setdefault(owners[called], {})[key] = yaml.safe_load(f"[{value}]")
    return parameters
