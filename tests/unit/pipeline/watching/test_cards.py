"""What a failure card says: the cause, where, and what to do next."""

from collections.abc import Mapping
from typing import Any

from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.pipeline.watching import cards
from pipeline_gitops.pipeline.watching.cards import Background
from pipeline_gitops.ports import Event, Evidence
from pipeline_gitops.views import CardView, Health, HealthView, RolloutView
from tests.fakes.world import START, FakeClock, FakeJournal, FakeRuntime, FakeTarget

API = ObjectId("apps", "Deployment", "shop", "api")
SETTINGS = ObjectId("", "ConfigMap", "shop", "settings")
SICK = HealthView(
    id=API, health=Health.FAILED, sentence="container web ended with exit code 1", rule="crash"
)


def body(kind: str, name: str, owner: str = "", **fields: Any) -> dict[str, Any]:
    owners = {"ownerReferences": [{"uid": owner}]} if owner else {}
    metadata = {"name": name, "namespace": "shop", "uid": name, **owners}
    version = "v1" if kind == "Pod" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def crashed(name: str, owner: str = "api-1", **status: Any) -> tuple[ObjectId, dict[str, Any]]:
    container = {
        "name": "web",
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
        **status,
    }
    return ObjectId("", "Pod", "shop", name), body(
        "Pod", name, owner, status={"containerStatuses": [container]}
    )


REPLICAS = ObjectId("apps", "ReplicaSet", "shop", "api-1"), body("ReplicaSet", "api-1", "api")


def world(*owned: Any, events: tuple[Event, ...] = (), logs: Any = None) -> FakeRuntime:
    target = FakeTarget(objects={API: body("Deployment", "api")})
    found = {API: Evidence(owned=owned, events=events)}
    return FakeRuntime(target, FakeClock(), found=found, logs=logs or {})


def card(
    runtime: FakeRuntime,
    view: HealthView = SICK,
    *,
    secrets: tuple[str, ...] = (),
    wanted: Mapping[ObjectId, Any] | None = None,
) -> CardView:
    journal = FakeJournal()
    journal.hide(secrets)
    background = Background(
        since=START, places={API: Place("shop/api.yaml", 7)}, wanted=wanted or {}
    )
    (made,) = cards.cards(runtime, RolloutView(objects=(view,)), background, journal)
    return made


def test_a_card_says_why_where_and_what_to_type() -> None:
    """The cause, its place in the sources, the chain down to the pod, and the next command."""
    made = card(world(REPLICAS, crashed("api-1-a")))

    assert made.cause == "container web ended with exit code 1, 3 restarts"
    assert (made.rule, str(made.place)) == ("crash", "shop/api.yaml:7")
    assert [link.split()[0] for link in made.chain] == ["Deployment.apps", "ReplicaSet.apps", "Pod"]
    assert made.cure == (
        "see its log; run `kubectl logs api-1-a --container web --previous --namespace shop`"
    )


def test_one_card_counts_the_pods_of_a_cause() -> None:
    """Twenty pods that crash are one thing to read."""
    pods = [crashed(f"api-1-{number:02}") for number in range(20)]

    made = card(world(REPLICAS, *pods))

    assert made.cause.endswith("(20 pods)")
    assert len(made.chain) == 3


def test_what_an_object_says_of_itself_comes_first() -> None:
    """And then what it does not say: why."""
    late = HealthView(id=API, health=Health.FAILED, sentence="not ready within 5 s: 0 of 1 pods")

    made = card(world(REPLICAS, crashed("api-1-a")), late)

    assert made.cause == (
        "not ready within 5 s: 0 of 1 pods: container web ended with exit code 1, 3 restarts"
    )


def test_without_evidence_a_card_says_what_is_seen() -> None:
    """And how to look closer."""
    made = card(world())

    assert made.cause == "container web ended with exit code 1"
    assert made.cure == "run `kubectl describe deployment.apps api --namespace shop`"


def test_events_are_told_once() -> None:
    """Of whichever pod: the same text is one line, the newest one last."""
    events = tuple(
        Event(reason=reason, message=message, kind="Pod", name=name, count=2)
        for reason, message, name in (
            ("BackOff", "restarting", "api-1-a"),
            ("Failed", "no such file", "api-1-a"),
            ("BackOff", "restarting", "api-1-b"),
        )
    )

    made = card(world(REPLICAS, crashed("api-1-a"), events=events))

    assert made.events == ("Failed: no such file (2 times)", "BackOff: restarting (4 times)")


def test_logs_of_the_run_that_crashed_and_of_this_one() -> None:
    """Each under its title; a single one needs none, and the same lines are shown once."""
    logs = {("api-1-a", "web", True): ("panic",), ("api-1-a", "web", False): ("starting",)}

    both = card(world(REPLICAS, crashed("api-1-a"), logs=logs))
    one = card(
        world(REPLICAS, crashed("api-1-a"), logs={**logs, ("api-1-a", "web", False): ("panic",)})
    )

    assert both.log == ("-- web, the run before:", "panic", "-- web, now:", "starting")
    assert one.log == ("panic",)


def test_a_secret_in_a_log_is_masked_before_the_line_is_cut() -> None:
    """Half of it would no longer be recognised when the report is sealed."""
    secret = "correct-horse-battery-staple"
    line = "x" * (cards.LONGEST_LINE - 10) + secret
    event = Event(reason="Failed", message=line, kind="Pod", name="api-1-a")
    logs = {("api-1-a", "web", True): (line, f"password={secret}")}

    made = card(world(REPLICAS, crashed("api-1-a"), events=(event,), logs=logs), secrets=(secret,))

    shown = "\n".join((*made.log, *made.events, made.cause))
    assert made.log[1] == "password=[masked]"
    assert secret[:6] not in shown


def test_a_misspelt_key_is_answered_with_the_one_that_was_meant() -> None:
    """Out of the objects of the same deploy."""
    said = "couldn't find key LOG_LEVL in ConfigMap shop/settings"
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": said}}
    wanted = {SETTINGS: {"data": {"LOG_LEVEL": "info"}}}
    pod = crashed("api-1-a", state=waiting, lastState={})

    made = card(world(REPLICAS, pod), wanted=wanted)

    assert made.cause.endswith("has no key LOG_LEVL; did you mean LOG_LEVEL?")


def test_logs_are_read_for_the_first_cards_only() -> None:
    """Each costs requests, and nobody reads fifty of them."""
    ids = [ObjectId("apps", "Deployment", "shop", f"api{number:02}") for number in range(30)]
    target = FakeTarget(objects={id: body("Deployment", id.name) for id in ids})
    found = {id: Evidence(owned=(crashed(f"{id.name}-pod", id.name),)) for id in ids}
    logs = {(f"{id.name}-pod", "web", True): ("panic",) for id in ids}
    runtime = FakeRuntime(target, FakeClock(), found=found, logs=logs)
    rollout = RolloutView(objects=tuple(HealthView(id=id, health=Health.FAILED) for id in ids))

    made = cards.cards(runtime, rollout, Background(since=START), FakeJournal())

    assert len(made) == 30
    assert [bool(card.log) for card in made] == [True] * 20 + [False] * 10
    assert runtime.looked == 1
