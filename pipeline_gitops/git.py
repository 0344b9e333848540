"""Git's command line: which calls give an answer that holds on every machine and in every clone.

Everything is read from objects, and written with plumbing through an index of our own: the user's
index, work tree and branches stay as they are. Hooks, signing and background tasks of the clone's
configuration are switched off. URLs may hold credentials, so every message of Git is scrubbed.
"""

import os
import shlex
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from pipeline_gitops import process
from pipeline_gitops.errors import Fault, UnreachableFault, UsageFault
from pipeline_gitops.patterns import pattern
from pipeline_gitops.ports import Commit, Tree
from pipeline_gitops.process import Completed

REMOTE = "origin"

_LOCAL_S = 120.0
_NETWORK_S = 120.0

# How Git finds the way to the remote, and what CI systems hand to it through the environment:
# GitLab's runner answers Git's question for a password from CI_JOB_TOKEN.
_KEPT = pattern(
    r"CI_JOB_TOKEN|GIT_(ASKPASS|PASSWORD|SSH|SSH_COMMAND|SSL_\w+|PROXY_SSL_\w+|HTTP_\w+)"
    r"|GIT_CONFIG_(COUNT|GLOBAL|NOSYSTEM|SYSTEM|KEY_\d+|VALUE_\d+)"
    r"|SSH_(ASKPASS|AUTH_SOCK)|(?i:https?_proxy|all_proxy|no_proxy)"
)
# Messages are read, so they must be English; nobody is there to answer a question; a reading call
# does not even refresh the index.
_FIXED = {
    "GCM_INTERACTIVE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LANGUAGE": "C",
    "LC_ALL": "C",
}
_SETTINGS = (
    "advice.detachedHead=false",
    "core.autocrlf=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.quotePath=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "i18n.commitEncoding=UTF-8",
    "i18n.logOutputEncoding=UTF-8",
    "log.showSignature=false",
    "maintenance.auto=false",
    "push.followTags=false",
    "push.gpgSign=false",
    "push.recurseSubmodules=no",
)
_IDENTITY = {
    "GIT_AUTHOR_NAME": "pipeline-gitops",
    "GIT_AUTHOR_EMAIL": "noreply@pipeline-gitops.dev",
    "GIT_COMMITTER_NAME": "pipeline-gitops",
    "GIT_COMMITTER_EMAIL": "noreply@pipeline-gitops.dev",
}

_SHA = pattern(r"[0-9a-f]{40}|[0-9a-f]{64}")
_USERINFO = pattern(r"//[^\s/@]*(:[^\s@]*)?@")
# What a server says when somebody else's push came first, in every stage where it may notice.
_LOST_RACE = pattern(
    r"fetch first|non-fast-forward|stale info|lock ref|failed to lock|failed to update ref"
    r"|incorrect old value|reference already exists"
)
_DISTRUSTED = pattern(r"(?:dubious ownership in repository at|unsafe repository \() ?'([^']+)'")
_REACH = "see whether the job may reach and read the remote: its URL, its network, its token or key"


def scrubbed(text: str) -> str:
    """*text* with the user and password of every URL taken out."""
    return _USERINFO.sub("//", text)


