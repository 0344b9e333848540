"""The configuration: its format, its mistakes, and what a merge request may not widen."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops import config
from pipeline_gitops.cli.session import health_rules
from pipeline_gitops.config import (
    Binding,
    BranchSpec,
    ClusterSpec,
    Config,
    Deletes,
    DirectorySpec,
    Environment,
    FieldRule,
    Overlay,
    Policy,
    Scope,
)
from pipeline_gitops.errors import UsageFault

SCHEMAS = Path(__file__).parents[3] / "schemas"
SCHEMA = json.loads((SCHEMAS / "config.schema.json").read_text())

FULL = """\
version: 1
kubernetesVersion: "1.34"
environments:
  staging:
    path: deploy/overlays/staging/
    engine: kustomize
    target: {cluster: {context: staging, namespace: shop-staging}}
    policy: {prune: false, maxDeletes: 10%, timeout: 1h30m, wait: false}
  prod:
    path: deploy/overlays/prod
    target: {branch: {name: rendered/prod, path: manifests}}
    branch: main
    protected: true
    promoteFrom: staging
  mirror:
    path: ./deploy
    target: {directory: {path: rendered}}
    policy:
      maxDeletes: 0
      replace: true
      adoptFrom: [argocd, helm]
      retry: 5s
      objectTimeout: 2m
      stability: 0s
      patience: {restarts: 5, seconds: 90}
      scope: {namespaces: [shop, "shop-*"], clusterKinds: [Namespace]}
      fieldOwners:
        - {manager: keda*, decision: leave, fields: [.spec.replicas], kind: Deployment.apps}
        - {manager: old-tool, decision: take}
