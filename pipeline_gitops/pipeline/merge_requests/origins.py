"""Which merge request brought a commit to its branch.

A forge knows, but a moment late: the job of a merge can be faster than the forge's own index. Where
it does not know at all (merged on somebody's machine), the commit's first line may name a number,
which counts only if that merge request's head is part of the commit's history.
"""

from collections.abc import Mapping, Sequence

from pipeline_gitops.errors import ReportFault
from pipeline_gitops.inventories import Relation
from pipeline_gitops.patterns import pattern
from pipeline_gitops.ports import Clock, Commit, Forge, MergeRequest
from pipeline_gitops.values import dataclass

PAUSE_S = 2.0
MOST_CARRIED = 10  # merge requests, beside the newest, that a deploy is told on or asked about
MOST_COMMITS = 30  # that they are looked for in


@dataclass(frozen=True, slots=True)
class Carried:
    """A merge request, and the environments that it came to."""

    merge_request: MergeRequest
    environments: frozenset[str]


# "Add a cache (#12)", "Merge pull request #12 from ...", "Add a cache (!12)"
_NUMBERED = pattern(r"\((?:#|!)(\d{1,9})\)\s*$|^Merge (?:pull|merge) request [#!](\d{1,9})\b")


def origin(
    sha: str, subject: str, forge: Forge, clock: Clock, wait_s: float
) -> MergeRequest | None:
    """The merged merge request that a pushed commit comes from; None for a direct push.

    *subject*: the commit's first line. *wait_s*: how long the forge may take to know. Raises
    ReportFault where it cannot be asked.
    """
    until = clock.elapsed() + wait_s
    while True:
        known = _known(sha, subject, forge)
        if known is not None or clock.elapsed() + PAUSE_S > until:
            return known
        clock.sleep(PAUSE_S)


def carried(brought: Mapping[str, Sequence[Commit]], forge: Forge) -> tuple[Carried, ...]:
    """Merge requests that came with a deploy, and the environments that each came to.

    *brought*: by environment the commits since its last deploy, newest first. A merge queue brings
    several at once, and so does a deploy whose predecessors were superseded. At most ten are told.
    """
    known: dict[str, MergeRequest | None] = {}
    found: dict[int, Carried] = {}
    for environment, commits in brought.items():
        for commit in commits:
            if commit.sha not in known:
                if len(found) == MOST_CARRIED:
                    break
                known[commit.sha] = _known(commit.sha, commit.subject, forge)
            one = known[commit.sha]
            if one is not None:
                others = found[one.number].environments if one.number in found else frozenset()
                found[one.number] = Carried(one, others | {environment})
    return tuple(found.values())


def _known(sha: str, subject: str, forge: Forge) -> MergeRequest | None:
    merged = [one for one in forge.merge_requests_of(sha) if one.state == "merged"]
    if merged:
        return next((one for one in merged if one.merge_sha == sha), merged[0])
    return _named(sha, subject, forge)


def _named(sha: str, subject: str, forge: Forge) -> MergeRequest | None:
    found = _NUMBERED.search(subject)
    if found is None:
        return None
    try:
        named = forge.merge_request(int(found[1] or found[2]))
    except ReportFault:
        return None  # an issue's number, or another repository's
    if named.state != "merged" or not named.head_sha:
        return None
    is_part = named.merge_sha == sha or forge.compare(named.head_sha, sha) in (
        Relation.AHEAD,
        Relation.IDENTICAL,
    )
    return named if is_part else None
