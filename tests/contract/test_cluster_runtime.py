"""What a real control plane shows of workloads that run, and of those that do not."""

import time
from datetime import UTC, datetime, timedelta

from pipeline_gitops import health
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.views import Health
from tests.cluster.controlplane import PREVIOUS_LOG
from tests.contract.clusters import PATIENCE_S, Cluster, deploy, deployment


def test_rollout_is_seen_to_its_end(cluster: Cluster) -> None:
    """Looks follow a rollout until the new version runs; none takes longer than it was given."""
    target = cluster.target()
    web = ObjectId("apps", "Deployment", cluster.namespace, "web")
    deploy(cluster, deployment("web", replicas=2), target=target)
    deadline = time.monotonic() + PATIENCE_S

    while True:
        word, sentence = health.assess(target.runtime.watch(frozenset({web}), 1)[web])
        if word is Health.CURRENT:
            break
        assert time.monotonic() < deadline, sentence

    assert sentence == "2 of 2 pods are available"


def test_evidence_of_a_crash(cluster: Cluster) -> None:
    """A Deployment whose pods crash is explained by its pods, their events and their last words."""
    body = deployment("web")
    body["spec"]["template"]["metadata"]["annotations"] = {
        "pipeline-gitops.test/fate": "crash-loop"
    }
    target = cluster.target()
    web = ObjectId("apps", "Deployment", cluster.namespace, "web")
    deploy(cluster, body, target=target)
    since = datetime.now(UTC) - timedelta(minutes=1)
    deadline = time.monotonic() + PATIENCE_S

    while True:
        live = target.runtime.watch(frozenset({web}), 0)
        found = target.runtime.evidence(
            {id: body for id, body in live.items() if body is not None}, since
        )
        pods = [id for id, _ in found[web].owned if id.kind == "Pod"]
        log = target.runtime.log(pods[0], "web", previous=True) if pods else ()
        if log:
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)

    assert [id.kind for id, _ in found[web].owned] == ["ReplicaSet", "Pod"]
    assert log == PREVIOUS_LOG
