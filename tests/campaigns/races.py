"""One race: several deployers of different commits, stopped, delayed and killed at random requests.

What happens when is decided by counts of requests, never by time: the seed decides at which of its
requests a deployer is stopped, and what is stopped goes on when nobody else can.
"""

import json
import random
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline_gitops.manifests import EPOCH
from tests.campaigns.crews import Crew, Deployer, History
from tests.campaigns.histories import OK, SUPERSEDED, Change, Event, Exit, Record, Rules
from tests.campaigns.places import INVENTORY, Admin, kubeconfig, unpacked
from tests.campaigns.proxies import Exchange, Proxy, Request
from tests.campaigns.scenarios import Body
from tests.contract.clusters import PREFIXES, config_map, deployment, service

ENVIRONMENT = "race"
# Done, refused as somebody else was faster, in part, not running as written, superseded, killed.
EXITS = frozenset({OK, 4, 5, 6, 7, SUPERSEDED, -signal.SIGKILL})
LAST_REQUEST = 40  # of a deploy of such a set: about as many as it sends
MARKER = "marker"

# A line of commits, and two beside it. Their order is that of the counter of runs; where Git knows
# one, it is the same.
PARENTS = {"c0": "", "c1": "c0", "c2": "c1", "c3": "c2", "d1": "c2", "c4": "c3", "d2": "d1"}
RANKS = {commit: rank for rank, commit in enumerate(PARENTS)}
LINE = ("c0", "c1", "c2", "c3", "c4")


def objects(rank: int) -> tuple[Body, ...]:
    """What the commit of that rank wants.

    Some objects carry its number. Some are alike in every other commit, so that a deploy may find
    them right and not write them. Three come and go. Controllers write to the Deployments while
    deploys do: their status, their annotations, the endpoints of the Service.
    """
    always = (
        config_map("numbered-one", revision=str(rank)),
        config_map("numbered-two", revision=str(rank)),
        deployment("numbered-web", image=f"web:{rank}", replicas=0),
        config_map("turning", color=("blue", "red")[rank % 2]),
        deployment("turning-web", replicas=rank % 2),
        service("turning-front", 80 + rank % 2),
        config_map("still", size="1"),
    )
    passing = (config_map(f"passing-{n}", revision=str(rank)) for n in range(3) if rank % 3 != n)
    return (*always, *passing)


def value_of(body: Body) -> str:
    """What a commit says of an object, as far as it says anything of its own."""
    spec = body.get("spec", {})
    match body["kind"]:
        case "Deployment":
            (container,) = spec["template"]["spec"]["containers"]
            return json.dumps([container["image"], spec["replicas"]])
        case "Service":
            return json.dumps([port["port"] for port in spec["ports"]])
        case _:
            return json.dumps(body.get("data", {}))


MARKERS = {
    "ConfigMap": config_map(MARKER),
    "Deployment": deployment(MARKER, replicas=0),
    "Service": service(MARKER),
}

