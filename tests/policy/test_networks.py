from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.policy.networks import beyond

PREFIXES = st.tuples(st.integers(0, 255), st.integers(0, 8)).map(
    lambda pair: str(ip_network((pair[0] << 24, pair[1]), strict=False))
)


@pytest.mark.parametrize(
    ("found", "allowed", "rest"),
    [
        (("10.0.0.0/8",), ("10.0.0.0/8",), ()),
        (("10.0.0.0/8",), ("10.0.0.0/9",), ("10.128.0.0/9",)),
        (("10.0.0.0/8", "::/0"), ("10.0.0.0/8",), ("::/0",)),
        (("fe80::/64",), ("fe80::/10", "10.0.0.0/8"), ()),
        (("192.0.2.0/25", "192.0.2.128/25"), (), ("192.0.2.0/24",)),
    ],
)
def test_what_others_do_not_cover(
    found: tuple[str, ...], allowed: tuple[str, ...], rest: tuple[str, ...]
) -> None:
    assert beyond(found, allowed) == rest


@given(st.lists(PREFIXES, max_size=4), st.lists(PREFIXES, max_size=4), st.integers(0, 255))
def test_address_by_address(found: list[str], allowed: list[str], first: int) -> None:
    def has(networks: Iterable[str], address: int) -> bool:
        return any(IPv4Network(address).subnet_of(IPv4Network(one)) for one in networks)

    address = first << 24
    expected = has(found, address) and not has(allowed, address)
    assert has(beyond(found, allowed), address) == expected
