"""Why a container does not run: its state, its last end, its image, its probes.

The reasons and texts are the kubelet's and the container runtime's
(https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/,
https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff).
"""

import re
from collections.abc import Iterator, Sequence

from pipeline_gitops.documents import Body, Json, at, bodies, mapping, text
from pipeline_gitops.health.causes.references import missing
from pipeline_gitops.health.causes.values import Cause, Happening, Wanted
from pipeline_gitops.health.facts import number
from pipeline_gitops.patterns import pattern
from pipeline_gitops.values import dataclass

_PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
# What the shell and the runtime mean by these (POSIX 2.8.2; 128+n: ended by signal n).
_ENDS = {
    126: "its command may not be executed",
    127: "its command was not found",
    134: "it aborted (SIGABRT)",
    139: "it crashed with a segmentation fault (SIGSEGV)",
    143: "it was asked to end (SIGTERM)",
}
_UNFIXABLE = frozenset({126, 127})
_DENIED = pattern(
    r"unauthorized|authentication required|access denied|no basic auth|forbidden|denied:"
    r"|authorization failed|401|403",
    re.IGNORECASE,
)
_DOWN = pattern(
    r"no such host|connection refused|i/o timeout|timed? ?out|tls handshake|temporary failure"
    r"|no route to host|service unavailable|bad gateway|50[0234]\b|\beof\b",
    re.IGNORECASE,
)
_ABSENT = pattern(r"not found|manifest unknown|does not exist|name unknown", re.IGNORECASE)
_BUSY = pattern(r"toomanyrequests|too many requests|rate limit|429", re.IGNORECASE)
_PLATFORM = pattern(r"no match for platform", re.IGNORECASE)
_PROBE = pattern(r"(?P<probe>Readiness|Liveness|Startup) probe (?:failed|errored): (?P<said>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Container:
    """One container's status and its part of the pod's spec."""

    name: str
    status: Body
    spec: Body
    namespace: str

    @property
    def restarts(self) -> int:
        return number(self.status, "restartCount")

    @property
    def image(self) -> str:
        return text(self.spec, "image") or text(self.status, "image")


def causes(pod: Body, happenings: Sequence[Happening], wanted: Wanted) -> Iterator[Cause]:
    """What is wrong with the pod's containers, those that start first, first."""
    for container in _containers(pod):
        waiting = text(container.status, "state", "waiting", "reason")
        if waiting:
            yield from _waiting(container, waiting, happenings, wanted)
        elif at(container.status, "state", "terminated", "exitCode"):
            yield _ended(container, at(container.status, "state", "terminated"))
        elif at(container.status, "ready") is False:
            yield from _unready(container, happenings)


def _containers(pod: Body) -> Iterator[_Container]:
    for status_key, spec_key in (
        ("initContainerStatuses", "initContainers"),
        ("containerStatuses", "containers"),
    ):
        specs = {text(spec, "name"): spec for spec in bodies(pod, "spec", spec_key)}
        for status in bodies(pod, "status", status_key):
            name = text(status, "name")
            yield _Container(
                name=name,
                status=status,
                spec=specs.get(name, {}),
                namespace=text(pod, "metadata", "namespace"),
            )


def _waiting(
    container: _Container, reason: str, happenings: Sequence[Happening], wanted: Wanted
) -> Iterator[Cause]:
    message = text(container.status, "state", "waiting", "message")
    if reason == "InvalidImageName":
        yield _final(
            "image-name-invalid",
            f"container {container.name}: {container.image} is no image name",
            "correct the image in the manifest",
        )
    elif reason == "ErrImageNeverPull":
        yield _final(
            "image-not-on-node",
            f"container {container.name}: {container.image} is not on the node, and "
            "imagePullPolicy Never forbids to pull it",
            "set imagePullPolicy to IfNotPresent",
        )
    elif reason in _PULLING:
        yield _image(container, message, happenings)
    elif reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        yield _uncreated(container, reason, message, wanted)
    elif reason == "CrashLoopBackOff":
        yield _ended(container, at(container.status, "lastState", "terminated"))


def _image(container: _Container, message: str, happenings: Sequence[Happening]) -> Cause:
    """Why an image cannot be pulled. The back-off's own message may say nothing; then the events
    do."""
    texts = [message, *(h.message for h in happenings if h.reason in ("Failed", "ErrImagePull"))]
    said = " ".join(texts)
    image, where = container.image, f"container {container.name}"
    if _PLATFORM.search(said):
        return _final(
            "image-platform",
            f"{where}: {image} is not built for the node's platform",
            "build the image for that platform too",
        )
    if _BUSY.search(said):
        return Cause(
            rule="registry-limit",
            sentence=f"{where}: the registry limits how often {image} may be pulled",
            cure="pull with credentials, or from a mirror",
        )
    if _DENIED.search(said):
        return Cause(
            rule="image-denied",
            sentence=f"{where}: the registry does not let this pod pull {image}, "
            "or it has no such repository",
            cure="see imagePullSecrets of the pod and its ServiceAccount, and the image's name",
        )
    if _ABSENT.search(said):
        return Cause(
            rule="image-not-found",
            sentence=f"{where}: there is no image {image}",
            cure="push that tag, or correct the image in the manifest",
        )
    if _DOWN.search(said):
        return Cause(
            rule="registry-down",
            sentence=f"{where}: the registry of {image} cannot be reached from the node",
            cure="see whether the registry is up and the node's network reaches it",
        )
    return Cause(
        rule="image-pull",
        sentence=f"{where}: {image} cannot be pulled",
        cure="see the events of the pod",
    )


def _uncreated(container: _Container, reason: str, message: str, wanted: Wanted) -> Cause:
    # A node that has not caught up with the API server says so in the same words; it heals.
    if "failed to sync" in message:
        return Cause(rule="node-not-ready", sentence=f"container {container.name}: {message}")
    found = missing(message, container.namespace, wanted)
    if found:
        return Cause(
            rule=found.rule,
            sentence=f"container {container.name}: {found.sentence}",
            final=found.final,
            cure=found.cure,
        )
    if "executable file not found" in message or "no such file or directory" in message:
        return _final(
            "command-not-found",
            f"container {container.name}: its command is not in the image",
            "correct command and args, or the image",
        )
    if "runAsNonRoot" in message:
        return _final(
            "runs-as-root",
            f"container {container.name}: its image runs as root, which runAsNonRoot forbids",
            "set runAsUser, or a USER in the image",
        )
    return Cause(
        rule="container-not-created",
        sentence=f"container {container.name}: {reason}: {message}".rstrip(": "),
    )


def _ended(container: _Container, terminated: Json) -> Cause:
    """How a container came to its end."""
    code = at(terminated, "exitCode")
    code = code if isinstance(code, int) else 0
    reason = text(terminated, "reason")
    where = f"container {container.name}"
    again = f", {container.restarts} restarts" if container.restarts else ""
    if reason == "OOMKilled":
        limit = text(container.spec, "resources", "limits", "memory")
        of = f" of {limit}" if limit else " (its own, or the node's)"
        return Cause(
            rule="out-of-memory",
            sentence=f"{where} used more memory than its limit{of} and was killed{again}",
            cure="raise resources.limits.memory, or use less",
            restarts=container.restarts,
        )
    if code == 137:
        return Cause(
            rule="killed",
            sentence=f"{where} was killed (SIGKILL, exit code 137), and not for its memory{again}",
            cure="see the events: a probe, an eviction, or the end of its grace period",
            restarts=container.restarts,
        )
    said = _ENDS.get(code, "")
    if reason in ("ContainerCannotRun", "StartError"):
        said = said or "it could not be started"
    if not code:
        said = "it ends although it should go on running"
    sentence = f"{where} ended with exit code {code}" + (f": {said}" if said else "") + again
    return Cause(
        rule="command-not-found" if code in _UNFIXABLE else "crash",
        sentence=sentence,
        final=code in _UNFIXABLE,
        cure="correct command and args, or the image" if code in _UNFIXABLE else "see its log",
        restarts=container.restarts,
    )


def _unready(container: _Container, happenings: Sequence[Happening]) -> Iterator[Cause]:
    """A container that runs and is not ready: which probe says so, and what it was answered."""
    for happening in reversed(happenings):
        found = _PROBE.search(happening.message)
        if found and happening.reason == "Unhealthy":
            probe = found["probe"].lower()
            yield Cause(
                rule=f"{probe}-probe",
                sentence=f"container {container.name}: its {probe} probe"
                f"{_asked(container.spec, probe)} fails: {found['said']}",
                cure="see its log, and whether the probe asks the right thing",
                restarts=container.restarts,
                grace_s=_grace(container.spec),
            )
            return
    if "running" in mapping(container.status, "state"):
        probe = "readiness" if at(container.spec, "readinessProbe") is not None else ""
        if probe:
            yield Cause(
                rule="readiness-probe",
                sentence=f"container {container.name} runs, and its readiness probe"
                f"{_asked(container.spec, probe)} does not succeed",
                cure="see its log, and whether the probe asks the right thing",
                restarts=container.restarts,
                grace_s=_grace(container.spec),
            )


def _grace(spec: Body) -> float:
    """How long its probes let the container take to start: before that, unready says nothing."""
    startup = mapping(spec, "startupProbe")
    period = number(startup, "periodSeconds") or 10
    threshold = number(startup, "failureThreshold") or 3
    starting = number(startup, "initialDelaySeconds") + period * threshold if startup else 0
    return float(starting + number(spec, "readinessProbe", "initialDelaySeconds"))


def _asked(spec: Body, probe: str) -> str:
    """What a probe asks, as people would type it."""
    asks = mapping(spec, f"{probe}Probe")
    get = mapping(asks, "httpGet")
    if get:
        return f" (GET {text(get, 'path') or '/'} on port {get.get('port')})"
    if at(asks, "tcpSocket") is not None:
        return f" (TCP port {at(asks, 'tcpSocket', 'port')})"
    if at(asks, "grpc") is not None:
        return f" (gRPC port {at(asks, 'grpc', 'port')})"
    if at(asks, "exec") is not None:
        return " (a command)"
    return ""


def _final(rule: str, sentence: str, cure: str) -> Cause:
    return Cause(rule=rule, sentence=sentence, final=True, cure=cure)
