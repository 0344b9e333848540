"""Places that a secret can come from. Each plants it in every encoding, runs a command, and gives
what that left behind."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

import yaml
from kubernetes.config import kube_config

from tests.cli.manifests import config_map, plain
from tests.fakes.apiserver import Fault
from tests.fakes.gitlab import FakeGitLab
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
    stage.review(base, stage.repository.commit(files))
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
    notes, statuses = stage.jobs.surfaces["note on the forge"], "statuses"
    for text in echoes(secret):
        for method in ("GET", "POST"):
            stage.forge.fail(method, notes, status=422, text=json.dumps({"message": text}))
            stage.forge.fail(method, statuses, status=422, text=text)
    base = stage.repository.commit(plain("directory: {path: rendered}"))
    stage.repository.git("checkout", "--quiet", "-b", "feature")
    head = stage.repository.commit({"deploy/settings.yaml": config_map(greeting="welcome")})
    stage.review(base, head, **{stage.jobs.token_name: _header(secret)})
    return stage.run("run")


def undelivered(stage: Stage, secret: str) -> Sinks:
    """A report that the forge does not take: it goes into the log, a file and the summary."""
    for method in ("GET", "POST"):
        for _ in range(20):
            stage.forge.fail(method, stage.jobs.surfaces["note on the forge"], status=422)
    return same_set(stage, secret)


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
    url = f"http://bot:{quote(secret, safe='')}@127.0.0.1:9/shop/deploy.git"
    stage.repository.git("remote", "add", "origin", url)
    stage.set(CI_REPOSITORY_URL=url)
    return stage.run("deploy")


def refused(stage: Stage, secret: str, *, command: Sequence[str] = ("deploy",)) -> Sinks:
    """The token of a kubeconfig, which the API server repeats as it refuses it."""
    token = _header(secret)
    for text in echoes(token):
        body = {"kind": "Status", "status": "Failure", "message": text, "reason": "Unauthorized"}
        stage.server.faults.append(Fault(status=403, body=json.dumps(body).encode()))
    stage.repository.commit(plain(ON_CLUSTER))
    stage.cluster(token=token)
    return stage.run(*command, "--timeout", "4s")


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


def client_key(stage: Stage, secret: str) -> Sinks:
    """The private key and the certificate of a kubeconfig, which a manifest repeats."""
    armoured = [f"-----BEGIN {kind}-----\n{secret}\n-----END {kind}-----" for kind in ("A", "B")]
    echo = manifest("ConfigMap", "echo", data=_numbered(echoes(secret)))
    stage.cluster()
    path = stage.out.parent / "kubeconfig"
    content = json.loads(path.read_text())
    key = path.with_name("key.pem")
    key.write_text(armoured[1])
    user = {"client-certificate-data": encoded(armoured[0]), "client-key": str(key)}
    content["users"][0]["user"] |= user
    path.write_text(json.dumps(content))
    stage.repository.commit({**plain(ON_CLUSTER), "deploy/echo.yaml": echo})
    return stage.run("diff")


def key_of_a_plugin(stage: Stage, secret: str) -> Sinks:
    """The private key that a credential plugin gives, which a manifest repeats."""
    program = stage.out.parent / "plugin"
    status = {"clientCertificateData": "none", "clientKeyData": secret}
    said = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}
    answer = program.with_name("answer")
    answer.write_text(json.dumps({**said, "status": status}))
    program.write_text(f"#!/bin/sh\ncat '{answer}'\n")
    program.chmod(0o755)
    echo = manifest("ConfigMap", "echo", data=_numbered(echoes(secret)))
    user = {"apiVersion": said["apiVersion"], "command": str(program), "interactiveMode": "Never"}
    files = plain(ON_CLUSTER)
    beside = "  files:\n    path: deploy\n    target: {directory: {path: rendered}}\n"
    files[".pipeline-gitops.yaml"] += beside
    sinks = _with_user(stage, {"exec": user}, {**files, "deploy/echo.yaml": echo})
    kube_config._cleanup_temp_files()  # which it has Python do at the end of the program
    return {**sinks, "temporary files": stage.left_behind()}


def _with_user(
    stage: Stage, user: Mapping[str, object], files: Mapping[str, str] | None = None
) -> Sinks:
    stage.repository.commit(files or plain(ON_CLUSTER))
    stage.cluster()
    path = stage.out.parent / "kubeconfig"
    content = json.loads(path.read_text())
    content["users"][0]["user"] = user
    content["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    path.write_text(json.dumps(content))
    return stage.run("diff", "--timeout", "2s")


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


# -- commands that render nothing ----------------------------------------------------------------


def _standing(stage: Stage, secret: str) -> None:
    """What an earlier job has deployed: a Secret, and a pod that fails and says its value."""
    stage.server.logs["worker"] = "\n".join(echoes(secret)[:24])
    stage.server.last_words = f"cannot log in with {secret}"
    stage.server.events = echoes(secret)
    stage.repository.commit({**plain(ON_CLUSTER), **known(secret), "deploy/pod.yaml": POD})
    stage.cluster()
    stage.run("deploy", "--no-wait", is_reporting=False)
    stage.forget()


def looked_at(stage: Stage, secret: str, *, command: Sequence[str]) -> Sinks:
    """A Secret that only the cluster knows, and a pod beside it that says its value."""
    _standing(stage, secret)
    return stage.run(*command, "--timeout", "3s")


def rotated(stage: Stage, secret: str, *, command: Sequence[str]) -> Sinks:
    """The same, where somebody has changed the value since it was deployed."""
    _standing(stage, secret)
    stage.repository.commit(known("another-value-by-far"))
    kind = stage.server.kind("", "Secret")
    live = stage.server.objects["", "Secret", "default", "db"]
    stage.server.store(kind, "default", "db", {**live, "data": {"password": encoded(secret)}})
    return stage.run(*command, "--timeout", "3s")


def undeletable(stage: Stage, secret: str) -> Sinks:
    """What a webhook says of the objects that are taken down: it quotes the live Secret."""
    _standing(stage, secret)
    for text in echoes(secret):
        said = f'admission webhook "policy.example.com" denied the request: {text}'
        body = {"kind": "Status", "status": "Failure", "message": said, "reason": "Forbidden"}
        denial = json.dumps({**body, "code": 403}).encode()
        stage.server.faults.append(Fault(status=403, body=denial, only="DELETE"))
    return stage.run("destroy", "--environment", "prod", "--confirm", "prod", "--timeout", "3s")


def rolled_back(stage: Stage, secret: str) -> Sinks:
    """A pod that fails in a rollback, and says what the Secret of the older commit holds."""
    _standing(stage, secret)
    old = stage.repository.git("rev-parse", "HEAD")
    stage.repository.commit(known("another-value-by-far"))
    stage.run("deploy", "--no-wait", is_reporting=False)
    stage.forget()
    back = ("rollback", "--environment", "prod", "--to", old, "--now")
    return stage.run(*back, "--timeout", "4s")


def given_to_kubectl(stage: Stage, secret: str) -> Sinks:
    """What the API server says when the inventory is handed over: it quotes the credentials."""
    token = "admin-token"
    stage.repository.commit(plain(ON_CLUSTER))
    stage.cluster()
    stage.run("deploy", "--no-wait", is_reporting=False)
    stage.forget()
    stage.set(DEPLOY_PASSWORD=secret)
    for text in (*echoes(secret), token):
        body = {"kind": "Status", "status": "Failure", "message": text, "reason": "Invalid"}
        denial = json.dumps({**body, "code": 422}).encode()
        stage.server.faults.append(Fault(status=422, body=denial, only="PATCH"))
    return stage.run("handover", "--environment", "prod", "--timeout", "3s")


def role_of_what_is_wrong(stage: Stage, secret: str) -> Sinks:
    """`permissions` for a set in which the value of a Secret stands where it must not."""
    names = [json.dumps(text) for text in echoes(secret)]
    pod = POD + "".join(f"  {name}: {name}\n" for name in names)
    stage.repository.commit({**plain(ON_CLUSTER), **known(secret), "deploy/pod.yaml": pod})
    stage.cluster()
    return stage.run("permissions", "--environment", "prod", "--timeout", "3s")


# -- reports of earlier jobs ---------------------------------------------------------------------


def _told(stage: Stage, secret: str) -> tuple[str, str, str]:
    """The report of a job that did not know the value as a secret; and base and head."""
    base = stage.repository.commit(
        {**plain("directory: {path: rendered}"), ".gitignore": "rendered/\nreport.json\n*.md\n"}
    )
    stage.repository.git("checkout", "--quiet", "-b", "feature")
    echo = manifest("ConfigMap", "echo", data=_numbered(echoes(secret)))
    head = stage.repository.commit({"deploy/echo.yaml": echo})
    path = stage.repository.root / "report.json"
    stage.review(base, head)
    stage.run("run", "--report", f"json={path}", is_reporting=False)
    stage.forget()
    stage.set(DEPLOY_PASSWORD=secret)
    return str(path), base, head


def posted(stage: Stage, secret: str) -> Sinks:
    """A report of this pipeline that holds what this job knows as a secret."""
    path, _, _ = _told(stage, secret)
    return stage.run("report", path)


def posted_for_a_fork(stage: Stage, secret: str) -> Sinks:
    """A report of a fork's job that holds what this job knows as a secret."""
    path, base, head = _told(stage, secret)
    stage.repository.git("checkout", "--quiet", "main")
    if isinstance(stage.forge, FakeGitLab):
        stage.forge.requests[7]["sha"] = head
    else:
        stage.forge.pulls[7]["head"] = {"sha": head, "repo": {"full_name": "stranger/deploy"}}
    stage.run_of_a_fork(base, head)
    return stage.run("report", "--from", path, "--commit", head, "--merge-request", "7")


