"""`validate`: files, or what the environments render, against their schemas."""

import os
from typing import Any

import click

from pipeline_gitops import documents, manifests
from pipeline_gitops.cli import options, publishing
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.session import Session
from pipeline_gitops.documents import Document
from pipeline_gitops.errors import RejectedFault, UsageFault, Verdict
from pipeline_gitops.overlays import files
from pipeline_gitops.pipeline import reviews
from pipeline_gitops.ports import Tree
from pipeline_gitops.validation import validate
from pipeline_gitops.views import Finding, Result, Severity


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path())
@options.basic
def command(paths: tuple[str, ...], **values: Any) -> int:
    """Checks manifests against their schemas.

    With PATHS it checks those files and folders, and needs neither a configuration nor a
    repository. Without, it checks what the environments render.

    \b
    Examples:
      pipeline-gitops validate deploy/base/catalog/deployment.yaml
      pipeline-gitops validate --environment staging --report json=report.json
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    session = sessions.start(flags, os.environ)
    results = _of_paths(session, paths) if paths else _of_environments(session)
    made = publishing.report(session, "validate", results=results)
    return publishing.publish(session, publishing.seal(session, made), files_wanted)


def _of_environments(session: Session) -> list[Result]:
    git = sessions.repository(session)
    config = sessions.load(session, git.root)
    chosen = sessions.chosen(session, config)
    workshop = sessions.workshop(session, config)
    prepared = reviews.prepare(chosen, Tree(git.root), workshop)
    return [reviews.checked(one) for one in prepared]


def _of_paths(session: Session, paths: tuple[str, ...]) -> list[Result]:
    found: list[Document] = []
    findings: list[Finding] = []
    for path in paths:
        for name in _names(path):
            with open(name, "rb") as file:
                read, wrong = documents.read(file.read(files.LARGEST + 1), name)
            found += read
            findings += wrong
    if not found and not findings:
        raise RejectedFault("no manifest in " + ", ".join(paths), "name files that hold manifests")
    reviews.hide(session.console, (document.body for document in found))
    kinds = sessions.packed_kinds()
    set_, twice = manifests.resolve(found, kinds, "")
    version = session.flags.kubernetes_version
    checked = validate(set_.manifests, sessions.catalog(), version=version)
    findings += (*twice, *checked, *manifests.unknown_scope(set_, kinds, found))
    rejected = any(finding.severity is Severity.ERROR for finding in findings)
    return [
        Result(
            environment=", ".join(paths),
            objects=len(set_.manifests),
            findings=tuple(findings),
            verdict=Verdict.REJECTED if rejected else Verdict.OK,
        )
    ]


def _names(path: str) -> list[str]:
    if os.path.isdir(path):
        return [os.path.join(path, name) for name in files.manifests_below(path, ".")]
    if not os.path.isfile(path):
        raise UsageFault(f"{path}: no such file or folder", "correct the path")
    return [path]
