"""One trial of the fault campaign: a scenario, a fault, a request; a deploy, and perhaps another.

Deploys run in the process, as the command line calls them: a process for each would cost more than
the deploy. What it takes to kill one is another campaign.
"""

import difflib
import random
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

from pipeline_gitops.config import ClusterSpec, Environment, Overlay, Policy
from pipeline_gitops.errors import Fault, Verdict
from pipeline_gitops.inventories import Owner, Stamp
from pipeline_gitops.pipeline import deploys
from pipeline_gitops.pipeline.executions import Order
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.targets.cluster import ClusterTarget
from pipeline_gitops.targets.cluster.api import transport
from tests.campaigns.clocks import HastyClock
from tests.campaigns.faults import FAULTS, SLOW, Spot, Strike, Survey
from tests.campaigns.places import Admin, Place, kubeconfig
from tests.campaigns.proxies import Plain, Proxy, Watcher
from tests.campaigns.scenarios import GROUP, SCENARIOS, Body, Scenario
from tests.contract.clusters import wanted
from tests.fakes.world import FakeJournal, FakeRepository

DEADLINE_S = 600.0
IMPATIENT_S = 0.4  # instead of 30 s, for an answer that never comes

# How a deploy to a target that is hindered may end (docs/reference): done, refused, unreachable, in
# part, not running. Nothing else, and never by an exception that is no fault.
DOCUMENTED = frozenset(
    {
        Verdict.OK,
        Verdict.REFUSED,
        Verdict.UNREACHABLE,
        Verdict.PARTIAL,
        Verdict.UNHEALTHY,
    }
)


@dataclass(frozen=True, order=True)
class Trial:
    """What is tried. *index* counts the spots of that fault in that scenario.

    *state* is the one that is deployed; -1: whichever is next.
    """

    scenario: str
    fault: str
    index: int
    state: int = -1

    def __str__(self) -> str:
        return f"{self.scenario}/{self.fault}/{self.index}/{self.state}"

    @classmethod
    def parse(cls, text: str) -> "Trial":
        """The trial that a failure named."""
        scenario, fault, index, state = text.split("/")
        return cls(scenario, fault, int(index), int(state))


@dataclass(frozen=True)
class Ended:
    """How one deploy ended, and all that it said."""

    verdict: Verdict
    said: str = field(repr=False)


@dataclass
class Line:
    """A line of commits as Git tells it, one for each deploy."""

    commits: list[str] = field(default_factory=list)

    def grow(self) -> str:
        """One more commit."""
        self.commits.append(secrets.token_hex(20))
        return self.commits[-1]

    def repository(self) -> FakeRepository:
        """Git, as a deploy asks it."""
        return FakeRepository(tuple(self.commits))


