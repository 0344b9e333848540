"""One environment: how it ended and why, what was to change, in which order, and how it went."""

import shlex
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from pipeline_gitops.errors import Verdict
from pipeline_gitops.reports import conflicts, recoveries, words
from pipeline_gitops.reports.page import changes, orders, rollouts
from pipeline_gitops.reports.page.elements import Child, Element, element
from pipeline_gitops.reports.page.texts import (
    URL,
    command,
    joined,
    link,
    mark,
    named,
    prose,
    where,
    with_cure,
)
from pipeline_gitops.views import (
    CardView,
    DeployView,
    FieldConflict,
    InventoryView,
    Report,
    Result,
    RollbackView,
)

SHORT = 12  # characters of a commit


def anchor(result: Result) -> str:
    """Where on the page an environment stands."""
    return "environment-" + quote(result.environment, safe="").replace("%", "_")


def environment(result: Result, report: Report, number: int) -> Element:
    """The section of one environment, the *number*-th of the page."""
    tone = words.tone(result)
    plan = words.leading(result)
    names = changes.anchors(plan, number)
    title = f"title-{number}"
    return element(
        "section",
        element("h2", mark(tone), result.environment, id=title),
        element("p", words.phrase(result), class_=f"phrase {tone.value}")
        if len(report.results) > 1  # the page's own heading says it
        else None,
        element("p", *joined(_facts(result)), class_="about"),
        _found(result),
        *_troubles(result),
        *(_card(card, report, names.get(card.id)) for card in result.cards),
        *_undone(result),
        _rollback(result.rollback, report),
        *(element("p", *prose(notice), class_="notice") for notice in result.notices),
        *changes.plans(result, report, number),
        orders.order(plan, names) if plan else None,
        rollouts.rollout(result.rollout, names),
        _inventory(result.inventory),
        _commands(result),
        id=anchor(result),
        class_="environment",
        aria_labelledby=title,
        data_name=result.environment,
        data_tone=tone.value,
    )


def _facts(result: Result) -> list[Child]:
    plan = words.leading(result)
    return [
        result.target,
        result.engine,
        words.counted(result.objects, "object") if result.objects else None,
        element("span", "plan ", element("code", plan.digest[:SHORT]))
        if plan and plan.digest
        else None,
    ]


def _found(result: Result) -> Element | None:
    """The way to the findings, which stand once for all environments."""
    if not result.findings:
        return None
    count = words.counted(len(result.findings), "finding")
    return element("p", element("a", f"{count} in the manifests", href="#findings"))


def _troubles(result: Result) -> Iterator[Element]:
    if result.fault:
        said = with_cure(result.fault.message, result.fault.cure)
        yield element("div", element("h3", "What broke"), element("p", *said), class_="trouble")
    if result.refusals:
        refused = (
            element(
                "li",
                *with_cure(one.message, one.cure),
                element("small", one.rule),
                _conflicts(one.conflicts),
            )
            for one in result.refusals
        )
        yield element("div", element("h3", "Refused"), element("ul", *refused), class_="trouble")


def _conflicts(found: Sequence[FieldConflict]) -> Element | None:
    """Who else sets which field, and how."""
    if not found:
        return None
    head = element("tr", *(element("th", name, scope="col") for name in conflicts.HEADER))
    rows = (
        element("tr", *(element("td", element("code", cell)) for cell in conflicts.row(one)))
        for one in found
    )
    return element(
        "table", element("thead", head), element("tbody", *rows), class_="overview stacking"
    )


def _card(card: CardView, report: Report, anchor: str | None) -> Element:
    name: Child = named(card.id)
    place = where(card.place, report)
    chain = element("ol", *(element("li", step) for step in card.chain), class_="chain")
    return element(
        "article",
        element("h3", element("a", name, href=f"#{anchor}") if anchor else name),
        element("p", *with_cure(card.cause, card.cure), class_="cause"),
        element(
            "p", *joined([place, element("code", card.rule) if card.rule else None]), class_="about"
        )
        if place or card.rule
        else None,
        chain if len(card.chain) > 1 else None,
        _evidence("Events", card.events),
        _evidence("Last log lines", card.log),
        class_="card",
        data_object=True,
        data_kind=str(card.id).partition(" ")[0],
        data_namespace=card.id.namespace,
    )


def _evidence(name: str, lines: tuple[str, ...]) -> Element | None:
    if not lines:
        return None
    return element("details", element("summary", name), element("pre", "\n".join(lines)), open=True)


def _undone(result: Result) -> Iterator[Element]:
    undone = words.undone_writes(result)
    if undone:
        rows = (
            element(
                "li",
                changes.action(one.action),
                " ",
                named(one.id),
                element("span", ": ".join(filter(None, (one.state, one.message))), class_="why"),
                data_object=True,
                data_kind=str(one.id).partition(" ")[0],
                data_namespace=one.id.namespace,
            )
            for one in undone
        )
        yield element("div", element("h3", "Not written"), element("ul", *rows), class_="trouble")


def _rollback(rollback: RollbackView | None, report: Report) -> Element | None:
    """Where the failed deploy went back to, and how that went."""
    if rollback is None:
        return None
    ended = rollback.result
    tone = "good" if ended.verdict is Verdict.OK else "bad"
    held = f"{rollback.held[:SHORT]} is held: it is not deployed again by itself"
    return element(
        "section",
        element("h3", "The way back"),
        element("p", recoveries.phrase(rollback), class_=f"phrase {tone}"),
        *_troubles(ended),
        element("ul", *map(_about_rollback, recoveries.lines(rollback)), class_="plain"),
        element("p", held, class_="notice") if rollback.held else None,
        *(_card(card, report, None) for card in ended.cards),
        rollouts.rollout(ended.rollout, {}),
        class_="rollback",
    )


def _about_rollback(line: str) -> Element:
    return element("li", *prose(line))


def _inventory(inventory: InventoryView | None) -> Element | None:
    """What the target records, newest first."""
    if inventory is None:
        return None
    deploys = [("deployed", inventory.deployed), ("under way", inventory.claimed)]
    rows = [_deploy(said, one) for said, one in deploys if one]
    rows += [_deploy("before", one) for one in inventory.history if one != inventory.deployed]
    held = element("li", element("code", inventory.held[:SHORT]), " is held by a rollback")
    return element(
        "section",
        element("h3", "Deploys"),
        element("ul", *rows, held if inventory.held else None, class_="plain"),
    )


def _deploy(said: str, deploy: DeployView) -> Element:
    revision: Child = element("code", deploy.revision[:SHORT])
    if URL.fullmatch(deploy.run_url):
        revision = link(revision, deploy.run_url)
    number = f" (run {deploy.sequence})" if deploy.sequence else ""
    return element("li", revision, f" {said}{number}")


def _commands(result: Result) -> Element:
    name = shlex.quote(result.environment)
    return element(
        "p",
        "See for yourself: ",
        command(f"pipeline-gitops diff --environment {name}"),
        " ",
        command(f"pipeline-gitops status --environment {name}"),
        class_="about",
    )
