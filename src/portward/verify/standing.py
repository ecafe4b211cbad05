"""From which addresses a machine is looked at, where the place outside is made on itself.

An address stands for all that the policy treats alike: one for the internet, one for private
networks, and one for each network that the policy names. It must be nobody's: not the machine's,
not of a network that it is connected to, and of no one who is connected now.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import islice
from typing import NamedTuple

from portward.model.case import Case
from portward.model.errors import UsageError
from portward.model.host import HOST, Snapshot
from portward.model.net import MAX_PORT, Protocol
from portward.model.policy import Policy
from portward.model.unknown import Unknown
from portward.verify.inside import Address

_PUBLIC = ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24", "2001:db8::/32")
"""For documentation (RFC 5737, RFC 3849): nobody on the internet has them."""
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8")
_NAMED = 4
"""At most so many networks of the policy get an address."""
_SPREAD = 37
"""Where in a network to begin: few give out such a number first."""
_TRIES = 512
_BY_THE_CABLE = (
    "The packets were real and came in by {device}, a cable that was made for them and is "
    "gone{why}: rules that ask for another interface by name were not among those proven."
)
_AS_IF_BY = (
    "The packets were real and came in as {entrance} receives them, so that all rules about it "
    "were met; answers left by {device}, a cable that was made for them and is gone."
)
_NOT_ASKED = (
    "What stands before this machine, such as a firewall of its provider, was not asked: "
    "look from another machine for that (--via, --from-outside)."
)
_INSIDE = frozenset({"loopback", "bridge"})
"""Kinds of interfaces that lead to nobody outside: this host, and its containers."""

_Network = IPv4Network | IPv6Network


class Standing(NamedTuple):
    """An address to look from, and for whom it stands."""

    address: str
    stands_for: str
    """Ends "it stands for ...": "everyone", "private networks", "192.0.2.0/24 of the policy"."""


def targets(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the machine's addresses that others can send to; UsageError where it has none."""
    if isinstance(snapshot.interfaces, Unknown):
        raise UsageError(f"the interfaces are not known: {snapshot.interfaces.reason}")
    found = [
        text.partition("/")[0]
        for one in snapshot.interfaces
        if one.up and one.kind not in _INSIDE
        for text in one.addresses
    ]
    seen = [text for text in found if not _is_local(ip_address(text))]
    if not seen:
        raise UsageError(
            "this machine has no address that others could send to", mend="name one with --address"
        )
    return tuple(dict.fromkeys(seen))


def _is_local(address: Address) -> bool:
    return address.is_loopback or address.is_link_local


def ports(case: Case) -> dict[Protocol, tuple[int, ...]]:
    """Return every TCP port, and the UDP ports that something listens on."""
    udp = {
        one.listener.port
        for one in case.exposures
        if one.listener.protocol == Protocol.UDP and one.listener.namespace == HOST
    }
    found = {Protocol.TCP: tuple(range(1, MAX_PORT + 1))}
    return found | ({Protocol.UDP: tuple(sorted(udp))} if udp else {})


def same_family(addresses: Iterable[str], standing: Standing) -> tuple[str, ...]:
    """Return those that can be sent to from an address."""
    return tuple(one for one in addresses if (":" in one) == (":" in standing.address))


def outer(snapshot: Snapshot) -> str:
    """Return the interface that leads outside; empty where there is none, or several do."""
    if isinstance(snapshot.interfaces, Unknown):
        return ""
    found = [one.name for one in snapshot.interfaces if one.up and one.default_route]
    return found[0] if len(found) == 1 else ""


def notes(stands: Iterable[Standing], cable: str, entrance: str, why: str) -> tuple[str, ...]:
    """Say what a look from a place on the same machine proves, and what it does not."""
    whom = "; ".join(f"{one.address} stands for {one.stands_for}" for one in stands)
    return (
        f"{whom}.",
        (
            _BY_THE_CABLE.format(device=cable, why=f" ({why})" if why else "")
            if entrance == cable
            else _AS_IF_BY.format(device=cable, entrance=entrance)
        ),
        _NOT_ASKED,
    )


def standings(snapshot: Snapshot, policy: Policy, addresses: Iterable[str]) -> tuple[Standing, ...]:
    """Choose them, for the versions of IP that the machine's addresses are of."""
    taken = _Taken(snapshot)
    found: dict[str, Standing] = {}
    for version in dict.fromkeys(ip_address(one).version for one in addresses):
        named = [
            text
            for allowance in policy.allowances
            for text in allowance.sources.networks
            if ip_network(text).version == version and ip_network(text).prefixlen
        ]
        wanted = [
            ("everyone", _of(version, _PUBLIC)),
            ("private networks", _of(version, _PRIVATE)),
            *((f"{text} of the policy", [text]) for text in list(dict.fromkeys(named))[:_NAMED]),
        ]
        for words, networks in wanted:
            # The one for everyone must be of no network that the policy treats apart.
            apart = named if words in {"everyone", "private networks"} else []
            address = taken.free(networks, apart)
            if address:
                found.setdefault(address, Standing(address, words))
    return tuple(found.values())


def _of(version: int, networks: Iterable[str]) -> list[str]:
    return [text for text in networks if ip_network(text).version == version]


class _Taken:
    """The addresses that somebody may have."""

    def __init__(self, snapshot: Snapshot) -> None:
        interfaces = () if isinstance(snapshot.interfaces, Unknown) else snapshot.interfaces
        routes = () if isinstance(snapshot.routes, Unknown) else snapshot.routes
        peers = () if isinstance(snapshot.peers, Unknown) else snapshot.peers
        self._networks: list[_Network] = [
            ip_network(text, strict=False) for one in interfaces for text in one.addresses
        ]
        self._networks += [
            ip_network(one.destination, strict=False)
            for one in routes
            if one.destination != "default"
        ]
        self._peers = {ip_address(one.address.partition("%")[0]) for one in peers}

    def free(self, networks: Iterable[str], apart: Iterable[str]) -> str:
        """Return an address of one of the networks; empty where there is none."""
        others = [ip_network(one) for one in apart]
        for text in networks:
            for address in islice(_addresses(ip_network(text)), _TRIES):
                if not any(address in one for one in (*self._networks, *others)) and (
                    address not in self._peers
                ):
                    return str(address)
        return ""


def _addresses(network: _Network) -> Iterator[Address]:
    """Yield addresses of a network that a host may have, spread over a large one."""
    size = network.num_addresses
    step = max(1, size // _TRIES)
    for number in range(_TRIES):
        offset = (_SPREAD + number * step + number) % size
        if size == 1 or 0 < offset < size - 1:
            yield network[offset]
