"""What a report on a merge request costs at each forge, in requests."""

from pipeline_gitops.pipeline.merge_requests import notes
from pipeline_gitops.pipeline.merge_requests.notes import Posting, Sharing, Stamp
from tests.contract.forges.worlds import MERGE_REQUEST, World
from tests.fakes.world import FakeClock
from tests.unit.reports.samples import change, report, reviewed

ENVIRONMENTS = ("dev", "staging", "prod")


def report_three(world: World, *, run: int) -> Posting:
    """One job reports on three environments."""
    made = report(*(reviewed(change(), environment=name) for name in ENVIRONMENTS))
    sharing = Sharing(environments=3, legs=ENVIRONMENTS)
    forge = world.connect()
    return notes.report_on(MERGE_REQUEST, made, Stamp(run=run), forge, FakeClock(), sharing).how


def test_three_environments_are_created_in_three_requests(world: World) -> None:
    """Who we are, what is there, one write."""
    how = report_three(world, run=1)

    assert how is Posting.CREATED
    assert len(world.server.seen) <= 3
    assert world.pauses == []


def test_three_environments_are_renewed_in_three_requests(world: World) -> None:
    """As many as for one."""
    report_three(world, run=1)
    world.server.seen.clear()

    how = report_three(world, run=2)

    assert how is Posting.EDITED
    assert len(world.server.seen) <= 3
    assert len(world.server.writes()) == 1


def test_what_stands_there_already_is_not_written(world: World) -> None:
    """The same job again reads, and is done."""
    report_three(world, run=1)
    world.server.seen.clear()

    how = report_three(world, run=1)

    assert how is Posting.UNCHANGED
    assert len(world.server.seen) <= 2
    assert world.server.writes() == []


def test_an_older_run_reads_and_goes(world: World) -> None:
    """It costs no write, and changes nothing."""
    report_three(world, run=2)
    world.server.seen.clear()

    how = report_three(world, run=1)

    assert how is Posting.OUTDATED
    assert world.server.writes() == []
