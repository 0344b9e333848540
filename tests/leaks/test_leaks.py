"""Nothing of a secret is left in anything that a command leaves behind."""

import random
import string
import tempfile
from collections.abc import Mapping

import pytest

from pipeline_gitops import masks, plans, process
from tests import campaigns
from tests.leaks.jobs import FORGES
from tests.leaks.matcher import Matcher, report
from tests.leaks.sources import REPORTED, SOURCES
from tests.leaks.stages import Sinks, Stage

SECRET = "Zq7'x\"<k&>/+%pW9#mJ2 vé"
# Of different length, and alike in what makes an encoder quote: those quotes are not ours.
SHORT, LONG = "t'G5<n&Lh0\"cY/4+e%R é", "Wz8'kQ2<d&X7s\"v0/Pb+%uJ6#and-so-on-for-quite-a-while é"

# By sink a source whose secret would be seen there if nothing masked it.
CARRIERS: Mapping[str, str] = {
    "stdout": "invalid",
    "stderr": "last_words",
    "summary": "pod_log",
    "json": "same_set",
    "html": "same_set",
    "markdown": "same_set",
    "text": "invalid",
    "junit": "invalid",
    "sarif": "invalid",
    "codequality": "invalid",
    "note on the forge": "event",
    "status on the forge": "denial",
    "check on the forge": "invalid",
    "deployment on the forge": "denial",
    "all that the forge was sent": "event",
    "pipeline-gitops-note.md": "undelivered",  # the note that nobody takes
}
# Sinks that hold nothing of anybody else's: of each, what it does hold.
NO_TEXT: Mapping[str, str] = {
    "exit code": "a number",
    "outputs": "a verdict, two numbers and the names of environments",
    "terraform": "three numbers",
    "addresses at the forge": "numbers of requests, commits and names of environments",
}
# Sinks that no masks guard, but what is handed over and what is left: see the last three tests.
GUARDED = {"children", "temporary files"}
# What these plant is hidden by structure, or not told at all: no mask has to find it.
UNTOLD = {
    "secret_data",
    "string_data",
    "last_applied",
    "address",
    "plugin",
    "damaged_kubeconfig",
    "engine",
    "rotated: diff",
    "forge_error",
}
ABSENT: Mapping[str, set[str]] = {
    "github": set(),
    # No check runs, no summary of a job; and its deployments hold no description.
    "gitlab": {"check on the forge", "summary", "deployment on the forge"},
    "gitea": {"check on the forge", "deployment on the forge"},
}

CASES = [
    *((source, "github") for source in SOURCES),
    *((source, forge) for forge in FORGES if forge != "github" for source in REPORTED),
]


def drawn(count: int) -> list[str]:
    """Secrets of signs that every encoder treats in its own way."""
    chance = random.Random(campaigns.SEED)
    signs = string.ascii_letters + string.digits + string.punctuation + "éß€"
    return ["".join(chance.choices(signs, k=chance.randint(12, 60))) for _ in range(count)]


SECRETS = [SECRET, *drawn(10 if campaigns.PROFILE == "soak" else 0)]


@pytest.mark.parametrize("secret", SECRETS, ids=range(len(SECRETS)))
@pytest.mark.parametrize(("source", "forge"), CASES)
def test_nothing_of_a_secret_is_left(source: str, forge: str, secret: str, stage: Stage) -> None:
    """No eight characters in a row of any encoding of it, in no stream, file, request or child."""
    sinks = SOURCES[source](stage, secret)

    hits = {name: found for name, text in sinks.items() if (found := Matcher([secret]).hits(text))}
    assert not hits, report(hits)


def different(one: Sinks, other: Sinks) -> list[str]:
    """The lines that only one has; in which order is a matter of threads."""
    return [
        f"{name}: {line}"
        for name in sorted({*one, *other})
        for line in sorted({*one.get(name, "").splitlines()} ^ {*other.get(name, "").splitlines()})
    ]


