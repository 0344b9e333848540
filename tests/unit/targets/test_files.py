"""Rendered manifests get safe and stable files, and an inventory that cannot be mistaken."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_gitops.documents import Body, Document
from pipeline_gitops.errors import RefusedFault, UsageFault
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.inventories import Claim, Inventory, Member, Owner, Stamp
from pipeline_gitops.manifests import Manifest, ManifestSet
from pipeline_gitops.plans import Survey
from pipeline_gitops.targets import files

OWNER = Owner(repository="acme/shop", environment="prod")
WEB = ObjectId("apps", "Deployment", "shop", "web")
SECRET = ObjectId("", "Secret", "shop", "db")
ENCRYPTED = "ENC[AES256_GCM,data:c29wcw==,type:str]"


def manifest(id: ObjectId, **fields: object) -> Manifest:
    body: Body = {
        "apiVersion": f"{id.group}/v1" if id.group else "v1",
        "kind": id.kind,
        "metadata": {"name": id.name, "namespace": id.namespace},
        **fields,  # type: ignore[dict-item]
    }
    return Manifest(id=id, body=body, document=Document(body=body, place=Place("x"), number=1))


def survey(
    *wanted: Manifest, members: tuple[ObjectId, ...] = (), present: dict[str, bytes] | None = None
) -> Survey:
    desired = ManifestSet(manifests=wanted)
    inventory = Inventory(owner=OWNER, members=tuple(Member(id=id) for id in members))
    return files.survey(desired, inventory, present or {})


def rules(found: Survey) -> list[str]:
    return [sight.refusal.rule for sight in found.sights if sight.refusal]


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "name"),
    [
        (WEB, "shop/deployment.apps-web.yaml"),
        (ObjectId("", "ConfigMap", "shop", "a.b"), "shop/configmap-a.b.yaml"),
        (ObjectId("", "Namespace", "", "shop"), "_no-namespace/namespace-shop.yaml"),
        (
            ObjectId("rbac.authorization.k8s.io", "ClusterRole", "", "system:Node_x"),
            "_no-namespace/clusterrole.rbac.authorization.k8s.io-system%3a%4eode%5fx.yaml",
        ),
        (ObjectId("", "Secret", "..", "../../x"), "%2e./secret-..%2f..%2fx.yaml"),
        (ObjectId("", "Secret", ".git", "hooks/x"), "%2egit/secret-hooks%2fx.yaml"),
        (
            ObjectId("", "ConfigMap", "_no-namespace", "é%"),
            "%5fno-namespace/configmap-%c3%a9%25.yaml",
        ),
    ],
)
def test_file_is_named_after_the_identity(id: ObjectId, name: str) -> None:
    """Namespace, kind, group and name make the file's name, safe on every file system."""
    assert files.file_name(id) == name


anything = st.text(st.characters(), max_size=300)


@given(group=anything, kind=anything, namespace=anything, name=anything)
def test_no_identity_leaves_the_target(group: str, kind: str, namespace: str, name: str) -> None:
    """Whatever an object is called, its file is two safe names deep, visible, and short enough."""
    id = ObjectId(group, kind, namespace, name)

    folder, file = files.file_name(id).split("/")

    assert all(re.fullmatch(r"(?!\.)[a-z0-9._~%-]{1,200}", part) for part in (folder, file))
    assert file.endswith(".yaml")


@given(
    one=st.tuples(*[st.text("aB-._:é", max_size=130)] * 2),
    other=st.tuples(*[st.text("aB-._:é", max_size=130)] * 2),
)
def test_two_objects_of_a_kind_never_share_a_file(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    """Different names and namespaces give different files, on file systems that fold case too."""
    first, second = (
        files.file_name(ObjectId("apps", "Deployment", *pair)).lower() for pair in (one, other)
    )

    assert (first == second) == (one == other)


def test_long_name_is_cut_and_stays_unique() -> None:
    """Names that only differ behind the cut still have files of their own."""
    one, other = (
        files.file_name(ObjectId("", "ConfigMap", "shop", "x" * 250 + end)) for end in "ab"
    )

    assert one != other
    assert len(one) == len(other) == len("shop/") + 200


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("rendered/prod", "rendered/prod"),
        ("./a//b/", "a/b"),
        (".", "."),
        ("", "."),
        ("a..b", "a..b"),
    ],
)
def test_path_comes_in_its_shortest_form(path: str, expected: str) -> None:
    """One directory has one path."""
    assert files.inside(path) == expected


