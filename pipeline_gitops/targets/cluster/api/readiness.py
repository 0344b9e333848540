"""Which refusals pass by themselves, because what they wait for comes with the same deploy.

A kind or a namespace that was made a moment ago needs a second until every part of the server knows
it. An admission webhook needs its workload, its certificate and its endpoints; until then the
server answers 500 to everything that it stands in front of. A denial never passes by itself.
"""

from collections.abc import Iterable

from pipeline_gitops.documents import Body, bodies, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.targets.cluster.api.statuses import ApiError, Webhook
from pipeline_gitops.values import dataclass

ADMISSION = "admissionregistration.k8s.io"
WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")

_DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What is waited for, how often it is tried, and for how long at most."""

    what: str
    every_s: float
    most_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What of a set others have to wait for."""

    webhooks: frozenset[str] = frozenset()
    services: frozenset[tuple[str, str]] = frozenset()  # namespace and name

    def has(self, webhook: Webhook) -> bool:
        """Whether the set brings that webhook, or the Service behind it."""
        behind = (webhook.namespace, webhook.service)
        return webhook.name in self.webhooks or behind in self.services


def brought(desired: ManifestSet) -> Brought:
    """The webhooks and Services of a set."""
    return Brought(
        webhooks=frozenset(
            name for manifest in desired.manifests for name in _webhooks(manifest.id, manifest.body)
        ),
        services=frozenset(
            (id.namespace, id.name) for id in desired.ids if id.group_kind == ("", "Service")
        ),
    )


def _webhooks(id: ObjectId, body: Body) -> Iterable[str]:
    if id.group == ADMISSION and id.kind in WEBHOOKS:
        for webhook in bodies(body, "webhooks"):
            yield text(webhook, "name")
    elif id.group_kind == _DEFINITION and text(body, "spec", "conversion", "strategy") == "Webhook":
        group, kind = text(body, "spec", "group"), text(body, "spec", "names", "kind")
        for version in bodies(body, "spec", "versions"):
            yield f"of {group}/{text(version, 'name')}, Kind={kind}"


def foreseen(error: ApiError, body: Body, desired: ManifestSet) -> str:
    """Why an object could not be tried out, where the same deploy brings what is missing."""
    if error.webhook and brought(desired).has(error.webhook):
        return f"webhook {error.webhook.name} is not ready, and comes with the same deploy"
    if error.status != 403 or text(body, "kind") != "Pod" or error.is_denied:
        return ""
    for id in (_account(body), _priority(body)):
        # A Pod is not taken without them, whereas what makes pods is.
        if id in desired.ids and any(words in error.message for words in _missing(id)):
            return f"{id} is created by the same deploy"
    return ""


def _account(pod: Body) -> ObjectId:
    name = text(pod, "spec", "serviceAccountName") or text(pod, "spec", "serviceAccount")
    return ObjectId("", "ServiceAccount", text(pod, "metadata", "namespace"), name)


def _priority(pod: Body) -> ObjectId:
    name = text(pod, "spec", "priorityClassName")
    return ObjectId("scheduling.k8s.io", "PriorityClass", "", name)


def _missing(id: ObjectId) -> tuple[str, ...]:
    return (
        f'serviceaccount "{id.name}" not found',
        f"no PriorityClass with name {id.name} was found",
    )


def wait(error: ApiError, *, predicted: bool, brought: Brought) -> Wait | None:
    """What will make the same write pass; None: nothing that we know of.

    *predicted*: the survey foresaw that something of the same deploy is missing.
    """
    if error.webhook:
        if not brought.has(error.webhook):
            return None
        return Wait(what=f"webhook {error.webhook.name}", every_s=1.0, most_s=240.0)
    unready = error.is_unserved or error.misses_namespace or error.status in (403, 500)
    if not predicted or not unready or error.is_denied or (error.status == 500 and error.final):
        return None
    return Wait(what="what the same deploy made", every_s=0.25, most_s=5.0)