class Git:
    """The clone at *root*. Implements `ports.Repository`."""

    def __init__(self, root: str, environ: Mapping[str, str]) -> None:
        self.root = root
        kept = [name for name in environ if _KEPT.fullmatch(name)]
        self._env = {**process.child_environment(environ, keep=kept), **_FIXED}

    @classmethod
    def discover(cls, path: str, environ: Mapping[str, str]) -> "Git":
        """The clone that *path* lies in. Raises UsageFault where there is none."""
        done = cls(path, environ)._run("rev-parse", "--show-toplevel")
        root = done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")
        if done.code or not root:
            raise UsageFault(
                "not a Git repository, nor a directory inside of one",
                "run it inside a clone, or name one",
            )
        return cls(root, environ)

    # -- what is there -----------------------------------------------------------------------------

    def commit(self, revision: str) -> Commit:
        """A commit by any name of it. Raises UsageFault for one that cannot be had."""
        sha = self._resolved(revision)
        shown = self._text(
            "log", "-1", "--no-mailmap", "--format=%H%x00%s%x00%(trailers:only,unfold)", sha, "--"
        )
        _, subject, trailers = shown.split("\0", 2)
        pairs = (line.partition(":") for line in trailers.splitlines() if ":" in line)
        return Commit(
            sha=sha,
            subject=subject,
            trailers=tuple((key.strip().lower(), value.strip()) for key, _, value in pairs),
        )

    def ensure(self, revision: str) -> bool:
        """Whether a commit is there, after an attempt to fetch one that is named in full."""
        if self._found(revision):
            return True
        if not _SHA.fullmatch(revision):
            return False
        try:
            done = self._fetched(revision)
        except process.TimeoutFault:
            return False
        return done.code == 0 and bool(self._found(revision))

    def is_shallow(self) -> bool:
        """Whether history is cut off in this clone."""
        return self._text("rev-parse", "--is-shallow-repository").strip() == "true"

    def merge_base(self, one: str, other: str) -> str | None:
        """Where two histories parted; None when it is not in this clone, or they never met."""
        if not (self.ensure(one) and self.ensure(other)):
            return None
        done = self._run("merge-base", one, other)
        return done.stdout.decode().strip() or None

    def is_ancestor(self, older: str, newer: str) -> bool | None:
        """Whether *older* is a proper ancestor of *newer*; None when Git cannot tell here."""
        shallow = self.is_shallow()
        # A single commit, fetched into a shallow clone, comes without its history.
        there = self._found if shallow else self.ensure
        if not (there(older) and there(newer)):
            return None
        if self._reaches(newer, older):  # every commit reaches itself
            return False
        if self._reaches(older, newer):
            return True
        return None if shallow else False

    def _reaches(self, older: str, newer: str) -> bool:
        return self._run("merge-base", "--is-ancestor", older, newer).code == 0

    def history(self, older: str, newer: str, *, most: int) -> tuple[Commit, ...]:
        """What came to a branch after *older* up to *newer*, newest first, without what a merge
        brought along; () where the clone does not hold it."""
        if not self.is_ancestor(older, newer):
            return ()
        shown = self._text(
            "log", "--first-parent", f"--max-count={most}", "--format=%H%x00%s", f"{older}..{newer}"
        )
        pairs = (line.partition("\0") for line in shown.splitlines())
        return tuple(Commit(sha=sha, subject=subject) for sha, _, subject in pairs)

    def uncommitted(self) -> tuple[str, ...]:
        """Tracked files with uncommitted changes, sorted."""
        done = self._ok(
            "status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=untracked"
        )
        entries = iter(done.stdout.decode("utf-8", "surrogateescape").split("\0"))
        changed = set()
        for entry in entries:
            if not entry:
                continue
            changed.add(entry[3:])
            if "R" in entry[:2] or "C" in entry[:2]:
                changed.add(next(entries))  # a rename: the old name follows
        return tuple(sorted(changed))

    def tracks(self, path: str) -> bool:
        """Whether a file came with the repository's commits, itself or as a symbolic link."""
        folder, name = os.path.split(os.path.abspath(path))
        root = os.path.realpath(self.root)
        for place in (os.path.join(os.path.realpath(folder), name), os.path.realpath(path)):
            inside = os.path.relpath(place, root)
            if inside.partition(os.sep)[0] == os.pardir:
                continue
            if not self._run("ls-files", "--error-unmatch", "--", f":(literal){inside}").code:
                return True
        return False

    def slug(self) -> str:
        """What the remote calls the repository ("group/name"); the folder's name without one."""
        done = self._run("remote", "get-url", REMOTE)
        return slug(done.stdout.decode("utf-8", "replace").strip()) or os.path.basename(self.root)

    @contextmanager
    def tree(self, revision: str) -> Iterator[Tree]:
        """The files of a commit, in a directory that goes away at the end."""
        sha = self._resolved(revision)
        with tempfile.TemporaryDirectory(prefix="pipeline-gitops-") as made:
            place = os.path.realpath(made)
            files, index = os.path.join(place, "tree"), os.path.join(place, "index")
            os.mkdir(files)
            self._ok("read-tree", sha, index=index)
            self._ok("checkout-index", "--all", "--quiet", f"--prefix={files}/", index=index)
            yield Tree(files, sha)

    # -- a branch of files -------------------------------------------------------------------------

    def fetch_branch(self, name: str) -> str | None:
        """The tip of a branch of the remote, fetched; None when the remote has no such branch.

        Raises UnreachableFault when the remote does not answer.
        """
        if self._run("check-ref-format", f"refs/heads/{name}").code:
            raise UsageFault(f"'{name}' cannot be the name of a branch", "give it another name")
        done = self._run("ls-remote", REMOTE, f"refs/heads/{name}", timeout_s=_NETWORK_S)
        if done.code:
            raise self._unreachable("read", done)
        listed = (line.split("\t", 1) for line in done.stdout.decode().splitlines())
        tip = next((sha for sha, ref in listed if ref == f"refs/heads/{name}"), None)
        if tip is None or self._found(tip):
            return tip
        # Kept, so that the next fetch brings only what is new.
        kept = f"refs/pipeline-gitops/{name}"
        done = self._fetched(f"+refs/heads/{name}:{kept}")
        if self._found(tip):
            return tip
        if done.code:
            raise self._unreachable("read", done)
        return self._found(kept)

    def tree_at(self, commit: str, path: str) -> str:
        """The name of the tree at *path*, "" when there is nothing.

        Raises UsageFault when a symbolic link or a file is in the way.
        """
        tree, at = self._text("rev-parse", "--verify", f"{commit}^{{tree}}").strip(), ""
        for part in _parts(path):
            at = f"{at}/{part}" if at else part
            entry = _entries(self._ok("ls-tree", "-z", tree).stdout).get(part)
            if entry is None:
                return ""
            mode, tree = entry
            if mode != "040000":
                raise UsageFault(f"{at} is not a directory there", "give the target another path")
        return tree

    def read_path(self, commit: str, path: str, names: Collection[str]) -> Mapping[str, bytes]:
        """Content of those of *names*, relative to *path*, that are files there.

        Raises UsageFault when a symbolic link, or a file in place of a directory, is in the way.
        """
        tree = self.tree_at(commit, path)
        if not tree or not names:
            return {}
        entries = _entries(self._ok("ls-tree", "-r", "-t", "-z", tree).stdout)
        wanted: dict[str, str] = {}
        for name in sorted(names):
            for above in _above(name):
                if above in entries and entries[above][0] != "040000":
                    raise UsageFault(f"{path}/{above} is not a directory there", "remove it")
            if name not in entries:
                continue
            mode, wanted[name] = entries[name]
            if not mode.startswith("100"):
                raise UsageFault(f"{path}/{name} is not a regular file there", "remove it")
        return self._blobs(wanted)

    def _blobs(self, shas: Mapping[str, str]) -> Mapping[str, bytes]:
        asked = "".join(f"{sha}\n" for sha in shas.values()).encode()
        given = self._ok("cat-file", "--batch", stdin=asked).stdout
        contents, at = {}, 0
        for name in shas:
            end = given.index(b"\n", at)
            size = int(given[at:end].split()[-1])
            contents[name] = given[end + 1 : end + 1 + size]
            at = end + 1 + size + 1
        return contents

    def commit_path(
        self, parent: str | None, path: str, files: Mapping[str, bytes | None], message: str
    ) -> str:
        """A commit on *parent* in which only *files* below *path* differ; None deletes one."""
        below = "".join(f"{part}/" for part in _parts(path))
        with tempfile.TemporaryDirectory(prefix="pipeline-gitops-") as place:
            index = os.path.join(place, "index")
            self._ok("read-tree", parent or "--empty", index=index)
            kept = {name: content for name, content in files.items() if content is not None}
            shas = dict(zip(kept, self._stored(place, list(kept.values())), strict=True))
            lines = [
                f"100644 {shas[name]}\t{below}{name}\0"
                if name in shas
                else f"0 {'0' * 40}\t{below}{name}\0"
                for name in sorted(files)
            ]
            self._ok(
                "update-index", "-z", "--index-info", stdin="".join(lines).encode(), index=index
            )
            tree = self._ok("write-tree", index=index).stdout.decode().strip()
        above = ("-p", parent) if parent else ()
        done = self._ok("commit-tree", tree, *above, stdin=message.encode(), more=_IDENTITY)
        return done.stdout.decode().strip()

    def _stored(self, place: str, contents: Sequence[bytes]) -> list[str]:
        """Names of blobs with these contents, written to the object store byte for byte."""
        if not contents:
            return []
        paths = [os.path.join(place, str(number)) for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            with open(path, "wb") as file:
                file.write(content)
        asked = "".join(f"{path}\n" for path in paths).encode()
        done = self._ok("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=asked)
        return done.stdout.decode().split()

    def push(self, sha: str, branch: str) -> bool:
        """Moves a branch of the remote forward to *sha*; False when somebody else was first.

        Raises UnreachableFault when the remote says no, or does not answer.
        """
        refs = f"{sha}:refs/heads/{branch}"
        done = self._run("push", "--porcelain", "--no-verify", REMOTE, refs, timeout_s=_NETWORK_S)
        if not done.code:
            return True
        answers = done.stdout.decode("utf-8", "replace").splitlines()
        refusal = next((line.split("\t")[-1] for line in answers if line.startswith("!")), "")
        if _LOST_RACE.search(refusal):
            return False
        if refusal:
            raise UnreachableFault(
                f"the remote refused the push to {branch}: {_line(refusal)}",
                f"let the job push to {branch}: a token or key with write access (on GitHub "
                "`permissions: contents: write`), and no branch protection against it",
            )
        raise self._unreachable("write to", done)

    # -- calls -------------------------------------------------------------------------------------

    def _fetched(self, refs: str) -> Completed:
        # In a whole clone a depth would cut history off for everybody who uses it after us.
        depth = ("--depth=1",) if self.is_shallow() else ()
        options = ("--no-tags", "--no-write-fetch-head", "--quiet")
        return self._run("fetch", *options, *depth, REMOTE, refs, timeout_s=_NETWORK_S)

    def _found(self, revision: str) -> str | None:
        """The full name of a commit that is in the clone."""
        # With --verify nothing is taken for an option that ends in ^{commit}.
        done = self._run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return done.stdout.decode().strip() or None

    def _resolved(self, revision: str) -> str:
        sha = self._found(revision) or (self.ensure(revision) and self._found(revision))
        if sha:
            return sha
        if not self._found("HEAD"):
            raise UsageFault("the repository has no commits yet", "commit something first")
        raise UsageFault(
            f"commit {revision} is not in this clone",
            "fetch it: `fetch-depth: 0` on GitHub, GIT_DEPTH: 0 on GitLab, or `git fetch`",
        )

    def _unreachable(self, purpose: str, done: Completed) -> Fault:
        if self._run("remote", "get-url", REMOTE).code:
            return UsageFault(
                f"the clone has no remote '{REMOTE}'", f"add it: git remote add {REMOTE} URL"
            )
        return UnreachableFault(f"cannot {purpose} the remote '{REMOTE}': {_said(done)}", _REACH)

    def _text(self, *args: str) -> str:
        return self._ok(*args).stdout.decode("utf-8", "replace")

    def _ok(
        self, *args: str, stdin: bytes = b"", index: str = "", more: Mapping[str, str] | None = None
    ) -> Completed:
        done = self._run(*args, stdin=stdin, index=index, more=more)
        if done.code:
            raise Fault(
                f"git {args[0]} failed: {_said(done)}",
                "see whether the clone is whole (git fsck) and the disk has room",
            )
        return done

    def _run(
        self,
        *args: str,
        stdin: bytes = b"",
        timeout_s: float = _LOCAL_S,
        index: str = "",
        more: Mapping[str, str] | None = None,
    ) -> Completed:
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        env = {**self._env, **(more or {})}
        if index:
            env["GIT_INDEX_FILE"] = index
        done = process.run(
            ["git", *settings, *args], cwd=self.root, env=env, stdin=stdin, timeout_s=timeout_s
        )
        distrusted = _DISTRUSTED.search(done.stderr) if done.code else None
        if distrusted:
            raise UsageFault(
                f"Git does not trust {distrusted[1]}: it belongs to another user",
                f"git config --global --add safe.directory {shlex.quote(distrusted[1])}",
            )
        return done


def slug(url: str) -> str:
    """The repository's path in a remote's URL: "group/name"; of a path on disk only the name."""
    path = url.rstrip("/").removesuffix(".git")
    if "://" in path:
        split = urlsplit(path)
        found = split.path.strip("/")
        return found if split.scheme != "file" else os.path.basename(found)
    host, colon, rest = path.partition(":")
    if colon and "/" not in host:
        return rest.strip("/")
    return os.path.basename(path)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _above(name: str) -> Iterator[str]:
    """The directories that *name* lies in, the outermost first."""
    parts = name.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def _entries(listing: bytes) -> dict[str, tuple[str, str]]:
    """Mode and object name by path, of what `ls-tree -z` prints."""
    found = {}
    for line in listing.decode("utf-8", "surrogateescape").split("\0"):
        if line:
            attributes, name = line.split("\t", 1)
            mode, _, sha = attributes.split()
            found[name] = (mode, sha)
    return found


def _said(done: Completed) -> str:
    """The line of Git's messages that says what went wrong."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ERROR:"))]
    found = (telling or lines or [f"exit code {done.code}"])[0 if telling else -1]
    return _line(found)


def _line(text: str) -> str:
    return scrubbed(text.strip())[:300]
