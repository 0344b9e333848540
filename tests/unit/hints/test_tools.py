"""Each tool's annotations, as its own documentation writes them."""

import doctest
import importlib
from typing import Any

import pytest

from pipeline_gitops import hints
from pipeline_gitops.hints import HookDelete, HookPhase
from pipeline_gitops.ids import ObjectId

TOOLS = ("ours", "argocd", "helm", "flux", "krane", "kapp", "kluctl", "cliutils")


def job(**annotations: str) -> dict[str, Any]:
    metadata = {"name": "migrate", "namespace": "shop", "annotations": annotations}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}


def said(**annotations: str) -> hints.Hints:
    return hints.of(job(**annotations))


@pytest.mark.parametrize("tool", TOOLS)
def test_the_example_of_a_tool_holds(tool: str) -> None:
    """Each file of the room shows one of its annotations and what comes of it."""
    found = doctest.testmod(importlib.import_module(f"pipeline_gitops.hints.{tool}"))

    assert (found.attempted, found.failed) == (1, 0)


@pytest.mark.parametrize(
    ("annotations", "phase"),
    [
        ({"pipeline-gitops.dev/hook": "before"}, HookPhase.BEFORE),
        ({"pipeline-gitops.dev/hook": "never"}, HookPhase.NEVER),
        ({"argocd.argoproj.io/hook": "PreSync"}, HookPhase.BEFORE),
        ({"argocd.argoproj.io/hook": "Sync"}, HookPhase.WITH),
        ({"argocd.argoproj.io/hook": "PostSync"}, HookPhase.AFTER),
        ({"argocd.argoproj.io/hook": "SyncFail"}, HookPhase.FAILED),
        ({"argocd.argoproj.io/hook": "Skip"}, HookPhase.NEVER),
        ({"argocd.argoproj.io/hook": "PostDelete"}, HookPhase.NEVER),
        ({"helm.sh/hook": "pre-install, pre-upgrade"}, HookPhase.BEFORE),
        ({"helm.sh/hook": "post-upgrade,post-rollback"}, HookPhase.AFTER),
        ({"helm.sh/hook": "test"}, HookPhase.NEVER),
        ({"helm.sh/hook": "pre-delete"}, HookPhase.NEVER),
        ({"kluctl.io/hook": "pre-deploy-initial"}, HookPhase.BEFORE),
        ({"kluctl.io/hook": "post-deploy"}, HookPhase.AFTER),
    ],
)
def test_the_phase_of_a_hook(annotations: dict[str, str], phase: HookPhase) -> None:
    """What a deploy has no occasion for is never run, unless another occasion is named too."""
    hook = said(**annotations).hook

    assert hook is not None
    assert (hook.phase, hook.delete) == (phase, {HookDelete.BEFORE})


def test_what_helm_2_called_a_hook_is_none() -> None:
    """crd-install orders definitions, as the order of kinds does."""
    assert said(**{"helm.sh/hook": "crd-install"}).hook is None


@pytest.mark.parametrize(
    ("annotations", "policies"),
    [
        (
            {
                "argocd.argoproj.io/hook": "PreSync",
                "argocd.argoproj.io/hook-delete-policy": "HookSucceeded",
            },
            {HookDelete.SUCCEEDED},
        ),
        (
            {
                "helm.sh/hook": "pre-install",
                "helm.sh/hook-delete-policy": "before-hook-creation,hook-failed",
            },
            {HookDelete.BEFORE, HookDelete.FAILED},
        ),
        (
            {
                "pipeline-gitops.dev/hook": "after",
                "pipeline-gitops.dev/hook-delete": "succeeded, failed",
            },
            {HookDelete.SUCCEEDED, HookDelete.FAILED},
        ),
    ],
)
def test_when_a_hook_is_deleted(annotations: dict[str, str], policies: set[HookDelete]) -> None:
    """As its policies say."""
    hook = said(**annotations).hook

    assert hook is not None
    assert hook.delete == policies


def test_only_what_runs_to_an_end_is_created_anew() -> None:
    """A ServiceAccount of a hook is written in its phase, but not deleted at each deploy."""
    annotations = {"metadata": {"annotations": {"helm.sh/hook": "pre-install"}}}
    kinds = {
        "Job": "batch/v1",
        "Pod": "v1",
        "Workflow": "argoproj.io/v1alpha1",
        "ServiceAccount": "v1",
        "Role": "rbac.authorization.k8s.io/v1",
    }

    found = {
        kind: hints.of({**annotations, "apiVersion": version, "kind": kind}).hook
        for kind, version in kinds.items()
    }

    assert {kind for kind, hook in found.items() if hook and hook.anew} == {
        "Job",
        "Pod",
        "Workflow",
    }


@pytest.mark.parametrize(
    ("annotations", "wave"),
    [
        ({"pipeline-gitops.dev/wave": "3"}, 3),
        ({"argocd.argoproj.io/sync-wave": "-5"}, -5),
        ({"helm.sh/hook": "post-install", "helm.sh/hook-weight": "7"}, 7),
        ({"helm.sh/hook-weight": "7"}, 0),
        ({"kluctl.io/hook": "pre-deploy", "kluctl.io/hook-weight": "2"}, 2),
        ({"pipeline-gitops.dev/wave": "1", "argocd.argoproj.io/sync-wave": "-5"}, 1),
        ({}, 0),
    ],
)
def test_the_wave(annotations: dict[str, str], wave: int) -> None:
    """Ours wins over another tool's; a weight counts for hooks alone."""
    assert said(**annotations).wave == wave


