"""Chains of the hook "ingress" belong to interfaces; where these are not known, both may be."""

import json

import pytest

from portward.reach import nft_json
from portward.reach.host import LOCAL, Host, Way, number
from portward.reach.packets import packet
from portward.reach.path import arrive
from portward.reach.ruleset import Kind
from portward.reach.sources import Sources

OWN = number("192.0.2.1")
HOST = Host(
    bits=32,
    devices=("eth0", "eth1"),
    own={OWN: "eth0"},
    ways=(Way(OWN, OWN, "eth0", LOCAL), Way(0, (1 << 32) - 1, "eth0")),
    forwards=False,
)
DROP_ALL = {"family": "netdev", "table": "outside", "chain": "wire", "expr": [{"drop": None}]}


@pytest.mark.parametrize(
    ("dev", "expected"),
    [
        ({"dev": "eth0"}, {Kind.DROP}),
        ({"dev": ["eth1", "eth0"]}, {Kind.DROP}),
        ({"dev": "eth*"}, {Kind.DROP}),
        ({"dev": "eth1"}, {Kind.ACCEPT}),
        ({}, {Kind.ACCEPT, Kind.DROP}),
    ],
)
def test_an_ingress_chain_sees_its_own_interfaces(
    dev: dict[str, object], expected: set[Kind]
) -> None:
    chain = {"family": "netdev", "table": "outside", "name": "wire", "hook": "ingress", "prio": 0}
    objects = [
        {"table": {"family": "netdev", "name": "outside"}},
        {"chain": {**chain, "policy": "accept", **dev}},
        {"rule": DROP_ALL},
    ]
    sources = Sources.of_points([number("198.51.100.7")])
    sent = packet(HOST, sources, device="eth0", protocol=6, daddr=OWN, dport=22, sport=50_000)
    journey = arrive(nft_json.read(json.dumps({"nftables": objects})), HOST, sources, sent)
    assert {one.kind for one in journey.endings if one.live} == expected
    assert bool(journey.walk.doubts) == (len(expected) > 1)
