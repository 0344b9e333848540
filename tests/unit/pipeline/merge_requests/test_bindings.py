"""What counts as shown, and what a deploy makes of what was not."""

from dataclasses import replace

import pytest

from pipeline_gitops.config import Binding, Environment, Overlay, Policy
from pipeline_gitops.pipeline.merge_requests import bindings, milestones
from pipeline_gitops.pipeline.merge_requests.bindings import Bound, Reviewed
from pipeline_gitops.pipeline.merge_requests.inquiries import Unproven
from pipeline_gitops.pipeline.merge_requests.milestones import Milestone
from pipeline_gitops.ports import StatusState
from tests.unit.pipeline.queues import (
    HEAD,
    MERGE,
    OLDER_HEAD,
    OTHER,
    PLAN,
    REQUEST,
    Review,
    planned,
    updated,
)
from tests.unit.plans.bodies import created, deleted, id_of


@pytest.fixture
def review() -> Review:
    """A merge request that was merged as MERGE; nothing is on it yet."""
    return Review()


@pytest.fixture
def shown(review: Review) -> Review:
    """A merge request on which PLAN was shown."""
    review.status()
    review.note()
    return review


def refused(bound: Bound) -> list[str]:
    return [f"{one.rule}: {one.message}" for one in bound.refusals]


# -- what was shown may be done ------------------------------------------------------------------


def test_the_plan_that_was_shown_is_deployed(shown: Review) -> None:
    """Four requests, whatever the number of environments."""
    bound = shown.bound(PLAN)

    assert (bound.refusals, bound.notices) == ((), ())
    assert shown.forge.log[:4] == ["merge_requests_of", "me", "list", "status_history"]


def test_a_part_of_it_is_deployed(shown: Review) -> None:
    """A run that resumes has less to do."""
    assert not shown.bound(planned(created(name="b"))).refusals


def test_nothing_to_do_asks_nobody(review: Review) -> None:
    """It costs what changed."""
    environment = Environment(
        name="prod", overlay=Overlay(path="."), policy=Policy(binding=Binding.REQUIRE)
    )

    assert bindings.bind(planned(), environment, review.look(), "") == Bound()
    assert review.forge.log == []


def test_off_asks_nobody(review: Review) -> None:
    """It costs no request."""
    environment = Environment(
        name="prod", overlay=Overlay(path="."), policy=Policy(binding=Binding.OFF)
    )

    assert bindings.bind(PLAN, environment, review.look(), "") == Bound()
    assert review.forge.log == []


# -- what was not is refused, or told --------------------------------------------------------------


def test_what_was_not_shown_is_refused(shown: Review) -> None:
    """With the object, what would happen to it, and whether something else was shown of it."""
    now = planned(updated("a", after="9"), created(name="b"), deleted(name="x"))

    bound = shown.bound(now)

    was = "not-as-reviewed: ConfigMap shop"
    assert refused(bound) == [
        f"{was}/a would be updated, which merge request 7 showed otherwise",
        f"{was}/x would be deleted, which merge request 7 did not show",
    ]
    assert all("--binding warn" in one.cure for one in bound.refusals)
    assert [one.id for one in bound.refusals] == [id_of(name="a"), id_of(name="x")]


def test_a_warning_never_blocks(shown: Review) -> None:
    """The same is told, and nothing is refused."""
    bound = shown.bound(planned(deleted(name="x")), required=False)

    assert bound.refusals == ()
    assert bound.notices == (
        "not as reviewed: ConfigMap shop/x is deleted, which merge request 7 did not show",
    )


def test_warnings_are_bounded(shown: Review) -> None:
    """A note is not made of them."""
    now = planned(*(created(name=f"x{number}") for number in range(200)))

    notices = shown.bound(now, required=False).notices

    assert len(notices) == bindings.MOST_NOTICES + 1
    assert notices[-1] == "not as reviewed: 190 more objects"


# -- what proves nothing ---------------------------------------------------------------------------


def unproven(review: Review, *identity: str) -> str:
    found = review.found(*identity)
    assert isinstance(found, Unproven)
    assert found.cure
    for required in (True, False):
        bound = bindings.decide(PLAN, [found], required=required)
        assert bool(bound.refusals) is required
        assert bool(bound.notices) is not required
    return found.why


def test_a_direct_push_was_shown_to_nobody(review: Review) -> None:
    """There is no merge request to hold it to."""
    review.board.brought.clear()

    assert "no merge request brought this commit" in unproven(review)


