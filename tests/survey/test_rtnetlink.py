import struct
from collections.abc import Callable, Iterable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey import rtnetlink
from portward.survey.netlink import NetlinkError, attribute
from portward.survey.rtnetlink import Address, Hop, Link

Reader: TypeAlias = Callable[[Iterable[bytes]], Iterable[object]]


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body + bytes(-len(body) % 4)


def link(flags: int, *attributes: tuple[int, bytes], hardware: int = 1) -> bytes:
    body = struct.pack("=BxHiII", 0, hardware, 7, flags, 0)
    return message(16, body + b"".join(attribute(*each) for each in attributes))


def route(*attributes: tuple[int, bytes], sort: int = 1, prefix: int = 0, flags: int = 0) -> bytes:
    body = struct.pack("=BBBBBBBBI", 2, prefix, 0, 0, 254, 0, 0, sort, flags)
    return message(24, body + b"".join(attribute(*each) for each in attributes))


def test_a_link_with_all_that_matters() -> None:
    kind = (18, attribute(1, b"wireguard\0"))
    xdp = (43, attribute(2, b"\x01"))
    master, promiscuity = (10, struct.pack("=I", 3)), (30, struct.pack("=I", 1))
    raw = link(1, (3, b"wg0\0"), kind, xdp, master, promiscuity)
    expected = Link(
        ifindex=7, name="wg0", kind="wireguard", flags=1, master=3, promiscuous=True, xdp=True
    )
    assert list(rtnetlink.links([raw])) == [expected]


@pytest.mark.parametrize(
    ("flags", "hardware", "kind"), [(8, 772, "loopback"), (0, 512, "ppp"), (0, 1, "physical")]
)
def test_a_link_without_a_kind(flags: int, hardware: int, kind: str) -> None:
    (found,) = rtnetlink.links([link(flags, (3, b"x\0"), hardware=hardware)])
    assert found.kind == kind
    assert not found.promiscuous
    assert not found.xdp


def test_the_flag_alone_makes_it_promiscuous() -> None:
    (found,) = rtnetlink.links([link(0x100, (3, b"x\0"))])
    assert found.promiscuous


def test_a_name_that_is_no_utf8_is_kept() -> None:
    (found,) = rtnetlink.links([link(0, (3, b"e\xff\0"))])
    assert found.name.encode(errors="surrogateescape") == b"e\xff"


def test_the_own_end_of_a_point_to_point_link() -> None:
    body = struct.pack("=BBBBI", 2, 32, 0, 0, 7)
    body += attribute(1, bytes([10, 0, 0, 2])) + attribute(2, bytes([10, 0, 0, 1]))
    found = list(rtnetlink.addresses([message(20, body)]))
    assert found == [Address(7, bytes([10, 0, 0, 1]), 32)]


def test_both_ways_of_a_multipath_route() -> None:
    ways = b"".join(
        struct.pack("=HBBi", 16, 0, 0, ifindex) + attribute(5, bytes([192, 0, 2, ifindex]))
        for ifindex in (3, 4)
    )
    found = list(rtnetlink.hops([route((9, ways))]))
    base = Hop(2, b"", 0, 254, 3, bytes([192, 0, 2, 3]), None)
    assert found == [base, base._replace(ifindex=4, gateway=bytes([192, 0, 2, 4]))]


def test_a_gateway_of_the_other_family() -> None:
    via = struct.pack("=H", 10) + bytes(15) + b"\x01"
    (found,) = rtnetlink.hops([route((18, via), (4, struct.pack("=i", 2)))])
    assert found.gateway == bytes(15) + b"\x01"


def test_only_unicast_routes_lead_anywhere() -> None:
    unreachable, cloned = route(sort=7), route(flags=0x200)
    assert not list(rtnetlink.hops([unreachable, cloned]))


@pytest.mark.parametrize(
    ("read", "raw"),
    [
        (rtnetlink.links, message(16, b"\0" * 15)),
        (
            rtnetlink.addresses,
            message(20, struct.pack("=BBBBI", 2, 32, 0, 0, 7) + attribute(2, b"\x0a")),
        ),
        (rtnetlink.hops, route((9, struct.pack("=HBBi", 4, 0, 0, 1)))),
        (rtnetlink.hops, route((4, b"\0"))),
    ],
    ids=["short link", "short address", "next hop shorter than itself", "short number"],
)
def test_damage_is_named(read: Reader, raw: bytes) -> None:
    with pytest.raises(NetlinkError):
        list(read([raw]))


WHOLE = [
    link(1, (3, b"wg0\0"), (18, attribute(1, b"wireguard\0")), (43, attribute(2, b"\x01"))),
    message(20, struct.pack("=BBBBI", 2, 32, 0, 0, 7) + attribute(2, bytes([10, 0, 0, 1]))),
    route((9, struct.pack("=HBBi", 16, 0, 0, 3) + attribute(5, bytes([192, 0, 2, 3])))),
]


@given(st.sampled_from(WHOLE), st.data())
def test_broken_bytes_never_raise_anything_else(whole: bytes, data: st.DataObject) -> None:
    raw = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[place] = data.draw(st.integers(0, 255))
    datagram = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    readers: tuple[Reader, ...] = (rtnetlink.links, rtnetlink.addresses, rtnetlink.hops)
    for read in readers:
        try:
            list(read([datagram]))
        except NetlinkError as error:
            assert str(error)  # noqa: PT017 - most examples raise nothing
