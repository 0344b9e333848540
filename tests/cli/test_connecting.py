"""How the targets of several environments are connected: beside each other, each for itself."""

from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline_gitops.cli import flows
from pipeline_gitops.errors import InterruptedFault, UnreachableFault, UsageFault
from pipeline_gitops.kinds import Kinds

NAMES = ("dev", "staging", "prod")


class Target:
    def __init__(self, name: str, barrier: Barrier | None = None) -> None:
        self.name = name
        self._barrier = barrier

    def kinds(self) -> Kinds:
        if self._barrier:
            self._barrier.wait(timeout=30)  # until all are asked
        if self.name == "staging":
            raise UnreachableFault("staging does not answer", "wait")
        return Kinds()


def session(sleep: Any = lambda _: None) -> Any:
    return SimpleNamespace(clock=SimpleNamespace(sleep=sleep))


def connect(monkeypatch: pytest.MonkeyPatch, of: Any, session: Any) -> flows.Connected:
    monkeypatch.setattr(flows.targets, "connect", lambda _, __, environment: of(environment.name))
    environments = [SimpleNamespace(name=name) for name in NAMES]
    return flows.connect(session, None, environments)  # type: ignore[arg-type]


def test_all_are_asked_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = Barrier(len(NAMES))

    connected = connect(monkeypatch, lambda name: Target(name, barrier), session())

    assert list(connected.targets) == ["dev", "prod"]


def test_one_that_does_not_answer_ends_nothing_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(name: str) -> Target:
        if name == "dev":
            raise UsageFault("environment dev has no target", "name one")
        return Target(name)

    connected = connect(monkeypatch, of, session())

    assert list(connected.targets) == ["prod"]
    assert {name: fault.what for name, fault in connected.faults.items()} == {
        "dev": "environment dev has no target",
        "staging": "staging does not answer",
    }


def test_who_asks_to_stop_waits_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    never = Barrier(len(NAMES) + 1)

    def stop(_: float) -> None:
        raise InterruptedFault("interrupted")

    with pytest.raises(InterruptedFault):
        connect(monkeypatch, lambda name: Target(name, never), session(stop))
    never.abort()
