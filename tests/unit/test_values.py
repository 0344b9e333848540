"""Values behave as the standard library's dataclasses do, method by method."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import field, replace
from typing import Any, ClassVar

import pytest

from pipeline_gitops.values import dataclass as ours

WAYS: dict[str, Any] = {"standard": dataclasses.dataclass, "ours": ours}


@pytest.fixture(params=list(WAYS))
def dataclass(request: pytest.FixtureRequest) -> Any:
    return WAYS[request.param]


def image(dataclass: Any, **how: bool) -> Any:
    @dataclass(slots=True, **how)
    class Image:
        """A class with every sort of field that the package uses."""

        registry: ClassVar[str] = "docker.io"
        name: str
        tag: str = "latest"
        layers: list[str] = field(default_factory=list, repr=False)
        seen: int = field(default=0, compare=False)

    return Image


def attempt(act: Callable[[], object]) -> tuple[type[BaseException], str]:
    with pytest.raises(Exception) as caught:
        act()
    return caught.type, str(caught.value)


def test_fields_have_their_defaults_and_factories(dataclass: Any) -> None:
    made = image(dataclass, frozen=True)

    one, other = made("web"), made("web", layers=["a"])

    assert (one.name, one.tag, one.layers, one.seen) == ("web", "latest", [], 0)
    assert other.layers == ["a"]
    assert one.layers is not made("web").layers
    assert made.registry == "docker.io"


def test_a_frozen_value_cannot_be_changed(dataclass: Any) -> None:
    one = image(dataclass, frozen=True)("web")

    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'tag'"):
        one.tag = "2"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.tag


def test_a_value_that_is_not_frozen_changes_and_has_no_hash(dataclass: Any) -> None:
    one = image(dataclass)("web")

    one.tag = "2"

    assert one.tag == "2"
    assert attempt(lambda: hash(one)) == (TypeError, "unhashable type: 'Image'")


def test_slots_keep_other_attributes_out(dataclass: Any) -> None:
    one = image(dataclass)("web")

    with pytest.raises(AttributeError):
        one.digest = "sha256:0"


def test_values_are_equal_by_the_fields_that_are_compared(dataclass: Any) -> None:
    made = image(dataclass, frozen=True)

    assert made("web", seen=1) == made("web", seen=2)
    assert made("web") != made("api")
    assert made("web") != image(dataclass, frozen=True)("web")  # a class of its own


def test_equal_values_have_equal_hashes(dataclass: Any) -> None:
    made = image(dataclass, frozen=True)

    assert hash(made("web", layers=())) == hash(made("web", layers=(), seen=7))
    assert len({made("web", layers=()), made("web", layers=()), made("api", layers=())}) == 2


def test_values_in_order_compare_field_by_field(dataclass: Any) -> None:
    made = image(dataclass, frozen=True, order=True)
    a1, a2, b = made("a", "1"), made("a", "2"), made("b")

    assert sorted([b, a2, a1]) == [a1, a2, b]
    assert a1 < a2 <= b
    assert b > a1
    assert a2 >= a1
    with pytest.raises(TypeError):
        _ = a1 < "a"


def test_identity_stays_where_equality_was_not_asked_for(dataclass: Any) -> None:
    made = image(dataclass, frozen=True, eq=False)
    one = made("web")

    assert one != made("web")
    assert one in {one}


def test_a_repr_hides_what_must_not_be_printed(dataclass: Any) -> None:
    made = image(dataclass, frozen=True)

    said = repr(made("web", layers=["secret"]))

    assert said == f"{made.__qualname__}(name='web', tag='latest', seen=0)"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((), {}), (("web", "1", [], 0, 1), {}), (("web",), {"digest": 1}), (("web",), {"name": 1})],
    ids=["missing", "too many", "unknown", "twice"],
)
def test_wrong_arguments_are_refused_in_the_same_words(arguments: Any, named: Any) -> None:
    standard, mine = (image(way, frozen=True) for way in WAYS.values())

    refused = attempt(lambda: mine(*arguments, **named))

    assert refused == attempt(lambda: standard(*arguments, **named))


def test_keywords_only_means_keywords_only(dataclass: Any) -> None:
    made = image(dataclass, frozen=True, kw_only=True)

    assert made(tag="1", name="web").name == "web"
    assert attempt(lambda: made("web"))[0] is TypeError


def test_post_init_sees_the_fields(dataclass: Any) -> None:
    @dataclass(frozen=True, slots=True)
    class Port:
        number: int

        def __post_init__(self) -> None:
            if self.number > 65_535:
                raise ValueError("no port")

    assert Port(80).number == 80
    assert attempt(lambda: Port(70_000)) == (ValueError, "no port")


def test_a_method_of_the_class_itself_is_kept(dataclass: Any) -> None:
    @dataclass(frozen=True, slots=True)
    class Token:
        value: str

        def __repr__(self) -> str:
            return "***"

        def __eq__(self, other: object) -> bool:
            return True

    assert repr(Token("x")) == "***"
    assert Token("x") == 1
    assert hash(Token("x")) == hash(Token("x"))


def test_a_subclass_adds_fields(dataclass: Any) -> None:
    @dataclass(frozen=True, slots=True)
    class Base:
        name: str

    @dataclass(frozen=True, slots=True)
    class Derived(Base):
        tag: str = "1"

    class Plain(Derived):
        pass

    assert Derived("web") == Derived("web", "1")
    assert Derived("web") != Base("web")
    assert Plain("web").tag == "1"
    assert Base("web").name == "web"


def test_a_value_without_fields_can_be_made(dataclass: Any) -> None:
    @dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(Nothing())


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    name: str
    tag: str = "1"


@ours(frozen=True, slots=True)
class Ours:
    name: str
    tag: str = "1"


@pytest.mark.parametrize("made", [Standard, Ours])
def test_values_are_copied_pickled_and_replaced(made: Any) -> None:
    one = made("web", "2")

    assert copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one
    assert replace(one, tag="3") == made("web", "3")
    assert [each.name for each in dataclasses.fields(one)] == ["name", "tag"]
    assert dataclasses.is_dataclass(one)
    assert dataclasses.asdict(one) == {"name": "web", "tag": "2"}
