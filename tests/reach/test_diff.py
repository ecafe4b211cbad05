"""Arithmetic of ranges, held against sets of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from portward.reach.diff import complement, intersection
from portward.reach.question import spans
from portward.reach.ruleset import Range

LAST = 40
numbers = st.sets(st.integers(0, LAST))


def ranges(members: set[int]) -> tuple[Range, ...]:
    found: list[Range] = []
    for one in sorted(members):
        if found and found[-1][1] == one - 1:
            found[-1] = found[-1][0], one
        else:
            found.append((one, one))
    return tuple(found)


@given(numbers, numbers)
def test_intersection_is_that_of_sets(ours: set[int], theirs: set[int]) -> None:
    assert intersection(ranges(ours), ranges(theirs)) == ranges(ours & theirs)


@given(numbers)
def test_complement_is_all_the_rest(members: set[int]) -> None:
    assert tuple(complement(ranges(members), LAST)) == ranges(set(range(LAST + 1)) - members)


def test_neighbouring_ports_are_written_as_one_range() -> None:
    assert spans([(5, 6), (1, 2), (3, 3), (9, 9)]) == "1-3, 5-6, 9"