@pytest.mark.parametrize("path", ["/etc", "..", "a/../../b", "a/..", ".git", "x/.GIT/hooks"])
def test_path_out_of_the_repository_is_a_usage_fault(path: str) -> None:
    """A target never lies outside of the repository, nor inside Git's own directory."""
    with pytest.raises(UsageFault, match="lies inside the repository"):
        files.inside(path)


# -- content ---------------------------------------------------------------------------------------


def test_equal_bodies_give_equal_bytes() -> None:
    """The order of keys in the source is nothing that changed."""
    one: Body = {"apiVersion": "v1", "kind": "X", "spec": {"a": [{"b": 1, "c": 2}], "d": None}}
    other: Body = {"spec": {"d": None, "a": [{"c": 2, "b": 1}]}, "kind": "X", "apiVersion": "v1"}

    assert files.content(one) == files.content(other)


def test_order_of_a_list_is_content() -> None:
    """Unlike keys, items stay where they are."""
    assert files.content({"a": ["x", "y"]}) != files.content({"a": ["y", "x"]})


def test_people_read_kind_and_name_first() -> None:
    """A file starts as manifests do."""
    lines = files.content(manifest(WEB, data={}).body).decode().splitlines()

    keys = [line for line in lines if re.match(r"[a-zA-Z]", line)]
    assert keys[:3] == ["apiVersion: apps/v1", "kind: Deployment", "metadata:"]


# -- survey ----------------------------------------------------------------------------------------


def test_checkout_with_other_line_ends_has_not_changed() -> None:
    """Windows line ends, made by a checkout, are no reason to write."""
    web = manifest(WEB, spec={"text": "one\ntwo\n"})
    present = {files.file_name(WEB): files.content(web.body).replace(b"\n", b"\r\n")}

    found = survey(web, members=(WEB,), present=present)

    assert (found.sights, found.unchanged) == ((), frozenset({WEB}))


def test_equal_file_that_is_not_in_the_inventory_becomes_ours() -> None:
    """A file that is as wanted but unlisted is a change: writing it puts it into the inventory."""
    web = manifest(WEB)
    present = {files.file_name(WEB): files.content(web.body)}

    found = survey(web, present=present)

    assert [sight.id for sight in found.sights] == [WEB]
    assert rules(found) == []


def test_member_that_is_gone_is_said_to_be_gone() -> None:
    """A file that somebody deleted needs no deletion, and leaves the inventory."""
    found = survey(members=(WEB,))

    assert (found.sights, found.gone) == ((), frozenset({WEB}))


def test_only_files_of_members_and_wanted_objects_are_looked_at() -> None:
    """Other files in the path are not even read."""
    inventory = Inventory(owner=OWNER, members=(Member(id=SECRET),))

    names = files.names(ManifestSet(manifests=(manifest(WEB),)), inventory)

    assert names == {"shop/deployment.apps-web.yaml", "shop/secret-db.yaml"}


def test_objects_that_would_share_a_file_are_refused() -> None:
    """Kinds that differ in case only cannot both be written; none is dropped in silence."""
    pair = [manifest(ObjectId("acme.io", kind, "shop", "x")) for kind in ("THING", "Thing")]

    assert rules(survey(*pair)) == ["file-name-taken"]


def test_member_whose_file_a_wanted_object_takes_is_not_deleted() -> None:
    """When a kind's case changed, deleting the old object would delete the new one's file."""
    old, new = (ObjectId("acme.io", kind, "shop", "x") for kind in ("THING", "Thing"))
    present = {files.file_name(old): files.content(manifest(old).body)}

    found = survey(manifest(new), members=(old,), present=present)

    assert [(sight.id, sight.refusal) for sight in found.sights] == [(new, None)]
    assert found.gone == {old}


@pytest.mark.parametrize(
    "fields",
    [
        {"stringData": {"password": "planted"}},
        {"data": {"password": "cGxhbnRlZA=="}},
        {"data": {"password": "cGxhbnRlZA=="}, "sops": {"mac": ENCRYPTED}},
        {"data": {"a": ENCRYPTED}, "stringData": {"b": "planted"}, "sops": {"mac": ENCRYPTED}},
        {},
    ],
)
def test_secret_in_clear_is_refused(fields: dict[str, object]) -> None:
    """No value of a Secret gets into Git, whatever else is encrypted beside it."""
    found = survey(manifest(SECRET, **fields))

    assert rules(found) == ["secret-in-clear"]
    assert "planted" not in repr(found)
    refusal = found.sights[0].refusal
    assert refusal is not None
    assert all(word in refusal.cure for word in ("SOPS", "SealedSecret", "ExternalSecret"))


