"""What comes of a write whose answer is lost, late, or unwelcome."""

import pytest

from pipeline_gitops import inventories, plans
from pipeline_gitops.errors import InterruptedFault, RefusedFault
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import Outcome, State
from tests.contract.clusters import (
    STAMP,
    Cluster,
    config_map,
    definition,
    deploy,
    execute,
    namespace_object,
    planned,
    secret,
    wanted,
    widget,
)
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.world import FakeClock
from tests.unit.targets.cluster.deploys import Deploy, states, status

LOST = Fault(reset=True, only="PATCH")
LOST_ANSWER = Fault(reset=True, after_effect=True, only="PATCH")
DENIED = 'forbidden: User "a" cannot patch resource "configmaps" in API group ""'


@pytest.mark.parametrize("fault", [LOST, LOST_ANSWER], ids=["before effect", "after effect"])
def test_lost_answer_to_a_creation(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock, fault: Fault
) -> None:
    """A creation whose answer is lost is done, whether it had its effect at once or later."""
    deploy = Deploy(cluster, clock, config_map("settings", color="blue"))

    assert states(deploy.outcomes(server, fault)) == {State.DONE}
    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "blue"}


@pytest.mark.parametrize("fault", [LOST, LOST_ANSWER], ids=["before effect", "after effect"])
def test_lost_answer_to_an_update(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock, fault: Fault
) -> None:
    """An update whose answer is lost is done as well."""
    deploy(cluster, config_map("settings", color="blue"))
    update = Deploy(cluster, clock, config_map("settings", color="red"))

    assert states(update.outcomes(server, fault)) == {State.DONE}
    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "red"}


@pytest.mark.parametrize("after_effect", [False, True])
def test_lost_answer_to_a_deletion(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock, after_effect: bool
) -> None:
    """A deletion whose answer is lost is done as well."""
    deploy(cluster, config_map("settings", color="blue"))
    fault = Fault(reset=True, after_effect=after_effect, only="DELETE")

    assert states(Deploy(cluster, clock).outcomes(server, fault)) == {State.DONE}
    assert cluster.names("ConfigMap") == {"pipeline-gitops-acme-shop-staging"}


