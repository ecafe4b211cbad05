"""Who gets through to which of all 65,536 ports, and by which rules: the answers behind a matrix.

Ports that fare alike are asked once, and so are devices and addresses that no rule tells apart.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from msgspec import Struct

from portward.model.net import Family, Protocol
from portward.model.reaching import Answer
from portward.reach import answer
from portward.reach.alike import alike_devices
from portward.reach.answer import Machine
from portward.reach.effects import Effect, Share
from portward.reach.ruleset import Kind, Place, Range
from portward.reach.sources import Sources
from portward.reach.sweep import PROTOCOLS, SourcePorts, Sweep, Swept, overlay
from portward.reach.walk import Decision

Numbered = tuple[tuple[int, int], ...]
"""Places by their numbers, each with the sources that it decided about."""


class End(Struct, frozen=True):
    """Where packets end that get through."""

    address: int
    port: int | None
    """None: the port that they were sent to."""
    device: str | None
    """The interface by which they are passed on; None: this machine."""


class Fate(Struct, frozen=True):
    """Some sources that get through to some ports, or perhaps do."""

    answer: Answer
    source_ports: str | None
    """Those who get through from certain source ports only; None: from those that programs get."""
    sources: int
    """As bits of the machine's sources."""
    ends: tuple[End, ...]
    doubts: tuple[tuple[str, int], ...]
    """What could not be decided, for "perhaps", and about which sources."""
    decided_by: Numbered
    """The rules and policies that let them in."""


class Area(Struct, frozen=True):
    """Ports that fare alike for packets to one address by some devices."""

    devices: tuple[str, ...]
    address: int
    """One of those of the machine that no rule tells apart."""
    protocol: Protocol
    ports: tuple[Range, ...]
    fates: tuple[Fate, ...]
    """Whoever is in none does not get through."""


class Areas(Struct, frozen=True):
    """All that can be reached on one address family of a machine."""

    family: Family
    sources: Sources
    areas: tuple[Area, ...]
    places: tuple[Place, ...]

    def classes(self) -> list[int]:
        """Return the sets of sources that no port tells apart, the one with address 0 first."""
        return partition((fate.sources for area in self.areas for fate in area.fates), self.sources)


def areas(machine: Machine) -> Areas:
    """Ask for all ports, from all sources, by all devices."""
    making = _Making(machine)
    found = [
        area
        for devices in alike_devices(machine.paths, machine.asked)
        for address in machine.addresses
        for protocol in PROTOCOLS
        for area in making.areas(devices, address, protocol)
    ]
    return Areas(
        family=machine.family,
        sources=machine.sources,
        areas=tuple(found),
        places=tuple(making.told.places),
    )


def partition(sets: Iterable[int], sources: Sources) -> list[int]:
    """Cut all sources into the fewest sets that each given set is a union of."""
    flips: dict[int, int] = {0: 0}
    for number, bits in enumerate(dict.fromkeys(sets)):
        edges = bits ^ (bits << 1)
        for edge in numbers(edges):
            flips[edge] = flips.get(edge, 0) ^ 1 << number
    flips.pop(sources.all.bit_length(), None)
    found: dict[int, list[tuple[int, int]]] = {}
    starts = sorted(flips)
    inside = 0
    for start, end in zip(starts, [*starts[1:], sources.all.bit_length()], strict=True):
        inside ^= flips[start]
        found.setdefault(inside, []).append((start, end - 1))
    return [_union(spans, sources) for spans in found.values()]


def _union(spans: list[tuple[int, int]], sources: Sources) -> int:
    starts = sources.starts
    return sources.union([(starts[first], starts[last]) for first, last in spans])


