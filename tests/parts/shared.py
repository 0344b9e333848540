"""Programs that all tests of a run share: started by the first that asks, ended with the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol, TypeVar

import pytest


class Startable(Protocol):
    """What can be shared."""

    def start(self) -> None:
        """Returns once it is ready."""
        ...

    def stop(self) -> None:
        """Ends it."""
        ...


_Program = TypeVar("_Program", bound=Startable)


def started(
    config: pytest.Config, key: pytest.StashKey[_Program], make: Callable[[], _Program]
) -> _Program:
    """The run's one program of that key, running."""
    if key in config.stash:
        return config.stash[key]

    program = make()
    capture = config.pluginmanager.getplugin("capturemanager")
    # A first build takes minutes: let its progress be seen.
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        program.start()
    config.add_cleanup(program.stop)
    config.stash[key] = program
    return program