RULES = Rules(
    ranks=RANKS,
    wants={
        commit: {body["metadata"]["name"]: value_of(body) for body in objects(rank)}
        for commit, rank in RANKS.items()
    },
)


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One deployer of a race: what befalls it at which of its requests."""

    name: str
    commit: str
    stops: frozenset[int] = frozenset()  # the process is stopped
    delays: frozenset[int] = frozenset()  # the request is, on its way to the server
    dies: int = 0  # at this request; 0 = never
    dies_after: bool = False  # the request has its effect


@dataclass(frozen=True, kw_only=True)
class Course:
    """A race as the seed draws it."""

    first: bool  # whether the oldest commit is there already
    entrants: tuple[Entrant, ...]
    releases: frozenset[int]  # counts of all requests at which somebody stopped goes on


def drawn(chance: random.Random) -> Course:
    """Two to six deployers, mostly of a line of commits, sometimes of two branches."""
    commits = LINE[1:] if chance.random() < 0.7 else tuple(PARENTS)[1:]
    return Course(
        first=chance.random() < 0.5,
        entrants=tuple(
            _entrant(chance, f"n{number}", chance.choice(commits))
            for number in range(chance.randint(2, 6))
        ),
        releases=frozenset(chance.sample(range(1, 150), 4)),
    )


def _entrant(chance: random.Random, name: str, commit: str) -> Entrant:
    some = range(1, LAST_REQUEST)
    return Entrant(
        name=name,
        commit=commit,
        stops=frozenset(chance.sample(some, chance.choice((0, 1, 1, 2)))),
        delays=frozenset(chance.sample(some, chance.choice((0, 0, 1)))),
        dies=chance.choice(some) if chance.random() < 0.2 else 0,
        dies_after=chance.random() < 0.5,
    )


@dataclass
class Referee:
    """A watcher that stops, delays and kills as the course says."""

    course: Course
    crew: Crew
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    deployers: dict[str, Deployer] = field(default_factory=dict)
    waiting: dict[str, list[threading.Event | None]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def attend(self, request: Request, exchange: Exchange) -> None:
        """The deployer's own count of requests decides."""
        entrant = next((one for one in self.course.entrants if one.name == request.client), None)
        if entrant is None:
            exchange.send(exchange.forward(request))
            return
        with self.lock:
            self.counts[entrant.name] += 1
            count = self.counts[entrant.name]
            if self.counts.total() in self.course.releases:
                self.release()
        # Its own thread started it and may not know its pid yet.
        assert self.crew.wait(lambda: entrant.name in self.deployers)
        deployer = self.deployers[entrant.name]
        if count in entrant.stops:
            self._hold(entrant.name, None)
            deployer.send(signal.SIGSTOP)
        if count in entrant.delays:
            gone_on = threading.Event()
            self._hold(entrant.name, gone_on)
            gone_on.wait()
        self._pass(entrant, deployer, request, exchange, dies=count == entrant.dies)

    def _pass(
        self,
        entrant: Entrant,
        deployer: Deployer,
        request: Request,
        exchange: Exchange,
        *,
        dies: bool,
    ) -> None:
        if dies and not entrant.dies_after:
            deployer.send(signal.SIGKILL)
            exchange.over = True
            return
        reply = exchange.forward(request)
        if dies:
            deployer.send(signal.SIGKILL)
        exchange.send(reply)

    def _hold(self, name: str, delayed: threading.Event | None) -> None:
        with self.lock:
            self.waiting.setdefault(name, []).append(delayed)
        self.crew.notice()

    def release(self) -> None:
        """Somebody who is held goes on."""
        with self.lock:
            if not self.waiting:
                return
            name = self.chance.choice(sorted(self.waiting))
            for delayed in self.waiting.pop(name):
                if delayed:
                    delayed.set()
                else:
                    self.deployers[name].send(signal.SIGCONT)

    def held(self, name: str) -> bool:
        """Whether it cannot get on by itself."""
        return name in self.waiting


