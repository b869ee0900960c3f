"""The base and the candidate made ready: worktrees of two revisions, which are always removed again, or this
folder under two interpreters."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchsuite.errors import BenchsuiteError, UsageError, did_you_mean
from benchsuite.gate.interleave import SIDES, SideName
from benchsuite.gate.layer import make_layer
from benchsuite.gate.processes import GateSide, failed, interpreter, set_up
from benchsuite.gate.request import GateRequest
from benchsuite.scenario.load import resolve

WORKTREE = "WORKTREE"
"""Stands for the files as they are, committed or not; so does "."."""
_PREFIX = "benchsuite-gate-"
_OWNER = "owner.pid"
"""File beside the worktrees of a gate: the process that will remove them."""
_GIT = ("git", "--no-optional-locks", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
"""Hooks of the repository are for its people, and may do anything."""


@dataclass(frozen=True, slots=True)
class OpenedSides:
    """Base and candidate, ready to be measured.

    Attributes:
        root: of the repository whose revisions they are; None if they differ in their interpreters alone.
    """

    sides: Mapping[SideName, GateSide]
    root: Path | None = None
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def open_sides(request: GateRequest) -> Iterator[OpenedSides]:
    """Base and candidate; the worktrees that they needed are gone afterwards."""
    if request.base is None:
        folder = Path.cwd()
        yield OpenedSides({name: _side(request, name, folder) for name in SIDES})
        return
    repository, revisions, notes = _compared(request, request.base)
    if revisions[0].commit == revisions[1].commit and _alike(request, revisions, repository):
        notes += ("both sides are the same code: whatever is found is noise",)
    with repository.checked_out(*revisions, submodules=request.submodules) as folders:
        depth = len(Path(repository.prefix).parts)
        sides: dict[SideName, GateSide] = {}
        for name, revision, folder in zip(SIDES, revisions, folders, strict=True):
            top = (folder, *folder.parents)[depth]
            sides[name] = replace(_side(request, name, folder, revision.words), top=top)
            if not (revision.files or request.submodules) and (top / ".gitmodules").is_file():
                notes += (f"the submodules of {revision.words} are empty: --submodules checks them out",)
        yield OpenedSides(sides, root=repository.root, notes=notes)


@contextlib.contextmanager
def installed(
    sides: Mapping[SideName, GateSide], command: str | None, logs: Path
) -> Iterator[Mapping[SideName, GateSide]]:
    """The sides, each in an environment of its own in which the command has run; as they are without one.

    An environment has all packages of the side's interpreter, and is gone afterwards. The paths of both are
    of one length, since the size of the environment variables may move the stack of a process, and with it
    its times.

    Args:
        command: of `--setup`; runs in the folder of each side, with `python` and `pip` of its environment.
        logs: folder for what it prints.

    Raises:
        SideFailed: an environment cannot be made, or the command failed.
    """
    if command is None:
        yield sides
        return
    logs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="benchsuite-env-") as home:
        ready = {}
        for letter, (name, side) in zip("ab", sides.items(), strict=True):
            folder = Path(home).resolve() / letter
            try:
                python = make_layer(side.python, folder)
            except subprocess.CalledProcessError as error:
                raise failed(side, "no environment can be made for --setup", error.stderr) from None
            ready[name] = replace(side, python=str(python), env=folder)
            set_up(ready[name], command, logs / f"setup-{name}.log")
        yield ready


def require_revisions(request: GateRequest) -> None:
    """Refuse what no gate could compare, before anything slow begins.

    Raises:
        UsageError: there is no repository, a revision is unknown, or files are not committed.
    """
    if request.base is not None:
        _compared(request, request.base)


@dataclass(frozen=True, slots=True)
class Revision:
    """One side as git sees it.

    Attributes:
        name: as the user wrote it.
        commit: full hash; of WORKTREE that of HEAD, which its files may differ from.
        files: whether the files as they are are meant, and not a commit.
    """

    name: str
    commit: str
    files: bool = False

    @property
    def words(self) -> str:
        """ "main (a1b2c3d)"."""
        short = self.commit[:7]
        if self.files:
            return f"working tree (on {short})"
        return short if self.commit.startswith(self.name) else f"{self.name} ({short})"


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository that a folder belongs to.

    Attributes:
        root: its top folder.
        prefix: where in it the folder is; empty at the top.
    """

    root: Path
    prefix: str

    @classmethod
    def of(cls, folder: Path) -> Repository:
        """Raises UsageError if the folder is in no repository, or git is not there."""
        try:
            root = _git(folder, "rev-parse", "--show-toplevel")
            return cls(Path(root), _git(folder, "rev-parse", "--show-prefix"))
        except FileNotFoundError:
            raise UsageError("a gate of two revisions needs git, which is not installed") from None
        except _GitError as error:
            raise UsageError(
                f"{folder} is in no git repository, so there are no revisions to compare ({error})\n"
                "  go to the repository first, or compare two interpreters: --base-python P "
                "--candidate-python P"
            ) from None

    def revision(self, name: str) -> Revision:
        """What a name stands for.

        Raises:
            UsageError: it stands for no commit.
        """
        if name in (WORKTREE, "."):
            return Revision(name, self._commit("HEAD"), files=True)
        return Revision(name, self._commit(name))

    def _commit(self, name: str) -> str:
        try:
            return _git(
                self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
            )
        except _GitError:
            raise UsageError(
                f'unknown revision "{name}" in {self.root}{did_you_mean(name, self._names())}\n'
                f"  allowed: a branch, a tag, a commit, HEAD~1, or {WORKTREE} for the files as they are\n"
                "  a CI checkout often holds one commit only: fetch the other first (git fetch origin "
                "BRANCH), then name origin/BRANCH"
            ) from None

    def _names(self) -> list[str]:
        """Branches, of remotes too, and tags."""
        listed = _git(self.root, "for-each-ref", "--format=%(refname:short)")
        return listed.splitlines()

    def changed(self) -> list[str]:
        """Tracked files, and submodules, that differ from HEAD."""
        listed = _git(
            self.root, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=untracked"
        )
        return [line[2:].strip() for line in listed.splitlines() if line]

    @contextlib.contextmanager
    def checked_out(self, *revisions: Revision, submodules: bool = False) -> Iterator[tuple[Path, ...]]:
        """For each revision the folder in it that corresponds to this one; its worktrees are gone afterwards.

        The files as they are stay where they are. The paths of worktrees are of one length, since the size of
        the environment may move the stack of a process, and with it its times.

        Raises:
            BenchsuiteError: git cannot check a revision out.
            UsageError: a revision does not have the folder.
        """
        self.remove_leftovers()
        home = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        try:
            (home / _OWNER).write_text(str(os.getpid()), encoding="ascii")
            yield tuple(
                self._checked_out(revision, home / letter, submodules=submodules)
                for revision, letter in zip(revisions, "abcdefgh", strict=False)
            )
        finally:
            self._remove(home)

    def _checked_out(self, revision: Revision, path: Path, *, submodules: bool) -> Path:
        if revision.files:
            return self.root / self.prefix
        try:
            _git(self.root, "worktree", "add", "--quiet", "--detach", "--force", str(path), revision.commit)
        except _GitError as error:
            raise BenchsuiteError(f"git cannot check out {revision.words}: {error}") from None
        if submodules:
            try:
                _git(path, "submodule", "--quiet", "update", "--init", "--recursive")
            except _GitError as error:
                raise BenchsuiteError(
                    f"git cannot check out the submodules of {revision.words}: {error}"
                ) from None
        folder = path / self.prefix
        if not folder.is_dir():
            raise UsageError(f"{revision.words} has no folder {self.prefix}")
        return folder

    def remove_leftovers(self) -> None:
        """Remove worktrees of gates that were killed before they could do it themselves."""
        homes = {path.parent for path in self.worktrees() if path.parent.name.startswith(_PREFIX)}
        for home in homes:
            if not _has_owner(home):
                self._remove(home)

    def worktrees(self) -> list[Path]:
        """The folders of all worktrees, gone or not."""
        listed = _git(self.root, "worktree", "list", "--porcelain").splitlines()
        return [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]

    def _remove(self, home: Path) -> None:
        self._forget(home)
        shutil.rmtree(home, ignore_errors=True)
        self._forget(home)  # git leaves one that was half made alone until its folder is gone

    def _forget(self, home: Path) -> None:
        for path in self.worktrees():
            if path.parent == home:
                with contextlib.suppress(_GitError):
                    _git(self.root, "worktree", "remove", "--force", "--force", str(path))


