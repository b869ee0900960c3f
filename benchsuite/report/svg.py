"""Figures as SVG inside a page, and as files for papers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from benchsuite.report.theme import LIGHT
from benchsuite.text import in_xml

FORMATS = ("pdf", "png", "svg")

_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_COMMAND = re.compile(r" ?([MLQCz]) ?")
"""Of a path: it needs no space around it, and paths are most of a page."""
_VARIABLES = {color: variable for variable, color in LIGHT.items()}
_COLOR = re.compile("|".join(map(re.escape, _VARIABLES)))
_REFERENCE = re.compile(r"(?<=url\()#[^)]+|^#.+")


@dataclass(frozen=True)
class View:
    """One picture of a figure; `label` is what its switch says, `phone` the same in the width of a phone."""

    label: str
    svg: Markup
    caption: str
    phone: Markup | None = None


@dataclass(frozen=True)
class FigurePart:
    """A figure with its views, of which the first shows; `switch` names what they differ in."""

    key: str
    kind: str
    title: str
    views: tuple[View, ...]
    switch: str = ""


class StyleSheet:
    """The styles of all figures of a page, each once: halves the page, since marks repeat a lot."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}

    def class_of(self, style: str) -> str:
        """The class that stands for these declarations."""
        return self._classes.setdefault(style, f"f{len(self._classes)}")

    def css(self) -> Markup:
        """The rules. Declarations come from matplotlib and hold no text of a user."""
        return Markup("\n".join(f".{name}{{{style}}}" for style, name in self._classes.items()))


def inline(
    figure: Figure,
    key: str,
    alt: str,
    tips: Mapping[str, str],
    sheet: StyleSheet,
    prefix: str | None = "cell-",
) -> Markup:
    """The figure as an `<svg>` element for an HTML page.

    Colours become variables of the page's style sheet, so light and dark are the page's choice; fonts are
    the page's; ids are made of `key`, so figures of one page do not clash. A marker whose gid is "cell:<id>"
    gets the tooltip `tips[id]` and links to the row `prefix + id`; to nothing for None.

    Args:
        key: unique on the page.
        alt: what the figure shows, read out instead of it.
        sheet: collects the styles; the page must hold its `css`.
    """
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": key}):  # of which matplotlib makes ids
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    root = ET.fromstring(in_xml(buffer.getvalue().decode("utf-8")))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
        element.tail = None
        if element.text is not None and not element.text.strip():
            element.text = None
    _link(root, tips, prefix)
    used = {found for element in root.iter() for value in element.attrib.values() for found in _used(value)}
    for element in root.iter():
        _slim(element, used)
    root[:] = list(_flat(root))
    for element in root.iter():
        if "style" in element.attrib:
            element.attrib["class"] = sheet.class_of(element.attrib.pop("style"))
    width = float(root.attrib["width"].removesuffix("pt"))
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "style": f"--width:{width:.0f}",
        "role": "graphics-document",  # an image could not hold links
        "aria-label": alt,
    }
    # Markup: the serialiser has escaped every text and attribute of the tree.
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=True))


def _link(root: ET.Element, tips: Mapping[str, str], prefix: str | None) -> None:
    """Wrap the marks of cells in links with tooltips."""
    for parent in list(root.iter()):
        for i, element in enumerate(list(parent)):
            before, _, cell = element.attrib.get("id", "").partition("cell:")
            if before or cell not in tips:
                continue
            # The figure is one image to assistive technology, so its links are left out of the tab order.
            target = {} if prefix is None else {"href": f"#{prefix}{cell}", "tabindex": "-1"}
            link = ET.Element("a", target)
            ET.SubElement(link, "title").text = tips[cell]
            link.append(element)
            parent[i] = link


def _used(value: str) -> list[str]:
    """Ids that an attribute refers to."""
    return [target.removeprefix("#") for target in _REFERENCE.findall(value)]


def _slim(element: ET.Element, used: set[str]) -> None:
    """Colours to variables, the font to the page's, numbers to the hundredth of a point, used ids only."""
    if element.attrib.get("id") not in used:
        element.attrib.pop("id", None)
    if "style" in element.attrib:
        style = _COLOR.sub(lambda match: f"var({_VARIABLES[match[0]]})", element.attrib["style"])
        parts = [re.sub(r":\s+", ":", part.strip()) for part in style.split(";")]
        element.attrib["style"] = ";".join(
            part for part in parts if part and not part.startswith("font-family")
        )
    for name in ("d", "transform", "x", "y"):
        if name in element.attrib:
            numbers = _NUMBER.sub(
                lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), element.attrib[name]
            )
            element.attrib[name] = _COMMAND.sub(r"\1", " ".join(numbers.split()))
    if element.attrib.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]


def _flat(element: ET.Element) -> Iterator[ET.Element]:
    """The children without groups that only nest, and without what shows nothing.

    A `<style>` would hold for the whole page, metadata hold an address, and a path that is neither filled
    nor stroked is the invisible background of figure and axes.
    """
    for child in element:
        invisible = child.tag == "path" and child.attrib.get("style") == "fill:none"
        if child.tag in ("style", "metadata") or invisible:
            continue
        child[:] = list(_flat(child))
        if child.tag == "g" and not child.attrib:
            yield from child
        elif child.tag != "defs" or len(child):
            yield child


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write the figure as PDF, PNG and SVG; returns the files."""
    files = [folder / f"{name}.{format}" for format in FORMATS]
    for path in files:
        write(figure, path)
    return files


def write(figure: Figure, path: Path) -> None:
    """Write the figure in the format of the file's ending, on white, fonts embedded, PNG with 300 dpi.

    There is no date and no version inside: the same numbers give the same file.
    """
    metadata: dict[str, dict[str, Any]] = {
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
    }
    format = path.suffix.removeprefix(".")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format=format, dpi=300, facecolor="white", metadata=metadata[format])
