"""`watch`, and the table that a terminal shows while somebody waits."""

import json
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Repository, Said
from tests.cli.manifests import DEPLOYMENT, plain
from tests.cli.terminals import Terminal
from tests.cluster.controlplane import ControlPlane

Call = Callable[..., Said]

RUNNING = DEPLOYMENT.replace("      annotations: {pipeline-gitops.test/fate: FATE}\n", "")
SICK = DEPLOYMENT.replace("FATE", "never-ready")
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: api
  annotations:
    pipeline-gitops.test/fate: waits
    pipeline-gitops.test/reason: CreateContainerError
spec:
  containers: [{name: api, image: "registry.example.com/api:1.9"}]
"""
HEADER = "OBJECT"
MERGE = "application/merge-patch+json"


def shows_table(lines: list[str]) -> bool:
    return any(line.startswith(HEADER) for line in lines)


def rows(lines: list[str]) -> list[str]:
    """What stands below the table's header."""
    start = max(number for number, line in enumerate(lines) if line.startswith(HEADER))
    return lines[start + 1 :]


# -- without a terminal ----------------------------------------------------------------------------


def test_0_everything_runs(repository: Repository, cluster: str, call: Call) -> None:
    """It ends by itself; each line has its time, and there is no table."""
    repository.commit({"deploy/api.yaml": DEPLOYMENT.replace("FATE", "recovers")})
    assert call("deploy", "--no-wait").code == 0

    said = call("watch", "--report", "json=../watch.json")

    told = json.loads((repository.root.parent / "watch.json").read_text())
    (environment,) = told["environments"]
    assert said.code == 0, said.text
    assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ Deployment.apps \S+/api: Current", said.err)
    assert HEADER not in said.err
    assert "\x1b" not in said.text
    assert {one["health"] for one in environment["rollout"]["objects"]} == {"Current"}


def test_7_something_will_not_run(repository: Repository, cluster: str, call: Call) -> None:
    """With the cause in the line that says so, and a card."""
    repository.commit({"deploy/api.yaml": DEPLOYMENT.replace("FATE", "crash-loop")})
    assert call("deploy", "--no-wait").code == 0

    said = call("watch", "--timeout", "60s", "--report", "json=../watch.json")

    (environment,) = json.loads((repository.root.parent / "watch.json").read_text())["environments"]
    (bad,) = [line for line in said.err.splitlines() if ": Failed: " in line]
    assert said.code == 7, said.text
    assert "container api ended with exit code 1, 3 restarts" in bad
    assert [card["rule"] for card in environment["cards"]] == ["crash"]


def test_7_nothing_is_deployed(repository: Repository, cluster: str, call: Call) -> None:
    """Not in time."""
    said = call("watch", "--timeout", "2s")

    assert (said.code, "nothing is deployed" in said.out) == (7, True)


def test_2_one_environment_at_a_time(repository: Repository, call: Call) -> None:
    """Nobody can read two at once."""
    files = plain()
    config = files[".pipeline-gitops.yaml"]
    files[".pipeline-gitops.yaml"] = config + config.partition("environments:\n")[2].replace(
        "prod", "staging"
    ).replace("rendered", "rendered/staging")
    repository.commit(files)

    assert call("watch").code == 2


def test_2_files_cannot_be_watched(repository: Repository, call: Call) -> None:
    """It says what can be asked instead."""
    repository.commit(plain())
    assert call("deploy").code == 0

    said = call("watch")

    assert (said.code, "pipeline-gitops status" in said.text) == (2, True)


