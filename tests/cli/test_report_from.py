"""A report out of a fork's job, posted by a job that is trusted: nothing in it is believed."""

import json
import re
from collections.abc import Callable
from typing import Any

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from tests.cli.conftest import Repository, Said
from tests.cli.jobs import Job
from tests.cli.manifests import config_map, plain
from tests.fakes.github import FakeGitHub

Call = Callable[..., Said]
TOKEN = "planted-token-123"
FORK = "stranger/deploy"
OTHER = "c" * 40


class Fork:
    """Merge request 7 comes from a fork, whose job has left report.json."""

    def __init__(self, repository: Repository, call: Call, job: Job, github: FakeGitHub) -> None:
        self.repository = repository
        self.github = github
        self.call = call
        self.job = job
        self.path = repository.root / "report.json"
        self.base = repository.commit({**plain(), ".gitignore": "rendered/\nreport.json\n*.md\n"})
        repository.git("checkout", "--quiet", "-b", "feature")
        self.head = repository.commit({"deploy/settings.yaml": config_map(greeting="welcome")})
        job.pull_request(self.base, self.head, fork=True)
        said = call("run", "--report", f"json={self.path}")
        assert said.code == 0, said.text
        repository.git("checkout", "--quiet", "main")
        github.pulls[7]["head"] = {"sha": self.head, "repo": {"full_name": FORK}}

    def told(self) -> dict[str, Any]:
        node: dict[str, Any] = json.loads(self.path.read_text())
        return node

    def forges(self, change: Callable[[dict[str, Any]], None]) -> None:
        """What a fork can do to the file before it is uploaded: anything."""
        node = self.told()
        change(node)
        self.path.write_text(json.dumps(node))

    def is_posted(self, *flags: str, token: str = TOKEN, **run: Any) -> Said:
        """The workflow_run job, on the default branch; *run*: what the event says otherwise."""
        facts = {
            "id": 17,
            "run_attempt": 1,
            "event": "pull_request",
            "head_sha": self.head,
            "head_repository": {"full_name": FORK},
            "html_url": "https://forge.example/shop/deploy/actions/runs/17",
            "pull_requests": [],
            **run,
        }
        self.job.github(
            "workflow_run",
            {"workflow_run": facts, "repository": {"default_branch": "main"}},
            GITHUB_SHA=self.base,
            GITHUB_REF="refs/heads/main",
            GITHUB_SERVER_URL="https://forge.example",
            GITHUB_API_URL=self.github.api_url,
            GITHUB_TOKEN=token,
        )
        return self.call("report", "--from", str(self.path), *flags)


@pytest.fixture
def fork(repository: Repository, call: Call, job: Job, github: FakeGitHub) -> Fork:
    """With a report as it should be."""
    return Fork(repository, call, job, github)


def test_the_report_becomes_a_note_that_says_whose_word_it_is(fork: Fork) -> None:
    """With the links of this job, and no status: nothing of it was checked."""
    said = fork.is_posted()

    assert said.code == 0, said.text
    (note,) = fork.github.bodies()
    assert "greeting: welcome" in note
    assert "this is what the job of stranger/deploy says" in note
    assert f"https://forge.example/shop/deploy/blob/{fork.head}" in note
    assert "https://forge.example/shop/deploy/actions/runs/17" in note
    assert fork.github.all_statuses == []
    assert "::error" not in said.out


def test_it_proves_no_plan(fork: Fork) -> None:
    """A deploy must not be held to a list that a fork has written."""

    def forge(node: dict[str, Any]) -> None:
        plan = node["environments"][0]["plans"][0]
        plan |= {"digest": "0" * 24, "changeDigests": ["x" * 15]}

    fork.forges(forge)

    fork.is_posted()

    (note,) = fork.github.bodies()
    assert "xxxxxxxxxxxxxxx" not in note
    assert "0" * 24 not in note


def test_its_verdict_is_shown_and_not_ours(fork: Fork) -> None:
    """A red report is delivered well."""
    fork.forges(lambda node: node["environments"][0].update(verdict="refused"))
    fork.forges(lambda node: node.update(verdict="refused", exitCode=4))

    said = fork.is_posted()

    assert said.code == 0
    assert "🔴" in fork.github.bodies()[0]


