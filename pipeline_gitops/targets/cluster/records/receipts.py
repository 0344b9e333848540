"""What proves, without asking the server again, that an apply of an object would change nothing.

A receipt is made of the server's answer to our own apply, or to a dry run that changed nothing. It
still holds when the object is the same one, when the same would be sent under the same rules, and
when nothing that an apply looks at has moved since:

- the resourceVersion stands: nothing at all was written; or
- the generation stands, so its spec was not written; our entry in managedFields stands, so we still
  own what we owned; and every label and annotation that we send stands, as those do not always
  count up the generation. Only for kinds whose generation can be relied on.

Our entry alone would not do: it stays when an earlier run of ours sent other values, and when
somebody puts the items of a list in another order. An admission policy that was added later is not
seen: a thorough survey uses no receipts.

A Secret leaves no digest of a value behind, as those can be guessed: its receipt holds for as long
as the resourceVersion stands and the live values are those that would be sent.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import field

from pipeline_gitops.config import FieldRule
from pipeline_gitops.documents import Body, Json, at, bodies, mapping, text
from pipeline_gitops.inventories import Receipt
from pipeline_gitops.manifests import EPOCH, group_of, is_secret
from pipeline_gitops.targets.cluster.api import payloads
from pipeline_gitops.targets.cluster.api.objects import FIELD_MANAGER, is_terminating
from pipeline_gitops.targets.cluster.fields import foresight
from pipeline_gitops.targets.cluster.fields.fieldsets import APPLY, UPDATE
from pipeline_gitops.targets.cluster.fields.migrations import LEGACY
from pipeline_gitops.values import dataclass

FORMAT = "1"  # another one where this program decides otherwise about the same object

# Groups that the API server serves by itself. All others are somebody's definitions, or another
# server's, of which nobody knows what their generation means.
_BUILT_IN = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What decides beside the manifest: the policy, and the definitions of custom kinds.

    *definitions*: uid and generation by group and kind. A kind that is neither there nor built in
    has no receipts: a change of its definition could not be seen.
    """

    field_owners: tuple[FieldRule, ...] = ()
    definitions: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What a receipt says. *entry* "": only the resourceVersion proves something."""

    uid: str
    version: str
    generation: str
    basis: str
    entry: str


def is_custom(body: Body) -> bool:
    """Whether an object's kind is defined in the cluster, or served by another server."""
    return is_custom_group(group_of(text(body, "apiVersion")))


def is_custom_group(group: str) -> bool:
    """Whether an API group is none of those that the API server serves by itself."""
    return group not in _BUILT_IN


def made(sent: Body, answer: Body, terms: Terms) -> Receipt:
    """The receipt of our own apply of *sent*; "" where none can be given."""
    return _receipt(sent, answer, _entry(answer), terms)


def proven(sent: Body, live: Body, after: Body, terms: Terms) -> Receipt:
    """The receipt of a live object that a dry run of *sent* left as it is."""
    # An entry that the apply would have changed says nothing about what we own from now on.
    entry = _entry(live)
    return _receipt(sent, live, entry if entry == _entry(after) else "", terms)


def _receipt(sent: Body, live: Body, entry: str, terms: Terms) -> Receipt:
    facts = _facts(sent, live, entry, terms)
    if not (facts.uid and facts.version and facts.basis):
        return Receipt("")
    said = (FORMAT, facts.uid, facts.version, facts.generation, facts.basis, facts.entry)
    return Receipt("" if any(" " in word for word in said) else " ".join(said))


def holds(receipt: Receipt, sent: Body, live: Body, terms: Terms) -> bool:
    """Whether an apply of *sent* to *live* would change nothing.

    *live*: its metadata will do; of a Secret, all of it.
    """
    facts = _read(receipt)
    if facts is None or is_terminating(live):
        return False
    if facts.uid != text(live, "metadata", "uid") or facts.basis != _basis(sent, terms):
        return False
    same_version = facts.version == text(live, "metadata", "resourceVersion")
    if is_secret(sent):
        return same_version and foresight.covers(live, _stored(sent))
    return same_version or _untouched(facts, sent, live)


def is_of(receipt: Receipt, sent: Body, terms: Terms) -> bool:
    """Whether a receipt is about an apply of *sent*, whatever became of the object."""
    facts = _read(receipt)
    return facts is not None and facts.basis == _basis(sent, terms)


