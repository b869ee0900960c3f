"""Spectra of maps whose answers are worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from benchsuite.analyse.spectra import high_share, spectrum


def test_a_constant_map_has_only_the_zero_frequency() -> None:
    found = spectrum(torch.full((2, 8, 8, 3), 2.0))
    assert found.amplitude[0] == pytest.approx(2.0 * 64)
    assert found.amplitude[1:] == pytest.approx((0,) * (len(found.amplitude) - 1), abs=1e-4)
    assert found.high_share == pytest.approx(0, abs=1e-9)


def test_a_checkerboard_has_only_the_highest_frequency() -> None:
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 2.0 - 1
    found = spectrum(board[None, :, :, None])
    # The corner lies at √2 of Nyquist; with four steps to Nyquist that is ring round(4 √2) = 6, alone in it.
    assert found.frequency[-1] == pytest.approx(6 / 4)
    assert found.amplitude[-1] == pytest.approx(64)
    assert found.amplitude[:-1] == pytest.approx((0,) * 6, abs=1e-4)
    assert found.high_share == pytest.approx(1)


def test_a_wave_of_half_the_nyquist_frequency_is_not_high() -> None:
    wave = torch.cos(torch.arange(8) * math.pi / 2).expand(8, 8)[None, :, :, None]
    found = spectrum(wave)
    assert max(range(len(found.amplitude)), key=lambda i: found.amplitude[i] or 0) == 2  # of four to Nyquist
    assert found.high_share == pytest.approx(0, abs=1e-9)


def test_a_map_of_zeros_has_no_share() -> None:
    assert high_share(torch.zeros(4, 4)) is None
