"""Answers: who can reach a port, by which interface, and what decides."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct

from portward.model.net import MAX_PORT, Family, Protocol, is_wildcard
from portward.reach.alike import alike_devices
from portward.reach.cuts import (
    asked_by_field,
    asked_values,
    cuts,
    least_named,
    of_answers,
    ranges_of,
    representatives,
    target_ports,
    translating,
)
from portward.reach.host import UNICAST, Host, number
from portward.reach.indexed import IndexedPaths
from portward.reach.mentions import Mention, mentions, told_apart
from portward.reach.packets import EPHEMERAL, NUMBERS
from portward.reach.path import Ending, Journey, Paths, before_routing, follow
from portward.reach.ruleset import IPV4_BITS, Kind, Range, Ruleset
from portward.reach.sources import Sources
from portward.reach.walk import Decision

_LINK_LOCAL = 0xFE80 << 112, (0xFEC0 << 112) - 1
"""fe80::/10 (RFC 4291)."""


_SOURCE = ("saddr", "original saddr")
_DESTINATION = ("daddr", "original daddr")
_ANSWERING = frozenset({"output", "postrouting"})
_SPORT = ("sport", "original sport")


class Door(Struct, frozen=True, kw_only=True):
    """Who comes through by one interface, in one address family."""

    device: str
    family: Family
    yes: tuple[Range, ...]
    perhaps: tuple[Range, ...]
    doubts: tuple[str, ...]
    """What could not be decided for those who "perhaps" come through."""
    decided_by: tuple[Decision, ...]
    """The rules and policies that let somebody through; where nobody is, what kept them out.

    Each once, with those it decided about; the one with the most of them first.
    """


class _Apart(NamedTuple):
    """What rules tell apart of the packets of one protocol."""

    addresses: list[Mention]
    sports: list[Mention]
    translated_addresses: list[int]
    """Own addresses that stand for all others where only translation counts."""
    translated_sports: list[int]
    """Source ports of that kind."""
    starts: list[int]
    """Where the ranges of ports begin that translation tells apart; empty if there is none."""
    ports: list[int]
    """One of each kind of these ranges."""


class _Asked(NamedTuple):
    """The ports from low to high, which fare alike, and what became of a packet to one of them."""

    low: int
    high: int
    port: int
    journey: Journey


class Machine:
    """One family of a machine with its ruleset, ready to be asked many questions."""

    def __init__(self, ruleset: Ruleset, host: Host, edges: Iterable[Range] = ()) -> None:
        """Find what the ruleset tells apart; sources are cut at some more edges."""
        self.ruleset = ruleset
        self.host = host
        self.asked = asked_by_field(ruleset)
        told = {field: ranges_of(values) for field, values in self.asked.items()}
        nothing: set[Range] = set()
        self.edges = {*host.cuts(), *_special(host)}
        self.edges = self.edges.union(*(told.get(one, nothing) for one in _SOURCE))
        sports = told.get("sport", nothing) | told.get("original sport", nothing)
        self._of_answers: dict[str, set[Range]] = {}
        if _may_stop_answers(ruleset, host):
            # What is the source of a packet is the destination of its answer.
            answering = of_answers(ruleset, _ANSWERING)
            self._of_answers = {
                field: ranges_of(asked_values(answering, field))
                for field in ("saddr", "daddr", "dport")
            }
            self.edges |= self._of_answers["daddr"]
            sports |= self._of_answers["dport"]
        self.sources = Sources(host.bits, self.edges.union(edges))
        self._destinations = {
            span for field in _DESTINATION for span in told.get(field, nothing)
        } | self._of_answers.get("saddr", nothing)
        self.addresses = self._one_each_address(self._destinations)
        self.sports = representatives(sports, MAX_PORT) if sports else [EPHEMERAL]
        self._translating = translating(ruleset)
        self._targets = target_ports(ruleset)
        # A port that packets are translated to stands alone.
        self._breaks = sorted({0, *(edge for low, _ in self._targets for edge in (low, low + 1))})
        self._apart: dict[Protocol, _Apart] = {}
        self._martians: dict[str, int] = {}
        self._made: dict[tuple[str, Protocol, int, int], list[_Asked]] = {}
        self.paths = IndexedPaths(ruleset, host, self.sources)

    @cached_property
    def _alike(self) -> dict[str, str]:
        """For each device one by which packets fare alike."""
        groups = alike_devices(self.paths, self.asked)
        return {device: group[0] for group in groups for device in group}

    @property
    def last(self) -> int:
        """The highest address of the family."""
        return (1 << self.host.bits) - 1

    @property
    def family(self) -> Family:
        """The family that all addresses here have."""
        return Family.IPV4 if self.host.bits == IPV4_BITS else Family.IPV6

    @property
    def is_routed(self) -> bool:
        """Some address of the machine has a meaning beyond its link (RFC 3927, RFC 4291)."""
        first, last = (0xA9FE0000, 0xA9FEFFFF) if self.host.bits == IPV4_BITS else _LINK_LOCAL
        return any(
            not (first <= address <= last or _is_loopback(address, self.host))
            for address in self.host.own
        )

    @property
    def unnamed(self) -> int:
        """A port that as few rules name as any; all that no rule names fare alike."""
        return least_named(cuts(self.ruleset, "dport"), MAX_PORT)

    def alike(self, some: Iterable[int]) -> list[int]:
        """Return all addresses of the machine that no rule tells from some of them."""
        chosen = {*some}
        return [
            address
            for group in self._kinds(self._destinations)
            if chosen & {*group}
            for address in group
        ]

    def source_ports(self, protocol: Protocol) -> set[Range]:
        """Return the ranges of source ports that rules about a protocol tell apart."""
        asked = {span for one in self._told_apart(protocol).sports for span in one.values}
        return asked | self._of_answers.get("dport", set())

    def door(self, device: str, protocol: Protocol, port: int, address: str) -> Door:
        """Say who can reach a port that listens on an address by one interface."""
        bound = None if is_wildcard(address) else number(address)
        return self._open(
            device,
            (
                journey
                for sent_to in dict.fromkeys([port, *self._told_apart(protocol).ports])
                for journey in self._journeys(device, protocol, sent_to, bound)
            ),
            lambda ending: _delivers(ending, port, bound),
        )

    def published(self, device: str, protocol: Protocol, port: int) -> Door:
        """Say who gets through to a port that a program holds and rules may pass on."""
        journeys = self._journeys(device, protocol, port, None)
        return self._open(device, journeys, is_accepted)

    def forwarded(self, device: str, protocol: Protocol, port: int) -> Door:
        """Say who gets through to what rules alone pass a port of this machine on to."""
        return self._open(device, self._journeys(device, protocol, port, None), _is_forwarded)

    def translations(self, device: str, protocol: Protocol) -> Iterator[tuple[Range, int | None]]:
        """Yield the ports that are passed on to another machine, or to a container.

        With the address that they are passed on for: None where it is any of this machine's. To
        be passed on is not yet to get through: that is for forwarded() to say.
        """
        if self.host.forwards is False:
            return
        apart = self._told_apart(protocol)
        for first, following in pairwise([*apart.starts, MAX_PORT + 1]):
            passed_on = [
                address
                for address in apart.translated_addresses
                if any(
                    self._passes_on(device, protocol, address, first, sport)
                    for sport in apart.translated_sports
                )
            ]
            if passed_on:
                everywhere = len(passed_on) == len(apart.translated_addresses)
                yield (first, following - 1), None if everywhere else passed_on[0]

    def _passes_on(
        self, device: str, protocol: Protocol, address: int, port: int, sport: int
    ) -> bool:
        """Say whether a packet to an own address is sent on to another's."""
        first = self.paths.first(device, protocol, address, port, sport)
        found = before_routing(self.paths, self.paths.walk(), first)
        return any(
            isinstance(to := one.fields["daddr"], int) and self.paths.kind(to) == UNICAST
            for one in found
        )

    def _open(
        self, device: str, journeys: Iterable[Journey], reaches: Callable[[Ending], bool]
    ) -> Door:
        """Join what several packets by one interface tell."""
        opening = _Opening(self, device)
        for journey in journeys:
            opening.add(journey, *fates(journey.endings, reaches))
        return opening.door()

    def is_everyone(self, ranges: Iterable[Range], device: str) -> bool:
        """Say whether sources are all that routing lets in by an interface."""
        return self.sources.union(list(ranges)) | self.refused(device) == self.sources.all

    def simplest(self, ranges: Iterable[Range], device: str) -> tuple[Range, ...]:
        """Write sources that come by an interface as ranges that take the fewest prefixes.

        What the routing decision refuses anyway (the machine's own addresses, 127.0.0.0/8) may
        stand in a range or not: "everyone" has it, "10.0.0.0/8" does not break for it.
        """
        bits = self.sources.union(list(ranges))
        found: list[Range] = []
        for wide in self.sources.ranges(bits | self.refused(device)):
            inside = self.sources.ranges(bits & self.sources.bits(*wide))
            if inside:
                found.append(min((inside[0][0], inside[-1][1]), wide, key=_prefixes))
        return tuple(found)

    def refused(self, device: str) -> int:
        """Return the sources that no packet by this interface may have, whatever the rules."""
        if device not in self._martians:
            paths = Paths(Ruleset(), self.host, self.sources)
            plain = paths.first(device, Protocol.TCP, self.addresses[0], 1)
            endings = paths.follow(plain).endings
            self._martians[device] = 0
            for ending in endings:
                if ending.kind != Kind.ACCEPT:
                    self._martians[device] |= ending.live
        return self._martians[device]

    def _journeys(
        self, device: str, protocol: Protocol, port: int, bound: int | None
    ) -> Iterator[Journey]:
        """Send packets to a port on every address, from every source port, that fare apart."""
        apart = self._told_apart(protocol)
        # A translation may give a packet another port, which rules may ask for then.
        ports = [port, *(low for low, _ in self._targets)]
        if bound is None or self._translating.tables:
            asked = told_apart(apart.addresses, ports) | self._of_answers.get("saddr", set())
            addresses = self._one_each_address(asked)
        else:
            addresses = []  # what is sent to another address ends there
        if bound is not None and bound not in addresses:
            addresses.append(bound)
        asked = told_apart(apart.sports, ports) | self._of_answers.get("dport", set())
        sports = _one_each(self.sports, asked)
        for address in addresses:
            for sport in sports:
                yield self._journey(device, protocol, address, port, sport)

    def _journey(
        self, device: str, protocol: Protocol, address: int, port: int, sport: int
    ) -> Journey:
        device = self._alike.get(device, device)
        asked = self._made.setdefault((device, protocol, address, sport), [])
        known = next((one for one in asked if one.low <= port <= one.high), None)
        if known is None:
            known = self._ask(device, protocol, address, port, sport)
            asked.append(known)
        return _sent_to(port, known)

    def _ask(self, device: str, protocol: Protocol, address: int, port: int, sport: int) -> _Asked:
        walk = self.paths.walk()
        first = self.paths.first(device, protocol, address, port, sport)
        journey = Journey(walk, follow(self.paths, walk, first))
        at = bisect_right(self._breaks, port)
        before = self._breaks[at] - 1 if at < len(self._breaks) else MAX_PORT
        low, high = walk.span
        return _Asked(max(low, self._breaks[at - 1]), min(high, before), port, journey)

    def _told_apart(self, protocol: Protocol) -> _Apart:
        """Return one of all ports that the rules about a protocol tell apart."""
        if protocol not in self._apart:
            number = NUMBERS[protocol]
            starts: list[int] = []
            cut = {(1, MAX_PORT)}
            if self._translating.tables:
                cut |= _values(self._translating, ("dport",), number) | self._targets
                starts = representatives(cut, MAX_PORT)[1:]  # there is no port 0
            self._apart[protocol] = _Apart(
                addresses=self._mentions(_DESTINATION, number),
                sports=self._mentions(_SPORT, number),
                translated_addresses=self._one_each_address(
                    _values(self._translating, _DESTINATION, number)
                ),
                translated_sports=_one_each(
                    self.sports, _values(self._translating, _SPORT, number)
                ),
                starts=starts,
                ports=_one_each(starts, cut),
            )
        return self._apart[protocol]

    def _mentions(self, fields: tuple[str, ...], protocol: int) -> list[Mention]:
        named = [field for field in fields if field in self.asked]
        return mentions(self.ruleset, named, protocol) if named else []

    def _one_each_address(self, told_apart: Iterable[Range]) -> list[int]:
        """Return one of all own addresses that no rule tells apart."""
        return [group[0] for group in self._kinds(told_apart)]

    def _kinds(self, told_apart: Iterable[Range]) -> list[list[int]]:
        """Group the own addresses that no rule tells apart.

        A lookup of an address by one interface tells those of different interfaces apart.
        """
        own = self.host.own
        by_device = any(field.startswith("fib daddr . ") for field in self.asked)
        spans = sorted(told_apart)
        groups: dict[object, list[int]] = {}
        for address, device in own.items():
            if not _is_loopback(address, self.host):
                key = (device if by_device else "", _kind(address, spans))
                groups.setdefault(key, []).append(address)
        return list(groups.values())


