"""The documents of the project, their code blocks, and the commands in these."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from benchsuite.cli import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "reports/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
_FENCE = re.compile(r"( *)```(\w*)")
_LIST = re.compile(r"\s*([-*]|\d+\.)\s")
_BETWEEN = ("&&", "||", "|", ";")


@dataclass(frozen=True)
class Block:
    """A code block: a fenced one, or an indented one, which is `sh`.

    Attributes:
        document: its path from the root.
        line: of its first line of code.
    """

    document: str
    line: int
    language: str
    text: str


def blocks_of(path: Path) -> list[Block]:
    """All code blocks of a document, in order."""
    document, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    found = _fenced_and_indented(text.splitlines())
    return [
        Block(document, line, language, textwrap.dedent("\n".join(code))) for line, language, code in found
    ]


def _fenced_and_indented(lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """First line, language and lines of code of each block."""
    position, in_list = 0, False
    while position < len(lines):
        line = lines[position]
        if fence := _FENCE.match(line):
            end = next(i for i in range(position + 1, len(lines)) if lines[i].strip() == "```")
            yield position + 2, fence[2], lines[position + 1 : end]
            position = end + 1
        elif line.startswith("    ") and not in_list and not (position and lines[position - 1].strip()):
            end = position
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            yield position + 1, "sh", lines[position:end]
            position = end
        else:
            in_list = bool(_LIST.match(line)) or (in_list and (not line.strip() or line.startswith(" ")))
            position += 1


def commands_of(block: Block) -> list[str]:
    """The commands of a block of shell; one that goes on over several lines is one."""
    lines = re.sub(r"\\\n\s*", "", block.text).splitlines()
    return [line for line in lines if words_of(line)]


def words_of(command: str) -> list[str]:
    """The words of a command, without its comment."""
    return shlex.split(command, comments=True)


def mentioned(path: Path) -> list[str]:
    """Commands of benchsuite that a document names amid its sentences."""
    prose = re.sub(r"^ *```.*?^ *```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return [" ".join(words.split()) for words in re.findall(r"`(benchsuite [^`]+)`", prose)]


def mistake(words: list[str], *, complete: bool = True) -> str:
    """What is wrong with a command, as far as that can be told without running it; empty if nothing.

    Args:
        complete: whether arguments may not be missing, as they may where a sentence names a command.
    """
    for number, word in enumerate(words):
        if word in _BETWEEN:
            return mistake(words[:number], complete=complete) or mistake(
                words[number + 1 :], complete=complete
            )
    words = words[next((i for i, word in enumerate(words) if not re.match(r"\w+=", word)), 0) :]
    if words[0] == "make":
        targets = re.findall(r"^\.PHONY: (.*)", _text("Makefile"), re.M)[0].split()
        asked = [word for word in words[1:] if "=" not in word and not word.startswith(".")]
        return "".join(f"the Makefile has no {word}" for word in asked if word not in targets)
    if words[:2] == ["pip", "install"]:
        extras = {
            name for word in words for part in re.findall(r"\[([\w,]+)\]", word) for name in part.split(",")
        }
        missing = [name for name in extras if not re.search(rf"^{name} = \[", _text("pyproject.toml"), re.M)]
        return f"pyproject.toml has no extra {missing[0]}" if missing else ""
    return _mistake_of_ours(words, complete=complete) if words[0] == "benchsuite" else ""


def _mistake_of_ours(words: list[str], *, complete: bool) -> str:
    command = typer.main.get_command(app)
    rest = words[1:]
    while (inner := getattr(command, "commands", None)) and rest and not rest[0].startswith("-"):
        if rest[0] not in inner:
            return f"benchsuite has no command {rest[0]}"
        command, rest = inner[rest[0]], rest[1:]
    try:
        command.make_context(words[0], list(rest))
    except typer.Exit:  # --help, --version
        return ""
    except typer.BadParameter.__mro__[2] as error:  # the root of what typer raises on words
        incomplete = type(error).__name__ in ("MissingParameter", "NoArgsIsHelpError")
        return "" if incomplete and not complete else error.format_message()
    return ""


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
