"""A merge request, from a mistake to a deployment, on this machine.

    make demo              deploys to a directory of rendered manifests
    make demo CLUSTER=1    deploys to the tests' control plane

Everything happens in .demo/, which is made anew each time. The commands are those of a CI job;
only the event is written by hand.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = Path(os.environ.get("DEMO_FOLDER", ROOT / ".demo"))
REPOSITORY = DEMO / "shop"
REPORTS = DEMO / "reports"
PROGRAM = [sys.executable, "-P", "-m", "pipeline_gitops"]

BASE = "deploy/base"
SERVICE = f"{BASE}/recommendations"
MISTAKE, CORRECTION = "replcas: 1", "replicas: 1"

SHOWN = 48  # lines of a job's log: a screen

IDENTITY = {
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@example.com",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def main(arguments: list[str]) -> int:
    """Tells the whole story; a step that ends otherwise than it should ends the demo."""
    started = time.monotonic()
    with control_plane("--cluster" in arguments) as kubeconfig:
        target = ["--target", "cluster"] if kubeconfig else []
        demo = Demo(kubeconfig, target)
        demo.prepare()
        demo.review_with_a_mistake()
        demo.review_after_the_fix()
        demo.deploy()
    say(f"Done in {time.monotonic() - started:.1f} s. What is left to look at:")
    if not kubeconfig:
        print(f"  rendered manifests   {relative(REPOSITORY / 'rendered' / 'staging')}")
    for path in sorted(REPORTS.glob("*.html"), key=lambda path: path.stat().st_mtime):
        print(f"  report               {relative(path)}")
    print(f"  the same as text     {relative(REPORTS)}/*.md, *.json")
    print(f"\nOpen in a browser: {(REPORTS / 'review.html').as_uri()}")
    return 0


class Demo:
    """The repository, its merge request, and the CI jobs that run for it."""

    def __init__(self, kubeconfig: str, target: list[str]) -> None:
        self.kubeconfig = kubeconfig
        self.target = target
        self.environment = "dev" if kubeconfig else "staging"

    def prepare(self) -> None:
        """A repository with a deployed main branch, and a branch with changes and one mistake."""
        say("A repository with the shop's manifests")
        shutil.rmtree(DEMO, ignore_errors=True)
        shutil.copytree(ROOT / "examples" / "shop", REPOSITORY)
        REPORTS.mkdir()
        (REPOSITORY / ".gitignore").write_text("rendered/\n")
        git("init", "--quiet", "--initial-branch=main")
        # Commands by hand in here then speak for the same repository as the jobs do.
        git("remote", "add", "origin", "https://github.com/example/shop.git")
        commit("The shop")
        self.job("first-deploy", self.push_event(), expected=0, show=False)

        say("A merge request: a newer image, a new service, one removed, and a mistake")
        git("checkout", "--quiet", "-b", "recommendations")
        change_the_shop()
        commit("Recommendations instead of the old banner")

    def review_with_a_mistake(self) -> None:
        """The merge-request job finds the mistake."""
        say("The merge-request job")
        self.job("mistake", self.merge_request_event(), expected=3)

    def review_after_the_fix(self) -> None:
        """The same job, once the mistake is corrected."""
        say("The mistake corrected, the job runs again")
        rewrite(f"{SERVICE}/deployment.yaml", (MISTAKE, CORRECTION))
        commit("Correct the field")
        self.job("review", self.merge_request_event(), expected=0)

    def deploy(self) -> None:
        """Merged, the push job deploys; a second run of it changes nothing."""
        say("Merged. The push job")
        git("checkout", "--quiet", "main")
        git("merge", "--quiet", "--no-ff", "-m", "Merge pull request #7", "recommendations")
        self.job("deploy", self.push_event(), expected=0)
        say("The push job once more: nothing changes")
        self.job("again", self.push_event(), expected=0)

    def job(self, name: str, event: Mapping[str, str], *, expected: int, show: bool = True) -> None:
        """One CI job. Its reports are kept under its name."""
        report, note, page = (REPORTS / f"{name}.{kind}" for kind in ("json", "md", "html"))
        argv = [*PROGRAM, "run", "--environment", self.environment, *self.target]
        argv += ["--report", f"json={report}", "--report", f"markdown={note}"]
        argv += ["--report", f"html={page}"]
        environ = {**clean_environment(), **event, "RUNNER_TEMP": str(DEMO)}
        if self.kubeconfig:
            environ["KUBECONFIG"] = self.kubeconfig
        print(f"$ pipeline-gitops run --environment {self.environment}", flush=True)
        done = subprocess.run(
            argv, cwd=REPOSITORY, env=environ, check=False, capture_output=True, text=True
        )
        if done.returncode != expected:
            print(done.stdout, done.stderr)
        elif show:
            print(beginning(done.stdout, note))
        if done.returncode != expected:
            sys.exit(f"the job {name} ended with {done.returncode} instead of {expected}")
        print(f"-> exit code {done.returncode}, report in {relative(page)}\n", flush=True)

    def push_event(self) -> Mapping[str, str]:
        """What GitHub tells a job about a push."""
        event = {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}
        return self.github("push", event, GITHUB_REF_NAME="main", GITHUB_REF="refs/heads/main")

    def merge_request_event(self) -> Mapping[str, str]:
        """What GitHub tells a job about a pull request."""
        head, base = git("rev-parse", "HEAD"), git("rev-parse", "main")
        repository = {"full_name": "example/shop", "default_branch": "main"}
        event = {
            "action": "synchronize",
            "number": 7,
            "pull_request": {
                "number": 7,
                "head": {"sha": head, "ref": "recommendations", "repo": repository},
                "base": {"sha": base, "ref": "main", "repo": repository},
                "labels": [],
            },
            "repository": repository,
        }
        return self.github("pull_request", event, GITHUB_HEAD_REF="recommendations")

    def github(self, name: str, event: object, **variables: str) -> Mapping[str, str]:
        """The variables of a GitHub job, without a token: the note goes to stdout and a file."""
        path = DEMO / "event.json"
        path.write_text(json.dumps(event))
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_REPOSITORY": "example/shop",
            "GITHUB_SHA": git("rev-parse", "HEAD"),
            **variables,
        }


def change_the_shop() -> None:
    """A newer catalog, recommendations instead of the banner, and a misspelt field."""
    folder = REPOSITORY / BASE / "banner"
    for path in sorted(folder.iterdir()):
        new = REPOSITORY / SERVICE / path.name
        new.parent.mkdir(exist_ok=True)
        new.write_text(path.read_text().replace("banner", "recommendations"))
    shutil.rmtree(folder)
    rewrite(f"{SERVICE}/deployment.yaml", (CORRECTION, MISTAKE))
    rewrite(
        f"{BASE}/kustomization.yaml",
        ("newTag: 2.3.0", "newTag: 2.4.0"),
        ("banner", "recommendations"),
        ("BANNER_URL", "RECOMMENDATIONS_URL"),
    )
    rewrite(f"{BASE}/network-policies.yaml", ("banner", "recommendations"))


def rewrite(name: str, *replacements: tuple[str, str]) -> None:
    """Replaces text in a file of the repository, each of which must be there."""
    path = REPOSITORY / name
    text = path.read_text()
    for old, new in replacements:
        if old not in text:
            sys.exit(f"{name} has no '{old}' any more: the demo must follow the example")
        text = text.replace(old, new)
    path.write_text(text)


def git(*arguments: str) -> str:
    """Git in the demo's repository."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **IDENTITY},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(message: str) -> None:
    """Everything in the work tree as one commit."""
    git("add", "--all")
    git("commit", "--quiet", "-m", message)


