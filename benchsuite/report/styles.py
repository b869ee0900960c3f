"""The looks that figures can be written to files in. Light: the command line reads it before it draws."""

from __future__ import annotations

from benchsuite.errors import UsageError, nearest

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
        near = nearest(word, STYLES)
        hint = f'; did you mean "{near}"?' if near else ""
        raise UsageError(f'--style: unknown style "{word}"{hint}\n  allowed: {", ".join(STYLES)}')
    if word is not None and files is None:
        raise UsageError("--style is of the files that --figures DIR writes; name a folder")
    return word or DEFAULT
