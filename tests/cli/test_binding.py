"""A deploy is held to what its merge request showed, from review to merge, over a forge's API."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_gitops.pipeline.merge_requests import milestones
from tests.cli.conftest import Repository, Said
from tests.cli.jobs import Job
from tests.cli.manifests import config_map, plain
from tests.fakes.github import FakeGitHub
from tests.fakes.gitlab import FakeGitLab

Call = Callable[..., Said]
TOKEN = "planted-token-123"


class Shop:
    """A repository whose environment prod runs; one merge request changes it."""

    def __init__(self, repository: Repository, call: Call, job: Job, github: FakeGitHub) -> None:
        self.repository = repository
        self.github = github
        self.call = call
        self.job = job
        self.base = self.head = self.merge = ""

    def starts(self, policy: str) -> None:
        """What is on main, with that policy, is deployed."""
        files = plain()
        files[".pipeline-gitops.yaml"] += f"    policy: {{{policy}}}\n"
        self.base = self.repository.commit(files)
        self.job.push("main", self.base)
        assert self.call("run", "--binding", "off").code == 0

    def is_reviewed(self, token: str = TOKEN) -> Said:
        """The job of the merge request."""
        self.repository.git("checkout", "--quiet", "-B", "feature", self.base)
        changed = {"deploy/settings.yaml": config_map(greeting="welcome")}
        self.head = self.repository.commit({**changed, "deploy/more.yaml": config_map("more")})
        self.github.pulls[7]["head"]["sha"] = self.head
        api = self.github.api_url
        self.job.pull_request(self.base, self.head, GITHUB_API_URL=api, GITHUB_TOKEN=token)
        return self.call("run")

    def is_merged(self) -> None:
        """By a merge commit."""
        self.repository.git("checkout", "--quiet", "main")
        self.repository.git("merge", "--quiet", "--no-ff", "-m", "Merge", "feature")
        self.merge = self.repository.git("rev-parse", "HEAD")
        self.github.merged(7, self.merge)
        self.github.pulls[7]["head"]["sha"] = self.head

    def is_deployed(self, *flags: str) -> Said:
        """The job of the push."""
        api = self.github.api_url
        self.job.push("main", self.merge, GITHUB_API_URL=api, GITHUB_TOKEN=TOKEN)
        return self.call("run", *flags)

    def drifts(self) -> None:
        """Somebody changes what runs, between review and deploy."""
        path = self.live()
        path.write_text(path.read_text().replace("data:", "data:\n  planted: by-hand"))

    def live(self) -> Path:
        (path,) = (self.repository.root / "rendered").rglob("configmap-settings.yaml")
        return path


@pytest.fixture
def shop(repository: Repository, call: Call, job: Job, github: FakeGitHub) -> Shop:
    """Nothing is in it yet."""
    return Shop(repository, call, job, github)


def test_what_was_reviewed_is_deployed(shop: Shop) -> None:
    """The status of the review names its plan, and the deploy finds it: four requests."""
    shop.starts("binding: require")
    review = shop.is_reviewed()
    shop.is_merged()
    before = len(shop.github.seen)

    said = shop.is_deployed()

    (_, _, description) = shop.github.statuses_of(shop.head)[-1]
    assert milestones.plan_in(description), description
    assert (review.code, said.code) == (0, 0), review.text + said.text
    assert "greeting: welcome" in shop.live().read_text()
    asked = [one for one in shop.github.seen[before:] if shop.head in one.path]
    assert [(one.method, one.path.endswith("/statuses")) for one in asked] == [("GET", True)]


def test_drift_since_the_review_is_refused(shop: Shop) -> None:
    """Exit 4, nothing written, and what differs."""
    shop.starts("binding: require")
    shop.is_reviewed()
    shop.is_merged()
    shop.drifts()
    before = shop.live().read_text()

    said = shop.is_deployed()

    assert said.code == 4, said.text
    assert (
        "ConfigMap settings would be updated, which merge request 7 showed otherwise" in said.text
    )
    assert shop.live().read_text() == before


def test_drift_since_the_review_is_told_where_it_may_be_deployed(shop: Shop) -> None:
    """The default: a warning blocks nothing."""
    shop.starts("prune: true")
    shop.is_reviewed()
    shop.is_merged()
    shop.drifts()

    said = shop.is_deployed()

    assert said.code == 0, said.text
    assert "not as reviewed: ConfigMap settings is updated" in said.text
    assert "planted" not in shop.live().read_text()


def test_a_person_can_deploy_all_the_same(shop: Shop) -> None:
    """By a flag of the job, which no merge request can set."""
    shop.starts("binding: require")
    shop.is_reviewed()
    shop.is_merged()
    shop.drifts()

    said = shop.is_deployed("--binding", "warn")

    assert said.code == 0, said.text
    assert "not as reviewed" in said.text


def test_a_deploy_that_runs_again_is_held_to_the_same_review(shop: Shop) -> None:
    """It has less to do, and its own note, which took the place of the review's, keeps the list."""
    shop.starts("binding: require")
    shop.is_reviewed()
    shop.is_merged()
    old = shop.live().read_text()
    first = shop.is_deployed()
    shop.live().write_text(old)

    again = shop.is_deployed()

    assert (first.code, again.code) == (0, 0), first.text + again.text
    assert "greeting: welcome" in shop.live().read_text()


