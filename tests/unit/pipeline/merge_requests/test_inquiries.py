"""What a forge is asked about reviews, and how much at most."""

import pytest

from pipeline_gitops.pipeline.merge_requests.inquiries import (
    MOST_CARRIED,
    MOST_COMMITS,
    Inquiries,
    Inquiry,
    Unproven,
)
from pipeline_gitops.ports import Commit, MergeRequest
from tests.fakes.forge import Stage
from tests.unit.pipeline.queues import (
    DEPLOYED,
    MERGE,
    OLDER_HEAD,
    OTHER,
    PLAN,
    REQUEST,
    Review,
    planned,
    updated,
)
from tests.unit.plans.bodies import created, deleted

OWN = ["merge_requests_of", "me", "list", "status_history"]
OF_OTHER = ["merge_requests_of", "list", "status_history"]


class Hurried(Stage):
    """A clock on which every look takes some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._each = seconds
        self._looks = 0

    def elapsed(self) -> float:
        self._looks += 1
        return self._each * self._looks


@pytest.fixture
def review() -> Review:
    """Merge request 6 showed one change, 7 another one; both are deployed at once."""
    review = Review()
    review.shows(updated("a"), commit=OLDER_HEAD)
    review.shows(created(name="b"))
    return review


def numbers(look: Inquiries) -> list[int]:
    """Of the merge requests that came with the newest."""
    found = (evidence.merge_request for evidence in look.carried(DEPLOYED))
    return [request.number for request in found if request]


def unknown(look: Inquiries) -> Unproven:
    """What the last answer lacks."""
    *_, last = look.carried(DEPLOYED)
    assert last.unknown
    return last.unknown


# -- it costs what is in doubt ---------------------------------------------------------------------


def test_the_others_are_asked_about_only_where_the_newest_does_not_cover_it(review: Review) -> None:
    """Four requests for almost every deploy."""
    review.carried(planned(created(name="b")))

    assert review.forge.log == OWN


def test_each_of_the_others_costs_three_requests(review: Review) -> None:
    """One for its commit, two for the merge request; and none is asked again."""
    look = review.look()

    look.own()
    first, again = numbers(look), numbers(look)

    assert first == again == [6]
    assert review.forge.log == OWN + OF_OTHER


def test_nobody_is_asked_on_once_everything_was_shown(review: Review) -> None:
    """The newest come first."""
    review.commits = (*review.commits, Commit(sha=OTHER))

    review.carried(planned(updated("a"), created(name="b")))

    assert review.forge.log == OWN + OF_OTHER


def test_many_commits_of_one_merge_request_are_one(review: Review) -> None:
    """It was merged by a rebase."""
    review.board.brought[OTHER] = [REQUEST]
    review.commits = (Commit(sha=MERGE), Commit(sha=OTHER))

    assert numbers(review.look()) == []
    assert review.forge.log == [*OWN, "merge_requests_of"]


# -- and no more than so much ----------------------------------------------------------------------


def test_no_more_than_ten_are_asked_about(review: Review) -> None:
    """Where more came, that is said: what is missing may have been shown by those."""
    shas = [f"{number:040x}" for number in range(1, 20)]
    review.commits = (Commit(sha=MERGE), *(Commit(sha=sha) for sha in shas))
    for number, sha in enumerate(shas, start=100):
        request = MergeRequest(number=number, state="merged", head_sha=sha, merge_sha=sha)
        review.board.brought[sha] = [request]

    assert len(numbers(review.look())) == MOST_CARRIED
    assert "only the last 10 merge requests" in unknown(review.look()).why


def test_no_more_than_thirty_commits_are_asked_about(review: Review) -> None:
    """As many as were given may be as many as there are room for."""
    review.commits = tuple(Commit(sha=f"{number:040x}") for number in range(MOST_COMMITS))

    assert "in 30 commits" in unknown(review.look()).why
    assert review.forge.log.count("merge_requests_of") == 1 + MOST_COMMITS


def test_a_shallow_clone_does_not_know_the_others(review: Review) -> None:
    """The cure is in the checkout."""
    review.commits = ()

    found = unknown(review.look())

    assert f"came since {DEPLOYED[:7]}" in found.why
    assert "fetch-depth: 0" in found.cure


def test_a_first_deploy_carries_no_others(review: Review) -> None:
    """There is nothing that they came after."""
    assert list(review.look().carried("")) == []


def test_a_forge_that_takes_for_ever_is_not_asked_on(review: Review) -> None:
    """A deploy does not wait for it."""
    look = Inquiries(Inquiry(commit=MERGE), review.forge, Hurried(20.0), lambda _: ())

    found = look.own().unknown

    assert found
    assert "more than 30 s" in found.why
    assert len(review.forge.log) < 4


def test_the_time_counts_over_all_that_is_asked(review: Review) -> None:
    """Ten merge requests are not given thirty seconds each."""
    clock = Hurried(3.0)
    look = Inquiries(Inquiry(commit=MERGE), review.forge, clock, lambda _: review.commits)

    own = look.own()
    found = [unknown(look) for _ in range(2)]

    assert not own.unknown
    assert "more than 30 s" in found[0].why
    assert "more than 30 s" in found[1].why


def test_the_time_of_the_deploy_itself_does_not_count(review: Review) -> None:
    """The next environment is looked at after this one runs: half an hour later."""
    look = review.look()
    look.own()
    review.stage._seconds += 1800.0

    assert numbers(look) == [6]


def test_a_forge_that_stops_answering_ends_it(review: Review) -> None:
    """What was found so far counts; the rest is unknown."""
    look = review.look()
    look.own()
    review.forge.fail("list", done=False)

    assert "the forge could not say what was reviewed" in unknown(look).why


def test_a_forge_that_does_not_answer_is_asked_no_further(review: Review) -> None:
    """It costs its timeout once, and is told once."""
    review.forge.fail("merge_requests_of", done=False)

    bound = review.carried(planned(updated("a")), required=False)

    assert len(bound.notices) == 1
    assert review.forge.log == ["merge_requests_of"]


def test_a_review_of_both_counts_for_both(review: Review) -> None:
    """The newer branch held the older one when it was reviewed: nothing else is asked."""
    review.status(PLAN)
    review.note(PLAN)

    bound = review.carried(planned(updated("a"), created(name="b"), deleted(name="c")))

    assert bound.is_clean
    assert review.forge.log == OWN
