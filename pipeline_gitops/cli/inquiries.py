"""What the forge is asked before a deploy writes, and how long anybody waits for the answer.

A deploy that has to be reviewed waits as long as it takes. One that is only warned does not: a
thread asks, and what comes too late is not known.
"""

from collections.abc import Sequence
from functools import cache
from queue import Empty, SimpleQueue
from threading import Thread

from pipeline_gitops import forges
from pipeline_gitops.ci import Vendor
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import Binding
from pipeline_gitops.errors import Fault, ReportFault
from pipeline_gitops.git import Git
from pipeline_gitops.pipeline import bindings, deliveries
from pipeline_gitops.pipeline.bindings import Evidence, Inquiry, Look
from pipeline_gitops.pipeline.reviews import Prepared

WARNED_S = 3.0  # what a warning is worth


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
    if required:
        return cache(lambda: _asked(session, inquiry))
    return cache(lambda: _asked_in_time(session, inquiry))


def _asked_in_time(session: Session, inquiry: Inquiry) -> Evidence:
    answers: SimpleQueue[Evidence] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_asked(session, inquiry))
        except Fault as fault:  # asked to stop: whoever waits hears that by itself
            answers.put(Evidence(unknown=fault.what))

    Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=WARNED_S)
    except Empty:
        return Evidence(unknown=f"it did not answer within {WARNED_S:.0f} s")


def _asked(session: Session, inquiry: Inquiry) -> Evidence:
    def pause(seconds: float) -> None:
        if seconds > bindings.LONGEST_PAUSE_S:
            raise ReportFault(f"it asks to wait for {seconds:.0f} s")
        session.clock.sleep(seconds)

    try:
        forge = forges.connect(session.context, pause=pause)
    except ReportFault as fault:
        return Evidence(unknown=fault.what)
    if forge is None:
        return Evidence(unknown="this job knows no forge, or has no token for it")
    return bindings.gather(inquiry, forge, session.clock)
