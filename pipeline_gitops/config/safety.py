"""What a merge request may not widen.

Target, policy and protection of an environment are read from the merge base: whoever can only edit
files in a merge request must not choose the cluster, switch the guards off or raise the limits. Its
change of them is shown as a danger and holds from the merge on.
"""

from dataclasses import replace

from pipeline_gitops.config.values import Config, Environment


def trusted(head: Config, base: Config) -> tuple[Config, tuple[tuple[str, str], ...]]:
    """The head's configuration with the base's safety, and what that left out.

    The second value is pairs of environment and sentence. An environment that the base does not
    know keeps its overlay but loses its target: it is rendered and compared with the base only.
    """
    dangers: list[tuple[str, str]] = []
    environments = []
    for environment in head.environments:
        before = base.environment(environment.name)
        environments.append(_trusted(environment, before))
        dangers += [(environment.name, text) for text in _differences(environment, before)]
    return replace(head, environments=tuple(environments), engine=base.engine), tuple(dangers)


def _trusted(environment: Environment, before: Environment | None) -> Environment:
    if before is None:
        return replace(environment, target=None)
    return replace(
        environment,
        target=before.target,
        policy=before.policy,
        protected=before.protected,
        branch=before.branch,
        promote_from=before.promote_from,
    )


def _differences(environment: Environment, before: Environment | None) -> list[str]:
    if before is None:
        return [f"environment {environment.name} is new: its target is used from the merge on"]
    changed = [
        name
        for name, old, new in (
            ("target", before.target, environment.target),
            ("policy", before.policy, environment.policy),
            ("protected", before.protected, environment.protected),
            ("branch", before.branch, environment.branch),
            ("promoteFrom", before.promote_from, environment.promote_from),
        )
        if old != new
    ]
    if not changed:
        return []
    names = ", ".join(changed)
    return [f"this merge request changes {names} of {environment.name}; it holds from the merge on"]
