"""What only a directory promises: nothing torn, nothing overwritten that moved meanwhile."""

import os
import resource
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from pipeline_gitops import inventories, ports
from pipeline_gitops.errors import PartialFault, RefusedFault
from pipeline_gitops.plans import State
from pipeline_gitops.targets.directory import DirectoryTarget
from tests.contract.places import (
    OWNER,
    STAMP,
    DirectoryPlace,
    claimed,
    config_map,
    content,
    deploy_once,
    finished,
    manifests_in,
    planned,
    wanted,
)


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryPlace:
    return DirectoryPlace(tmp_path)


def test_full_disk_leaves_old_files_whole(directory: DirectoryPlace) -> None:
    """A write that does not fit is refused; the old file stands, smaller ones are still written."""
    old = [config_map("big", a="1"), config_map("small", a="1")]
    new = [config_map("big", a="2" * 9000), config_map("small", a="2")]
    deploy_once(directory.target(), wanted(*old))
    target = directory.target()
    survey, plan = planned(target, wanted(*new))

    with target.claim(claimed(survey, plan)) as writing, largest_file(8000):
        outcomes = {outcome.id.name: outcome for outcome in writing.apply(plan.changes)}

    assert outcomes["big"].state is State.REFUSED
    assert outcomes["big"].message == "rendered/prod/shop/configmap-big.yaml: File too large"
    assert outcomes["small"].state is State.DONE
    assert manifests_in(directory) == {
        "shop/configmap-big.yaml": content(old[0]),
        "shop/configmap-small.yaml": content(new[1]),
    }
    deploy_once(directory.target(), wanted(*new))
    assert manifests_in(directory)["shop/configmap-big.yaml"] == content(new[0])


def test_full_disk_at_the_claim_is_refused(directory: DirectoryPlace) -> None:
    """An inventory that cannot be written stops the deploy before the first object."""
    deploy_once(directory.target(), wanted(config_map("web")))
    before = directory.files()
    target = directory.target()
    survey, plan = planned(target, wanted(config_map("db")))

    with largest_file(10), pytest.raises(RefusedFault, match="cannot be written: File too large"):
        target.claim(claimed(survey, plan)).__enter__()

    assert directory.files() == before


def test_full_disk_at_the_end_is_said_and_mended_by_the_next_run(directory: DirectoryPlace) -> None:
    """Files without a settled inventory are a deploy in part; the claim remembers them all."""
    target, desired = directory.target(), wanted(config_map("web"))
    survey, plan = planned(target, desired)

    with target.claim(claimed(survey, plan)) as writing:
        list(writing.apply(plan.changes))
        with largest_file(10), pytest.raises(PartialFault, match="its inventory is not") as caught:
            writing.settle(finished(survey, plan))

    assert "run it again" in caught.value.cure
    assert directory.target().inventory().claim == claimed(survey, plan).claim
    deploy_once(directory.target(), desired)
    assert directory.target().inventory().claim is None


class largest_file:
    """Every write of this process beyond *size* bytes of a file fails, as on a full disk."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *error: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory that this user cannot write; root becomes nobody for a while."""
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        (root / "rendered").mkdir()
        (root / "rendered").chmod(0o555)
        root.chmod(0o755)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            yield root
        finally:
            if is_root:
                os.seteuid(0)
            (root / "rendered").chmod(0o755)


def test_directory_without_permission_is_refused_before_any_write(unprivileged: Path) -> None:
    """Missing write permission is found out at the claim, and comes with a cure."""
    target = DirectoryTarget(str(unprivileged), "rendered/prod", OWNER)

    with pytest.raises(RefusedFault, match="rendered/prod cannot be written: no perm") as caught:
        deploy_once(target, wanted(config_map("web")))

    assert "let the job's user write there" in caught.value.cure


def test_file_that_changes_after_the_survey_is_stale(directory: DirectoryPlace) -> None:
    """A write is bound to what was shown: an edit in between is not overwritten."""
    target = directory.target()
    survey, plan = planned(target, wanted(config_map("a"), config_map("b")))

    with target.claim(claimed(survey, plan)) as writing:
        directory.put("shop/configmap-a.yaml", b"edited: meanwhile\n")
        states = {outcome.id.name: outcome.state for outcome in writing.apply(plan.changes)}

    assert states == {"a": State.STALE, "b": State.DONE}
    assert manifests_in(directory)["shop/configmap-a.yaml"] == b"edited: meanwhile\n"


def test_nothing_is_written_once_another_deploy_has_claimed(directory: DirectoryPlace) -> None:
    """A deploy that was overtaken stops at once: every one of its later writes is stale."""
    slow, fast = directory.target(), directory.target()
    survey, plan = planned(slow, wanted(*(config_map(name, by="slow") for name in "abc")))

    with slow.claim(claimed(survey, plan)) as writing:
        stream = writing.apply(plan.changes)
        first = next(stream)
        deploy_once(fast, wanted(config_map("a", by="fast")))
        rest = list(stream)
        with pytest.raises(ports.Stale):
            writing.settle(finished(survey, plan))

    assert (first.state, {outcome.state for outcome in rest}) == (State.DONE, {State.STALE})
    assert manifests_in(directory) == {"shop/configmap-a.yaml": content(config_map("a", by="fast"))}


def test_of_many_claims_at_once_one_wins(directory: DirectoryPlace) -> None:
    """The inventory is swapped, not overwritten: the others are told that they are stale."""
    deploy_once(directory.target(), wanted())
    barrier = Barrier(8)

    def claims(number: int) -> bool:
        target = directory.target()
        inventory = target.inventory()
        stamp = replace(STAMP, sequence=number)
        barrier.wait()
        try:
            with target.claim(inventories.claimed(inventory, stamp, [])):
                return True
        except ports.Stale:
            return False

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(claims, range(8)))

    assert won.count(True) == 1
    claim = directory.target().inventory().claim
    assert claim is not None
    assert claim.stamp.sequence == won.index(True)


def test_directory_that_pruning_left_empty_goes(directory: DirectoryPlace) -> None:
    """No trace of an object stays; a directory in which somebody else has a file does."""
    deploy_once(directory.target(), wanted(config_map("x", "legacy"), config_map("y", "shared")))
    directory.put("shared/README.md", b"ours")

    deploy_once(directory.target(), wanted())

    folders = [path.name for path in directory.full.iterdir() if path.is_dir()]
    assert folders == ["shared"]


def test_files_are_readable_as_the_umask_says(directory: DirectoryPlace) -> None:
    """Whoever could read files that a person makes there can read ours."""
    before = os.umask(0o022)
    try:
        deploy_once(directory.target(), wanted(config_map("web")))
    finally:
        os.umask(before)

    mode = (directory.full / "shop/configmap-web.yaml").stat().st_mode
    assert stat.S_IMODE(mode) == 0o644


def test_repository_s_root_can_be_the_target(directory: DirectoryPlace) -> None:
    """A repository that holds nothing but rendered manifests has them at its root."""
    target = directory.target(path=".")

    deploy_once(target, wanted(config_map("web")))

    assert (directory.root / "shop/configmap-web.yaml").is_file()
