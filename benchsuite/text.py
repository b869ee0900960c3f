"""Text from outside, made fit to be stored and to be shown: surrogates, control characters, length."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

ESCAPE = "benchsuite.escape"
"""Error handler for streams: what the encoding lacks is written as JSON escapes it."""
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE = re.compile("[\ud800-\udfff]")
_UNSHOWN = re.compile(
    # C0 but for tab and newline, DEL, C1, line separators, marks that turn the direction of text, surrogates
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def escaped(text: str) -> str:
    """Every character as JSON escapes it, so that a JSON text stays one: "\\u001b"."""
    raw = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{raw[i]:02x}{raw[i + 1]:02x}" for i in range(0, len(raw), 2))


def storable(text: str) -> str:
    """The text with pairs of surrogates joined, and those without a partner escaped: valid Unicode."""
    if _LONE.search(text) is None:
        return text
    joined = _PAIR.sub(lambda pair: pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le"), text)
    return _LONE.sub(lambda one: escaped(one[0]), joined)


def all_storable(data: Any) -> Any:
    """Plain data that JSON can hold: every text, keys included, is `storable`, and no number is infinite."""
    if isinstance(data, str):
        return storable(data)
    if isinstance(data, dict):
        return {all_storable(key): all_storable(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [all_storable(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def printable(text: str) -> str:
    """The text without what a terminal would obey: every control character but tab and newline is escaped."""
    return _UNSHOWN.sub(lambda found: escaped(found[0]), text)


def bounded(text: str, most: int) -> str:
    """The text in at most so many characters: of a longer one its beginning, its end and what they lack."""
    if len(text) <= most:
        return text
    mark = f" … [{len(text) - most} characters and more left out] … "
    end = (most - len(mark)) // 4
    return f"{text[: most - len(mark) - end]}{mark}{text[len(text) - end :]}"


def in_spreadsheet(text: str) -> str:
    """Text of a cell in a CSV file, which no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def in_xml(text: str) -> str:
    """The text with a replacement mark for every character that XML does not allow, and for C1 controls."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def in_markdown(text: str) -> str:
    """Text on one line in Markdown, or in a cell of its table: HTML in it is shown and not obeyed."""
    line = printable(" ".join(text.split()))
    for character, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\\", "\\\\"), ("|", "\\|")):
        line = line.replace(character, escape)
    return line


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return escaped(error.object[error.start : error.end]), error.end


codecs.register_error(ESCAPE, _escape)


def without_options(
    words: Iterable[str], valued: Collection[str], switches: Collection[str] = ()
) -> list[str]:
    """The words of a command line without these options, and the values of those that have one."""
    kept, rest = [], iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if name not in valued and word not in switches:
            kept.append(word)
        elif name in valued and not equals:
            next(rest, None)
    return kept


def slug(text: str) -> str:
    """Letters, digits and hyphens, for names of files and addresses; "x" if nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def numbered(names: Iterable[str]) -> list[str]:
    """The names, all different: one that repeats is followed by "-2", "-3"."""
    found: dict[str, None] = {}
    for base in names:
        name, number = base, 2
        while name in found:
            name, number = f"{base}-{number}", number + 1
        found[name] = None
    return list(found)


def strings_in(value: object) -> Iterator[str]:
    """All strings of nested mappings and lists, keys aside."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from strings_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from strings_in(one)