def test_a_direct_push_is_refused_where_a_review_is_required(shop: Shop) -> None:
    """Nobody was shown what it changes."""
    shop.starts("binding: require")
    shop.merge = shop.repository.commit({"deploy/settings.yaml": config_map(greeting="pushed")})

    said = shop.is_deployed()

    assert said.code == 4
    assert "no merge request brought this commit" in said.text
    assert "greeting: hello" in shop.live().read_text()


def test_a_status_that_somebody_else_set_is_no_review(shop: Shop) -> None:
    """Whoever may push a branch may set statuses with a token of his own."""
    shop.starts("binding: require")
    shop.is_reviewed()
    shop.is_merged()
    for status in shop.github.all_statuses:
        status["creator"] = {"login": "mallory"}

    said = shop.is_deployed()

    assert said.code == 4
    assert "was reported by mallory, and only shop-bot counts" in said.text


def test_a_review_by_its_own_identity(shop: Shop) -> None:
    """The deploy's token is another one: its statuses would not count."""
    shop.starts("binding: require, bindingIdentity: ['github-actions[bot]']")
    shop.is_reviewed(token="actions-1")
    shop.is_merged()

    said = shop.is_deployed()

    assert said.code == 0, said.text


def test_a_forge_that_is_away_is_no_review(shop: Shop) -> None:
    """Unknown is not shown; and a warning blocks nothing."""
    shop.starts("binding: require")
    shop.is_reviewed()
    shop.is_merged()
    for _ in range(20):
        shop.github.fail("GET", "/pulls", status=404)

    required = shop.is_deployed()
    warned = shop.is_deployed("--binding", "warn")

    assert required.code == 4
    assert "the forge could not say what was reviewed" in required.text
    assert warned.code == 0, warned.text


def test_a_merge_request_does_not_unbind_its_own_deploy(shop: Shop) -> None:
    """The review says so in advance: the change of the policy is a danger."""
    shop.starts("binding: require")
    config = (shop.repository.root / ".pipeline-gitops.yaml").read_text()
    shop.repository.git("checkout", "--quiet", "-B", "feature")
    unbound = config.replace("binding: require", "binding: off")
    shop.head = shop.repository.commit({".pipeline-gitops.yaml": unbound})

    shop.job.pull_request(shop.base, shop.head)
    said = shop.call("run")

    assert "changes policy of prod" in said.out


def test_a_rollback_is_not_held_to_a_review(shop: Shop) -> None:
    """It deploys what was reviewed long ago, and somebody asked for it by name."""
    shop.starts("binding: require")
    shop.is_reviewed()
    shop.is_merged()
    shop.is_deployed()

    said = shop.call("rollback", "--environment", "prod", "--to", shop.base, "--now")

    assert "reviewed" not in said.text
    assert said.code == 0, said.text


def test_after_a_fast_forward_review_and_deploy_stand_on_one_commit(
    repository: Repository, call: Call, job: Job, gitlab: FakeGitLab
) -> None:
    """On GitLab the deploy's statuses hide the review's, unless all of them are asked for."""
    files = plain()
    files[".pipeline-gitops.yaml"] += "    policy: {binding: require}\n"
    base = repository.commit(files)
    job.gitlab_push(gitlab, base, CI_PIPELINE_ID="1")
    assert call("run", "--binding", "off").code == 0
    live = next((repository.root / "rendered").rglob("configmap-settings.yaml"))
    old = live.read_text()
    changed = {"deploy/settings.yaml": config_map(greeting="welcome")}
    head = repository.commit({**changed, "deploy/more.yaml": config_map("more")})
    job.gitlab_merge_request(gitlab, base, head, CI_PIPELINE_ID="2")
    gitlab.requests[7]["sha"] = head

    review = call("run")
    gitlab.merged(7, head)
    gitlab.requests[7] |= {"sha": head, "merge_commit_sha": None}
    job.gitlab_push(gitlab, head, CI_PIPELINE_ID="3")
    first = call("run")
    live.write_text(old)
    again = call("run")

    assert (review.code, first.code, again.code) == (0, 0, 0), first.text + again.text
    assert "greeting: welcome" in live.read_text()
    assert len(gitlab.statuses_of(head)) > 2


