"""The prefixes of a policy: read, and how wide they are; pure."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_interface, ip_network

from portward.model.errors import PolicyError
from portward.model.service import Audience

_LIKE = 'write it like "192.0.2.0/24" or "2001:db8::/48"'


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
