"""Rules in the words of the tools that wrote them."""

import pytest

from portward.reach import nft_json
from portward.reach.ruleset import Kind, Place, Rule
from portward.reach.wording import text, words


def nft(*expressions: str) -> Rule:
    listing = (
        '{"nftables": [{"table": {"family": "inet", "name": "t"}},'
        ' {"chain": {"family": "inet", "table": "t", "name": "c"}},'
        ' {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 7,'
        f' "expr": [{", ".join(expressions)}]}}}}]}}'
    )
    return nft_json.read(listing).tables[0].chains[0].rules[0]


def match(left: str, right: str, op: str = "==") -> str:
    return f'{{"match": {{"op": "{op}", "left": {left}, "right": {right}}}}}'


SSH = match('{"payload": {"protocol": "tcp", "field": "dport"}}', "22")
PRIVATE = match(
    '{"payload": {"protocol": "ip", "field": "saddr"}}',
    '{"prefix": {"addr": "10.0.0.0", "len": 8}}',
)
ETH0 = match('{"meta": {"key": "iifname"}}', '"eth0"', "!=")
ACCEPT = '{"accept": null}'


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (nft(SSH, PRIVATE, ACCEPT), "tcp dport 22 ip saddr 10.0.0.0/8 accept"),
        (nft(ETH0, '{"drop": null}'), "iifname != eth0 drop"),
        (nft('{"jump": {"target": "x"}}'), "jump x"),
    ],
)
def test_rules_of_nft_are_written_as_nft_does(rule: Rule, said: str) -> None:
    assert text(rule, "inet") == said


@pytest.mark.parametrize(
    ("table", "chain", "said"),
    [
        ("filter", "ufw-user-input", "ufw allow 22/tcp from 10.0.0.0/8"),
        ("filter", "ufw-user-forward", "ufw route allow 22/tcp from 10.0.0.0/8"),
        (
            "firewalld",
            "filter_IN_public_allow",
            "firewalld: zone public allows 22/tcp from 10.0.0.0/8",
        ),
        (
            "mine",
            "input",
            "tcp dport 22 ip saddr 10.0.0.0/8 accept (inet mine input, handle 7)",
        ),
    ],
)
def test_a_tool_is_known_by_its_chains(table: str, chain: str, said: str) -> None:
    place = Place("inet", table, chain, nft(SSH, PRIVATE, ACCEPT))
    assert words(place, Kind.ACCEPT) == said


def test_a_policy_is_named_with_its_chain() -> None:
    place = Place("inet", "filter", "input", None)
    assert words(place, Kind.DROP) == "policy drop of inet filter input"