def test_without_a_status_nothing_is_proven(review: Review) -> None:
    """A note alone proves nothing: whoever may edit it could have written the list."""
    review.note()

    assert "merge request 7 has no review of prod" in unproven(review)


def test_a_status_of_somebody_else_does_not_count(review: Review) -> None:
    """It may be right, and it may be forged."""
    review.status(by="mallory")
    review.note()

    assert "reported by mallory, and only bot counts" in unproven(review)


def test_a_status_of_another_environment_does_not_count(review: Review) -> None:
    """Each environment has a plan of its own."""
    review.status(env="staging")
    review.note()

    assert "no review of prod" in unproven(review)


def test_a_status_of_another_commit_does_not_count(review: Review) -> None:
    """Something was pushed to the merge request after its review."""
    review.status(commit=OTHER)
    review.note(commit=OTHER)

    assert "no review of prod" in unproven(review)


def test_a_review_without_the_target_shows_nothing_of_it(review: Review) -> None:
    """Compared with the merge base only, for want of credentials."""
    review.status(plan=None)

    assert "did not compare with the target" in unproven(review)


def test_a_list_that_the_status_does_not_prove_does_not_count(review: Review) -> None:
    """Somebody edited the note, or has forged it."""
    review.status(planned(created(name="b")))
    review.note(PLAN)

    (said,) = refused(review.bound(PLAN))

    assert "the list of changes in the note is not the one that was reviewed" in said


def test_the_note_of_somebody_else_is_not_read(review: Review) -> None:
    """A stranger can write any number of notes with our marker."""
    review.status()
    review.note(by="mallory")

    assert review.evidence().notes == ()


def test_a_forge_that_does_not_answer_knows_nothing(shown: Review) -> None:
    """It is unknown, so it is not shown."""
    shown.forge.fail("status_history", done=False)

    assert "the forge could not say what was reviewed" in unproven(shown)


# -- where the list is gone, only the whole plan can be proven ----------------------------------


def test_without_a_note_only_the_whole_plan_is_proven(review: Review) -> None:
    """Its digest is in the status; which part of it was shown nothing tells."""
    review.status()

    part = review.bound(planned(created(name="b")))

    assert not review.bound(PLAN).refusals
    (said,) = refused(part)
    assert "this is not the whole plan of merge request 7" in said
    assert "the note that listed its changes is gone" in said


def test_a_list_without_room_in_the_note_is_as_good_as_gone(review: Review) -> None:
    """Beyond some two thousand changes on GitHub: only the whole plan is proven."""
    large = planned(*(created(name=f"b{number:03}") for number in range(200)))
    review.status(large)
    review.note(large, limit=8_000)

    part = review.bound(planned(created(name="b001")))

    assert not review.bound(large).refusals
    (said,) = refused(part)
    assert "no room for the list" in said


def test_a_review_without_changes_needs_no_note(review: Review) -> None:
    """None is begun for it; that nothing was shown is proven all the same."""
    review.status(planned())

    assert "did not show" in refused(review.bound(planned(created(name="b"))))[0]


# -- who reviews ----------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["plan-bot", "Plan-Bot"])
def test_a_review_may_have_an_identity_of_its_own(review: Review, login: str) -> None:
    """Then our own token's word does not count, and nobody asks whose it is."""
    review.status(by="bot")
    assert "only plan-bot counts" in unproven(review, "plan-bot")

    review.status(by=login)
    review.note(by=login)

    assert isinstance(review.found("plan-bot", ask_me=False), Reviewed)
    assert "me" not in review.forge.log[-3:]


# -- which commit it is about ---------------------------------------------------------------------


def test_a_merge_queue_reviews_the_commit_that_it_merges(review: Review) -> None:
    """What was shown of the head of the merge request is older than that."""
    review.status(planned(), commit=HEAD)
    review.status(commit=MERGE)
    review.note(commit=MERGE)

    assert not review.bound(PLAN).refusals


def test_a_deploy_of_the_reviewed_commit_does_not_hide_its_review(shown: Review) -> None:
    """After a fast-forward the deploy's statuses stand on the same commit, without a plan."""
    shown.board.brought[HEAD] = [replace(REQUEST, merge_sha=HEAD)]
    shown.status(plan=None)

    evidence = shown.evidence(commit=HEAD)

    assert isinstance(bindings.reviewed(evidence, "prod", ()), Reviewed)


