"""Places that a secret can come from. Each plants it in every encoding, runs a command, and gives
what that left behind."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from tests.cli.manifests import config_map, plain
from tests.fakes.apiserver import ADMIN, Fault
from tests.leaks.encodings import ENCODINGS
from tests.leaks.stages import POD, Sinks, Stage

Source = Callable[[Stage, str], Sinks]

ON_CLUSTER = "cluster: {namespace: default}"


def echoes(secret: str) -> list[str]:
    """Sentences that quote the secret, one for each encoding."""
    return [f"cannot log in with {encode(secret)} today" for encode in ENCODINGS.values()]


def manifest(kind: str, name: str, **fields: object) -> str:
    versions = {"Job": "batch/v1"}
    head = {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": {"name": name}}
    return yaml.safe_dump({**head, **fields}, allow_unicode=True)


def known(secret: str) -> dict[str, str]:
    """A Secret of the set that holds it: from here on it is known."""
    return {"deploy/secret.yaml": manifest("Secret", "db", stringData={"password": secret})}


def encoded(secret: str) -> str:
    return base64.b64encode(secret.encode()).decode()


def _reviewed(stage: Stage, files: Mapping[str, str], target: str = ON_CLUSTER) -> Sinks:
    base = stage.repository.commit(plain(target))
    stage.repository.git("checkout", "--quiet", "-b", "feature")
    stage.pull_request(base, stage.repository.commit(files))
    stage.cluster()
    return stage.run("run")


def _deployed(stage: Stage, files: Mapping[str, str]) -> Sinks:
    stage.push(stage.repository.commit({**plain(ON_CLUSTER), **files}))
    stage.cluster()
    return stage.run("run", "--timeout", "4s")


def secret_data(stage: Stage, secret: str) -> Sinks:
    """`data` of a Secret of the merge request."""
    data = {"password": encoded(secret), "other": encoded(encoded(secret))}
    return _reviewed(stage, {"deploy/secret.yaml": manifest("Secret", "db", data=data)})


def string_data(stage: Stage, secret: str) -> Sinks:
    """`stringData` of it."""
    values = {f"v{number}": text for number, text in enumerate(echoes(secret))}
    return _reviewed(
        stage, {"deploy/secret.yaml": manifest("Secret", "db", stringData=values | {"p": secret})}
    )


def live_secret(stage: Stage, secret: str) -> Sinks:
    """A live Secret that the merge request changes; somebody echoes its value."""
    kind = stage.server.kind("", "Secret")
    stage.server.store(kind, "default", "db", {"data": {"password": encoded(secret)}})
    new = manifest("Secret", "db", stringData={"password": "another-value-by-far"})
    settings = manifest("ConfigMap", "echo", data=_numbered(echoes(secret)))
    return _reviewed(stage, {"deploy/secret.yaml": new, "deploy/echo.yaml": settings})


def last_applied(stage: Stage, secret: str) -> Sinks:
    """The copy that kubectl has left in an annotation."""
    copy = json.dumps({"kind": "Secret", "data": {"password": encoded(secret)}})
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": copy, "note": secret}
    body = {"metadata": {"annotations": annotations}, "data": {"password": encoded(secret)}}
    stage.server.store(stage.server.kind("", "Secret"), "default", "db", body)
    return _reviewed(stage, known("another-value-by-far"))


def same_set(stage: Stage, secret: str) -> Sinks:
    """Other objects of the set that repeat the value of its Secret."""
    env = [{"name": f"V{i}", "value": text} for i, text in enumerate(echoes(secret))]
    spec = {"template": {"spec": {"containers": [{"name": "a", "image": "a:1", "env": env}]}}}
    files = {
        **known(secret),
        "deploy/job.yaml": manifest("Job", "migrate", spec=spec),
        "deploy/echo.yaml": manifest("ConfigMap", "echo", data=_numbered(echoes(secret))),
    }
    return _reviewed(stage, files, "directory: {path: rendered}")


def long_line(stage: Stage, secret: str) -> Sinks:
    """A line that is cut inside of the value."""
    data = {f"k{n}": f"{'x ' * 185}{' ' * n}{secret} and on {'y ' * 40}" for n in range(30)}
    return _reviewed(
        stage, {**known(secret), "deploy/echo.yaml": manifest("ConfigMap", "echo", data=data)}
    )


def rendered(stage: Stage, secret: str) -> Sinks:
    """What `render` prints of a set that repeats the value of its Secret."""
    echo = manifest("ConfigMap", "echo", data=_numbered(echoes(secret)))
    stage.repository.commit(
        {**plain("directory: {path: rendered}"), **known(secret), "deploy/echo.yaml": echo}
    )
    return stage.run("render")


def invalid(stage: Stage, secret: str) -> Sinks:
    """Findings about fields that hold the value, or are called by it."""
    names = [json.dumps(text) for text in echoes(secret)]
    pod = POD + "".join(f"  {name}: {name}\n" for name in names)
    ports = [{"port": text} for text in echoes(secret)]
    service = manifest("Service", "web", spec={"ports": ports, "type": secret})
    return _reviewed(
        stage, {**known(secret), "deploy/pod.yaml": pod, "deploy/service.yaml": service}
    )


def pod_log(stage: Stage, secret: str) -> Sinks:
    """The log of a pod that fails."""
    stage.server.logs["worker"] = "\n".join([*echoes(secret)][:24])
    return _deployed(stage, {**known(secret), "deploy/pod.yaml": POD})


def last_words(stage: Stage, secret: str) -> Sinks:
    """The message that a container leaves, cut by the kubelet at both ends."""
    said = "; ".join(echoes(secret))
    stage.server.last_words = f"{secret[5:]} {said} {secret[:-5]}"
    return _deployed(stage, {**known(secret), "deploy/pod.yaml": POD})


def event(stage: Stage, secret: str) -> Sinks:
    """Messages of events about a pod."""
    texts = echoes(secret)
    stage.server.events = ["; ".join(texts[start : start + 3]) for start in range(0, len(texts), 3)]
    return _deployed(stage, {**known(secret), "deploy/pod.yaml": POD})


def denial(stage: Stage, secret: str) -> Sinks:
    """What an admission webhook says, of one object in each encoding."""
    denied = {}
    for number, text in enumerate(echoes(secret)):
        denied[f"deploy/denied-{number}.yaml"] = manifest("ConfigMap", f"denied-{number}")
        said = f'admission webhook "policy.example.com" denied the request: {text}'
        body = {"kind": "Status", "status": "Failure", "message": said, "reason": "Forbidden"}
        stage.server.faults += [
            Fault(
                status=403,
                body=json.dumps({**body, "code": 403}).encode(),
                only="PATCH",
                path=f"denied-{number}",
            )
        ] * 2
    return _deployed(stage, {**known(secret), **denied})


def forge_error(stage: Stage, secret: str) -> Sinks:
    """The token of the job, which a forge's error pages repeat."""
    for text in echoes(secret):
        for method in ("GET", "POST"):
            stage.github.fail(method, "comments", status=422, text=json.dumps({"message": text}))
            stage.github.fail(method, "statuses", status=422, text=text)
    base = stage.repository.commit(plain("directory: {path: rendered}"))
    stage.repository.git("checkout", "--quiet", "-b", "feature")
    head = stage.repository.commit({"deploy/settings.yaml": config_map(greeting="welcome")})
    stage.pull_request(base, head, GITHUB_TOKEN=_header(secret))
    return stage.run("run")


