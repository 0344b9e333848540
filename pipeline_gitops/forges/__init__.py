"""A file per forge: merge requests, notes and commit statuses, as the port wants them."""

import time
from collections.abc import Callable
from typing import assert_never

from pipeline_gitops.ci import CIContext, ForgeKind
from pipeline_gitops.errors import ReportFault
from pipeline_gitops.ports import Forge


def connect(context: CIContext, *, pause: Callable[[float], None] = time.sleep) -> Forge | None:
    """The forge that the CI job speaks of; None where it names none, or has no token for it.

    Sends nothing yet. *pause* waits between two tries of a read; a clock's `sleep` can be stopped.
    Raises ReportFault where the job does not say where the forge is: a token is not tried out on
    the public one; and for a token that no header can carry.
    """
    project = context.project or context.project_id
    if not context.token or not project:
        return None
    address = context.api_url or context.server_url
    if context.forge is not ForgeKind.NONE and not address.startswith(("https://", "http://")):
        raise ReportFault(
            f"the job has a token but not the address of its {context.forge.value}",
            "set GITHUB_API_URL or CI_API_V4_URL, as their own runners do",
        )
    if not context.token.isascii() or not context.token.isprintable() or " " in context.token:
        raise ReportFault(
            f"{context.token_name or 'the token'} is not a token: it holds blanks or other signs "
            "that no token has",
            "copy the token alone into the variable, as the forge showed it",
        )
    match context.forge:
        case ForgeKind.GITHUB:
            from pipeline_gitops.forges.github import GitHub

            return GitHub(context, pause=pause)
        case ForgeKind.GITLAB:
            from pipeline_gitops.forges.gitlab import GitLab

            return GitLab(context, pause=pause)
        case ForgeKind.GITEA:
            from pipeline_gitops.forges.gitea import Gitea

            return Gitea(context, pause=pause)
        case ForgeKind.NONE:
            return None
        case other:
            assert_never(other)
