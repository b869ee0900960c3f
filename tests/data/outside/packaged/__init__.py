"""A package that gives its mixer another home than its name says."""

from __future__ import annotations

from packaged.mixer import Mixer

__all__ = ["Mixer"]