def test_secret_in_clear_is_refused_though_it_is_there_already() -> None:
    """An old sin in the branch does not make it right."""
    secret = manifest(SECRET, stringData={"password": "planted"})
    present = {files.file_name(SECRET): files.content(secret.body)}

    assert rules(survey(secret, members=(SECRET,), present=present)) == ["secret-in-clear"]


@pytest.mark.parametrize(
    "wanted",
    [
        manifest(SECRET, data={"password": ENCRYPTED, "empty": ""}, sops={"mac": ENCRYPTED}),
        manifest(ObjectId("bitnami.com", "SealedSecret", "shop", "db"), spec={"encryptedData": {}}),
        manifest(ObjectId("external-secrets.io", "ExternalSecret", "shop", "db"), spec={}),
    ],
)
def test_encrypted_secret_passes(wanted: Manifest) -> None:
    """Ciphertext, and objects that only name a secret, belong into Git."""
    assert rules(survey(wanted)) == []


# -- inventory -------------------------------------------------------------------------------------

FULL = Inventory(
    owner=OWNER,
    stamp=Stamp(revision="a" * 40, sequence=7, run_url="https://ci.example.com/7"),
    members=(Member(id=SECRET), Member(id=WEB)),
    history=(Stamp(revision="a" * 40, sequence=7), Stamp(revision="b" * 40)),
    claim=Claim(stamp=Stamp(revision="c" * 40, sequence=8), ids=(WEB,)),
)


@pytest.mark.parametrize("inventory", [FULL, Inventory(owner=OWNER), replace(FULL, claim=None)])
def test_inventory_survives_the_file(inventory: Inventory) -> None:
    """What is read is what was written; the version is that of the bytes."""
    content = files.write_inventory(inventory)

    found = files.read_inventory(content, OWNER, "x")

    assert found == replace(inventory, version=files.version(content))


def test_inventory_has_one_member_a_line() -> None:
    """Git shows one line for an object that came or went, and merges two of them."""
    lines = files.write_inventory(FULL).decode().splitlines()

    assert '["apps", "Deployment", "shop", "web"]' in lines
    assert '["", "Secret", "shop", "db"],' in lines


def test_inventory_survives_other_line_ends() -> None:
    """A checkout with Windows line ends does not damage it."""
    content = files.write_inventory(FULL).replace(b"\n", b"\r\n")

    assert files.read_inventory(content, OWNER, "x").members == FULL.members


def test_inventory_is_not_a_manifest_to_others() -> None:
    """Argo CD and Flux read by suffix, and skip it."""
    assert not files.INVENTORY.endswith((".yaml", ".yml", ".json"))


def test_missing_inventory_is_an_empty_one() -> None:
    """Before the first deploy nothing is owned."""
    assert files.read_inventory(None, OWNER, "x") == Inventory(owner=OWNER)


def damaged(**changes: object) -> bytes:
    return json.dumps({**json.loads(files.write_inventory(FULL)), **changes}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"<<<<<<< HEAD\n{}",
        b"[" * 100_000,
        files.write_inventory(FULL)[:-10],
        damaged(format=2),
        damaged(members=None),
        damaged(members=[["", "Secret", "shop"]]),
        damaged(members=[["", "Secret", "shop", 1]]),
        damaged(claimed={}),
        damaged(owner="prod"),
        damaged(stamp={"revision": "a"}),
    ],
)
def test_damaged_inventory_is_refused_with_a_cure(content: bytes) -> None:
    """What cannot be trusted to be complete is not deployed over."""
    with pytest.raises(RefusedFault, match="the inventory x is damaged") as caught:
        files.read_inventory(content, OWNER, "x")

    assert "restore it from Git" in caught.value.cure


@pytest.mark.parametrize(
    "other", [replace(OWNER, environment="qa"), replace(OWNER, repository="o/o")]
)
def test_inventory_of_somebody_else_is_refused_by_name(other: Owner) -> None:
    """Two environments in one path would prune each other; the other one is named."""
    with pytest.raises(RefusedFault, match=f"'{other.environment}' of {other.repository}, not"):
        files.read_inventory(files.write_inventory(replace(FULL, owner=other)), OWNER, "x")
