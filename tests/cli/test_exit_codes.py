"""What commands end with: one table in code, and every text that lists the codes says the same."""

from __future__ import annotations

import ast
import errno
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks._called import called
from benchsuite import errors
from benchsuite.cli import COMMANDS
from benchsuite.errors import EXIT_CODES, EXIT_SENTENCE, ExecutorFailed, StorageError, UsageError

SAYS = "benchsuite: an internal error; the lines above say where. Please report it\n"


def flat(text: str) -> str:
    """A text as one line without the marks of Markdown."""
    return " ".join(text.replace("`", "").split())


@pytest.mark.parametrize("place", ["docs/running.md", "docs/ci/README.md"])
def test_documents_hold_the_sentence_of_the_table(repository: Path, place: str) -> None:
    assert EXIT_SENTENCE in flat((repository / place).read_text(encoding="utf-8"))


def test_the_action_holds_the_sentence_of_the_table(repository: Path) -> None:
    action: Any = yaml.safe_load((repository / "action.yml").read_text(encoding="utf-8"))
    assert action["outputs"]["exit-code"]["description"] == EXIT_SENTENCE


@pytest.mark.parametrize("words", [("--help",), ("gate", "--help"), ("gate-report", "--help")])
def test_help_holds_the_sentence_of_the_table(words: tuple[str, ...]) -> None:
    answer = called(*words)
    assert answer.code == 0
    assert EXIT_SENTENCE in flat(answer.out)


def test_commands_exit_with_names_of_the_table_and_never_with_bare_numbers(repository: Path) -> None:
    names = {name for name, value in vars(errors).items() if isinstance(value, int) and value in EXIT_CODES}
    used = set()
    for path in sorted((repository / "benchsuite" / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.Exit" and node.args:
                used.add(ast.unparse(node.args[0]))
    assert used - {word for word in used if "exit_code" in word} <= names
    assert {"FAILED", "MISMATCH", "BAD_INPUT", "INTERRUPTED"} <= used


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (UsageError("no such thing"), 2, "no such thing\n"),
        (StorageError("the disk is full"), 3, "benchsuite: the disk is full\n"),
        (ExecutorFailed("no worker is left"), 3, "benchsuite: no worker is left\n"),
        (KeyboardInterrupt(), 130, ""),
        (OSError(errno.EISDIR, "Is a directory", "x"), 2, "benchsuite: x cannot be used: Is a directory\n"),
        (OSError(errno.ENOSPC, "It is full"), 3, "benchsuite: the output cannot be written: It is full\n"),
        (ZeroDivisionError("division by zero"), 70, SAYS),
        (RecursionError("too deep"), 70, SAYS),
        (OSError(errno.EBADF, "Bad file descriptor"), 70, SAYS),
        (SystemExit(1), 70, SAYS),
        (SystemExit("a module said so"), 70, SAYS),
    ],
)
def test_every_end_of_a_command_has_its_code(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, said: str
) -> None:
    def fails() -> None:
        raise raised

    monkeypatch.setattr("benchsuite.results.store.read_run", lambda path: fails())
    answer = called("report", "anything")
    assert answer.code == code
    assert answer.err.endswith(said)
    assert ("Traceback" in answer.err) == (code == 70)


def test_words_that_no_command_takes_exit_with_2() -> None:
    assert [called(*words).code for words in (("repor",), ("report", "--nothing"), ("report",))] == [2, 2, 2]
    assert all(called(name, "--help").code == 0 for name in COMMANDS)
