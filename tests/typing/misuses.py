"""Misuses that the type checker must reject; test_typing.py counts every `# rejected` line.

Never run: only `mypy --strict` reads this file.
"""

from collections.abc import Generator

from pipeline_gitops import masks, reports
from pipeline_gitops.documents import Body
from pipeline_gitops.errors import Verdict
from pipeline_gitops.inventories import Inventory, Owner
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.plans import Change, Outcome
from pipeline_gitops.ports import Forge, Journal, MergeRequest, Note, ReadTarget, Target
from pipeline_gitops.reports import Shown
from pipeline_gitops.views import Report, Result


def writes_through_a_read_target(target: ReadTarget, inventory: Inventory) -> None:
    target.claim(inventory)  # rejected: attr-defined


def writes_without_a_claim(target: Target, change: Change) -> Generator[Outcome, None, None]:
    yield from target.apply([change])  # rejected: attr-defined


def prints_an_unsealed_report(report: Report) -> Shown:
    return reports.markdown(report, limit=1000)  # rejected: arg-type


def posts_an_unshown_text(forge: Forge, request: MergeRequest, text: str) -> Note:
    return forge.create_note(request, text)  # rejected: arg-type


def changes_a_body(manifest: Manifest) -> None:
    manifest.body["kind"] = "Other"  # rejected: index


def changes_a_value(result: Result) -> None:
    result.verdict = Verdict.OK  # rejected: misc


def takes_an_owner_for_a_name(owner: Owner) -> Inventory:
    return Inventory(owner=owner.environment)  # rejected: arg-type


def says_a_body(journal: Journal, body: Body) -> None:
    journal.say(body)  # rejected: arg-type


def seals_by_hand(report: Report) -> masks.Sealed:
    return report  # rejected: return-value