def test_the_newest_review_counts(shown: Review) -> None:
    """The review was run again, and the target had moved."""
    shown.status(planned(created(name="b")))
    shown.note(planned(created(name="b")))

    assert refused(shown.bound(PLAN))


# -- of several merge requests ---------------------------------------------------------------------


def test_what_any_of_them_showed_is_deployed(review: Review) -> None:
    """A queue, or a deploy that was superseded: each showed its part."""
    review.shows(updated("a"), commit=OLDER_HEAD)
    review.shows(created(name="b"))

    assert review.carried(planned(updated("a"), created(name="b"))).is_clean


def test_what_none_of_them_showed_is_refused(review: Review) -> None:
    """All of them are named."""
    review.shows(updated("a"), commit=OLDER_HEAD)
    review.shows(created(name="b"))

    bound = review.carried(planned(updated("a"), created(name="b"), deleted(name="x")))

    assert refused(bound) == [
        "not-as-reviewed: ConfigMap shop/x would be deleted, "
        "which none of the merge requests 6 and 7 showed"
    ]


def test_what_two_of_them_make_together_was_shown_by_neither(review: Review) -> None:
    """Each changed a field of one object; nobody saw the object that comes of both."""
    review.shows(updated("a", after="1", x="6"), commit=OLDER_HEAD)
    review.shows(updated("a", after="7"))

    bound = review.carried(planned(updated("a", after="7", x="6")))

    assert refused(bound) == [
        "not-as-reviewed: ConfigMap shop/a would be updated, "
        "which merge requests 6 and 7 showed in part or otherwise, none as a whole"
    ]
    assert "a merge request on top of both" in bound.refusals[0].cure


def test_a_newer_one_takes_nothing_back(review: Review) -> None:
    """It was behind its base branch when it was reviewed, and showed that it would set back what
    the older one changes. What it did not set back is as the older one showed it."""
    review.shows(updated("a"), commit=OLDER_HEAD)
    review.shows(updated("a", after="0"), created(name="b"))

    assert review.carried(planned(updated("a"), created(name="b"))).is_clean


def test_a_direct_push_on_top_changes_nothing_that_was_not_shown(review: Review) -> None:
    """Somebody starts the deploy again by an empty commit; and by another one puts something in."""
    review.shows(updated("a"), commit=OLDER_HEAD)
    review.board.brought.pop(MERGE)

    again = review.carried(planned(updated("a")))
    more = review.carried(planned(updated("a"), created(name="b")))

    assert again.is_clean
    assert refused(more) == [
        "not-reviewed: no merge request brought this commit, so nobody was shown what it changes",
        "not-as-reviewed: ConfigMap shop/b would be created, which merge request 6 did not show",
    ]


def test_why_one_of_them_proves_nothing_is_said(review: Review) -> None:
    """It may be the one that showed what is missing."""
    review.status(planned(updated("a")), commit=OLDER_HEAD, by="mallory")
    review.shows(created(name="b"))

    bound = review.carried(planned(updated("a"), created(name="b")))

    assert refused(bound) == [
        "not-reviewed: the review of merge request 6 was reported by mallory, and only bot counts",
        "not-as-reviewed: ConfigMap shop/a would be updated, which merge request 7 did not show",
    ]


def test_a_warning_looks_at_all_of_them(review: Review) -> None:
    """It would cry wolf after each queue."""
    review.shows(updated("a"), commit=OLDER_HEAD)
    review.shows(created(name="b"))

    warned = review.carried(planned(updated("a"), deleted(name="x")), required=False)

    assert review.carried(planned(updated("a")), required=False).is_clean
    assert warned.refusals == ()
    assert len(warned.notices) == 1


# -- how it is told -------------------------------------------------------------------------------


def test_the_digest_outlives_a_long_description() -> None:
    """GitHub takes 140 characters: the sentence is cut, never the digest."""
    one = Milestone(
        environment="prod", state=StatusState.FAILURE, description="x" * 500, plan="0" * 24
    )

    said = milestones.described(one, 140)

    assert len(said) == 140
    assert milestones.plan_in(said) == "0" * 24


def test_a_plan_is_read_from_the_end_only() -> None:
    """What a description quotes names none."""
    assert milestones.plan_in(f"refused: ; plan {'0' * 24} is not it") == ""
