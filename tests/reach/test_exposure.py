"""What status says of a listener, from small rulesets."""

import json
from typing import Any

import pytest
from msgspec import structs

import build
from portward.model.host import Facing, Firewall, Interface, Route, Snapshot
from portward.model.net import Family
from portward.model.status import Scope
from portward.model.unknown import NOT_SURVEYED
from portward.reach.exposure import Exposer

Json = dict[str, Any]

INPUT = {"family": "inet", "table": "f", "name": "in", "handle": 1} | {
    "type": "filter",
    "hook": "input",
    "prio": 0,
    "policy": "drop",
}


def interface(name: str, address: str, *, default: bool = False) -> Interface:
    return Interface(
        name=name,
        index=1,
        kind="physical",
        up=True,
        addresses=(address,),
        facing=Facing.PRIVATE,
        facing_reason="a test",
        default_route=default,
        promiscuous=False,
    )


def machine(*rules: list[Json]) -> Snapshot:
    """Return a machine with two interfaces whose input is dropped but for the rules."""
    listed: list[Json] = [
        {"metainfo": {"json_schema_version": 1}},
        {"table": {"family": "inet", "name": "f", "handle": 1}},
        {"chain": INPUT},
    ]
    for number, expression in enumerate(rules):
        rule = {"family": "inet", "table": "f", "chain": "in", "handle": number + 2}
        listed.append({"rule": {**rule, "expr": expression}})
    return build.snapshot(
        firewall=Firewall(
            nft=json.dumps({"nftables": listed}) if rules else None,
            iptables=None,
            ip6tables=None,
            iptables_legacy=None,
            ip6tables_legacy=None,
            managers=NOT_SURVEYED,
        ),
        interfaces=(
            interface("eth0", "203.0.113.7/24", default=True),
            interface("lan0", "10.0.0.1/24"),
        ),
        routes=(
            Route(
                destination="default",
                family=Family.IPV4,
                gateway="203.0.113.1",
                device="eth0",
                metric=None,
            ),
        ),
    )


def match(left: Json, right: object, op: str = "==") -> Json:
    return {"match": {"op": op, "left": left, "right": right}}


SSH = match({"payload": {"protocol": "tcp", "field": "dport"}}, 22)
BY_LAN = match({"meta": {"key": "iifname"}}, "lan0")
FROM_OFFICE = match(
    {"payload": {"protocol": "ip", "field": "saddr"}},
    {"prefix": {"addr": "198.51.100.0", "len": 24}},
)
LIMIT = {"limit": {"rate": 5, "burst": 5, "per": "minute"}}
ACCEPT: Json = {"accept": None}


@pytest.mark.parametrize(
    ("rules", "scope", "networks"),
    [
        ([], Scope.EVERYONE, ()),
        ([[SSH, ACCEPT]], Scope.EVERYONE, ()),
        ([[SSH, FROM_OFFICE, ACCEPT]], Scope.NETWORKS, ("198.51.100.0/24",)),
        ([[SSH, BY_LAN, ACCEPT]], Scope.NETWORKS, ("10.0.0.0/24 (lan0)",)),
        ([[SSH, BY_LAN, FROM_OFFICE, ACCEPT]], Scope.NETWORKS, ("198.51.100.0/24 (lan0)",)),
        ([[SSH, LIMIT, ACCEPT]], Scope.EVERYONE, ()),
        (
            [[match({"payload": {"protocol": "tcp", "field": "dport"}}, 80), ACCEPT]],
            Scope.NOBODY,
            (),
        ),
        ([[SSH, {"xt": {"type": "match", "name": "u32"}}, ACCEPT]], Scope.UNKNOWN, ()),
        ([[SSH, {"queue": {"num": 0}}]], Scope.UNKNOWN, ()),
    ],
    ids=[
        "none",
        "all",
        "office",
        "lan",
        "office by lan",
        "limit",
        "another port",
        "not read",
        "queue",
    ],
)
def test_who_reaches_a_port(
    rules: list[list[Json]], scope: Scope, networks: tuple[str, ...]
) -> None:
    reach = Exposer(machine(*rules)).reach(build.listener("22/tcp", address="0.0.0.0"))
    assert (reach.scope, reach.networks) == (scope, networks)


def test_any_port_of_a_range_may_be_the_one_that_translation_takes() -> None:
    translated = match({"ct": {"key": "status"}}, "dnat", "in")
    snapshot = machine([translated, ACCEPT])
    firewall = snapshot.firewall
    assert isinstance(firewall, Firewall)
    listed = json.loads(str(firewall.nft))
    base = {"family": "inet", "table": "f", "name": "pre", "handle": 90, "type": "nat"}
    rule = {"family": "inet", "table": "f", "chain": "pre", "handle": 91}
    to_range = {"redirect": {"port": {"range": [80, 82]}}}
    at_9000 = match({"payload": {"protocol": "tcp", "field": "dport"}}, 9000)
    listed["nftables"] += [
        {"chain": {**base, "hook": "prerouting", "prio": -100, "policy": "accept"}},
        {"rule": {**rule, "expr": [at_9000, to_range]}},
    ]
    ruleset = structs.replace(firewall, nft=json.dumps(listed))
    exposer = Exposer(structs.replace(snapshot, firewall=ruleset))
    for port in ("80/tcp", "81/tcp", "82/tcp"):
        assert exposer.reach(build.listener(port)).scope == Scope.UNKNOWN, port
    assert exposer.reach(build.listener("83/tcp")).scope == Scope.NOBODY


def test_a_rate_limit_is_named() -> None:
    reach = Exposer(machine([SSH, LIMIT, ACCEPT])).reach(build.listener("22/tcp"))
    assert "rate-limited: a limit of 5/minute" in reach.reason
    assert "tcp dport 22" in reach.reason


def test_what_is_not_understood_is_named() -> None:
    rule = [SSH, {"xt": {"type": "match", "name": "u32"}}, ACCEPT]
    reach = Exposer(machine(rule)).reach(build.listener("22/tcp"))
    assert "u32" in reach.reason


def test_a_link_local_address_is_for_neighbours() -> None:
    outer = interface("eth0", "203.0.113.7/24", default=True)
    both = structs.replace(outer, addresses=(*outer.addresses, "169.254.7.7/16"))
    snapshot = structs.replace(machine(), interfaces=(both,))
    assert Exposer(snapshot).reach(build.listener("22/tcp")).scope == Scope.EVERYONE
    reach = Exposer(snapshot).reach(build.listener("22/tcp", address="169.254.7.7"))
    assert (reach.scope, reach.networks) == (Scope.NETWORKS, ("169.254.0.0/16 (eth0)",))
