"""What a policy opens, one network at a time: for tools that have no sets of networks."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from typing import NamedTuple

from msgspec.structs import replace

from portward.backends import nft_words as nft
from portward.backends.addresses import BITS, Addresses
from portward.backends.allowed import Opening
from portward.model.host import Firewall
from portward.model.net import Protocol
from portward.model.unknown import Unknown

PROTOCOL_NAMES = {41: "ipv6", 47: "gre", 50: "esp", 51: "ah", 112: "vrrp"}
"""IP protocols that ufw knows besides those with ports (ufw(8), "protocol"), as IANA calls them."""


class Grant(NamedTuple):
    """A range of ports (or one IP protocol, for "raw") for one network."""

    protocol: Protocol
    first: int
    last: int
    source: str
    """A prefix, or an address alone; "": anyone, of either family."""
    origins: str


def grants(opened: Iterable[Opening]) -> Iterator[Grant]:
    """Take the openings apart."""
    for one in opened:
        said = ", ".join(one.origins)
        sources = (
            [""]
            if one.anyone
            else dict.fromkeys(
                source for group in one.groups for source in _prefixes(group.addresses)
            )
        )
        for source in sources:
            yield Grant(one.protocol, one.first, one.last, source, said)


def in_charge(firewall: Firewall, tool: str) -> Firewall:
    """Return what is known of a machine whose firewall a tool sets up, now and at each boot."""
    if isinstance(firewall.managers, Unknown):
        return firewall
    return replace(
        firewall,
        managers=tuple(
            replace(one, active=True, enabled=True) if one.name == tool else one
            for one in firewall.managers
        ),
    )


def version(source: str) -> int:
    """Return IP's version of a prefix."""
    return 6 if ":" in source else 4


def transport(one: Grant, raw: nft.Words) -> tuple[nft.Words, ...]:
    """Ask for the ports in nft's words; raw: how the tool asks for a protocol without ports."""
    if one.protocol == Protocol.RAW:
        return (raw,)
    return (nft.payload(str(one.protocol), "dport", nft.span(one.first, one.last)),)


def sender(source: str) -> tuple[nft.Words, ...]:
    """Ask for the source in nft's words."""
    if not source:
        return ()
    header = "ip6" if version(source) == 6 else "ip"  # noqa: PLR2004 - IP's version
    return (nft.payload(header, "saddr", nft.prefix(source)),)


def _prefixes(addresses: Addresses) -> Iterator[str]:
    for number, kind in ((4, IPv4Address), (6, IPv6Address)):
        for first, last in addresses.of(number):
            for network in summarize_address_range(kind(first), kind(last)):
                alone = network.prefixlen == BITS[number]
                yield str(network.network_address) if alone else str(network)
