"""Who can reach a port: by each interface, from which sources, and what decides."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from portward.model.net import MAX_PORT, Family, Protocol, is_loopback, is_wildcard
from portward.model.reaching import Answer, Deciding, Entrance, PortReach
from portward.reach.answer import Machine, fates, is_accepted, networks
from portward.reach.letting_in import LettingIn
from portward.reach.packets import EPHEMERAL
from portward.reach.path import Ending, Journey, Paths
from portward.reach.ruleset import IPV4_BITS, Kind
from portward.reach.site import Site
from portward.reach.walk import Decision
from portward.reach.wording import deciding

_EVERYONE = frozenset({"0.0.0.0/0", "::/0"})


class _Sent(NamedTuple):
    """What became of packets from all sources to one address, from one source port."""

    address: int
    sport: int
    yes: int
    perhaps: int
    journey: Journey


class _Group(NamedTuple):
    """Sources of one answer, for some addresses and source ports."""

    answer: Answer
    bits: int
    addresses: tuple[int, ...]
    """Representatives; empty: it is the same for all."""
    sports: str | None
    sent: tuple[_Sent, ...]


def port(site: Site, protocol: Protocol, number: int) -> PortReach:
    """Say who can reach a port of the machine, as it is seen from outside.

    Where something listens on certain addresses only, packets to these are asked about.
    """
    listens = site.listens(protocol, number)
    found: list[Entrance] = []
    kept_out: list[tuple[Decision, int]] = []
    interfaces: dict[str, None] = {}
    for machine in site.machines.values():
        paths = Paths(machine.ruleset, machine.host, machine.sources)
        addresses = _addresses(machine, listens)
        for device in machine.host.devices:
            interfaces[device] = None
            sent = list(_sent(machine, paths, device, protocol, number, addresses))
            groups = list(_groups(machine, sent))
            found += (_entrance(site, machine, device, number, group) for group in groups)
            kept_out += (
                (one, _size(machine, one.live))
                for each in sent
                for one in each.journey.walk.decisions
                if one.kind != Kind.ACCEPT
            )
    answer = _sum(found, known=site.sees_interfaces)
    deciders = [rule for one in found for rule in one.decided_by]
    if answer == Answer.NO:
        kept_out.sort(key=lambda pair: -pair[1])
        deciders = [deciding(one) for one, _ in kept_out]
    return PortReach(
        protocol=protocol,
        port=number,
        answer=answer,
        sources=tuple(found),
        interfaces=tuple(interfaces),
        decided_by=tuple(dict.fromkeys(deciders)),
        listens=listens,
        gaps=site.gaps,
    )


def _sum(found: Iterable[Entrance], *, known: bool) -> Answer:
    answers = {one.answer for one in found}
    if Answer.YES in answers:
        return Answer.YES
    return Answer.PERHAPS if answers or not known else Answer.NO


def _addresses(machine: Machine, listens: tuple[str, ...] | None) -> list[int]:
    """Return the machine's addresses that the rules tell apart, or those that are bound."""
    if not listens or any(map(is_wildcard, listens)):
        return machine.addresses
    bound = [
        ip_address(text.partition("%")[0].removeprefix("::ffff:"))
        for text in listens
        if not is_loopback(text)
    ]
    return [int(one) for one in bound if one.max_prefixlen == machine.host.bits]


def _sent(
    machine: Machine,
    paths: Paths,
    device: str,
    protocol: Protocol,
    number: int,
    addresses: Iterable[int],
) -> Iterator[_Sent]:
    for address in addresses:
        for sport in dict.fromkeys([_ordinary(machine.sports), *machine.sports]):
            journey = paths.follow(paths.first(device, protocol, address, number, sport))
            reached, denied = fates(journey.endings, is_accepted)
            yield _Sent(address, sport, reached & ~denied, reached & denied, journey)


def _ordinary(sports: list[int]) -> int:
    """Return the representative of the source ports that programs get."""
    return max(sport for sport in sports if sport <= EPHEMERAL)


def _groups(machine: Machine, sent: list[_Sent]) -> Iterator[_Group]:
    """Join what is the same for several addresses; source ports count only where they matter."""
    plain = _ordinary(machine.sports)
    usual: dict[tuple[int, int], list[_Sent]] = {}
    for one in sent:
        if one.sport == plain:
            usual.setdefault((one.yes, one.perhaps), []).append(one)
    for (yes, perhaps), alike in usual.items():
        addresses = () if len(usual) == 1 else tuple(one.address for one in alike)
        here = {one.address for one in alike}
        if yes:
            yield _Group(Answer.YES, yes, addresses, None, tuple(alike))
        if perhaps:
            yield _Group(Answer.PERHAPS, perhaps, addresses, None, tuple(alike))
        special = [one for one in sent if one.address in here and one.sport != plain]
        yield from _by_source_port(machine, special, addresses, (yes, perhaps))