def job_token(stage: Stage, secret: str) -> Sinks:
    """A variable of the job, which a manifest repeats."""
    stage.set(DEPLOY_PASSWORD=secret)
    echo = manifest("ConfigMap", "echo", data=_numbered(echoes(secret)))
    return _reviewed(stage, {"deploy/echo.yaml": echo}, "directory: {path: rendered}")


def argument(stage: Stage, secret: str) -> Sinks:
    """An argument that holds a variable of the job, in a command that does not even start."""
    stage.set(DEPLOY_PASSWORD=secret)
    stage.repository.commit(plain())
    return stage.run("deploy", "--environment", secret, "--timeout", secret)


def address(stage: Stage, secret: str) -> Sinks:
    """The password in the address of the repository, which cannot be reached."""
    stage.repository.commit(plain("branch: {name: rendered, path: .}"))
    from urllib.parse import quote

    url = f"http://bot:{quote(secret, safe='')}@127.0.0.1:9/shop/deploy.git"
    stage.repository.git("remote", "add", "origin", url)
    stage.set(CI_REPOSITORY_URL=url)
    return stage.run("deploy")


def kubeconfig(stage: Stage, secret: str) -> Sinks:
    """The token of a kubeconfig, which the API server repeats as it refuses it."""
    token = _header(secret)
    for text in echoes(token):
        body = {"kind": "Status", "status": "Failure", "message": text, "reason": "Unauthorized"}
        stage.server.faults.append(Fault(status=403, body=json.dumps(body).encode()))
    stage.repository.commit(plain(ON_CLUSTER))
    stage.cluster(token=token)
    return stage.run("deploy", "--timeout", "4s")


def plugin(stage: Stage, secret: str) -> Sinks:
    """What a credential plugin prints before it fails."""
    program = Path(stage.out.parent) / "plugin"
    said = "\n".join(echoes(secret)).replace("'", "'\\''")
    program.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\nprintf '%s' '{said}' >&2\nexit 1\n")
    program.chmod(0o755)
    user = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}
    return _with_user(stage, {"exec": {**user, "interactiveMode": "Never"}})


def damaged_kubeconfig(stage: Stage, secret: str) -> Sinks:
    """A key and a password in a kubeconfig that cannot be used."""
    return _with_user(
        stage,
        {"client-certificate-data": encoded(secret), "client-key-data": secret, "password": secret},
    )


def _with_user(stage: Stage, user: Mapping[str, object]) -> Sinks:
    stage.repository.commit(plain(ON_CLUSTER))
    stage.cluster()
    path = stage.out.parent / "kubeconfig"
    content = json.loads(path.read_text())
    content["users"][0]["user"] = user
    content["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    path.write_text(json.dumps(content))
    return stage.run("deploy", "--timeout", "4s")


def engine(stage: Stage, secret: str) -> Sinks:
    """What kustomize says of a patch that does not apply: it quotes the whole object."""
    patch = manifest("Secret", "missing", stringData={"password": secret})
    kustomization = {"resources": ["settings.yaml"], "patches": [{"patch": patch}]}
    files = {
        **plain("directory: {path: rendered}"),
        "deploy/kustomization.yaml": yaml.safe_dump(kustomization),
    }
    stage.repository.commit(files)
    return stage.run("validate")


def _header(secret: str) -> str:
    """A token that an HTTP header can carry."""
    return "".join(sign if sign.isascii() and sign.isprintable() else "x" for sign in secret)


def _numbered(texts: Sequence[str]) -> dict[str, str]:
    return {f"k{number}": text for number, text in enumerate(texts)}


SOURCES: Mapping[str, Source] = {
    source.__name__: source
    for source in (
        secret_data,
        string_data,
        live_secret,
        last_applied,
        same_set,
        long_line,
        rendered,
        invalid,
        pod_log,
        last_words,
        event,
        denial,
        forge_error,
        job_token,
        argument,
        address,
        kubeconfig,
        plugin,
        damaged_kubeconfig,
        engine,
    )
}

__all__ = ["ADMIN", "SOURCES"]
