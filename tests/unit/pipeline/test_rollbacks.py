"""Which changes a rollback of its own accord may make, and when there is one at all."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops import documents, manifests
from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Claim, Inventory, Owner, Stamp
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.pipeline import rollbacks
from pipeline_gitops.pipeline.rollbacks import Goal
from pipeline_gitops.plans import Change, Plan, Sight
from pipeline_gitops.views import (
    Action,
    FaultView,
    Health,
    HealthView,
    Refusal,
    Result,
    RollbackView,
    RolloutView,
    WrittenView,
)
from tests.campaigns import examples

GOOD, BAD, OTHER = Stamp(revision="a1"), Stamp(revision="b2"), Stamp(revision="c3")
CONFIG = ObjectId("", "ConfigMap", "shop", "settings")
API = ObjectId("apps", "Deployment", "shop", "api")
DATA = ObjectId("apps", "StatefulSet", "shop", "data")
JOB = ObjectId("batch", "Job", "shop", "seed")
CLAIM = ObjectId("", "PersistentVolumeClaim", "shop", "data")
NAMESPACE = ObjectId("", "Namespace", "", "shop")
CRD = ObjectId("apiextensions.k8s.io", "CustomResourceDefinition", "", "widgets.example.com")
EVERYTHING = (CONFIG, API, DATA, JOB, CLAIM, NAMESPACE, CRD)
NEVER = frozenset({JOB, CLAIM, NAMESPACE, CRD})


def body(id: ObjectId, **annotations: str) -> dict[str, Any]:
    version = f"{id.group}/v1" if id.group else "v1"
    said = {f"pipeline-gitops.dev/{key}": value for key, value in annotations.items()}
    metadata = {"name": id.name, "namespace": id.namespace, "annotations": said}
    return {"apiVersion": version, "kind": id.kind, "metadata": metadata}


def manifest(id: ObjectId, **annotations: str) -> Manifest:
    found, _ = documents.read(documents.write([body(id, **annotations)]).encode(), "shop.yaml")
    (only,) = manifests.resolve(found, Kinds(), "")[0].manifests
    return replace(only, id=id)


def change(id: ObjectId, action: Action, *, refused: bool = False, **annotations: str) -> Change:
    sent = None if action is Action.DELETE else manifest(id, **annotations)
    before = None if action is Action.CREATE else body(id, **annotations)
    refusal = Refusal(rule="schema", message="no", id=id) if refused else None
    return Change(
        Sight(
            id=id,
            before=before,
            after=sent.body if sent else None,
            send=sent,
            replaces=action is Action.REPLACE,
            refusal=refusal,
        )
    )


def inventory(*changed: ObjectId, created: tuple[ObjectId, ...] = (), **fields: Any) -> Inventory:
    return Inventory(
        owner=Owner(repository="acme/shop", environment="prod"),
        stamp=BAD,
        good=GOOD,
        changed=changed,
        created=created,
        **fields,
    )


def limited(*changes: Change, since: Inventory) -> tuple[list[str], dict[str, str]]:
    """What is done, and why the rest is not."""
    plan, left = rollbacks.limited(Plan(changes=changes), since)
    done = [f"{one.action.value} {one.id.name}" for one in plan.changes]
    return done, {view.id.name: view.why for view in left}


# -- which changes ---------------------------------------------------------------------------------


def test_what_deploys_have_changed_since_is_undone() -> None:
    """Changed, deleted or created: each the way back."""
    done, left = limited(
        change(API, Action.UPDATE),
        change(CONFIG, Action.CREATE),
        change(DATA, Action.UPDATE),
        since=inventory(API, CONFIG, DATA),
    )

    assert (done, left) == (["update api", "create settings", "update data"], {})


def test_what_somebody_else_has_changed_is_left() -> None:
    """A rollback that nobody asked for is no reason to undo what a person did by hand."""
    done, left = limited(
        change(API, Action.UPDATE), change(CONFIG, Action.UPDATE), since=inventory(API)
    )

    assert (done, list(left)) == (["update api"], ["settings"])


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("id", sorted(NEVER))
def test_kinds_that_are_never_touched(id: ObjectId, action: Action) -> None:
    """Jobs run once, and what holds data, objects or kinds stays as it is."""
    done, left = limited(change(id, action), since=inventory(id, created=(id,)))

    assert (done, list(left)) == ([], [id.name])


@pytest.mark.parametrize("action", Action)
def test_a_hook_is_never_run_or_deleted(action: Action) -> None:
    """A migration back is not the migration forth run once more."""
    hook = change(CONFIG, action, hook="before")

    done, left = limited(hook, since=inventory(CONFIG, created=(CONFIG,)))

    assert (done, list(left)) == ([], ["settings"])


def test_what_was_created_since_is_deleted_again() -> None:
    """The good revision does not have it."""
    done, _ = limited(change(CONFIG, Action.DELETE), since=inventory(CONFIG, created=(CONFIG,)))

    assert done == ["delete settings"]


def test_what_was_there_before_is_not_deleted() -> None:
    """It is left over from some time before, where nothing was pruned."""
    done, left = limited(change(CONFIG, Action.DELETE), since=inventory(CONFIG))

    assert (done, left) == ([], {"settings": "it was there before"})


def test_what_is_annotated_to_be_kept_is_kept() -> None:
    """By whatever tool's word for it."""
    kept = change(CONFIG, Action.DELETE, keep="true")

    done, left = limited(kept, since=inventory(CONFIG, created=(CONFIG,)))

    assert (done, left) == ([], {"settings": "it is annotated to be kept"})


