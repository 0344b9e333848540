"""What does not fit is told at a lower level, then by name, then counted, and its section says
so."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline_gitops.reports.packing import Item, Section, fit, pack


def item(*levels: str, group: str = "") -> Item:
    return Item(levels=levels, group=group)


def section(*items: Item, closing: str = "") -> Section:
    return Section(opening=lambda shown, total: f"{shown}/{total}", items=items, closing=closing)


def test_everything_is_shown_where_there_is_room() -> None:
    """A section that fits is its opening, its items and its closing."""
    made = section(item("a"), item("b"), closing="end")

    assert fit(made, 100) == ("2/2\n\na\n\nb\n\nend", True)


def test_an_item_is_whole_or_not_there() -> None:
    """The last items go first, and the opening counts what is left."""
    made = section(item("a"), item("long" * 9), closing="end")

    assert fit(made, 30) == ("1/2\n\na\n\nend", False)


def test_an_item_that_does_not_fit_is_told_at_a_lower_level() -> None:
    """The items behind it still get their turn."""
    made = section(item("long" * 9, "brief"), item("b"))

    assert fit(made, 30) == ("1/2\n\nbrief\n\nb", False)


def test_the_fullest_level_that_fits_is_chosen() -> None:
    """Of a diff without its context, everything that changes is shown."""
    made = section(Item(levels=("full" * 20, "no context", "name"), whole=2), item("b"))

    assert fit(made, 40) == ("2/2\n\nno context\n\nb", True)


def test_names_come_before_the_diffs_of_others() -> None:
    """One huge object does not keep the second from being named."""
    made = section(item("d" * 40, "first"), item("d" * 40, "second"))

    assert fit(made, 60) == (f"1/2\n\n{'d' * 40}\n\nsecond", False)


def test_thousands_of_names_do_not_cost_the_first_its_diff() -> None:
    """Names take half of the room at most as long as there are diffs to show."""
    made = section(item("d" * 60, "first"), *(item("e" * 60, f"name{n:04}") for n in range(999)))

    text, whole = fit(made, 300)

    assert "d" * 60 in text
    assert not whole


def test_what_is_not_even_named_is_counted() -> None:
    """By what it is, the most frequent first."""
    items = [item("c" * 30, group="change ConfigMap") for _ in range(9)]
    items += [item("d" * 30, group="delete Secret") for _ in range(2)]

    text, _ = fit(section(*items), 100)

    assert text.endswith("\n\nAnd 10 more: 8 × change ConfigMap, 2 × delete Secret.")


def test_many_groups_are_not_all_named() -> None:
    """The sum is right all the same."""
    items = [item("c" * 400, group=f"change Kind{n}") for n in range(14)]

    text, _ = fit(section(*items), 390)

    assert text.startswith("0/14\n\nAnd 14 more: 1 × change Kind0, ")
    assert text.endswith(", 4 × other.")


def test_a_section_without_room_for_its_frame_is_not_there() -> None:
    """A closing is never missing: then the whole section is."""
    assert fit(section(item("a"), closing="end"), 5) == ("", False)


def test_what_a_small_section_leaves_goes_to_the_large_ones() -> None:
    """Shares are equal, but no room is wasted."""
    small, large = section(item("a")), section(item("b" * 60))

    packed = pack([small, large], 80)

    assert packed.complete
    assert len(packed.text) <= 80


_items = st.lists(
    st.builds(
        lambda levels, group: Item(levels=tuple(levels), group=group),
        st.lists(st.text("x", min_size=1, max_size=40), min_size=1, max_size=4),
        st.sampled_from(["", "change ConfigMap", "delete Secret"]),
    ),
    max_size=12,
)


@given(st.lists(_items, max_size=4), st.integers(0, 600))
def test_room_is_never_exceeded(sections: list[list[Item]], room: int) -> None:
    """Whatever the items, and however little room there is."""
    packed = pack([section(*items, closing="end") for items in sections], room)

    assert len(packed.text) <= room