def clean_environment() -> dict[str, str]:
    """No variables of a CI that the demo itself may run in, and no cluster of yours."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, **IDENTITY, "HOME": str(DEMO), "PYTHONPATH": str(ROOT)}


@contextmanager
def control_plane(wanted: bool) -> Iterator[str]:
    """The kubeconfig of a running control plane, or "" where none is wanted."""
    if not wanted:
        yield ""
        return
    say("A control plane (built with Go the first time)")
    ready = DEMO.with_name(DEMO.name + "-kubeconfig")
    ready.unlink(missing_ok=True)
    starter = [sys.executable, str(ROOT / "tests" / "cluster" / "__main__.py")]
    running = subprocess.Popen([*starter, "--ready-file", str(ready)], stdout=subprocess.DEVNULL)
    try:
        while not ready.exists():
            if running.poll() is not None:
                sys.exit("the control plane did not start; what it said stands above")
            time.sleep(0.2)
        yield ready.read_text().strip()
    finally:
        running.terminate()
        running.wait()
        ready.unlink(missing_ok=True)


def beginning(text: str, note: Path) -> str:
    """The first lines of a job's log; the rest of it is in the note as well."""
    lines = text.splitlines()
    if len(lines) <= SHOWN:
        return text
    more = f"  [{len(lines) - SHOWN} more lines; all changes are in {relative(note)}]"
    return "\n".join([*lines[:SHOWN], "", more])


def relative(path: Path) -> str:
    """A path as a person in the project's folder would type it."""
    return os.path.relpath(path, ROOT)


def say(text: str) -> None:
    """A heading."""
    print(f"\n=== {text}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
