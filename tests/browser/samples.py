"""Reports for the browser: a story with everything in it, a large one, and a hostile one."""

import dataclasses
from collections.abc import Callable
from typing import Any

from pipeline_gitops import masks
from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.masks import Sealed
from pipeline_gitops.views import (
    Action,
    CardView,
    ChangeView,
    DeployView,
    EdgeView,
    Finding,
    Health,
    HealthView,
    InventoryView,
    LeftView,
    OrderView,
    PlanView,
    Refusal,
    Report,
    Result,
    RollbackView,
    RolloutView,
    Severity,
    WaveView,
    WrittenView,
)

SHOP = ObjectId("", "Namespace", "", "shop")
SETTINGS = ObjectId("", "ConfigMap", "shop", "api-settings")
TOKEN = ObjectId("", "Secret", "shop", "api-token")
SERVICE = ObjectId("", "Service", "shop", "api")
API = ObjectId("apps", "Deployment", "shop", "api")
WORKER = ObjectId("apps", "Deployment", "shop", "worker")
DATABASE = ObjectId("apps", "StatefulSet", "shop", "database")
INGRESS = ObjectId("networking.k8s.io", "Ingress", "shop", "api")
BANNER = ObjectId("apps", "Deployment", "shop", "banner")
DATA = ObjectId("", "PersistentVolumeClaim", "shop", "banner-data")
MIGRATE = ObjectId("batch", "Job", "shop", "migrate")

_DEPLOYMENT = """\
   labels:
     app.kubernetes.io/name: api
   name: api
@@
   template:
     spec:
       containers:
       - name: api
-        image: registry.example/shop/api:1.8.2
+        image: registry.example/shop/api:1.9.0
         env:
-        - name: LOG_LEVEL
-          value: debug
+        - name: LOG_LEVEL
+          value: info
+        - name: RECOMMENDATIONS_URL
+          value: http://recommendations.shop.svc:8080
         resources:
           limits:
-            memory: 256Mi
+            memory: 512Mi"""


def _change(id: ObjectId, action: Action, lines: str, **rest: Any) -> ChangeView:
    place = Place(f"deploy/base/{id.name}.yaml", 3)
    return ChangeView(id=id, action=action, lines=tuple(lines.splitlines()), place=place, **rest)