def test_watching_writes_nothing(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """An account that may only read is enough; see also the printed Role (test_permissions)."""
    repository.commit({"deploy/api.yaml": RUNNING})
    assert call("deploy").code == 0
    path = f"/api/v1/namespaces/{cluster}/configmaps"
    before = control_plane.admin.get(path)

    assert call("watch").code == 0
    after = control_plane.admin.get(path)

    assert [one["metadata"]["resourceVersion"] for one in after["items"]] == [
        one["metadata"]["resourceVersion"] for one in before["items"]
    ]


# -- on a terminal ---------------------------------------------------------------------------------


def test_a_table_is_there_while_a_deploy_waits_and_gone_afterwards(
    repository: Repository, cluster: str, control_plane: ControlPlane
) -> None:
    """Lines stay, once each."""
    repository.commit({"deploy/api.yaml": SICK})
    with Terminal("deploy", "--timeout", "90s", folder=repository.root) as terminal:
        during = terminal.until(
            lambda lines: shows_table(lines) and "readiness" in "".join(rows(lines))
        )
        terminal.signal()
        code = terminal.ended()
        after = terminal.lines()

    (row,) = [row for row in rows(during) if "Deployment.apps" in row]
    assert re.search(r"/api +InProgress +0/1 +\d+s +0 of 1 pods are available, as ", row), row
    assert code == 130
    assert not shows_table(after), "\n".join(after)
    transitions = [line for line in after if "api: InProgress: 0 of 1 pods are available" in line]
    assert len(transitions) == len(set(transitions)) >= 1
    assert b"\x1b[?" not in terminal.raw  # no hidden cursor, no other screen: nothing to repair


def test_a_deploy_is_followed_from_beside(repository: Repository, cluster: str, call: Call) -> None:
    """A new inventory is said and followed; Ctrl-C ends it with 130."""
    assert call("deploy").code == 0
    with Terminal("watch", "--until", "forever", folder=repository.root) as terminal:
        terminal.until(lambda lines: shows_table(lines) and "ConfigMap" in "".join(rows(lines)))
        revision = repository.commit({"deploy/api.yaml": RUNNING})
        assert call("deploy").code == 0
        during = terminal.until(
            lambda lines: (
                any(f"deployed: {revision[:7]}" in line for line in lines)
                and re.search(r"/api +Current +1/1", "".join(rows(lines))) is not None
            )
        )
        terminal.signal()
        code = terminal.ended()
        after = terminal.lines()

    assert any("/api: Current: 1 of 1 pods are available" in line for line in during)
    assert code == 130
    assert not shows_table(after)
    assert any("stopped watching" in line for line in after)


@pytest.mark.parametrize(
    ("flags", "environ"),
    [
        ((), {"NO_COLOR": "1"}),
        ((), {"TERM": "dumb"}),
        (("--no-color",), {}),
        ((), {"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/shop", "CI_PROJECT_DIR": "/"}),
    ],
    ids=["NO_COLOR", "TERM=dumb", "--no-color", "CI"],
)
def test_no_table_where_nothing_may_be_drawn(
    repository: Repository,
    cluster: str,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    flags: Any,
    environ: Any,
) -> None:
    """Some runners fake a terminal; some people want none."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    repository.commit({"deploy/api.yaml": SICK})
    assert call("deploy", "--no-wait").code == 0
    arguments = ("watch", "--timeout", "6s", *flags)
    with Terminal(*arguments, folder=repository.root, environ=environ) as terminal:
        code = terminal.ended()

    assert code == 7, terminal.lines()
    assert b"0 of 1 pods are available" in terminal.raw
    assert b"OBJECT" not in terminal.raw
    assert b"\x1b[" not in terminal.raw


def test_what_a_cluster_says_does_not_act_on_the_terminal(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """Neither in a line, nor in the table, nor in the report."""
    planted = "\x1b]0;owned\x07\x1b[2J \u202egnp.exe"
    repository.commit({"deploy/pod.yaml": POD})
    assert call("deploy", "--no-wait").code == 0
    waiting = {"waiting": {"reason": "CreateContainerError", "message": planted}}
    status = {"name": "api", "image": "a", "imageID": "", "ready": False, "restartCount": 0}
    control_plane.admin.send(
        "PATCH",
        f"/api/v1/namespaces/{cluster}/pods/api/status",
        {"status": {"containerStatuses": [{**status, "state": waiting}]}},
        content_type=MERGE,
    )
    with Terminal("watch", "--until", "forever", folder=repository.root) as terminal:
        terminal.until(lambda lines: shows_table(lines) and "owned" in "".join(rows(lines)))
        terminal.signal()
        terminal.ended()

    said = terminal.raw.decode()
    assert "owned" in said
    assert "\x1b]" not in said
    assert "\x1b[2J" not in said
    assert not {"\x07", "\u202e"} & set(said)


def test_a_kill_leaves_the_terminal_usable(
    repository: Repository, cluster: str, call: Call
) -> None:
    """It ends without any chance to put something right; nothing has to be."""
    repository.commit({"deploy/api.yaml": SICK})
    assert call("deploy", "--no-wait").code == 0
    with Terminal("watch", "--until", "forever", folder=repository.root) as terminal:
        terminal.until(shows_table)
        terminal.signal(signal.SIGKILL)
        terminal.ended()

    assert b"\x1b[?" not in terminal.raw
