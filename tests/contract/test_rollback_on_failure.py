"""A deploy that goes back by itself, on a real control plane with pods that run as told."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from pipeline_gitops import plans
from pipeline_gitops.cli.clocks import SystemClock
from pipeline_gitops.config import Environment, Overlay, Policy
from pipeline_gitops.errors import Verdict
from pipeline_gitops.inventories import Inventory, Stamp
from pipeline_gitops.pipeline import recoveries, reviews
from pipeline_gitops.pipeline.executions import Order
from pipeline_gitops.pipeline.recoveries import Ready
from pipeline_gitops.pipeline.reviews import Prepared, Question
from pipeline_gitops.plans import Change, Outcome
from pipeline_gitops.ports import Target, Writing
from pipeline_gitops.targets.cluster import ClusterTarget
from pipeline_gitops.views import Result, RollbackView
from tests.contract.clusters import PREFIXES, Cluster, config_map, deployment, wanted
from tests.fakes.world import FakeJournal, FakeRepository

PREFIXES = {
    **PREFIXES,
    "Job": "apis/batch/v1/namespaces/{}/jobs",
    "PersistentVolumeClaim": "api/v1/namespaces/{}/persistentvolumeclaims",
}
FATE = "pipeline-gitops.test/fate"
GOOD, BAD, NEXT = (letter * 40 for letter in "abc")
POLICY = Policy(stability_s=0.5, patience_s=2.0)


# -- objects ---------------------------------------------------------------------------------------


def web(version: int, *, fails: bool = False, name: str = "web") -> dict[str, Any]:
    """A workload; one that fails is given an image that nobody ever pushed."""
    body = deployment(name, image=f"registry.example.com/web:{version}")
    if fails:
        template = body["spec"]["template"]["metadata"]
        template["annotations"] = {FATE: "image-not-found"}
    return body


def annotated(body: dict[str, Any], **annotations: str) -> dict[str, Any]:
    said = {f"pipeline-gitops.dev/{key}": value for key, value in annotations.items()}
    return {**body, "metadata": {**body["metadata"], "annotations": said}}


def job(name: str, version: int) -> dict[str, Any]:
    containers = [{"name": "job", "image": f"registry.example.com/job:{version}"}]
    template = {"spec": {"restartPolicy": "Never", "containers": containers}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template},
    }


def hooks(version: int) -> list[dict[str, Any]]:
    """One that runs to an end, and one that is only there."""
    opened = config_map("opened", version=str(version))
    return [annotated(job("migrate", version), hook="before"), annotated(opened, hook="before")]


def volume(name: str, **labels: str) -> dict[str, Any]:
    """A claim that stays unbound, which is nobody's trouble here."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": labels},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    return annotated(claim, watch="false")


# -- one environment -------------------------------------------------------------------------------


class Shop:
    """An environment of the cluster: what its commits render, and its deploys."""

    def __init__(self, cluster: Cluster, commits: Mapping[str, Sequence[dict[str, Any]]]) -> None:
        self.cluster = cluster
        self.commits = dict(commits)
        self.journal = FakeJournal()
        self.clock = SystemClock()
        self.wrapped: Callable[[ClusterTarget], Target] = lambda target: target

    def deploy(self, revision: str, *, goes_back: bool = True, seconds: float = 40) -> Result:
        return recoveries.deploy(
            Order(
                prepared=self._prepared(revision, self._target()),
                stamp=Stamp(revision=revision, sequence=7),
                deadline=self.clock.elapsed() + seconds,
            ),
            self._target(),
            repository=FakeRepository((GOOD, BAD, NEXT)),
            clock=self.clock,
            journal=self.journal,
            prepare=self.prepare if goes_back else None,
        )

    def rolled_back(self, revision: str = BAD, **fields: Any) -> tuple[Result, RollbackView]:
        result = self.deploy(revision, **fields)
        assert result.rollback is not None, (result, self.journal.lines)
        return result, result.rollback

    def prepare(self, revision: str) -> Ready:
        target = self._target()
        return Ready(
            prepared=self._prepared(revision, target),
            target=self.wrapped(target),
            deadline=self.clock.elapsed() + 40,
        )

    def review(self, revision: str) -> Result:
        target = self._target()
        question = Question(target=target)
        return reviews.review(self._prepared(revision, target), question, self.journal)

    def recorded(self) -> Inventory:
        return self._target().inventory()

    def live(self, kind: str, name: str) -> Any:
        place = PREFIXES[kind].format(self.cluster.namespace)
        return self.cluster.send("GET", f"{place}/{name}")

    def image(self, name: str = "web") -> str:
        (container,) = self.live("Deployment", name)["spec"]["template"]["spec"]["containers"]
        return str(container["image"]).rpartition(":")[2]

    def names(self, kind: str) -> set[str]:
        listed = self.cluster.send("GET", PREFIXES[kind].format(self.cluster.namespace))["items"]
        return {item["metadata"]["name"] for item in listed or ()} - {"kube-root-ca.crt"}

    def _target(self) -> ClusterTarget:
        return self.cluster.target(clock=self.clock, policy=POLICY)

    def _prepared(self, revision: str, target: ClusterTarget) -> Prepared:
        desired = wanted(target, self.cluster.namespace, *self.commits[revision])
        environment = Environment(name="staging", overlay=Overlay(path="."), policy=POLICY)
        return Prepared(environment=environment, set=desired, findings=plans.findings(desired))


