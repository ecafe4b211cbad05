"""What a policy opens, as ranges of ports that do not overlap: what a map of verdicts needs."""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from portward.backends.addresses import Addresses, addresses
from portward.model.net import Ports, Protocol
from portward.model.policy import Allowance, Outgoing, Sources
from portward.model.service import Audience
from portward.policy.networks import PRIVATE_NETWORKS
from portward.policy.resolve import EVERY_ROLE
from portward.policy.verdict import expired

WITH_PORTS = (Protocol.TCP, Protocol.UDP, Protocol.DCCP, Protocol.SCTP, Protocol.UDPLITE)
_OWN_RULES = frozenset({0, 1, 2, 6, 17, 33, 58, 132, 136, 255})
"""IP protocols that an allowance for raw sockets opens nothing of: ICMP, ICMPv6 and IGMP have rules
of their own, those with ports are opened port by port, and 0 and 255 are no protocols."""

CLIENTS = frozenset({"dhcp-client", "dhcpv6-client"})
"""Housekeeping of every machine that has rules of its own, narrower than a port: only answers come
in. What else every role has is for this host alone, or no port."""


class Group:
    """Networks that are meant together; compared by identity, as they may be very many."""

    def __init__(self, label: str, networks: tuple[str, ...]) -> None:
        """Take the policy's own word for them, and the prefixes."""
        self.label = label
        self._networks = networks
        self._addresses: Addresses | None = None

    @property
    def addresses(self) -> Addresses:
        """All of them, in both families."""
        if self._addresses is None:
            self._addresses = addresses(self._networks)
        return self._addresses


class Opening(NamedTuple):
    """A range of ports (or one IP protocol, for "raw"), and who may reach it."""

    protocol: Protocol
    first: int
    last: int
    anyone: bool
    groups: tuple[Group, ...]
    """Where not anyone may."""
    origins: tuple[str, ...]
    """The lines of the policy, or the roles, that say so."""


class _Allowed(NamedTuple):
    """One range of one allowance."""

    ports: Ports
    group: Group | None
    """None: anyone."""
    origin: str


def openings(allowances: Iterable[Allowance], day: date, groups: "Groups") -> tuple[Opening, ...]:
    """Return what is open to others than this host on a day."""
    return tuple(
        _openings(
            _Allowed(ports, groups.of(one.sources), one.origin)
            for one in allowances
            if not expired(one, day) and is_for_others(one)
            for ports in one.ports
        )
    )


def outgoings(allowed: Iterable[Outgoing], groups: "Groups") -> tuple[Opening, ...]:
    """Return what may be sent, and where to."""
    return tuple(
        _openings(
            _Allowed(ports, groups.of(one.to), one.origin) for one in allowed for ports in one.ports
        )
    )


def is_for_others(allowance: Allowance) -> bool:
    """Say whether an allowance means more than this host, and is not narrower than its port."""
    return allowance.sources.audience in {Audience.PRIVATE, Audience.ANYONE} and not (
        allowance.origin == EVERY_ROLE and allowance.service in CLIENTS
    )


class Groups:
    """Every group of networks of a policy once, whatever it is called."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: dict[tuple[str, ...], Group] = {}
        self._known: dict[int, Group] = {}

    def of(self, sources: Sources) -> Group | None:
        """Return the networks that are meant; None: anyone."""
        networks = sources.networks
        if not networks:
            if sources.audience == Audience.ANYONE:
                return None
            networks = PRIVATE_NETWORKS
        # By its identity first: to hash a hundred thousand names takes a millisecond.
        group = self._known.get(id(networks))
        if group is None:
            group = self._found.setdefault(networks, Group(sources.label, networks))
            self._known[id(networks)] = group
        return group


def _openings(allowed: Iterable[_Allowed]) -> Iterator[Opening]:
    found: dict[Protocol, list[_Allowed]] = {}
    for one in allowed:
        if _is_filtered(one.ports):
            found.setdefault(one.ports.protocol, []).append(one)
    for protocol in (*WITH_PORTS, Protocol.RAW):
        yield from _disjoint(protocol, found.get(protocol, []))


def _is_filtered(ports: Ports) -> bool:
    """Say whether it is something that a rule can open: ports, or one IP protocol.

    The raw and packet sockets of a role that captures are neither: they see what comes anyway.
    """
    if ports.protocol == Protocol.RAW:
        return ports.first == ports.last and ports.first not in _OWN_RULES
    return ports.protocol in WITH_PORTS


def _disjoint(protocol: Protocol, allowed: list[_Allowed]) -> Iterator[Opening]:
    """Cut overlapping ranges where one begins or ends."""
    edges = sorted({edge for one in allowed for edge in (one.ports.first, one.ports.last + 1)})
    starting: dict[int, list[_Allowed]] = {}
    for one in allowed:
        starting.setdefault(one.ports.first, []).append(one)
    running: list[_Allowed] = []
    last: Opening | None = None
    for first, after in pairwise(edges):
        running = [one for one in running if one.ports.last >= first] + starting.get(first, [])
        found = _opening(protocol, first, after - 1, running) if running else None
        if last and found and last.last + 1 == first and last[3:] == found[3:]:
            found = found._replace(first=last.first)  # alike, and one after the other
        elif last:
            yield last
        last = found
    if last:
        yield last


def _opening(protocol: Protocol, first: int, last: int, allowed: list[_Allowed]) -> Opening:
    groups = dict.fromkeys(one.group for one in allowed)
    return Opening(
        protocol,
        first,
        last,
        anyone=None in groups,
        groups=() if None in groups else tuple(one for one in groups if one),
        origins=tuple(dict.fromkeys(one.origin for one in allowed)),
    )