def unreadable(stage: Stage, secret: str) -> Sinks:
    """A report that is none, under a name that holds a variable of the job."""
    stage.set(DEPLOY_PASSWORD=secret)
    stage.repository.commit(plain())
    path = stage.repository.root / quote(secret, safe="")
    path.write_text(json.dumps({"formatVersion": secret, secret: echoes(secret)}))
    return stage.run("report", str(path))


def _header(secret: str) -> str:
    """A token that an HTTP header can carry."""
    return "".join(sign if sign.isascii() and sign.isprintable() else "x" for sign in secret)


def _numbered(texts: Sequence[str]) -> dict[str, str]:
    return {f"k{number}": text for number, text in enumerate(texts)}


PROD = ("--environment", "prod")
CLUSTER_COMMANDS = {
    "deploy": ("deploy",),
    "diff": ("diff", *PROD),
    "status": ("status",),
    "watch": ("watch",),
    "destroy": ("destroy", *PROD, "--confirm", "prod"),
    "rollback": ("rollback", *PROD, "--to", "HEAD", "--now"),
    "permissions": ("permissions", *PROD),
    "handover": ("handover", *PROD),
}

# Of jobs that speak to a forge.
REPORTED: Mapping[str, Source] = {
    source.__name__: source
    for source in (
        secret_data,
        string_data,
        live_secret,
        last_applied,
        same_set,
        long_line,
        invalid,
        pod_log,
        last_words,
        event,
        denial,
        forge_error,
        undelivered,
        job_token,
        posted,
        posted_for_a_fork,
    )
}

SOURCES: Mapping[str, Source] = {
    **REPORTED,
    **{
        source.__name__: source
        for source in (
            rendered,
            argument,
            address,
            plugin,
            damaged_kubeconfig,
            client_key,
            key_of_a_plugin,
            engine,
            undeletable,
            rolled_back,
            given_to_kubectl,
            role_of_what_is_wrong,
            unreadable,
        )
    },
    **{
        f"refused: {name}": partial(refused, command=command)
        for name, command in CLUSTER_COMMANDS.items()
    },
    **{
        f"{source.__name__}: {name}": partial(source, command=(name, *PROD))
        for source in (looked_at, rotated)
        for name in ("status", "watch")
    },
    "rotated: diff": partial(rotated, command=("diff", *PROD)),
}
