"""One call over several environments: connect each, prepare all, and review or deploy one by one.

A target that does not answer ends its own environment only; the others still get their result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline_gitops import forges, threads
from pipeline_gitops.ci import Trigger
from pipeline_gitops.cli import consulting, posting, targets
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.couriers import Courier
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import Config, DirectorySpec, Environment, Rollback
from pipeline_gitops.config import trusted as trust
from pipeline_gitops.errors import Fault, RefusedFault, ReportFault, UsageFault
from pipeline_gitops.git import Git
from pipeline_gitops.inventories import Relation, Stamp
from pipeline_gitops.pipeline import recoveries, reviews
from pipeline_gitops.pipeline.executions import FORWARDS, Course, Order
from pipeline_gitops.pipeline.merge_requests import milestones
from pipeline_gitops.pipeline.recoveries import Prepare, Ready
from pipeline_gitops.pipeline.reviews import Prepared, Question
from pipeline_gitops.pipeline.successions import Compare
from pipeline_gitops.plans import Confirmation
from pipeline_gitops.ports import Target, Tree
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Result, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The targets that answered, and the faults of those that did not, by environment."""

    targets: Mapping[str, Target]
    faults: Mapping[str, Fault]


def connect(session: Session, git: Git, environments: Sequence[Environment]) -> Connected:
    """Every environment's target, asked once for the kinds it serves.

    All are asked at a time: one that is away for a minute takes nothing of the others' time.
    """
    made: dict[str, Target] = {}
    faults: dict[str, Fault] = {}
    for environment in environments:
        try:
            made[environment.name] = targets.connect(session, git, environment)
        except Fault as fault:
            faults[environment.name] = fault
    answers = threads.each(_asked, made.values(), session.clock)
    faults |= {name: answer for name, answer in zip(made, answers, strict=True) if answer}
    there = {name: target for name, target in made.items() if name not in faults}
    return Connected(targets=there, faults=faults)


def _asked(target: Target) -> Fault | None:
    """Why a target does not say what it serves; None where it does, and remembers it."""
    try:
        target.kinds()
    except Fault as fault:
        return fault
    return None


def prepare(
    session: Session,
    config: Config,
    environments: Sequence[Environment],
    tree: Tree,
    connected: Connected,
) -> tuple[Prepared, ...]:
    """Every environment rendered, resolved and validated."""
    served = {name: target.kinds() for name, target in connected.targets.items()}
    return reviews.prepare(environments, tree, sessions.workshop(session, config), served)


def review(
    session: Session,
    prepared: Sequence[Prepared],
    connected: Connected,
    questions: Mapping[str, Question],
) -> list[Result]:
    """What would happen to each environment."""
    results = []
    for one in prepared:
        name = one.environment.name
        question = replace(questions[name], target=connected.targets.get(name))
        result = reviews.review(one, question, session.console)
        fault = connected.faults.get(name)
        results.append(reviews.failed(result, fault) if fault else result)
    return results


def deploy(
    session: Session,
    git: Git,
    prepared: Sequence[Prepared],
    connected: Connected,
    *,
    stamp: Stamp,
    wait: bool | None,
    confirmation: Mapping[str, Confirmation],
    course: Course = FORWARDS,
    today: Config | None = None,
    committed: bool = True,
    courier: Courier | None = None,
) -> list[Result]:
    """What became of each environment, and on the way for the forge how far it is.

    *today*: the configuration by which one that does not run goes back; None: none does.
    *committed*: the stamp's revision is all that is deployed.
    """
    look = None if course.rollback else consulting.look(session, git, prepared, stamp.revision)
    results = []
    for number, one in enumerate(prepared):
        environment = one.environment
        order = Order(
            prepared=one,
            stamp=stamp,
            confirmation=confirmation[environment.name],
            wait=environment.policy.wait if wait is None else wait,
            deadline=session.deadline(environment),
            course=course,
            committed=committed,
            look=look,
        )
        if courier:
            courier.tell(milestones.running(environment.name))
        results.append(_deployed(session, git, order, connected, today))
        if courier:
            courier.tell(posting.milestone(session, results[-1]))
        back = results[-1].rollback
        if back:
            # The way back has time of its own: it is not taken from the environments after it.
            session = replace(session, started=session.started + back.seconds)
            rest = [other.environment for other in prepared[number + 1 :]]
            connected = connect(session, git, rest)
    return results