def numbers(bits: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, ascending."""
    text = bin(bits)[:1:-1]
    at = text.find("1")
    while at >= 0:
        yield at
        at = text.find("1", at + 1)


class _Making:
    """What the areas of one machine have in common."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.sweep = Sweep(machine)
        self.told = _Told()
        self.sports = {
            protocol: SourcePorts(machine.source_ports(protocol)) for protocol in PROTOCOLS
        }

    def areas(self, devices: tuple[str, ...], address: int, protocol: Protocol) -> Iterator[Area]:
        """Yield the ports that fare alike together, the lowest port first."""
        ports: dict[tuple[Fate, ...], list[Range]] = {}
        sports = self.sports[protocol]
        swept = (self.sweep.ports(devices[0], address, protocol, sport) for sport in sports.all)
        for (first, last), journeys in overlay(swept):
            spans = ports.setdefault(tuple(self._fates(sports, journeys)), [])
            if spans and spans[-1][1] == first - 1:
                spans[-1] = (spans[-1][0], last)
            else:
                spans.append((first, last))
        for fates, spans in ports.items():
            yield Area(devices, address, protocol, tuple(spans), fates)

    def _fates(self, sports: SourcePorts, journeys: list[Swept]) -> Iterator[Fate]:
        """Yield who gets through from the ports that programs get, then who else from others."""
        usual, *others = journeys
        yes, perhaps = _weighed(usual)
        yield from self._of(Answer.YES, yes, None, [usual])
        yield from self._of(Answer.PERHAPS, perhaps, None, [usual])
        special: dict[tuple[int, int], list[tuple[int, Swept]]] = {}
        for sport, journey in zip(sports.all[1:], others, strict=True):
            certain, maybe = _weighed(journey)
            more = certain & ~yes, maybe & ~(yes | perhaps)
            if any(more):
                special.setdefault(more, []).append((sport, journey))
        for (certain, maybe), alike in special.items():
            words = sports.words(sport for sport, _ in alike)
            who = [journey for _, journey in alike]
            yield from self._of(Answer.YES, certain, words, who)
            yield from self._of(Answer.PERHAPS, maybe, words, who)

    def _of(
        self, told: Answer, bits: int, sports: str | None, journeys: list[Swept]
    ) -> Iterator[Fate]:
        """Divide sources of one answer by where their packets end."""
        if not bits:
            return
        ends: dict[End, int] = {}
        doubts: dict[str, int] = {}
        for journey in journeys:
            for ending in journey.endings:
                if ending.kind == Kind.ACCEPT:
                    # A port that no translation changed stands for all that fare alike.
                    port = None if ending.port == journey.port else ending.port
                    end = End(ending.address, port, ending.device)
                    ends[end] = ends.get(end, 0) | ending.live
            if told == Answer.PERHAPS:
                for name, live in journey.walk.doubts.items():
                    doubts[name] = doubts.get(name, 0) | live
        for where, part in _by_end(ends, bits):
            yield Fate(
                told,
                sports,
                part,
                where,
                tuple((name, live & part) for name, live in doubts.items() if live & part),
                self.told.by(chain.from_iterable(one.walk.shares for one in journeys), part),
            )


def _weighed(journey: Swept) -> tuple[int, int]:
    """Return the sources that get through for certain, and those that perhaps do."""
    reached, denied = answer.fates(journey.endings, answer.is_accepted)
    return reached & ~denied, reached & denied


def _by_end(ends: dict[End, int], bits: int) -> list[tuple[tuple[End, ...], int]]:
    """Divide sources by where their packets may end."""
    parts: list[tuple[tuple[End, ...], int]] = [((), bits)]
    for end, live in ends.items():
        split = []
        for where, part in parts:
            if part & live:
                split.append(((*where, end), part & live))
            if part & ~live:
                split.append((where, part & ~live))
        parts = split
    return parts


class _Told:
    """Numbers the places that let sources in, and tells them for an effect just once."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._numbers: dict[tuple[str, str, str, int], int] = {}
        self._told: dict[tuple[int, int], tuple[Effect, Numbered]] = {}

    def by(self, shares: Iterable[Decision | Share], bits: int) -> Numbered:
        """Return the places that accepted some sources, in order, each once."""
        found: dict[int, int] = {}
        for one in shares:
            left = bits & one.live
            if not left:
                continue
            if isinstance(one, Decision):
                if one.kind == Kind.ACCEPT:
                    number = self._number(one.place)
                    found[number] = found.get(number, 0) | left
                continue
            effect = one.effect
            left &= effect.touched
            if not left:
                continue
            key = (id(effect), left)
            if key not in self._told:
                self._told[key] = (effect, self.by(effect.decisions, left))
            for number, live in self._told[key][1]:
                found[number] = found.get(number, 0) | live
        return tuple(found.items())

    def _number(self, place: Place) -> int:
        # The ruleset holds its rules as long as the areas are made, so their ids stay theirs.
        key = (place.family, place.table, place.chain, id(place.rule))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.places)
            self.places.append(place)
        return number
