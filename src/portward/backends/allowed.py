"""Which ports a policy opens to whom, as disjoint ranges: what a map of verdicts needs."""

from collections.abc import Iterable, Iterator
from datetime import date
from ipaddress import collapse_addresses, ip_network
from itertools import pairwise
from typing import NamedTuple

from portward.model.net import Ports, Protocol
from portward.model.policy import Allowance, Policy, Sources
from portward.model.service import Audience
from portward.policy.networks import PRIVATE_NETWORKS
from portward.policy.resolve import EVERY_ROLE

_TRANSPORTS = (Protocol.TCP, Protocol.UDP, Protocol.SCTP, Protocol.DCCP, Protocol.UDPLITE)
_ICMP = frozenset({1, 58})
"""IP protocols that the firewall has rules of its own for."""


class From(NamedTuple):
    """Who may come: networks under a name; none of them: anyone."""

    label: str
    networks: tuple[str, ...]


class Opening(NamedTuple):
    """A range of ports (or one IP protocol, for "raw"), and who may reach it."""

    protocol: Protocol
    first: int
    last: int
    sources: tuple[From, ...]
    origins: tuple[str, ...]
    """The lines of the policy, or the roles, that say so."""


def openings(policy: Policy, day: date) -> tuple[Opening, ...]:
    """Return what is open to others than this host, in ranges that do not overlap."""
    allowed = [
        (ports, _from(one.sources), one.origin)
        for one in policy.allowances
        if _is_for_others(one, day)
        for ports in one.ports
        if _is_filtered(ports)
    ]
    return tuple(
        opening
        for protocol in (*_TRANSPORTS, Protocol.RAW)
        for opening in _disjoint(protocol, [one for one in allowed if one[0].protocol == protocol])
    )


def _is_for_others(allowance: Allowance, day: date) -> bool:
    """Say whether an allowance is in force and means more than this host itself.

    What every machine has for its own housekeeping is let in by rules of its own.
    """
    return (
        (allowance.until is None or day <= allowance.until)
        and allowance.origin != EVERY_ROLE
        and allowance.sources.audience not in {Audience.NOBODY, Audience.HOST}
    )


def _is_filtered(ports: Ports) -> bool:
    """Say whether it is something that a rule can open: a port, or one IP protocol."""
    if ports.protocol == Protocol.RAW:
        return ports.first == ports.last and ports.first not in _ICMP
    return ports.protocol in _TRANSPORTS


def _from(sources: Sources) -> From:
    networks = sources.networks
    if not networks and sources.audience == Audience.PRIVATE:
        networks = PRIVATE_NETWORKS
    return From(sources.label, joined(networks))


def joined(networks: Iterable[str]) -> tuple[str, ...]:
    """Return the same addresses in as few prefixes as there can be, as the kernel keeps them."""
    found = [ip_network(text) for text in networks]
    four = collapse_addresses(one for one in found if one.version == 4)  # noqa: PLR2004 - IPv4
    six = collapse_addresses(one for one in found if one.version == 6)  # noqa: PLR2004 - IPv6
    return (*map(str, four), *map(str, six))


def _disjoint(protocol: Protocol, allowed: list[tuple[Ports, From, str]]) -> Iterator[Opening]:
    """Cut overlapping ranges where one begins or ends; neighbours that are alike stay one."""
    edges = sorted({edge for ports, _, _ in allowed for edge in (ports.first, ports.last + 1)})
    starting: dict[int, list[tuple[Ports, From, str]]] = {}
    for one in allowed:
        starting.setdefault(one[0].first, []).append(one)
    running: list[tuple[Ports, From, str]] = []
    last: Opening | None = None
    for first, after in pairwise(edges):
        running = [one for one in running if one[0].last >= first] + starting.get(first, [])
        sources = tuple(dict.fromkeys(source for _, source, _ in running))
        anyone = [source for source in sources if not source.networks]
        found = Opening(
            protocol,
            first,
            after - 1,
            tuple(anyone[:1]) or sources,
            tuple(dict.fromkeys(origin for _, _, origin in running)),
        )
        if last and last.last + 1 == first and last[3:] == found[3:]:
            last = last._replace(last=found.last)
            continue
        if last and last.sources:
            yield last
        last = found
    if last and last.sources:
        yield last