class Stage:
    """One scenario in one namespace, from deploy to deploy."""

    def __init__(
        self,
        scenario: Scenario,
        proxy: Proxy,
        admin: Admin,
        namespace: str,
        token: str,
        folder: Path,
    ) -> None:
        self.scenario = scenario
        self.proxy = proxy
        self.place = Place(admin, namespace, scenario.name)
        self._token = token
        self._spec = ClusterSpec(
            kubeconfig=kubeconfig(folder, proxy.url, token), namespace=namespace
        )
        self._line = Line()
        self._turn = 0
        self._group = ""
        self._revision = ""

    # -- between deploys ---------------------------------------------------------------------------

    def begin(self) -> None:
        """Makes ready for the next deploy: what it will find is as it ever is."""
        self._turn += 1
        if self.scenario.fresh and self._revision:
            self.place.clear(self._bodies())
        if self.scenario.group:
            self._group = f"g{secrets.token_hex(4)}.example.com"
        if self._revision:
            for meddling in self.scenario.meddling:
                self.place.meddle(meddling)
        if not self._revision or self.scenario.moves:
            self._revision = self._line.grow()

    def end(self) -> None:
        """Leaves nothing that the whole cluster would have to carry on."""
        if self.scenario.group and self._group:
            self.place.clear(self._bodies())

    def _bodies(self) -> tuple[Body, ...]:
        return self.scenario.wanted(self._turn, self._group)

    @property
    def state(self) -> int:
        """Which of its states the scenario is deployed to now."""
        return self._turn % len(self.scenario.states)

    @property
    def told(self) -> Mapping[str, str]:
        """Words for what is another in each run and place."""
        told = {self.place.namespace: "NAMESPACE", self._revision: "REVISION"}
        return {**told, self._group: GROUP} if self._group else told

    def dump(self) -> str:
        """What there is now."""
        return self.place.dump(self._states(), self.told)

    def _states(self) -> list[tuple[Body, ...]]:
        return [self.scenario.wanted(n, self._group) for n in range(len(self.scenario.states))]

    # -- deploys -----------------------------------------------------------------------------------

    def deploy(self, watcher: Watcher | None = None, *, read_s: float = transport.READ_S) -> Ended:
        """One deploy. What is no fault comes through as it is."""
        self.proxy.watcher = watcher or Plain()
        journal = FakeJournal()
        try:
            with mock.patch.object(transport, "READ_S", read_s):
                return self._deployed(journal)
        except Fault as fault:
            return Ended(fault.verdict, _said(journal, fault.what, fault.cure))
        finally:
            self.proxy.watcher = Plain()

    def _deployed(self, journal: FakeJournal) -> Ended:
        clock = HastyClock()
        policy = Policy(stability_s=0.0)  # how long it lasts is not asked here
        environment = Environment(
            name=self.scenario.name, overlay=Overlay(path="."), target=self._spec, policy=policy
        )
        deadline = clock.elapsed() + DEADLINE_S
        owner = Owner(repository="acme/shop", environment=self.scenario.name)
        target = ClusterTarget(self._spec, owner, {}, policy=policy, clock=clock, deadline=deadline)
        desired = wanted(target, self.place.namespace, *self._bodies())
        order = Order(
            prepared=Prepared(environment=environment, set=desired),
            stamp=Stamp(revision=self._revision, sequence=len(self._line.commits)),
            deadline=deadline,
        )
        result = deploys.deploy(
            order,
            target,
            repository=self._line.repository(),
            clock=clock,
            journal=journal,
        )
        return Ended(result.verdict, _said(journal, repr(result)))

    # -- trials ------------------------------------------------------------------------------------

    def learn(self) -> "Clean":
        """What undisturbed deploys do and leave behind, in each direction."""
        clean = Clean()
        for number in range(3 * len(self.scenario.states)):
            self.begin()
            survey = Survey(self.told)
            ended = self.deploy(survey)
            assert ended.verdict is Verdict.OK, f"{self.scenario.name}: {ended.said}"
            unlike = self.place.unlike(self._bodies(), self._states())
            assert not unlike, f"{self.scenario.name}: done, but not as wanted: {unlike}"
            clean.dumps[self.state] = self.dump()
            # The first round gets to where every later one begins.
            if number >= len(self.scenario.states):
                clean.saw(self.state, survey.spots())
        return clean

    def run(self, trial: Trial, clean: "Clean") -> None:
        """Raises AssertionError with everything that tells what went wrong, and how to see it."""
        self.begin()
        if trial.state not in (-1, self.state):
            self.deploy()
            self.begin()
        spots = clean.spots[self.state][trial.fault]
        strike = Strike(self.told, spot=spots[trial.index % len(spots)], fault=trial.fault)
        wrong = self._tried(strike, clean)
        again = replace(trial, state=self.state)
        assert not wrong, (
            f"{trial.fault} at {strike.spot} of {trial.scenario}: {wrong}\n"
            f"Again: TRIAL={again} python -m pytest tests/campaigns/test_faults.py"
        )

    def _tried(self, strike: Strike, clean: "Clean") -> str:
        """What is wrong with the outcome; "" when nothing is."""
        slow = strike.fault in SLOW
        first = self.deploy(strike, read_s=IMPATIENT_S if slow else transport.READ_S)
        wrong = self._judged(first, strike)
        if wrong:
            return wrong
        if first.verdict is Verdict.OK:
            return self._differs("a success that is none", clean, first)
        second = self.deploy()
        if second.verdict is not Verdict.OK:
            return f"the second run ends with {second.verdict}: {second.said}\nafter {first.said}"
        return self._differs("two runs leave something else than one", clean, first)

    def _judged(self, ended: Ended, strike: Strike) -> str:
        if not strike.struck:
            return f"the request {strike.spot} never came"
        if ended.verdict not in DOCUMENTED:
            return f"ends with {ended.verdict}: {ended.said}"
        if self._token in ended.said:
            return "the token was said"
        return ""

    def _differs(self, what: str, clean: "Clean", ended: Ended) -> str:
        found, expected = self.dump(), clean.dumps[self.state]
        if found == expected:
            return ""
        lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "clean", "found")
        return "\n".join([f"{what}; it ended with {ended.verdict}", *lines, ended.said])


@dataclass
class Clean:
    """Undisturbed deploys by the state that they lead to: the end state, and the requests."""

    dumps: dict[int, str] = field(default_factory=dict)
    spots: dict[int, dict[str, tuple[Spot, ...]]] = field(default_factory=dict)

    def saw(self, state: int, spots: dict[str, tuple[Spot, ...]]) -> None:
        """Keeps what every deploy asks for.

        A write is sent again where a controller was quicker: no later deploy has to do that.
        """
        before = self.spots.get(state, spots)
        self.spots[state] = {
            fault: tuple(spot for spot in found if spot in before[fault])
            for fault, found in spots.items()
        }

    def trials(self, scenario: str) -> Iterator[Trial]:
        """Every fault at every request."""
        for fault in FAULTS:
            most = max(len(spots[fault]) for spots in self.spots.values())
            yield from (Trial(scenario, fault, index) for index in range(most))


def sampled(trials: list[Trial], count: int, seed: int) -> list[Trial]:
    """So many of them, in an order that the seed decides; all when they are fewer."""
    mixed = sorted(trials)
    random.Random(seed).shuffle(mixed)
    return mixed[:count]


@contextmanager
def staged(
    scenario: str, proxy: Proxy, admin: Admin, namespace: str, token: str, folder: Path
) -> Iterator[Stage]:
    """A stage that cleans up behind itself."""
    stage = Stage(SCENARIOS[scenario], proxy, admin, namespace, token, folder)
    try:
        yield stage
    finally:
        stage.end()


def _said(journal: FakeJournal, *words: str) -> str:
    return "\n".join([*journal.lines, *words])
