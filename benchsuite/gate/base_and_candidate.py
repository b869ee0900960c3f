"""The two sides of a gate made ready: worktrees of two revisions, or this folder under two interpreters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchsuite.errors import UsageError
from benchsuite.gate.checkout import WORKTREE, Repository, Revision
from benchsuite.gate.interleave import SIDES, SideName
from benchsuite.gate.processes import Side, interpreter
from benchsuite.gate.request import Request


@dataclass(frozen=True, slots=True)
class Opened:
    """Two sides that are ready to be measured.

    Attributes:
        root: of the repository whose revisions they are; None if they differ in their interpreters alone.
    """

    sides: Mapping[SideName, Side]
    root: Path | None = None
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def opened_sides(request: Request) -> Iterator[Opened]:
    """The two sides; the worktrees that they needed are gone afterwards."""
    if request.base is None:
        folder = Path.cwd()
        yield Opened({name: _side(request, name, folder, _python_words(request, name)) for name in SIDES})
        return
    repository, revisions, notes = _compared(request, request.base)
    if revisions[0].commit == revisions[1].commit and _alike(request, revisions, repository):
        notes += ("both sides are the same code: whatever is found is noise",)
    with repository.checked_out(*revisions) as folders:
        depth = len(Path(repository.prefix).parts)
        found: dict[SideName, Side] = {}
        for name, revision, folder in zip(SIDES, revisions, folders, strict=True):
            top = (folder, *folder.parents)[depth]
            found[name] = replace(_side(request, name, folder, revision.words), top=top)
        yield Opened(found, root=repository.root, notes=notes)


def require_revisions(request: Request) -> None:
    """Refuse what no gate could compare, before anything slow begins.

    Raises:
        UsageError: there is no repository, a revision is unknown, or files are not committed.
    """
    if request.base is not None:
        _compared(request, request.base)


def _compared(request: Request, base: str) -> tuple[Repository, tuple[Revision, Revision], tuple[str, ...]]:
    """Repository and revisions of the two sides, with notes on files that are not committed."""
    repository = Repository.of(Path.cwd())
    revisions = repository.revision(base), repository.revision(request.candidate or "HEAD")
    return repository, revisions, _require_clean(repository, revisions, allow=request.allow_dirty)


def _alike(request: Request, revisions: Sequence[Revision], repository: Repository) -> bool:
    """Whether two sides of one commit do not differ in anything else either."""
    files = any(revision.files for revision in revisions) and bool(repository.changed())
    return not files and request.base_python == request.candidate_python


def _python(request: Request, name: SideName) -> str | None:
    return request.base_python if name == "base" else request.candidate_python


def _python_words(request: Request, name: SideName) -> str:
    return f"python {_python(request, name) or 'of this environment'}"


def _side(request: Request, name: SideName, folder: Path, words: str) -> Side:
    for path in request.pythonpath:
        if Path(path).is_absolute():
            raise UsageError(
                f"--pythonpath {path}: must be relative, so that each side has its own: the folder is looked "
                "for in either revision, from the folder that corresponds to this one"
            )
    return Side(
        name=name,
        words=words,
        folder=folder,
        python=interpreter(_python(request, name), folder),
        pythonpath=request.pythonpath,
    )


def _require_clean(repository: Repository, revisions: Sequence[Revision], *, allow: bool) -> tuple[str, ...]:
    """Notes on files that are not committed; refuses them where a gate of commits would not see them."""
    changed = repository.changed()
    if not changed:
        return ()
    some = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    if any(revision.files for revision in revisions):
        return (f"measured with uncommitted changes: {some}",)
    if not allow:
        raise UsageError(
            f"uncommitted changes in {some}: a gate of commits would not see them\n"
            f"  commit them, measure them (--candidate {WORKTREE}), or leave them out (--allow-dirty)"
        )
    return (f"uncommitted changes were left out: {some}",)
