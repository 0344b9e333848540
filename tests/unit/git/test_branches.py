"""Branches are written without a work tree, and no push loses another one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline_gitops import git as gits
from pipeline_gitops.errors import UnreachableFault, UsageFault
from pipeline_gitops.git import Git
from tests.unit.git.conftest import ENVIRON, commit, sh, shallow, state


def files_of(origin: Path, branch: str) -> dict[str, str]:
    names = sh(origin, "ls-tree", "-r", "--name-only", branch).splitlines()
    return {name: sh(origin, "show", f"{branch}:{name}") for name in names}


def test_absent_branch_is_none(git: Git) -> None:
    """A branch that nobody made yet is not an error."""
    assert git.fetch_branch("rendered/prod") is None


def test_branch_is_found_by_its_whole_name(clone: Path, git: Git) -> None:
    """A branch whose name only ends alike is another branch."""
    sh(clone, "push", "--quiet", "origin", "main:refs/heads/x/refs/heads/prod")

    assert git.fetch_branch("prod") is None


def test_fetched_branch_leaves_the_user_s_refs_alone(clone: Path, origin: Path, git: Git) -> None:
    """Fetching touches no branch, no remote-tracking branch and no tag."""
    before = state(clone)
    sh(origin, "tag", "v1", "main")
    tip = git.commit_path(sh(origin, "rev-parse", "main"), ".", {"x": b"1"}, "m")
    sh(clone, "push", "--quiet", "origin", f"{tip}:refs/heads/side")
    sh(clone, "update-ref", "-d", "refs/remotes/origin/side")

    found = git.fetch_branch("side")

    assert found == tip
    assert state(clone) == before


def test_branch_under_the_name_of_an_older_one_is_fetched(
    tmp_path: Path, origin: Path, clone: Path, git: Git
) -> None:
    """A deleted branch "rendered" of yesterday is not in the way of "rendered/prod"."""
    sh(tmp_path, "clone", "--quiet", str(origin), "other")
    other = tmp_path / "other"
    for name in ("rendered", "rendered/prod"):
        tip = commit(other, {"x": name})
        sh(other, "push", "--quiet", "origin", f"HEAD:refs/heads/{name}")

        assert git.fetch_branch(name) == tip

        sh(other, "push", "--quiet", "origin", f":refs/heads/{name}")


@pytest.mark.parametrize("name", ["a..b", "", "a b", "x.lock", "a:b", "*"])
def test_impossible_branch_name_is_a_usage_fault(git: Git, name: str) -> None:
    """What cannot be a branch is not asked for."""
    with pytest.raises(UsageFault, match="cannot be the name of a branch"):
        git.fetch_branch(name)


def test_unreachable_remote_is_not_an_absent_branch(tmp_path: Path, clone: Path, git: Git) -> None:
    """A remote that does not answer must not be taken for one without the branch."""
    sh(clone, "remote", "set-url", "origin", str(tmp_path / "gone.git"))

    with pytest.raises(UnreachableFault, match="cannot read the remote 'origin'") as caught:
        git.fetch_branch("main")

    assert "token or key" in caught.value.cure


def test_clone_without_remote_is_a_usage_fault(clone: Path, git: Git) -> None:
    """Without a remote there is nothing to push to, and the cure is another one."""
    sh(clone, "remote", "remove", "origin")

    with pytest.raises(UsageFault, match="has no remote 'origin'"):
        git.fetch_branch("main")


def test_credentials_in_a_url_stay_out_of_faults(clone: Path, git: Git) -> None:
    """A remote's URL may hold a token; no message repeats it."""
    # Port 9 discards, and nobody listens: the refusal is immediate and repeats the URL.
    url = "http://user:planted-secret@127.0.0.1:9/acme/shop.git"
    sh(clone, "remote", "set-url", "origin", url)

    with pytest.raises(UnreachableFault) as caught:
        git.fetch_branch("main")

    assert "127.0.0.1:9/acme/shop.git" in caught.value.what
    assert "planted-secret" not in repr(caught.value) + caught.value.what + caught.value.cure


@pytest.mark.parametrize(
    "url",
    ["https://u:planted@h/x", "https://planted@h/x", "ssh://u:pla/nted@h:22/x", "//planted@h/"],
)
def test_user_and_password_are_scrubbed(url: str) -> None:
    """However a URL carries credentials, they go; the host stays."""
    found = gits.scrubbed(f"fatal: unable to access '{url}': no")

    assert "nted" not in found
    assert "//h" in found


def test_commit_changes_nothing_but_its_path(clone: Path, origin: Path, git: Git) -> None:
    """Files outside the path, and files in it that were not named, stay as they are."""
    commit(clone, {"app/keep": "k", "app/old": "o", "app/x": "1", "application/x": "1"})
    parent = sh(clone, "rev-parse", "HEAD")
    before = state(clone)

    sha = git.commit_path(
        parent, "app", {"x": b"2\r\n", "new/y:%": b"3", "old": None}, "Deploy it\n"
    )

    changed = sh(clone, "diff-tree", "-r", "--name-status", parent, sha).splitlines()
    assert changed == ["A\tapp/new/y:%", "D\tapp/old", "M\tapp/x"]
    assert state(clone) == before
    assert git.commit(sha).subject == "Deploy it"
    assert (
        sh(clone, "log", "-1", "--format=%an %cn %P", sha)
        == f"pipeline-gitops pipeline-gitops {parent}"
    )


