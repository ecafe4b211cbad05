"""The prefixes of a policy: read, and how wide they are; pure."""

from collections.abc import Iterable
from ipaddress import (
    IPv4Network,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_interface,
    ip_network,
)

from portward.model.errors import PolicyError
from portward.model.service import Audience

_LIKE = 'write it like "192.0.2.0/24" or "2001:db8::/48"'

PRIVATE_NETWORKS = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
"""What "private" means without prefixes of its own: RFC 1918, carrier-grade NAT (RFC 6598),
link-local (RFC 3927, RFC 4291) and unique local addresses (RFC 4193)."""

_Network = IPv4Network | IPv6Network


def prefix(text: str) -> str:
    """Return a prefix in its canonical spelling; an address alone is a prefix of one address.

    Raise PolicyError for what is none, or has bits set beyond its length.
    """
    if "%" in text:
        raise PolicyError(f'"{text}" has an interface in it', mend=_LIKE)
    try:
        return str(ip_network(text))
    except ValueError:
        pass
    try:
        meant = ip_interface(text)
    except ValueError:
        raise PolicyError(f'"{text}" is no network', mend=_LIKE) from None
    raise PolicyError(
        f'"{text}" is an address with a length, not a network',
        mend=f'the network is "{meant.network}", the one host is "{meant.ip}"',
    )


def width(prefixes: Iterable[str]) -> Audience:
    """Say how wide prefixes are: everyone, this host, or networks that somebody chose."""
    networks = [ip_network(text) for text in prefixes]
    if any(network.prefixlen == 0 for network in networks):
        return Audience.ANYONE
    if all(ip_address(network.network_address).is_loopback for network in networks):
        return Audience.HOST
    return Audience.PRIVATE


def beyond(found: Iterable[str], allowed: Iterable[str]) -> tuple[str, ...]:
    """Return what some networks have that others do not cover, as prefixes."""
    known = [ip_network(text) for text in allowed]
    rest = [piece for text in found for piece in _without(ip_network(text), known)]
    four = collapse_addresses(one for one in rest if isinstance(one, IPv4Network))
    six = collapse_addresses(one for one in rest if isinstance(one, IPv6Network))
    return (*map(str, four), *map(str, six))


def _without(network: _Network, others: Iterable[_Network]) -> list[_Network]:
    pieces: list[_Network] = [network]
    for other in others:
        pieces = [rest for piece in pieces for rest in _cut(piece, other)]
    return pieces


def _cut(network: _Network, other: _Network) -> Iterable[_Network]:
    if isinstance(network, IPv4Network) and isinstance(other, IPv4Network):
        if network.subnet_of(other):
            return ()
        return network.address_exclude(other) if other.subnet_of(network) else (network,)
    if isinstance(network, IPv6Network) and isinstance(other, IPv6Network):
        if network.subnet_of(other):
            return ()
        return network.address_exclude(other) if other.subnet_of(network) else (network,)
    return (network,)
