"""The administrator's way in: whether a new connection would still come through."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface

from msgspec import Struct

from portward.model.host import Interface, Snapshot
from portward.model.net import Family, Protocol
from portward.model.plan import Refusal, WayIn
from portward.model.reaching import Answer, Deciding
from portward.model.unknown import Unknown
from portward.policy.networks import beyond
from portward.reach.question import port as who_reaches
from portward.reach.site import Site
from portward.reach.trace import Question, follow

DEFAULT_PORT = 22


class Way(Struct, frozen=True, kw_only=True):
    """A way in that has to stay open: where somebody comes from, and what he connects to."""

    source: str
    """An address, or a network."""
    destination: str = ""
    """The address that he came to; "" for any of the machine's."""
    port: int = DEFAULT_PORT


def ways_in(ways: tuple[Way, ...], later: Snapshot, site: Site) -> tuple[WayIn, ...]:
    """Follow a new connection on each way through the ruleset as it would be."""
    return tuple(
        _network(way, site) if "/" in way.source else _one(way, later, site) for way in ways
    )


def refusals(found: tuple[WayIn, ...]) -> Iterator[Refusal]:
    """Refuse every way that would not surely stay open, and say what to add."""
    for way in found:
        if way.answer == Answer.YES:
            continue
        shut = "would be shut" if way.answer == Answer.NO else "might be shut"
        by = f": {way.decided_by}" if way.decided_by else ""
        yield Refusal(
            what=f"your own way in, from {way.source} to {way.port}/tcp, {shut}{by}",
            mend=f"add to the policy: [[allow]] {_named(way)}, from = [{_quoted(way.source)}]",
        )


def _named(way: WayIn) -> str:
    return 'service = "ssh"' if way.port == DEFAULT_PORT else f'port = "{way.port}/tcp"'


def _quoted(source: str) -> str:
    return f'"{source}"'


def _one(way: Way, later: Snapshot, site: Site) -> WayIn:
    """Ask about one address, by the interface and to the address that it came by."""
    loopback = ip_address(way.source).is_loopback
    interface = _interface(way.destination, later)
    if loopback or _is_own(way.source, later):
        return _way(way, interface, Answer.YES, ())
    answer = follow(
        site,
        Question(
            Protocol.TCP,
            way.port,
            way.source,
            interface or None,
            way.destination or None,
        ),
    )
    listens = answer.listens is None or bool(answer.listens)
    sure = answer.answer if listens else Answer.NO
    if site.gaps and sure == Answer.YES:
        sure = Answer.PERHAPS
    return _way(way, interface, sure, answer.decided_by)


def _network(way: Way, site: Site) -> WayIn:
    """Ask about a whole network: all of it has to come in by one interface or another."""
    found = who_reaches(site, Protocol.TCP, way.port)
    family = Family.IPV6 if ":" in way.source else Family.IPV4
    sure = [
        network
        for one in found.sources
        if one.answer == Answer.YES and one.family == family and not one.source_ports and not one.to
        for network in one.networks
    ]
    answer = Answer.NO if beyond([way.source], sure) else Answer.YES
    if site.gaps and answer == Answer.YES:
        answer = Answer.PERHAPS
    return _way(way, "", answer, found.decided_by)


def _way(way: Way, interface: str, answer: Answer, decided: tuple[Deciding, ...]) -> WayIn:
    return WayIn(
        source=way.source,
        destination=way.destination,
        port=way.port,
        interface=interface,
        answer=str(answer),
        decided_by=decided[0].words if decided else "",
    )


def _interface(address: str, snapshot: Snapshot) -> str:
    """Name the interface that has an address of the machine."""
    return next(
        (one.name for one in _interfaces(snapshot) if address and address in _addresses(one)), ""
    )


def _is_own(address: str, snapshot: Snapshot) -> bool:
    return any(address in _addresses(one) for one in _interfaces(snapshot))


def _addresses(interface: Interface) -> set[str]:
    return {str(ip_interface(text.partition("%")[0]).ip) for text in interface.addresses}


def _interfaces(snapshot: Snapshot) -> tuple[Interface, ...]:
    return () if isinstance(snapshot.interfaces, Unknown) else snapshot.interfaces
