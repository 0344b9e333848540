"""Every exit code of the contract, produced by a command."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Repository, Said
from tests.cli.manifests import SECRET, config_map, plain

Call = Callable[..., Said]
ROOT = Path(__file__).resolve().parents[2]


def test_0_ok(repository: Repository, call: Call) -> None:
    """Done, and as wanted."""
    repository.commit(plain())

    assert call("deploy").code == 0


def test_1_internal_error(
    repository: Repository, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only our own bugs end in a traceback, and it names no value of a variable."""
    from pipeline_gitops.cli.commands import deploy as deploy_command

    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug of ours")

    repository.commit(plain())
    monkeypatch.setattr(deploy_command, "deploy", broken)

    said = call("deploy")

    assert (said.code, "KeyError" in said.err) == (1, True)
    assert "this is a bug" in said.err


def test_2_usage(repository: Repository, call: Call) -> None:
    """The call does not add up."""
    repository.commit(plain())

    assert call("deploy", "--environment", "nowhere").code == 2


def test_3_manifests_rejected(repository: Repository, call: Call) -> None:
    """A mistake in the manifests."""
    repository.commit(plain() | {"deploy/settings.yaml": config_map() + "dta: {}\n"})

    assert call("deploy").code == 3


def test_4_refused(repository: Repository, call: Call) -> None:
    """Before any write."""
    repository.commit(plain() | {"deploy/secret.yaml": SECRET})

    assert call("deploy").code == 4


def kubeconfig(folder: Path, server: str) -> str:
    path = folder / "kubeconfig"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n"
        f"clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n"
        "users: [{name: u, user: {token: planted-token-123}}]\n"
        "contexts: [{name: test, context: {cluster: c, user: u}}]\n"
    )
    return str(path)


def test_5_unreachable(
    repository: Repository, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster does not answer; its token is in no message."""
    repository.commit(plain("cluster: {}"))
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, "http://127.0.0.1:1"))

    said = call("deploy", "--timeout", "1s")

    assert (said.code, "planted-token" in said.text) == (5, False)
    assert "127.0.0.1:1" in said.text


@pytest.mark.parametrize("by", ["file", "link"])
def test_2_a_kubeconfig_that_came_with_the_commit(
    repository: Repository, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """It could start any program as its credential plugin; one that only lies there is fine."""
    monkeypatch.setenv("KUBECONFIG", "kubeconfig")
    repository.write(plain("cluster: {}") | {".gitignore": "kubeconfig\n"})
    kubeconfig(repository.root if by == "file" else tmp_path, "http://127.0.0.1:1")
    if by == "link":
        (repository.root / "kubeconfig").symlink_to(tmp_path / "kubeconfig")
    repository.commit({})

    untracked = call("diff", "--timeout", "1s")
    repository.git("add", "--force", "kubeconfig")
    repository.git("commit", "--quiet", "-m", "Add it")
    tracked = call("diff", "--timeout", "1s")

    assert (untracked.code, tracked.code) == (5, 2), tracked.text
    assert "is part of the repository" in tracked.text


def test_6_applied_in_part(repository: Repository) -> None:
    """The first wave is written, then the disk takes no more: old files stay whole."""
    big = config_map("big").replace("ConfigMap", "Widget").replace("v1\n", "example.com/v1\n")
    repository.commit(plain() | {"deploy/big.yaml": big + "spec: " + "x" * 300_000 + "\n"})
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from pipeline_gitops import cli\n"
        "sys.exit(cli.run(['deploy', '--allow-dirty']))\n"
    )

    done = run_program(repository, program)

    assert done.returncode == 6, done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in (repository.root / "rendered").rglob("*.yaml")] == [
        "configmap-settings.yaml"
    ]


def run_program(repository: Repository, program: str) -> subprocess.CompletedProcess[str]:
    """A Python program in the repository that uses the package."""
    return subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=repository.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_8_superseded(repository: Repository, call: Call) -> None:
    """An older commit does not overwrite a newer deploy."""
    older = repository.commit(plain())
    repository.commit({"deploy/settings.yaml": config_map(greeting="newer")})
    assert call("deploy").code == 0
    repository.git("checkout", "--quiet", older)

    said = call("deploy")

    assert said.code == 8
    (written,) = (repository.root / "rendered").rglob("configmap-settings.yaml")
    assert "newer" in written.read_text()


def test_10_differences(repository: Repository, call: Call) -> None:
    """Only with --exit-code."""
    repository.commit(plain())

    assert (call("diff").code, call("diff", "--exit-code").code) == (0, 10)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 130)]
)
def test_130_and_143_interrupted(
    repository: Repository, tmp_path: Path, number: int, code: int
) -> None:
    """A signal while waiting ends the run with its report written."""
    repository.commit(plain())
    program = (
        "import sys, time\n"
        "from pipeline_gitops import cli\n"
        "from pipeline_gitops.targets import directory\n"
        "def slow(self, inventory):\n"
        "    print('claiming', flush=True)\n"
        "    time.sleep(0.5)\n"
        "    return claim(self, inventory)\n"
        "claim = directory.DirectoryTarget.claim\n"
        "directory.DirectoryTarget.claim = slow\n"
        "sys.exit(cli.run(['deploy', '--report', 'json=report.json']))\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        cwd=repository.root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert "claiming" in running.stdout.readline()

        running.send_signal(number)
        running.communicate(timeout=60)

    assert code == running.returncode
    assert (repository.root / "report.json").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_is_no_bug_of_ours() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline_gitops", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "pipeline-gitops: cannot write: No space left on device"
    assert "bug" not in done.stderr