def _values(ruleset: Ruleset, fields: tuple[str, ...], protocol: int) -> set[Range]:
    """Return the values of some fields that rules about a protocol ask for."""
    found = mentions(ruleset, fields, protocol)
    return {span for one in found for span in one.values}


def _sent_to(port: int, asked: _Asked) -> Journey:
    """Return what becomes of a packet to one of the ports that fare alike."""
    if port == asked.port:
        return asked.journey
    endings = [
        one._replace(port=port) if one.port == asked.port else one for one in asked.journey.endings
    ]
    return Journey(asked.journey.walk, endings)


_Decisions = dict[tuple[object, ...], Decision]
"""By place and verdict."""


def fates(endings: Iterable[Ending], reaches: Callable[[Ending], bool]) -> tuple[int, int]:
    """Return the sources that a packet's endings let reach something, and that they deny it."""
    reached = denied = 0
    for ending in endings:
        if reaches(ending):
            reached |= ending.live
        elif ending.kind == Kind.ACCEPT and ending.port is None:
            reached |= ending.live  # some port of a range, perhaps this one
            denied |= ending.live
        else:
            denied |= ending.live
    return reached, denied


def is_accepted(ending: Ending) -> bool:
    """Say whether a packet gets through, wherever it goes."""
    return ending.kind == Kind.ACCEPT


