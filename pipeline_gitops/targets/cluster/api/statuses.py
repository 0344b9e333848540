"""What an API server says when it refuses, without what must not be repeated.

A Status body quotes what was sent: an invalid Pod comes back whole, environment values included,
and an invalid Secret with its data. Only what is known to be a reason, a field or a rule gets
through.
"""

import json
from collections.abc import Iterator, Sequence

from pipeline_gitops.documents import Json, items, text
from pipeline_gitops.errors import UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.patterns import pattern
from pipeline_gitops.values import dataclass

LONGEST = 300
MOST_CAUSES = 5

CONFLICTING_OWNER = "FieldManagerConflict"

# Answers 500 that no repetition changes; they carry neither a reason nor details.
_FINAL = (
    "failed to create typed patch object",
    "failed to convert new object",
    "request is too large",
)
# The authorizer's words. Admission answers 403 too, but says something else.
_DENIED = pattern(
    r'User "(?:[^"\\]|\\.)*" cannot (?P<verb>\S+) (?:resource|path) "(?P<resource>[^"]*)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_DUMP = pattern(r"(?P<what>Invalid value|Unsupported value|Duplicate value|Not found): ")
_FIELD = pattern(r": (?P<field>\.[\w.\[\]/-]+): ")
_WEBHOOK = pattern(r'admission webhook "[\w.-]+" denied the request')
_QUOTA = pattern(r'^\S+ "[^"]*" is forbidden: exceeded quota: ')
_NO_DRY_RUN = pattern(r'admission webhook "[\w.-]+" does not support dry run')
# A webhook that cannot be asked, and why: what comes up in a moment, and nothing else
# (https://github.com/kubernetes/apiserver, pkg/admission/plugin/webhook/errors).
_UNCALLED = pattern(
    r'(?:^|: )(?:failed calling webhook "(?P<name>[\w.-]+)": failed to call webhook'
    r"|conversion webhook for (?P<kind>[\w./-]+, Kind=\w+) failed): Post "
)
_NOT_READY = pattern(
    r"connect: connection refused|no endpoints available|no such host|service \"\S+\" not found"
    r"|x509: |context deadline exceeded|i/o timeout|Client\.Timeout exceeded|: EOF$"
)
_ADDRESS = pattern(r'^"https://(?P<service>[\w-]+)\.(?P<namespace>[\w-]+)\.svc[:/]')
# Texts that the server itself ends a cause with; after a dump that cannot be parsed, nothing else
# can be told apart from the dump.
_KNOWN_ENDS = ("field is immutable", "may not change once set", "cannot change roleRef")


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of a Status's details. *message* is as the server wrote it: not to be shown."""

    reason: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook that the server could not ask; the Service behind it, where it is one."""

    name: str
    service: str = ""
    namespace: str = ""


class ForbiddenFault(UnreachableFault):
    """The account may not do what was asked."""


class ApiError(UnreachableFault):
    """The API server understood a request and refused it.

    A fault by itself only where nobody expected the refusal; *message* may be shown.
    """

    def __init__(
        self, status: int, answer: Json, *, asked: str, secret: bool, repeated: bool = False
    ) -> None:
        self.status = status
        self.repeated = repeated
        self.reason = text(answer, "reason")
        self.kind = text(answer, "details", "kind")
        self.name = text(answer, "details", "name")
        self.causes = tuple(_causes(answer))
        self.webhook = unready(status, answer)
        said = text(answer, "message")
        self._denied = _WEBHOOK.match(said) is not None
        self.exceeds_quota = status == 403 and _QUOTA.search(said) is not None
        self.needs_effects = status == 400 and _NO_DRY_RUN.match(said) is not None
        self.message = shown(status, answer, secret=secret)
        self.final = status != 500 or is_final(answer)
        super().__init__(
            f"{asked}: the API server answers {status}: {self.message}",
            "see whether the cluster is well; run it again",
        )

    @property
    def conflicts(self) -> tuple[Cause, ...]:
        """The fields that somebody else owns, if that is why."""
        return tuple(cause for cause in self.causes if cause.reason == CONFLICTING_OWNER)

    @property
    def is_stale(self) -> bool:
        """Whether a precondition failed: the object is not the one that was read any more."""
        other = self.status == 422 and {cause.field for cause in self.causes} == {"metadata.uid"}
        return other or (self.status == 409 and not self.conflicts)

    @property
    def misses_namespace(self) -> bool:
        """Whether the object's namespace is not there."""
        return self.status == 404 and self.kind == "namespaces"

    @property
    def is_unserved(self) -> bool:
        """Whether the server does not know the kind, rather than the object."""
        return self.status == 404 and not self.kind

    @property
    def ends_namespace(self) -> bool:
        """Whether the object's namespace is being deleted."""
        return self.status == 403 and any(
            cause.reason == "NamespaceTerminating" for cause in self.causes
        )

    @property
    def is_too_large(self) -> bool:
        """Whether the object is more than the server reads, or than its store takes."""
        return self.status == 413 or "request is too large" in self.message

    @property
    def is_denied(self) -> bool:
        """Whether an admission webhook denied it: it may give any reason and any causes."""
        return self._denied

    def is_validation_of(self, id: ObjectId) -> bool:
        """Whether this is the server's own validation of that object, and nobody's policy."""
        about = (self.kind, self.name) == (id.kind, id.name)
        return self.status == 422 and self.reason == "Invalid" and about and not self._denied

    @property
    def lacks_method(self) -> bool:
        """Whether the server never reads, or never applies, objects of that kind."""
        return self.status in (405, 415)

    @property
    def rejects(self) -> bool:
        """Whether the object itself is what the server will not take."""
        return self.status in (400, 403, 413, 422) or (self.status == 500 and self.final)


def is_final(answer: Json) -> bool:
    """Whether a 500 is about what was sent, and will not go away."""
    said = text(answer, "message")
    return any(words in said for words in _FINAL)


def unready(status: int, answer: Json) -> Webhook | None:
    """The webhook that cannot be asked yet, if that is all that stands against a request."""
    said = text(answer, "message")
    found = _UNCALLED.search(said) if status == 500 else None
    if found is None or not _NOT_READY.search(said, found.end()):
        return None
    address = _ADDRESS.match(said[found.end() :])
    return Webhook(
        found["name"] or f"of {found['kind']}",
        address["service"] if address else "",
        address["namespace"] if address else "",
    )


def denied(answer: Json) -> str | None:
    """What the server's authorizer misses: "create configmaps in namespace shop"; None: not it."""
    found = _DENIED.search(text(answer, "message"))
    if found is None:
        return None
    resource = found["resource"] + (f".{found['group']}" if found["group"] else "")
    where = f" in namespace {found['namespace']}" if found["namespace"] else ""
    return f"{found['verb']} {resource}{where}"


def _causes(answer: Json) -> Iterator[Cause]:
    for cause in items(answer, "details", "causes"):
        yield Cause(text(cause, "reason"), text(cause, "field"), text(cause, "message"))


def shown(status: int, answer: Json, *, secret: bool) -> str:
    """One line about a refusal that holds no value of the object."""
    causes = tuple(_causes(answer))
    message = text(answer, "message")
    if secret:
        said = _about_secret(status, text(answer, "reason"), message, causes)
    elif causes:
        each = dict.fromkeys(_cause(cause) for cause in causes)
        more = f", and {len(each) - MOST_CAUSES} more" if len(each) > MOST_CAUSES else ""
        said = "; ".join(list(each)[:MOST_CAUSES]) + more
    else:
        said = without_values(message) or text(answer, "reason")
    return " ".join(said.split()) or f"HTTP {status}"


def _cause(cause: Cause) -> str:
    said = without_values(cause.message)
    return f"{cause.field}: {said}" if cause.field else said


def _about_secret(status: int, reason: str, message: str, causes: Sequence[Cause]) -> str:
    webhook = _WEBHOOK.search(message)
    if webhook:
        return webhook[0]
    fields = [cause.field for cause in causes if cause.field]
    typed = _FIELD.search(message)
    if typed:
        fields.append(f"{typed['field']} is not known, or of the wrong type")
    if "illegal base64 data" in message:
        fields.append("data: a value is not base64")
    return ": ".join(filter(None, (reason or f"HTTP {status}", ", ".join(dict.fromkeys(fields)))))


def without_values(message: str) -> str:
    """A message of the server without the values that it quotes."""
    dump = _DUMP.search(message)
    if dump:
        detail = _after_value(message[dump.end() :])
        said = f"{message[: dump.start()]}{dump['what'].lower()}{f': {detail}' if detail else ''}"
    else:
        said = message
    # "expected string, got &value.valueUnstructured{Value:...}"; a dump may also start a new line.
    first, *more = said.splitlines() or [""]
    said = first.partition(", got ")[0] + (" ..." if more else "")
    return said if len(said) <= LONGEST else f"{said[:LONGEST]} ..."


def _after_value(rest: str) -> str:
    """The rule that follows a quoted value; "" where the value's end cannot be known."""
    try:
        _, end = json.JSONDecoder().raw_decode(rest)
    except (ValueError, RecursionError):
        end = 0
    detail = rest[end:]
    # A second quotation follows in a summary of several causes.
    if end and detail.startswith(": ") and not _DUMP.search(detail):
        return detail.removeprefix(": ")
    return next((known for known in _KNOWN_ENDS if rest.endswith(f": {known}")), "")
