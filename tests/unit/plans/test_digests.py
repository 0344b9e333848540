"""What a digest of a plan says, what it does not say, and which plan is included in which."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops import plans
from pipeline_gitops.documents import Body, Document
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.plans import Plan, Sight
from pipeline_gitops.plans.digests import digests
from pipeline_gitops.views import Action
from tests import campaigns
from tests.unit.plans.bodies import body, created, deleted, id_of, survey

SALT = plans.salt("prod", "a" * 40)


def planned(*sights: Sight) -> Plan:
    return plans.compute(survey(*sights), prune=True)


def updated(name: str = "a", *, before: Any = "1", after: Any = "2", **more: Any) -> Sight:
    return Sight(
        id=id_of(name=name),
        before=body(name=name, data={"k": before}, **more),
        after=body(name=name, data={"k": after}, **more),
    )


def replaced(name: str = "a") -> Sight:
    """A change of something that cannot be changed in place."""
    return replace(updated(name), replaces=True)


def manifested(id: ObjectId, body: Body) -> Manifest:
    return Manifest(id=id, body=body, document=Document(body=body, place=Place("x"), number=1))


def actions(plan: Plan, shown: Plan) -> list[tuple[Action, bool]]:
    """Action, and whether something else was shown, of what was not shown as it is planned."""
    left = plans.unshown(plan, plans.change_digests(shown, SALT), SALT)
    return [(one.action, one.otherwise) for one in left]


# -- what is in a digest ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        updated("b"),
        updated(after="3"),
        created(data={"k": "2"}),
        deleted(),
        replaced(),
        updated(after=None),
    ],
    ids=["object", "value", "create", "delete", "replace", "removed"],
)
def test_object_action_and_new_values_count(other: Sight) -> None:
    """Two changes that differ in any of them have two digests."""
    assert plans.digest(planned(updated()), SALT) != plans.digest(planned(other), SALT)


@pytest.mark.parametrize(
    "metadata",
    [
        {"resourceVersion": "2"},
        {"generation": 4},
        {"uid": "5"},
        {"managedFields": [{"manager": "kubectl"}]},
        {"annotations": {"deployment.kubernetes.io/revision": "7"}},
    ],
    ids=lambda node: next(iter(node)),
)
def test_what_moves_by_itself_does_not_count(metadata: dict[str, Any]) -> None:
    """Nobody has to review anew because a controller wrote a status."""
    plain = updated()
    assert plain.before is not None
    moved = {"name": "a", **metadata}
    noisy = replace(plain, before={**plain.before, "metadata": moved, "status": {"observed": 1}})

    assert plans.digest(planned(plain), SALT) == plans.digest(planned(noisy), SALT)


def test_a_creation_counts_by_its_manifest() -> None:
    """Defaults of the server depend on whether it could be asked: not in a namespace to come."""
    manifest = manifested(id_of(), body(data={"k": "1"}))
    predicted = Sight(id=id_of(), after=manifest.body, send=manifest, predicted="no namespace yet")
    defaulted = replace(predicted, after=body(data={"k": "1"}, immutable=False), predicted="")

    assert plans.digest(planned(predicted)) == plans.digest(planned(defaulted))


def test_a_deletion_counts_by_its_object() -> None:
    """Gone is gone, whatever it held."""
    changed = replace(deleted(), before=body(data={"k": "changed since"}))

    assert plans.digest(planned(deleted())) == plans.digest(planned(changed))


_secrets = st.text(min_size=1, max_size=40)


@settings(max_examples=campaigns.examples(60))
@given(old=_secrets, one=_secrets, other=_secrets, as_text=st.booleans(), is_new=st.booleans())
def test_no_digest_depends_on_a_secret_value(
    old: str, one: str, other: str, *, as_text: bool, is_new: bool
) -> None:
    """A digest is public: from one of a password the password could be guessed."""

    def secret(value: str) -> dict[str, Any]:
        encoded = base64.b64encode(value.encode()).decode()
        filled: dict[str, Any] = (
            {"stringData": {"k": value}} if as_text else {"data": {"k": encoded}}
        )
        return body("Secret", **filled)

    def plan(value: str) -> Plan:
        before = None if is_new else secret(old)
        send = manifested(id_of("Secret"), secret(value))
        return planned(Sight(id=id_of("Secret"), before=before, after=secret(value), send=send))

    if not is_new and (old == one) != (old == other):
        return  # whether it changes is what is shown

    assert plans.change_digests(plan(one), SALT) == plans.change_digests(plan(other), SALT)
    assert digests(plan(one).changes) == digests(plan(other).changes)


@settings(max_examples=campaigns.examples(60))
@given(
    one=st.from_regex(r"[A-Za-z0-9/~+. -]{8,40}", fullmatch=True),
    other=st.from_regex(r"[A-Za-z0-9/~+. -]{8,40}", fullmatch=True),
    key=st.booleans(),
    is_new=st.booleans(),
)
def test_no_short_digest_depends_on_a_secret_that_is_repeated(
    one: str, other: str, *, key: bool, is_new: bool
) -> None:
    """Nor where another object holds the value: there it is masked for people, too."""

    def plan(value: str) -> Plan:
        data = {value: "x", "y": f"({value})"} if key else {"x": value, "y": f"({value})"}
        new = body(data=data)
        sight = Sight(
            id=id_of(),
            before=None if is_new else body(data={"z": "1"}),
            after=new,
            send=manifested(id_of(), new),
        )
        return replace(planned(sight), secrets=frozenset({value}))

    assert plans.change_digests(plan(one), SALT) == plans.change_digests(plan(other), SALT)
    assert plans.digest(plan(one), SALT) == plans.digest(plan(other), SALT)


def test_within_a_run_a_digest_depends_on_all_that_is_written() -> None:
    """What is masked for people is still what was planned, or it is not."""
    one, other = (
        replace(planned(updated(after=f"{word}-of-the-day")), secrets=frozenset({word}))
        for word in ("password", "passphrase")
    )

    assert plans.digest(one, SALT) == plans.digest(other, SALT)
    assert plans.exceeding(one, other) == (id_of(),)


# -- how digests travel ----------------------------------------------------------------------------


def test_the_digest_of_a_plan_follows_from_those_of_its_changes() -> None:
    """So a status that holds the one proves a list of the others, in whatever order it is read."""
    plan = planned(updated("a"), created(name="b"), deleted(name="c"))

    shown = plans.change_digests(plan, SALT)

    assert plans.summed(reversed(shown), SALT) == plans.digest(plan, SALT)
    assert plans.summed(shown[1:], SALT) != plans.digest(plan, SALT)


def test_digests_are_salted_with_environment_and_commit() -> None:
    """Nobody can look for two changes with one digest before the commit is there."""
    plan = planned(updated())
    salts = [
        plans.salt("prod", "a" * 40),
        plans.salt("prod", "b" * 40),
        plans.salt("dev", "a" * 40),
    ]

    short = [plans.change_digests(plan, salt)[0] for salt in salts]
    assert len({one[:3] for one in short}) == 3
    assert len({one[3:] for one in short}) == 3
    assert len({plans.digest(plan, salt) for salt in salts}) == 3
    assert len({plans.summed((), salt) for salt in salts}) == 3


def test_digests_of_two_thousand_changes_fit_into_a_note() -> None:
    """GitHub takes 65,536 characters; more than half of them stay for what people read."""
    plan = planned(*(created(name=f"a-{number}") for number in range(2_000)))

    shown = plans.change_digests(plan, SALT)

    assert len(set(shown)) == 2_000
    assert len(" ".join(shown)) < 65_536 / 2


def test_a_short_digest_takes_2_to_the_72_tries_to_forge() -> None:
    """Three digits name the object, twelve say what happens to it; a plan's takes 2 to the 96."""
    (one,) = plans.change_digests(planned(updated(after="2")), SALT)
    (other,) = plans.change_digests(planned(updated(after="3")), SALT)

    assert (len(one), one[:3]) == (15, other[:3])
    assert one[3:] != other[3:]
    assert len(plans.digest(planned(updated()), SALT)) * 4 == 96