class _GitError(Exception):
    """What git said, in its first line."""


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [*_GIT, *words], cwd=folder, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        stderr = done.stderr.strip().splitlines() or [f"git {words[0]} exited with {done.returncode}"]
        raise _GitError(stderr[-1].removeprefix("fatal: "))
    return done.stdout.strip("\n")


def _has_owner(home: Path) -> bool:
    """Whether the gate that made these worktrees still runs."""
    try:
        os.kill(int((home / _OWNER).read_text(encoding="ascii")), 0)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _compared(
    request: GateRequest, base: str
) -> tuple[Repository, tuple[Revision, Revision], tuple[str, ...]]:
    """Repository and revisions of the two sides, with notes on files that are not committed."""
    repository = Repository.of(Path.cwd())
    revisions = repository.revision(base), repository.revision(request.candidate or "HEAD")
    return repository, revisions, _require_clean(request, repository, revisions)


def _alike(request: GateRequest, revisions: Sequence[Revision], repository: Repository) -> bool:
    """Whether two sides of one commit do not differ in anything else either."""
    files = any(revision.files for revision in revisions) and bool(repository.changed())
    return not files and request.base_python == request.candidate_python


def _side(request: GateRequest, name: SideName, folder: Path, words: str = "") -> GateSide:
    python = request.base_python if name == "base" else request.candidate_python
    for path in request.pythonpath:
        if Path(path).is_absolute():
            raise UsageError(
                f"--pythonpath {path}: must be relative, so that each side has its own: the folder is looked "
                "for in either revision, from the folder that corresponds to this one"
            )
    return GateSide(
        name=name,
        words=words or f"python {python or 'of this environment'}",
        folder=folder,
        python=interpreter(python, folder),
        pythonpath=request.pythonpath,
    )


def _require_clean(
    request: GateRequest, repository: Repository, revisions: Sequence[Revision]
) -> tuple[str, ...]:
    """Notes on files that are not committed; refuses them where a gate of commits would not see them.

    The scenario is no such file: both sides are measured with the one in the working tree.
    """
    every = repository.changed()
    if not every:
        return ()
    if any(revision.files for revision in revisions):
        return (f"measured with uncommitted changes: {_some(every)}",)
    scenario = resolve(request.reference).resolve()
    changed = [name for name in every if (repository.root / name).resolve() != scenario]
    notes: tuple[str, ...] = ()
    if len(changed) < len(every):
        notes = (f"{request.reference} has uncommitted changes; both sides are measured with it as it is",)
    if not changed:
        return notes
    if not request.allow_dirty:
        raise UsageError(
            f"uncommitted changes in {_some(changed)}: a gate of commits would not see them\n"
            f"  commit them, measure them (--candidate {WORKTREE}), or leave them out (--allow-dirty)"
        )
    return (*notes, f"uncommitted changes were left out: {_some(changed)}")


def _some(files: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    return ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