class Track:
    """A repository, a namespace and a server for one race after the other."""

    def __init__(
        self, crew: Crew, proxy: Proxy, admin: Admin, namespace: str, token: str, folder: Path
    ) -> None:
        self._crew = crew
        self._proxy = proxy
        self._admin = admin
        self._namespace = namespace
        self._token = token
        self._folder = folder
        kinds = {body["kind"] for body in objects(0)}
        self._paths = {kind: PREFIXES[kind].format(namespace) for kind in sorted(kinds)}
        states = [objects(rank) for rank in RANKS.values()]
        self._history = History(folder / "repository", ENVIRONMENT, states)
        self._shas: dict[str, str] = {}
        for commit, parent in PARENTS.items():
            above = self._shas.get(parent, "")
            self._shas[commit] = self._history.commit(RANKS[commit], above)
            self._history.checkout(self._shas[commit], commit)
        self._commits = {sha: commit for commit, sha in self._shas.items()}

    def run(self, seed: int) -> None:
        """One race. Raises AssertionError with its whole history."""
        chance = random.Random(seed)
        course = drawn(chance)
        for path in self._paths.values():
            self._admin.send("DELETE", path)
        since = self._version()
        if course.first:
            self._alone("c0")
        exits, said = self._raced(course, chance)
        before = self._version()
        newest = max((one.commit for one in course.entrants), key=RANKS.__getitem__)
        last = self._alone(newest)
        log = self._log(since)
        wrong = RULES.violations(log, exits)
        wrong += RULES.unlike(log, newest)
        wrong += [f"{one.commit} ended with {one.code}" for one in exits if one.code not in EXITS]
        if any((one.commit, one.code) == (newest, OK) for one in exits):
            late = [event for event in log if event.version > before and isinstance(event, Change)]
            wrong += [f"{newest} was done, and still {event} was to do" for event in late]
        assert not wrong, "\n".join(
            [f"race {seed}: {course}", *wrong, *map(str, log), *map(str, exits), *said, last]
        )

    # -- deployers ---------------------------------------------------------------------------------

    def _start(self, name: str, commit: str) -> Deployer:
        url = f"{self._proxy.url}/~{name}"
        path = kubeconfig(self._folder, url, self._token, f"kubeconfig-{name}")
        return self._crew.start(
            ("deploy", "--namespace", self._namespace),
            self._history.root.parent / commit,
            KUBECONFIG=path,
            JENKINS_URL="https://ci.example.com/",
            BUILD_NUMBER=str(RANKS[commit] + 1),
        )

    def _alone(self, commit: str) -> str:
        """A deploy that nobody disturbs succeeds."""
        deployer = self._start("alone", commit)
        code = self._crew.ended(deployer)
        assert code == 0, f"{commit} alone ends with {code}: {deployer.said()}"
        return deployer.said()

    def _raced(self, course: Course, chance: random.Random) -> tuple[list[Exit], list[str]]:
        referee = Referee(course, self._crew, chance)
        self._proxy.watcher = referee
        for entrant in course.entrants:
            deployer = self._start(entrant.name, entrant.commit)
            with self._crew.changed:
                referee.deployers[entrant.name] = deployer
                self._crew.changed.notify_all()
        commits = {entrant.name: entrant.commit for entrant in course.entrants}
        running = dict(referee.deployers)
        exits: list[Exit] = []
        while running:
            moved = self._crew.wait(
                lambda: (
                    any(one.code is not None for one in running.values())
                    or all(referee.held(name) for name in running)
                )
            )
            said = [f"{name}: {one.said()}" for name, one in referee.deployers.items()]
            assert moved, "\n".join(["the race hangs", *said])
            for name, deployer in list(running.items()):
                if deployer.code is not None:
                    del running[name]
                    referee.waiting.pop(name, None)
                    exits.append(Exit(self._version(), commits[name], deployer.code))
            if running and all(referee.held(name) for name in running):
                referee.release()
        return exits, [
            f"{name} {commits[name]}: {one.said()}" for name, one in referee.deployers.items()
        ]

    # -- the watch log -----------------------------------------------------------------------------

    def _version(self) -> int:
        """The newest that there is."""
        listed = self._admin.send("GET", f"{self._paths['ConfigMap']}?limit=1")
        return int(listed["metadata"]["resourceVersion"])

    def _log(self, since: int) -> list[Event]:
        """Everything that happened, each write once, as the server tells whoever watches."""
        return [event for kind in self._paths for event in self._happened(kind, since)]

    def _happened(self, kind: str, since: int) -> list[Event]:
        """What happened to the objects of a kind, up to a marker of ours."""
        path = self._paths[kind]
        self._admin.send("POST", path, MARKERS[kind])
        events: list[Event] = []
        values: dict[str, str] = {}
        for event in self._admin.watched(f"{path}?watch=1&resourceVersion={since}"):
            live = {**event["object"], "kind": kind}
            name = live["metadata"]["name"]
            if name == MARKER:
                return events
            events += self._event(event["type"], name, live, values)
        raise AssertionError("the watch ended before its time")

    def _event(
        self, type_: str, name: str, live: dict[str, Any], values: dict[str, str]
    ) -> Sequence[Event]:
        version = int(live["metadata"]["resourceVersion"])
        if name == f"{INVENTORY}{ENVIRONMENT}":
            return () if type_ == "DELETED" else (self._record(version, live),)
        if name == "kube-root-ca.crt":
            return ()
        value = "" if type_ == "DELETED" else value_of(live)
        epoch = int(live["metadata"].get("annotations", {}).get(EPOCH, 0))
        if values.get(name, "") == value:
            return ()  # a mark, not what the object says
        values[name] = value
        return (Change(version, name, value, epoch),)

    def _record(self, version: int, live: dict[str, Any]) -> Record:
        fields = unpacked(live)
        claim, stamp = fields["claim"], fields["stamp"]
        return Record(
            version,
            self._commits[claim[0][0]] if claim else "",
            self._commits[stamp[0]] if stamp else "",
            frozenset(row[3] for row in fields["members"]),
            int(live["metadata"]["annotations"][EPOCH]),
        )
