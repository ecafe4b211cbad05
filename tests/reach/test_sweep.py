"""Divisions of ports laid over each other, and source ports by kind."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from portward.reach.packets import EPHEMERAL
from portward.reach.ruleset import Range
from portward.reach.sweep import SourcePorts, overlay

LAST = 65_535
PORTS = st.integers(0, LAST)
RANGES = st.lists(st.tuples(PORTS, PORTS).map(lambda two: (min(two), max(two))), max_size=6)


def division(cuts: list[int]) -> list[tuple[Range, int]]:
    starts = sorted({0, *cuts})
    ends = [*(start - 1 for start in starts[1:]), LAST]
    return [((start, end), start) for start, end in zip(starts, ends, strict=True)]


@given(st.lists(st.lists(PORTS, max_size=4), max_size=4), PORTS)
def test_an_overlay_has_every_port_once(cuts: list[list[int]], port: int) -> None:
    parts = [division(one) for one in cuts]
    streams: list[Iterator[tuple[Range, int]]] = [iter(part) for part in parts]
    found = list(overlay(streams))
    assert [first for (first, _), _ in found][1:] == [last + 1 for (_, last), _ in found][:-1]
    assert (found[0][0][0], found[-1][0][1]) == (0, LAST)
    (values,) = (values for (first, last), values in found if first <= port <= last)
    assert values == [
        value for part in parts for (first, last), value in part if first <= port <= last
    ]


@given(RANGES, PORTS)
def test_a_source_port_is_of_the_kind_that_no_range_tells_from_it(
    asked: list[Range], port: int
) -> None:
    kinds = SourcePorts(asked)
    assert kinds.all[0] == EPHEMERAL

    def inside(one: int) -> list[bool]:
        return [low <= one <= high for low, high in asked]

    (kind,) = (one for one in kinds.all if inside(one) == inside(port))
    text = kinds.words([kind])
    if text is None:
        assert len(kinds.all) == 1
        return
    spans = [span.partition("-") for span in text.split(", ")]
    assert any(int(first) <= port <= int(last or first) for first, _, last in spans)
