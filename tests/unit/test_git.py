"""Git is read from its objects, and written without touching anything of the user's."""

import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline_gitops import git as gits
from pipeline_gitops import ports
from pipeline_gitops.errors import UnreachableFault, UsageFault
from pipeline_gitops.git import Git

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}
PERSON = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}
NOWHERE = "0123456789" * 4


def sh(cwd: Path, *args: str) -> str:
    """A Git command of a person."""
    done = subprocess.run(
        ["git", *args],
        cwd=cwd,
        env={**ENVIRON, **PERSON},
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


def commit(cwd: Path, files: Mapping[str, str], message: str = "change") -> str:
    for name, content in files.items():
        path = cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        sh(cwd, "add", "--", name)
    sh(cwd, "commit", "--quiet", "--allow-empty", "-m", message)
    return sh(cwd, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """An empty bare repository that lets single commits be fetched, as forges do."""
    bare = tmp_path / "origin.git"
    sh(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    sh(bare, "config", "uploadpack.allowReachableSHA1InWant", "true")
    return bare


@pytest.fixture
def clone(tmp_path: Path, origin: Path) -> Path:
    """A clone with one commit, pushed."""
    work = tmp_path / "work"
    sh(tmp_path, "clone", "--quiet", str(origin), str(work))
    sh(work, "checkout", "--quiet", "-B", "main")
    commit(work, {"a.txt": "one\n"}, "first")
    sh(work, "push", "--quiet", "origin", "main")
    return work


@pytest.fixture
def git(clone: Path) -> Git:
    return Git(str(clone), ENVIRON)


def shallow(tmp_path: Path, origin: Path, name: str = "shallow") -> Path:
    sh(tmp_path, "clone", "--quiet", "--depth=1", f"file://{origin}", name)
    return tmp_path / name


def state(clone: Path) -> tuple[bytes, str, str, str]:
    """What belongs to the user: index, branches, HEAD and the work tree's state."""
    return (
        (clone / ".git" / "index").read_bytes(),
        sh(clone, "for-each-ref", "refs/heads", "refs/tags", "refs/remotes"),
        (clone / ".git" / "HEAD").read_text(),
        sh(clone, "status", "--porcelain"),
    )


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
    git.write_text(
        f'#!/bin/sh\nPATH={ENVIRON["PATH"]} GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec git "$@"\n'
    )
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


# -- branches --------------------------------------------------------------------------------------


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
