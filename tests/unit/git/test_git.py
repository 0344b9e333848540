"""Git is read from its objects, and nothing of the user's is touched."""

import os
import shlex
from pathlib import Path

import pytest

from pipeline_gitops import git as gits
from pipeline_gitops import ports
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.git import Git
from tests.unit.git.conftest import ENVIRON, NOWHERE, commit, sh, shallow, state

# -- finding it ------------------------------------------------------------------------------------


def test_git_is_a_repository_port(git: Git) -> None:
    """Git gives the pipeline all that it asks of a repository."""
    repository: ports.Repository = git

    assert repository.commit("HEAD").subject == "first"


def test_repository_is_found_from_inside(clone: Path) -> None:
    """A directory inside a clone stands for the clone."""
    (clone / "deep" / "er").mkdir(parents=True)

    found = Git.discover(str(clone / "deep" / "er"), ENVIRON)

    assert found.root == str(clone)


@pytest.mark.parametrize("place", [".", "origin.git"])
def test_directory_without_work_tree_is_a_usage_fault(
    tmp_path: Path, origin: Path, place: str
) -> None:
    """Outside of a clone, and in a bare repository, there is nothing to deploy from."""
    with pytest.raises(UsageFault, match="not a Git repository"):
        Git.discover(str(tmp_path / place), ENVIRON)


def test_repository_of_another_user_comes_with_the_cure(tmp_path: Path, clone: Path) -> None:
    """Where Git does not trust a clone, as in many containers, the command that helps is named."""
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    # Git's own switch for its tests: take every repository for somebody else's.
    path = shlex.quote(ENVIRON["PATH"])
    git.write_text(f'#!/bin/sh\nPATH={path} GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec git "$@"\n')
    git.chmod(0o755)

    with pytest.raises(UsageFault, match="belongs to another user") as caught:
        Git.discover(str(clone), {**ENVIRON, "PATH": f"{git.parent}:{ENVIRON['PATH']}"})

    assert caught.value.cure == f"git config --global --add safe.directory {clone}"


def test_machine_without_git_comes_with_the_cure(tmp_path: Path) -> None:
    """A job's image without Git is the user's to mend, and said so."""
    with pytest.raises(UsageFault, match="git cannot be started") as caught:
        Git.discover(str(tmp_path), {"PATH": str(tmp_path)})

    assert "install git in the job's image" in caught.value.cure


def test_variables_of_an_outer_git_do_not_mislead_us(tmp_path: Path, clone: Path) -> None:
    """Inside a hook, GIT_DIR and its like name another repository; they are not listened to."""
    environ = {
        **ENVIRON,
        "GIT_DIR": str(tmp_path / "other"),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
    }

    found = Git.discover(str(clone), environ)

    assert found.commit("HEAD").subject == "first"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:planted@gitlab.example.com/group/sub/shop.git", "group/sub/shop"),
        ("https://github.com/acme/shop/", "acme/shop"),
        ("git@github.com:acme/shop.git", "acme/shop"),
        ("ssh://git@example.com:2222/acme/shop.git", "acme/shop"),
        ("/srv/git/shop.git", "shop"),
        ("file:///srv/git/shop.git", "shop"),
    ],
)
def test_repository_is_called_as_its_remote_calls_it(url: str, expected: str) -> None:
    """A person's clone and the CI's name the same repository alike, whatever the transport."""
    assert gits.slug(url) == expected


def test_repository_without_remote_is_called_as_its_folder(tmp_path: Path) -> None:
    """A repository that was never pushed still has a name."""
    sh(tmp_path, "init", "--quiet", "shop")

    assert Git(str(tmp_path / "shop"), ENVIRON).slug() == "shop"


# -- commits ---------------------------------------------------------------------------------------


def test_commit_has_subject_and_trailers(clone: Path, git: Git) -> None:
    """Trailers come with lower-case keys, unfolded, in order."""
    message = "ship: it\n\nText: not a trailer here\n\nConfirm-Deletes: prod\nLong: one\n two\n"
    sha = commit(clone, {}, message)

    found = git.commit("HEAD")

    assert found == ports.Commit(
        sha=sha, subject="ship: it", trailers=(("confirm-deletes", "prod"), ("long", "one two"))
    )


def test_commit_without_trailers_has_none(git: Git) -> None:
    """Most commits have no trailers."""
    assert git.commit("main").trailers == ()


def test_unknown_commit_comes_with_the_cure(git: Git) -> None:
    """A commit that cannot be had says how to fetch it."""
    with pytest.raises(UsageFault, match=f"commit {NOWHERE} is not in this clone") as caught:
        git.commit(NOWHERE)

    assert "fetch-depth: 0" in caught.value.cure