def _deployed(
    session: Session, git: Git, order: Order, connected: Connected, today: Config | None
) -> Result:
    """What became of one environment."""
    environment = order.prepared.environment
    fault = connected.faults.get(environment.name)
    if fault:
        return reviews.failed(reviews.checked(order.prepared), fault)
    target = connected.targets[environment.name]
    goes_back = order.wait and environment.policy.rollback is Rollback.ON_FAILURE
    session.console.say(f"deploying {environment.name} to {target.name}")
    return recoveries.deploy(
        order,
        target,
        repository=git,
        clock=session.clock,
        journal=session.console,
        compare=comparison(session),
        prepare=way_back(session, git, order.prepared, today) if goes_back and today else None,
    )


def way_back(session: Session, git: Git, failed: Prepared, today: Config) -> Prepare:
    """Prepares an environment at an older revision, for the target and by the policy of today."""
    name = failed.environment.name

    def prepare(revision: str) -> Ready:
        fresh = replace(session, started=session.clock.elapsed())  # with the whole time once more
        with git.tree(revision) as tree:
            config, _ = trust(sessions.load(fresh, tree.root), today)
            environment = config.environment(name)
            if environment is None:
                raise RefusedFault(
                    f"{revision[:7]} has no environment {name}: there is nothing to go back to",
                    "push a fix, or revert the change",
                )
            target = targets.connect(fresh, git, environment)
            served = {name: target.kinds()}
            workshop = sessions.workshop(fresh, config)
            (prepared,) = reviews.prepare([environment], tree, workshop, served)
        return Ready(prepared=prepared, target=target, deadline=fresh.deadline(environment))

    return prepare


def comparison(session: Session) -> Compare:
    """Asks the forge how two commits relate, once that has to be asked at all."""

    def compare(base: str, head: str) -> Relation:
        try:
            forge = forges.connect(session.context, pause=session.clock.sleep)
            return forge.compare(base, head) if forge else Relation.UNKNOWN
        except ReportFault as fault:
            session.console.say(f"{fault.what}; {fault.cure}", Severity.WARNING)
            return Relation.UNKNOWN

    return compare


def stamp(session: Session, revision: str) -> Stamp:
    """How this run marks what it deploys."""
    context = session.context
    return Stamp(revision=revision, sequence=context.run_number, run_url=context.run_url)


def confirmation(
    session: Session, git: Git, revision: str, environment: str, *, flag: bool
) -> Confirmation:
    """Who confirmed dangerous deletes of an environment: the flag, a label, or a trailer."""
    if flag:
        return Confirmation(by="--confirm-deletes")
    if "pipeline-gitops/confirm-deletes" in session.context.labels:
        return Confirmation(by="label")
    for key, value in git.commit(revision).trailers:
        if key == "confirm-deletes" and value.strip() == environment:
            return Confirmation(by="trailer")
    return Confirmation()


def refuse_uncommitted(git: Git, config: Config) -> None:
    """Raises RefusedFault while tracked files have changes that no commit holds.

    What lies in a directory target is our own writing and no input.
    """
    written = tuple(
        environment.target.path + "/"
        for environment in config.environments
        if isinstance(environment.target, DirectorySpec)
    )
    changed = [path for path in git.uncommitted() if not path.startswith(written)]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise RefusedFault(
            f"uncommitted changes in {', '.join(changed[:3])}{more}",
            "commit them, or deploy the work tree with --allow-dirty",
        )


def base_of(session: Session, git: Git, head: str) -> str:
    """The commit that a merge request is compared with: where it left its base branch.

    Raises UsageFault with the cure when the clone does not hold it.
    """
    context = session.context
    branch = context.base_branch or context.default_branch or "main"
    candidates = [context.base_sha] if context.base_sha else [f"origin/{branch}", branch]
    for candidate in candidates:
        if not git.ensure(candidate):
            continue
        found = git.merge_base(candidate, head)
        if found:
            return found
        # The clone is too shallow to tell where they parted: the base's own commit is the next best
        # answer, and what the forge itself shows.
        if context.base_sha:
            return candidate
    shallow = "fetch more history (fetch-depth: 0, GIT_DEPTH: 0), or " if git.is_shallow() else ""
    raise UsageFault(
        f"the base of this change is not in the clone (looked for {', '.join(candidates)})",
        f"{shallow}name the base branch with PIPELINE_GITOPS_BASE_BRANCH",
    )


def trusted(
    session: Session, head: Config, base: Config
) -> tuple[Config, Mapping[str, tuple[str, ...]]]:
    """The head's configuration with the base's safety, and sentences by environment."""
    if session.context.trigger is not Trigger.MERGE_REQUEST:
        return head, {}
    config, pairs = trust(head, base)
    dangers: dict[str, tuple[str, ...]] = {}
    for name, sentence in pairs:
        dangers[name] = (*dangers.get(name, ()), sentence)
    return config, dangers
