"""Jobs that write into one note at the same time, as real processes, on a real Gitea."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops.reports import notes
from tests.campaigns import SEED, examples
from tests.gitea.places import WRITER, RealPlace
from tests.parts.processes import tied

WRITERS = 8
SEEDS = 2  # of `make test`
WRITER_PROGRAM = Path(__file__).resolve().with_name("writers.py")
KILLED = -9
END_S = 90.0


class Writer:
    """One process. It has begun nothing before `write`."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self._process = subprocess.Popen(
            tied([sys.executable, "-W", "ignore", WRITER_PROGRAM]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def await_ready(self) -> None:
        """Returns once it has imported everything."""
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n", self.end()

    def write(self) -> None:
        """Lets it go."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(self.order) + "\n")
        self._process.stdin.flush()

    def kill_after(self, seconds: float) -> threading.Timer:
        """It is killed then, unless it has ended."""
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        return timer

    def end(self) -> tuple[int, str]:
        """Its exit code, and all that it said."""
        out, err = self._process.communicate(timeout=END_S)
        return self._process.returncode, out + err

    def close(self) -> None:
        """Ends it, whatever it does."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def started(orders: Sequence[dict[str, Any]]) -> Iterator[list[Writer]]:
    """Processes that are ready to write at the same moment."""
    writers = [Writer(order) for order in orders]
    try:
        for writer in writers:
            writer.await_ready()
        yield writers
    finally:
        for writer in writers:
            writer.close()


@pytest.fixture
def orders(repository: RealPlace) -> Callable[..., list[dict[str, Any]]]:
    """What each of eight writers is told; all of them write to one new merge request."""
    repository.push("feature")
    number = repository.open("feature")
    token = repository.bot.token(*WRITER)

    def told(seed: int, *, run: int) -> list[dict[str, Any]]:
        shared = {
            "api_url": f"{repository.server.url}/api/v1",
            "project": repository.project,
            "token": token,
            "number": number,
            "run": run,
            "writers": WRITERS,
        }
        return [
            {**shared, "key": f"env-{rank}", "rank": rank, "seed": 100 * seed + rank}
            for rank in range(WRITERS)
        ]

    return told


def held(repository: RealPlace, number: int) -> list[dict[str, int]]:
    """The run of each section, for each note of ours."""
    marked = [body for body in repository.bodies(number) if notes.is_marked(body)]
    return [{one.key: one.stamp.run for one in notes.sections(body)} for body in marked]


@pytest.mark.parametrize("seed", range(SEED, SEED + examples(SEEDS)))
def test_eight_writers_make_one_note_and_lose_nothing(
    repository: RealPlace, orders: Callable[..., list[dict[str, Any]]], seed: int
) -> None:
    """They create it together, and edit it together."""
    for run in (1, 2):
        told = orders(seed, run=run)
        with started(told) as writers:
            for writer in writers:
                writer.write()
            ends = [writer.end() for writer in writers]

        assert [code for code, _ in ends] == [0] * WRITERS, ends
        (note,) = held(repository, told[0]["number"])
        assert note == {one["key"]: run for one in told}


@pytest.mark.parametrize("seed", range(SEED, SEED + examples(SEEDS)))
def test_writers_that_are_killed_lose_nothing_of_the_others(
    repository: RealPlace, orders: Callable[..., list[dict[str, Any]]], seed: int
) -> None:
    """Whenever they are killed; a section of theirs stands or is missing, and comes with their next
    run, which leaves one note."""
    chance = random.Random(seed)
    told = orders(seed, run=1)
    with started(told) as writers:
        for writer in writers:
            writer.write()
        victims = chance.sample(writers, 3)
        timers = [victim.kill_after(chance.uniform(0.1, 3.0)) for victim in victims]
        ends = [writer.end() for writer in writers]
        for timer in timers:
            timer.cancel()

    number = told[0]["number"]
    codes = [code for code, _ in ends]
    assert set(codes) <= {0, KILLED}, ends
    kept = {one["key"] for one, code in zip(told, codes, strict=True) if code == 0}
    assert kept <= union(held(repository, number)), ends

    again = [{**one, "writers": 1, "rank": 0} for one in told if one["key"] not in kept]
    for order in again or [{**told[0], "run": 2, "writers": 1}]:
        with started([order]) as (writer,):
            writer.write()
            code, said = writer.end()
        assert code == 0, said
    (note,) = held(repository, number)
    assert note.keys() == {one["key"] for one in told}


def union(found: Sequence[dict[str, int]]) -> set[str]:
    """The keys of all notes."""
    return {key for note in found for key in note}
