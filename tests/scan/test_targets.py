"""Words for hosts: what they mean, and what is refused."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.errors import UsageError
from portward.scan.targets import (
    MAX_PUBLIC,
    Name,
    Span,
    addresses,
    expect_modest,
    is_private,
    packed,
    parse,
    without,
    written,
)


def texts(*words: str) -> list[str]:
    spans: list[Span] = []
    for word in words:
        found = parse(word)
        assert not isinstance(found, Name)
        spans += found
    return [written(address) for address, _ in addresses(without(spans, ()))]


def test_an_address_a_network_and_ranges() -> None:
    assert texts("192.0.2.7") == ["192.0.2.7"]
    assert texts("192.0.2.8/30") == ["192.0.2.8", "192.0.2.9", "192.0.2.10", "192.0.2.11"]
    assert texts("192.0.2.9/30") == texts("192.0.2.8/30")
    assert texts("192.0.2.254-192.0.3.1") == [
        "192.0.2.254",
        "192.0.2.255",
        "192.0.3.0",
        "192.0.3.1",
    ]
    assert texts("192.0.2.1-3") == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert texts("10.0-1.0.1-2") == ["10.0.0.1", "10.0.0.2", "10.1.0.1", "10.1.0.2"]
    assert texts("2001:db8::8/126") == [f"2001:db8::{one}" for one in "89ab"]
    assert texts("2001:db8::1-2001:db8::2") == ["2001:db8::1", "2001:db8::2"]


def test_an_address_that_is_named_twice_is_asked_once() -> None:
    assert texts("192.0.2.1", "192.0.2.0/31", "192.0.2.1-2") == [f"192.0.2.{one}" for one in "012"]


def test_a_link_local_address_keeps_its_interface() -> None:
    assert parse("fe80::1%eth0") == (Span(6, 0xFE80 << 112 | 1, 0xFE80 << 112 | 1, "eth0"),)


@pytest.mark.parametrize(
    "word", ["web1", "web1.example.org", "a-b", "1und1.de", "127.0.0.1.example"]
)
def test_names(word: str) -> None:
    assert parse(word) == Name(word)


@pytest.mark.parametrize(
    "word",
    [
        *("", "-", "-p", "192.0.2", "192.0.2.256", "192.0.2.1/33", "192.0.2.9-3", "1.2.3.4.5"),
        *("2001:db8::/129", "2001:db8::2-2001:db8::1", "192.0.2.1-2001:db8::1", ":::", "300"),
        *("0-255.0-255.0-255.0-255", "192.0.2.1-", "192.0.2.0/24/8"),
    ],
)
def test_what_is_no_target_is_refused_in_one_line(word: str) -> None:
    with pytest.raises(UsageError) as failure:
        parse(word)
    assert "is no target" in str(failure.value)
    assert "\n" not in str(failure.value)


@given(st.text(alphabet="0123456789abcdef.:-/% x", max_size=24))
def test_any_word_is_a_target_a_name_or_refused(word: str) -> None:
    try:
        found = parse(word)
    except UsageError:
        return
    if not isinstance(found, Name):
        assert all(0 <= span.first <= span.last < 1 << 128 for span in found)


SPANS = st.lists(
    st.tuples(st.sampled_from([4, 6]), st.integers(0, 60), st.integers(0, 20)).map(
        lambda one: Span(one[0], one[1], one[1] + one[2])
    ),
    max_size=6,
)


@given(SPANS, SPANS)
def test_exclusion_is_the_difference_of_sets(spans: list[Span], holes: list[Span]) -> None:
    def numbers(some: list[Span]) -> set[tuple[int, int]]:
        return {(one.version, at) for one in some for at in range(one.first, one.last + 1)}

    left = list(without(spans, holes))
    assert numbers(left) == numbers(spans) - numbers(holes)
    assert len(numbers(left)) == sum(one.last - one.first + 1 for one in left)
    assert left == sorted(left)


def test_public_networks_beyond_a_22_need_an_authorisation() -> None:
    def modest(word: str, *, authorised: bool = False) -> None:
        found = parse(word)
        assert not isinstance(found, Name)
        expect_modest(found, authorised=authorised)

    modest("8.8.0.0/22")
    modest("10.0.0.0/16")
    modest("fd00::/112")
    modest("8.8.0.0/21", authorised=True)
    with pytest.raises(UsageError, match="--i-am-authorised"):
        modest("8.8.0.0/21")
    with pytest.raises(UsageError, match="--i-am-authorised"):
        modest("2600::/117")
    with pytest.raises(UsageError, match="one scan takes"):
        modest("10.0.0.0/8", authorised=True)
    # Half of it is private: only the public half counts.
    modest("172.31.252.0-172.32.3.255")


@given(st.ip_addresses())
def test_private_is_what_the_registries_say(address: object) -> None:
    address = ip_address(str(address))
    others = ("100.64.0.0/10", "192.0.0.0/24")
    shared = address.version == 4 and any(address in ip_network(one) for one in others)
    special = address.is_private or shared or address.is_link_local
    if is_private(address.packed):
        assert special
    elif special:  # what the registries list besides is no place for a host
        assert address.is_multicast or address.is_reserved or address.version == 6
    assert packed(str(address)) == address.packed
    assert written(address.packed) == str(address)


def test_the_limit_is_the_size_of_a_22() -> None:
    assert ip_network("8.8.0.0/22").num_addresses == MAX_PUBLIC
