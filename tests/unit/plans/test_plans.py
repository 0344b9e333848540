"""What may change, in which order, and what is forbidden."""

import pytest

from pipeline_gitops import plans
from pipeline_gitops.config import Deletes, Policy
from pipeline_gitops.plans import Change, Confirmation, Plan, Sight
from pipeline_gitops.views import Action, Refusal
from tests.unit.plans.bodies import body, created, deleted, id_of, survey


@pytest.mark.parametrize(
    ("sight", "action"),
    [
        (Sight(id=id_of(), after=body()), Action.CREATE),
        (Sight(id=id_of(), before=body(), after=body(data={"a": "1"})), Action.UPDATE),
        (Sight(id=id_of(), before=body(), after=body(), replaces=True), Action.REPLACE),
        (Sight(id=id_of(), before=body()), Action.DELETE),
    ],
)
def test_the_action_follows_from_what_was_seen(sight: Sight, action: Action) -> None:
    """No combination of fields can lie about what happens."""
    assert action is Change(sight).action


def test_without_prune_nothing_is_deleted() -> None:
    """policy.prune false leaves what is no longer rendered."""
    plan = plans.compute(survey(created(name="new"), deleted(name="old")), prune=False)

    assert (id_of(name="new"),) == plan.ids


def test_what_cannot_be_seen_is_not_taken_for_absent() -> None:
    """While an API group is blind, nothing is pruned."""
    seen = survey(created(name="new"), deleted(name="old"), blind=("metrics.k8s.io",))

    plan = plans.compute(seen, prune=True)

    assert (id_of(name="new"),) == plan.ids
    assert plan.blind == ("metrics.k8s.io",)


def test_a_refusal_of_the_target_is_part_of_the_plan() -> None:
    """The dry run's no stands beside the changes."""
    no = Refusal(rule="server-refused", message="no")

    plan = plans.compute(survey(Sight(id=id_of(), after=body(), refusal=no)), prune=True)

    assert (no,) == plan.refusals


def guard(plan: Plan, policy: Policy, **given: object) -> list[str]:
    settings = {"environment": "prod", "members": 10, "wanted": 9, "confirmation": Confirmation()}
    found = plans.guard(plan, policy, **{**settings, **given})  # type: ignore[arg-type]
    return [refusal.rule for refusal in found]


def plan_deleting(count: int, kind: str = "ConfigMap") -> Plan:
    sights = [deleted(kind, f"old-{number}") for number in range(count)]
    return plans.compute(survey(*sights), prune=True)


@pytest.mark.parametrize(
    ("deletes", "members", "policy", "refused"),
    [
        (3, 4, Policy(), []),
        (4, 4, Policy(), ["max-deletes"]),
        (5, 20, Policy(), []),
        (6, 20, Policy(), ["max-deletes"]),
        (6, 21, Policy(), []),
        (1, 20, Policy(max_deletes=Deletes(number=0)), ["max-deletes"]),
        (2, 20, Policy(max_deletes=Deletes(number=2)), []),
        (11, 100, Policy(max_deletes=Deletes(percent=10)), ["max-deletes"]),
    ],
    ids=[
        "never less than three",
        "above the floor",
        "a quarter",
        "more than a quarter",
        "rounded up",
        "a number of none",
        "a number",
        "another percentage",
    ],
)
def test_more_deletes_than_allowed_are_refused(
    deletes: int, members: int, policy: Policy, refused: list[str]
) -> None:
    """25 % of the members unless the policy says otherwise, rounded up, three at least."""
    assert refused == guard(plan_deleting(deletes), policy, members=members)


@pytest.mark.parametrize("kind", sorted(plans.guards.DANGEROUS))
def test_one_dangerous_delete_is_refused(kind: str) -> None:
    """What takes more along than itself needs a word for each."""
    assert guard(plan_deleting(1, kind), Policy()) == ["dangerous-delete"]


def test_an_empty_render_deletes_nothing() -> None:
    """An emptied overlay is a mistake until somebody says otherwise."""
    assert guard(plan_deleting(2), Policy(), wanted=0) == ["empty-render"]


@pytest.mark.parametrize("by", ["--confirm-deletes", "label", "trailer"])
def test_a_confirmation_lets_them_pass(by: str) -> None:
    """By flag, by label or by trailer."""
    plan = plan_deleting(9, "Namespace")

    assert guard(plan, Policy(), wanted=0, confirmation=Confirmation(by=by)) == []


def test_a_smaller_plan_is_included_in_the_one_shown() -> None:
    """A run that resumes after a kill has less to do."""
    shown = plans.compute(survey(created(name="a"), created(name="b")), prune=True)
    resumed = plans.compute(survey(created(name="b")), prune=True)

    assert plans.exceeding(shown, resumed) == ()


def test_another_value_than_shown_exceeds_it() -> None:
    """Same object, same action, other content: not what was shown."""
    shown = plans.compute(survey(created(data={"a": "1"})), prune=True)
    planned = plans.compute(survey(created(data={"a": "2"})), prune=True)

    assert (id_of(),) == plans.exceeding(shown, planned)


def test_another_action_than_shown_exceeds_it() -> None:
    """An update that became a create was not shown."""
    update = Sight(id=id_of(), before=body(), after=body(data={"a": "1"}))
    shown = plans.compute(survey(update), prune=True)
    planned = plans.compute(survey(created(data={"a": "1"})), prune=True)

    assert (id_of(),) == plans.exceeding(shown, planned)


def test_a_digest_tells_nothing_of_a_secret_but_that_it_changes() -> None:
    """Two values of the same key give one digest: none could be guessed from it."""
    digests = {
        plans.digest(plans.compute(survey(created("Secret", data={"k": value})), prune=True))
        for value in ("YQ==", "Yg==")
    }

    assert len(digests) == 1
