"""What only Gitea does."""

from collections.abc import Iterator

import pytest

from pipeline_gitops.ci import CIContext, ForgeKind
from pipeline_gitops.forges.gitea import Gitea
from pipeline_gitops.ports import CommitStatus, StatusState
from tests.fakes.gitea import FakeGitea

SHA = "ab" * 20


@pytest.fixture
def server() -> Iterator[FakeGitea]:
    """A Gitea."""
    made = FakeGitea()
    yield made
    made.close()


def test_pages_are_as_large_as_the_administrator_allows(server: FakeGitea) -> None:
    """Taken for the last page, a short one would hide the review that a deploy is held to."""
    server.largest_page = 20
    context = CIContext(
        forge=ForgeKind.GITEA, api_url=server.api_url, project="shop/deploy", token="writer"
    )
    forge = Gitea(context, pause=lambda _: None)
    for number in range(45):
        forge.set_status(CommitStatus(sha=SHA, context=f"{number}", state=StatusState.SUCCESS))

    found = forge.status_history(SHA)
    forge.close()

    assert [one.context for one in found] == [f"{number}" for number in range(44, -1, -1)]
