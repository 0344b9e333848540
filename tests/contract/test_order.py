"""In which order a real control plane is written to, and what stops a deploy on the way."""

import secrets
import time
from collections.abc import Sequence
from typing import Any

from pipeline_gitops import plans
from pipeline_gitops.cli.clocks import SystemClock
from pipeline_gitops.config import Environment, Overlay, Policy
from pipeline_gitops.errors import Verdict
from pipeline_gitops.inventories import Stamp
from pipeline_gitops.pipeline import deploys
from pipeline_gitops.pipeline.executions import Order
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.views import Health, Result
from tests.contract.clusters import PREFIXES, Cluster, config_map, deployment, until, wanted
from tests.fakes.world import FakeJournal, FakeRepository

PREFIXES = {**PREFIXES, "Job": "apis/batch/v1/namespaces/{}/jobs"}
DEPLOY_S = 60.0
REVISIONS = tuple(letter * 40 for letter in "abcdef")
FATE = "pipeline-gitops.test/fate"


def annotated(body: dict[str, Any], **annotations: str) -> dict[str, Any]:
    """*annotations*: ours, but for `argo_...` and `helm_...`."""
    named = {}
    for key, value in annotations.items():
        tool, _, rest = key.partition("_")
        prefix = {"argo": "argocd.argoproj.io", "helm": "helm.sh"}.get(tool)
        written = f"{prefix}/{rest}" if prefix else f"pipeline-gitops.dev/{key}"
        named[written.replace("_", "-")] = value
    return {**body, "metadata": {**body["metadata"], "annotations": named}}


def job(name: str, *, fails: bool = False, **spec: Any) -> dict[str, Any]:
    metadata = {"annotations": {FATE: "crash-loop"}} if fails else {}
    containers = [{"name": "job", "image": "job:1"}]
    template = {
        "metadata": metadata,
        "spec": {"restartPolicy": "Never", "containers": containers},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template, **spec},
    }


def run(
    cluster: Cluster,
    *bodies: Any,
    revision: int = 0,
    seconds: float = DEPLOY_S,
    policy: Policy | None = None,
    journal: FakeJournal | None = None,
) -> Result:
    """A whole deploy of these objects."""
    clock = SystemClock()
    policy = policy or Policy()
    target = cluster.target(clock=clock, policy=policy)
    desired = wanted(target, cluster.namespace, *bodies)
    environment = Environment(name="staging", overlay=Overlay(path="."), policy=policy)
    prepared = Prepared(environment=environment, set=desired, findings=plans.findings(desired))
    order = Order(
        prepared=prepared,
        stamp=Stamp(revision=REVISIONS[revision], sequence=revision + 1),
        deadline=clock.elapsed() + seconds,
    )
    return deploys.deploy(
        order,
        target,
        repository=FakeRepository(REVISIONS),
        clock=clock,
        journal=journal or FakeJournal(),
    )


def names(cluster: Cluster, kind: str) -> set[str]:
    listed = cluster.send("GET", PREFIXES[kind].format(cluster.namespace))["items"] or ()
    return {item["metadata"]["name"] for item in listed} - {"kube-root-ca.crt"}


def live(cluster: Cluster, kind: str, name: str) -> Any:
    return cluster.send("GET", f"{PREFIXES[kind].format(cluster.namespace)}/{name}")


def writes(result: Result) -> Sequence[str]:
    return [f"{one.action.value} {one.id.name}" for one in result.written if one.state == "done"]


# -- hooks -----------------------------------------------------------------------------------------


def test_a_hook_runs_to_its_end_before_anything_else(cluster: Cluster) -> None:
    """And runs again with the next deploy that changes something, with no other."""
    hook = annotated(job("migrate"), argo_hook="PreSync")

    first = run(cluster, hook, config_map("settings", color="blue"))
    uid = live(cluster, "Job", "migrate")["metadata"]["uid"]
    second = run(cluster, hook, config_map("settings", color="blue"))
    third = run(cluster, hook, config_map("settings", color="red"), revision=1)

    assert (first.verdict, writes(first)) == (Verdict.OK, ["create migrate", "create settings"])
    assert first.rollout is not None
    assert [view.sentence for view in first.rollout.objects if view.id.kind == "Job"] == [
        "the job is complete"
    ]
    assert (second.verdict, writes(second), second.plans[0].changes) == (Verdict.OK, [], ())
    assert (third.verdict, writes(third)) == (
        Verdict.OK,
        ["delete migrate", "create migrate", "update settings"],
    )
    assert live(cluster, "Job", "migrate")["metadata"]["uid"] != uid


