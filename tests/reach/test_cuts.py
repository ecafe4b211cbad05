import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.net import MAX_PORT
from portward.reach.cuts import least_named
from portward.reach.sources import Sources

PORTS = st.integers(0, MAX_PORT)
RANGES = st.lists(st.tuples(PORTS, PORTS).map(lambda pair: (min(pair), max(pair))), max_size=8)


@pytest.mark.parametrize(
    ("ranges", "port"),
    [
        ([], 65535),
        ([(22, 22), (80, 80)], 65535),
        ([(1024, 65535)], 1023),
        ([(0, 65535), (22, 22)], 65535),
        ([(0, 65535), (1024, 65535)], 1023),
    ],
)
def test_a_port_that_no_rule_names(ranges: list[tuple[int, int]], port: int) -> None:
    assert least_named(ranges, MAX_PORT) == port


@given(RANGES, PORTS)
def test_no_port_is_named_by_fewer(ranges: list[tuple[int, int]], other: int) -> None:
    def named(port: int) -> int:
        return sum(low <= port <= high for low, high in set(ranges))

    assert named(least_named(set(ranges), MAX_PORT)) <= named(other)


def test_ranges_of_the_other_family_cut_nothing() -> None:
    sources = Sources(32, [(10 << 24, (11 << 24) - 1), (0x2001 << 112, (0x2002 << 112) - 1)])
    assert sources.ranges(sources.all) == [(0, (1 << 32) - 1)]
