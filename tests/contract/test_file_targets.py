"""What a target of files promises, the same for a directory and for a branch.

Targets are known through their port only; what is looked at is what is really in the files.
"""

import os
from pathlib import Path

import pytest

from pipeline_gitops import inventories, ports
from pipeline_gitops.errors import RefusedFault, UsageFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory
from pipeline_gitops.targets import files
from pipeline_gitops.views import Action
from tests.contract.places import (
    OTHER,
    OWNER,
    STAMP,
    AnyPlace,
    BranchPlace,
    DirectoryPlace,
    actions,
    claimed,
    config_map,
    content,
    deploy_once,
    finished,
    manifest,
    manifests_in,
    planned,
    rules,
    wanted,
)


@pytest.fixture(params=[DirectoryPlace, BranchPlace], ids=["directory", "branch"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> DirectoryPlace | BranchPlace:
    made: DirectoryPlace | BranchPlace = request.param(tmp_path)
    return made


def test_target_of_files_cannot_observe(place: AnyPlace) -> None:
    """Nothing runs in files: there is no runtime, and no kind is known."""
    target = place.target()

    assert target.runtime is None
    assert target.kinds().table == {}
    assert place.path in target.name


def test_first_deploy_creates_everything(place: AnyPlace) -> None:
    """One file per object, and an inventory that lists them."""
    web, namespace = config_map("web", a="1"), manifest(ObjectId("", "Namespace", "", "shop"))

    plan = deploy_once(place.target(), wanted(web, namespace))

    assert actions(plan) == {"web": Action.CREATE, "shop": Action.CREATE}
    assert manifests_in(place) == {
        "shop/configmap-web.yaml": content(web),
        "_no-namespace/namespace-shop.yaml": content(namespace),
    }
    inventory = place.target().inventory()
    assert inventory.ids == {web.id, namespace.id}
    assert (inventory.stamp, inventory.claim, inventory.history) == (STAMP, None, (STAMP,))


def test_second_deploy_changes_nothing(place: AnyPlace) -> None:
    """What is as wanted is not written again."""
    desired = wanted(config_map("web", a="1"), config_map("db"))
    deploy_once(place.target(), desired)
    before = place.files()

    plan = deploy_once(place.target(), desired)

    assert (plan.changes, plan.unchanged) == ((), desired.ids)
    assert place.files() == before


def test_update_shows_what_was_there(place: AnyPlace) -> None:
    """A change carries the object before and after, so that people see the difference."""
    old, new = config_map("web", a="1"), config_map("web", a="2")
    deploy_once(place.target(), wanted(old))

    plan = deploy_once(place.target(), wanted(new))

    assert actions(plan) == {"web": Action.UPDATE}
    assert (plan.changes[0].sight.before, plan.changes[0].sight.after) == (old.body, new.body)
    assert manifests_in(place) == {"shop/configmap-web.yaml": content(new)}


def test_unwanted_objects_are_pruned_with_their_directory(place: AnyPlace) -> None:
    """What the environment does not render any more goes, and leaves no empty directory."""
    kept = config_map("web")
    deploy_once(place.target(), wanted(kept, config_map("old"), config_map("x", "legacy")))

    plan = deploy_once(place.target(), wanted(kept))

    assert actions(plan) == {"old": Action.DELETE, "x": Action.DELETE}
    assert manifests_in(place) == {"shop/configmap-web.yaml": content(kept)}
    assert place.target().inventory().ids == {kept.id}


def test_everything_can_be_pruned(place: AnyPlace) -> None:
    """An environment that wants nothing any more leaves an empty inventory."""
    deploy_once(place.target(), wanted(config_map("web")))

    deploy_once(place.target(), wanted())

    assert manifests_in(place) == {}
    assert place.target().inventory().members == ()


def test_foreign_files_are_never_touched(place: AnyPlace) -> None:
    """Files that the inventory does not list stay, whatever they look like."""
    foreign = {
        "README.md": b"ours\n",
        "shop/configmap-other.yaml": content(config_map("other")),
        "shop/kustomization.yaml": b"resources: []\n",
    }
    for name, text in foreign.items():
        place.put(name, text)

    deploy_once(place.target(), wanted(config_map("web")))
    deploy_once(place.target(), wanted())

    assert manifests_in(place) == foreign


def test_foreign_file_under_our_name_is_not_overwritten(place: AnyPlace) -> None:
    """A file that holds something else stops the deploy before any write."""
    place.put("shop/configmap-web.yaml", b"# a note of ours\n")
    before = place.files()

    plan = deploy_once(place.target(), wanted(config_map("web"), config_map("db")))

    assert rules(plan) == ["file-not-ours"]
    assert place.files() == before


def test_file_of_the_same_object_is_taken_over(place: AnyPlace) -> None:
    """Manifests that people rendered by hand so far become ours, and show what changes."""
    place.put(
        "shop/configmap-web.yaml", b"kind: ConfigMap\napiVersion: v1\nmetadata: {name: web}\n"
    )
    web = config_map("web", a="1")

    plan = deploy_once(place.target(), wanted(web))

    assert actions(plan) == {"web": Action.UPDATE}
    assert manifests_in(place) == {"shop/configmap-web.yaml": content(web)}
    assert place.target().inventory().ids == {web.id}


def test_file_that_somebody_edited_is_put_right(place: AnyPlace) -> None:
    """Drift in a file of ours is a change like any other."""
    web = config_map("web", a="1")
    deploy_once(place.target(), wanted(web))
    place.put("shop/configmap-web.yaml", b"edited: by hand\n")

    plan = deploy_once(place.target(), wanted(web))

    assert actions(plan) == {"web": Action.UPDATE}
    assert manifests_in(place) == {"shop/configmap-web.yaml": content(web)}


def test_file_that_somebody_deleted_comes_back(place: AnyPlace) -> None:
    """So is a missing file of ours."""
    web = config_map("web", a="1")
    deploy_once(place.target(), wanted(web, config_map("db")))
    place.drop("shop/configmap-web.yaml")

    plan = deploy_once(place.target(), wanted(web, config_map("db")))

    assert actions(plan) == {"web": Action.CREATE}


def test_plain_secret_is_refused_before_any_write(place: AnyPlace) -> None:
    """A Secret in clear stops the whole deploy: nothing of it reaches Git."""
    secret = manifest(ObjectId("", "Secret", "shop", "db"), stringData={"password": "planted"})

    plan = deploy_once(place.target(), wanted(secret, config_map("web")))

    assert rules(plan) == ["secret-in-clear"]
    assert place.files() == {}


def test_encrypted_secret_is_written(place: AnyPlace) -> None:
    """Ciphertext of SOPS is written as it is."""
    cipher = "ENC[AES256_GCM,data:c29wcw==,iv:aXY=,tag:dGFn,type:str]"
    secret = manifest(
        ObjectId("", "Secret", "shop", "db"), stringData={"password": cipher}, sops={"mac": cipher}
    )

    plan = deploy_once(place.target(), wanted(secret))

    assert rules(plan) == []
    assert manifests_in(place) == {"shop/secret-db.yaml": content(secret)}


def test_path_of_another_environment_is_refused(place: AnyPlace) -> None:
    """Two environments in one path would prune each other."""
    deploy_once(place.target(OTHER), wanted(config_map("web")))
    before = place.files()

    with pytest.raises(RefusedFault, match="belongs to environment 'qa' of acme/shop"):
        deploy_once(place.target(), wanted())

    assert place.files() == before


def test_damaged_inventory_is_refused(place: AnyPlace) -> None:
    """Without a list of what is ours nothing is written, and nothing is pruned."""
    deploy_once(place.target(), wanted(config_map("web")))
    place.put(files.INVENTORY, b"<<<<<<< HEAD\n")

    with pytest.raises(RefusedFault, match=f"{place.path}/{files.INVENTORY}.* is damaged"):
        deploy_once(place.target(), wanted())

    assert manifests_in(place).keys() == {"shop/configmap-web.yaml"}


def test_lost_inventory_is_built_again(place: AnyPlace) -> None:
    """Removing the inventory is the cure for a damaged one: wanted files are taken over."""
    desired = wanted(config_map("web"), config_map("db"))
    deploy_once(place.target(), desired)
    before = place.files()
    place.drop(files.INVENTORY)

    deploy_once(place.target(), desired)

    assert place.files() == before


def test_deploy_on_an_old_survey_is_stale(place: AnyPlace) -> None:
    """Whoever surveyed before another deploy finished does not get to overwrite it."""
    slow, fast = place.target(), place.target()
    survey, plan = planned(slow, wanted(config_map("web", by="slow")))
    deploy_once(fast, wanted(config_map("web", by="fast")))
    before = place.files()

    with pytest.raises(ports.Stale), slow.claim(claimed(survey, plan)) as writing:
        list(writing.apply(plan.changes))
        writing.settle(finished(survey, plan))

    assert place.files() == before


def test_stale_deploy_succeeds_when_it_looks_again(place: AnyPlace) -> None:
    """After Stale a fresh survey is all it takes, with the same target."""
    slow = place.target()
    planned(slow, wanted(config_map("web", by="slow")))
    deploy_once(place.target(), wanted(config_map("web", by="fast"), config_map("fast")))

    deploy_once(slow, wanted(config_map("web", by="slow")))

    assert manifests_in(place) == {"shop/configmap-web.yaml": content(config_map("web", by="slow"))}


OLD = (config_map("gone"), config_map("web", a="1"), config_map("x", "legacy"))
NEW = (config_map("db"), config_map("new"), config_map("web", a="2"))
CHANGES = 5  # from OLD to NEW


@pytest.mark.parametrize("done", range(CHANGES + 1))
def test_killed_deploy_is_finished_by_the_next(place: AnyPlace, done: int) -> None:
    """A run that died after its claim and any number of writes leaves nothing to forget."""
    deploy_once(place.target(), wanted(*OLD))
    target = place.target()
    survey, plan = planned(target, wanted(*NEW))
    assert len(plan.changes) == CHANGES
    with target.claim(claimed(survey, plan)) as writing:
        stream = writing.apply(plan.changes)
        for _ in range(done):
            next(stream)
        stream.close()

    deploy_once(place.target(), wanted(*NEW))

    assert manifests_in(place) == {files.file_name(each.id): content(each) for each in NEW}
    inventory = place.target().inventory()
    assert (inventory.ids, inventory.claim) == (wanted(*NEW).ids, None)


@pytest.mark.parametrize("done", range(CHANGES + 1))
def test_killed_deploy_that_is_given_up_leaves_no_orphan(place: AnyPlace, done: int) -> None:
    """When the next run wants something else, it still knows what the dead one may have written."""
    deploy_once(place.target(), wanted(*OLD))
    target = place.target()
    survey, plan = planned(target, wanted(*NEW))
    with target.claim(claimed(survey, plan)) as writing:
        stream = writing.apply(plan.changes)
        for _ in range(done):
            next(stream)
        stream.close()

    deploy_once(place.target(), wanted())

    assert manifests_in(place) == {}


def test_line_ends_of_windows_are_no_change(place: AnyPlace) -> None:
    """Files and inventory that were checked out with CRLF are as wanted."""
    desired = wanted(config_map("web", text="one\ntwo\n"), config_map("db"))
    deploy_once(place.target(), desired)
    for name, text in place.files().items():
        place.put(name, text.replace(b"\n", b"\r\n"))

    _, plan = planned(place.target(), desired)

    assert (plan.changes, plan.unchanged) == ((), desired.ids)


def test_strange_names_get_files_of_their_own(place: AnyPlace) -> None:
    """Names with colons, upper case, dots and umlauts are written, kept apart and pruned."""
    group = "rbac.authorization.k8s.io"
    names = ["system:node", "System:node", "system%3anode", "..", "a/b", "ü", "-x", "x" * 253]
    desired = wanted(*(manifest(ObjectId(group, "ClusterRole", "", name)) for name in names))

    deploy_once(place.target(), desired)

    _, plan = planned(place.target(), desired)
    assert len({name.lower() for name in manifests_in(place)}) == len(names)
    assert (plan.changes, plan.unchanged) == ((), desired.ids)
    deploy_once(place.target(), wanted())
    assert manifests_in(place) == {}


def test_inventory_that_names_odd_members_prunes_nothing_outside(place: AnyPlace) -> None:
    """A forged inventory cannot make a deploy delete what lies outside of its path."""
    place.put("../outside.yaml", b"kind: Secret\n")
    odd = ObjectId("", "", "..", "../../outside")
    forged = inventories.claimed(Inventory(owner=OWNER), STAMP, [odd])
    place.put(files.INVENTORY, files.write_inventory(forged))

    deploy_once(place.target(), wanted())

    place.path = os.path.dirname(place.path)
    assert place.files()["outside.yaml"] == b"kind: Secret\n"


@pytest.mark.parametrize(
    "link", ["{path}/shop", "{path}/shop/configmap-web.yaml", "{path}", "{path}/" + files.INVENTORY]
)
def test_symbolic_links_are_not_followed(place: AnyPlace, tmp_path: Path, link: str) -> None:
    """No link in the target's path leads a write, or a read, to somewhere else."""
    outside = tmp_path / "outside"
    (outside / "shop").mkdir(parents=True)
    place.link(link.format(path=place.path), str(outside))

    with pytest.raises(UsageFault, match=r"symbolic link|not a (regular file|directory)"):
        deploy_once(place.target(), wanted(config_map("web")))

    assert [path for path in outside.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("path", ["..", "/etc", "a/../../b", ".git", "a/.git/b"])
def test_path_outside_of_the_repository_is_a_usage_fault(place: AnyPlace, path: str) -> None:
    """Where a target may lie is settled before anything is read."""
    with pytest.raises(UsageFault, match="lies inside the repository"):
        place.target(path=path)