class _Opening:
    """Adds up what several packets by one interface tell."""

    def __init__(self, machine: Machine, device: str) -> None:
        self._machine = machine
        self._device = device
        self._yes = self._perhaps = 0
        self._let_in: _Decisions = {}
        self._kept_out: _Decisions = {}
        self._doubts: dict[str, int] = {}

    def add(self, journey: Journey, reached: int, denied: int) -> None:
        """Add one packet: a source that may be reached and denied "perhaps" gets through."""
        self._yes |= reached & ~denied
        self._perhaps |= reached & denied
        for decision in journey.walk.decisions:
            if decision.kind == Kind.ACCEPT:
                _join(self._let_in, decision, decision.live & reached)
            else:
                _join(self._kept_out, decision, decision.live)
        for name, live in journey.walk.doubts.items():
            self._doubts[name] = self._doubts.get(name, 0) | live

    def door(self) -> Door:
        """Return the sum."""
        perhaps = self._perhaps & ~self._yes
        ranges = self._machine.sources.ranges
        return Door(
            device=self._device,
            family=self._machine.family,
            yes=tuple(ranges(self._yes)),
            perhaps=tuple(ranges(perhaps)),
            doubts=tuple(name for name, live in self._doubts.items() if live & perhaps),
            decided_by=tuple(
                sorted((self._let_in or self._kept_out).values(), key=self._size, reverse=True)
            ),
        )

    def _size(self, decision: Decision) -> int:
        """Return about how many addresses a rule decided."""
        return sum(last - first + 1 for first, last in self._machine.sources.ranges(decision.live))