def test_what_takes_more_along_is_not_deleted() -> None:
    """Nobody is there to confirm it."""
    done, left = limited(change(DATA, Action.DELETE), since=inventory(DATA, created=(DATA,)))

    assert (done, left) == ([], {"data": "it takes more along than itself"})


def test_a_refusal_counts_only_for_what_would_be_done() -> None:
    """What is left anyway must not stand in the way of the rest."""
    plan = Plan(
        changes=(
            change(API, Action.UPDATE),
            change(JOB, Action.UPDATE, refused=True),
            change(CONFIG, Action.UPDATE, refused=True),
        )
    )

    made, _ = rollbacks.limited(plan, inventory(API, CONFIG, JOB))

    assert [refusal.id for refusal in made.refusals] == [CONFIG]


CHANGES = st.lists(
    st.builds(
        change,
        st.sampled_from(EVERYTHING),
        st.sampled_from(Action),
        hook=st.sampled_from(["", "before", "after"]),
    ),
    unique_by=lambda one: one.id,
)
IDS = st.sets(st.sampled_from(EVERYTHING)).map(lambda ids: tuple(sorted(ids)))


@settings(max_examples=examples(100))
@given(CHANGES, IDS, IDS)
def test_whatever_the_plan_nothing_unasked_is_done(
    changes: list[Change], changed: tuple[ObjectId, ...], created: tuple[ObjectId, ...]
) -> None:
    """Each change is either done or left with a reason, and the rules hold for what is done."""
    plan, left = rollbacks.limited(
        Plan(changes=tuple(changes)), inventory(*changed, created=created)
    )

    assert {one.id for one in changes} == {*plan.ids, *(view.id for view in left)}
    assert all(view.why for view in left)
    for one in plan.changes:
        assert one.id in changed
        assert one.id not in NEVER
        assert one.action is not Action.DELETE or one.id in created
        hook = one.sight.send and one.sight.send.body["metadata"]["annotations"]  # type: ignore[index,call-overload]
        assert not hook or not hook["pipeline-gitops.dev/hook"]


# -- whether at all --------------------------------------------------------------------------------


def rollout(health: Health = Health.FAILED) -> RolloutView:
    return RolloutView(objects=(HealthView(id=API, health=health),))


def ended(verdict: Verdict, **fields: Any) -> Result:
    return Result(environment="prod", verdict=verdict, **{"rollout": rollout(), **fields})


def written(*states: str) -> tuple[WrittenView, ...]:
    return tuple(WrittenView(id=API, action=Action.UPDATE, state=state) for state in states)


def test_a_rollout_that_failed_goes_back() -> None:
    """To the last good revision, from the one that failed."""
    goal = rollbacks.goal(BAD, ended(Verdict.UNHEALTHY), inventory(), 7)

    assert goal == Goal(revision="a1", leaving="b2", since=7)


def test_a_wave_that_did_not_get_well_goes_back() -> None:
    """That the rest was not sent for it is the same failure, told as exit code 6."""
    result = ended(Verdict.PARTIAL, written=written("done", "skipped"))

    assert rollbacks.goal(BAD, result, inventory(), 7) is not None


