"""What a whole deploy says about workloads that run, that recover, and that never will.

One file each in tests/scenarios, on a real control plane: manifests, and how their pods fare (the
stages of tests/cluster). Each says the verdict, the cause, and within how many seconds.
"""

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline_gitops import documents, manifests, plans
from pipeline_gitops.cli.clocks import SystemClock
from pipeline_gitops.config import Environment, Overlay, Policy
from pipeline_gitops.inventories import Stamp
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.pipeline import deploys
from pipeline_gitops.pipeline.executions import Order
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.views import Health, Result, Severity
from tests.contract.clusters import Cluster
from tests.fakes.world import FakeJournal, FakeRepository

SCENARIOS = sorted((Path(__file__).parents[1] / "scenarios").glob("*.yaml"))
REVISION = "a" * 40
VERDICTS = {"ok": "ok", "unhealthy": "rollout-failed", "refused": "refused"}


@dataclass
class Journal(FakeJournal):
    """Keeps how bad each line was, too."""

    severities: list[Severity] = field(default_factory=list)

    def say(self, text: str, severity: Severity = Severity.NOTICE) -> None:
        super().say(text, severity)
        self.severities.append(severity)


def read(path: Path, namespace: str) -> tuple[Mapping[str, Any], str]:
    """What a scenario says of itself, and its manifests."""
    about, _, rest = path.read_text(encoding="utf-8").partition("\n---\n")
    suffix = namespace.rpartition("-")[2]
    return yaml.safe_load(about), rest.replace("NAMESPACE", namespace).replace("SUFFIX", suffix)


def deploy(cluster: Cluster, text: str, policy: Policy, journal: Journal, seconds: float) -> Result:
    clock = SystemClock()
    target = cluster.target(clock=clock, policy=policy)
    found, wrong = documents.read(text.encode(), "scenario.yaml")
    kinds = manifests.defined_kinds(found).over(target.kinds() if target else Kinds())
    desired, twice = manifests.resolve(found, kinds, cluster.namespace)
    assert (wrong, twice) == ((), ())
    environment = Environment(name="staging", overlay=Overlay(path="."), policy=policy)
    prepared = Prepared(
        environment=environment,
        set=desired,
        documents=found,
        findings=plans.findings(desired),
        places={manifest.id: manifest.place for manifest in desired.manifests},
    )
    order = Order(
        prepared=prepared,
        stamp=Stamp(revision=REVISION, sequence=1),
        deadline=clock.elapsed() + seconds,
    )
    repository = FakeRepository((REVISION,))
    return deploys.deploy(order, target, repository=repository, clock=clock, journal=journal)


def label(cluster: Cluster, labels: Mapping[str, str]) -> None:
    cluster.send(
        "PATCH",
        f"api/v1/namespaces/{cluster.namespace}",
        {"metadata": {"labels": dict(labels)}},
        "application/merge-patch+json",
    )


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(cluster: Cluster, path: Path) -> None:
    """Green means running, red says why, and neither is said before it is true."""
    about, text = read(path, cluster.namespace)
    if "namespaceLabels" in about:
        label(cluster, about["namespaceLabels"])
    policy = Policy(stability_s=0.5)
    if "patience" in about:
        patience_s = float(about["patience"].removesuffix("s"))
        policy = dataclasses.replace(policy, patience_s=patience_s)
    journal = Journal()
    started = time.monotonic()

    result = deploy(cluster, text, policy, journal, about.get("timeout", 40))

    took = time.monotonic() - started
    said = "\n".join(journal.lines)
    causes = [card.cause for card in result.cards] + [one.message for one in result.refusals]
    assert result.verdict.value == VERDICTS[about["verdict"]], (causes, said)
    assert took <= about["within"], (causes, said)
    if about["verdict"] == "ok":
        assert set(journal.severities) <= {Severity.NOTICE}, said
        assert "Failed" not in said
        assert result.rollout
        assert {view.health for view in result.rollout.objects} == {Health.CURRENT}
        return
    assert any(about["cause"] in cause for cause in causes), (causes, said)
    assert not any(f"{card.id}: Current" in said for card in result.cards), said
    assert all(card.place.file == "scenario.yaml" for card in result.cards)
    assert all(card.cure for card in result.cards)