def test_hooks_run_again_though_they_are_as_the_last_deploy_left_them(cluster: Cluster) -> None:
    """That a receipt still holds says that nothing is different, not that nothing is to run."""
    hooks = [annotated(job(name), hook="before") for name in ("one", "other")]
    run(cluster, *hooks, config_map("settings", color="blue"))

    result = run(cluster, *hooks, config_map("settings", color="red"), revision=1)

    # In either order: they are sent at the same time.
    assert {write for write in writes(result) if write.startswith("create")} == {
        "create one",
        "create other",
    }


def test_a_hook_that_fails_stops_the_deploy(cluster: Cluster) -> None:
    """Nothing of the set is written, the card says why, and the hook of a failed deploy runs."""
    bodies = [
        config_map("settings", color="blue"),
        annotated(job("alarm"), argo_hook="SyncFail"),
    ]
    hook = annotated(job("migrate", fails=True), argo_hook="PreSync")

    broken = run(cluster, hook, *bodies)
    there = names(cluster, "ConfigMap")
    jobs = names(cluster, "Job")
    fixed = run(cluster, annotated(job("migrate"), argo_hook="PreSync"), *bodies, revision=1)

    assert broken.verdict is Verdict.PARTIAL
    assert "settings" not in there
    assert jobs == {"migrate", "alarm"}
    assert [card.id.name for card in broken.cards] == ["migrate"]
    skipped = {one.id.name: one.message for one in broken.written if one.state == "skipped"}
    assert skipped["settings"].startswith(f"not sent: Job.batch {cluster.namespace}/migrate")
    assert fixed.verdict is Verdict.OK
    assert "settings" in names(cluster, "ConfigMap")


def test_hooks_as_a_chart_of_helm_has_them(cluster: Cluster) -> None:
    """The account of the migration first, by weight; the job is deleted once it succeeded; what
    tests the release is not sent."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "migrate"}}
    migrate = job("migrate")
    migrate["spec"]["template"]["spec"]["serviceAccountName"] = "migrate"
    bodies = [
        annotated(account, helm_hook="pre-install,pre-upgrade", helm_hook_weight="-5"),
        annotated(
            migrate,
            helm_hook="pre-install,pre-upgrade",
            helm_hook_delete_policy="before-hook-creation,hook-succeeded",
        ),
        annotated(job("notify"), helm_hook="post-install,post-upgrade"),
        annotated(job("try"), helm_hook="test"),
        deployment("web"),
    ]

    first = run(cluster, *bodies)
    second = run(cluster, *bodies)

    assert (first.verdict, writes(first)) == (
        Verdict.OK,
        ["create migrate", "create migrate", "delete migrate", "create web", "create notify"],
    )
    assert names(cluster, "Job") == {"notify"}
    assert any("try is a hook of an occasion" in notice for notice in first.notices)
    assert (second.verdict, writes(second)) == (Verdict.OK, [])


def test_a_hook_never_deletes_what_is_not_ours(cluster: Cluster) -> None:
    """Another's Job of that name is in the way: refused before any write."""
    path = PREFIXES["Job"].format(cluster.namespace)
    cluster.send("POST", path, job("migrate"))

    result = run(cluster, annotated(job("migrate"), hook="before"), config_map("settings", a="1"))

    assert (result.verdict, writes(result)) == (Verdict.REFUSED, [])
    assert [refusal.rule for refusal in result.refusals] == ["hook-not-ours"]


def test_a_hook_after_the_deploy_that_fails_keeps_what_would_go(cluster: Cluster) -> None:
    """And it runs again, as nobody knows yet that all is well, until it succeeds."""
    smoke = annotated(job("smoke", fails=True), argo_hook="PostSync")
    run(cluster, config_map("old", a="1"), config_map("kept", a="1"))

    broken = run(cluster, smoke, config_map("kept", a="2"), revision=1)
    there = names(cluster, "ConfigMap")
    again = run(cluster, smoke, config_map("kept", a="2"), revision=1)
    fixed = run(
        cluster,
        annotated(job("smoke"), argo_hook="PostSync"),
        config_map("kept", a="2"),
        revision=2,
    )

    assert (broken.verdict, again.verdict, fixed.verdict) == (
        Verdict.UNHEALTHY,
        Verdict.UNHEALTHY,
        Verdict.OK,
    )
    assert there >= {"old", "kept"}
    assert "old" not in names(cluster, "ConfigMap")


