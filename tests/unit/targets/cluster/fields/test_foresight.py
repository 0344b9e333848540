"""A plan reads the same every time."""

from pipeline_gitops.targets.cluster.fields import foresight


def test_created_shows_what_is_sent() -> None:
    """Fields that are sent show as the server stores them; defaults do not show."""
    sent = {"spec": {"cpu": "0.5", "ports": [{"port": 80}], "empty": {}}, "stringData": {"a": "b"}}
    stored = {
        "spec": {"cpu": "500m", "ports": [{"port": 80, "protocol": "TCP"}], "clusterIP": "10.0.0.7"}
    }

    assert foresight.created(sent, stored) == {
        "spec": {"cpu": "500m", "ports": [{"port": 80}], "empty": {}},
        "stringData": {"a": "b"},
    }


def test_created_shows_a_rewritten_list() -> None:
    """A list to which the server adds items shows as it will be."""
    sent = {"containers": [{"name": "web"}]}
    stored = {"containers": [{"name": "web"}, {"name": "proxy"}]}

    assert foresight.created(sent, stored) == stored


def service(**spec: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Service", "spec": spec}


def test_allocated_port_does_not_show() -> None:
    """A node port that a dry run made up is not shown: the real one will be another."""
    live = service(type="ClusterIP", clusterIP="10.0.0.1", ports=[{"port": 80}])
    stored = service(
        type="NodePort", clusterIP="10.0.0.1", ports=[{"port": 80, "nodePort": 31_234}]
    )

    shown = foresight.updated(live, stored, service(type="NodePort", ports=[{"port": 80}]))

    assert shown == service(type="NodePort", clusterIP="10.0.0.1", ports=[{"port": 80}])


def test_allocated_address_does_not_show() -> None:
    """An address that a dry run made up is not shown either."""
    live = service(type="ExternalName", externalName="example.com")
    stored = service(type="ClusterIP", clusterIP="10.0.0.9", clusterIPs=["10.0.0.9"])

    assert foresight.updated(live, stored, service(type="ClusterIP")) == service(type="ClusterIP")


def test_wanted_port_shows() -> None:
    """A node port that is there, or that is asked for, is shown."""
    live = service(ports=[{"port": 80, "nodePort": 30_001}])
    stored = service(ports=[{"port": 80, "nodePort": 30_001}, {"port": 81, "nodePort": 30_002}])
    sent = service(ports=[{"port": 80}, {"port": 81, "nodePort": 30_002}])

    assert foresight.updated(live, stored, sent) == stored


def test_overlaid() -> None:
    """A guess keeps what is there, and replaces lists as a whole."""
    live = {"spec": {"a": 1, "b": [1, 2]}, "status": {"ready": True}}

    guess = foresight.overlaid(live, {"spec": {"b": [3]}})

    assert guess == {"spec": {"a": 1, "b": [3]}, "status": {"ready": True}}


def test_covers() -> None:
    """More than what is wanted may be there, but not less, and no other item in a list."""
    live = {"spec": {"a": 1, "list": [{"x": 1, "default": True}]}}

    assert foresight.covers(live, {"spec": {"list": [{"x": 1}]}})
    assert not foresight.covers(live, {"spec": {"list": [{"x": 2}]}})
    assert not foresight.covers(live, {"spec": {"list": [{"x": 1}, {"x": 1}]}})
    assert not foresight.covers(live, {"spec": {"b": None}})