CHANGES = (
    _change(SETTINGS, Action.UPDATE, ' data:\n-  colour: "green"\n+  colour: "blue"\n   size: "3"'),
    _change(
        TOKEN, Action.UPDATE, " data:\n-  token: [masked] [before]\n+  token: [masked] [after]"
    ),
    _change(SERVICE, Action.REPLACE, " spec:\n-  clusterIP: None\n   ports:\n   - port: 80"),
    _change(
        API,
        Action.UPDATE,
        _DEPLOYMENT,
        note="api: registry.example/shop/api:1.8.2 -> registry.example/shop/api:1.9.0; "
        "spec.replicas: left (HorizontalPodAutoscaler, 5 there, 2 here)",
    ),
    _change(
        WORKER, Action.CREATE, "+apiVersion: apps/v1\n+kind: Deployment\n+spec:\n+  replicas: 2"
    ),
    _change(
        INGRESS,
        Action.CREATE,
        "+apiVersion: networking.k8s.io/v1\n+kind: Ingress",
        predicted="the class does not exist yet",
    ),
    _change(BANNER, Action.DELETE, "-apiVersion: apps/v1\n-kind: Deployment\n-metadata:"),
    _change(DATA, Action.DELETE, "-apiVersion: v1\n-kind: PersistentVolumeClaim"),
    _change(
        MIGRATE, Action.CREATE, "+apiVersion: batch/v1", note="hook: runs before everything else"
    ),
)
ORDER = OrderView(
    waves=(
        WaveView(phase="hooks before", ids=(MIGRATE,)),
        WaveView(ids=(TOKEN, SETTINGS)),
        WaveView(ids=(SERVICE,)),
        WaveView(ids=(API, WORKER), needs=(DATABASE,)),
        WaveView(ids=(INGRESS,), needs=(API,)),
        WaveView(phase="deletions", ids=(BANNER,)),
        WaveView(phase="deletions", ids=(DATA,)),
    ),
    edges=(
        EdgeView(user=INGRESS, needed=API, waits=True),
        EdgeView(user=API, needed=SETTINGS),
        EdgeView(user=API, needed=TOKEN),
        EdgeView(user=WORKER, needed=SETTINGS),
        EdgeView(user=INGRESS, needed=SERVICE),
    ),
)
PLAN = PlanView(
    compared="cluster prod", changes=CHANGES, unchanged=28, digest="3f2a9c1d77aa", order=ORDER
)
ROLLOUT = RolloutView(
    objects=(
        HealthView(id=MIGRATE, health=Health.CURRENT, started=0.0, seconds=11.4),
        HealthView(id=DATABASE, health=Health.CURRENT, started=11.4, seconds=38.0),
        HealthView(
            id=API,
            health=Health.FAILED,
            sentence="1 of 2 pods are ready, the image is not there",
            rule="image-not-found",
            started=49.4,
            seconds=92.0,
        ),
        HealthView(id=WORKER, health=Health.CURRENT, started=49.4, seconds=23.5),
        *(
            HealthView(id=ObjectId("", "ConfigMap", "shop", f"page-{n}"), health=Health.CURRENT)
            for n in range(24)
        ),
    ),
    seconds=141.4,
)
CARD = CardView(
    id=API,
    cause="the image registry.example/shop/api:1.9.0 is not in its registry; the old pods serve",
    rule="image-not-found",
    chain=(str(API), "ReplicaSet.apps shop/api-7c9d8", "Pod shop/api-7c9d8-x2x4k"),
    events=(
        'Pulling: Pulling image "registry.example/shop/api:1.9.0" (4 times)',
        "Failed: manifest unknown (4 times)",
        "BackOff: Back-off pulling image",
    ),
    log=("starting", "listening on :8080", "GET /health 200 1 ms", "", "terminated"),
    cure="push the image, or correct its tag; "
    "run `kubectl describe pod api-7c9d8-x2x4k --namespace shop`",
    place=Place("deploy/overlays/prod/kustomization.yaml", 8),
)
PROD = Result(
    environment="prod",
    target="cluster prod",
    engine="kustomize 5.8.1 (kubectl 1.37.1)",
    objects=37,
    plans=(PLAN,),
    dangers=(
        f"{DATA} is deleted, and with it what it holds",
        f"{SERVICE} is deleted and created anew",
    ),
    notices=("the deploy before was cut short: what it had claimed is looked at anew",),
    written=tuple(WrittenView(id=one.id, action=one.action, state="done") for one in CHANGES),
    rollout=ROLLOUT,
    cards=(CARD,),
    inventory=InventoryView(
        deployed=DeployView(
            revision="9f284253b1c0a7d8", sequence=41, run_url="https://ci.example/41"
        ),
        history=(DeployView(revision="77aa4253b1c0a7d8", sequence=40),),
    ),
    previous="77aa4253b1c0a7d8",
    rollback=RollbackView(
        revision="77aa4253b1c0a7d8",
        held="9f284253b1c0a7d8",
        result=Result(
            environment="prod",
            written=(WrittenView(id=API, action=Action.UPDATE, state="done"),),
            rollout=RolloutView(
                objects=(HealthView(id=API, health=Health.CURRENT, started=1.0, seconds=6.2),),
                seconds=8.0,
            ),
        ),
        left=(LeftView(id=DATA, action=Action.CREATE, why="what it held is gone"),),
    ),
    verdict=Verdict.UNHEALTHY,
)
STAGING = Result(
    environment="staging",
    target="directory rendered/staging",
    engine="kustomize 5.8.1 (kubectl 1.37.1)",
    objects=37,
    plans=(PlanView(compared="directory rendered/staging", changes=CHANGES[:2], unchanged=35),),
    findings=(
        Finding(
            rule="image-without-digest",
            message="the image of container api has no digest",
            severity=Severity.WARNING,
            place=Place("deploy/base/api.yaml", 21, 9),
            pointer="/spec/template/spec/containers/0/image",
            id=API,
        ),
    ),
)
DEV = Result(
    environment="dev",
    target="cluster dev",
    engine="kustomize 5.8.1 (kubectl 1.37.1)",
    objects=36,
    findings=(
        Finding(
            rule="schema",
            message="unknown field 'replcas', did you mean 'replicas'?",
            cure="write `replicas`",
            place=Place("deploy/base/worker.yaml", 8, 3),
            pointer="/spec/replcas",
            id=WORKER,
        ),
    ),
    refusals=(
        Refusal(
            rule="max-deletes",
            message="2 objects would be deleted, 1 is allowed",
            cure="confirm it with `pipeline-gitops deploy --confirm-deletes 2`",
        ),
    ),
    verdict=Verdict.REJECTED,
)


