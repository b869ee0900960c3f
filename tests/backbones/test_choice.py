"""The mixer of a stage as an argument: what is taken, what is made of it, what is refused and how."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.backbones._call import CallError
from benchsuite.backbones._choice import (
    MixerChoice,
    MixerSlot,
    check_runs_on,
    choice_of,
    chosen,
    mix_map,
    mix_tokens,
)
from benchsuite.mixers.dwnet import DWBlock
from benchsuite.mixers.msa import MSA
from benchsuite.mixers.poolformer import Pooling

STAGES = ("stage1", "stage2")


class Widening(nn.Module):
    """One's own mixer, which makes twice as many channels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc = nn.Linear(dim, 2 * dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = self.fc(x)
        return out


class Scaling(nn.Module):
    """One's own mixer, which says nothing of itself."""

    def __init__(self, dim: int, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        return x * self.factor


class Rows(Scaling):
    def forward(self, x: Tensor, H: int, W: int) -> Tensor:  # type: ignore[override]  # noqa: N803
        assert isinstance(H, int)
        return x.unflatten(1, (H, W)).cumsum(2).flatten(1, 2)


class Alone(Scaling):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # type: ignore[override]
        assert mask is None
        return x.cumsum(1)


class Maps(nn.Module):
    """Says nothing of its layout but what its layer says."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class Bare(Scaling):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x.cumsum(2)  # rows of a map, channels of tokens


class BareSized(Scaling):
    def forward(self, x: Tensor, *size: int) -> Tensor:  # type: ignore[override]
        assert size == (14, 7)
        return x.cumsum(2)


class Several(Scaling):
    def forward(self, x: Tensor, size: tuple[int, int]) -> Any:
        return {"nothing": None, "out": (2 * x, x)}


class Three(Scaling):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # type: ignore[override]
        return q


def make(choice: MixerChoice, **changed: Any) -> nn.Module:
    place: dict[str, Any] = {"stage": "stage3", "dim": 32, "grid": (14, 7), "layout": "BNC", "num_heads": 4}
    return chosen(choice, MixerSlot(**place | changed))()


def test_a_stages_own_entry_comes_before_that_of_all() -> None:
    mixer = {"all": "msa", "stage2": "hilo"}
    assert [choice_of(mixer, stage, STAGES) for stage in STAGES] == ["msa", "hilo"]
    assert choice_of({"stage2": "hilo"}, "stage1", STAGES) is None
    assert choice_of(None, "stage1", STAGES) is None


def test_a_stage_that_the_network_does_not_have_is_named_with_the_nearest_that_it_has() -> None:
    expected = 'no stage "stge2"; did you mean "stage2"? Allowed: all, stage1, stage2'
    with pytest.raises(ValueError, match=re.escape(expected)):
        choice_of({"stge2": "hilo"}, "stage1", STAGES)


def test_a_mixer_is_given_what_it_takes_of_its_place() -> None:
    mixer = make("msa", kernel="sdpa")
    assert isinstance(mixer, MSA)
    assert (mixer.dim, mixer.num_heads, mixer.kernel) == (32, 4, "sdpa")
    assert make("token_mlp").tokens == 14 * 7  # the grid
    assert isinstance(make("pooling"), Pooling)  # takes nothing of it


def test_params_come_before_what_the_place_gives() -> None:
    mixer = make({"name": "msa", "params": {"num_heads": 8, "qkv_bias": False}})
    assert isinstance(mixer, MSA)
    assert mixer.num_heads == 8
    assert mixer.qkv.bias is None


def test_a_mixer_without_the_kernel_runs_on_its_own() -> None:
    assert make("performer", kernel="sdpa").kernel == "math"


def test_a_class_of_ones_own_can_be_put_in() -> None:
    mixer = make({"name": f"{__name__}:Scaling", "params": {"factor": 3.0}})
    assert isinstance(mixer, Scaling)
    assert mixer.factor == 3.0


def _as_map(x: Tensor) -> Tensor:
    return x.transpose(1, 2).unflatten(2, (14, 7))


def _as_tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("Rows", {}, lambda own, x: own(x, 14, 7)),
        ("Alone", {}, lambda own, x: own(x)),
        ("Maps", {}, lambda own, x: _as_tokens(own(_as_map(x)))),
        ("Several", {}, lambda own, x: 2 * x),
        ("Bare", {}, lambda own, x: own(x)),
        ("Bare", {"layout": "NCHW"}, lambda own, x: _as_tokens(own(_as_map(x)))),
        ("Bare", {"layout": "NHWC"}, lambda own, x: own(x.unflatten(1, (14, 7))).flatten(1, 2)),
        ("BareSized", {"call": "forward(x, H, W)"}, lambda own, x: own(x, 14, 7)),
        (
            "BareSized",
            {"call": "forward(x, H, W)", "layout": "NCHW"},
            lambda own, x: _as_tokens(own(_as_map(x), 14, 7)),
        ),
    ],
)
def test_a_class_of_ones_own_is_called_as_its_signature_its_layers_or_the_choice_says(
    name: str, said: dict[str, str], expected: Callable[[nn.Module, Tensor], Tensor]
) -> None:
    mixer = make({"name": f"{__name__}:{name}", **said})
    x = torch.randn(2, 14 * 7, 32)
    out = mix_tokens(mixer, x, (14, 7))
    torch.testing.assert_close(out, expected(getattr(mixer, "mixer", mixer), x))
    torch.testing.assert_close(_as_tokens(mix_map(mixer, _as_map(x))), out)


def test_a_class_of_ones_own_that_takes_more_than_x_and_its_size_is_refused_with_its_stage() -> None:
    with pytest.raises(CallError, match=r"^stage3: mixer '.*:Three': forward takes q, k, v, and benchsuite"):
        make(f"{__name__}:Three")


@pytest.mark.parametrize(
    ("message", "choice"),
    [
        ('stage3: no mixer "hillo"; did you mean "hilo"?', "hillo"),
        (
            'stage3: no key "parms"; did you mean "params"? Allowed: name, params, call, layout',
            {"name": "msa", "parms": {}},
        ),
        ("stage3: a mixer needs a name", {"params": {}}),
        ('stage3: no layout "NCWH"; did you mean "NCHW"?', {"name": "msa", "layout": "NCWH"}),
        ("no.such.module", "no.such.module:Mixer"),
        ("has no attribute 'Nothing'", f"{__name__}:Nothing"),
        ("unexpected keyword argument 'heads'", {"name": "msa", "params": {"heads": 3}}),
        ("num_heads 5 does not divide dim 32", {"name": "msa", "params": {"num_heads": 5}}),
        (
            "stage3: mixer 'window' cannot mix 32 channels of a 14 × 7 grid",
            {"name": "window", "params": {"window_size": 5}},
        ),
        ("stage3: mixer 'token_mlp' cannot mix", {"name": "token_mlp", "params": {"grid": (7, 7)}}),
        ("makes (1, 98, 64) of what should become (1, 98, 32)", f"{__name__}:Widening"),
    ],
)
def test_what_cannot_be_put_in_is_refused_before_anything_runs(message: str, choice: MixerChoice) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(choice)


@pytest.mark.parametrize("mixer", [MSA(8, 2), DWBlock(8), Pooling(8)], ids=["BNC", "NHWC", "NCHW"])
def test_mixers_of_every_layout_mix_the_same_grid_from_tokens_and_from_maps(mixer: nn.Module) -> None:
    tokens = torch.randn(2, 14 * 7, 8)
    map_ = tokens.transpose(1, 2).reshape(2, 8, 14, 7)
    mixer.eval()
    from_tokens, from_map = mix_tokens(mixer, tokens, (14, 7)), mix_map(mixer, map_)
    torch.testing.assert_close(from_map.flatten(2).transpose(1, 2), from_tokens)
    own = {
        "BNC": lambda: mixer(tokens, (14, 7)),
        "NHWC": lambda: mixer(tokens.reshape(2, 14, 7, 8)).reshape(2, -1, 8),
        "NCHW": lambda: mixer(map_).flatten(2).transpose(1, 2),
    }
    torch.testing.assert_close(from_tokens, own[mixer.layout]())


@pytest.mark.parametrize("choice", ["msa", "dwconv", "nat"])
def test_a_mixer_that_knows_no_stride_is_followed_by_a_mean_of_squares(choice: str) -> None:
    mixer = make(choice, layout="NCHW", stride=2, grid=(14, 9)).eval()
    x = torch.randn(2, 32, 14, 9)
    out = mixer(x)
    assert out.shape == (2, 32, 7, 5)
    mixed = mix_map(mixer.mixer, x)
    torch.testing.assert_close(out[:, :, 1, 2], mixed[:, :, 2:4, 4:6].mean(dim=(2, 3)))
    torch.testing.assert_close(out[:, :, 1, 4], mixed[:, :, 2:4, 8].mean(dim=2))


def test_a_mixer_that_knows_strides_gets_one() -> None:
    mixer = make("acmix", layout="NCHW", stride=2, grid=(14, 14))
    assert mixer.stride == 2


def test_a_kernel_that_no_mixer_of_the_network_has_is_refused() -> None:
    check_runs_on(nn.Sequential(MSA(8, 2)), "sdpa", "ViT")
    with pytest.raises(ValueError, match="Mixer has no mixer that runs on kernel 'sdpa'; it runs on math"):
        check_runs_on(nn.Sequential(Pooling(8)), "sdpa", "Mixer")
    with pytest.raises(ValueError, match=r"unknown kernel 'fast'\. Allowed: math, sdpa, flash"):
        check_runs_on(nn.Sequential(MSA(8, 2)), "fast", "ViT")