@pytest.mark.parametrize(
    "annotations",
    [
        {"pipeline-gitops.dev/keep": "true"},
        {"argocd.argoproj.io/sync-options": "Validate=false,Prune=false"},
        {"argocd.argoproj.io/sync-options": "Delete=false"},
        {"helm.sh/resource-policy": "keep"},
        {"kustomize.toolkit.fluxcd.io/prune": "Disabled"},
        {"kapp.k14s.io/delete-strategy": "orphan"},
        {"kluctl.io/skip-delete": "true"},
        {"cli-utils.sigs.k8s.io/on-remove": "keep"},
        {"client.lifecycle.config.k8s.io/deletion": "detach"},
    ],
)
def test_what_a_tool_keeps_is_kept(annotations: dict[str, str]) -> None:
    """Whichever tool's word it is."""
    assert said(**annotations).keep


@pytest.mark.parametrize(
    "annotations",
    [
        {"pipeline-gitops.dev/replace": "true"},
        {"argocd.argoproj.io/sync-options": "Replace=true"},
        {"argocd.argoproj.io/sync-options": "Force=true"},
        {"kustomize.toolkit.fluxcd.io/force": "enabled"},
        {"kapp.k14s.io/update-strategy": "fallback-on-replace"},
        {"krane.shopify.io/deploy-method-override": "replace-force"},
    ],
)
def test_what_may_be_replaced(annotations: dict[str, str]) -> None:
    """Whichever tool's word it is."""
    assert said(**annotations).replace


def test_what_one_tool_keeps_no_other_replaces() -> None:
    """Of two tools the one that loses nothing wins; our own word counts before both."""
    both = {"helm.sh/resource-policy": "keep", "argocd.argoproj.io/sync-options": "Replace=true"}

    careful = said(**both)
    told = said(**both, **{"pipeline-gitops.dev/keep": "false"})

    assert (careful.keep, careful.replace) == (True, False)
    assert (told.keep, told.replace) == (False, True)


@pytest.mark.parametrize(
    ("written", "seconds"), [("30s", 30), ("3m", 180), ("PT1H", 3600), ("1h30m", 5400), ("T5M", 0)]
)
def test_a_timeout(written: str, seconds: float) -> None:
    """As people write it, and as ISO 8601 does."""
    assert (said(**{"krane.shopify.io/timeout-override": written}).timeout_s or 0) == seconds


def test_what_an_object_comes_after() -> None:
    """Ours by kind and name, in the same namespace unless it says another; cli-utils' by path."""
    ours = said(**{"pipeline-gitops.dev/after": "Job/seed, Database.example.com/data/main"})
    theirs = said(
        **{"config.kubernetes.io/depends-on": "apps/namespaces/shop/Deployment/db,/Namespace/a"}
    )

    assert ours.after == (
        ObjectId("", "Job", "shop", "seed"),
        ObjectId("example.com", "Database", "data", "main"),
    )
    assert theirs.after == (
        ObjectId("apps", "Deployment", "shop", "db"),
        ObjectId("", "Namespace", "", "a"),
    )


def test_groups_of_kapp() -> None:
    """Several of them carry suffixes; rules about deleting are not followed."""
    found = said(
        **{
            "kapp.k14s.io/change-group": "apps",
            "kapp.k14s.io/change-group.more": "example.com/all",
            "kapp.k14s.io/change-rule.db": "upsert after upserting db",
            "kapp.k14s.io/change-rule.web": "upsert before upserting web",
            "kapp.k14s.io/change-rule.gone": "delete after deleting web",
        }
    )

    assert found.groups == ("apps", "example.com/all")
    assert (found.after_groups, found.before_groups) == (("db",), ("web",))


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("pipeline-gitops.dev/wave", "first"),
        ("pipeline-gitops.dev/wave", "9" * 5000),
        ("pipeline-gitops.dev/keep", "yes"),
        ("pipeline-gitops.dev/hook", "PreSync"),
        ("pipeline-gitops.dev/timeout", "0s"),
        ("pipeline-gitops.dev/timeout", "25h"),
        ("pipeline-gitops.dev/after", "seed"),
        ("pipeline-gitops.dev/wav", "1"),
        ("argocd.argoproj.io/sync-wave", "1.5"),
        ("argocd.argoproj.io/hook", "PreSync,PostSync"),
        ("helm.sh/hook", "before-install"),
        ("kapp.k14s.io/change-rule", "after db"),
        ("config.kubernetes.io/depends-on", "Deployment/db"),
    ],
)
def test_a_value_that_says_nothing_is_a_problem(annotation: str, value: str) -> None:
    """It names the annotation, what it says, and what it could say."""
    (problem,) = hints.problems(job(**{annotation: value}))

    assert problem.key == annotation
    assert value[:80] in problem.message
    assert problem.cure


def test_an_object_without_annotations_says_nothing() -> None:
    """Whatever it looks like."""
    for body in ({}, {"metadata": None}, {"metadata": {"annotations": ["a"]}}):
        assert hints.of(body) == hints.Hints()
        assert hints.problems(body) == ()
