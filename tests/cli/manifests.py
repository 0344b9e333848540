"""Small manifests that the command tests share."""

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  greeting: {greeting}
"""

SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: db
stringData:
  password: hunter2hunter2
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata:
      labels: {app: api}
      annotations: {pipeline-gitops.test/fate: FATE}
    spec:
      containers: [{name: api, image: "registry.example.com/api:1.9"}]
"""


def config_map(name: str = "settings", greeting: str = "hello") -> str:
    return CONFIG_MAP.format(name=name, greeting=greeting)


def plain(target: str = "directory: {path: rendered}", **extra: str) -> dict[str, str]:
    """A repository with one environment of plain manifests and a target."""
    config = "version: 1\nenvironments:\n  prod:\n    path: deploy\n"
    if target:
        config += f"    target: {{{target}}}\n"
    return {
        ".pipeline-gitops.yaml": config,
        "deploy/settings.yaml": config_map(),
        ".gitignore": "rendered/\n",
        **extra,
    }


def kustomized() -> dict[str, str]:
    """base and two overlays, without a configuration."""
    return {
        "deploy/base/kustomization.yaml": "resources: [settings.yaml]\n",
        "deploy/base/settings.yaml": config_map(),
        "deploy/overlays/staging/kustomization.yaml": (
            "namespace: staging\nresources: [../../base]\n"
        ),
        "deploy/overlays/prod/kustomization.yaml": "namespace: prod\nresources: [../../base]\n",
    }
