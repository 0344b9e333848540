"""Which rule judges a custom resource: one of this run, else a packed one.

Packed rules lie in rules/, in a file for each operator that is named by the domain of its API
groups. A file is read when the first object of such a group is judged.
"""

from collections.abc import Iterable
from functools import cache
from pkgutil import get_data

from pipeline_gitops.documents import Body, text
from pipeline_gitops.health.facts import Judged
from pipeline_gitops.health.forms import flux, kapp, krane, ours
from pipeline_gitops.health.signs import Rule, judge
from pipeline_gitops.ids import Place
from pipeline_gitops.manifests import group_of
from pipeline_gitops.values import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a run: its own, then those that are packed."""

    own: tuple[Rule, ...] = ()

    def rule_for(self, group: str, kind: str) -> Rule | None:
        """The rule for a kind, or None if nobody wrote one."""
        own = next((rule for rule in self.own if rule.covers(group, kind)), None)
        return own or (_packed(group, kind) if "." in group else None)

    def over(self, written: Iterable[tuple[Body, Place]]) -> "Rules":
        """These, and after them those that the objects of a set bring, as other tools have them.

        Raises UsageFault for one that cannot be understood.
        """
        brought = tuple(
            rule
            for body, place in written
            for form in (flux, krane, kapp)
            for rule in form.rules(body, place)
        )
        return Rules((*self.own, *brought)) if brought else self


PACKED = Rules()


def assess(body: Body, rules: Rules = PACKED) -> Judged | None:
    """The word and a sentence for a custom resource; None if there is no rule for its kind."""
    rule = rules.rule_for(group_of(text(body, "apiVersion")), text(body, "kind"))
    return judge(body, rule) if rule else None


@cache
def _packed(group: str, kind: str) -> Rule | None:
    """The packed rule for a kind: of the file for its group, else of one for a domain above."""
    labels = group.split(".")
    for start in range(len(labels) - 1):
        for rule in packed(".".join(labels[start:])):
            if rule.covers(group, kind):
                return rule
    return None


@cache
def packed(domain: str) -> tuple[Rule, ...]:
    """The rules of one packed file, which is named by the domain of its groups."""
    if not domain.replace(".", "").replace("-", "").isalnum():
        return ()
    try:
        content = get_data(__package__, f"rules/{domain}.yaml")
    except OSError:
        return ()
    return ours.packed(content or b"", f"{domain}.yaml")