def test_deletion_of_what_is_gone(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """What somebody else deleted meanwhile is deleted."""
    deploy(cluster, config_map("settings", color="blue"))
    deletion = Deploy(cluster, clock)
    cluster.send("DELETE", cluster.path("ConfigMap", "settings"))

    assert states(deletion.outcomes(server)) == {State.DONE}


def test_deletion_while_the_kind_is_away(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """That a kind is not served for now does not mean that its objects are gone."""
    deploy(cluster, config_map("settings", color="blue"))
    unserved = Fault(
        status=404, content_type="text/plain", body=b"404 page not found\n", only="DELETE"
    )

    assert states(Deploy(cluster, clock).outcomes(server, unserved)) == {State.REFUSED}


def test_race_lost_behind_a_lost_answer(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """A conflict after a lost answer is our own success only if our values stand there."""
    creation = Deploy(cluster, clock, config_map("settings", color="blue"))
    cluster.create(config_map("settings", color="red"), "kubectl-create")

    assert states(creation.outcomes(server, LOST)) == {State.STALE}


def test_answer_that_never_comes(cluster: Cluster, server: FakeApiServer, clock: FakeClock) -> None:
    """When no answer comes at all, nobody knows; and no further object is tried."""
    many = Deploy(cluster, clock, *(config_map(f"c{n:02}", a="b") for n in range(40)))

    outcomes = many.outcomes(server, *[Fault(reset=True, after_effect=True)] * 1_000)

    assert states(outcomes) == {State.UNKNOWN, State.SKIPPED}
    assert len(outcomes) == 40
    assert sum(outcome.state is State.SKIPPED for outcome in outcomes) >= 24


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (status(422, reason="Invalid", details={"causes": []}), State.REFUSED),
        (status(403, 'pods "x" is forbidden: exceeded quota'), State.REFUSED),
        (status(403, DENIED), State.REFUSED),
        (status(413), State.REFUSED),
        (status(500, "etcdserver: request is too large"), State.REFUSED),
        (status(404, details={"kind": "namespaces", "name": "shop"}), State.REFUSED),
        (status(401), State.UNKNOWN),
        (
            status(
                409,
                details={
                    "causes": [
                        {
                            "reason": "FieldManagerConflict",
                            "field": ".data.color",
                            "message": 'conflict with "operator"',
                        }
                    ]
                },
            ),
            State.STALE,
        ),
    ],
)
def test_refused_write(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock, fault: Fault, state: State
) -> None:
    """A write that the server does not take says so; a new owner of a field makes it stale."""
    creation = Deploy(cluster, clock, config_map("settings", color="blue"))

    assert states(creation.outcomes(server, fault)) == {state}


def test_other_writes_go_on(cluster: Cluster, server: FakeApiServer, clock: FakeClock) -> None:
    """One refused object does not keep the rest of its wave from being written."""
    many = Deploy(cluster, clock, *(config_map(f"c{n}", a="b") for n in range(20)))

    outcomes = many.outcomes(server, status(422, reason="Invalid"))

    assert sorted(outcome.state for outcome in outcomes) == [State.DONE] * 19 + [State.REFUSED]


def test_noise_without_end(cluster: Cluster, server: FakeApiServer, clock: FakeClock) -> None:
    """An object that moves under every try is given up as stale."""
    deploy(cluster, config_map("settings", color="blue"))
    update = Deploy(cluster, clock, config_map("settings", color="red"))

    outcomes = update.outcomes(server, *[status(409, reason="Conflict")] * 6)

    assert states(outcomes) == {State.STALE}


def test_closing_starts_no_more(cluster: Cluster, server: FakeApiServer, clock: FakeClock) -> None:
    """Closing the stream of outcomes lets the writes under way end, and starts no more."""
    many = Deploy(cluster, clock, *(config_map(f"c{n:02}", a="b") for n in range(60)))
    claimed = inventories.claimed(many.survey.inventory, STAMP, many.plan.ids)

    with many.target.claim(claimed) as writing:
        stream = writing.apply(many.plan.changes)
        next(stream)
        stream.close()

    assert 1 <= len(cluster.names("ConfigMap") - {"pipeline-gitops-acme-shop-staging"}) <= 24


def test_interruption(cluster: Cluster, server: FakeApiServer, clock: FakeClock) -> None:
    """Who is asked to stop says what was written, starts no more, and then stops."""
    many = Deploy(cluster, clock, *(config_map(f"c{n:02}", a="b") for n in range(60)))
    claimed = inventories.claimed(many.survey.inventory, STAMP, many.plan.ids)
    outcomes: list[Outcome] = []

    with many.target.claim(claimed) as writing, pytest.raises(InterruptedFault):
        for outcome in writing.apply(many.plan.changes):
            outcomes.append(outcome)
            clock.interrupt_at = 0.0

    written = cluster.names("ConfigMap") - {"pipeline-gitops-acme-shop-staging"}
    done = {outcome.id.name for outcome in outcomes if outcome.state is State.DONE}
    assert (len(outcomes), done) == (60, written)
    assert len(done) <= 24


def test_kind_that_is_not_ready_yet(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """An instance of a kind that was defined a moment ago is tried until the kind is served."""
    bodies = (definition("example.com"), widget("example.com", "w"))
    both = Deploy(cluster, clock, *bodies)
    unserved = Fault(
        status=404, content_type="text/plain", body=b"404 page not found\n", only="PATCH"
    )
    claimed = inventories.claimed(both.survey.inventory, STAMP, both.plan.ids)

    with both.target.claim(claimed) as writing:
        first, second = plans.schedule(both.plan, ManifestSet()).main
        list(writing.apply(first.changes))
        server.faults = [unserved] * 3
        outcomes = list(writing.apply(second.changes))

    assert states(outcomes) == {State.DONE}


def test_unserved_kind_that_was_not_announced(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """A kind that went away since the survey is not waited for."""
    creation = Deploy(cluster, clock, config_map("settings", color="blue"))
    unserved = Fault(
        status=404, content_type="text/plain", body=b"404 page not found\n", only="PATCH"
    )

    assert states(creation.outcomes(server, unserved)) == {State.REFUSED}
    assert clock.elapsed() == 0


def test_secret_is_in_no_outcome(cluster: Cluster, server: FakeApiServer, clock: FakeClock) -> None:
    """Whatever a server says about a Secret, an outcome holds none of it."""
    creation = Deploy(cluster, clock, secret("login", password="hunter2-hunter2"))
    said = "Secret is invalid: data.password: hunter2-hunter2 is too weak"

    (outcome,) = creation.outcomes(server, status(422, said, reason="Invalid"))

    assert (outcome.state, outcome.message) == (State.REFUSED, "Invalid")


def test_force_only_where_it_was_decided(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """Only an object of which a field is taken is written with force."""
    deploy(cluster, config_map("ours", color="blue"), config_map("theirs", color="blue"))
    cluster.patch("ConfigMap", "theirs", {"data": {"color": "red"}}, "kubectl-edit")
    update = Deploy(
        cluster, clock, config_map("ours", color="green"), config_map("theirs", color="green")
    )
    server.requests.clear()

    update.outcomes(server)

    forced = {
        path.partition("?")[0].rpartition("/")[2]: "force=true" in path
        for method, path in server.requests
        if method == "PATCH" and "color" not in path
    }
    assert forced["ours"] is False
    assert forced["theirs"] is True


def test_every_apply_is_strict(cluster: Cluster, server: FakeApiServer, clock: FakeClock) -> None:
    """No apply, tried or real, lets the server drop a field that it does not know."""
    Deploy(cluster, clock, config_map("settings", color="blue")).outcomes(server)

    applied = [path for method, path in server.requests if method == "PATCH"]
    assert len(applied) == 3
    assert all("fieldValidation=Strict" in path for path in applied)
    assert all("fieldManager=pipeline-gitops&" in path for path in applied)


def test_claim_that_meets_a_lost_answer(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """A claim whose answer is lost is still a claim, and can be settled."""
    creation = Deploy(cluster, clock, config_map("settings", color="blue"))
    server.faults = [LOST_ANSWER]

    execute(creation.target, creation.survey, creation.plan)

    assert creation.target.inventory().claim is None


def missing(namespace: str) -> Fault:
    """What a write into a namespace that is not there is answered with."""
    return status(404, reason="NotFound", details={"name": namespace, "kind": "namespaces"})


def test_namespace_that_somebody_else_creates(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """A namespace that appears while the inventory asks for it is not overwritten."""
    target = cluster.target(clock=clock, namespace="new")
    bodies = (namespace_object("new"), config_map("settings", color="blue"))
    survey, plan = planned(target, wanted(target, "new", *bodies))
    cluster.send("POST", "api/v1/namespaces", namespace_object("new"))
    claimed = inventories.claimed(survey.inventory, STAMP, plan.ids)
    server.faults = [missing("new")]

    with target.claim(claimed) as writing:
        outcomes = {outcome.id.kind: outcome.state for outcome in writing.apply(plan.changes)}

    assert outcomes["Namespace"] is State.STALE


def test_namespace_that_is_not_planned(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """The namespace of the inventory is only created where the plan creates it."""
    target = cluster.target(clock=clock, namespace="new")
    survey, _ = planned(target, wanted(target, "new", namespace_object("new")))
    nothing = inventories.claimed(survey.inventory, STAMP, ())

    with pytest.raises(RefusedFault, match="no namespace new"), target.claim(nothing):
        pass

    assert ("", "Namespace", "", "new") not in server.objects
