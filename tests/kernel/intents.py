"""Random policies, and what each means for one packet: read off its allowances, not off rules."""

from collections.abc import Iterable
from datetime import date, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st
from msgspec.structs import replace

from build import DAY
from portward.knowledge import catalogue
from portward.model.host import Facing, Interface
from portward.model.net import Ports, Protocol
from portward.model.policy import Allowance, Policy, Profile, Sources
from portward.model.service import Audience
from portward.policy.networks import width
from portward.policy.resolve import Intent, resolve, sources

KNOWN = catalogue.load(Path("/nonexistent"))
FACINGS = {
    "eth0": (Facing.INTERNET, Facing.PRIVATE),
    "wg0": (Facing.VPN, Facing.PRIVATE),
    "dmz0": (Facing.PRIVATE, Facing.BRIDGE),
}
PORTED = (Protocol.TCP, Protocol.UDP, Protocol.SCTP, Protocol.DCCP, Protocol.UDPLITE)
_PRIVATE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
    *("fc00::/7", "fe80::/10"),
)


class Packet(NamedTuple):
    """The first packet of a connection, from a source port without meaning."""

    interface: str
    protocol: Protocol
    port: int
    source: str


def is_meant(policy: Policy, facings: dict[str, Facing], packet: Packet, day: date) -> bool:
    """Say whether a policy wants a packet to come in."""
    facing = facings[packet.interface]
    transport = packet.protocol in {Protocol.TCP, Protocol.UDP}
    if facing == Facing.INTERNET and transport and packet.port in {137, 138, 139, 445}:
        return False
    source = ip_address(packet.source)
    if (packet.protocol, packet.port) == (Protocol.UDP, 546) and source in ip_network("fe80::/10"):
        return True  # the DHCPv6 client of every machine
    if facing == Facing.BRIDGE and (packet.protocol, packet.port) in {
        *((Protocol.UDP, port) for port in (53, 67, 547)),
        (Protocol.TCP, 53),
    }:
        return True  # what a network of containers needs of its host
    return any(
        _allows(one, packet) for one in policy.allowances if one.until is None or one.until >= day
    )


def _allows(allowance: Allowance, packet: Packet) -> bool:
    if allowance.origin == "every role" or not any(
        ports.protocol == packet.protocol and ports.first <= packet.port <= ports.last
        for ports in allowance.ports
    ):
        return False
    networks = allowance.sources.networks
    if allowance.sources.audience in {Audience.HOST, Audience.NOBODY}:
        return False
    if not networks:
        if allowance.sources.audience == Audience.ANYONE:
            return True
        networks = _PRIVATE
    source = ip_address(packet.source)
    return any(source in network for network in map(ip_network, networks))


# --- random ones -------------------------------------------------------------------------------

_V4 = st.builds(
    lambda number, length: IPv4Network((number >> (32 - length) << (32 - length), length)),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 1, 8, 12, 20, 24, 24, 29, 31, 32, 32]),
)
_V6 = st.builds(
    lambda number, length: IPv6Network((number >> (128 - length) << (128 - length), length)),
    st.integers(0x2000 << 112, (0x4000 << 112) - 1),
    st.sampled_from([3, 16, 32, 48, 64, 64, 127, 128]),
)
_NEAR = st.sampled_from(
    [
        *("10.0.0.0/8", "10.0.0.0/24", "10.0.1.0/24", "10.8.0.0/24", "172.16.0.0/24"),
        *(
            "203.0.113.0/25",
            "203.0.113.128/25",
            "203.0.113.0/31",
            "203.0.113.3",
            "0.0.0.0/0",
            "::/0",
            "fd00::/64",
            "2001:db8::/48",
        ),
    ]
)
_PREFIXES = st.lists(st.one_of(_V4.map(str), _V6.map(str), _NEAR), min_size=1, max_size=5)
_WORDS = st.sampled_from(["any", "private", "admin", "office", "Zo-e"])
_NUMBERS = st.one_of(
    st.sampled_from([22, 53, 67, 68, 80, 137, 139, 443, 445, 546, 547, 8080]),
    st.integers(1, 65535),
)


@st.composite
def _ports(draw: st.DrawFn) -> Ports:
    first = draw(_NUMBERS)
    last = min(65535, first + draw(st.sampled_from([0, 0, 0, 1, 9, 65535])))
    return Ports(draw(st.sampled_from([Protocol.TCP, Protocol.TCP, *PORTED])), first, last)


