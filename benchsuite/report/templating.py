"""Pages from templates: one HTML file each, which opens from disk and loads nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from benchsuite.io import write_whole
from benchsuite.report import theme
from benchsuite.version import __version__


def filled(template: str, *, packages: Sequence[str] = ("benchsuite.report",), **values: object) -> str:
    """A page as text. Everything but figures and style sheets is escaped by the template engine.

    Args:
        packages: where templates lie, the first that has one of this name.
        values: names that the template uses. `templates/_page.html.j2` wants `page`, with a title and styles.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        finalize=_unbroken,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found = environment.get_template(template)
    return found.render(light=theme.LIGHT, dark=theme.DARK, version=__version__, **values)


def _unbroken(value: object) -> object:
    """Plain text with a no-break space before each "%" that follows a number."""
    return re.sub(r"(?<=\d) %", "\u00a0%", value) if type(value) is str else value


def write(page: str | bytes, out: Path) -> None:
    """Write a page; its folder is made if needed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, page)
