"""Statements of nft: what decides, what changes a packet's way, and what nobody knows."""

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
    devices=("eth0",),
    own={OWN: "eth0"},
    ways=(Way(OWN, OWN, "eth0", LOCAL), Way(0, (1 << 32) - 1, "eth0")),
    forwards=False,
)
TABLE = {"family": "inet", "table": "t"}
INPUT = {"hook": "input", "type": "filter", "prio": 0}
SADDR = {"payload": {"protocol": "ip", "field": "saddr"}}
ACCEPT, DROP = {"accept": None}, {"drop": None}
BLOCKED = {"match": {"op": "==", "left": SADDR, "right": "@blocked"}}


def fates(
    *rules: list[object], base: dict[str, object] = INPUT, policy: str = "accept"
) -> set[Kind]:
    """Return what may become of a packet to port 22."""
    chain = {**TABLE, "name": "c", **base, "policy": policy}
    kept = {**TABLE, "name": "blocked", "type": "ipv4_addr", "flags": ["timeout"]}
    objects: list[object] = [
        {"table": {"family": "inet", "name": "t"}},
        {"set": kept},
        {"chain": chain},
        *({"rule": {**TABLE, "chain": "c", "expr": rule}} for rule in rules),
    ]
    sources = Sources.of_points([number("198.51.100.7")])
    sent = packet(HOST, sources, device="eth0", protocol=6, daddr=OWN, dport=22, sport=50_000)
    journey = arrive(nft_json.read(json.dumps({"nftables": objects})), HOST, sources, sent)
    return {one.kind for one in journey.endings if one.live}


@pytest.mark.parametrize(
    "statement",
    [
        {"tproxy": {"port": 8080}},
        {"synproxy": {"mss": 1460}},
        {"fwd": {"dev": "eth1"}},
        {"brand new": None},
        {"vmap": "not what a map looks like"},
        {
            "mangle": {
                "key": {"payload": {"protocol": "ip", "field": "daddr"}},
                "value": "192.0.2.9",
            }
        },
        {"mangle": {"key": {"payload": {"base": "nh", "offset": 128, "len": 32}}, "value": 1}},
        {"mangle": {"key": {"meta": {"key": "pkttype"}}, "value": "other"}},
        {"xt": {"type": "target", "name": "TPROXY"}},
        {"xt": {"type": "target", "name": "SYNPROXY"}},
    ],
)
def test_what_may_decide_lets_nothing_pass_for_certain(statement: dict[str, object]) -> None:
    assert Kind.QUEUE in fates([statement, ACCEPT], [ACCEPT])


@pytest.mark.parametrize(
    "statement",
    [
        {"dup": {"dev": "eth1"}},
        {"log": None},
        {"counter": {"packets": 0, "bytes": 0}},
        {"mangle": {"key": {"payload": {"protocol": "ip", "field": "dscp"}}, "value": "cs1"}},
        {"mangle": {"key": {"meta": {"key": "priority"}}, "value": 1}},
    ],
)
def test_what_only_copies_counts_or_writes_lets_the_packet_go_on(
    statement: dict[str, object],
) -> None:
    assert fates([statement, DROP]) == {Kind.DROP}
    assert fates([statement], policy="drop") == {Kind.DROP}
    assert fates([statement, ACCEPT], policy="drop") == {Kind.ACCEPT}


def test_offloading_a_connection_decides_nothing() -> None:
    assert fates([{"flow": {"op": "add", "flowtable": "@f"}}], [DROP]) == {Kind.DROP}


@pytest.mark.parametrize("kind", ["set", "map"])
def test_what_rules_add_to_is_changing_even_where_nft_does_not_say_so(kind: str) -> None:
    adding = {kind: {"op": "add", "elem": SADDR, "data": 1, kind: "@blocked"}}
    assert fates([BLOCKED, DROP]) == {Kind.ACCEPT}
    assert fates([BLOCKED, DROP], [adding]) == {Kind.ACCEPT, Kind.DROP}


def test_chains_of_translation_may_sleep_where_nothing_needs_connections() -> None:
    nat: dict[str, object] = {"hook": "prerouting", "type": "nat", "prio": -100}
    assert fates([DROP], base=nat) == {Kind.ACCEPT, Kind.DROP}
    needing = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}
    assert fates([needing, DROP], base=nat) == {Kind.DROP}
