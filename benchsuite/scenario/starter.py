"""The text of a first scenario, with a comment on each line that one will want to change. Pure."""

from __future__ import annotations

MIXER = """\
# Check this file:  benchsuite check {file}
# Count and plan:   benchsuite run {file} --dry-run
# Measure:          benchsuite run {file}
name: {name}
title: {label} beside known mixers
question: Is {label} faster than window attention, and does it need fewer multiply–adds?

sweep:
  mixer:
    # Yours, as package.module:Class. It is built as Class(dim, num_heads=..., **params); its module is looked
    # for where you start benchsuite, and in the folders of --pythonpath.
    - {{name: "{target}", label: {label}, params: {{}}}}
    # What it is held against: `benchsuite list mixers` names all, `benchsuite show mixer hilo` one.
    - {{name: msa, label: MSA}}
    - {{name: window, label: W-MSA, params: {{window_size: 7}}}}
    - {{name: hilo, label: HiLo, params: {{alpha: 0.9, window_size: 2}}}}
  resolution: [224, 448]  # pixels; tokens are resolution / stride on each side
  stride: 16
  batch: 1                # images a step; a GPU wants more, such as 64
  dim: 384                # channels of a token
  num_heads: 12           # must divide dim
  dtype: fp32             # or [fp32, bf16]
  kernel: [math, sdpa]    # the attention matrix as papers form it, and torch's fused kernel
  # mode: training_step   # default: inference

measure:
  precision: auto         # half width of the 95 % interval that rounds are added for
  max_s: 0.75             # seconds of samples a cell, over all rounds
  warmup_s: 0.3

report:
  reference: MSA          # ratios are to this one
"""

NETWORK = """\
# Check this file:  benchsuite check {file}
# Count and plan:   benchsuite run {file} --dry-run
# Measure:          benchsuite run {file}
name: {name}
title: {label} beside known networks
question: Which of these networks is the fastest, and is it the one with the fewest multiply–adds?

subject: backbone
sweep:
  backbone:
    # Yours, as package.module:function or package.module:Class; its module is looked for where you start
    # benchsuite, and in the folders of --pythonpath.
    - {{name: "{target}", label: {label}, params: {{}}}}
    # What it is held against: `benchsuite count backbones` names all. timm:NAME takes a network of timm.
    - litv2_s
    - swin_t
  resolution: [224]       # pixels
  batch: 1                # images a step; a GPU wants more, such as 64
  dtype: fp32             # or [fp32, bf16]
  kernel: [math, sdpa]    # the attention matrix as papers form it, and torch's fused kernel

measure:
  precision: auto         # half width of the 95 % interval that rounds are added for
  max_s: 1.5              # seconds of samples a cell, over all rounds
  warmup_s: 0.3

report:
  reference: swin_t       # ratios are to this one
"""


def starter(target: str, file: str, *, network: bool) -> str:
    """A scenario for one's own mixer or network.

    Args:
        target: "package.module:Class".
        file: how the file will be called, for the comments.
    """
    label = target.rpartition(":")[2] or target
    text = NETWORK if network else MIXER
    return text.format(target=target, label=label, name=label.lower().replace(".", "_"), file=file)