# -- waves -----------------------------------------------------------------------------------------


def test_the_waves_of_argo_cd(cluster: Cluster) -> None:
    """The database runs before the migration starts, and that is through before the rest comes.

    After https://github.com/argoproj/argocd-example-apps/tree/master/sync-waves.
    """
    bodies = [
        annotated(job("upgrade"), argo_hook="PreSync"),
        annotated(deployment("backend"), argo_sync_wave="0"),
        annotated(
            job("maint-page-up"),
            argo_hook="Sync",
            argo_hook_delete_policy="BeforeHookCreation",
            argo_sync_wave="1",
        ),
        annotated(deployment("frontend"), argo_sync_wave="2"),
        annotated(job("maint-page-down"), argo_hook="PostSync", argo_sync_wave="3"),
    ]
    journal = FakeJournal()

    result = run(cluster, *bodies, journal=journal)

    assert (result.verdict, writes(result)) == (
        Verdict.OK,
        [
            "create upgrade",
            "create backend",
            "create maint-page-up",
            "create frontend",
            "create maint-page-down",
        ],
    )
    made = {
        kind: {name: live(cluster, kind, name)["metadata"]["creationTimestamp"]}
        for kind, name in [("Deployment", "frontend")]
    }
    ended = live(cluster, "Job", "maint-page-up")["status"]["completionTime"]
    assert ended <= made["Deployment"]["frontend"]


def test_a_wave_that_does_not_run_stops_the_deploy(cluster: Cluster) -> None:
    """What follows is not sent; the next deploy waits for it as well, though nothing changed."""
    sick = deployment("first")
    sick["spec"]["template"]["metadata"]["annotations"] = {FATE: "never-ready"}
    late = annotated(config_map("late", a="1"), wave="1")
    policy = Policy(object_timeout_s=3)

    broken = run(cluster, sick, late, policy=policy)
    again = run(cluster, sick, late, policy=policy)

    assert (broken.verdict, again.verdict) == (Verdict.PARTIAL, Verdict.UNHEALTHY)
    assert "late" not in names(cluster, "ConfigMap")
    assert broken.rollout is not None
    assert [view.sentence.split(":")[0] for view in broken.rollout.objects] == [
        "not ready within 3 s"
    ]
    assert [one.state for one in again.written] == ["skipped"]


def test_a_webhook_comes_once_its_workload_runs(cluster: Cluster) -> None:
    """Otherwise it would refuse what is sent beside it. Its own kinds are nobody else's."""
    group = f"g{secrets.token_hex(4)}.example.com"
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    hook = {
        "name": f"guard.{group}",
        "rules": [rule],
        "clientConfig": {"service": {"name": "guard", "namespace": cluster.namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
    }
    guard = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"guard.{group}"},
        "webhooks": [hook],
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "guard"},
        "spec": {"selector": {"app": "guard"}, "ports": [{"port": 443}]},
    }
    slow = deployment("guard")
    slow["spec"]["template"]["metadata"]["annotations"] = {"pipeline-gitops.test/ready-after": "2s"}

    result = run(cluster, guard, service, slow)
    path = f"apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/guard.{group}"
    configured = cluster.send("GET", path)["metadata"]["creationTimestamp"]
    cluster.send("DELETE", path)

    assert (result.verdict, writes(result)[-1]) == (Verdict.OK, f"create guard.{group}")
    conditions = live(cluster, "Deployment", "guard")["status"]["conditions"]
    (available,) = [one for one in conditions if one["type"] == "Available"]
    assert available["lastTransitionTime"] <= configured


def test_a_cycle_is_refused_before_anything_is_asked(cluster: Cluster) -> None:
    """Exit code 3, with the way round."""
    result = run(
        cluster,
        annotated(config_map("a", k="1"), after="ConfigMap/b"),
        annotated(config_map("b", k="1"), after="ConfigMap/a"),
    )

    space = cluster.namespace
    assert (result.verdict, writes(result)) == (Verdict.REJECTED, [])
    assert [finding.message for finding in result.findings] == [
        f"these wait for each other: ConfigMap {space}/a -> ConfigMap {space}/b -> "
        f"ConfigMap {space}/a"
    ]


# -- what goes first -------------------------------------------------------------------------------


