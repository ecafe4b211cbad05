"""Portward's own table in the real kernel: random policies, read back and asked by reach.

What a policy means is worked out here once more from its allowances, by other means than the
backend's: no ranges are cut, no sets are named, every port is asked about alone.
"""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from build import DAY, LOOPBACK, firewall, interface, listener, snapshot, sysctl
from kernel.libnftables import Nft
from own_network import in_own_network, run
from portward.backends.nftables import OwnTable, table
from portward.knowledge import catalogue
from portward.model.host import Facing, Interface, Route, Snapshot
from portward.model.net import IPV4_ANY, IPV6_ANY, Family, Protocol
from portward.model.plan import TABLE
from portward.model.policy import Policy
from portward.model.service import Audience, Catalogue
from portward.model.status import Reach, Scope
from portward.plan.firewall import is_loaded
from portward.policy import file
from portward.policy.networks import PRIVATE_NETWORKS
from portward.policy.resolve import EVERY_ROLE
from portward.reach.exposure import Exposer
from portward.reach.ruleset import Range
from portward.survey import firewall as survey

pytestmark = pytest.mark.root
T = TypeVar("T")
RULESETS = Path(__file__).parents[1] / "captures" / "rulesets"
EXAMPLES = 45

# --- policies and machines ---------------------------------------------------------------------