# -- several merge requests in one deploy ----------------------------------------------------------


class Queue(Shop):
    """Merge request 8 is merged after 7, and the deploy of 7 never came to anything."""

    def is_queued(self, files: dict[str, str], *, since: str = "") -> None:
        """Its review, before anything of 7 is deployed; then it is merged too."""
        self.github.pulls[8] = self.github.pull(8)
        self.repository.git("checkout", "--quiet", "-b", "other", since or self.base)
        head = self.repository.commit(files)
        self.github.pulls[8]["head"]["sha"] = head
        api = self.github.api_url
        self.job.pull_request(self.base, head, number=8, GITHUB_API_URL=api, GITHUB_TOKEN=TOKEN)
        assert self.call("run").code == 0
        self.repository.git("checkout", "--quiet", "main")
        self.repository.git("merge", "--quiet", "--no-ff", "-m", "Merge", "other")
        self.merge = self.repository.git("rev-parse", "HEAD")
        self.github.merged(8, self.merge)
        self.github.pulls[8]["head"]["sha"] = head


@pytest.fixture
def queue(repository: Repository, call: Call, job: Job, github: FakeGitHub) -> Queue:
    """With merge request 7 reviewed and merged, where each review is required."""
    queue = Queue(repository, call, job, github)
    queue.starts("binding: require")
    queue.is_reviewed()
    queue.is_merged()
    return queue


def test_what_each_merge_request_of_a_queue_showed_is_deployed(queue: Queue) -> None:
    """Neither showed all of it; together they did."""
    queue.is_queued({"deploy/third.yaml": config_map("third")})

    said = queue.is_deployed()

    assert said.code == 0, said.text
    assert "greeting: welcome" in queue.live().read_text()


def test_what_two_merge_requests_make_together_is_refused(queue: Queue) -> None:
    """Each changed a part of one object, and Git put the parts together; nobody has seen that."""
    live = queue.live().read_text()
    base = config_map().replace("name: settings", "name: settings\n  labels: {tier: web}")
    queue.is_queued({"deploy/settings.yaml": base})

    said = queue.is_deployed()

    assert said.code == 4, said.text
    text = " ".join(said.text.split())
    assert "which merge requests 7 and 8 showed in part or otherwise, none as a whole" in text
    assert "bring a merge request on top of both" in text
    assert queue.live().read_text() == live


def test_a_deploy_of_a_queue_that_runs_again_is_held_to_the_same_reviews(queue: Queue) -> None:
    """Its report took the place of both reviews, in either note, and each kept its list."""
    queue.is_queued({"deploy/third.yaml": config_map("third")})
    old = queue.live().read_text()
    first = queue.is_deployed()
    queue.live().write_text(old)

    again = queue.is_deployed()

    assert (first.code, again.code) == (0, 0), first.text + again.text
    assert "greeting: welcome" in queue.live().read_text()


def test_a_deploy_that_was_refused_keeps_the_list_for_the_next(queue: Queue) -> None:
    """The deploy of 7 ended before it had a plan, and said so in the note; then 8 was merged."""
    mistake = {"deploy/settings.yaml": config_map() + "dta: {}\n"}
    good = queue.merge
    queue.repository.git("checkout", "--quiet", "--detach", good)
    queue.merge = queue.repository.commit(mistake)
    queue.github.pulls_of[queue.merge] = [7]
    failed = queue.is_deployed()
    queue.is_queued({"deploy/third.yaml": config_map("third")})

    said = queue.is_deployed()

    assert failed.code == 3
    assert said.code == 0, said.text


def test_a_shallow_clone_says_why_the_others_are_not_known(queue: Queue) -> None:
    """The forge knows that the commit is newer; what lies between, the clone would have to know."""
    queue.is_queued({"deploy/third.yaml": config_map("third")})
    (queue.repository.root / ".git" / "shallow").write_text(f"{queue.merge}\n")
    queue.github.parents = {queue.base: "", queue.merge: queue.base}

    said = queue.is_deployed()

    text = " ".join(said.text.split())
    assert said.code == 4, said.text
    assert f"which commits came since {queue.base[:7]}" in text
    assert "fetch more history (fetch-depth: 0, GIT_DEPTH: 0)" in text