def test_repository_without_commits_is_a_usage_fault(tmp_path: Path) -> None:
    """An empty repository is said to be empty, not broken."""
    sh(tmp_path, "init", "--quiet", "empty")

    with pytest.raises(UsageFault, match="no commits yet"):
        Git(str(tmp_path / "empty"), ENVIRON).commit("HEAD")


@pytest.mark.parametrize("option", ["--all", "--since=1", "-h"])
def test_revision_that_looks_like_an_option_is_not_one(git: Git, option: str) -> None:
    """A revision comes from events and flags; it never becomes an option of Git's."""
    with pytest.raises(UsageFault, match=f"{option} is not in this clone"):
        git.commit(option)


def test_missing_commit_is_fetched_into_a_shallow_clone(
    tmp_path: Path, origin: Path, clone: Path
) -> None:
    """A shallow clone of a CI job gets the one old commit that it needs, and nothing more."""
    old = sh(clone, "rev-parse", "HEAD")
    commit(clone, {"a.txt": "two\n"})
    commit(clone, {"a.txt": "three\n"})
    sh(clone, "push", "--quiet", "origin", "main")
    git = Git(str(shallow(tmp_path, origin)), ENVIRON)

    assert git.ensure(old)

    assert sh(Path(git.root), "rev-list", "--count", "--all") == "1"
    with git.tree(old) as tree:
        assert Path(tree.root, "a.txt").read_text() == "one\n"


def test_missing_commit_does_not_make_a_whole_clone_shallow(
    tmp_path: Path, origin: Path, clone: Path, git: Git
) -> None:
    """Fetching a commit of somebody else's branch cuts no history off in a whole clone."""
    sh(tmp_path, "clone", "--quiet", str(origin), "other")
    other = tmp_path / "other"
    commit(other, {"b.txt": "1"})
    newest = commit(other, {"b.txt": "2"})
    sh(other, "push", "--quiet", "origin", "HEAD:refs/heads/side")

    assert git.ensure(newest)

    assert not git.is_shallow()
    assert git.is_ancestor("main", newest) is True


def test_commit_that_nobody_has_is_just_not_there(git: Git) -> None:
    """A failed attempt to fetch is an answer, not an error."""
    assert git.ensure(NOWHERE) is False
    assert git.ensure("no/such/branch") is False


def test_unreachable_remote_leaves_a_missing_commit_missing(tmp_path: Path, clone: Path) -> None:
    """Without network the answer is no, soon."""
    sh(clone, "remote", "set-url", "origin", str(tmp_path / "gone.git"))

    assert Git(str(clone), ENVIRON).ensure(NOWHERE) is False


# -- history ---------------------------------------------------------------------------------------


def test_ancestry_is_proper(clone: Path, git: Git) -> None:
    """A commit is not its own ancestor; older before newer is, newer before older is not."""
    first = sh(clone, "rev-parse", "HEAD")
    second = commit(clone, {"a.txt": "two\n"})

    answers = [
        git.is_ancestor(*pair) for pair in [(first, second), (second, first), (first, first)]
    ]

    assert answers == [True, False, False]


def test_ancestry_of_diverged_commits_is_false(clone: Path, git: Git) -> None:
    """Of two branches neither is older."""
    base = sh(clone, "rev-parse", "HEAD")
    one = commit(clone, {"a.txt": "two\n"})
    sh(clone, "checkout", "--quiet", "-b", "side", base)
    other = commit(clone, {"a.txt": "three\n"})

    assert (git.is_ancestor(one, other), git.is_ancestor(other, one)) == (False, False)
    assert git.merge_base(one, other) == base


def test_history_is_what_came_to_the_branch(clone: Path, git: Git) -> None:
    """Newest first; what a merge brought along stands for itself."""
    first = commit(clone, {"a": "1"}, "first")
    sh(clone, "checkout", "--quiet", "-b", "feature")
    commit(clone, {"b": "1"}, "inner")
    sh(clone, "checkout", "--quiet", "-")
    second = commit(clone, {"a": "2"}, "second (#2)")
    sh(clone, "merge", "--quiet", "--no-ff", "-m", "Merge pull request #3", "feature")
    merge = sh(clone, "rev-parse", "HEAD")

    found = git.history(first, merge, most=9)

    assert [(one.sha, one.subject) for one in found] == [
        (merge, "Merge pull request #3"),
        (second, "second (#2)"),
    ]
    assert git.history(first, merge, most=1) == found[:1]