def _join(found: _Decisions, decision: Decision, live: int) -> None:
    """Note that a rule decided about some more sources, if there are any."""
    place = decision.place
    key = *place[:3], id(place.rule), decision.kind
    if live and key in found:
        found[key] = Decision(place, decision.kind, live | found[key].live)
    elif live:
        found[key] = Decision(place, decision.kind, live)


def _prefixes(span: Range) -> int:
    """Count the prefixes that a range takes."""
    first, last = span
    count = 0
    while first <= last:
        aligned = first & -first or 1 << last.bit_length()
        size = min(aligned, 1 << ((last - first + 1).bit_length() - 1))
        first += size
        count += 1
    return count


def networks(ranges: Iterable[Range], family: Family) -> tuple[str, ...]:
    """Write ranges as the fewest prefixes."""
    return tuple(text for span in ranges for text in _written(span, family))


@lru_cache(4096)
def _written(span: Range, family: Family) -> tuple[str, ...]:
    """Write a range as prefixes: up to 254 of them, and the same for many ports."""
    kind = IPv4Address if family == Family.IPV4 else IPv6Address
    first, last = span
    return tuple(map(str, summarize_address_range(kind(first), kind(last))))


def _delivers(ending: Ending, port: int, bound: int | None) -> bool:
    here = ending.kind == Kind.ACCEPT and ending.hook == "input" and ending.port == port
    return here and (bound is None or ending.address == bound)


def _is_forwarded(ending: Ending) -> bool:
    return ending.kind == Kind.ACCEPT and ending.hook == "forward"


def _one_each(values: list[int], told_apart: Iterable[Range]) -> list[int]:
    """Keep one of all addresses or ports that no rule tells apart."""
    spans = sorted(told_apart)
    kept: dict[tuple[bool, ...], int] = {}
    for value in values:
        kept.setdefault(_kind(value, spans), value)
    return list(kept.values())


def _kind(value: int, spans: list[Range]) -> tuple[bool, ...]:
    """Say in which ranges a value lies; rules tell apart those that differ in it."""
    return tuple(low <= value <= high for low, high in spans)


def _special(host: Host) -> set[Range]:
    """Return the ranges that the routing decision refuses as sources."""
    if host.bits == IPV4_BITS:
        return {(0, 0), (127 << 24, (128 << 24) - 1), (224 << 24, (240 << 24) - 1)} | {
            (0xFFFFFFFF, 0xFFFFFFFF)
        }
    return {(1, 1), (0xFF << 120, (1 << 128) - 1)}


def _may_stop_answers(ruleset: Ruleset, host: Host) -> bool:
    """Say whether some answers of this machine may not leave."""
    replies = IndexedPaths(ruleset, host, Sources.of_points([0])).replies
    return not all(replies.is_free("", device) for device in host.devices)


def _is_loopback(address: int, host: Host) -> bool:
    return address >> 24 == 127 if host.bits == IPV4_BITS else address == 1  # noqa: PLR2004
