"""What a note costs: to render one of 2,000 changes, and to post it at a forge 50 ms away.

Posted alone, and with the status and the deployment of its environment.

    make bench

Prints for each row what it took and the bar it must keep to. Medians.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # started as a program, only this folder is there

from pipeline_gitops.ci import CIContext, ForgeKind  # noqa: E402
from pipeline_gitops.cli.clocks import SystemClock  # noqa: E402
from pipeline_gitops.forges.github import GitHub  # noqa: E402
from pipeline_gitops.masks import Sealed, seal  # noqa: E402
from pipeline_gitops.pipeline.merge_requests import deliveries, notes  # noqa: E402
from pipeline_gitops.pipeline.merge_requests.deliveries import Address  # noqa: E402
from pipeline_gitops.pipeline.merge_requests.milestones import Recorder  # noqa: E402
from pipeline_gitops.pipeline.merge_requests.notes import Sharing, Stamp  # noqa: E402
from pipeline_gitops.ports import MergeRequest  # noqa: E402
from pipeline_gitops.reports import notes as texts  # noqa: E402
from tests.fakes.github import FakeGitHub  # noqa: E402
from tests.fakes.servers import Reply, Request  # noqa: E402
from tests.unit.reports.samples import numbered, report, reviewed  # noqa: E402

RUNS = 5
CHANGES = 2_000
LINES = 30
LATENCY_S = 0.05
BAR_S = 1.0
LIMITS = {"GitHub": 65_536, "Gitea": 262_144, "GitLab": 1_000_000}


class FarGitHub(FakeGitHub):
    """Answers after the time that a request takes around the world."""

    def answer(self, request: Request) -> Reply:
        time.sleep(LATENCY_S)
        return super().answer(request)


def main() -> int:
    """Exit code 1 when a bar is missed."""
    kept = [render(name, limit) for name, limit in LIMITS.items()]
    kept.append(post())
    kept.append(deliver())
    return 0 if all(kept) else 1


def render(forge: str, limit: int) -> bool:
    """A note of 2,000 changes, sections and first lines."""
    large = large_report()

    def once() -> None:
        made = texts.sections_of(large, Stamp(), limit=limit)
        body = texts.compose(texts.union(made), limit=limit)
        assert len(body) <= limit

    return row(f"note of {CHANGES} changes, {forge}", taken(once))


def large_report() -> Sealed:
    """One environment, every object of which changes, each with digest and paths."""
    changes = [
        replace(one, paths=("/spec/replicas", "/spec/template/spec/containers"))
        for one in numbered(CHANGES, lines=LINES)
    ]
    result = reviewed(*changes)
    digests = tuple(f"d{number:014}" for number in range(CHANGES))
    plan = replace(result.plans[0], change_digests=digests)
    return seal(report(replace(result, plans=(plan,))), ())


def post() -> bool:
    """One writer, three environments, a forge that is far away."""
    server = FarGitHub()
    clock = SystemClock()
    names = ("dev", "staging", "prod")
    made = report(*(reviewed(*numbered(20), environment=name) for name in names))
    runs = iter(range(1, RUNS + 2))

    def once() -> None:
        context = CIContext(
            forge=ForgeKind.GITHUB, api_url=server.api_url, project="shop/deploy", token="writer-1"
        )
        client = GitHub(context, pause=clock.sleep)
        sharing = Sharing(environments=3, legs=names)
        stamp = Stamp(run=next(runs))
        notes.report_on(MergeRequest(number=7), made, stamp, client, clock, sharing)
        client.close()

    try:
        seconds = taken(once)
        requests = len(server.seen) / (RUNS + 1)
    finally:
        server.close()
    return row(f"note posted, {requests:.1f} requests of {LATENCY_S * 1000:.0f} ms", seconds)


def deliver() -> bool:
    """All that the end of a deploy tells: status, deployment, note, what they are told of."""
    server = FarGitHub()
    clock = SystemClock()
    made = report(reviewed(*numbered(20), environment="prod"))
    address = Address(sha="a" * 40, merge_request=7, run_url="https://ci.example/runs/1")
    runs = iter(range(1, RUNS + 2))

    def once() -> None:
        context = CIContext(
            forge=ForgeKind.GITHUB, api_url=server.api_url, project="shop/deploy", token="writer-1"
        )
        client = GitHub(context, pause=clock.sleep)
        recorder = Recorder(client, address.sha, address.run_url, deploys=True)
        stamp = Stamp(phase=1, run=next(runs))
        told = [*deliveries.deliver(made, address, stamp, recorder, client, clock)]
        assert not [one.fault for one in told if one.fault], told
        client.close()

    try:
        seconds = taken(once)
        requests = len(server.seen) / (RUNS + 1)
    finally:
        server.close()
    return row(f"whole report, {requests:.1f} requests of {LATENCY_S * 1000:.0f} ms", seconds)


def taken(act: Callable[[], None]) -> float:
    """The median of some runs, after one to warm up."""
    act()
    found = []
    for _ in range(RUNS):
        started = time.perf_counter()
        act()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def row(name: str, seconds: float) -> bool:
    """Whether the bar is kept."""
    kept = seconds <= BAR_S
    print(f"{name:<44} {seconds:7.3f} s   bar {BAR_S:.1f} s   {'ok' if kept else 'MISSED'}")
    return kept


if __name__ == "__main__":
    sys.exit(main())