# -- what it says of where it belongs --------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("mergeRequest", 8, "does not come from the repository of the run"),
        ("mergeRequest", 0, "about no merge request"),
        ("revision", OTHER, "another commit"),
        ("repository", "shop/other", "another repository"),
    ],
)
def test_a_report_about_something_else_is_refused(
    fork: Fork, key: str, value: object, what: str
) -> None:
    """Whatever it names is compared with what the event and the forge say."""
    fork.github.pulls[8] = fork.github.pull(8)
    fork.forges(lambda node: node.update({key: value}))

    said = fork.is_posted()

    assert said.code == 4, said.text
    assert what in said.err
    assert fork.github.bodies() == []


def test_another_merge_request_of_the_same_commit_is_no_way_in(fork: Fork) -> None:
    """A stranger can open a merge request on somebody else's commit."""
    fork.github.pulls[8] = fork.github.pull(8)
    fork.github.pulls[8]["head"] = {"sha": fork.head, "repo": {"full_name": "victim/deploy"}}
    fork.forges(lambda node: node.update(mergeRequest=8))

    assert fork.is_posted().code == 4
    assert fork.github.bodies() == []


@pytest.mark.parametrize("why", ["moved on", "closed"])
def test_what_came_too_late_is_not_posted(fork: Fork, why: str) -> None:
    """The run of the newer head speaks for it."""
    pull = fork.github.pulls[7]
    pull |= {"head": {**pull["head"], "sha": OTHER}} if why == "moved on" else {"state": "closed"}

    said = fork.is_posted()

    assert said.code == 0, said.text
    assert why in said.err
    assert fork.github.bodies() == []


def test_the_run_must_be_that_of_a_merge_request(fork: Fork) -> None:
    """A push to a branch of that name starts the same workflow."""
    assert fork.is_posted(event="push").code == 2


def test_without_an_event_the_caller_says_what_it_is_about(fork: Fork) -> None:
    """The file alone never does."""
    flags = ("--commit", fork.head, "--merge-request", "7")
    fork.job.push("main", fork.base, GITHUB_API_URL=fork.github.api_url, GITHUB_TOKEN=TOKEN)

    unsaid = fork.call("report", "--from", str(fork.path))
    wrong = fork.call("report", "--from", str(fork.path), *flags[:3], "8")
    right = fork.call("report", "--from", str(fork.path), *flags)

    assert (unsaid.code, wrong.code, right.code) == (2, 4, 0), right.text
    assert len(fork.github.bodies()) == 1


def test_the_job_that_could_speak_for_itself_is_not_overwritten(fork: Fork) -> None:
    """Its own section, with its proof, is newer than what comes out of its file."""
    fork.job.pull_request(
        fork.base,
        fork.head,
        GITHUB_API_URL=fork.github.api_url,
        GITHUB_TOKEN=TOKEN,
        GITHUB_RUN_ID="17",
    )
    fork.repository.git("checkout", "--quiet", "feature")
    fork.call("run")
    fork.repository.git("checkout", "--quiet", "main")
    before = fork.github.bodies()

    fork.is_posted()

    assert fork.github.bodies() == before


# -- what it says at all ---------------------------------------------------------------------------


def _environment(**fields: object) -> Callable[[dict[str, Any]], None]:
    return lambda node: node["environments"][0].update(fields)


def _change(**fields: object) -> Callable[[dict[str, Any]], None]:
    def forge(node: dict[str, Any]) -> None:
        for plan in node["environments"][0]["plans"]:
            plan["changes"][0].update(fields)

    return forge


_WRITTEN = {
    "id": {"group": "", "kind": "Secret", "namespace": "", "name": "x"},
    "action": "create",
    "state": "done",
    "message": "",
}


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (_environment(written=[_WRITTEN]), 4),
        (_environment(rollout={"objects": [], "timedOut": False, "seconds": 1}), 4),
        (_environment(dangers=["x" * 10_001]), 4),
        (_environment(dangers=["x"] * 10_001), 4),
        (lambda node: node.update(command="deploy"), 4),
        (_environment(objects=-1), 2),
        (_environment(objects="9"), 2),
        (_environment(verdict="fine"), 2),
        (_environment(surprise=1), 2),
        (_change(id="Secret/x"), 2),
        (lambda node: node.update(environments={}), 2),
        (lambda node: node.update(schema="pipeline-gitops/report/v0"), 2),
    ],
)
def test_what_no_review_looks_like_is_refused(
    fork: Fork, forge: Callable[[dict[str, Any]], None], code: int
) -> None:
    """By form, by size, and by what a fork has no business with."""
    fork.forges(forge)

    said = fork.is_posted()

    assert said.code == code, said.text
    assert fork.github.bodies() == []


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, '{"a":' * 50_000, '{"seconds": NaN}', "\udcff", "x" * (8 * 1024**2 + 1)],
    ids=["empty", "nested lists", "nested maps", "nan", "no text", "large"],
)
def test_what_is_no_report_is_refused(fork: Fork, text: str) -> None:
    """Before anything of it is looked at."""
    fork.path.write_bytes(text.encode("utf-8", "surrogateescape"))

    said = fork.is_posted()

    assert (said.code, "Traceback" in said.text) == (2, False)
    assert fork.github.bodies() == []