def shop(cluster: Cluster, good: Sequence[Any], bad: Sequence[Any]) -> Shop:
    """Its good revision is deployed and runs."""
    made = Shop(cluster, {GOOD: good, BAD: bad, NEXT: [config_map("settings", of="next"), web(3)]})
    first = made.deploy(GOOD)
    assert first.verdict is Verdict.OK, (first, made.journal.lines)
    return made


def simple(cluster: Cluster) -> Shop:
    """A bad image after a good deploy, with a change and a new object beside it."""
    return shop(
        cluster,
        good=[config_map("settings", of="good"), web(1)],
        bad=[config_map("settings", of="bad"), web(2, fails=True), config_map("new", of="bad")],
    )


def writes(result: Result) -> set[str]:
    return {f"{one.action.value} {one.id.name}" for one in result.written if one.state == "done"}


# -- what goes back --------------------------------------------------------------------------------


def test_a_bad_image_is_rolled_back(cluster: Cluster) -> None:
    """All that it changed, and what it brought is gone; the failure and its card stay."""
    place = simple(cluster)

    result, back = place.rolled_back()

    assert result.verdict is Verdict.UNHEALTHY
    assert "registry.example.com/web:2" in result.cards[0].cause
    assert (back.revision, back.result.verdict) == (GOOD, Verdict.OK)
    assert writes(back.result) == {"update settings", "update web", "delete new"}
    assert place.live("ConfigMap", "settings")["data"] == {"of": "good"}
    assert (place.image(), "new" in place.names("ConfigMap")) == ("1", False)
    recorded = place.recorded()
    assert (recorded.stamp, recorded.held) == (Stamp(revision=GOOD, sequence=8), BAD)


def test_the_next_deploys(cluster: Cluster) -> None:
    """The bad one is refused, a review says why it differs, a newer commit goes through."""
    place = simple(cluster)
    place.rolled_back()

    again = place.deploy(BAD)
    review = place.review(BAD)
    repaired = place.deploy(NEXT)

    assert [refusal.rule for refusal in again.refusals] == ["held"]
    assert (again.written, again.rollback) == ((), None)
    assert any(notice.startswith(f"held: {BAD[:7]}") for notice in review.notices)
    assert repaired.verdict is Verdict.OK, repaired
    assert (place.image(), place.recorded().held) == ("3", "")
    assert place.recorded().good == Stamp(revision=NEXT, sequence=7)


def test_a_good_revision_that_is_no_longer_good(cluster: Cluster) -> None:
    """Two failures, each with its cause."""
    place = simple(cluster)
    place.commits[GOOD] = [config_map("settings", of="good"), web(1, fails=True)]

    result, back = place.rolled_back()

    assert (result.verdict, back.result.verdict) == (Verdict.UNHEALTHY,) * 2
    assert "web:2" in result.cards[0].cause
    assert "web:1" in back.result.cards[0].cause
    assert (place.recorded().held, place.image()) == (BAD, "1")


def test_hooks_and_jobs_run_once(cluster: Cluster) -> None:
    """A migration forth is not run again by the way back, whatever each revision has of it."""
    place = shop(
        cluster,
        good=[*hooks(1), job("seed", 1), web(1)],
        bad=[*hooks(2), job("seed-2", 2), web(2, fails=True)],
    )

    _, back = place.rolled_back()

    assert back.result.verdict is Verdict.OK, (back, place.journal.lines)
    assert writes(back.result) == {"update web"}
    migrated = place.live("Job", "migrate")["spec"]["template"]["spec"]["containers"]
    assert migrated[0]["image"].endswith(":2")
    assert place.live("ConfigMap", "opened")["data"] == {"version": "2"}
    assert {"migrate", "seed-2"} <= place.names("Job")
    assert {view.id.name for view in back.left} >= {"migrate", "opened", "seed-2"}


