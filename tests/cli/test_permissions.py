"""`permissions`: with the printed Roles an account may run its command, with less it may not."""

import copy
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from urllib3 import HTTPConnectionPool

from tests.cli.conftest import Repository, Said
from tests.cli.manifests import DEPLOYMENT, config_map, plain
from tests.cluster.api import ApiError
from tests.cluster.controlplane import ControlPlane

Call = Callable[..., Said]
Grant = tuple[str, str, str]

ROOT = Path(__file__).resolve().parents[2]
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
RUNNING = DEPLOYMENT.replace("      annotations: {pipeline-gitops.test/fate: FATE}\n", "")
ENVIRONMENT = ("--environment", "prod")
HOOK = config_map("last").replace(
    "  name", "  annotations: {pipeline-gitops.dev/hook: after}\n  name"
)
PATIENCE_S = 20.0
# What the command goes on without; a red answer then has fewer reasons.
OPTIONAL = {
    *("events", "pods", "pods/log", "replicasets", "jobs"),
    *("horizontalpodautoscalers", "resourcequotas", "serviceaccounts"),
}


class Account:
    """A service account, bound to one Role of its own in the test's namespace."""

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path) -> None:
        self._plane = plane
        self._namespace = namespace
        self._rbac = f"{RBAC}/namespaces/{namespace}"
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        plane.admin.post(accounts, {"metadata": {"name": "bot"}})
        made = plane.admin.post(f"{accounts}/bot/token", {"spec": {}})
        self.user = f"system:serviceaccount:{namespace}:bot"
        self.token: str = made["status"]["token"]
        self.kubeconfig = plane.kubeconfig(folder / "bot", token=self.token)
        subject = {"kind": "ServiceAccount", "name": "bot", "namespace": namespace}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "bot"}
        body = {"metadata": {"name": "bot"}, "roleRef": reference, "subjects": [subject]}
        plane.admin.post(f"{self._rbac}/rolebindings", body)

    def may(self, rules: list[Any]) -> None:
        """Gives it exactly these rules, and waits until they are in force."""
        body = {"metadata": {"name": "bot"}, "rules": rules}
        try:
            self._plane.admin.post(f"{self._rbac}/roles", body)
        except ApiError:
            self._plane.admin.send("PUT", f"{self._rbac}/roles/bot", body)
        review = {"spec": {"namespace": self._namespace}}
        api = self._plane.api(self.token)
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = api.post(path, review)["status"]["resourceRules"]
            if all(any(_same(rule, one) for one in found) for rule in rules) and not any(
                "configmaps" in one["resources"] and not any(_same(rule, one) for rule in rules)
                for one in found
            ):
                return
            assert time.monotonic() < deadline, found
            time.sleep(0.05)


def _same(rule: Any, other: Any) -> bool:
    keys = ("apiGroups", "resources", "verbs", "resourceNames")
    return all(rule.get(key, []) == other.get(key, []) for key in keys)


