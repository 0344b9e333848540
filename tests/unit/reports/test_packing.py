"""What does not fit is left out whole, and its section says so."""

from pipeline_gitops.reports.packing import Item, Section, fit, pack


def section(*items: Item, closing: str = "") -> Section:
    return Section(opening=lambda shown, total: f"{shown}/{total}", items=items, closing=closing)


def test_everything_is_shown_where_there_is_room() -> None:
    """A section that fits is its opening, its items and its closing."""
    assert fit(section(Item("a"), Item("b"), closing="end"), 100) == ("2/2\n\na\n\nb\n\nend", True)


def test_an_item_is_whole_or_not_there() -> None:
    """The last items go first, and the opening counts what is left."""
    assert fit(section(Item("a"), Item("long" * 9), closing="end"), 30) == (
        "1/2\n\na\n\nend",
        False,
    )


def test_a_brief_stands_for_an_item_that_does_not_fit() -> None:
    """The items behind it still get their turn."""
    assert fit(section(Item("long" * 9, "brief"), Item("b")), 30) == ("1/2\n\nbrief\n\nb", False)


def test_a_section_without_room_for_its_frame_is_not_there() -> None:
    """A closing is never missing: then the whole section is."""
    assert fit(section(Item("a"), closing="end"), 5) == ("", False)


def test_what_a_small_section_leaves_goes_to_the_large_ones() -> None:
    """Shares are equal, but no room is wasted."""
    small, large = section(Item("a")), section(Item("b" * 60))

    packed = pack([small, large], 80)

    assert packed.complete
    assert len(packed.text) <= 80
