"""What is judged about a set as a whole, out of what the cluster says."""

from fractions import Fraction
from typing import Any

import pytest

from pipeline_gitops.documents import Document
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.plans import Sight
from pipeline_gitops.targets.cluster.survey import preflights, quotas
from pipeline_gitops.targets.cluster.survey.preflights import LARGEST, Checked, Facts
from pipeline_gitops.targets.cluster.survey.quotas import QUOTA

PLURALS = {
    ("", "Service"): "services",
    ("", "ConfigMap"): "configmaps",
    ("apps", "Deployment"): "deployments",
    ("", "PersistentVolumeClaim"): "persistentvolumeclaims",
}


def sight(
    kind: str, name: str = "x", *, group: str = "", before: Any = None, **after: Any
) -> Sight:
    """A change of one object in the namespace `shop`."""
    id = ObjectId(group, kind, "shop", name)
    body = {"kind": kind, "metadata": {"name": name, "namespace": "shop"}, **after}
    document = Document(body=body, place=Place("x.yaml", 1), number=1)
    send = Manifest(id=id, body=body, document=document)
    return Sight(id=id, before=before, after=body, send=send)


def deployment(*, replicas: int = 1, before: Any = None, **spec: Any) -> Sight:
    body = {"replicas": replicas, "template": {"spec": spec}}
    return sight("Deployment", group="apps", before=before, spec=body)


def service(kind: str, ports: int, before: Any = None) -> Sight:
    return sight("Service", before=before, spec={"type": kind, "ports": [{}] * ports})


def quota(used: dict[str, str], hard: dict[str, str], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "limits"},
        "spec": {"hard": hard, **spec},
        "status": {"hard": hard, "used": used},
    }


def judged(*sights: Sight, quotas: Any = (), **names: Any) -> Checked:
    listed: dict[Any, Any] = {(*QUOTA, "shop"): list(quotas)}
    for kind, found in names.items():
        place = {
            "accounts": ("", "ServiceAccount", "shop"),
            "priorities": ("scheduling.k8s.io", "PriorityClass", ""),
        }[kind]
        listed[place] = [{"metadata": {"name": name}} for name in found]
    wanted = frozenset(sight.id for sight in sights if sight.after is not None)
    facts = Facts(listed=listed, plurals=PLURALS)
    return preflights.judged(sights, wanted, facts, target="cluster test")


def rules(checked: Checked) -> list[str]:
    return [sight.refusal.rule for sight in checked.sights if sight.refusal]