NETWORKS = (
    *("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "10.128.0.0/9", "0.0.0.0/1", "0.0.0.0/0"),
    *("192.0.2.0/25", "192.0.2.128/25", "192.168.7.0/24", "203.0.113.9/32", "127.0.0.1/32"),
    *("2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::5/128", "fd00::/8", "fe80::/10", "::/0"),
    *("2000::/3", "::1/128", "128.0.0.0/1", "255.255.255.255/32", "224.0.0.0/4"),
)
NAMES = (
    *("admin", "ad-min", "ad_min", "private", "private_n2", "networks", "seen", "a", "b"),
    *("a_or_b", "tcp_ports", "input", "drop", "v4", "a_v4", "x" * 200, "Z"),
)
"""Some of them are names of portward's own, or of nft, or become alike when they are written."""
EDGES = (1, 21, 22, 23, 53, 67, 80, 135, 137, 139, 140, 443, 445, 446, 547, 1024, 5000, 65_535)
PROTOCOLS = ("tcp", "tcp", "tcp", "udp", "udp", "sctp", "dccp", "udplite", "raw")


@cache
def known() -> Catalogue:
    return catalogue.load(Path("/nonexistent"))


@st.composite
def ports(draw: st.DrawFn) -> str:
    protocol = draw(st.sampled_from(PROTOCOLS))
    if protocol == "raw":
        return f"{draw(st.sampled_from((1, 2, 4, 41, 47, 50, 58, 89, 103, 112, 200, 253)))}/raw"
    first, last = sorted(draw(st.sampled_from(EDGES)) for _ in range(2))
    if draw(st.booleans()):
        last = first
    return f"{first}-{last}/{protocol}"


@st.composite
def written(draw: st.DrawFn) -> str:
    """Write a policy as a person would."""
    named = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    groups = st.lists(st.sampled_from(NETWORKS), unique=True, min_size=1, max_size=4)
    roles = draw(st.lists(st.sampled_from(sorted(known().roles)), unique=True, max_size=3))
    profile = draw(st.sampled_from(("server", "server", "server", "home", "work", "public")))
    profile = draw(st.sampled_from((profile, profile, profile, profile, "isolated")))
    lines = [f"roles = {json.dumps(roles or ['isolated'])}", f'profile = "{profile}"', "[networks]"]
    lines += [f"{name} = {json.dumps(draw(groups))}" for name in named]
    who: list[st.SearchStrategy[Any]] = [st.sampled_from(("any", "private", "host")), groups]
    who += [st.sampled_from(named)] * 3 if named else []
    services = [name for name, one in known().services.items() if one.ports]
    for _ in range(draw(st.integers(0, 6))):
        is_service = draw(st.integers(0, 4)) == 0
        what = draw(st.sampled_from(services) if is_service else ports())
        lines += ["[[allow]]", f'{"service" if is_service else "port"} = "{what}"']
        lines.append(f"from = {json.dumps(draw(st.one_of(*who)))}")
        if draw(st.booleans()):
            until = DAY + timedelta(days=draw(st.sampled_from((-400, -1, 0, 1))))
            lines.append(f"until = {until}")
    return "\n".join(lines)


@st.composite
def machines(draw: st.DrawFn) -> tuple[Interface, ...]:
    """Draw an interface towards others and some towards networks of this machine's own."""
    faces = draw(st.booleans())
    outer = interface(
        draw(st.sampled_from(("eth0", "br-ex", "vnet0", "wg0"))),
        facing=Facing.INTERNET if faces else Facing.PRIVATE,
        addresses=("198.51.100.7/24", "2001:db8:7::7/64")
        if faces
        else ("192.168.7.2/24", "fd07::2/64"),
    )
    found = [LOOPBACK, outer]
    more: tuple[tuple[tuple[str, ...], Facing, str], ...] = (
        (("eth1", "br-lan", "enp7s0"), Facing.PRIVATE, "physical"),
        (("docker0", "br0", "br-0123456789ab"), Facing.BRIDGE, "bridge"),
        (("wg1", "tun0"), Facing.VPN, "wireguard"),
        (("eth3",), Facing.INTERNET, "physical"),
    )
    for number, (names, facing, kind) in enumerate(more, 20):
        if not draw(st.booleans()):
            continue
        public = facing == Facing.INTERNET
        addresses = (f"{'203.0.113.1/24' if public else f'172.{number}.0.1/16'}",)
        found.append(
            interface(
                draw(st.sampled_from(names)),
                index=number,
                kind=kind,
                facing=facing,
                addresses=(*addresses, f"{'2001:db8' if public else 'fd00'}:{number}::1/64"),
                default_route=facing in {Facing.VPN, Facing.INTERNET} and draw(st.booleans()),
            )
        )
    return tuple(found)


def standing(interfaces: tuple[Interface, ...], **facts: Any) -> Snapshot:
    routes = tuple(
        Route(destination="default", family=family, gateway=None, device=one.name, metric=None)
        for one in interfaces
        if one.default_route
        for family in (Family.IPV4, Family.IPV6)
    )
    return snapshot(interfaces=interfaces, routes=routes, **facts)


# --- what the policy means -----------------------------------------------------------------------

Addresses = list[Range]
REFUSED = {
    Family.IPV4: ("0.0.0.0/32", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32"),
    Family.IPV6: ("::/127", "ff00::/8"),
}
"""No packet comes from these: the routing decision has none of them as a source."""
EVERYONE = {Family.IPV4: "0.0.0.0/0", Family.IPV6: "::/0"}


class Asked(NamedTuple):
    """A port by an interface."""

    by: Interface
    family: Family
    protocol: Protocol
    port: int


class Machine(NamedTuple):
    """What a policy is for."""

    policy: Policy
    interfaces: tuple[Interface, ...]

    def is_served(self, by: Interface) -> bool:
        """Say whether this machine gives addresses and names to what is behind an interface."""
        return not by.default_route and by.facing == Facing.BRIDGE

    def meant(self, asked: Asked) -> list[str]:
        """Return the networks that may reach a port."""
        key = asked.protocol, asked.port
        everyone = [EVERYONE[asked.family]]
        sharing = key[0] in {"tcp", "udp"} and key[1] in {137, 138, 139, 445}
        if sharing and asked.by.facing == Facing.INTERNET:
            return []
        if self.is_served(asked.by) and key in {
            (Protocol.UDP, 53),
            (Protocol.TCP, 53),
            (Protocol.UDP, 67),
            (Protocol.UDP, 547),
        }:
            return everyone
        if key == (Protocol.UDP, 68) and asked.family == Family.IPV4:
            return everyone  # answers to a DHCP client, from port 67
        if key == (Protocol.UDP, 546) and asked.family == Family.IPV6:
            return [*self.allowed(asked), "fe80::/10"]
        return self.allowed(asked)

    def allowed(self, asked: Asked) -> list[str]:
        number = {"tcp": 6, "udp": 17, "dccp": 33, "sctp": 132, "udplite": 136}[asked.protocol]
        found: list[str] = []
        for one in self.policy.allowances:
            if one.origin == EVERY_ROLE or (one.until and one.until < DAY):
                continue
            if one.sources.audience in {Audience.HOST, Audience.NOBODY}:
                continue
            hit = (asked.protocol, asked.port)
            if not any(
                hit in ports or (Protocol.RAW, number) == (ports.protocol, ports.first)
                for ports in one.ports
                if ports.protocol != Protocol.RAW or ports.first == ports.last
            ):
                continue
            private = PRIVATE_NETWORKS if one.sources.audience == Audience.PRIVATE else ()
            networks = one.sources.networks or private or (EVERYONE[asked.family],)
            found += [net for net in networks if (":" in net) == (asked.family == Family.IPV6)]
        return found


def addresses(networks: list[str], family: Family) -> Addresses:
    """Return networks as ranges, apart and in order, without what cannot be a source."""
    found: Addresses = []
    for net in sorted(map(ip_network, networks), key=lambda net: int(net.network_address)):
        first, last = int(net.network_address), int(net.broadcast_address)
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    for text in REFUSED[family]:
        low, high = int(ip_network(text).network_address), int(ip_network(text).broadcast_address)
        found = [
            part
            for first, last in found
            for part in ((first, min(last, low - 1)), (max(first, high + 1), last))
            if part[0] <= part[1]
        ]
    return found


def without(found: Addresses, own: list[int]) -> Addresses:
    """Leave out the machine's own addresses: what comes from them is refused as well."""
    for address in own:
        found = [
            part
            for first, last in found
            for part in ((first, min(last, address - 1)), (max(first, address + 1), last))
            if part[0] <= part[1]
        ]
    return found


def disagreement(machine: Machine, exposer: Exposer, asked: Asked, told: set[Scope]) -> str | None:
    """Say where reach's answer is another than the policy's; note what kinds there were."""
    wildcard = IPV4_ANY if asked.family == Family.IPV4 else IPV6_ANY
    reach = exposer.reach(
        listener(f"{asked.port}/{asked.protocol}", wildcard, device=asked.by.name)
    )
    told.add(reach.scope)
    own = [
        int(ip_interface(text).ip)
        for one in machine.interfaces
        for text in one.addresses
        if (":" in text) == (asked.family == Family.IPV6)
    ]
    meant = without(addresses(machine.meant(asked), asked.family), own)
    everyone = without(addresses([EVERYONE[asked.family]], asked.family), own)
    if _agrees(reach, meant, everyone, asked, own):
        return None
    return f"{asked.by.name} {asked.family} {asked.port}/{asked.protocol}: {reach}; not {meant}"


def _agrees(
    reach: Reach, meant: Addresses, everyone: Addresses, asked: Asked, own: list[int]
) -> bool:
    if not meant:
        return reach.scope == Scope.NOBODY
    if meant == everyone and asked.by.default_route:
        return reach.scope == Scope.EVERYONE
    told = [one.partition(" ")[0] for one in reach.networks]
    if reach.scope != Scope.NETWORKS:
        return False
    if meant == everyone:
        return set(told) == {
            str(ip_interface(text).network)
            for text in asked.by.addresses
            if (":" in text) == (asked.family == Family.IPV6)
        }
    return without(addresses(told, asked.family), own) == meant


def questions(machine: Machine) -> Iterator[Asked]:
    """Ask about what the policy names, what is beside it, and what rules of their own are for."""
    named = {
        (ports.protocol, port)
        for one in machine.policy.allowances
        for ports in one.ports
        for port in (ports.first - 1, ports.first, ports.last, ports.last + 1)
        if 0 < port <= 65_535 and ports.protocol not in {Protocol.RAW, Protocol.PACKET}
    }
    always = (22, 53, 67, 68, 137, 139, 445, 546, 547, 49_999)
    named |= {(protocol, port) for protocol in (Protocol.TCP, Protocol.UDP) for port in always}
    named |= {(Protocol.SCTP, 22), (Protocol.DCCP, 22), (Protocol.UDPLITE, 22)}
    for one in machine.interfaces:
        for family in (Family.IPV4, Family.IPV6) if one.name != "lo" else ():
            for protocol, port in sorted(named):
                yield Asked(one, family, protocol, port)


# --- the tests -----------------------------------------------------------------------------------


def with_nft(work: Callable[[Nft], T]) -> T:
    def inside() -> T:
        nft = Nft()
        try:
            return work(nft)
        finally:
            nft.close()

    return in_own_network(inside)


def loaded(nft: Nft, own: OwnTable) -> str:
    nft.load(own.text)
    return nft.listing()


# Shrinking takes minutes where a wrong rule is in every example; what fails is printed whole.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def test_what_is_loaded_is_what_was_meant_and_lets_in_whom_the_policy_allows() -> None:
    told: set[Scope] = set()

    def work(nft: Nft) -> None:
        @settings(max_examples=EXAMPLES, phases=PHASES, suppress_health_check=list(HealthCheck))
        @given(written(), machines())
        def holds(text: str, interfaces: tuple[Interface, ...]) -> None:
            policy = file.parse(text, "policy.toml", known())
            own = table(policy, standing(interfaces), DAY)
            once = loaded(nft, own)
            assert is_loaded(firewall(nft=once), own)
            assert is_loaded(firewall(nft=loaded(nft, own)), own)
            exposer = Exposer(standing(interfaces, firewall=firewall(nft=once)))
            machine = Machine(policy, interfaces)
            wrong = [disagreement(machine, exposer, one, told) for one in questions(machine)]
            assert not any(wrong), "\n".join(one for one in wrong if one)

        holds()

    with_nft(work)
    assert told == {Scope.EVERYONE, Scope.NETWORKS, Scope.NOBODY}


# --- beside the tables of others -----------------------------------------------------------------

OTHERS = ("docker", "docker_only_bridge", "docker_ufw", "k8s-like", "podman", "ufw")


def restore(name: str) -> None:
    for family, program in (("iptables", "iptables"), ("ip6tables", "ip6tables")):
        saved = RULESETS / f"{name}.{family}"
        if saved.exists():
            run(f"{program}-nft-restore", text=saved.read_text())


def not_own(listing: str) -> list[Any]:
    """Return the tables of others, with their handles: none of them was written again."""
    return [
        item
        for item in json.loads(listing)["nftables"]
        for body in item.values()
        if TABLE not in {body.get("table"), body.get("name")}
    ]


@pytest.mark.parametrize("name", OTHERS)
def test_the_tables_of_others_stay_as_they_are(name: str) -> None:
    own = table(file.parse(SHOP, "policy.toml", known()), standing(HOME), DAY)

    def work(nft: Nft) -> None:
        restore(name)
        before = not_own(nft.listing())
        assert len(before) > 10
        for _ in range(2):
            nft.load(own.text)
            assert is_loaded(firewall(nft=nft.listing()), own)
            assert not_own(nft.listing()) == before
        nft.run(f"delete table inet {TABLE}")
        assert nft.listing().count(TABLE) == 0
        assert not_own(nft.listing()) == before

    with_nft(work)


SHOP = """
roles = ["container-host"]
[networks]
office = "203.0.113.0/24"
[[allow]]
port = "8090/tcp"
from = "office"
"""
NONE = 'roles = ["container-host"]'
HOME = (
    LOOPBACK,
    interface(),
    interface(
        "docker0",
        index=3,
        kind="bridge",
        addresses=("172.17.0.1/16",),
        facing=Facing.BRIDGE,
        default_route=False,
    ),
)


@pytest.mark.parametrize(
    ("written_policy", "scope", "who"),
    [(SHOP, Scope.NETWORKS, {"203.0.113.0/24"}), (NONE, Scope.NOBODY, set())],
)
def test_what_docker_publishes_is_for_whom_the_policy_allows(
    written_policy: str, scope: Scope, who: set[str]
) -> None:
    own = table(file.parse(written_policy, "policy.toml", known()), standing(HOME), DAY)

    def work() -> tuple[Snapshot, Snapshot]:
        restore("docker")
        before = survey.rulesets()
        run("nft -f -", text=own.text)
        forwarding = (sysctl("net.ipv4.ip_forward", "1"),)
        return (
            standing(HOME, firewall=before, sysctls=forwarding),
            standing(HOME, firewall=survey.rulesets(), sysctls=forwarding),
        )

    before, after = in_own_network(work)
    (published,) = (one for one in Exposer(before).passed_on() if one.port == 8090)
    assert Exposer(before).reach(published).scope == Scope.EVERYONE
    published = replace(published, device="eth0")
    reach = Exposer(after).reach(published)
    assert (reach.scope, set(reach.networks)) == (scope, who), reach