def node_port(name: str, port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]},
    }


def free_node_port(cluster: Cluster) -> int:
    """A port that the server itself gave, and took back."""
    probe = node_port("probe", 0)
    made = cluster.send("POST", cluster.path("Service"), probe)
    cluster.send("DELETE", cluster.path("Service", "probe"))
    return int(made["spec"]["ports"][0]["nodePort"])


def test_a_renamed_service_keeps_its_node_port(cluster: Cluster) -> None:
    """The old one goes first, which the plan says; without prune it is refused, as it must fail."""
    port = free_node_port(cluster)
    run(cluster, node_port("old", port))

    refused = run(cluster, node_port("new", port), revision=1, policy=Policy(prune=False))
    result = run(cluster, node_port("new", port), revision=1)

    assert (refused.verdict, refused.written) == (Verdict.REFUSED, ())
    assert [refusal.rule for refusal in refused.refusals] == ["server-refused"]
    assert (result.verdict, writes(result)) == (Verdict.OK, ["delete old", "create new"])
    assert any("deleted before anything is written" in danger for danger in result.dangers)
    assert names(cluster, "Service") == {"new"}


def test_what_holds_a_volume_goes_first_where_told(cluster: Cluster) -> None:
    """A renamed workload with a volume for one: by annotation at the new one."""
    run(cluster, deployment("old"))

    result = run(cluster, annotated(deployment("new"), prune_first="true"), revision=1)

    assert (result.verdict, writes(result)) == (Verdict.OK, ["delete old", "create new"])


# -- waits -----------------------------------------------------------------------------------------


def expire(cluster: Cluster, name: str) -> None:
    """A finished Job's time to live is over, and its controller deletes it."""
    path = f"{PREFIXES['Job'].format(cluster.namespace)}/{name}"
    over = {"spec": {"ttlSecondsAfterFinished": 0}}
    cluster.send("PATCH", path, over, "application/merge-patch+json")
    until(lambda: name not in names(cluster, "Job"), "the Job to be deleted")


def test_a_job_that_its_ttl_deletes_runs_once(cluster: Cluster) -> None:
    """It does not hang the wait, is not missed later, and runs again only when it changes."""
    once = job("once", ttlSecondsAfterFinished=600)
    first = run(cluster, once, config_map("settings", a="1"))
    expire(cluster, "once")

    second = run(cluster, once, config_map("settings", a="2"), revision=1)
    third = run(cluster, once, config_map("settings", a="2"), revision=2)
    changed = run(
        cluster,
        job("once", ttlSecondsAfterFinished=900),
        config_map("settings", a="2"),
        revision=3,
    )

    assert (first.verdict, writes(first)) == (Verdict.OK, ["create settings", "create once"])
    assert (second.verdict, writes(second)) == (Verdict.OK, ["update settings"])
    assert (third.verdict, writes(third)) == (Verdict.OK, [])
    assert (changed.verdict, writes(changed)) == (Verdict.OK, ["create once"])


def test_a_job_of_which_nobody_saw_the_end_runs_again(cluster: Cluster) -> None:
    """It failed before its TTL deleted it: that is no completion."""
    once = job("once", fails=True, ttlSecondsAfterFinished=600)
    first = run(cluster, once)
    expire(cluster, "once")

    second = run(cluster, once)

    assert (first.verdict, second.verdict) == (Verdict.UNHEALTHY, Verdict.UNHEALTHY)
    assert writes(second) == ["create once"]


def test_an_object_may_have_less_time_than_the_deploy(cluster: Cluster) -> None:
    """One by annotation, all by policy; what nobody watches may take forever."""
    sick = deployment("sick")
    sick["spec"]["template"]["metadata"]["annotations"] = {FATE: "never-ready"}
    started = time.monotonic()

    late = run(cluster, annotated(sick, timeout="2s"), deployment("well"), seconds=DEPLOY_S)
    took = time.monotonic() - started
    unwatched = run(cluster, annotated(sick, watch="false"), deployment("well"), revision=1)

    assert (late.verdict, unwatched.verdict) == (Verdict.UNHEALTHY, Verdict.OK)
    assert took < DEPLOY_S
    assert late.rollout is not None
    found = {view.id.name: view for view in late.rollout.objects}
    assert found["sick"].health is Health.FAILED
    assert found["sick"].sentence.startswith("not ready within 2 s: ")
    assert found["well"].health is Health.CURRENT
