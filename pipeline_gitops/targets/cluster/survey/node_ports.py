"""Node ports that change hands: the Service that holds one goes with the same deploy.

A dry run of the new Service is refused, as the port is taken now. Its holder is deleted before
anything is written, so all but those ports is tried out, and the ports are predicted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline_gitops.documents import Body, Json, items, mapping
from pipeline_gitops.plans import Sight, node_ports
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.survey.settings import Setting

_SERVICE = ("", "Service")


def taken_over(setting: Setting, sights: Sequence[Sight], orphans: Iterable[Sight]) -> list[Sight]:
    """The sights, without the refusals that a deletion of the same deploy makes void."""
    holders = {
        port: orphan.id
        for orphan in orphans
        if orphan.before is not None and orphan.refusal is None
        for port in node_ports(orphan.id, orphan.before)
    }
    if not holders:
        return list(sights)
    made = []
    for sight in sights:
        body = sight.send.body if sight.send and sight.refusal and sight.before is None else {}
        freed = sorted(port for port in node_ports(sight.id, body) if port in holders)
        if freed and _is_taken_else(setting, sight):
            why = f"{holders[freed[0]]} holds its node port, and is deleted first"
            sight = replace(sight, after=body, refusal=None, predicted=why)
        made.append(sight)
    return made


def _is_taken_else(setting: Setting, sight: Sight) -> bool:
    """Whether the server would take the Service with other node ports."""
    resource = setting.apis.resource(*_SERVICE)
    if resource is None or sight.send is None:
        return False
    try:
        setting.objects.preview(resource, sight.id, _without(sight.send.body), force=False)
    except ApiError:
        return False
    return True


def _without(service: Body) -> Body:
    spec = mapping(service, "spec")
    return {**service, "spec": {**spec, "ports": [_any(port) for port in items(spec, "ports")]}}


def _any(port: Json) -> Json:
    return {key: value for key, value in mapping(port).items() if key != "nodePort"}
