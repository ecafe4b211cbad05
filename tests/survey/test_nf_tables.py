import json
import os
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey.firewall import rulesets
from portward.survey.namespaces import NetworkNamespace, inside
from portward.survey.netlink import NetlinkError, attribute
from portward.survey.nf_tables import (
    Chain,
    Table,
    chains,
    devices,
    parse,
    parse_devices,
    with_devices,
)


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


def chain_message(name: str, hook: bytes) -> bytes:
    names = attribute(1, b"outside\0") + attribute(3, name.encode() + b"\0")
    return message(b"\5\0\0\0" + names + attribute(4, hook))


def test_interfaces_of_chains() -> None:
    several = attribute(4, attribute(1, b"eth0\0") + attribute(2, b"lan\0"))
    one = attribute(1, bytes(4)) + attribute(3, b"eth1\0")
    datagram = chain_message("many", several) + chain_message("one", one) + chain_message("x", b"")
    assert parse_devices([datagram]) == {
        Chain(Table("netdev", "outside"), "many"): ("eth0", "lan*"),
        Chain(Table("netdev", "outside"), "one"): ("eth1",),
    }


@given(st.binary(max_size=64))
def test_broken_chains_never_raise_anything_else(body: bytes) -> None:
    try:
        parse_devices([message(body)])
    except NetlinkError as error:
        assert str(error)  # noqa: PT017 - most examples raise nothing


def test_interfaces_are_added_to_a_listing_that_lacks_them() -> None:
    listing = """{"nftables": [{"metainfo": {"version": "1.0.6"}},
        {"chain": {"family": "netdev", "table": "t", "name": "a", "handle": 1, "hook": "ingress"}},
        {"chain": {"family": "netdev", "table": "t", "name": "b", "dev": "eth1"}},
        {"chain": {"family": "ip", "table": "t", "name": "a"}}]}"""
    found = {Chain(Table("netdev", "t"), name): ("eth0",) for name in ("a", "b")}
    _, first, second, third = json.loads(with_devices(listing, found))["nftables"]
    assert first["chain"]["dev"] == ["eth0"]
    assert first["chain"]["handle"] == 1
    assert second["chain"]["dev"] == "eth1"
    assert "dev" not in third["chain"]


@pytest.mark.root
def test_the_kernel_names_the_interfaces_of_a_chain() -> None:
    place = f"portward-{os.getpid()}"
    rules = "table netdev t { chain a { type filter hook ingress device lo priority 0; }; }"
    subprocess.run(["ip", "netns", "add", place], check=True)
    try:
        subprocess.run(["ip", "netns", "exec", place, "nft", rules], check=True)
        path = Path("/run/netns", place)
        there = NetworkNamespace(path.stat().st_ino, str(path), (), place)
        assert inside(there, devices) == {Chain(Table("netdev", "t"), "a"): ("lo",)}
        listing = inside(there, rulesets).nft
        assert isinstance(listing, str)
        chain = next(one["chain"] for one in json.loads(listing)["nftables"] if "chain" in one)
        assert chain["dev"] == ["lo"]
    finally:
        subprocess.run(["ip", "netns", "delete", place], check=True)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"nftables": 1}', '{"nftables": [{"chain": {}}]}', "{"]
)
def test_what_is_no_listing_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="no listing of nft"):
        chains(text)
