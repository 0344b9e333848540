"""How a long report is cut: between objects, never inside a text, and never without saying so.

A note that was sliced loses its closing fences, and with them the reader. So a report is a list of
sections, a section a list of items, and what does not fit is left out whole, the last ones first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_GAP = "\n\n"

Opening = Callable[[int, int], str]  # of how many shown, of how many: the text above the items


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a section. *brief* is what stands for it where the whole does not fit."""

    whole: str
    brief: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Items in a frame. *opening* is told how many of how many are shown whole."""

    opening: Opening
    items: tuple[Item, ...]
    closing: str = ""
    gap: str = _GAP  # between items


@dataclass(frozen=True, slots=True)
class Packed:
    """What fits, and whether that is everything."""

    text: str
    complete: bool


def pack(sections: Sequence[Section], room: int) -> Packed:
    """All sections in order, in at most *room* characters.

    Each gets an equal share of the room; what a small one leaves goes to the larger ones, so one
    huge environment does not push the others out.
    """
    made: dict[int, str] = {}
    complete = True
    smallest_first = sorted(range(len(sections)), key=lambda index: _size(sections[index]))
    for turn, index in enumerate(smallest_first):
        share = room // (len(sections) - turn)
        text, whole = fit(sections[index], share - len(_GAP))
        complete = complete and whole
        if text:
            made[index] = text
            room -= len(text) + len(_GAP)
    return Packed(_GAP.join(made[index] for index in sorted(made)), complete)


def _size(section: Section) -> int:
    return sum(len(item.whole) + len(section.gap) for item in section.items)


def fit(section: Section, room: int) -> tuple[str, bool]:
    """One section in at most *room* characters, and whether it is whole; "" where nothing fits."""
    total = len(section.items)
    frame = max(len(section.opening(shown, total)) for shown in {total, max(total - 1, 0), 0})
    left = room - frame - len(section.gap) - len(section.closing)
    if left < 0:
        return "", False
    chosen: list[str] = []
    shown = 0
    for item in section.items:
        whole = len(section.gap) + len(item.whole) <= left
        text = item.whole if whole else item.brief
        if not text or len(section.gap) + len(text) > left:
            break
        chosen.append(text)
        shown += whole
        left -= len(section.gap) + len(text)
    parts = [section.opening(shown, total), *chosen]
    text = section.gap.join(parts) + (section.closing and section.gap + section.closing)
    return text, shown == total
