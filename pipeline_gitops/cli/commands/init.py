"""`init`: discovery, written down."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import click

from pipeline_gitops import documents, overlays, reports
from pipeline_gitops.cli import options
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.config import FILE, Environment
from pipeline_gitops.errors import UsageFault


@click.command("init")
@click.option("--force", is_flag=True, help="Replace a configuration that is there already.")
@options.repository
def command(force: bool, **values: Any) -> int:
    """Writes a configuration from what it finds.

    \b
    Examples:
      pipeline-gitops init
    """
    session = sessions.start(options.flags(values), os.environ)
    git = sessions.repository(session)
    path = os.path.join(git.root, FILE)
    if os.path.lexists(path) and not force:
        raise UsageFault(f"{FILE} is there already", "edit it, or replace it with --force")
    found = overlays.discover(git.root)
    if not found:
        raise UsageFault(
            "no environment: no kustomization and no Kubernetes manifests were found",
            "add manifests first",
        )
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in _lines(found))
    except OSError as error:
        raise UsageFault(f"{FILE}: {error.strerror}", "make the repository writable") from None
    names = ", ".join(environment.name for environment in found)
    amount = "1 environment" if len(found) == 1 else f"{len(found)} environments"
    session.console.show(reports.sentence(f"wrote {FILE} with {amount}: {names}"))
    left = overlays.passed_over(git.root)
    if left:
        session.console.say(f"manifests that none of them renders: {', '.join(left)}")
    session.console.say("give each a target in it, commit it, then try: pipeline-gitops diff")
    return 0


def _lines(environments: Sequence[Environment]) -> Iterator[str]:
    yield "# Format: docs/configuration.md. Each environment still needs a target, one of:"
    yield "#   target: {cluster: {context: NAME, namespace: NAME}}"
    yield "#   target: {directory: {path: rendered/NAME}}"
    yield "#   target: {branch: {name: rendered/NAME}}"
    yield "version: 1"
    yield "environments:"
    for environment in environments:
        yield f"  {_scalar(environment.name)}:"
        yield f"    path: {_scalar(environment.overlay.path)}"


def _scalar(text: str) -> str:
    return documents.write([{"s": text}]).partition("s: ")[2].strip()