# Of the rest something shows: how many lines a log has, which of two threads was first; or the
# value is a variable of this job alone, and what the digest of a plan covers must not depend on the
# job that asks.
ALIKE = [
    "secret_data",
    "string_data",
    "live_secret",
    "last_applied",
    "same_set",
    "long_line",
    "event",
    "last_words",
    "denial",
    "forge_error",
]
ALIKE_WITHOUT_FORGE = [
    "argument",
    "address",
    "client_key",
    "damaged_kubeconfig",
    "key_of_a_plugin",
    "engine",
    "given_to_kubectl",
    "plugin",
    "rendered",
    "unreadable",
    *(name for name in SOURCES if name.startswith("refused: ")),
]


@pytest.mark.parametrize(
    ("source", "forge"),
    [
        *((source, forge) for source in ALIKE for forge in ("github", "gitlab")),
        *((source, "github") for source in ALIKE_WITHOUT_FORGE),
    ],
)
def test_a_mask_says_nothing_about_what_it_hides(
    source: str,
    forge: str,
    stage: Stage,
    another_stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two secrets of different length leave the same behind, byte for byte, wherever one looks.

    The digests of the plan, too: here they have no salt, as that is the commit.
    """
    monkeypatch.setattr(plans, "salt", lambda environment, commit: environment)

    short = SOURCES[source](stage, SHORT)
    long = SOURCES[source](another_stage, LONG)

    assert different(stage.settled(short), another_stage.settled(long)) == []


def unmasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes masking out."""
    monkeypatch.setattr(masks.Redactor, "__call__", lambda _, text: text)
    monkeypatch.setattr(masks.Redactor, "lines", lambda _, lines: lines)


def leaking(sinks: Sinks, secret: str = SECRET) -> set[str]:
    return {name for name, text in sinks.items() if Matcher([secret]).hits(text)}


@pytest.mark.parametrize(
    ("source", "forge"),
    [(source, forge) for forge in FORGES for source in sorted({*CARRIERS.values()})],
)
def test_without_masks_the_secret_is_found_in_every_sink(
    source: str, forge: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These tests do see a secret, wherever a foreign text can go at all; and no sink is new."""
    unmasked(monkeypatch)

    sinks = SOURCES[source](stage, SECRET)

    carrying = {name for name, by in CARRIERS.items() if by == source} - ABSENT[forge]
    assert carrying <= leaking(sinks)
    assert sinks.keys() <= CARRIERS.keys() | NO_TEXT.keys() | GUARDED


@pytest.mark.parametrize("source", sorted(SOURCES.keys() - UNTOLD - {*CARRIERS.values()}))
def test_without_masks_the_secret_is_found_from_every_source(
    source: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is planted is told by the command, so that there is something to mask."""
    unmasked(monkeypatch)

    assert leaking(SOURCES[source](stage, SECRET)) & {"stdout", "stderr"}


def test_a_variable_that_children_were_given_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the list of what programs may see, they would have the job's secrets."""
    monkeypatch.setattr(process, "child_environment", lambda environ, keep: dict(environ))

    assert "children" in leaking(SOURCES["job_token"](stage, SECRET))


def test_an_argument_that_children_were_given_is_found(stage: Stage) -> None:
    """What somebody names as a commit is what Git is asked for."""
    stage.repository.commit({"a": "b"})

    sinks = stage.run("rollback", "--environment", "prod", "--to", SECRET)

    assert "children" in leaking(sinks)


def test_a_temporary_file_that_is_left_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits are rendered from a folder that goes away; if it did not, it would be seen here."""

    def left(folder: tempfile.TemporaryDirectory[str]) -> None:
        folder._finalizer.detach()  # type: ignore[attr-defined]

    monkeypatch.setattr(tempfile.TemporaryDirectory, "cleanup", left)

    assert "temporary files" in leaking(SOURCES["string_data"](stage, SECRET))
