"""A deploy that stands before its first write, and answers of the server that do not go well."""

import json
from typing import Any

from pipeline_gitops import inventories
from pipeline_gitops.plans import Outcome, State
from pipeline_gitops.ports import Clock
from tests.contract.clusters import STAMP, Cluster, planned, wanted
from tests.fakes.apiserver import FakeApiServer, Fault


class Deploy:
    """Planned, but nothing is claimed yet."""

    def __init__(self, cluster: Cluster, clock: Clock, *bodies: Any) -> None:
        self.target = cluster.target(clock=clock)
        desired = wanted(self.target, cluster.namespace, *bodies)
        self.survey, self.plan = planned(self.target, desired)
        self.claimed = inventories.claimed(self.survey.inventory, STAMP, self.plan.ids)

    def outcomes(self, server: FakeApiServer, *faults: Fault) -> list[Outcome]:
        """Claims, then writes under *faults*."""
        with self.target.claim(self.claimed) as writing:
            server.faults = list(faults)
            return list(writing.apply(self.plan.changes))


def states(outcomes: list[Outcome]) -> set[State]:
    return {outcome.state for outcome in outcomes}


def status(code: int, message: str = "", **fields: Any) -> Fault:
    """An answer to a write."""
    body = {"kind": "Status", "message": message, "code": code, **fields}
    return Fault(status=code, body=json.dumps(body).encode(), only="PATCH")