@pytest.mark.parametrize(
    "result",
    [
        ended(Verdict.OK, rollout=rollout(Health.CURRENT)),
        ended(Verdict.OK, rollout=None),
        ended(Verdict.SUPERSEDED),
        ended(Verdict.REFUSED),
        ended(Verdict.PARTIAL, written=written("done", "refused")),
        ended(Verdict.PARTIAL, written=written("done", "unknown")),
        ended(Verdict.PARTIAL, written=written("done"), rollout=None),
        ended(Verdict.PARTIAL, fault=FaultView(message="away")),
        ended(Verdict.INTERRUPTED, fault=FaultView(message="interrupted")),
        ended(Verdict.UNREACHABLE, fault=FaultView(message="away")),
    ],
    ids=lambda result: result.verdict.value,
)
def test_nothing_else_goes_back(result: Result) -> None:
    """Superseded, refused, interrupted, unreachable: none says that the revision is bad."""
    assert rollbacks.goal(BAD, result, inventory(), 7) is None


def test_a_rollback_that_was_killed_is_finished_by_the_next_run() -> None:
    """Which is refused for the hold, and finds whose claim it is."""
    held = ended(Verdict.REFUSED, refusals=(Refusal(rule="held", message="held"),), rollout=None)
    begun = Claim(stamp=GOOD, automatic=True)

    goal = rollbacks.goal(BAD, held, inventory(claim=begun, held="b2", epoch=9), 9)

    assert goal == Goal(revision="a1", leaving="b2", since=9)


def test_a_person_s_rollback_is_not_finished_by_others() -> None:
    """It does more than is done unasked: hooks, Jobs, what others changed."""
    held = ended(Verdict.REFUSED, refusals=(Refusal(rule="held", message="held"),), rollout=None)

    assert rollbacks.goal(BAD, held, inventory(claim=Claim(stamp=GOOD), held="b2"), 9) is None


def test_without_a_good_revision_there_is_nothing_to_go_back_to() -> None:
    """Said with what brings one."""
    fault = rollbacks.obstacle(Goal(revision="", leaving="b2", since=7), "prod", committed=True)

    assert fault
    assert "nothing to go back to" in fault.what
    assert "push a fix" in fault.cure


def test_the_last_good_revision_is_not_rolled_back_to_itself() -> None:
    """It ran once, so the commit is not what is wrong."""
    goal = Goal(revision="a1", leaving="a1", since=7)

    fault = rollbacks.obstacle(goal, "prod", committed=True)

    assert fault
    assert "last good revision itself" in fault.what


def test_a_work_tree_goes_back_to_its_own_commit() -> None:
    """What failed was more than the commit."""
    goal = Goal(revision="a1", leaving="a1", since=7)

    assert rollbacks.obstacle(goal, "prod", committed=False) is None


# -- what is told ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (Verdict.OK, Verdict.UNHEALTHY),
        (Verdict.UNHEALTHY, Verdict.UNHEALTHY),
        (Verdict.PARTIAL, Verdict.UNHEALTHY),
        (Verdict.REFUSED, Verdict.UNHEALTHY),
        (Verdict.UNREACHABLE, Verdict.UNHEALTHY),
        (Verdict.SUPERSEDED, Verdict.UNHEALTHY),
        (Verdict.INTERRUPTED, Verdict.INTERRUPTED),
        (Verdict.TERMINATED, Verdict.TERMINATED),
    ],
)
def test_a_failed_deploy_stays_failed(after: Verdict, verdict: Verdict) -> None:
    """However its rollback ends; only a signal ends it as it ends everything."""
    view = RollbackView(revision="a1", result=ended(after))

    told = rollbacks.told(ended(Verdict.UNHEALTHY), view)

    assert (told.verdict, told.rollback) == (verdict, view)


def test_a_hold_is_told_with_how_the_rest_of_the_rollback_ended() -> None:
    """Exit code 4 where it is finished; where not, why."""
    finished = rollbacks.told(
        ended(Verdict.REFUSED), RollbackView(revision="a1", result=ended(Verdict.OK))
    )
    sick = rollbacks.told(
        ended(Verdict.REFUSED), RollbackView(revision="a1", result=ended(Verdict.UNHEALTHY))
    )

    assert (finished.verdict, sick.verdict) == (Verdict.REFUSED, Verdict.UNHEALTHY)
