"""The table of a policy in the kernel: the policy, reach and the kernel agree on every packet."""

import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import build
from kernel.intents import (
    Packet,
    facing,
    facings,
    is_meant,
    other_ports,
    own_ports,
    policies,
    sources_of,
)
from kernel.oracle import Oracle, World
from kernel.probes import Group
from own_network import in_own_network
from portward.backends.nftables import OwnTable, table, with_table
from portward.model.host import Facing, Snapshot
from portward.model.net import Protocol
from portward.model.policy import Policy
from portward.model.reaching import Answer
from portward.reach import load, nft_json
from portward.reach.host import number
from portward.reach.question import port as who_reaches
from portward.reach.ruleset import Elements
from portward.reach.site import Site

pytestmark = pytest.mark.root
T = TypeVar("T")
_OWN = {"10.0.0.1", "192.0.2.5", "10.8.0.1", "172.16.0.1", "fd00::1", "fd08::1", "fd16::1"}
_TO = {
    ("eth0", 4): "10.0.0.1",
    ("eth0", 6): "fd00::1",
    ("wg0", 4): "10.8.0.1",
    ("wg0", 6): "fd08::1",
    ("dmz0", 4): "172.16.0.1",
    ("dmz0", 6): "fd16::1",
}
_NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17}
_SYN = 2
_RANDOM = settings(
    suppress_health_check=list(HealthCheck), database=None, phases=(Phase.generate, Phase.shrink)
)


class Loaded(NamedTuple):
    """A machine with its table in the kernel."""

    own: OwnTable
    site: Site


def with_oracle(work: Callable[[Oracle], T]) -> T:
    def inside() -> T:
        oracle = Oracle()
        try:
            oracle.enter(World())
            return work(oracle)
        finally:
            oracle.close()

    return in_own_network(inside)


def machine(oracle: Oracle, meant: dict[str, Facing]) -> Snapshot:
    interfaces, routes, sysctls = oracle.survey()
    return build.snapshot(
        interfaces=facing(interfaces, meant), routes=routes, sysctls=sysctls, containers=()
    )


def load_policy(oracle: Oracle, policy: Policy, meant: dict[str, Facing]) -> Loaded:
    """Load a policy's table, and hold what the kernel lists against what was meant to be loaded."""
    snapshot = machine(oracle, meant)
    own = table(policy, snapshot, build.DAY)
    listing = oracle.load(own.text)
    assert read(listing) == read(json.dumps({"nftables": own.listing}))
    return Loaded(own, Site(load.ruleset(build.firewall(nft=listing)), snapshot))


def read(listing: str) -> object:
    """Return what a listing says, without what differs between two loads of the same."""
    (found,) = nft_json.read(listing).tables

    def chain(one: str) -> object:
        found_chain = found.chain(one)
        assert found_chain
        return found_chain.base, [(rule.steps, rule.comment) for rule in found_chain.rules]

    return {one.name: chain(one.name) for one in found.chains}, {
        name: held(elements) for name, elements in found.sets.items()
    }


def held(elements: Elements) -> object:
    return None if elements.dynamic else (set(elements.rows), set(elements.verdicts))


def said(site: Site, protocol: Protocol, port: int) -> Callable[[str, str], bool]:
    """Return whether reach lets a source in by an interface; it must be sure of all."""
    answer = who_reaches(site, protocol, port)
    assert not answer.gaps
    assert Answer.PERHAPS not in {one.answer for one in answer.sources}, answer.sources
    spans: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for one in answer.sources:
        if one.source_ports is None:
            found = spans.setdefault((one.interface, str(one.family)), [])
            found += map(_span, one.networks)

    def lets_in(interface: str, source: str) -> bool:
        here = number(source)
        found = spans.get((interface, "ipv6" if ":" in source else "ipv4"), ())
        return any(first <= here <= last for first, last in found)

    return lets_in


def _span(network: str) -> tuple[int, int]:
    found = ip_network(network)
    return int(found.network_address), int(found.broadcast_address)


def compare(oracle: Oracle, policy: Policy, meant: dict[str, Facing], chosen: list[int]) -> int:
    """Ask the intent, reach and the kernel about the same packets; return how many there were."""
    loaded = load_policy(oracle, policy, meant)
    others = other_ports(policy)
    ports = own_ports(policy) + [others[index % len(others)] for index in chosen]
    sources = {
        version: [one for one in found if one not in _OWN]
        for version, found in sources_of(policy).items()
    }
    asked = 0
    for protocol, port in dict.fromkeys(ports):
        lets_in = said(loaded.site, protocol, port)
        groups: list[Group] = []
        expected: list[list[bool]] = []
        for (interface, version), address in _TO.items():
            wanted = [
                is_meant(policy, meant, Packet(interface, protocol, port, one), build.DAY)
                for one in sources[version]
            ]
            answers = [lets_in(interface, one) for one in sources[version]]
            assert answers == wanted, (protocol, port, interface, sources[version])
            expected.append(wanted)
            groups.append(
                Group(
                    bits=32 if version == 4 else 128,
                    device=interface,
                    protocol=_NUMBERS.get(protocol, 0),
                    daddr=number(address),
                    sport=50_000,
                    dport=port,
                    flags=_SYN,
                    sources=tuple(map(number, sources[version])),
                )
            )
        if protocol in _NUMBERS:
            oracle.load(loaded.own.text)  # no source has sent anything yet
            for group, answered, wanted in zip(groups, oracle.ask(groups), expected, strict=True):
                assert [one.kind == "input" for one in answered] == wanted, group
            asked += sum(map(len, expected))
    return asked


def test_a_policy_its_table_reach_and_the_kernel_say_the_same_of_every_packet() -> None:
    packets = []

    def work(oracle: Oracle) -> None:
        @given(policies(), facings(), st.lists(st.integers(0, 500), min_size=3, max_size=3))
        @settings(_RANDOM, max_examples=150)
        def agree(policy: Policy, meant: dict[str, Facing], chosen: list[int]) -> None:
            packets.append(compare(oracle, policy, meant, chosen))

        agree()

    with_oracle(work)
    assert sum(packets) > 50_000


def test_the_planned_table_answers_as_the_loaded_one_does() -> None:
    def work(oracle: Oracle) -> None:
        @given(policies(), facings())
        @settings(_RANDOM, max_examples=20)
        def agree(policy: Policy, meant: dict[str, Facing]) -> None:
            snapshot = machine(oracle, meant)
            own = table(policy, snapshot, build.DAY)
            planned = load.ruleset(with_table(build.firewall(nft=None), own))
            loaded = load.ruleset(build.firewall(nft=oracle.load(own.text)))
            for protocol, port in other_ports(policy)[:4]:
                one, other = (
                    who_reaches(Site(rules, snapshot), protocol, port)
                    for rules in (planned, loaded)
                )
                assert (one.answer, [each.networks for each in one.sources]) == (
                    other.answer,
                    [each.networks for each in other.sources],
                )

        agree()

    with_oracle(work)