# -- inclusion -------------------------------------------------------------------------------------


def test_what_was_shown_is_included() -> None:
    """A run that resumes after a kill has less to do."""
    shown = planned(updated("a"), created(name="b"), deleted(name="c"))

    assert actions(shown, shown) == []
    assert actions(planned(created(name="b")), shown) == []


def test_what_was_not_shown_is_told_from_what_was_shown_otherwise() -> None:
    """The first is somebody else's change, the second one of a target that moved."""
    shown = planned(updated("a", after="2"))

    assert actions(planned(updated("a", after="3")), shown) == [(Action.UPDATE, True)]
    assert actions(planned(deleted(name="a")), shown) == [(Action.DELETE, True)]
    assert actions(planned(updated("b")), shown) == [(Action.UPDATE, False)]


def test_the_second_half_of_a_replacement_was_shown() -> None:
    """A run that was killed between deletion and creation has the creation left to do."""
    shown = planned(replaced())
    left = planned(created(data={"k": "2"}))

    assert actions(left, shown) == []
    assert plans.exceeding(shown, left) == ()
    assert actions(shown, left) == [(Action.REPLACE, True)]


_objects = st.dictionaries(
    st.sampled_from("abcdef"), st.sampled_from(["create", "2", "3", "delete", "replace"])
)


def _plan(objects: dict[str, str]) -> Plan:
    makes: dict[str, Callable[[str], Sight]] = {
        "create": lambda name: created(name=name, data={"k": "2"}),
        "delete": lambda name: deleted(name=name),
        "replace": replaced,
        "2": lambda name: updated(name, after="2"),
        "3": lambda name: updated(name, after="3"),
    }
    return planned(*(makes[what](name) for name, what in objects.items()))


@settings(max_examples=campaigns.examples(100))
@given(shown=_objects, now=_objects)
def test_inclusion_is_that_of_the_changes(shown: dict[str, str], now: dict[str, str]) -> None:
    """Between jobs by short digests as within a run by whole ones."""
    left = {
        name
        for name, what in now.items()
        if shown.get(name) != what and (shown.get(name), what) != ("replace", "create")
    }

    by_list = plans.unshown(_plan(now), plans.change_digests(_plan(shown), SALT), SALT)
    by_plan = plans.exceeding(_plan(shown), _plan(now))

    assert {one.id.name for one in by_list} == left
    assert {id.name for id in by_plan} == left
    assert {one.id.name for one in by_list if one.otherwise} == left & shown.keys()
