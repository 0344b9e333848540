"""Consulting the forge before a deploy writes, and how long anybody waits for the answer.

A deploy that has to be reviewed waits as long as it takes. One that is only warned does not: a
thread asks, and what comes too late is not known.
"""

from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

from pipeline_gitops import forges
from pipeline_gitops.ci import Vendor
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import Binding
from pipeline_gitops.errors import Fault, ReportFault
from pipeline_gitops.git import Git
from pipeline_gitops.pipeline.merge_requests import deliveries
from pipeline_gitops.pipeline.merge_requests.inquiries import (
    LONGEST_PAUSE_S,
    Evidence,
    Inquiries,
    Inquiry,
    Look,
    silent,
)
from pipeline_gitops.pipeline.merge_requests.origins import MOST_COMMITS
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.ports import Commit

WARNED_S = 3.0  # what a warning is worth, over all questions


def look(session: Session, git: Git, prepared: Sequence[Prepared], revision: str) -> Look | None:
    """Asks the forge, once, what was reviewed of a commit. None outside CI, unless required."""
    policies = [one.environment.policy for one in prepared]
    required = any(policy.binding is Binding.REQUIRE for policy in policies)
    if session.context.vendor is Vendor.NONE and not required:
        return None
    inquiry = Inquiry(
        commit=revision,
        subject=git.commit(revision).subject,
        identities=frozenset(login for policy in policies for login in policy.binding_identity),
        ask_me=any(not policy.binding_identity for policy in policies),
        # A warning is not worth the wait of every direct push.
        wait_s=deliveries.INDEXED_S if required else 0.0,
    )
    asking = _Asking(session, git, inquiry)
    return asking if required else _InTime(asking, session)


def since(git: Git, older: str, newer: str) -> Sequence[Commit]:
    """The commits that a deploy carries, newest first; () where the clone does not hold them."""
    try:
        return git.history(older, newer, most=MOST_COMMITS)
    except Fault:
        return ()


class _Asking:
    """Connects once it is asked something."""

    def __init__(self, session: Session, git: Git, inquiry: Inquiry) -> None:
        self._session = session
        self._git = git
        self._inquiry = inquiry
        self._answers: Inquiries | Evidence | None = None

    def own(self) -> Evidence:
        """Of the merge request that brought the deployed commit."""
        if self._answers is None:
            self._answers = self._connected()
        return self._answers if isinstance(self._answers, Evidence) else self._answers.own()

    def carried(self, since: str) -> Iterator[Evidence]:
        """Of the others that came since that revision, newest first; asks as it goes."""
        self.own()
        if isinstance(self._answers, Inquiries):
            yield from self._answers.carried(since)

    def _connected(self) -> Inquiries | Evidence:
        try:
            forge = forges.connect(self._session.context, pause=self._pause)
        except ReportFault as fault:
            return silent(fault.what)
        if forge is None:
            return silent("this job knows no forge, or has no token for it")
        return Inquiries(self._inquiry, forge, self._session.clock, self._since)

    def _pause(self, seconds: float) -> None:
        if seconds > LONGEST_PAUSE_S:
            raise ReportFault(f"it asks to wait for {seconds:.0f} s")
        self._session.clock.sleep(seconds)

    def _since(self, older: str) -> Sequence[Commit]:
        return since(self._git, older, self._inquiry.commit)


class _InTime:
    """Asks by threads, for so many seconds in all, and nothing more once one came too late."""

    def __init__(self, asking: Look, session: Session) -> None:
        self._asking = asking
        self._clock = session.clock
        self._left_s = WARNED_S
        self._late = False

    def own(self) -> Evidence:
        """Of the merge request that brought the deployed commit."""
        return self._asked(self._asking.own) or _LATE

    def carried(self, since: str) -> Iterator[Evidence]:
        """Of the others that came since that revision, newest first; asks as it goes."""
        found = self._asking.carried(since)
        for evidence in iter(lambda: self._asked(lambda: next(found, None)), None):
            yield evidence
            if evidence.unknown:
                return

    def _asked(self, ask: Callable[[], Evidence | None]) -> Evidence | None:
        if self._late:
            return _LATE
        answers: SimpleQueue[Evidence | None] = SimpleQueue()
        started = self._clock.elapsed()

        def answer() -> None:
            try:
                answers.put(ask())
            except Fault as fault:  # asked to stop: whoever waits hears that by itself
                answers.put(silent(fault.what))

        Thread(target=answer, daemon=True).start()
        try:
            return answers.get(timeout=self._left_s)
        except Empty:
            self._late = True
            return _LATE
        finally:
            self._left_s = max(0.0, self._left_s - (self._clock.elapsed() - started))


_LATE = silent(f"it did not answer within {WARNED_S:.0f} s")