def _by_source_port(
    machine: Machine, sent: list[_Sent], addresses: tuple[int, ...], usual: tuple[int, int]
) -> Iterator[_Group]:
    """Find who gets through from certain source ports, and not from the usual ones."""
    yes, perhaps = usual
    found: dict[tuple[int, int], list[_Sent]] = {}
    for one in sent:
        more, maybe = one.yes & ~yes, one.perhaps & ~(yes | perhaps)
        if more or maybe:
            found.setdefault((more, maybe), []).append(one)
    for (more, maybe), special in found.items():
        ports = _spans(machine.sports, {one.sport for one in special})
        if more:
            yield _Group(Answer.YES, more, addresses, ports, tuple(special))
        if maybe:
            yield _Group(Answer.PERHAPS, maybe, addresses, ports, tuple(special))


def _spans(starts: list[int], chosen: set[int]) -> str:
    """Write the source ports that their representatives stand for."""
    ends = [*(start - 1 for start in starts[1:]), MAX_PORT]
    return spans((start, end) for start, end in zip(starts, ends, strict=True) if start in chosen)


def spans(ranges: Iterable[tuple[int, int]]) -> str:
    """Write ranges of ports, neighbours joined: "22, 6000-6063"."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and joined[-1][1] + 1 >= first:
            joined[-1] = joined[-1][0], max(last, joined[-1][1])
        else:
            joined.append((first, last))
    return ", ".join(f"{first}-{last}" if first != last else str(first) for first, last in joined)


def _entrance(site: Site, machine: Machine, device: str, number: int, group: _Group) -> Entrance:
    prefixes, words = sources(machine, device, group.bits, site.named)
    delivered: dict[str, None] = {}
    doubts: dict[str, None] = {}
    rules: dict[Deciding, None] = {}
    for one in group.sent:
        for ending in one.journey.endings:
            if ending.kind == Kind.ACCEPT and ending.live & group.bits:
                delivered |= dict.fromkeys(destination(ending, machine.family, one.address, number))
        doubts |= dict.fromkeys(
            name for name, live in one.journey.walk.doubts.items() if live & group.bits
        )
        rules |= dict.fromkeys(map(deciding, let_in(machine, one.journey, group.bits)))
    return Entrance(
        interface=device,
        family=machine.family,
        answer=group.answer,
        networks=prefixes,
        words=words,
        source_ports=group.sports,
        to=alike(machine, group.addresses),
        delivered=tuple(delivered),
        doubts=tuple(doubts) if group.answer == Answer.PERHAPS else (),
        decided_by=tuple(rules),
    )


def alike(machine: Machine, representatives: tuple[int, ...]) -> tuple[str, ...]:
    """Return all addresses of the machine that fare as their representatives do."""
    if not representatives:
        return ()
    return tuple(written(address, machine.family) for address in machine.alike(representatives))


def sources(
    machine: Machine, device: str, bits: int, named: dict[str, tuple[str, ...]]
) -> tuple[tuple[str, ...], str]:
    """Write sources as the fewest prefixes, and in words."""
    ranges = machine.sources.ranges
    prefixes = networks(machine.simplest(ranges(bits), device), machine.family)
    if set(prefixes) & _EVERYONE:
        return prefixes, "everyone"
    for name, members in named.items():
        if set(prefixes) == {one for one in members if (":" in one) == (":" in prefixes[0])}:
            return prefixes, f"{name} ({', '.join(prefixes)})"
    left_out = machine.sources.all & ~bits & ~machine.refused(device)
    others = machine.simplest(ranges(left_out), device)
    missing = networks(others, machine.family)
    if 0 < len(missing) < len(prefixes) and not set(missing) & _EVERYONE:
        return prefixes, f"everyone except {', '.join(missing)}"
    return prefixes, ", ".join(prefixes)


def let_in(machine: Machine, journey: Journey, bits: int) -> list[Decision]:
    """Return the rules that let sources in, those for most of them first; else the policies."""
    accepts = [one for one in journey.walk.decisions if one.kind == Kind.ACCEPT and one.live & bits]
    accepts.sort(key=lambda one: -_size(machine, one.live & bits))
    counting = LettingIn(machine.ruleset)
    return counting.those((one.place, one) for one in accepts)


def destination(ending: Ending, family: Family, address: int, number: int) -> Iterator[str]:
    """Yield where packets arrive, unless it is the address and port that they were sent to."""
    if ending.device is None and (ending.address, ending.port) == (address, number):
        return
    text = written(ending.address, family)
    host = f"[{text}]" if family == Family.IPV6 else text
    by = f" by {ending.device}" if ending.device else ""
    yield f"{host}:{ending.port}{by}"


def written(address: int, family: Family) -> str:
    """Write an address."""
    return networks([(address, address)], family)[0].partition("/")[0]


def _size(machine: Machine, bits: int) -> int:
    """Count addresses, IPv6 scaled to IPv4 so that the families compare."""
    total = sum(last - first + 1 for first, last in machine.sources.ranges(bits))
    return total >> (machine.host.bits - IPV4_BITS)
