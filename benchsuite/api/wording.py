"""Messages of the command line in the words of Python: `--kind` is `kind`, `--resume r1` is `resume="r1"`."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection
from typing import ParamSpec, TypeVar

from benchsuite.errors import UsageError

_P = ParamSpec("_P")
_R = TypeVar("_R")
_KEYWORDS = {"set": "overrides", "executor_option": "executor_options"}
"""Option → the keyword argument that stands for it, where it is called otherwise."""


def in_python(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function, whose UsageErrors name its own arguments where they named options of a command."""
    arguments = inspect.signature(function).parameters

    @functools.wraps(function)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except UsageError as error:
            error.args = (reworded(str(error), arguments),)
            raise

    return called


def reworded(message: str, arguments: Collection[str]) -> str:
    """A message with these arguments in place of the options that stand for them; other options stay."""

    def keyword(option: re.Match[str]) -> str:
        word = option[1].replace("-", "_")
        word = _KEYWORDS.get(word, word)
        heads = option.start() == 0 or message[option.start() - 1] == "\n"
        return (word if heads else f"{word}=") if word in arguments else option[0]

    if "resume" in arguments:
        message = re.sub(r"use: --resume (.+)", r'use: resume="\1"', message)
        message = re.sub(r"benchsuite run --resume ([^\n)]+)", r'benchsuite.run(resume="\1")', message)
    else:
        message = re.sub(r"to go on with it use: --resume .+", "name a new folder with --out", message)
    return re.sub(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)", keyword, message)