def test_history_that_the_clone_does_not_hold_is_none(clone: Path, git: Git) -> None:
    """Nor is there one from a commit to its ancestor."""
    first = commit(clone, {"a": "1"})
    second = commit(clone, {"a": "2"})

    assert git.history(NOWHERE, second, most=9) == ()
    assert git.history(second, first, most=9) == ()


def test_ancestry_of_a_missing_commit_is_unknown(git: Git) -> None:
    """What Git does not have it cannot compare: neither yes nor no."""
    assert git.is_ancestor(NOWHERE, "HEAD") is None
    assert git.is_ancestor("HEAD", NOWHERE) is None
    assert git.merge_base(NOWHERE, "HEAD") is None


def test_ancestry_in_a_shallow_clone_is_said_only_where_it_is_seen(
    tmp_path: Path, origin: Path, clone: Path
) -> None:
    """Cut-off history proves that a commit is an ancestor, never that it is not."""
    first = sh(clone, "rev-parse", "HEAD")
    second = commit(clone, {"a.txt": "two\n"})
    sh(clone, "push", "--quiet", "origin", "main")
    sh(clone, "checkout", "--quiet", "-b", "side", first)
    side = commit(clone, {"a.txt": "three\n"})
    sh(clone, "push", "--quiet", "origin", "side")
    git = Git(str(shallow(tmp_path, origin)), ENVIRON)
    assert git.ensure(side)

    assert git.is_ancestor(first, second) is None
    assert git.is_ancestor(side, second) is None
    assert git.merge_base(side, second) is None


# -- work tree -------------------------------------------------------------------------------------


def test_tree_holds_the_commit_not_the_work_tree(clone: Path, git: Git) -> None:
    """What is rendered is what was committed, whatever lies around."""
    (clone / "a.txt").write_text("uncommitted\n")
    (clone / "untracked.txt").write_text("x")

    with git.tree("HEAD") as tree:
        root = Path(tree.root)
        found = {path.name: path.read_text() for path in root.iterdir()}

    assert found == {"a.txt": "one\n"}
    assert tree.revision == sh(clone, "rev-parse", "HEAD")
    assert not root.exists()


def test_tree_leaves_everything_of_the_user_alone(clone: Path, git: Git) -> None:
    """Index, branches, HEAD and work tree are the same afterwards, byte for byte."""
    old = sh(clone, "rev-parse", "HEAD")
    commit(clone, {"a.txt": "two\n", "b.txt": "b"})
    (clone / "a.txt").write_text("staged\n")
    sh(clone, "add", "a.txt")
    (clone / "b.txt").write_text("changed\n")
    before = state(clone)

    with git.tree(old):
        git.uncommitted()

    assert state(clone) == before


def test_tree_goes_away_when_its_use_fails(git: Git) -> None:
    """No copy of the repository is left behind by an error."""
    with pytest.raises(ZeroDivisionError), git.tree("HEAD") as tree:
        raise ZeroDivisionError

    assert not os.path.exists(os.path.dirname(tree.root))


def test_tree_ignores_line_ending_settings(clone: Path) -> None:
    """The same commit gives the same bytes on every machine."""
    sh(clone, "config", "core.autocrlf", "true")

    with Git(str(clone), ENVIRON).tree("HEAD") as tree:
        assert Path(tree.root, "a.txt").read_bytes() == b"one\n"


def test_hooks_of_the_clone_do_not_run(tmp_path: Path, clone: Path, git: Git) -> None:
    """What lies in .git/hooks is for people."""
    for name in ("post-checkout", "pre-push", "reference-transaction", "post-index-change"):
        hook = clone / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)

    with git.tree("HEAD"):
        git.push(git.commit_path(None, ".", {"x": b"1"}, "m"), "other")
        git.fetch_branch("other")

    assert not (tmp_path / "ran").exists()


def test_uncommitted_changes_are_those_of_tracked_files(clone: Path, git: Git) -> None:
    """Changed, staged, deleted and renamed files count; untracked and ignored ones never do."""
    commit(clone, {"b": "b", "c": "c", "old name": "d" * 99, "é\n": "e", ".gitignore": "ignored"})
    (clone / "a.txt").write_text("changed")
    (clone / "b").write_text("staged")
    sh(clone, "add", "b")
    (clone / "c").unlink()
    sh(clone, "mv", "old name", "new name")
    (clone / "é\n").write_text("changed")
    (clone / "ignored").write_text("x")
    (clone / "untracked").write_text("x")

    assert git.uncommitted() == ("a.txt", "b", "c", "new name", "old name", "é\n")


def test_clean_work_tree_has_no_uncommitted_changes(clone: Path, git: Git) -> None:
    """A fresh checkout is clean, even when only times differ."""
    os.utime(clone / "a.txt", (1, 1))

    assert git.uncommitted() == ()
