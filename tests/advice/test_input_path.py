"""Rulesets as nft and iptables-save print them; the words in them must not matter."""

import json
from typing import Any

import pytest

import build
from portward.advice.input_path import Way, way_in
from portward.model.net import Family
from portward.model.unknown import Unknown

TCP_22 = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp"}}, "right": 22}}
COUNTER = {"counter": {"packets": 0, "bytes": 0}}


def nft(policy: str, *rules: list[Any], family: str = "inet", **chains: list[list[Any]]) -> str:
    def rule(chain: str, statements: list[Any]) -> dict[str, Any]:
        return {"rule": {"family": family, "table": "t", "chain": chain, "expr": statements}}

    base = {"family": family, "table": "t", "name": "input", "hook": "input", "policy": policy}
    items: list[dict[str, Any]] = [{"metainfo": {}}, {"chain": base}]
    items += [rule("input", statements) for statements in rules]
    for name, members in chains.items():
        items += [rule(name, statements) for statements in members]
    return json.dumps({"nftables": items})


@pytest.mark.parametrize(
    ("ruleset", "way"),
    [
        (None, Way.OPEN),
        (nft("accept"), Way.OPEN),
        (nft("accept", [TCP_22, COUNTER]), Way.OPEN),
        (nft("drop"), Way.DENIED),
        (nft("drop", [TCP_22, {"accept": None}]), Way.DENIED),
        (nft("drop", [COUNTER, {"accept": None}]), Way.OPEN),
        (nft("accept", [TCP_22, {"accept": None}], [COUNTER, {"drop": None}]), Way.DENIED),
        (nft("accept", [{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]), Way.DENIED),
        (nft("accept", [TCP_22, {"drop": None}]), Way.UNSURE),
        (nft("drop", [{"jump": {"target": "a"}}], a=[[{"accept": None}]]), Way.OPEN),
        (nft("drop", [{"jump": {"target": "a"}}], a=[[TCP_22, {"accept": None}]]), Way.DENIED),
        (nft("accept", [{"goto": {"target": "a"}}], a=[[{"drop": None}]]), Way.DENIED),
        (nft("drop", [{"jump": {"target": "input"}}]), Way.DENIED),
    ],
)
def test_nft(ruleset: str | None, way: Way) -> None:
    assert way_in(build.firewall(nft=ruleset), Family.IPV4) == way


def test_a_table_for_ipv4_does_nothing_for_ipv6() -> None:
    firewall = build.firewall(nft=nft("drop", family="ip"))
    assert way_in(firewall, Family.IPV4) == Way.DENIED
    assert way_in(firewall, Family.IPV6) == Way.OPEN


SAVE = "*filter\n:INPUT {} [0:0]\n:FORWARD ACCEPT [0:0]\n:u - [0:0]\n{}\nCOMMIT\n"


@pytest.mark.parametrize(
    ("policy", "rules", "way"),
    [
        ("ACCEPT", "", Way.OPEN),
        ("DROP", "", Way.DENIED),
        ("DROP", "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", Way.DENIED),
        ("DROP", "-A INPUT -j ACCEPT", Way.OPEN),
        ("DROP", "-A INPUT -j u\n-A u -j ACCEPT", Way.OPEN),
        ("ACCEPT", "-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -j REJECT", Way.DENIED),
        ("ACCEPT", "-A INPUT -s 192.0.2.1/32 -j DROP", Way.UNSURE),
        ("ACCEPT", "-A INPUT -j u\n-A u -j RETURN", Way.OPEN),
    ],
)
def test_legacy(policy: str, rules: str, way: Way) -> None:
    firewall = build.firewall(nft=None, iptables_legacy=SAVE.format(policy, rules))
    assert way_in(firewall, Family.IPV4) == way


@pytest.mark.parametrize("text", ["", "{", "[]", '{"nftables": [1]}', '{"nftables": 3}'])
def test_damage_is_unknown_never_open(text: str) -> None:
    assert isinstance(way_in(build.firewall(nft=text), Family.IPV4), Unknown)


def test_what_was_not_seen_is_unknown() -> None:
    assert way_in(build.firewall(nft=Unknown("needs root")), Family.IPV4) == Unknown("needs root")
