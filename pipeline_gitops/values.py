"""Dataclasses whose methods are made when they are first called.

The standard decorator compiles six methods for every class, 0.6 ms each time. A command imports
some 180 of these classes, creates a quarter of them and compares or prints a handful: it was a
fifth of a deploy of a thousand objects that changes nothing. Here the fields are collected by the
standard library, an `__init__` is compiled for the classes that are created, and the other methods
read the fields.

Type checkers see the standard decorator, and `dataclasses.fields`, `replace` and `is_dataclass`
work as ever. What the package does not use is not there: `InitVar`, `field(init=False)`,
`field(hash=...)`.
"""

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

_Made = TypeVar("_Made", bound=type)

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        *,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
        eq: bool = True,
        order: bool = False,
    ) -> Callable[[_Made], _Made]:
        """`dataclasses.dataclass`; a method that the class has itself is kept."""

        def decorated(cls: _Made) -> _Made:
            own = vars(cls).copy()
            collected = dataclasses.dataclass(
                init=False, repr=False, eq=False, slots=slots, kw_only=kw_only
            )
            made = collected(cls)
            methods = {"__init__": _deferred(made, frozen=frozen), "__repr__": _repr}
            if eq:
                methods |= _comparing(made, order=order)
                methods["__hash__"] = _hashing(made) if frozen else None
            if frozen:
                methods |= {"__setattr__": _frozen, "__delattr__": _frozen}
                methods |= {"__getstate__": _state, "__setstate__": _restore}
            for name, method in methods.items():
                # Python itself puts `__hash__ = None` into a class with an `__eq__` of its own.
                if own.get(name) is None:
                    setattr(made, name, method)
            return made

        return decorated


def _deferred(cls: type, *, frozen: bool) -> Callable[..., None]:
    """An `__init__` that has itself replaced by the compiled one."""

    def first(self: Any, /, *args: Any, **named: Any) -> None:
        init = _init(cls, frozen=frozen)
        cls.__init__ = init  # type: ignore[misc]
        init(self, *args, **named)

    return first


def _init(cls: Any, *, frozen: bool) -> Callable[..., None]:
    """The compiled `__init__`: arguments are checked by Python, so errors read as ever."""
    space: dict[str, Any] = {"_set": object.__setattr__, "_absent": dataclasses.MISSING}
    positional: list[str] = []
    named: list[str] = []
    lines = []
    for field in dataclasses.fields(cls):
        parameter = value = field.name
        if field.default is not dataclasses.MISSING:
            space[f"_default_{field.name}"] = field.default
            parameter = f"{field.name}=_default_{field.name}"
        elif field.default_factory is not dataclasses.MISSING:
            space[f"_make_{field.name}"] = field.default_factory
            parameter = f"{field.name}=_absent"
            value = f"_make_{field.name}() if {field.name} is _absent else {field.name}"
        (named if field.kw_only else positional).append(parameter)
        wide = f"_set(self, {field.name!r}, {value})" if frozen else f"self.{field.name} = {value}"
        lines.append(wide)
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters = ", ".join(["self", *positional, *(["*", *named] if named else [])])
    source = f"def __init__({parameters}):\n " + "\n ".join(lines or ["pass"])
    exec(source, space)  # noqa: S102  # of names of fields alone, as the standard library does it
    init: Callable[..., None] = space["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    return init


def _comparing(cls: Any, *, order: bool) -> dict[str, Callable[[Any, Any], Any]]:
    key = _key(cls)

    def __eq__(self: Any, other: Any) -> Any:
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    def __lt__(self: Any, other: Any) -> Any:
        return key(self) < key(other) if other.__class__ is self.__class__ else NotImplemented

    def __le__(self: Any, other: Any) -> Any:
        return key(self) <= key(other) if other.__class__ is self.__class__ else NotImplemented

    # Of a > b and a >= b Python asks b < a and b <= a.
    return {"__eq__": __eq__} | ({"__lt__": __lt__, "__le__": __le__} if order else {})


def _hashing(cls: Any) -> Callable[[Any], int]:
    key = _key(cls)
    return lambda self: hash(key(self))


def _key(cls: Any) -> Callable[[Any], Any]:
    """What makes two values of a class equal."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    return attrgetter(*names) if names else lambda _: ()


def _repr(self: Any) -> str:
    shown = (field.name for field in dataclasses.fields(self) if field.repr)
    said = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{self.__class__.__qualname__}({said})"


def _frozen(_: Any, name: str, *_value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
