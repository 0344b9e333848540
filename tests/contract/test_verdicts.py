"""A cause is named within seconds of its evidence, whatever the patience with it."""

import time
from dataclasses import dataclass, field

import pytest

from benchmarks.verdicts import BAR_S, Evidence
from pipeline_gitops.config import Policy
from pipeline_gitops.views import Severity
from tests.cluster.controlplane import ControlPlane
from tests.contract.clusters import Cluster
from tests.contract.test_scenarios import SCENARIOS, Journal, deploy, read

MINUTE = 60.0


@dataclass
class Timed(Journal):
    """Keeps when each line was said."""

    times: list[float] = field(default_factory=list)

    def say(self, text: str, severity: Severity = Severity.NOTICE) -> None:
        super().say(text, severity)
        self.times.append(time.monotonic())

    def first(self, words: str) -> float:
        """When something was said for the first time."""
        return next(at for at, line in zip(self.times, self.lines, strict=True) if words in line)


@pytest.mark.parametrize("case", ["crash-loop", "image-not-found", "missing-key"])
def test_a_cause_is_named_within_seconds_of_its_evidence(
    cluster: Cluster, control_plane: ControlPlane, case: str
) -> None:
    """In the log; what may heal is called a failure later, and named in the card by then."""
    (path,) = [one for one in SCENARIOS if one.stem == case]
    about, text = read(path, cluster.namespace)
    evidence, journal = Evidence(control_plane, cluster.namespace), Timed()
    evidence.start()

    result = deploy(cluster, text, Policy(patience_s=MINUTE), journal, 20.0)

    evidence.join()
    assert evidence.seen is not None
    assert journal.first(about["cause"]) - evidence.seen <= BAR_S
    assert any(about["cause"] in card.cause for card in result.cards)