def _untouched(facts: _Facts, sent: Body, live: Body) -> bool:
    """Whether whatever moved the resourceVersion is nothing to an apply: a status, most often."""
    return (
        facts.generation not in ("", "0")
        and facts.generation == _generation(live)
        and facts.entry != ""
        and facts.entry == _entry(live)
        and _stands(sent, live, "labels")
        and _stands(sent, live, "annotations")
    )


def _stands(sent: Body, live: Body, key: str) -> bool:
    there = mapping(live, "metadata", key)
    return foresight.covers(there, mapping(sent, "metadata", key))


def _read(receipt: Receipt) -> _Facts | None:
    words = receipt.split(" ")
    if len(words) != 6 or words[0] != FORMAT:
        return None
    _, uid, version, generation, basis, entry = words
    return _Facts(uid=uid, version=version, generation=generation, basis=basis, entry=entry)


def _facts(sent: Body, live: Body, entry: str, terms: Terms) -> _Facts:
    return _Facts(
        uid=text(live, "metadata", "uid"),
        version=text(live, "metadata", "resourceVersion"),
        generation=_generation(live),
        basis=_basis(sent, terms),
        entry=entry,
    )


def _generation(live: Body) -> str:
    generation = at(live, "metadata", "generation")
    return str(generation) if isinstance(generation, int) else ""


# -- digests ---------------------------------------------------------------------------------------


def _basis(sent: Body, terms: Terms) -> str:
    """A digest of what is sent and of what decides about it; "" where that cannot be known."""
    definition = ""
    if is_custom(sent):
        kind = group_of(text(sent, "apiVersion")), text(sent, "kind")
        definition = terms.definitions.get(kind, "")
        if not definition:
            return ""
    rules = [[r.manager, r.decision, *r.fields, r.kind] for r in terms.field_owners]
    content = _keys(sent) if is_secret(sent) else sent
    return _digest([FORMAT, rules, definition, content])


def _keys(value: Json) -> Json:
    """The names in a body, without any value."""
    if isinstance(value, Mapping):
        return {key: _keys(inner) for key, inner in value.items()}
    return None


def _entry(live: Body) -> str:
    """A digest of what managedFields say that we own, and what would move into our entry.

    Their times do not matter. "" where we have no entry.
    """
    entries = [
        [text(entry, key) for key in ("manager", "operation", "apiVersion")]
        + [_unstamped(mapping(entry, "fieldsV1"))]
        for entry in bodies(live, "metadata", "managedFields")
        if not text(entry, "subresource") and (_is_ours(entry) or _is_legacy(entry))
    ]
    has_ours = any(words[:2] == [FIELD_MANAGER, APPLY] for words in entries)
    return _digest(entries) if has_ours else ""


def _is_ours(entry: Body) -> bool:
    return text(entry, "manager") == FIELD_MANAGER and text(entry, "operation") == APPLY


def _is_legacy(entry: Body) -> bool:
    return text(entry, "manager") in LEGACY and text(entry, "operation") == UPDATE


def _unstamped(fields: Body) -> Body:
    """Without the claim's number, which a write sets and a dry run does not."""
    metadata = mapping(fields, "f:metadata")
    annotations = mapping(metadata, "f:annotations")
    if f"f:{EPOCH}" not in annotations:
        return fields
    left = {key: value for key, value in annotations.items() if key != f"f:{EPOCH}"}
    if left.keys() <= {"."}:
        kept = {key: value for key, value in metadata.items() if key != "f:annotations"}
    else:
        kept = {**metadata, "f:annotations": left}
    return {**fields, "f:metadata": kept}


def _digest(value: object) -> str:
    digest = hashlib.blake2b(payloads.canonical(value), digest_size=9).digest()
    return base64.urlsafe_b64encode(digest).decode()


# -- Secrets ---------------------------------------------------------------------------------------


def _stored(sent: Body) -> Body:
    """A Secret as the server stores it: stringData laid over data, in base64."""
    given = {key: _encoded(value) for key, value in mapping(sent, "stringData").items()}
    written = {key: _unfolded(value) for key, value in mapping(sent, "data").items()}
    kept = {key: value for key, value in sent.items() if key not in ("data", "stringData")}
    data = {**written, **given}
    return {**kept, "data": data} if data else kept


def _encoded(value: Json) -> Json:
    return base64.b64encode(value.encode()).decode() if isinstance(value, str) else value


def _unfolded(value: Json) -> Json:
    """Base64 without the line breaks that `|` blocks bring: they are not stored."""
    return value.replace("\n", "").replace("\r", "") if isinstance(value, str) else value
