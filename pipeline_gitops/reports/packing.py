"""How a long report is cut: between objects, never inside a text, and never without saying so.

A note that was sliced loses its closing fences, and with them the reader. So a report is a list of
sections, a section a list of items, and an item the same object at several levels of detail. What
there is no room for is told at a lower level, then by name, and at last only counted.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from pipeline_gitops.values import dataclass

_GAP = "\n\n"
_MOST_GROUPS = 10

Opening = Callable[[int, int], str]  # of how many shown, of how many: the text above the items


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object of a section, at each level of detail, the fullest first.

    The first *whole* levels show all of it. *group* is what it is counted as where not even its
    last level fits; "" = it is not.
    """

    levels: tuple[str, ...]
    whole: int = 1
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Items in a frame, the most important first. *opening* is told how many are shown whole."""

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
    return sum(len(item.levels[0]) + len(section.gap) for item in section.items)


def fit(section: Section, room: int) -> tuple[str, bool]:
    """One section in at most *room* characters, and whether it is whole; "" where nothing fits."""
    total = len(section.items)
    frame = max(len(section.opening(shown, total)) for shown in {total, max(total - 1, 0), 0})
    left = room - frame - len(section.gap) - len(section.closing)
    if left < 0:
        return "", False
    chosen = _levels(section, left)
    text = _joined(section, chosen)
    while chosen and len(text) > room:  # what is left out needs a line as well
        chosen = chosen[:-1]
        text = _joined(section, chosen)
    if len(text) > room or (not chosen and section.items and not _rest(section, 0)):
        return "", False
    return text, _whole(section, chosen) == total


def _joined(section: Section, chosen: Sequence[int]) -> str:
    """The section with its first items at the *chosen* levels, the others counted."""
    opening = section.opening(_whole(section, chosen), len(section.items))
    told = [item.levels[level] for item, level in zip(section.items, chosen, strict=False)]
    parts = [opening, *told, _rest(section, len(chosen)), section.closing]
    return section.gap.join(filter(None, parts))


def _whole(section: Section, chosen: Sequence[int]) -> int:
    return sum(level < item.whole for item, level in zip(section.items, chosen, strict=False))


def _rest(section: Section, told: int) -> str:
    """How many of what the items are that no name of which fits."""
    groups = Counter(item.group for item in section.items[told:] if item.group)
    if not groups:
        return ""
    most = groups.most_common(_MOST_GROUPS)
    said = [f"{count} × {group}" for group, count in most]
    others = groups.total() - sum(count for _, count in most)
    said += [f"{others} × other"] if others else []
    return f"And {groups.total()} more: {', '.join(said)}."


def _levels(section: Section, room: int) -> list[int]:
    """The level of each item that is told at all.

    All by name first, as far as half of the room; then the fullest level that fits, the most
    important items first. So one huge object costs the others nothing, and thousands of names do
    not cost the first ones their diffs.
    """
    gap = len(section.gap)
    items = section.items
    if sum(len(item.levels[0]) + gap for item in items) <= room:
        return [0] * len(items)
    sizes = [len(item.levels[-1]) + gap for item in items]
    named = _count_within(sizes, room if sum(sizes) <= room // 2 else room // 2)
    left = room - sum(sizes[:named])
    chosen = [len(item.levels) - 1 for item in items[:named]]
    for index, item in enumerate(items[:named]):
        for level, text in enumerate(item.levels[:-1]):
            more = len(text) + gap - sizes[index]
            if more <= left:
                chosen[index] = level
                left -= more
                break
    more_named = _count_within(sizes[named:], left)
    return chosen + [len(item.levels) - 1 for item in items[named : named + more_named]]


def _count_within(sizes: Sequence[int], room: int) -> int:
    """How many of the first sizes add up to no more than *room*."""
    for number, size in enumerate(sizes):
        room -= size
        if room < 0:
            return number
    return len(sizes)
