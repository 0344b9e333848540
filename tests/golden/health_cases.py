"""The cases that stand beside the packed health rules, and the table that docs/health.md shows;
`python -m tests.golden.health_cases` writes it anew.

A case is a word and a status document:

    - Certificate:
      - Current: {conditions: [Ready=True Ready Certificate is up to date]}
      - {InProgress: {phase: Running}, spec: {replicas: 3}, generation: 2}

A condition is written as "type=status reason message"; "@1" after the type is its observed
generation. A kind whose rule names no single group is "Kind.group"; several kinds can share cases.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipeline_gitops.health.custom import packed
from pipeline_gitops.health.signs import Rule

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "pipeline_gitops" / "health" / "rules"
PAGE = ROOT / "docs" / "health.md"
SCHEMA = json.loads((ROOT / "schemas" / "health.schema.json").read_text(encoding="utf-8"))

_CONDITION = re.compile(r"([\w./-]+)(?:@(\d+))?=(\w+)(?: (\S+))?(?: (.*))?")
_MARK = "<!-- table: python -m tests.golden.health_cases -->\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One live object, and what is to be said of it."""

    domain: str
    kind: str
    word: str
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the test is called."""
        return f"{self.domain}:{self.kind}:{self.word}"


def domains() -> tuple[str, ...]:
    """The packed files."""
    return tuple(sorted(path.stem for path in RULES.glob("*.yaml")))


@cache
def documents(domain: str) -> tuple[Any, Any]:
    """A file's two documents: rules, and cases."""
    rules, cases = yaml.safe_load_all((RULES / f"{domain}.yaml").read_text(encoding="utf-8"))
    return rules, cases


def cases() -> Iterator[Case]:
    """All cases of all files."""
    for domain in domains():
        _, written = documents(domain)
        for entry in written:
            ((kinds, found),) = entry.items()
            for kind in kinds.split(", "):
                yield from (_case(domain, kind, case) for case in found)


def _case(domain: str, kind: str, written: Mapping[str, Any]) -> Case:
    words = [key for key in written if key in ("Current", "InProgress", "Failed", "Terminating")]
    assert len(words) == 1, (domain, kind, written)
    kind, _, group = kind.partition(".")
    metadata = {"name": "a", "generation": written.get("generation", 1)}
    body = {
        "apiVersion": f"{group or _group(domain, kind)}/v1",
        "kind": kind,
        "metadata": {**metadata, **written.get("metadata", {})},
        "spec": written.get("spec", {}),
    }
    status = written[words[0]]
    if status is not None:
        body["status"] = _status(status)
    return Case(domain=domain, kind=kind, word=words[0], body=body)


def _group(domain: str, kind: str) -> str:
    for rule in packed(domain):
        if kind == rule.kind and not rule.group.startswith("*."):
            return rule.group
    raise AssertionError(f"{domain}: write the group of {kind}: {kind}.group")


def _status(written: Any) -> Any:
    """The status with its conditions written out, wherever they are."""
    if isinstance(written, dict):
        return {
            key: [_condition(item) for item in part] if key == "conditions" else _status(part)
            for key, part in written.items()
        }
    if isinstance(written, list):
        return [_status(part) for part in written]
    return written


def _condition(written: Any) -> Any:
    if not isinstance(written, str):
        return written
    found = _CONDITION.fullmatch(written)
    assert found, written
    kind, generation, status, reason, message = found.groups()
    condition = {"type": kind, "status": status, "reason": reason or "", "message": message or ""}
    if generation:
        condition["observedGeneration"] = int(generation)
    return condition


def page() -> str:
    """docs/health.md with the table as the packed rules have it."""
    text = PAGE.read_text(encoding="utf-8")
    return text[: text.index(_MARK) + len(_MARK)] + "\n" + table()


def table() -> str:
    """Kind by kind, what Current means, and who says so."""
    lines = ["| operator | group | kinds | current means |", "|---|---|---|---|"]
    for domain in domains():
        operator = documents(domain)[0]["operator"]
        seen: dict[tuple[str, str, str], list[str]] = {}
        for rule in packed(domain):
            seen.setdefault((rule.group, rule.means, rule.source), []).append(rule.kind)
        for (group, means, source), kinds in seen.items():
            named = ", ".join("all others" if kind == "*" else kind for kind in kinds)
            lines.append(f"| {operator} | `{group}` | [{named}]({source}) | {means} |")
    return "\n".join(lines) + "\n"


def kinds() -> tuple[Rule, ...]:
    """All packed rules, one a kind."""
    return tuple(rule for domain in domains() for rule in packed(domain))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