def test_what_holds_data_is_not_touched(cluster: Cluster) -> None:
    """Neither a claim that the bad revision changed, nor one that it brought."""
    place = shop(
        cluster,
        good=[volume("data", of="good"), web(1)],
        bad=[volume("data", of="bad"), volume("more"), web(2, fails=True)],
    )
    data = place.live("PersistentVolumeClaim", "data")["metadata"]["uid"]

    _, back = place.rolled_back()

    assert back.result.verdict is Verdict.OK, (back, place.journal.lines)
    assert place.names("PersistentVolumeClaim") == {"data", "more"}
    there = place.live("PersistentVolumeClaim", "data")["metadata"]
    assert (there["uid"], there["labels"]["of"]) == (data, "bad")
    assert {view.id.name for view in back.left} == {"data", "more"}


def test_what_is_annotated_to_be_kept_stays(cluster: Cluster) -> None:
    """The bad revision brought it, and said so."""
    kept = annotated(config_map("kept", of="bad"), keep="true")
    place = shop(cluster, good=[web(1)], bad=[web(2, fails=True), kept])

    _, back = place.rolled_back()

    assert back.result.verdict is Verdict.OK, back
    assert "kept" in place.names("ConfigMap")


def test_what_a_person_changed_stays(cluster: Cluster) -> None:
    """The failed deploy did not touch it, so the way back does not."""
    place = shop(
        cluster,
        good=[config_map("settings", of="good"), web(1)],
        bad=[config_map("settings", of="good"), web(2, fails=True)],
    )
    real = place.prepare

    def somebody_edits(revision: str) -> Ready:
        cluster.patch("ConfigMap", "settings", {"data": {"of": "a person"}}, "kubectl-edit")
        return real(revision)

    place.prepare = somebody_edits  # type: ignore[method-assign]

    _, back = place.rolled_back()

    assert place.live("ConfigMap", "settings")["data"] == {"of": "a person"}
    assert [view.id.name for view in back.left] == ["settings"]


def test_a_rollback_has_time_of_its_own(cluster: Cluster) -> None:
    """The deploy that failed ran into its deadline, and the target with it."""
    place = simple(cluster)
    place.commits[BAD] = [annotated(web(2, fails=True), patience="10m")]

    result, back = place.rolled_back(seconds=3)

    assert result.rollout is not None
    assert result.rollout.timed_out
    assert back.result.verdict is Verdict.OK, (back, place.journal.lines)


# -- who goes first, and what a kill leaves --------------------------------------------------------


def test_a_newer_deploy_goes_first(cluster: Cluster) -> None:
    """It came between the failure and the way back from it: it stays."""
    place = simple(cluster)
    real = place.prepare

    def somebody_repairs(revision: str) -> Ready:
        assert place.deploy(NEXT).verdict is Verdict.OK
        return real(revision)

    place.prepare = somebody_repairs  # type: ignore[method-assign]

    result, back = place.rolled_back()

    assert (result.verdict, back.result.verdict) == (Verdict.UNHEALTHY, Verdict.SUPERSEDED)
    assert (place.image(), place.recorded().held) == ("3", "")


class Killed(BaseException):
    """As SIGKILL: nothing of the program runs any more."""


class Dying:
    """A target whose run is killed after some writes."""

    def __init__(self, target: ClusterTarget, writes: int) -> None:
        self._target = target
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def claim(self, inventory: Inventory) -> AbstractContextManager[Writing]:
        @contextmanager
        def claimed() -> Generator[Any, None, None]:
            with self._target.claim(inventory) as writing:
                self._writing = writing
                yield self

        return claimed()

    def apply(self, changes: Sequence[Change]) -> Generator[Outcome, None, None]:
        for change in changes:
            if not self._writes:
                raise Killed
            self._writes -= 1
            yield from self._writing.apply([change])

    def settle(self, _inventory: Inventory) -> None:
        raise Killed


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_killed_rollback_is_finished_by_the_same_command(cluster: Cluster, count: int) -> None:
    """After none, some or all of its writes; the revision is held from its claim on."""
    place = simple(cluster)
    place.wrapped = lambda target: Dying(target, count)
    with pytest.raises(Killed):
        place.deploy(BAD)
    place.wrapped = lambda target: target

    result, back = place.rolled_back()

    assert [refusal.rule for refusal in result.refusals] == ["held"]
    assert back.result.verdict is Verdict.OK, (back, place.journal.lines)
    assert place.live("ConfigMap", "settings")["data"] == {"of": "good"}
    assert (place.image(), "new" in place.names("ConfigMap")) == ("1", False)
    recorded = place.recorded()
    assert (recorded.claim, recorded.held) == (None, BAD)


def test_a_deploy_killed_before_its_rollback(cluster: Cluster) -> None:
    """Run again it changes nothing, still does not run, and goes back all the same."""
    place = simple(cluster)
    place.deploy(BAD, goes_back=False)

    result, back = place.rolled_back()

    assert (result.written, result.verdict) == ((), Verdict.UNHEALTHY)
    assert back.result.verdict is Verdict.OK, back
    assert (place.image(), "new" in place.names("ConfigMap")) == ("1", False)
