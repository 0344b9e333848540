"""Reports for the tests of formats, small and hostile ones."""

import itertools
from dataclasses import replace

from hypothesis import strategies as st

from pipeline_gitops import masks
from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.masks import Sealed
from pipeline_gitops.views import (
    Action,
    CardView,
    ChangeView,
    FaultView,
    Finding,
    Health,
    HealthView,
    PlanView,
    Refusal,
    Report,
    Result,
    RolloutView,
    Severity,
    WrittenView,
)

API = ObjectId("apps", "Deployment", "shop", "api")
DATA = ObjectId("", "PersistentVolumeClaim", "shop", "db-data")
RUN_URL = "https://forge.example/shop/deploy/actions/runs/17"
FILES_URL = "https://forge.example/shop/deploy/blob/9f28425"


def named(name: str) -> ObjectId:
    """A Deployment of that name beside the others."""
    return ObjectId("apps", "Deployment", "shop", name)


def change(action: Action = Action.UPDATE, *, id: ObjectId = API, lines: int = 2) -> ChangeView:
    """A change with a diff of that many lines."""
    return ChangeView(id=id, action=action, lines=tuple(f"+line {n}" for n in range(lines)))


def numbered(count: int, *, lines: int = 2) -> tuple[ChangeView, ...]:
    """Changes of that many different objects."""
    return tuple(change(id=named(f"api-{number:04}"), lines=lines) for number in range(count))


def reviewed(*changes: ChangeView, environment: str = "prod") -> Result:
    """A reviewed environment of a cluster, with these changes."""
    plan = PlanView(compared="cluster prod", changes=changes, unchanged=3, digest="3f2a9c1d")
    return Result(environment=environment, target="cluster prod", objects=9, plans=(plan,))


def deployed(*changes: ChangeView, rollout: RolloutView | None) -> Result:
    """A deployed environment; *rollout* None: its target cannot observe."""
    written = tuple(WrittenView(id=one.id, action=one.action, state="done") for one in changes)
    return replace(reviewed(*changes), written=written, rollout=rollout)


def rollout(*sick: ObjectId) -> RolloutView:
    """A rollout of three objects, and of these that failed."""
    well = (HealthView(id=named(name), health=Health.CURRENT) for name in "abc")
    ill = (HealthView(id=id, health=Health.FAILED, sentence="cannot pull") for id in sick)
    return RolloutView(objects=(*well, *ill))


def report(*results: Result, merge_request: int = 42, fault: FaultView | None = None) -> Sealed:
    """A sealed report of a run."""
    made = Report(
        command="run",
        revision="9f284253b1c0a7d8e9f00112233445566778899a",
        started_at="2026-03-09T21:14:05Z",
        version="0.1.0",
        repository="shop/deploy",
        merge_request=merge_request,
        run_url=RUN_URL,
        files_url=FILES_URL,
        results=results,
        fault=fault,
    )
    return masks.seal(made, ())


# -- hostile reports -----------------------------------------------------------------------------

_NASTY = (
    "@team",
    "@org/team ",
    "#12",
    "!34 &5 %6 ~bug $7 ",
    "GH-12",
    "/merge",
    "\n/close\n",
    "`",
    "``",
    "```",
    "````\n",
    "~~~",
    "<details>",
    "</details>",
    "</summary>",
    "<!-- pipeline-gitops:note v1 -->",
    "\n<!-- pipeline-gitops:end review -->",
    "<img src=x>",
    "<script>",
    "[x](javascript:a)",
    "![x](http://evil.example)",
    "https://evil.example",
    "www.evil.example",
    "a@evil.example",
    "|",
    "\\",
    "\\|",
    "*",
    "_",
    "\n",
    "\n\n",
    " ",
    "    ",
    "\t",
    "\r",
    "\u2028",
    "\u200b",
    "\u202e",
    "- ",
    "1. ",
    "> ",
    "===",
    "&lt;",
    ":tada:",
    "::error::",
    "##[error]",
    "\x1b[31m",
    "\ud800",
    "x",
    "name",
)
# Each fragment alone, and each before each: drawing one of them is cheap, a report draws hundreds.
_PAIRS = ["".join(pair) for pair in itertools.product(_NASTY, repeat=2)]
nasty = st.one_of(st.sampled_from(_NASTY), st.sampled_from(_PAIRS), st.text(max_size=6))
_lines = st.lists(nasty, max_size=4).map(tuple)
_ids = st.builds(ObjectId, nasty, nasty, nasty, nasty)
_places = st.builds(Place, nasty, st.integers(0, 99), st.integers(0, 99))
_changes = st.builds(
    ChangeView,
    id=_ids,
    action=st.sampled_from(Action),
    lines=_lines,
    predicted=nasty,
    note=nasty,
    place=_places,
)
_plans = st.builds(
    PlanView, compared=nasty, changes=st.lists(_changes, max_size=4).map(tuple), digest=nasty
)
_faults = st.none() | st.builds(
    FaultView, message=nasty, cure=nasty, verdict=st.sampled_from(Verdict)
)


def _some(strategy: st.SearchStrategy[object], most: int = 2) -> st.SearchStrategy[object]:
    return st.lists(strategy, max_size=most).map(tuple)


_results = st.builds(
    Result,
    environment=nasty,
    target=nasty,
    engine=nasty,
    objects=st.integers(0, 9),
    findings=_some(
        st.builds(
            Finding,
            rule=nasty,
            message=nasty,
            cure=nasty,
            severity=st.sampled_from(Severity),
            place=_places,
            pointer=nasty,
            id=st.none() | _ids,
        )
    ),
    plans=_some(_plans, 2),
    refusals=_some(st.builds(Refusal, rule=nasty, message=nasty, cure=nasty, id=st.none() | _ids)),
    dangers=_some(nasty, 7),
    notices=_some(nasty),
    written=_some(
        st.builds(
            WrittenView,
            id=_ids,
            action=st.sampled_from(Action),
            state=st.sampled_from(["done", "refused"]) | nasty,
            message=nasty,
        )
    ),
    rollout=st.none()
    | st.builds(
        RolloutView,
        objects=_some(
            st.builds(HealthView, id=_ids, health=st.sampled_from(Health), sentence=nasty)
        ),
        timed_out=st.booleans(),
    ),
    cards=_some(
        st.builds(
            CardView,
            id=_ids,
            cause=nasty,
            chain=_lines,
            events=_lines,
            log=_lines,
            cure=nasty,
            place=_places,
        ),
        2,
    ),
    fault=_faults,
    verdict=st.sampled_from(Verdict),
)
hostile = st.builds(
    Report,
    command=nasty,
    revision=nasty,
    started_at=nasty,
    version=nasty,
    repository=nasty,
    merge_request=st.integers(0, 99),
    run_url=st.sampled_from([RUN_URL, "", "javascript:alert(1)"]),
    files_url=st.sampled_from([FILES_URL, ""]),
    results=_some(_results),
    notices=_some(nasty),
    fault=_faults,
)
