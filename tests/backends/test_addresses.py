"""Networks as ranges: nothing lost, nothing gained, and as few as can be."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from portward.backends.addresses import Range, addresses, length, written

NEAR = st.builds(
    lambda number, bits: IPv4Network((number >> (32 - bits) << (32 - bits), bits)),
    st.integers(0x0A000000, 0x0A0000FF),
    st.integers(24, 32),
)
FAR = st.builds(
    lambda number, bits: IPv6Network((number >> (128 - bits) << (128 - bits), bits)),
    st.integers(0, 2**128 - 1),
    st.integers(0, 128),
)


@given(st.lists(NEAR), st.lists(FAR))
def test_the_ranges_hold_exactly_the_networks(
    four: list[IPv4Network], six: list[IPv6Network]
) -> None:
    found = addresses([*map(str, four), *map(str, six)])
    assert size(found.v4) == sum(one.num_addresses for one in collapse_addresses(four))
    assert size(found.v6) == sum(one.num_addresses for one in collapse_addresses(six))
    for ranges, networks in ((found.v4, four), (found.v6, six)):
        for one in networks:
            first, last = int(one.network_address), int(one.broadcast_address)
            assert any(a <= first and last <= b for a, b in ranges)
        assert all(one[1] + 1 < other[0] for one, other in pairwise(ranges))


def size(ranges: Iterable[Range]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def test_neighbours_become_one() -> None:
    assert addresses(["10.0.0.0/25", "10.0.0.128/25", "10.0.1.1"]).v4 == (
        (0x0A000000, 0x0A0000FF),
        (0x0A000101, 0x0A000101),
    )


@given(st.integers(0, 2**32 - 1))
def test_addresses_are_written_as_they_are_read(number: int) -> None:
    assert int(ip_address(written(number, 4))) == number


@given(st.one_of(NEAR, FAR))
def test_a_prefix_knows_its_length(network: IPv4Network | IPv6Network) -> None:
    first, last = int(network.network_address), int(network.broadcast_address)
    assert length(first, last, network.version) == network.prefixlen
    if last > first + 1:
        assert length(first, last - 1, network.version) is None