def test_a_number_that_is_none_is_refused(fork: Fork) -> None:
    """Of other makers, JSON can hold what no other program reads the same."""
    text = re.sub(r'"seconds": [\d.]+', '"seconds": NaN', fork.path.read_text())
    fork.path.write_text(text)

    assert fork.is_posted().code == 2


@pytest.mark.parametrize("name", ["unknown", "../prod", "prod\n", "a" * 300])
def test_an_environment_that_is_not_ours_is_left_out(fork: Fork, name: str) -> None:
    """By the configuration of the default branch."""
    fork.forges(_environment(name=name))

    said = fork.is_posted()

    assert said.code == 0, said.text
    assert "no environment in it is known here" in said.err
    assert fork.github.bodies() == []


_ACTING = [
    "<!-- pipeline-gitops:note v1 -->",
    "\n<!-- pipeline-gitops:end prod -->\n",
    '<!-- pipeline-gitops:state prod {"v":1,"environment":"prod","plan":"x"} -->',
    "@org/team",
    "\n/merge\n",
    "#12",
    "![x](https://evil.example/x.png)",
    "<img src=https://evil.example/x.png>",
    "```\n````\n</details>",
    "::error::x",
    "\r##[error]x",
    "\x1b[31mred\x1b[0m",
    "\u202etxt",
]


@pytest.mark.parametrize("text", _ACTING)
def test_text_that_acts_is_only_text(fork: Fork, text: str) -> None:
    """Everywhere where a fork can put some."""

    def forge(node: dict[str, Any]) -> None:
        node |= {"version": text, "startedAt": text, "runUrl": "https://evil.example/job"}
        node["notices"] = [text]
        one = node["environments"][0]
        one |= {"engine": text, "target": text, "dangers": [text], "notices": [text]}
        for plan in one["plans"]:
            plan["changes"][0] |= {"note": text, "predicted": text, "lines": [f"+{text}"]}
            plan["changes"][0]["id"]["name"] = text
            plan["changes"][0]["place"]["file"] = "../../../evil/deploy/blob/main/x"

    fork.forges(forge)

    said = fork.is_posted()

    assert said.code == 0, said.text
    (note,) = fork.github.bodies()
    lines = note.splitlines()
    assert note.count("<!-- pipeline-gitops:begin") == note.count("<!-- pipeline-gitops:end") == 1
    assert lines[0] == "<!-- pipeline-gitops:note v1 -->"
    assert sum("pipeline-gitops:note" in line and "<!--" in line for line in lines) == 1
    html = cmarkgfm.github_flavored_markdown_to_html(note, options=Options.CMARK_OPT_UNSAFE)
    links = re.findall(r'(?:href|src)="([^"]*)"', html)
    assert all(link.startswith("https://forge.example/shop/deploy/") for link in links), links
    assert not [link for link in links if ".." in link]
    assert "<img" not in html
    assert not [line for line in note.splitlines() if line.startswith("/merge")]
    assert "\x1b" not in note + said.text
    assert "\u202e" not in note + said.text
    assert not [line for line in said.out.splitlines() if line.startswith("::error::x")]


def test_this_jobs_secrets_are_masked_in_it(fork: Fork) -> None:
    """Whoever knows one of ours must not be able to have us repeat it."""
    fork.forges(_environment(dangers=[f"the token is {TOKEN}"]))

    said = fork.is_posted()

    (note,) = fork.github.bodies()
    assert TOKEN not in note + said.text


def test_files_of_both_kinds_at_once_are_a_mistake(fork: Fork) -> None:
    """One call trusts, or it does not."""
    assert fork.is_posted("other.json").code == 2


def test_a_token_that_may_not_write_notes(fork: Fork) -> None:
    """Exit code 9 where the report is required, else a warning."""
    said = fork.is_posted(token="readonly-1")
    required = fork.is_posted("--require-report", token="readonly-1")

    assert (said.code, required.code) == (0, 9), said.text
    assert "was not delivered" in said.err
