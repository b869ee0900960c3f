"""Mapping of the authors' arguments and weights."""

from __future__ import annotations

import pytest
import torch

from benchsuite.mixers._port import arguments, renamed


def test_arguments_are_taken_over_renamed_or_left_out() -> None:
    convert = arguments("dim", renamed={"ws": "window_size"}, ignored=("mlp_ratio",), only={"qk_scale": None})
    ours = convert({"dim": 32, "ws": 7, "mlp_ratio": 4.0, "qk_scale": None})
    assert ours == {"dim": 32, "window_size": 7}


def test_a_default_yields_to_what_the_authors_say() -> None:
    convert = arguments("qkv_bias", defaults={"qkv_bias": False})
    assert convert({}) == {"qkv_bias": False}
    assert convert({"qkv_bias": True}) == {"qkv_bias": True}


def test_a_setting_that_ours_does_not_have_is_refused() -> None:
    convert = arguments("dim", only={"causal": False})
    with pytest.raises(ValueError, match=r"^causal=True is not supported; only causal=False is$"):
        convert({"dim": 32, "causal": True})


def test_an_unheard_of_argument_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the authors' argument ratio=2 has no counterpart here$"):
        arguments("dim")({"dim": 32, "ratio": 2})


def test_names_change_at_the_start_and_by_the_first_rule() -> None:
    convert = renamed((r"attn\.", ""), (r"attn", "x"), drop=(r".*index$",))
    weight, index = torch.ones(1), torch.zeros(1)
    state = {"attn.qkv.attn.weight": weight, "proj.weight": weight, "attn.index": index}
    assert set(convert(state)) == {"qkv.attn.weight", "proj.weight"}
    assert convert(state)["proj.weight"] is weight