def report(*results: Result, **fields: Any) -> Report:
    """A report of a run over these environments."""
    return Report(
        command="run",
        revision="9f284253b1c0a7d8e9f00112233445566778899a",
        started_at="2026-03-09T21:14:05Z",
        seconds=187.3,
        version="0.1.0",
        repository="shop/deploy",
        merge_request=42,
        run_url="https://forge.example/shop/deploy/actions/runs/17",
        files_url="https://forge.example/shop/deploy/blob/9f28425",
        results=results,
        **fields,
    )


def story() -> Sealed:
    """Three environments: one failed, one is rejected, one is fine."""
    return masks.seal(report(PROD, STAGING, DEV), ())


def large(count: int) -> Sealed:
    """One environment with *count* changed objects, each waited for, in order."""
    kinds = ("ConfigMap", "Deployment", "Service", "Secret")
    ids = [
        ObjectId(
            "apps" if kinds[n % 4] == "Deployment" else "", kinds[n % 4], f"team-{n % 20}", f"o-{n}"
        )
        for n in range(count)
    ]
    actions = tuple(Action)
    changes = tuple(
        _change(id, actions[n % 4], _DEPLOYMENT, note=f"object number {n}")
        for n, id in enumerate(ids)
    )
    half = count // 2
    order = OrderView(
        waves=(WaveView(ids=tuple(ids[:half])), WaveView(ids=tuple(ids[half:]))),
        edges=tuple(
            EdgeView(user=user, needed=needed)
            for needed, user in zip(ids[:half], ids[half:], strict=False)
        ),
    )
    healths = tuple(
        HealthView(id=id, health=Health.CURRENT, started=n / 100, seconds=1 + n % 40)
        for n, id in enumerate(ids)
    )
    result = dataclasses.replace(
        STAGING,
        environment="prod",
        objects=count,
        findings=(),
        plans=(PlanView(compared="cluster prod", changes=changes, order=order),),
        rollout=RolloutView(objects=healths, seconds=60.0),
    )
    return masks.seal(report(result), ())


def with_every_text(spoil: Callable[[str], str]) -> Report:
    """The story, every text in it spoilt: names, paths, addresses, diffs, causes, logs."""
    made: Report = _spoilt(report(PROD, STAGING, DEV, notices=("noticed",)), spoil)
    return made


def _spoilt(value: Any, spoil: Callable[[str], str]) -> Any:
    if type(value) is str:
        return spoil(value)
    if isinstance(value, ObjectId):
        return ObjectId(*(_spoilt(part, spoil) for part in value))
    if isinstance(value, tuple):
        return tuple(_spoilt(item, spoil) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: _spoilt(getattr(value, field.name), spoil)
            for field in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **fields)
    return value
