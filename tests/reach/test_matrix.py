"""The matrix as a document against the answers to single questions."""

from collections.abc import Iterable
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portward.model.net import Family, Protocol
from portward.model.reaching import Answer, Matrix
from portward.reach.matrix import matrix
from portward.reach.question import port
from portward.reach.ruleset import (
    Base,
    Chain,
    Field,
    Kind,
    Names,
    Rule,
    Ruleset,
    Step,
    Table,
    Target,
    Translate,
    Values,
    Verdict,
)
from portward.reach.ruleset import (
    Test as Match,
)
from reach.rulesets import RULESETS
from reach.sites import site


def has(text: str, number: int) -> bool:
    """Say whether "22, 6000-6063" has a port."""
    spans = (span.partition("-") for span in text.split(", "))
    return any(int(first) <= number <= int(last or first) for first, _, last in spans)


def ranges(networks: Iterable[str]) -> list[tuple[int, int]]:
    """Join networks to the fewest ranges."""
    found: list[tuple[int, int]] = []
    for one in sorted(map(ip_network, networks)):
        first, last = int(one.network_address), int(one.broadcast_address)
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found


@settings(max_examples=60, deadline=None)
@given(
    RULESETS,
    st.sampled_from([1, 21, 22, 80, 443, 8080, 8081, 65_535]),
    st.sampled_from([Protocol.TCP, Protocol.UDP]),
)
def test_a_port_of_the_matrix_is_the_answer_about_that_port(
    ruleset: Ruleset, number: int, protocol: Protocol
) -> None:
    asked = site(ruleset)
    found = matrix(asked)
    single = port(asked, protocol, number)
    classes = {one.name: one for one in found.classes}
    machine = asked.machines[Family.IPV4]
    for device in single.interfaces:
        for answer in (Answer.YES, Answer.PERHAPS):
            mine = [
                network
                for one in found.reach
                if (one.protocol, one.answer, one.source_ports) == (protocol, answer, None)
                if has(one.ports, number) and device in classes[one.source].interfaces
                for network in classes[one.source].networks
            ]
            theirs = [
                network
                for one in single.sources
                if (one.interface, one.answer, one.source_ports) == (device, answer, None)
                for network in one.networks
            ]
            # What routing refuses anyway may lie in either.
            refused = machine.refused(device)
            cut = (machine.sources.union(ranges(nets)) & ~refused for nets in (mine, theirs))
            ours, others = cut
            assert ours == others, (device, answer)


@settings(max_examples=40, deadline=None)
@given(RULESETS)
def test_a_matrix_is_of_one_piece(ruleset: Ruleset) -> None:
    found = matrix(site(ruleset))
    names = {one.name for one in found.classes}
    assert {one.source for one in found.reach} == names
    rules = {one.name for one in found.rules}
    assert {name for one in found.reach for name in one.decided_by} == rules
    assert len(set(found.classes)) == len(found.classes)
    perhaps = [one for one in found.reach if one.answer == Answer.PERHAPS]
    assert all(one.doubts for one in perhaps)


def chain(hook: str, kind: str, policy: Kind, *rules: tuple[Step, ...]) -> Chain:
    base = Base(hook=hook, type=kind, priority=0, policy=policy)
    return Chain(name=hook, base=base, rules=tuple(Rule(steps=steps) for steps in rules))


def having(field: str, values: Values) -> Match:
    return Match((Field(field),), ((values,),))


ACCEPT = Verdict(Kind.ACCEPT)
TCP = having("l4proto", ((6, 6),))


def told(*chains: Chain) -> Matrix:
    table = Table(family="ip", name="t", chains=chains)
    return matrix(site(Ruleset(tables=(table,))))


def test_a_source_port_is_told_with_the_rule_that_asks_for_it() -> None:
    found = told(
        chain(
            "input",
            "filter",
            Kind.DROP,
            (TCP, having("dport", ((22, 22),)), ACCEPT),
            (TCP, having("sport", ((53, 53), (88, 88))), ACCEPT),
        )
    )
    assert [
        (one.ports, one.source_ports, [rule_of(found, name) for name in one.decided_by])
        for one in found.reach
    ] == [
        ("22", None, ["tcp dport 22 accept"]),
        ("0-21, 23-65535", "53, 88", ["tcp sport 53,88 accept"]),
    ]


def rule_of(found: Matrix, name: str) -> str | None:
    (rule,) = (one.rule for one in found.rules if one.name == name)
    return rule


@pytest.mark.parametrize("policy", [Kind.ACCEPT, Kind.DROP])
def test_without_rules_policies_decide(policy: Kind) -> None:
    found = told(chain("input", "filter", policy))
    if policy == Kind.DROP:
        assert (found.classes, found.reach, found.rules) == ((), (), ())
        return
    (sources,) = found.classes
    assert (sources.words, sources.interfaces) == ("everyone", ("eth0", "eth1", "docker0"))
    assert {(one.protocol, one.ports) for one in found.reach} == {
        (Protocol.TCP, "0-65535"),
        (Protocol.UDP, "0-65535"),
    }
    assert [(one.rule, one.verdict) for one in found.rules] == [(None, "accept")]


def test_addresses_that_differ_and_translation_are_told() -> None:
    found = told(
        chain(
            "prerouting",
            "nat",
            Kind.ACCEPT,
            (
                TCP,
                having("dport", ((8080, 8080),)),
                Translate("dnat", None, (Target((0xAC110002,) * 2, (80, 80)),)),
            ),
        ),
        chain(
            "input",
            "filter",
            Kind.DROP,
            (having("iifname", Names(("eth1",))), Verdict(Kind.DROP)),
            (TCP, having("daddr", ((0xC0000201,) * 2,)), having("dport", ((22, 22),)), ACCEPT),
        ),
        chain("forward", "filter", Kind.ACCEPT),
    )
    outer = next(one.name for one in found.classes if "eth0" in one.interfaces)
    assert [(one.ports, one.to, one.delivered) for one in found.reach if one.source == outer] == [
        ("22", ("192.0.2.1",), ()),
        ("8080", (), ("172.17.0.2:80 by docker0",)),
    ]
