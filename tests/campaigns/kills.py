"""One kill: a deploy is ended by SIGKILL at some request, or some time, and started again."""

import difflib
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaigns.crews import Crew, Deployer, History
from tests.campaigns.faults import Spot, Survey
from tests.campaigns.places import Admin, Place, kubeconfig
from tests.campaigns.proxies import Exchange, Plain, Proxy, Request, Watcher
from tests.campaigns.scenarios import Scenario

KILLED = -signal.SIGKILL
OK, REFUSED, UNHEALTHY = 0, 4, 7


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
        self._commit = self._older = ""
        self._latest_s = 0.0  # as long as an undisturbed deploy takes
        self._dumps: dict[int, str] = {}
        self._spots: dict[int, list[Spot]] = {}
        self._writes: dict[int, list[Spot]] = {}

    @property
    def _state(self) -> int:
        return 1 if self.scenario.fails else self._turn % len(self.scenario.states)

    @property
    def _end(self) -> int:
        """How an undisturbed deploy ends."""
        return UNHEALTHY if self.scenario.fails else OK

    def learn(self) -> None:
        """What undisturbed deploys do and leave behind, in each direction."""
        rounds = 1 if self.scenario.fails else 2 * len(self.scenario.states)
        for _ in range(rounds):
            self._begin()
            survey = Survey(self._told())
            self._watch(survey)
            started = time.monotonic()
            deployer = self._start()
            assert self._crew.ended(deployer) == self._end, deployer.said()
            self._latest_s = time.monotonic() - started
            wanted = self.scenario.wanted(0 if self.scenario.fails else self._state)
            unlike = self._place.unlike(wanted, self.scenario.states)
            assert not unlike, f"done, but not as wanted: {unlike}"
            self._dumps[self._state] = self._dump()
            self._spots[self._state] = sorted(survey.seen)
            writes = [spot for spot, request in survey.seen.items() if request.writes]
            self._writes[self._state] = sorted(writes)

    def run(self, seed: int) -> None:
        """Kills one deploy. Raises AssertionError with everything that tells what went wrong."""
        chance = random.Random(seed)
        self._begin()
        first, how = self._killed(chance)
        code = self._crew.ended(first)
        about = f"seed {seed}, {self.scenario.name} to state {self._state}, killed {how}"
        assert code in (KILLED, self._end), f"{about}: exit code {code}: {first.said()}"
        if code == KILLED:
            second = self._start()
            # What it only has to finish going back from, it is not allowed to deploy any more.
            ends = (UNHEALTHY, REFUSED) if self.scenario.fails else (OK,)
            assert self._crew.ended(second) in ends, f"{about}: {first.said()}{second.said()}"
        found, expected = self._dump(), self._dumps[self._state]
        lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "clean", "found")
        assert found == expected, "\n".join([about, *lines])

    def _killed(self, chance: random.Random) -> tuple[Deployer, str]:
        """A deployer that dies soon, and when."""
        if chance.random() < 0.3:
            after_s = chance.uniform(0, self._latest_s)
            self._watch(Plain())
            victim = self._start()
            self._crew.wait(lambda: victim.code is not None, after_s)
            victim.send(signal.SIGKILL)
            return victim, f"after {after_s:.3f} s"
        # Most of what is sent only looks; what a kill leaves half done are the writes.
        spots = (self._spots if chance.random() < 0.5 else self._writes)[self._state]
        spot, after = chance.choice(spots), chance.random() < 0.5
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
        if self.scenario.fails:
            self._commit = self._history.commit(0, self._commit)
            assert self._crew.ended(self._start()) == OK
        self._older = self._commit
        self._commit = self._history.commit(self._state, self._commit)

    def _start(self) -> Deployer:
        place = self._history.checkout(self._commit, "checkout")
        argv = ("deploy", "--namespace", self._place.namespace, "--rollback", "on-failure")
        return self._crew.start(argv, place, KUBECONFIG=self._kubeconfig)

    def _watch(self, watcher: Watcher) -> None:
        self._proxy.watcher = watcher

    def _told(self) -> dict[str, str]:
        told = {self._place.namespace: "NAMESPACE", self._commit: "REVISION"}
        return {**told, self._older: "OLDER"} if self._older else told

    def _dump(self) -> str:
        return self._place.dump(self.scenario.states, self._told())
