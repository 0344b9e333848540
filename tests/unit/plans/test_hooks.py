"""Which hooks are in a plan, and as what."""

from dataclasses import replace

import pytest

from pipeline_gitops import plans
from pipeline_gitops.inventories import Claim, Inventory, Stamp, Version
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.plans import Plan, Sight, Survey
from pipeline_gitops.views import Action, Refusal
from tests.unit.plans.bodies import OWNER
from tests.unit.plans.schedules import body, set_of

LEFT = Version("uid/7")


def sight(manifest: Manifest, *, left: bool = False, **fields: object) -> Sight:
    """*left*: its last run is still there."""
    before = manifest.body if left else None
    version = LEFT if left else Version("")
    made = Sight(id=manifest.id, before=before, after=manifest.body, send=manifest, version=version)
    return replace(made, **fields)  # type: ignore[arg-type]


def planned(*sights: Sight, unfinished: bool = False) -> Plan:
    claim = Claim(stamp=Stamp(revision="a1")) if unfinished else None
    survey = Survey(inventory=Inventory(owner=OWNER, claim=claim), sights=sights)
    return plans.with_hooks(plans.compute(survey, prune=True), survey)


def manifest(kind: str = "Job", name: str = "a", **annotations: str) -> Manifest:
    (made,) = set_of(body(kind, name, **annotations)).manifests
    return made


def test_a_hook_alone_is_nothing_to_change() -> None:
    """Absent, finished or changed: nobody deploys for that, and nothing stands against it."""
    hook = manifest(hook="before")
    no = Refusal(rule="no", message="no")

    plan = planned(sight(hook, refusal=no))

    assert (plan.changes, plan.refusals, plan.unchanged) == ((), (), {hook.id})


@pytest.mark.parametrize("unfinished", [False, True])
def test_a_hook_runs_beside_a_change_or_where_a_deploy_was_not_finished(unfinished: bool) -> None:
    """A killed run may have written all but not run the hooks that come after it."""
    others = () if unfinished else (sight(manifest("ConfigMap")),)

    plan = planned(sight(manifest(hook="after")), *others, unfinished=unfinished)

    (change,) = [change for change in plan.changes if change.id.kind == "Job"]
    assert change.action is Action.CREATE
    assert change.sight.notes == ("hook: runs when everything else is healthy",)


def test_what_is_left_of_the_last_run_is_deleted_not_updated() -> None:
    """And the plan reads the same as where nothing is left."""
    hook, other = manifest(hook="before"), sight(manifest("ConfigMap"))

    fresh = planned(sight(hook), other)
    again = planned(sight(hook, left=True), other)

    assert plans.digest(fresh) == plans.digest(again)
    assert fresh.leftovers == ()
    (leftover,) = again.leftovers
    assert (leftover.id, leftover.action, leftover.sight.version) == (hook.id, Action.DELETE, LEFT)
    (change,) = [change for change in again.changes if change.id == hook.id]
    assert (change.action, change.sight.version) == (Action.CREATE, "")


def test_an_account_of_a_hook_is_updated_like_any_object() -> None:
    """It is not deleted at each deploy: its tokens are in use."""
    account = manifest("ServiceAccount", hook="before")

    plan = planned(sight(account, left=True), sight(manifest("ConfigMap")))

    assert plan.leftovers == ()
    assert {change.id.kind: change.action for change in plan.changes} == {
        "ServiceAccount": Action.UPDATE,
        "ConfigMap": Action.CREATE,
    }


def test_a_hook_of_another_occasion_is_not_sent() -> None:
    """Which is said."""
    hook = manifest(ARGO__hook="Skip")

    plan = planned(sight(hook), sight(manifest("ConfigMap")))

    assert [change.id.kind for change in plan.changes] == ["ConfigMap"]
    assert plan.notices == (
        "Job.batch shop/a is a hook of an occasion that a deploy does not have: it is not sent",
    )


def test_a_deploy_that_looks_again_runs_a_hook_once() -> None:
    """What it has created already is taken out; what is no hook stays."""
    hook, job = manifest(hook="before"), manifest(name="plain")
    plan = planned(sight(hook, left=True), sight(job))

    again = plans.without_run(plan, {hook.id, job.id})

    assert [change.id.name for change in again.changes] == ["plain"]
    assert again.leftovers == ()