def test_nothing_is_read_for_what_needs_nothing() -> None:
    """A deploy that changes no workload, and adds nothing, reads no list."""
    settings = sight("ConfigMap", before={"data": {}}, data={"a": "b"})
    old = {"spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "x:1"}]}}}}
    image = deployment(containers=[{"image": "x:2"}], before=old)

    assert preflights.needed([settings, image], frozenset(), PLURALS) == frozenset()


def test_what_is_read() -> None:
    """One list for a kind and a namespace, whatever the number of workloads."""
    workloads = [
        sight("Pod", str(n), spec={"serviceAccountName": "robot", "priorityClassName": "urgent"})
        for n in range(3)
    ]

    assert preflights.needed(workloads, frozenset(), PLURALS) == {
        ("", "ServiceAccount", "shop"),
        ("scheduling.k8s.io", "PriorityClass", ""),
        ("", "ResourceQuota", "shop"),
    }


def test_default_account_is_always_there() -> None:
    """Every namespace gets it by itself."""
    assert rules(judged(deployment(serviceAccountName="default"), accounts=[])) == []


def test_what_cannot_be_read_is_not_judged() -> None:
    """An account that may not list is no reason to refuse."""
    assert rules(judged(deployment(serviceAccountName="robot"))) == []


def test_deletion_needs_nothing() -> None:
    """A workload on its way out may lack anything."""
    leaving = Sight(id=ObjectId("apps", "Deployment", "shop", "x"), before={"spec": {}})

    assert rules(judged(leaving, accounts=[])) == []


@pytest.mark.parametrize(("size", "refused"), [(LARGEST + 1, ["too-large"]), (LARGEST - 200, [])])
def test_size(size: int, refused: list[str]) -> None:
    """The store takes 1.5 MiB; a dry run does not ask it."""
    assert rules(judged(sight("ConfigMap", data={"a": "x" * size}))) == refused


# -- quotas ----------------------------------------------------------------------------------------


def test_creations_count() -> None:
    """By both names that quotas have for a kind; an update counts nothing."""
    assert quotas.counted(sight("ConfigMap"), "configmaps") == {
        "count/configmaps": 1,
        "configmaps": 1,
    }
    assert quotas.counted(deployment(), "deployments") == {"count/deployments.apps": 1}
    assert quotas.counted(sight("ConfigMap", before={"data": {}}), "configmaps") == {}


@pytest.mark.parametrize(
    ("old", "new", "added"),
    [
        (None, service("NodePort", 2), {"services.nodeports": 2}),
        (None, service("LoadBalancer", 1), {"services.loadbalancers": 1, "services.nodeports": 1}),
        (service("ClusterIP", 1), service("NodePort", 1), {"services.nodeports": 1}),
        (service("NodePort", 1), service("LoadBalancer", 1), {"services.loadbalancers": 1}),
        (service("NodePort", 3), service("NodePort", 1), {}),
    ],
)
def test_ports_of_services(old: Sight | None, new: Sight, added: dict[str, int]) -> None:
    """A type that changes counts, and so do ports that are added."""
    change = Sight(id=new.id, before=old.after if old else None, after=new.after)
    found = quotas.counted(change, "services")

    assert {key: found[key] for key in found if key.startswith("services.")} == added


def test_storage() -> None:
    """A claim counts its size, one that grows what it grows by."""
    old = {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    new = {"resources": {"requests": {"storage": "3Gi"}}, "storageClassName": "fast"}

    found = quotas.counted(sight("PersistentVolumeClaim", before=old, spec=new), "x")

    assert found["requests.storage"] == 2 * 1024**3
    assert found["fast.storageclass.storage.k8s.io/requests.storage"] == 3 * 1024**3


def test_pods_of_a_workload() -> None:
    """Replicas times what their containers ask for, beyond what the old ones have."""

    def container(cpu: str, **more: Any) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "containers": [container("100m"), container("400m")],
        "initContainers": [container("700m"), container("100m", restartPolicy="Always")],
    }
    old = {"spec": {"replicas": 1, "template": {"spec": {"containers": [container("500m")]}}}}

    found = quotas.asked_of_pods(deployment(replicas=3, before=old, **spec))

    assert found["requests.cpu"] == 3 * Fraction(7, 10) - Fraction(1, 2)
    assert found["pods"] == 2


def test_request_that_only_a_limit_says() -> None:
    """The server takes the limit for the request."""
    limits = [{"resources": {"limits": {"memory": "1Gi"}}}]

    found = quotas.asked_of_pods(deployment(containers=limits))

    assert (found["requests.memory"], found["limits.memory"]) == (1024**3, 1024**3)


def test_counts_that_do_not_fit() -> None:
    """One refusal for the whole, on the first object that adds to it."""
    hard = {"configmaps": "3"}
    maps = [sight("ConfigMap", name) for name in "bac"]

    checked = judged(*maps, quotas=[quota({"configmaps": "1"}, hard)])

    (refusal,) = [one.refusal for one in checked.sights if one.refusal]
    assert refusal.id == ObjectId("", "ConfigMap", "shop", "a")
    assert "the quota limits allows 2 more configmaps, this deploy adds 3" in refusal.message


@pytest.mark.parametrize(
    "there",
    [
        quota({"configmaps": "1"}, {"configmaps": "2"}),
        quota({"secrets": "5"}, {"secrets": "5"}),
        quota({"secrets": "9"}, {"secrets": "5"}),
        quota({}, {"configmaps": "0"}),
        quota({"configmaps": "1"}, {"configmaps": "1"}, scopes=["BestEffort"]),
    ],
    ids=["room", "another kind", "more than full", "not counted yet", "some pods only"],
)
def test_quotas_that_say_nothing(there: Any) -> None:
    """What fits, what is not concerned, and what cannot be known."""
    assert rules(judged(sight("ConfigMap"), quotas=[there])) == []


def test_raised_quota() -> None:
    """A quota of the same set is written first: its new limit holds."""
    raised = sight(
        "ResourceQuota", "limits", before={"spec": {}}, spec={"hard": {"configmaps": "9"}}
    )
    full = quota({"configmaps": "1"}, {"configmaps": "1"})

    assert rules(judged(sight("ConfigMap"), quotas=[full])) == ["over-quota"]
    assert rules(judged(sight("ConfigMap"), raised, quotas=[full])) == []


def test_compute_is_told_and_not_refused() -> None:
    """Whether processors are free hangs on what else goes meanwhile."""
    full = quota({"requests.cpu": "1"}, {"requests.cpu": "2"})
    workload = deployment(containers=[{"resources": {"requests": {"cpu": "1500m"}}}])

    checked = judged(workload, quotas=[full])

    assert rules(checked) == []
    assert checked.notices == (
        "namespace shop: the quota limits allows 1 more requests.cpu, this deploy adds 1500m; "
        "pods beyond that wait until there is room",
    )
