"""HTML as values: only an `Element` becomes a tag, any string becomes text.

So nothing that comes from manifests, clusters or programs can be markup, however it is put
together: there is no way to write a tag as a string.
"""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

from pipeline_gitops.values import dataclass

# They have no end tag: https://html.spec.whatwg.org/multipage/syntax.html#void-elements
_VOID = frozenset({"br", "input", "meta", "path", "rect"})


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Our own style or script, which browsers do not unescape."""

    text: str


@dataclass(frozen=True, slots=True)
class Element:
    """One element. Tag and names of attributes are ours; values and children may be anybody's."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple["Child", ...]


Child: TypeAlias = "Element | Verbatim | str | Iterable[Child] | None"


def element(tag: str, *children: Child, **attributes: str | int | bool | None) -> Element:
    """An element. `class_` is class, `aria_label` aria-label; False and None leave one out."""
    named = tuple(
        (name.rstrip("_").replace("_", "-"), "" if value is True else str(value))
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return Element(tag, named, children)


def render(root: Child) -> str:
    """The element and all in it as HTML."""
    parts: list[str] = []
    _add(root, parts)
    return "".join(parts)


def _add(child: Child, parts: list[str]) -> None:
    if child is None:
        return
    if isinstance(child, str):
        parts.append(escape(child, quote=False))
    elif isinstance(child, Verbatim):
        parts.append(child.text)
    elif isinstance(child, Element):
        parts.append(_start(child))
        for one in child.children:
            _add(one, parts)
        if child.tag not in _VOID:
            parts.append(f"</{child.tag}>")
    else:
        for one in child:
            _add(one, parts)


def _start(one: Element) -> str:
    attributes = "".join(
        f' {name}="{escape(value)}"' if value else f" {name}" for name, value in one.attributes
    )
    if one.tag == "pre":
        # Browsers drop a line end right after this tag; it may be the text's own.
        return f"<pre{attributes}>\n"
    # SVG's empty elements need the slash where there is no end tag.
    return f"<{one.tag}{attributes}{'/' if one.tag in {'path', 'rect'} else ''}>"