render: {kustomize: /opt/kustomize}
"""


def parse(text: str) -> Config:
    return config.parse(text.encode(), ".pipeline-gitops.yaml", SCHEMA)


def test_every_setting_has_its_value() -> None:
    """One example with all of them."""
    staging, prod, mirror = parse(FULL).environments

    assert Overlay(path="deploy/overlays/staging", engine=config.Engine.KUSTOMIZE) == (
        staging.overlay
    )
    assert ClusterSpec(context="staging", namespace="shop-staging") == staging.target
    assert Policy(prune=False, max_deletes=Deletes(percent=10), timeout_s=5400.0, wait=False) == (
        staging.policy
    )
    assert BranchSpec(name="rendered/prod", path="manifests") == prod.target
    assert (prod.branch, prod.protected, prod.promote_from) == ("main", True, "staging")
    assert DirectorySpec(path="rendered") == mirror.target
    assert Policy(
        max_deletes=Deletes(number=0),
        replace=True,
        adopt_from=("argocd", "helm"),
        retry_s=5.0,
        object_timeout_s=120.0,
        stability_s=0.0,
        patience_restarts=5,
        patience_s=90.0,
        scope=Scope(namespaces=("shop", "shop-*"), cluster_kinds=("Namespace",)),
        field_owners=(
            FieldRule(
                manager="keda*",
                decision="leave",
                fields=(".spec.replicas",),
                kind="Deployment.apps",
            ),
            FieldRule(manager="old-tool", decision="take"),
        ),
    ) == (mirror.policy)


@pytest.mark.parametrize(
    ("written", "binding"),
    [
        ("", Binding.WARN),
        ("binding: off", Binding.OFF),
        ("binding: 'off'", Binding.OFF),
        ("binding: warn", Binding.WARN),
        ("binding: require", Binding.REQUIRE),
    ],
)
def test_a_deploy_is_bound_as_it_is_written(written: str, binding: Binding) -> None:
    """Without quotes, YAML reads off as false."""
    text = f"version: 1\nenvironments: {{a: {{path: x, policy: {{{written}}}}}}}"

    (environment,) = parse(text).environments

    assert environment.policy.binding is binding


def test_an_empty_scope_is_no_missing_one() -> None:
    """Nothing allowed is not everything allowed."""
    text = "version: 1\nenvironments: {a: {path: x, policy: {scope: {namespaces: []}}}}"

    (environment,) = parse(text).environments

    assert Scope(namespaces=()) == environment.policy.scope


@pytest.mark.parametrize(
    ("text", "what", "cure"),
    [
        ("", "the file is empty", "version: 1"),
        ("environments: {}", ":1:1: the file: 'version' is missing", "configuration.md"),
        ("version: 2", ":1:10: version: must be 1", "configuration.md"),
        ("version: 1\nenviroments: {}", ":2:1: unknown key 'enviroments'", "'environments'"),
        (
            "version: 1\nenvironments:\n  a:\n    path: x\n    polcy: {}",
            ":5:5: unknown key 'polcy'",
            "did you mean 'policy'?",
        ),
        (
            "version: 1\nenvironments:\n  a:\n    path: x\n    xyzzy: 1",
            "unknown key 'xyzzy'",
            "known keys: branch, engine",
        ),
        (
            "version: 1\nenvironments: {a: {path: x, target: {directory: out}}}",
            "environments.a.target.directory: must be a mapping",
            "",
        ),
        ("version: 1\nenvironments: {a: {}}", ":2:19: environments.a: 'path' is missing", ""),
        (
            "version: 1\nenvironments: {a: {path: ../x}}",
            ":2:26: the path leaves the repository",
            "relative to the repository root",
        ),
        (
            "version: 1\nenvironments: {a: {path: x, target: {directory: {path: .}}}}",
            "the target directory is the repository itself",
            "directory of its own",
        ),
        (
            "version: 1\nenvironments: {a: {path: x, target: {cluster: {}, branch: {name: b}}}}",
            "needs exactly one of cluster, directory, branch",
            "",
        ),
        (
            "version: 1\nenvironments: {a: {path: x, policy: {timeout: 10 minutes}}}",
            "environments.a.policy.timeout: does not have the form",
            "",
        ),
        (
            "version: 1\nenvironments: {a: {path: x, policy: {adoptFrom: [argo]}}}",
            "environments.a.policy.adoptFrom.0: must be one of argocd, flux, helm, kapp, kluctl",
            "",
        ),
        (
            "version: 1\nenvironments: {a: {path: x, policy: {scope: {namespace: [b]}}}}",
            "unknown key 'namespace'",
            "did you mean 'namespaces'?",
        ),
        (
            "version: 1\nenvironments: {a: {path: x, policy: {fieldOwners: [{manager: m}]}}}",
            "'decision' is missing",
            "",
        ),
        (
            "version: 1\nenvironments: {a: {path: x, policy: {retry: 0s}}}",
            "policy.retry: a duration looks like",
            "",
        ),
        ("version: 1\nversion: 1", ":2:1: ", ""),
        ("version: [", ":", ""),
    ],
)
def test_a_mistake_is_told_with_file_line_and_cure(text: str, what: str, cure: str) -> None:
    """One line what and where, one line what to do."""
    with pytest.raises(UsageFault) as caught:
        parse(text)

    assert what in caught.value.what
    assert caught.value.what.startswith(".pipeline-gitops.yaml")
    assert cure in caught.value.cure
    assert "\n" not in caught.value.what


def test_a_wrong_value_is_not_repeated() -> None:
    """A token pasted into the wrong place must not be printed."""
    with pytest.raises(UsageFault) as caught:
        parse("version: 1\nkubernetesVersion: ghp_secretsecretsecret")

    assert "ghp_" not in caught.value.what + caught.value.cure


@pytest.mark.parametrize(
    "targets",
    [
        ("{directory: {path: rendered}}", "{directory: {path: ./rendered/}}"),
        ("{branch: {name: r}}", "{branch: {name: r, path: .}}"),
        ("{cluster: {inventory: {name: i}}}", "{cluster: {inventory: {name: i}}}"),
    ],
)
def test_two_environments_never_own_one_inventory(targets: tuple[str, str]) -> None:
    """Each would delete what the other wrote."""
    one, other = targets
    text = f"version: 1\nenvironments:\n  a: {{path: x, target: {one}}}\n"
    text += f"  b: {{path: z, target: {other}}}\n"

    with pytest.raises(UsageFault, match="a and b have the same target and inventory"):
        parse(text)


def test_two_environments_may_share_a_cluster() -> None:
    """Their inventories carry their names."""
    text = "version: 1\nenvironments:\n  a: {path: x, target: {cluster: {}}}\n"

    parsed = parse(text + "  b: {path: z, target: {cluster: {}}}\n")

    assert len(parsed.environments) == 2


@pytest.mark.parametrize(
    ("written", "seconds"), [("8s", 8.0), ("10m", 600.0), ("1h30m", 5400.0), ("1h0m5s", 3605.0)]
)
def test_durations(written: str, seconds: float) -> None:
    """Hours, minutes, seconds, in that order."""
    assert seconds == config.duration(written)


@pytest.mark.parametrize("written", ["", "5", "0s", "m", "1m1h", "-5s", "1.5h"])
def test_what_is_no_duration(written: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="looks like"):
        config.duration(written)


def environment(**fields: Any) -> Environment:
    return Environment(**{"name": "prod", "overlay": Overlay(path="x"), **fields})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("target", ClusterSpec(context="somewhere-else")),
        ("policy", Policy(prune=False)),
        ("policy", Policy(replace=True)),
        ("policy", Policy(adopt_from=("helm",))),
        ("policy", Policy(scope=Scope(namespaces=("kube-system",)))),
        ("policy", Policy(field_owners=(FieldRule(manager="*", decision="take"),))),
        ("policy", Policy(retry_s=3600.0)),
        ("policy", Policy(binding=Binding.OFF)),
        ("policy", Policy(binding_identity=("mallory",))),
        ("policy", Policy(object_timeout_s=1.0)),
        ("protected", True),
        ("branch", "feature"),
        ("promote_from", "dev"),
    ],
)
def test_a_merge_request_does_not_widen_its_permissions(field: str, value: Any) -> None:
    """What decides safety comes from the merge base; the change of it is a danger."""
    base = Config(environments=(environment(target=ClusterSpec(context="prod")),))
    head = Config(
        environments=(environment(**{"target": base.environments[0].target, field: value}),)
    )

    trusted, dangers = config.trusted(head, base)

    assert getattr(base.environments[0], field) == getattr(trusted.environments[0], field)
    assert [name for name, _ in dangers] == ["prod"]


def test_a_merge_request_may_move_what_is_rendered() -> None:
    """The overlay is what it is about."""
    base = Config(environments=(environment(),))
    head = Config(environments=(environment(overlay=Overlay(path="y")),))

    trusted, dangers = config.trusted(head, base)

    assert (trusted.environments[0].overlay.path, dangers) == ("y", ())


def test_a_new_environment_gets_no_target_before_the_merge() -> None:
    """Otherwise a merge request could point a job with credentials anywhere."""
    head = Config(environments=(environment(target=ClusterSpec(context="prod")),))

    trusted, dangers = config.trusted(head, Config())

    assert None is trusted.environments[0].target
    assert len(dangers) == 1


def test_the_tools_of_the_schema_are_those_of_the_program() -> None:
    """The flag and the setting know the same."""
    enum = SCHEMA["$defs"]["policy"]["properties"]["adoptFrom"]["items"]["enum"]

    assert tuple(enum) == config.TOOLS


def test_health_rules_are_those_of_their_own_schema() -> None:
    """An editor checks them in the configuration as it does in a packed file."""
    rules = json.loads((SCHEMAS / "health.schema.json").read_text(encoding="utf-8"))

    assert SCHEMA["properties"]["health"]["items"] == rules["items"]
    assert {key: SCHEMA["$defs"][key] for key in rules["$defs"]} == rules["$defs"]


def test_a_mistake_in_a_health_rule_is_told_with_its_line() -> None:
    """Before anything is done."""
    text = """version: 1
health:
  - group: example.com
    kind: Shop
    current: status.phase ==
"""
    read = parse(text)

    with pytest.raises(UsageFault, match=r"\.pipeline-gitops\.yaml:5"):
        health_rules(read)


def test_health_rules_are_read() -> None:
    """For all environments."""
    rule = "{group: example.com, kind: Shop, current: {path: status.open}}"

    rules = health_rules(parse(f"version: 1\nhealth: [{rule}]"))

    assert rules.rule_for("example.com", "Shop") is not None
