"""Answers: who can reach a port, by which interface, and what decides."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, summarize_address_range

from msgspec import Struct

from portward.model.net import Family, Protocol, is_wildcard
from portward.reach.cuts import cuts, representatives
from portward.reach.host import Host, number
from portward.reach.path import Ending, Journey, arrive, packet
from portward.reach.ruleset import IPV4_BITS, Kind, Range, Ruleset
from portward.reach.sources import Sources
from portward.reach.walk import Decision

NUMBERS = {
    Protocol.TCP: 6,
    Protocol.UDP: 17,
    Protocol.DCCP: 33,
    Protocol.SCTP: 132,
    Protocol.UDPLITE: 136,
}
"""IP protocol numbers (IANA)."""

SYN = 2
EPHEMERAL = 49_152
"""A source port of no meaning (RFC 6335: the dynamic range begins there)."""


class Door(Struct, frozen=True, kw_only=True):
    """Who comes through by one interface, in one address family."""

    device: str
    family: Family
    yes: tuple[Range, ...]
    perhaps: tuple[Range, ...]
    doubts: tuple[str, ...]
    """What could not be decided for those who "perhaps" come through."""
    decided_by: tuple[Decision, ...]
    """The rules and policies that let them through, or kept them out."""


class Machine:
    """One family of a machine with its ruleset, ready to be asked many questions."""

    def __init__(self, ruleset: Ruleset, host: Host) -> None:
        """Find what the ruleset tells apart."""
        self.ruleset = ruleset
        self.host = host
        self.sources = Sources(host.bits, {*cuts(ruleset, "saddr"), *host.cuts(), *_special(host)})
        own = [address for address in host.own if not _is_loopback(address, host)]
        told_apart = cuts(ruleset, "daddr") | cuts(ruleset, "original daddr")
        self.addresses = _one_each(own, told_apart)
        sports = cuts(ruleset, "sport")
        self.sports = representatives(sports, 65_535) if sports else [EPHEMERAL]
        self.translated = self._translated()

    @property
    def family(self) -> Family:
        """The family that all addresses here have."""
        return Family.IPV4 if self.host.bits == IPV4_BITS else Family.IPV6

    def door(self, device: str, protocol: Protocol, port: int, address: str) -> Door:
        """Say who can reach a port that listens on an address by one interface."""
        yes = perhaps = 0
        decisions: list[Decision] = []
        doubts: dict[str, int] = {}
        bound = None if is_wildcard(address) else number(address)
        for journey in self._journeys(device, protocol, {port, *self.translated}, bound):
            reached = denied = 0
            for ending in journey.endings:
                if _delivers(ending, port, bound):
                    reached |= ending.live
                else:
                    denied |= ending.live
            yes |= reached & ~denied
            perhaps |= reached & denied
            decisions += journey.walk.decisions
            for name, live in journey.walk.doubts.items():
                doubts[name] = doubts.get(name, 0) | live
        perhaps &= ~yes
        return Door(
            device=device,
            family=self.family,
            yes=tuple(self.sources.ranges(yes)),
            perhaps=tuple(self.sources.ranges(perhaps)),
            doubts=tuple(name for name, live in doubts.items() if live & perhaps),
            decided_by=tuple(decisions),
        )

    def _journeys(
        self, device: str, protocol: Protocol, ports: Iterable[int], bound: int | None
    ) -> Iterable[Journey]:
        addresses = self.addresses
        if bound is not None and bound not in addresses:
            addresses = [*addresses, bound]
        for address in addresses:
            for port in sorted(ports):
                for sport in self.sports:
                    yield arrive(
                        self.ruleset,
                        self.host,
                        self.sources,
                        packet(
                            self.host,
                            self.sources,
                            device=device,
                            protocol=NUMBERS[protocol],
                            daddr=address,
                            dport=port,
                            sport=sport,
                            tcp_flags=SYN if protocol == Protocol.TCP else None,
                        ),
                    )

    def _translated(self) -> list[int]:
        """Return one port of each kind that translation of the destination tells apart."""
        tables = tuple(
            table
            for table in self.ruleset.tables
            if any(chain.base and chain.base.type == "nat" for chain in table.chains)
        )
        asked = cuts(Ruleset(tables=tables), "dport")
        return [port for port in representatives(asked, 65_535) if port] if asked else []


def networks(ranges: Iterable[Range], family: Family) -> tuple[str, ...]:
    """Write ranges as the fewest prefixes."""
    kind = IPv4Address if family == Family.IPV4 else IPv6Address
    return tuple(
        str(network)
        for first, last in ranges
        for network in summarize_address_range(kind(first), kind(last))
    )


def _delivers(ending: Ending, port: int, bound: int | None) -> bool:
    here = ending.kind == Kind.ACCEPT and ending.hook == "input" and ending.port == port
    return here and (bound is None or ending.address == bound)


def _one_each(addresses: list[int], told_apart: Iterable[Range]) -> list[int]:
    """Keep one of all addresses that no rule tells apart."""
    spans = sorted(told_apart)
    kept: dict[tuple[bool, ...], int] = {}
    for address in addresses:
        kept.setdefault(tuple(low <= address <= high for low, high in spans), address)
    return list(kept.values())


def _special(host: Host) -> set[Range]:
    """Return the ranges that the routing decision refuses as sources."""
    if host.bits == IPV4_BITS:
        return {(0, (1 << 24) - 1), (127 << 24, (128 << 24) - 1), (224 << 24, (240 << 24) - 1)} | {
            (0xFFFFFFFF, 0xFFFFFFFF)
        }
    return {(1, 1), (0xFF << 120, (1 << 128) - 1)}


def _is_loopback(address: int, host: Host) -> bool:
    return address >> 24 == 127 if host.bits == IPV4_BITS else address == 1  # noqa: PLR2004
