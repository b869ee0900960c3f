"""What the tests of the scenario language share: a zoo of three mixers, and ways to read a text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from benchsuite.scenario.model import Scenario
from benchsuite.scenario.validate import check, problems

KNOWN = {
    "msa": ("attn_drop", "num_heads", "qkv_bias"),
    "hilo": ("alpha", "num_heads", "window_size"),
    "pool": ("pool_size",),
}
"""Mixer → parameters; `pool` has no heads."""

HEAD = "name: s\ntitle: A study\n"
"""Lines 1 and 2 of most texts."""

FULL = """
    question: What does it cost?
    subject: mixer
    sweep:
      mixer:
        - msa
        - {name: hilo, label: HiLo α=0.9, params: {window_size: 2}, vary: {alpha: [0.5, 0.9]}}
      resolution: [224, [448, 672], 896]
      stride: 16
      batch: [1, 64]
      dtype: [fp32, bf16]
      mode: forward_backward
      kernel: [math, auto]
      device: cpu
    include:
      - {resolution: 1792, batch: 1}
    exclude:
      - {where: "mixer=hilo kernel!=math", reason: no such kernel}
    expect:
      - {where: "kernel=sdpa device=cpu", status: oom, reason: it is large}
    measure: {metrics: latency, precision: null, threads: 2}
    report: {reference: msa, sections: [table, scatter]}
    profiles:
      cpu: {sweep: {batch: 4}, measure: {max_s: 1.0}}
    """
"""Something of everything, to go behind `HEAD`."""


def told(
    text: str, *, profiles: Sequence[str] = (), overrides: Sequence[str] = (), head: str = HEAD
) -> list[str]:
    """Every problem of a text, as the user reads it."""
    body = head + textwrap.dedent(text).lstrip("\n")
    return [str(p) for p in problems(body, "f.yaml", KNOWN, profiles=profiles, overrides=overrides)]


def read(
    text: str, *, profiles: Sequence[str] = (), overrides: Sequence[str] = (), head: str = HEAD
) -> Scenario:
    """The scenario of a text without mistakes."""
    body = head + textwrap.dedent(text).lstrip("\n")
    checked = check(body, "f.yaml", KNOWN, profiles=profiles, overrides=overrides)
    assert checked.scenario, "\n".join(map(str, checked.problems))
    return checked.scenario
