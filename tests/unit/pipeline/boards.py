"""Sections, the note that holds them, and jobs that post them."""

from pipeline_gitops.pipeline.merge_requests import notes
from pipeline_gitops.pipeline.merge_requests.notes import NotePosted, Section, Stamp
from pipeline_gitops.ports import MergeRequest
from pipeline_gitops.reports import Shown
from pipeline_gitops.reports import notes as texts
from tests.fakes.forge import Board, FakeForge

MERGE_REQUEST = MergeRequest(number=7)
LIMIT = 65_536
LONG_AGO = "2025-01-01T00:00:00Z"


def section(
    key: str = "staging", body: str = "3 changes", *, run: int = 1, phase: int = 0
) -> Section:
    """A section as a job would post it."""
    return Section(key=key, stamp=Stamp(phase=phase, run=run, attempt=1), body=Shown(body))


def text(*sections: Section) -> str:
    """A note that holds these sections."""
    return texts.compose({one.key: one for one in sections}, limit=LIMIT)


def post(
    forge: FakeForge, *sections: Section, writers: int = 1, rank: int = 0, quiet: bool = False
) -> NotePosted:
    """Posts sections on the merge request."""
    clock = forge._clock
    return notes.upsert(
        forge, MERGE_REQUEST, sections, clock=clock, writers=writers, rank=rank, quiet=quiet
    )


def held(board: Board) -> dict[str, str]:
    """Key and text of every section in the one note that there is."""
    (body,) = board.bodies()
    return {one.key: one.body for one in texts.sections(body)}
