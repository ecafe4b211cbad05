"""What a change of rules does to each listener, from small rulesets and held against the doors."""

import pytest
from msgspec import structs

import build
from portward.model.host import Firewall, Listener, Snapshot
from portward.model.net import Family, Protocol
from portward.model.unknown import NOT_SURVEYED, Unknown
from portward.reach.change import Change, Direction, changes
from reach.test_exposure import BY_LAN, SSH, Json, interface, machine, match

ACCEPT: Json = {"accept": None}
DROP: Json = {"drop": None}
POSTGRESQL = build.listener("5432/tcp")
OPEN = machine([ACCEPT])
CLOSED = machine([DROP])


def port(number: int) -> Json:
    return match({"payload": {"protocol": "tcp", "field": "dport"}}, number)


def source(network: str) -> Json:
    address, _, length = network.partition("/")
    prefix = {"prefix": {"addr": address, "len": int(length)}}
    return match({"payload": {"protocol": "ip", "field": "saddr"}}, prefix)


def between(before: Snapshot, after: Snapshot, *listeners: Listener) -> list[tuple[str, Direction]]:
    """Return the changes between two machines with the same listeners."""
    found = changes(
        structs.replace(before, listeners=listeners), structs.replace(after, listeners=listeners)
    )
    return [(one.words, one.direction) for one in found]


def test_what_closes_and_what_is_narrowed() -> None:
    after = machine([source("203.0.113.0/24"), SSH, ACCEPT])
    assert between(OPEN, after, build.listener("22/tcp"), POSTGRESQL) == [
        ("22/tcp: everyone -> 203.0.113.0/24", Direction.NARROWER),
        ("5432/tcp: everyone -> nobody", Direction.NARROWER),
    ]
    assert between(after, OPEN, POSTGRESQL) == [("5432/tcp: nobody -> everyone", Direction.WIDER)]


def test_other_networks_are_both_wider_and_narrower() -> None:
    one, other = (machine([source(net), ACCEPT]) for net in ("198.51.100.0/25", "198.51.0.0/24"))
    assert between(one, other, POSTGRESQL) == [
        ("5432/tcp: 198.51.100.0/25 -> 198.51.0.0/24", Direction.BOTH)
    ]


def test_rules_that_are_written_in_another_way_change_nothing() -> None:
    halves = machine(
        [source("0.0.0.0/1"), ACCEPT], [source("128.0.0.0/1"), port(5432), ACCEPT], [SSH, ACCEPT]
    )
    assert between(OPEN, halves, build.listener("22/tcp"), POSTGRESQL) == []
    limit = {"limit": {"rate": 3, "per": "minute"}}
    assert between(OPEN, machine([limit, ACCEPT]), POSTGRESQL) == []


def test_a_family_that_closes_is_a_change_though_everyone_is_left() -> None:
    dual = build.listener("22/tcp", "::", family=Family.DUAL)
    both = (
        interface("eth0", "203.0.113.7/24", default=True),
        interface("eth0", "2001:db8::7/64", default=True),
    )
    outer = structs.replace(both[0], addresses=both[0].addresses + both[1].addresses)
    before, after = (
        structs.replace(one, interfaces=(outer,))
        for one in (OPEN, machine([match({"meta": {"key": "nfproto"}}, "ipv4"), ACCEPT]))
    )
    assert between(before, after, dual) == [
        (
            "22/tcp: everyone by eth0 (IPv4), eth0 (IPv6) -> everyone by eth0 (IPv4)",
            Direction.NARROWER,
        )
    ]


def test_an_inner_interface_that_closes_is_a_change_though_everyone_is_left() -> None:
    found = between(OPEN, machine([BY_LAN, DROP], [ACCEPT]), POSTGRESQL)
    assert [direction for _, direction in found] == [Direction.NARROWER]


def test_a_listener_that_comes_or_goes() -> None:
    before = structs.replace(OPEN, listeners=(POSTGRESQL,))
    after = structs.replace(OPEN, listeners=(build.listener("22/tcp"),))
    assert [(one.words, one.direction) for one in changes(before, after)] == [
        ("5432/tcp: everyone -> nothing listens", Direction.NARROWER),
        ("22/tcp: nothing listens -> everyone", Direction.WIDER),
    ]


def test_a_process_that_started_again_is_no_change() -> None:
    again = build.listener("5432/tcp", process=build.process("/usr/bin/other", pid=1))
    before = structs.replace(OPEN, listeners=(POSTGRESQL,))
    assert changes(before, structs.replace(OPEN, listeners=(again,))) == ()


def test_what_only_the_host_reaches_never_changes() -> None:
    local = build.listener("5432/tcp", "127.0.0.1")
    assert between(OPEN, CLOSED, local) == []


def test_sockets_that_no_rule_is_asked_about_change_only_where_they_come_or_go() -> None:
    raw = build.listener("1/raw")
    assert between(OPEN, CLOSED, raw) == []
    bare = structs.replace(OPEN, listeners=())
    (found,) = changes(bare, structs.replace(CLOSED, listeners=(raw,)))
    assert found.direction == Direction.UNKNOWN


@pytest.mark.parametrize("unknown_side", ["before", "after", "both"])
def test_what_is_not_known_is_never_no_change(unknown_side: str) -> None:
    blind = structs.replace(OPEN, firewall=Unknown("needs root"))
    before = blind if unknown_side in {"before", "both"} else OPEN
    after = blind if unknown_side in {"after", "both"} else OPEN
    (found,) = between(before, after, POSTGRESQL)
    assert found[1] == Direction.UNKNOWN
    assert "unknown (the firewall is not known: needs root)" in found[0]


def test_unknown_listeners_are_not_gone() -> None:
    before = structs.replace(OPEN, listeners=(POSTGRESQL,))
    (found,) = changes(before, structs.replace(OPEN, listeners=Unknown("needs root")))
    assert isinstance(found, Change)
    assert found.direction == Direction.UNKNOWN
    assert found.words == "5432/tcp: everyone -> unknown (the listeners are not known)"


def test_a_port_that_rules_begin_to_pass_on() -> None:
    listing = (
        '{"nftables": [{"table": {"family": "ip", "name": "nat"}}, {"chain": {"family": "ip",'
        ' "table": "nat", "name": "pre", "type": "nat", "hook": "prerouting", "prio": -100,'
        ' "policy": "accept"}}, {"rule": {"family": "ip", "table": "nat", "chain": "pre",'
        ' "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field":'
        ' "dport"}}, "right": 8080}}, {"dnat": {"addr": "10.0.0.5", "port": 80}}]}}]}'
    )
    rules = Firewall(
        nft=listing,
        iptables=None,
        ip6tables=None,
        iptables_legacy=None,
        ip6tables_legacy=None,
        managers=NOT_SURVEYED,
    )
    before = structs.replace(machine(), listeners=())
    (found,) = changes(before, structs.replace(before, firewall=rules))
    assert (found.listener.port, found.listener.protocol) == (8080, Protocol.TCP)
    assert found.direction == Direction.WIDER
    assert found.before is None
