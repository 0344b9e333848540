"""One job that writes its section of the note, as a program, to be killed: never imported for it.

It imports everything, says "ready", waits for a line of JSON on its input and does as that says.
Every request takes 40 to 160 ms more than it needs, and now and then most of a second.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: find the package `tests` all the same
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from pipeline_gitops.ci import CIContext, ForgeKind
from pipeline_gitops.cli.clocks import SystemClock
from pipeline_gitops.forges.gitea import Gitea
from pipeline_gitops.pipeline.merge_requests import notes
from pipeline_gitops.pipeline.merge_requests.notes import Section, Stamp
from pipeline_gitops.ports import MergeRequest
from pipeline_gitops.reports import Shown

STALL_S = 0.8


class Slow:
    """A forge behind a bad line."""

    def __init__(self, forge: Gitea, chance: random.Random) -> None:
        self._forge = forge
        self._chance = chance

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._forge, name)
        return self._slowed(value) if callable(value) else value

    def _slowed(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*arguments: Any) -> Any:
            self._hop()
            try:
                return ask(*arguments)
            finally:
                self._hop()

        return asked

    def _hop(self) -> None:
        stall = STALL_S if self._chance.random() < 0.03 else 0.0
        time.sleep(self._chance.uniform(0.02, 0.08) + stall)


def main() -> None:
    print("ready", flush=True)
    order = json.loads(sys.stdin.readline())
    context = CIContext(
        forge=ForgeKind.GITEA,
        api_url=order["api_url"],
        project=order["project"],
        token=order["token"],
    )
    stamp = Stamp(run=order["run"])
    section = Section(key=order["key"], stamp=stamp, body=Shown(f"said by run {order['run']}"))
    posted = notes.upsert(
        Slow(Gitea(context, pause=time.sleep), random.Random(order["seed"])),
        MergeRequest(number=order["number"]),
        [section],
        clock=SystemClock(),
        writers=order["writers"],
        rank=order["rank"],
    )
    print(posted.how.value, flush=True)


if __name__ == "__main__":
    main()
