"""What reviews left on two merge requests, the older of which was not deployed when the newer was
merged."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline_gitops import masks, plans
from pipeline_gitops.config import Binding, Environment, Overlay, Policy
from pipeline_gitops.pipeline.merge_requests import bindings, milestones
from pipeline_gitops.pipeline.merge_requests.bindings import Bound, Reviewed
from pipeline_gitops.pipeline.merge_requests.inquiries import Evidence, Inquiries, Inquiry, Unproven
from pipeline_gitops.pipeline.merge_requests.milestones import Milestone
from pipeline_gitops.plans import Plan, Sight
from pipeline_gitops.ports import Commit, CommitStatus, MergeRequest, StatusState
from pipeline_gitops.reports import notes
from pipeline_gitops.reports.notes import Stamp
from pipeline_gitops.views import ChangeView, PlanView, Report, Result
from tests.fakes.forge import Board, FakeForge, Stage
from tests.unit.plans.bodies import body, created, deleted, id_of, survey

HEAD, MERGE, OTHER = "a" * 40, "b" * 40, "c" * 40
OLDER_HEAD, OLDER_MERGE, DEPLOYED = "d" * 40, "e" * 40, "f" * 40
REQUEST = MergeRequest(number=7, state="merged", head_sha=HEAD, merge_sha=MERGE)
OLDER = MergeRequest(number=6, state="merged", head_sha=OLDER_HEAD, merge_sha=OLDER_MERGE)


def planned(*sights: Sight) -> Plan:
    return plans.compute(survey(*sights), prune=True)


def updated(name: str = "a", after: str = "2", **more: str) -> Sight:
    old, new = body(name=name, data={"k": "1"}), body(name=name, data={"k": after, **more})
    return Sight(id=id_of(name=name), before=old, after=new)


PLAN = planned(updated("a"), created(name="b"), deleted(name="c"))


class Review:
    """What reviews left on merge request 7, and on 6 before it; one commit is deployed."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.board = Board()
        self.board.brought = {MERGE: [REQUEST], OLDER_MERGE: [OLDER]}
        self.commits: Sequence[Commit] = (Commit(sha=MERGE), Commit(sha=OLDER_MERGE))
        self.forge = FakeForge(self.stage, self.board)

    def status(
        self, plan: Plan | None = PLAN, *, commit: str = HEAD, by: str = "bot", env: str = "prod"
    ) -> None:
        """A commit status as a review sets it; *plan* None: it did not ask the target."""
        digest = plans.digest(plan, plans.salt(env, commit)) if plan else ""
        one = Milestone(
            environment=env, state=StatusState.SUCCESS, description="3 to change", plan=digest
        )
        self.board.statuses.append(
            CommitStatus(
                sha=commit,
                context=f"pipeline-gitops/{env}",
                state=one.state,
                description=milestones.described(one, 140),
                creator=by,
            )
        )

    def note(
        self, plan: Plan = PLAN, *, commit: str = HEAD, by: str = "bot", limit: int = 65_536
    ) -> None:
        """A note as a review writes it."""
        salt = plans.salt("prod", commit)
        changes = tuple(ChangeView(id=one.id, action=one.action) for one in plan.changes)
        view = PlanView(
            compared="cluster prod",
            changes=changes,
            digest=plans.digest(plan, salt),
            change_digests=plans.change_digests(plan, salt),
        )
        made = Report(
            command="run", revision=commit, results=(Result(environment="prod", plans=(view,)),)
        )
        held = {
            section.key: section
            for section in notes.sections_of(masks.seal(made, ()), Stamp(), limit=limit)
        }
        added = self.board.add(by, notes.compose(held, limit=65_536))
        self.board.places[added.id] = 6 if commit == OLDER_HEAD else 7

    def shows(self, *sights: Sight, commit: str = HEAD) -> None:
        """A whole review, status and note."""
        self.status(planned(*sights), commit=commit)
        self.note(planned(*sights), commit=commit)

    def look(self, **inquiry: object) -> Inquiries:
        """How a deploy of the merge asks."""
        asked = replace(Inquiry(commit=MERGE), **inquiry)  # type: ignore[arg-type]
        return Inquiries(asked, self.forge, self.stage, lambda _since: self.commits)

    def evidence(self, **inquiry: object) -> Evidence:
        """What a deploy of the merge finds."""
        return self.look(**inquiry).own()

    def found(self, *identity: str, **inquiry: object) -> Reviewed | Unproven:
        """What that proves of environment prod."""
        evidence = self.evidence(identities=identity, **inquiry)
        return bindings.reviewed(evidence, "prod", identity)

    def bound(self, plan: Plan, *, required: bool = True) -> Bound:
        """What a deploy of that plan makes of it, where nothing else came with it."""
        return bindings.decide(plan, [self.found()], required=required)

    def carried(self, plan: Plan, *, required: bool = True) -> Bound:
        """What a deploy makes of it that carries both."""
        binding = Binding.REQUIRE if required else Binding.WARN
        environment = Environment(
            name="prod", overlay=Overlay(path="."), policy=Policy(binding=binding)
        )
        return bindings.bind(plan, environment, self.look(), DEPLOYED)
