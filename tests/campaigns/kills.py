"""One kill: a deploy is ended by SIGKILL at some request, or some time, and started again."""

import difflib
import random
import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaigns.crews import Crew, Deployer, History
from tests.campaigns.faults import Spot, Survey
from tests.campaigns.places import Admin, Place, kubeconfig
from tests.campaigns.proxies import Exchange, Plain, Proxy, Request, Watcher
from tests.campaigns.scenarios import Scenario

KILLED = -signal.SIGKILL
LATEST_S = 0.4  # about as long as an undisturbed deploy takes


@dataclass
class Killer(Survey):
    """A watcher that kills whoever sends one request, before or after its effect."""

    spot: Spot = Spot("")
    after: bool = False
    victim: Deployer | None = None
    known: threading.Event = field(default_factory=threading.Event)

    def attend(self, request: Request, exchange: Exchange) -> None:
        """Everything is passed on, but for the one request that does not come back."""
        if self.note(request) != self.spot:
            exchange.send(exchange.forward(request))
            return
        if self.after:
            exchange.forward(request)
        self.known.wait()
        assert self.victim
        self.victim.send(signal.SIGKILL)
        exchange.over = True


class Yard:
    """One scenario in one namespace, deployed by processes."""

    def __init__(
        self,
        scenario: Scenario,
        crew: Crew,
        proxy: Proxy,
        admin: Admin,
        namespace: str,
        token: str,
        folder: Path,
    ) -> None:
        self.scenario = scenario
        self._crew = crew
        self._proxy = proxy
        self._place = Place(admin, namespace, scenario.name)
        self._kubeconfig = kubeconfig(folder, proxy.url, token)
        self._history = History(folder / "repository", scenario.name, scenario.states)
        self._turn = 0
        self._commit = ""
        self._dumps: dict[int, str] = {}
        self._spots: dict[int, list[Spot]] = {}

    @property
    def _state(self) -> int:
        return self._turn % len(self.scenario.states)

    def learn(self) -> None:
        """What undisturbed deploys do and leave behind, in each direction."""
        for _ in range(2 * len(self.scenario.states)):
            self._begin()
            survey = Survey(self._told())
            self._watch(survey)
            deployer = self._start()
            assert self._crew.ended(deployer) == 0, deployer.said()
            self._dumps[self._state] = self._dump()
            self._spots[self._state] = sorted(survey.seen)

    def run(self, seed: int) -> None:
        """Kills one deploy. Raises AssertionError with everything that tells what went wrong."""
        chance = random.Random(seed)
        self._begin()
        first, how = self._killed(chance)
        code = self._crew.ended(first)
        about = f"seed {seed}, {self.scenario.name} to state {self._state}, killed {how}"
        assert code in (KILLED, 0), f"{about}: exit code {code}: {first.said()}"
        if code != 0:
            second = self._start()
            assert self._crew.ended(second) == 0, f"{about}: {first.said()}{second.said()}"
        found, expected = self._dump(), self._dumps[self._state]
        lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "clean", "found")
        assert found == expected, "\n".join([about, *lines])

    def _killed(self, chance: random.Random) -> tuple[Deployer, str]:
        """A deployer that dies soon, and when."""
        if chance.random() < 0.3:
            after_s = chance.uniform(0, LATEST_S)
            self._watch(Plain())
            victim = self._start()
            self._crew.wait(lambda: victim.code is not None, after_s)
            victim.send(signal.SIGKILL)
            return victim, f"after {after_s:.3f} s"
        spot, after = chance.choice(self._spots[self._state]), chance.random() < 0.5
        killer = Killer(self._told(), spot=spot, after=after)
        self._watch(killer)
        killer.victim = self._start()
        killer.known.set()
        self._crew.ended(killer.victim)
        self._watch(Plain())
        return killer.victim, f"{'after' if after else 'before'} {spot}"

    def _begin(self) -> None:
        self._watch(Plain())
        self._turn += 1
        if self.scenario.fresh and self._commit:
            self._place.clear(self.scenario.wanted(self._turn))
        for meddling in self.scenario.meddling if self._commit else ():
            self._place.meddle(meddling)
        self._commit = self._history.commit(self._state, self._commit)

    def _start(self) -> Deployer:
        place = self._history.checkout(self._commit, "checkout")
        argv = ("deploy", "--namespace", self._place.namespace)
        return self._crew.start(argv, place, KUBECONFIG=self._kubeconfig)

    def _watch(self, watcher: Watcher) -> None:
        self._proxy.watcher = watcher

    def _told(self) -> dict[str, str]:
        return {self._place.namespace: "NAMESPACE", self._commit: "REVISION"}

    def _dump(self) -> str:
        return self._place.dump(self.scenario.states, self._told())
