"""Jenkins: variables in. It does not say which forge it works for; addresses do.

https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
"""

import re
from collections.abc import Callable, Mapping

from pipeline_gitops.ci import variables
from pipeline_gitops.ci.values import CIContext, ForgeKind, Trigger, Vendor
from pipeline_gitops.patterns import pattern
from pipeline_gitops.values import dataclass

_OURS = "PIPELINE_GITOPS_TOKEN"
_TOKENS = {
    ForgeKind.GITHUB: (_OURS, "GITHUB_TOKEN"),
    ForgeKind.GITLAB: (_OURS, "GITLAB_TOKEN"),
    ForgeKind.NONE: (),
}
# Forges that are neither: a token for another server must not be tried out on them.
_OTHERS = frozenset({"bitbucket", "codeberg", "forgejo", "gitea", "gogs", "azure", "visualstudio"})
_HOST = r"(?:[^@/]*@)?(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])"
_URL = pattern(rf"(?P<scheme>https?|ssh)://{_HOST}(?P<port>(?::\d+)?)(?P<path>/[^?#\s]*)")
_SCP = pattern(r"[^@/:]+@(?P<host>[A-Za-z0-9.-]+):(?P<path>[^\s:]+)")  # git@host:group/name.git


@dataclass(frozen=True, slots=True)
class _Forge:
    kind: ForgeKind = ForgeKind.NONE
    server_url: str = ""
    project: str = ""

    @property
    def api_url(self) -> str:
        match self.kind:
            case ForgeKind.GITHUB if self.server_url == "https://github.com":
                return "https://api.github.com"
            case ForgeKind.GITHUB if self.server_url.endswith(".ghe.com"):
                # https://docs.github.com/enterprise-cloud@latest/admin/data-residency
                return self.server_url.replace("https://", "https://api.", 1)
            case ForgeKind.GITHUB:
                return f"{self.server_url}/api/v3"
            case ForgeKind.GITLAB:
                return f"{self.server_url}/api/v4"
            case _:
                return ""


def detect(environ: Mapping[str, str], _read_text: Callable[[str], str]) -> CIContext | None:
    """The build, or None outside Jenkins. Raises UsageFault where its variables do not add up."""
    # JENKINS_URL is missing where an administrator never set the server's address.
    if not environ.get("JENKINS_URL") and not environ.get("BUILD_TAG", "").startswith("jenkins-"):
        return None
    merge_request = variables.number(environ, "CHANGE_ID")
    branch = variables.first(environ, "CHANGE_BRANCH", "BRANCH_NAME") or _git_branch(environ)
    forge = _forge(environ)
    token, token_name = variables.token(environ, _TOKENS[forge.kind])
    commit = environ.get("GIT_COMMIT", "")
    return CIContext(
        vendor=Vendor.JENKINS,
        trigger=_trigger(environ, merge_request, branch),
        forge=forge.kind,
        api_url=forge.api_url,
        server_url=forge.server_url,
        project=forge.project,
        sha=commit,
        checked_out=commit,
        branch="" if environ.get("TAG_NAME") else branch,
        base_branch=environ.get("CHANGE_TARGET", ""),
        merge_request=merge_request,
        fork=bool(environ.get("CHANGE_FORK")),
        run_url=variables.first(environ, "RUN_DISPLAY_URL", "BUILD_URL"),
        run_number=variables.number(environ, "BUILD_NUMBER"),
        actor=variables.first(environ, "CHANGE_AUTHOR", "BUILD_USER_ID"),
        token=token,
        token_name=token_name,
        ca_file=environ.get("REQUESTS_CA_BUNDLE", ""),
    )


def _git_branch(environ: Mapping[str, str]) -> str:
    """The branch of a job with one branch: the Git plugin puts the remote before its name."""
    return environ.get("GIT_BRANCH", "").removeprefix("origin/")


def _trigger(environ: Mapping[str, str], merge_request: int, branch: str) -> Trigger:
    if merge_request:
        return Trigger.MERGE_REQUEST
    return Trigger.PUSH if branch or environ.get("TAG_NAME") else Trigger.MANUAL


def _forge(environ: Mapping[str, str]) -> _Forge:
    """The forge by the change's address, whose form tells; else by the repository's."""
    server, path = _address(environ.get("CHANGE_URL", ""))
    gitlab = re.fullmatch(r"(.+?)/-/merge_requests/\d+/?", path)
    if gitlab:
        return _Forge(ForgeKind.GITLAB, server, gitlab[1])
    github = re.fullmatch(r"([^/]+/[^/]+)/pull/\d+/?", path)
    if github:
        return _Forge(ForgeKind.GITHUB, server, github[1])
    return _by_repository(environ)


def _by_repository(environ: Mapping[str, str]) -> _Forge:
    """The forge by its host's name; under another name, the one that there is a token for."""
    server, path = _address(environ.get("GIT_URL", ""))
    labels = re.split(r"[/.:]", server)
    named = [kind for kind in _TOKENS if kind.value in labels]
    meant = [kind for kind, names in _TOKENS.items() if any(map(environ.get, names[1:]))]
    kinds = named or meant
    if not path or len(kinds) != 1 or _OTHERS.intersection(labels):
        return _Forge()
    return _Forge(kinds[0], server, path.removesuffix(".git"))


def _address(url: str) -> tuple[str, str]:
    """Server and path of an address, credentials left behind; "" and "" for a local path."""
    scp = _SCP.fullmatch(url)
    if scp:
        return f"https://{scp['host']}", scp["path"].strip("/")
    address = _URL.fullmatch(url)
    if not address:
        return "", ""
    # The web server of a clone address with ssh is not told; its port certainly is not the same.
    if address["scheme"] == "ssh":
        return f"https://{address['host']}", address["path"].strip("/")
    return f"{address['scheme']}://{address['host']}{address['port']}", address["path"].strip("/")
