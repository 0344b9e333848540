"""What the campaigns deploy: small sets whose objects settle at once, so that a run is cheap.

A scenario is data. It goes back and forth between two states, so that the end of one run is the
beginning of the next: nothing is torn down in between but where nothing is what a run starts from.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.contract.clusters import config_map, definition, deployment, service, widget

Body = dict[str, Any]

REPLACE = {"pipeline-gitops.dev/replace": "true"}
THEIRS = "kubectl-edit"
FATE = "pipeline-gitops.test/fate"


@dataclass(frozen=True, kw_only=True)
class Meddling:
    """What somebody else writes before each run, as a merge patch under their own name."""

    kind: str
    name: str
    change: Body


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Two states of one environment. *fresh*: nothing is there when a run begins.

    *group* tells that the set defines a kind: its API group is then new with each run, for
    definitions belong to the whole cluster. *fails*: the second state never runs, so that each run
    deploys it after the first and goes back.
    """

    name: str
    states: tuple[tuple[Body, ...], ...]
    fresh: bool = False
    group: bool = False
    fails: bool = False
    meddling: tuple[Meddling, ...] = ()

    @property
    def moves(self) -> bool:
        """Whether a deploy has something to do, each time anew."""
        return self.fresh or len(self.states) > 1 or bool(self.meddling)

    def without(self, kind: str) -> "Scenario":
        """The same without objects of a kind."""
        kept = (tuple(body for body in state if body["kind"] != kind) for state in self.states)
        meddling = tuple(one for one in self.meddling if one.kind != kind)
        return replace(self, states=tuple(kept), meddling=meddling)

    def wanted(self, state: int, group: str = "") -> tuple[Body, ...]:
        """The objects of one state, counted round and round."""
        bodies = json.dumps(self.states[state % len(self.states)])
        wanted: list[Body] = json.loads(bodies.replace(GROUP, group or GROUP))
        return tuple(wanted)


GROUP = "group.example.com"


def named(scenario: str) -> Callable[[str], str]:
    """Names that no other scenario in the same namespace uses."""
    return lambda name: f"{scenario}-{name}"


def account(name: str) -> Body:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def _shop(scenario: str, *, color: str, port: int, image: str) -> tuple[Body, ...]:
    """A small application. Without pods: no rollout is what these campaigns are about."""
    name = named(scenario)
    return (
        config_map(name("settings"), color=color),
        service(name("web"), port),
        deployment(name("web"), replicas=0, image=image),
        account(name("web")),
    )


def _first() -> Scenario:
    bodies = _shop("first", color="blue", port=80, image="web:1")
    extra = config_map("first-more", size="1")
    return Scenario(name="first", states=((*bodies, extra),), fresh=True)


def _nothing() -> Scenario:
    bodies = _shop("nothing", color="blue", port=80, image="web:1")
    return Scenario(name="nothing", states=((*bodies, config_map("nothing-more", size="1")),))


def _mixed() -> Scenario:
    """Creates, updates, leaves alone and deletes, in either direction."""
    one = (*_shop("mixed", color="blue", port=80, image="web:1"), config_map("mixed-one", size="1"))
    other = (*_shop("mixed", color="red", port=81, image="web:2"), config_map("mixed-two"))
    return Scenario(name="mixed", states=(one, other))


def _replaced() -> Scenario:
    """An object that cannot change is deleted and created anew, where its manifest says so."""

    def state(color: str) -> tuple[Body, ...]:
        fixed = config_map("replaced-fixed", color=color)
        fixed["immutable"] = True
        fixed["metadata"]["annotations"] = REPLACE
        return (
            fixed,
            config_map("replaced-settings", color=color),
            config_map("replaced-still", size="1"),
            account("replaced-web"),
        )

    return Scenario(name="replaced", states=(state("blue"), state("red")))


def _defined() -> Scenario:
    bodies = (
        definition(GROUP),
        widget(GROUP, "defined-one", 1),
        widget(GROUP, "defined-two", 2),
        config_map("defined-settings", color="blue"),
    )
    return Scenario(name="defined", states=(bodies,), fresh=True, group=True)


def _conflict() -> Scenario:
    """Two fields that a person set by hand are taken over."""
    bodies = _shop("conflict", color="blue", port=80, image="web:1")
    for body in bodies:
        if body["kind"] == "Deployment":
            body["spec"]["minReadySeconds"] = 1
    return Scenario(
        name="conflict",
        states=((*bodies, config_map("conflict-more", size="1")),),
        meddling=(
            Meddling(kind="ConfigMap", name="conflict-settings", change={"data": {"color": "red"}}),
            Meddling(
                kind="Deployment", name="conflict-web", change={"spec": {"minReadySeconds": 2}}
            ),
        ),
    )


def failing() -> Scenario:
    """What does not run goes back by itself: something created, something changed, a workload."""
    name = named("failing")
    good = (config_map(name("settings"), color="blue"), deployment(name("web"), image="web:1"))
    web = deployment(name("web"), image="web:2")
    web["spec"]["template"]["metadata"]["annotations"] = {FATE: "image-not-found"}
    bad = (config_map(name("settings"), color="red"), config_map(name("more"), size="1"), web)
    return Scenario(name="failing", states=(good, bad), fails=True)


SCENARIOS = {
    one.name: one for one in (_first(), _nothing(), _mixed(), _replaced(), _defined(), _conflict())
}
