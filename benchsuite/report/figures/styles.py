"""Styles that files of figures can have. Light, since the command line reads it before anything is drawn."""

from __future__ import annotations

from benchsuite.errors import UsageError, did_you_mean

DEFAULT, LITV2 = "default", "litv2"
STYLES = (DEFAULT, LITV2)
"""As on the page; and after the plots of LITv2: boxed panels, a dashed grid, letters of a paper."""


def require_style(word: str | None, files: object) -> str:
    """The style of that name; that of the page for None.

    Args:
        files: where figures are written to, or None.

    Raises:
        UsageError: there is no such style, or no file that could have it.
    """
    if word is not None and word not in STYLES:
        hint = did_you_mean(word, STYLES)
        raise UsageError(f'--style: unknown style "{word}"{hint}\n  allowed: {", ".join(STYLES)}')
    if word is not None and files is None:
        raise UsageError("--style is of the files that --figures DIR writes; name a folder")
    return word or DEFAULT