def test_content_is_written_and_read_byte_for_byte(clone: Path, git: Git) -> None:
    """No filter and no line-ending setting of the clone touches what is deployed."""
    (clone / ".git" / "info" / "attributes").write_text("* text eol=crlf\n")
    sh(clone, "config", "core.autocrlf", "input")
    files = {"a": b"one\r\ntwo\n", "b/c": b"", "b/d": b"\0\xff"}

    sha = git.commit_path(None, "p", files, "m")

    assert git.read_path(sha, "p", {"a", "b/c", "b/d", "missing"}) == files


def test_first_commit_of_a_branch_has_no_parent(origin: Path, git: Git) -> None:
    """A missing branch is made with nothing on it but what is deployed."""
    sha = git.commit_path(None, ".", {"x": b"1", "gone": None}, "m")

    assert git.push(sha, "rendered/prod")

    assert files_of(origin, "rendered/prod") == {"x": "1"}
    assert sh(origin, "rev-list", "--count", "rendered/prod") == "1"


def test_second_push_on_the_same_parent_loses(tmp_path: Path, origin: Path, git: Git) -> None:
    """Whoever comes second is told so; nothing is forced."""
    sh(tmp_path, "clone", "--quiet", str(origin), "other")
    other = Git(str(tmp_path / "other"), ENVIRON)
    tip = git.fetch_branch("main")
    mine = git.commit_path(tip, ".", {"x": b"1"}, "m")
    theirs = other.commit_path(tip, ".", {"y": b"1"}, "m")

    assert (other.push(theirs, "main"), git.push(mine, "main")) == (True, False)

    assert files_of(origin, "main") == {"a.txt": "one", "y": "1"}


def test_two_first_commits_of_a_branch_do_not_replace_each_other(
    tmp_path: Path, origin: Path, git: Git
) -> None:
    """Of two jobs that make the same branch one wins, and the other sees that it lost."""
    sh(tmp_path, "clone", "--quiet", str(origin), "other")
    other = Git(str(tmp_path / "other"), ENVIRON)

    pushed = [
        each.push(each.commit_path(None, ".", {name: b"1"}, name), "new")
        for each, name in ((git, "x"), (other, "y"))
    ]

    assert pushed == [True, False]
    assert files_of(origin, "new") == {"x": "1"}


def test_pushes_at_the_same_moment_lose_nothing(tmp_path: Path, origin: Path, clone: Path) -> None:
    """Four jobs push at once, each until it wins: every commit is there in the end."""

    def work(number: int) -> None:
        sh(tmp_path, "clone", "--quiet", str(origin), f"clone{number}")
        git = Git(str(tmp_path / f"clone{number}"), ENVIRON)
        for step in range(3):
            name = f"{number}-{step}"
            while not git.push(
                git.commit_path(git.fetch_branch("r"), ".", {name: b"1"}, name), "r"
            ):
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    expected = {f"{number}-{step}": "1" for number in range(4) for step in range(3)}
    assert files_of(origin, "r") == expected


def test_refused_push_says_what_the_remote_said(origin: Path, git: Git) -> None:
    """A protected branch is not a lost race: trying again would not help."""
    hook = origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    sha = git.commit_path(None, ".", {"x": b"1"}, "m")

    with pytest.raises(UnreachableFault, match=r"refused the push to new: .*declined") as caught:
        git.push(sha, "new")

    assert "permissions: contents: write" in caught.value.cure


def test_push_to_an_unreachable_remote_is_a_fault(tmp_path: Path, clone: Path, git: Git) -> None:
    """A remote that went away is neither a success nor a lost race."""
    sha = git.commit_path(None, ".", {"x": b"1"}, "m")
    sh(clone, "remote", "set-url", "origin", str(tmp_path / "gone.git"))

    with pytest.raises(UnreachableFault, match="cannot write to the remote"):
        git.push(sha, "new")


def test_shallow_clone_can_push_onto_a_branch(tmp_path: Path, origin: Path, clone: Path) -> None:
    """The usual checkout of a CI job, one commit deep, is enough to deploy to a branch."""
    for number in range(3):
        commit(clone, {"x": str(number)})
    sh(clone, "push", "--quiet", "origin", "HEAD:refs/heads/rendered")
    git = Git(str(shallow(tmp_path, origin)), ENVIRON)

    tip = git.fetch_branch("rendered")

    assert git.push(git.commit_path(tip, "p", {"y": b"1"}, "m"), "rendered")
    assert files_of(origin, "rendered") == {"a.txt": "one", "p/y": "1", "x": "2"}
    assert sh(origin, "rev-list", "--count", "rendered") == "5"


@pytest.fixture
def linked(clone: Path) -> str:
    """A commit with symbolic links and a file where a target would have directories."""
    (clone / "dir").mkdir()
    (clone / "dir" / "link").symlink_to("../a.txt")
    (clone / "dir" / "sub").symlink_to("..")
    (clone / "dir" / "file").write_text("x")
    sh(clone, "add", ".")
    return commit(clone, {"dir/real/x": "1"})


@pytest.mark.parametrize(
    ("path", "name"),
    [("dir", "link"), ("dir", "sub/x"), ("dir", "file/x"), ("dir/sub", "x"), ("dir/file", "x")],
)
def test_links_and_files_in_the_way_are_refused(
    git: Git, linked: str, path: str, name: str
) -> None:
    """Nothing is read or written through a symbolic link, or in place of a directory."""
    with pytest.raises(UsageFault, match=r"is not a (directory|regular file) there"):
        git.read_path(linked, path, {name})


def test_links_that_are_not_in_the_way_do_not_matter(git: Git, linked: str) -> None:
    """What else lies on a branch is nobody's business."""
    assert git.read_path(linked, "dir", {"real/x", "real/y"}) == {"real/x": b"1"}
    assert git.read_path(linked, "elsewhere", {"x"}) == {}
