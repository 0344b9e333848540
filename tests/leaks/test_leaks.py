"""Nothing of a secret is left in anything that a command leaves behind."""

import pytest

from pipeline_gitops import masks
from tests.leaks.matcher import Matcher, report
from tests.leaks.sources import SOURCES
from tests.leaks.stages import Sinks, Stage

SECRET = "Zq7'x\"<k&>/+%pW9#mJ2 vé"
# Of different length, and alike in what makes an encoder quote: those quotes are not ours.
SHORT, LONG = "t'G5<n&Lh0\"cY/4+e%R é", "Wz8'kQ2<d&X7s\"v0/Pb+%uJ6#and-so-on-for-quite-a-while é"

# Where a secret would be seen if nothing masked it. Statuses, checks and outputs hold only counts
# and words of ours; children get nothing by their environment and arguments.
SEEN = {
    "same_set": {
        "stdout",
        "summary",
        "html",
        "json",
        "markdown",
        "text",
        "note on the forge",
    },
    "invalid": {"stdout", "sarif", "codequality", "junit"},
    "pod_log": {"stdout", "html", "json", "markdown", "summary", "note on the forge"},
    "argument": {"stderr"},
    "rendered": {"stdout"},
}


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_of_a_secret_is_left(source: str, stage: Stage) -> None:
    """No eight characters in a row of any encoding of it, in no stream, file, request or child."""
    sinks = SOURCES[source](stage, SECRET)

    hits = {name: found for name, text in sinks.items() if (found := Matcher([SECRET]).hits(text))}
    assert not hits, report(hits)


def different(one: Sinks, other: Sinks) -> list[str]:
    """The lines that only one has; in which order is a matter of threads."""
    return [
        f"{name}: {line}"
        for name in sorted({*one, *other})
        for line in sorted({*one.get(name, "").splitlines()} ^ {*other.get(name, "").splitlines()})
    ]


@pytest.mark.parametrize("source", ["same_set", "event", "forge_error", "argument", "address"])
def test_a_mask_says_nothing_about_what_it_hides(
    source: str, stage: Stage, another_stage: Stage
) -> None:
    """Two secrets of different length leave the same behind, byte for byte, wherever one looks."""
    short = SOURCES[source](stage, SHORT)
    long = SOURCES[source](another_stage, LONG)

    assert different(stage.settled(short), another_stage.settled(long)) == []


@pytest.mark.parametrize("source", SEEN)
def test_without_masks_the_secret_is_found(
    source: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These tests do see a secret, in every sink that can hold a foreign text at all."""
    monkeypatch.setattr(masks.Redactor, "__call__", lambda _, text: text)
    monkeypatch.setattr(masks.Redactor, "lines", lambda _, lines: lines)

    sinks = SOURCES[source](stage, SECRET)

    leaking = {name for name, text in sinks.items() if Matcher([SECRET]).hits(text)}
    assert SEEN[source] <= leaking