@pytest.fixture
def cluster(
    repository: Repository, kubeconfig: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A repository whose environment is deployed to a namespace of the test's own."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    repository.commit(plain(f"cluster: {{namespace: {namespace}}}") | {"deploy/api.yaml": RUNNING})
    return namespace


@pytest.fixture
def account(cluster: str, control_plane: ControlPlane, tmp_path: Path) -> Account:
    return Account(control_plane, cluster, tmp_path)


def printed(call: Call, command: str, *more: str) -> list[Any]:
    said = call("permissions", *ENVIRONMENT, "--command", command, *more)
    assert said.code == 0, said.text
    return list(yaml.safe_load_all(said.out))


ARGUMENTS = {
    "diff": (),
    "deploy": ("--timeout", "20s"),
    "status": ("--timeout", "20s"),
    "watch": ("--timeout", "20s"),
    "destroy": ("--confirm", "prod", "--timeout", "20s"),
}


def prepare(repository: Repository, call: Call, command: str) -> None:
    """Something to do for the command: of each kind something to create, change and delete."""
    repository.commit({"deploy/kept.yaml": both("kept"), "deploy/old.yaml": both("old")})
    assert call("deploy").code == 0
    if command in ("diff", "deploy"):
        repository.git("rm", "--quiet", "deploy/old.yaml")
        changed = RUNNING.replace("  selector", "  revisionHistoryLimit: 5\n  selector")
        repository.commit(
            {
                "deploy/settings.yaml": config_map(greeting="changed"),
                "deploy/new.yaml": both("new"),
                "deploy/api.yaml": changed,
            }
        )


def both(name: str) -> str:
    """A ConfigMap and a Deployment."""
    return f"{config_map(name)}---\n{RUNNING.replace(': api', f': {name}')}"


def cut_short(repository: Repository, call: Call) -> None:
    """A deploy whose last hook still has to run: whoever comes next fences it off."""
    failing = DEPLOYMENT.replace("FATE", "image-not-found")
    repository.commit({"deploy/api.yaml": failing, "deploy/hook.yaml": HOOK})
    assert call("deploy", "--timeout", "1s").code == 7


@dataclass
class Requests:
    """What a server allowed, as its authorizer calls it: group, resource and verb."""

    made: set[Grant] = field(default_factory=set)

    def note(self, method: str, url: str, status: int) -> None:
        path, _, query = url.partition("?")
        parts = path.strip("/").split("/")
        group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            rest = rest[2:]
        if not rest:  # what is served where
            return
        resource = "/".join([rest[0], *rest[2:]])
        reads = "watch" if "watch=true" in query else "get" if len(rest) > 1 else "list"
        verbs = {"GET": [reads], "DELETE": ["delete"], "POST": ["create"], "PATCH": ["patch"]}
        created = ["create"] if (method, status) == ("PATCH", 201) else []
        self.made |= {(group, resource, verb) for verb in [*verbs[method], *created]}


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """What servers allow this process from now on."""
    noted, send = Requests(), HTTPConnectionPool.urlopen

    def urlopen(pool: Any, method: str, url: str, *given: Any, **named: Any) -> Any:
        answer = send(pool, method, url, *given, **named)
        if url.startswith(("/api/", "/apis/")) and answer.status != 403:
            noted.note(method, url, answer.status)
        return answer

    monkeypatch.setattr(HTTPConnectionPool, "urlopen", urlopen)
    return noted


def granted(rules: list[Any]) -> set[Grant]:
    """What rules give, but for what the command goes on without."""
    given = {
        (group, resource, verb)
        for rule in rules
        for group, resource, verb in product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }
    return needed(given)


def needed(grants: set[Grant]) -> set[Grant]:
    return {grant for grant in grants if grant[1] not in OPTIONAL}


@pytest.mark.parametrize("command", ["diff", "deploy", "status", "watch", "destroy"])
def test_an_account_with_the_printed_role_may_run_the_command_and_with_less_it_may_not(
    repository: Repository,
    cluster: str,
    control_plane: ControlPlane,
    call: Call,
    account: Account,
    command: str,
    requests: Requests,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each rule is needed, but for those that only explain; all of them are enough.

    And each verb is one that the command asks for.
    """
    prepare(repository, call, command)
    if command == "destroy":
        cut_short(repository, call)
    (role,) = printed(call, command)
    rules = [rule for rule in role["rules"] if not set(rule["resources"]) <= OPTIONAL]
    monkeypatch.setenv("KUBECONFIG", str(account.kubeconfig))
    requests.made.clear()

    lacking = {}
    for index, rule in enumerate(rules):
        account.may([one for one in role["rules"] if one is not rule])
        lacking[index] = call(command, *ENVIRONMENT, *ARGUMENTS[command])
    account.may(role["rules"])
    done = call(command, *ENVIRONMENT, *ARGUMENTS[command])

    assert role["metadata"]["namespace"] == cluster
    assert {said.code for said in lacking.values()} == {5}, [s.text for s in lacking.values()]
    assert done.code == 0, done.text
    assert needed(requests.made) == granted(role["rules"])


def test_an_account_with_the_role_of_a_rollback_may_go_back_and_with_less_it_may_not(
    repository: Repository,
    cluster: str,
    control_plane: ControlPlane,
    call: Call,
    account: Account,
    requests: Requests,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the older commit had, what it had otherwise, and what it did not have."""
    older = repository.commit({"deploy/kept.yaml": both("kept"), "deploy/old.yaml": both("old")})
    prepare(repository, call, "deploy")
    assert call("deploy").code == 0
    (role,) = printed(call, "rollback")
    rules = [rule for rule in role["rules"] if not set(rule["resources"]) <= OPTIONAL]
    monkeypatch.setenv("KUBECONFIG", str(account.kubeconfig))
    arguments = ("--to", older, "--now", "--timeout", "20s")
    requests.made.clear()

    lacking = []
    for rule in rules:
        account.may([one for one in role["rules"] if one is not rule])
        lacking.append(call("rollback", *ENVIRONMENT, *arguments).code)
    account.may(role["rules"])
    done = call("rollback", *ENVIRONMENT, *arguments)

    names = control_plane.admin.get(f"/api/v1/namespaces/{cluster}/configmaps")["items"]
    assert set(lacking) == {5}
    assert done.code == 0, done.text
    assert {"old", "new"} & {item["metadata"]["name"] for item in names} == {"old"}
    assert needed(requests.made) == granted(role["rules"])


def test_an_account_with_the_role_of_a_deploy_may_go_back_where_it_does_not_run(
    repository: Repository,
    cluster: str,
    control_plane: ControlPlane,
    call: Call,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`--rollback on-failure` asks for nothing that a deploy may not."""
    policy = "policy: {stability: 0s, patience: {seconds: 1}, timeout: 20s, rollback: on-failure}"
    config = plain(f"cluster: {{namespace: {cluster}}}")[".pipeline-gitops.yaml"]
    repository.commit({".pipeline-gitops.yaml": f"{config}    {policy}\n"})
    assert call("deploy").code == 0
    failing = DEPLOYMENT.replace("FATE", "image-not-found")
    repository.commit({"deploy/api.yaml": failing, "deploy/new.yaml": config_map("new")})
    (role,) = printed(call, "deploy")
    account.may(role["rules"])
    monkeypatch.setenv("KUBECONFIG", str(account.kubeconfig))

    said = call("deploy", *ENVIRONMENT)

    names = control_plane.admin.get(f"/api/v1/namespaces/{cluster}/configmaps")["items"]
    assert said.code == 7, said.text
    assert "rolled back to" in said.out
    assert "new" not in {item["metadata"]["name"] for item in names}


def test_cluster_wide_kinds_go_into_a_cluster_role(
    repository: Repository, cluster: str, call: Call
) -> None:
    """A Role cannot give them; with --as clusterrole there is nothing else."""
    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {cluster}}}\n"
    repository.commit({"deploy/namespace.yaml": namespace})

    both, (one,) = printed(call, "deploy"), printed(call, "deploy", "--as", "clusterrole")

    assert [(role["kind"], role["metadata"].get("namespace")) for role in both] == [
        ("ClusterRole", None),
        ("Role", cluster),
    ]
    assert both[0]["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["namespaces"],
            "verbs": ["create", "delete", "get", "list", "patch", "watch"],
        }
    ]
    rules = [rule for role in both for rule in role["rules"]]
    assert (one["kind"], one["rules"]) == ("ClusterRole", rules)


def test_what_was_deployed_counts_as_well(repository: Repository, cluster: str, call: Call) -> None:
    """What the next deploy prunes is not rendered any more."""
    assert call("deploy").code == 0
    repository.git("rm", "--quiet", "deploy/api.yaml")
    repository.commit({})

    (role,) = printed(call, "deploy")

    assert any("deployments" in rule["resources"] for rule in role["rules"])


def test_without_a_cluster_the_built_in_kinds_are_known(repository: Repository, call: Call) -> None:
    """It can be run before there is an account."""
    repository.commit(plain("cluster: {namespace: shop}") | {"deploy/api.yaml": RUNNING})

    (role,) = printed(call, "diff")

    assert any("deployments" in rule["resources"] for rule in role["rules"])


def test_2_nobody_says_how_a_kind_is_called(repository: Repository, call: Call) -> None:
    """A guessed plural would be a Role that does not work."""
    body = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n"
    repository.commit(plain("cluster: {namespace: shop}") | {"deploy/w.yaml": body})

    said = call("permissions", *ENVIRONMENT)

    assert (said.code, "Widget.example.com" in said.text) == (2, True)


# -- an identity that only plans -------------------------------------------------------------------


@pytest.fixture
def planning(control_plane: ControlPlane, account: Account) -> Iterator[Account]:
    """The account under the policy of the documentation."""
    text = (ROOT / "docs/policies/plan-identity.yaml").read_text()
    name = f"plan-{secrets.token_hex(4)}"
    text = text.replace("system:serviceaccount:ci:plan", account.user)
    text = text.replace("pipeline-gitops-plan-identity", name)
    policy, binding = yaml.safe_load_all(text)
    control_plane.admin.post(f"{ADMISSION}/validatingadmissionpolicies", policy)
    control_plane.admin.post(f"{ADMISSION}/validatingadmissionpolicybindings", binding)
    yield account
    control_plane.admin.delete(f"{ADMISSION}/validatingadmissionpolicybindings/{name}")
    control_plane.admin.delete(f"{ADMISSION}/validatingadmissionpolicies/{name}")


def test_a_plan_identity_tries_out_everything_and_changes_nothing(
    repository: Repository,
    cluster: str,
    control_plane: ControlPlane,
    call: Call,
    planning: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the rights of a deploy, deletions included: diff passes, deploy is refused."""
    prepare(repository, call, "deploy")
    (role,) = printed(call, "deploy")
    planning.may(role["rules"])
    monkeypatch.setenv("KUBECONFIG", str(planning.kubeconfig))
    path = f"/api/v1/namespaces/{cluster}/configmaps"
    until_denied(control_plane, planning, f"{path}/settings")
    before = copy.deepcopy(control_plane.admin.get(path)["items"])

    diff, deploy = call("diff", *ENVIRONMENT), call("deploy", *ENVIRONMENT)

    assert diff.code == 0, diff.text
    assert deploy.code == 4, deploy.text
    assert "change nothing" in deploy.text
    assert control_plane.admin.get(path)["items"] == before


def until_denied(plane: ControlPlane, account: Account, path: str) -> None:
    """A policy takes a moment to be in force."""
    api = plane.api(account.token)
    deadline = time.monotonic() + PATIENCE_S
    patch = {"metadata": {"labels": {"tried": "yes"}}}
    while True:
        try:
            api.send("PATCH", path, patch, content_type="application/merge-patch+json")
        except ApiError as error:
            if "change nothing" in str(error):
                return
        assert time.monotonic() < deadline
        time.sleep(0.1)
