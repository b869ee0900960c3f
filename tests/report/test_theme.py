"""Colours that are told apart, settings that do not leak."""

from __future__ import annotations

import itertools
import logging

import matplotlib as mpl
import numpy as np
import pytest

from benchsuite.report import theme
from benchsuite.report.canvas import measure

# Machado, Oliveira and Fernandes 2009, severity 1: what an RGB colour looks like without one kind of cone.
VISION = {
    "usual": np.eye(3),
    "protan": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "deutan": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "tritan": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}
TO_XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])


def linear(color: str) -> np.ndarray:
    """A colour as linear RGB."""
    channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Linear RGB → CIE L*a*b*, white D65."""
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a: str, b: str) -> float:
    """WCAG contrast ratio."""
    low, high = sorted(float(TO_XYZ[1] @ linear(color)) for color in (a, b))
    return (high + 0.05) / (low + 0.05)


PALETTES = [(theme.SERIES, theme.PAPER), (theme.SERIES_DARK, theme.DARK["--paper"])]


@pytest.mark.parametrize("vision", list(VISION))
@pytest.mark.parametrize(("palette", "paper"), PALETTES, ids=["light", "dark"])
def test_every_two_colours_are_told_apart(palette: tuple[str, ...], paper: str, vision: str) -> None:
    seen = [lab(VISION[vision] @ linear(color)) for color in palette]
    nearest = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))
    assert nearest > 12  # a difference of 2 is just visible side by side


@pytest.mark.parametrize(("palette", "paper"), PALETTES, ids=["light", "dark"])
def test_every_colour_stands_out_from_the_page(palette: tuple[str, ...], paper: str) -> None:
    assert min(contrast(color, paper) for color in palette) >= 3


@pytest.mark.parametrize("variables", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_is_readable(variables: dict[str, str]) -> None:
    assert contrast(variables["--ink"], variables["--paper"]) >= 7
    assert contrast(variables["--muted"], variables["--paper"]) >= 4.5


def test_light_and_dark_define_the_same_variables() -> None:
    assert set(theme.LIGHT) == set(theme.DARK)
    assert len(set(theme.LIGHT.values())) == len(theme.LIGHT)  # a figure's colour names one variable


def test_a_hundred_mixers_differ_in_colour_or_marker_and_the_first_ten_in_both() -> None:
    found = list(theme.looks(f"m{i}" for i in range(100)).values())
    assert len({(look.color, look.marker) for look in found}) == 100
    assert len({look.color for look in found[:10]}) == len({look.marker for look in found[:10]}) == 10


def test_looks_go_by_order_and_ignore_repeats() -> None:
    assert theme.looks(["a", "b", "a"]) == theme.looks(["a", "b"])
    assert theme.looks(["a", "b"])["a"] == theme.looks(["a"])["a"]


def test_of_two_arguments_the_one_with_fewer_values_has_the_colours() -> None:
    names = [f"HiLo alpha={alpha} window_size={size}" for alpha in (0.0, 0.5, 1.0) for size in (2, 4)]
    found = theme.looks(names)
    for name, look in found.items():
        _, alpha, size = name.split()
        assert {other.split()[2] for other, its in found.items() if its.color == look.color} == {size}
        assert {other.split()[1] for other, its in found.items() if its.marker == look.marker} == {alpha}
    assert theme.crossing(["α = 1 window = 2", "α = 2 ratio = 2"]) == theme.crossing(["a", "b"]) == {}
    assert theme.crossing(["α = 1 window = 2", "α = 2 window = 2"]) == {}


def test_math_is_hollow_and_every_fused_kernel_is_filled_in_its_own_way() -> None:
    found = theme.fills(["math", "sdpa", "flash", "mem_efficient", "cudnn"])
    assert found["math"] == "none"
    assert found["sdpa"] == "full"
    assert len(set(found.values())) == 5
    assert theme.fills(["flash"])["flash"] == "full"


def test_settings_of_the_user_are_restored_after_drawing() -> None:
    before = dict(mpl.rcParams)
    with theme.applied():
        assert mpl.rcParams["svg.fonttype"] == "none"
    assert dict(mpl.rcParams) == before


def test_characters_that_the_font_lacks_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), theme.applied():
        measure("混合器", 8)
    assert len(caplog.records) == 1
    assert "not in the figures' font" in caplog.text


def test_the_reference_is_known_by_its_look() -> None:
    assert [look.reference for look in theme.looks(["a", "b"], "b").values()] == [False, True]
    assert not any(look.reference for look in theme.looks(["a", "b"]).values())
