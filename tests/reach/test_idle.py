"""Idle rules, in the words of iptables; what is told of them must hold for every packet."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portward.reach.cuts import cuts
from portward.reach.idle import idle
from portward.reach.ruleset import Kind, Ruleset
from portward.reach.sources import Sources
from portward.reach.walk import Fields, Packet, Spread, Walk
from portward.reach.xtables import read


def rules(*lines: str, policy: str = "ACCEPT") -> Ruleset:
    chains = f":INPUT {policy} [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:own - [0:0]\n"
    text = "*filter\n" + chains + "\n".join(lines) + "\nCOMMIT\n"
    return Ruleset(tables=tuple(read(text, "ip", "a test")))


def found(*lines: str) -> list[tuple[str, str]]:
    return [
        (
            one.place.rule.text if one.place.rule else "",
            one.by.rule.text if one.by and one.by.rule else "",
        )
        for one in idle(rules(*lines))
    ]


WEB = "-A INPUT -p tcp -m tcp --dport 80 -j DROP"


@pytest.mark.parametrize(
    "earlier",
    [
        "-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT",
        "-A INPUT -p tcp -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 22:443 -j ACCEPT",
        "-A INPUT -p tcp -m multiport --dports 22,80 -j RETURN",
        "-A INPUT -p tcp -m tcp ! --dport 22 -j REJECT",
        "-A INPUT -j ACCEPT",
        "-A INPUT -j LOG\n-A INPUT -g own\n-A own -p udp -j DROP",
    ],
)
def test_an_earlier_rule_takes_its_packets(earlier: str) -> None:
    assert WEB in [rule for rule, by in found(earlier, WEB) if by]


@pytest.mark.parametrize(
    "earlier",
    [
        "-A INPUT -p udp -m udp --dport 80 -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 81:443 -j ACCEPT",
        "-A INPUT -i eth0 -p tcp -j ACCEPT",
        "-A INPUT -p tcp -m tcp ! --dport 80 -j ACCEPT",
        "-A INPUT -p tcp -m limit --limit 3/min -j ACCEPT",
        "-A INPUT -p tcp -m set --match-set good src -j ACCEPT",
        "-A INPUT -p tcp -m string --string x --algo bm -j ACCEPT",
        "-A INPUT -p tcp -j own\n-A own -j ACCEPT",
        "-A INPUT -p tcp -j LOG",
        "-A FORWARD -p tcp -j ACCEPT",
    ],
)
def test_an_earlier_rule_does_not(earlier: str) -> None:
    assert found(earlier, WEB) == []


def test_a_mark_that_was_changed_in_between() -> None:
    marked = "-A INPUT -m mark --mark 0x1 -j ACCEPT"
    assert found(marked, "-A INPUT -j MARK --set-xmark 0x1/0xffffffff", marked) == []
    assert found(marked, marked) == [(marked, marked)]


def test_interfaces() -> None:
    some, one = "-A INPUT -i eth+ -j ACCEPT", "-A INPUT -i eth1 -j DROP"
    assert found(some, one) == [(one, some)]
    assert found(one, some) == []


def test_matches_that_exclude_each_other() -> None:
    never = "-A INPUT -p tcp -m tcp --dport 22 -m multiport --dports 80,443 -j DROP"
    assert found(never) == [(never, "")]


def test_a_chain_that_no_incoming_packet_meets() -> None:
    out = "-A OUTPUT -j ACCEPT"
    assert found(out, out, "-A own -j DROP", "-A own -j DROP") == []


MATCHES = st.lists(
    st.sampled_from(
        [
            "-s 10.0.0.0/8",
            "-s 10.1.0.0/16",
            "! -s 10.1.0.0/16",
            "-i eth0",
            "! -i eth0",
            "-i eth+",
            "-p tcp -m tcp --dport 80",
            "-p tcp -m tcp --dport 1:1024",
            "-p tcp -m tcp ! --dport 80",
            "-p udp",
        ]
    ),
    max_size=2,
    unique_by=lambda match: match.replace("! ", "")[:2],
)
RULES = st.lists(
    st.tuples(MATCHES, st.sampled_from(["ACCEPT", "DROP", "RETURN"])), min_size=1, max_size=5
)


def verdicts(ruleset: Ruleset, device: str, protocol: int, port: int) -> dict[Kind, int]:
    """Which sources are accepted and which dropped in the chain INPUT."""
    sources = Sources(32, cuts(ruleset, "saddr"))
    fields: Fields = {
        "nfproto": 2,
        "iifname": device,
        "l4proto": protocol,
        "saddr": Spread(sources),
        "dport": port,
    }
    (table,) = ruleset.tables
    chain = table.chain("INPUT")
    assert chain
    walk = Walk(sources)
    outcome = walk.base(table, chain, [Packet(fields, sources.all)])
    found: dict[Kind, int] = {}
    for kind, one in [*((Kind.ACCEPT, one) for one in outcome.accepted), *outcome.ended]:
        for span in sources.ranges(one.live):
            found[kind] = found.get(kind, 0) | sum(1 << bit for bit in PROBES if _in(bit, span))
    return found


PROBES = {0: 0x09000000, 1: 0x0A000001, 2: 0x0A010001, 3: 0x0A020001, 4: 0xFFFFFFFE}


def _in(bit: int, span: tuple[int, int]) -> bool:
    return span[0] <= PROBES[bit] <= span[1]


@settings(max_examples=200, deadline=None)
@given(RULES)
def test_without_its_idle_rules_a_chain_does_the_same(
    written: list[tuple[list[str], str]],
) -> None:
    lines = [
        " ".join(["-A INPUT", *matches, "-m comment --comment", f"r{number}", "-j", target])
        for number, (matches, target) in enumerate(written)
    ]
    whole = rules(*lines, policy="DROP")
    silent = {one.place.rule.text for one in idle(whole) if one.place.rule}
    less = rules(*(line for line in lines if line not in silent), policy="DROP")
    for device in ("eth0", "eth1"):
        for protocol in (6, 17):
            for port in (22, 80, 8080):
                way = device, protocol, port
                assert verdicts(whole, *way) == verdicts(less, *way), silent
