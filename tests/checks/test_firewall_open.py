import pytest

import build
from portward.checks.firewall_open import check
from portward.model.finding import Finding, Severity, Undecided
from portward.model.host import Facing, Sight
from portward.model.unknown import NOT_RUNNING, Unknown

FAKE_DENY = build.INPUT_DROP.replace(
    "]}",
    ', {"rule": {"family": "inet", "table": "filter", "chain": "input",'
    ' "expr": [{"accept": null}]}}]}',
)


def nft(policy: str, *rules: str) -> str:
    """A table with an input chain of these rules, each the JSON of its statements."""
    place = '"family": "inet", "table": "f"'
    chain = f'{{"chain": {{{place}, "name": "c", "handle": 1, "type": "filter", "hook": "input",'
    items = [
        '{"table": {"family": "inet", "name": "f", "handle": 1}}',
        f'{chain} "prio": 0, "policy": "{policy}"}}}}',
        *(
            f'{{"rule": {{{place}, "chain": "c", "handle": {number}, "expr": [{rule}]}}}}'
            for number, rule in enumerate(rules, 2)
        ),
    ]
    return f'{{"nftables": [{", ".join(items)}]}}'


def match(protocol: str, field: str, right: str) -> str:
    left = f'{{"payload": {{"protocol": "{protocol}", "field": "{field}"}}}}'
    return f'{{"match": {{"op": "==", "left": {left}, "right": {right}}}}}'


UDP = '{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "udp"}}'
DROP, ACCEPT = '{"drop": null}', '{"accept": null}'
ONE_DROPPED = nft("accept", f"{match('tcp', 'dport', '23')}, {DROP}")
BANNED = nft("accept", f"{match('ip', 'saddr', chr(34) + '203.0.113.9' + chr(34))}, {DROP}")
LAST_WORD = nft("accept", f"{match('tcp', 'dport', '22')}, {ACCEPT}", DROP)
UDP_ONLY = nft("drop", f"{UDP}, {ACCEPT}")
INNER = nft(
    "drop",
    match("ip", "saddr", '{"prefix": {"addr": "10.0.0.0", "len": 8}}') + f", {ACCEPT}",
)
NOT_UNDERSTOOD = nft("accept", f'{{"xt": {{"type": "match", "name": "string"}}}}, {DROP}')


ALL = "The firewall lets everyone through to ports that no rule names"


@pytest.mark.parametrize(
    ("ruleset", "title"),
    [
        (None, "There is no firewall"),
        ('{"nftables": []}', ALL),
        (FAKE_DENY, ALL),
        (ONE_DROPPED, ALL),
        (BANNED, ALL),
        (UDP_ONLY, "The firewall lets everyone through to UDP ports that no rule names"),
        (build.INPUT_DROP, None),
        (LAST_WORD, None),
        (INNER, None),
    ],
)
def test_certain(ruleset: str | None, title: str | None) -> None:
    results = list(check(build.case(firewall=build.firewall(nft=ruleset))))
    assert len(results) == (title is not None)
    for result in results:
        assert isinstance(result, Finding)
        assert title
        assert result.title.startswith(title)


@pytest.mark.parametrize("ruleset", [NOT_UNDERSTOOD, Unknown("needs root")])
def test_not_certain_is_said(ruleset: str | Unknown) -> None:
    (result,) = check(build.case(firewall=build.firewall(nft=ruleset)))
    assert isinstance(result, Undecided)


def test_the_rule_that_accepts_is_named() -> None:
    (finding,) = check(build.case(firewall=build.firewall(nft=UDP_ONLY)))
    assert isinstance(finding, Finding)
    assert finding.evidence[0].text.startswith("eth0 lets in: ")
    assert "inet f c, handle 2" in f"{finding.evidence[0]}"


def test_less_grave_where_nothing_faces_the_internet() -> None:
    inner = build.interface(facing=Facing.PRIVATE)
    (finding,) = check(build.case(firewall=build.firewall(nft=None), interfaces=(inner,)))
    assert isinstance(finding, Finding)
    assert finding.severity == Severity.LOW


def test_an_image_has_no_ruleset_to_judge() -> None:
    sight = Sight(root="/srv/image", euid=0, owners_by="none", gaps=())
    assert list(check(build.case(sight=sight, firewall=NOT_RUNNING))) == []
