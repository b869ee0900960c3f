"""What git is asked, and worktrees that leave nothing behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchsuite.errors import BenchsuiteError, UsageError
from benchsuite.gate.checkout import WORKTREE, Repository, Revision
from tests.git import commit, git


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two commits of sub/file: "old" on the branch before, "new" on main."""
    folder = (tmp_path / "repository").resolve()
    (folder / "sub").mkdir(parents=True)
    for text in ("old", "new"):
        (folder / "sub" / "file").write_text(text)
        commit(folder, text)
        if text == "old":
            git(folder, "branch", "before")
    return folder


def linked(root: Path) -> int:
    return len(git(root, "worktree", "list").splitlines()) - 1


def test_a_name_stands_for_a_commit_and_is_worded_with_it(root: Path) -> None:
    repository = Repository.of(root)
    commit = git(root, "rev-parse", "before")
    assert repository.revision("before") == Revision("before", commit)
    assert repository.revision("before").words == f"before ({commit[:7]})"
    assert repository.revision(commit[:10]).words == commit[:7]


@pytest.mark.parametrize("word", [WORKTREE, "."])
def test_the_files_as_they_are_have_a_word(root: Path, word: str) -> None:
    head = git(root, "rev-parse", "HEAD")
    revision = Repository.of(root).revision(word)
    assert revision.files
    assert revision.words == f"working tree (on {head[:7]})"


@pytest.mark.parametrize("name", ["nowhere", "--help", "HEAD~7", ""])
def test_a_name_that_stands_for_nothing_is_refused(root: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f'unknown revision "{name}" in .*\n  allowed: a branch'):
        Repository.of(root).revision(name)


def test_the_nearest_branch_or_tag_is_offered(root: Path) -> None:
    git(root, "tag", "v1.2.0")
    for wrong, right in {"befor": "before", "v1.2": "v1.2.0"}.items():
        with pytest.raises(
            UsageError, match=f'unknown revision "{wrong}" in .*; did you mean "{right}"\\?\n'
        ):
            Repository.of(root).revision(wrong)


def test_a_folder_outside_of_a_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is in no git repository"):
        Repository.of(tmp_path)


def test_both_revisions_are_checked_out_beside_each_other_and_gone_afterwards(root: Path) -> None:
    repository = Repository.of(root / "sub")
    pair = (repository.revision("before"), repository.revision("main"))
    with repository.checked_out(*pair) as (old, new):
        assert ((old / "file").read_text(), (new / "file").read_text()) == ("old", "new")
        assert len(str(old)) == len(str(new))
        assert linked(root) == 2
    assert not old.exists()
    assert not new.exists()
    assert linked(root) == 0


def test_they_are_gone_after_an_error_too(root: Path) -> None:
    repository = Repository.of(root)

    def fail() -> Path:
        with repository.checked_out(repository.revision("before")) as (folder,):
            (folder / "untracked").write_text("x")
            (folder / "sub" / "file").write_text("changed")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert linked(root) == 0


def test_one_that_was_half_made_when_the_gate_was_stopped_is_gone_too(root: Path) -> None:
    repository = Repository.of(root)
    with repository.checked_out(repository.revision("before")) as (folder,):
        (folder / ".git").unlink()
        git(root, "worktree", "lock", str(folder))
    assert linked(root) == 0


def test_the_files_as_they_are_stay_where_they_are(root: Path) -> None:
    repository = Repository.of(root / "sub")
    with repository.checked_out(repository.revision(".")) as (folder,):
        assert folder == root / "sub"
    assert (root / "sub" / "file").read_text() == "new"


def test_a_folder_that_a_revision_does_not_have_is_named(root: Path) -> None:
    (root / "later").mkdir()
    (root / "later" / "x").write_text("x")
    commit(root, "later")
    repository = Repository.of(root / "later")
    revision = repository.revision("before")
    with (
        pytest.raises(UsageError, match=r"before \(.*\) has no folder later/"),
        repository.checked_out(revision),
    ):
        pass
    assert linked(root) == 0


def test_what_a_killed_gate_left_is_removed_by_the_next_and_what_a_living_one_uses_is_not(root: Path) -> None:
    repository = Repository.of(root)
    revision = repository.revision("main")
    with repository.checked_out(revision) as (mine,):
        with repository.checked_out(revision):
            assert mine.is_dir()
        (mine.parent / "owner.pid").write_text("0x")  # nobody's
        repository.remove_leftovers()
        assert not mine.exists()
        assert linked(root) == 0


def test_a_commit_that_git_cannot_check_out_is_an_error_with_its_words(root: Path) -> None:
    repository = Repository.of(root)
    with (
        pytest.raises(BenchsuiteError, match="git cannot check out gone"),
        repository.checked_out(Revision("gone", "0" * 40)),
    ):
        pass


def test_changes_are_those_of_tracked_files(root: Path) -> None:
    repository = Repository.of(root)
    (root / "untracked").write_text("x")
    assert repository.changed() == []
    (root / "sub" / "file").write_text("changed")
    assert repository.changed() == ["sub/file"]


def test_hooks_of_the_repository_are_not_run(root: Path) -> None:
    hook = root / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {root}/hooked\n")
    hook.chmod(0o755)
    repository = Repository.of(root)
    with repository.checked_out(repository.revision("before")):
        pass
    assert not (root / "hooked").exists()


def test_submodules_that_moved_count_as_changed_and_are_checked_out_where_asked_for(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")  # git trusts no path as the address of a submodule
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
    part = tmp_path / "part"
    part.mkdir()
    (part / "file").write_text("one")
    commit(part, "one")
    git(root, "submodule", "--quiet", "add", str(part), "part")
    commit(root, "with a part")
    repository = Repository.of(root)
    revision = repository.revision("main")
    assert repository.changed() == []
    with repository.checked_out(revision) as (folder,):
        assert not (folder / "part" / "file").exists()
    with repository.checked_out(revision, submodules=True) as (folder,):
        assert (folder / "part" / "file").read_text() == "one"
    assert linked(root) == 0
    (root / "part" / "untracked").write_text("x")
    assert repository.changed() == []
    (root / "part" / "file").write_text("two")
    assert repository.changed() == ["part"]
    commit(root / "part", "two")
    assert repository.changed() == ["part"]
    shutil.rmtree(part)
    git(root, "submodule", "--quiet", "deinit", "--force", "part")
    shutil.rmtree(root / ".git" / "modules")
    with (
        pytest.raises(BenchsuiteError, match="git cannot check out the submodules of main"),
        repository.checked_out(revision, submodules=True),
    ):
        pass
