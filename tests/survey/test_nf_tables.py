import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey.netlink import NetlinkError, attribute
from portward.survey.nf_tables import Chain, Table, chains, parse


def message(body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), 10 << 8, 0, 1, 0) + body + bytes(-len(body) % 4)


def test_tables_of_every_family() -> None:
    datagram = message(b"\1\0\0\0" + attribute(1, b"filter\0"))
    datagram += message(b"\x0a\0\0\0" + attribute(2, bytes(4)) + attribute(1, b"nat\0"))
    datagram += message(b"\x63\0\0\0" + attribute(1, b"new\0"))
    assert parse([datagram]) == [Table("inet", "filter"), Table("ip6", "nat"), Table("99", "new")]


@pytest.mark.parametrize("body", [b"\1\0", b"\1\0\0\0", b"\1\0\0\0\1\0\0\0"])
def test_damage_is_named(body: bytes) -> None:
    with pytest.raises(NetlinkError):
        parse([message(body)])


@given(st.binary(max_size=64))
def test_broken_bytes_never_raise_anything_else(body: bytes) -> None:
    try:
        parse([message(body)])
    except NetlinkError as error:
        assert str(error)  # noqa: PT017 - most examples raise nothing


def test_chains_of_a_listing() -> None:
    listing = """{"nftables": [
        {"metainfo": {"version": "1.0.6"}},
        {"table": {"family": "ip", "name": "nat", "handle": 1}},
        {"chain": {"family": "ip", "table": "nat", "name": "DOCKER", "handle": 2, "prio": 0}},
        {"rule": {"family": "ip", "table": "nat", "chain": "DOCKER", "expr": [{"xt": null}]}},
        {"something": {"nobody": ["knows"]}}]}"""
    assert chains(listing) == [Chain(Table("ip", "nat"), "DOCKER")]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"nftables": 1}', '{"nftables": [{"chain": {}}]}', "{"]
)
def test_what_is_no_listing_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="no listing of nft"):
        chains(text)