@st.composite
def _from(draw: st.DrawFn, networks: dict[str, tuple[str, ...]]) -> Sources:
    word = draw(_WORDS)
    if word == "any":
        return sources(Audience.ANYONE, networks)
    if word == "private":
        return sources(Audience.PRIVATE, networks)
    found = networks.get(word) or tuple(draw(_PREFIXES))
    return Sources(audience=width(found), networks=found, label=word)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return a policy of random roles, networks, profile and allowances."""
    names = st.sampled_from(["private", "admin", "office"])
    networks = {name: tuple(draw(_PREFIXES)) for name in draw(st.sets(names, max_size=3))}
    allow = tuple(
        Allowance(
            service=draw(st.sampled_from([None, None, "ssh"])),
            ports=(draw(_ports()),),
            sources=draw(_from(networks)),
            program=draw(st.sampled_from([None, "/usr/bin/x"])),
            reason="because",
            until=draw(st.sampled_from([None, DAY, DAY - timedelta(days=1)])),
            origin=f'/etc/"portward"/policy.toml:{line}',
        )
        for line in range(draw(st.integers(0, 4)))
    )
    return resolve(
        Intent(
            roles=tuple(
                draw(st.lists(st.sampled_from(sorted(KNOWN.roles)), max_size=3, unique=True))
            ),
            profile=draw(st.sampled_from(Profile)),
            networks=networks,
            allow=allow,
        ),
        KNOWN,
    )


@st.composite
def facings(draw: st.DrawFn) -> dict[str, Facing]:
    """Say whom each interface connects the machine to."""
    return {name: draw(st.sampled_from(kinds)) for name, kinds in FACINGS.items()}


def facing(interfaces: Iterable[Interface], meant: dict[str, Facing]) -> tuple[Interface, ...]:
    """Return interfaces that face what is meant."""
    return tuple(replace(one, facing=meant.get(one.name, one.facing)) for one in interfaces)


# --- what to ask -------------------------------------------------------------------------------


def own_ports(policy: Policy) -> list[tuple[Protocol, int]]:
    """Return ports at and beside the edges of what the policy itself allows, in force or not."""
    return _edges(one for one in policy.allowances if "toml" in one.origin)


def other_ports(policy: Policy) -> list[tuple[Protocol, int]]:
    """Return ports at and beside the edges of what the roles need, and some of meaning."""
    found = {*_edges(policy.allowances)}
    found |= {(Protocol.TCP, port) for port in (1, 22, 53, 139, 445, 65535)}
    found |= {(Protocol.UDP, port) for port in (53, 67, 68, 137, 138, 445, 546, 547)}
    return sorted(found)


def _edges(allowances: Iterable[Allowance]) -> list[tuple[Protocol, int]]:
    found = {
        (ports.protocol, number)
        for one in allowances
        for ports in one.ports
        if ports.protocol in PORTED
        for number in (ports.first - 1, ports.first, ports.last, ports.last + 1)
        if 0 < number <= 65535
    }
    return sorted(found)


def sources_of(policy: Policy) -> dict[int, list[str]]:
    """Return addresses at and beside the edges of every network, by family."""
    found: dict[int, set[str]] = {
        4: {"10.0.0.77", "10.9.9.9", "192.168.7.7", "198.51.100.9", "8.8.8.8", "172.16.0.3"},
        6: {"fd00::77", "fe80::9", "2001:db8::9", "2a00::1"},
    }
    networks = {one for allowance in policy.allowances for one in allowance.sources.networks}
    for text in (*networks, *_PRIVATE):
        network = ip_network(text)
        first, last = int(network.network_address), int(network.broadcast_address)
        kind = type(network.network_address)
        for number in (first - 1, first, last, last + 1):
            if 0 <= number < 1 << network.max_prefixlen and _is_plain(number, network.version):
                found[network.version].add(str(kind(number)))
    return {version: sorted(addresses) for version, addresses in found.items()}


def _is_plain(number: int, version: int) -> bool:
    """Say whether a packet from outside may have such a source, whatever the rules."""
    if version == 4:
        return 1 <= number >> 24 < 224 and number >> 24 != 127
    return number >> 120 != 0xFF and number >> 32 not in {0, 0xFFFF}
