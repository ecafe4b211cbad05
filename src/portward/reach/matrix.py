"""The whole of reach at once: which sources can reach which of all 65,536 ports, and why.

Ports that fare alike are asked once: the walk itself says for which other ports it would have been
the same. Devices and addresses that no rule tells apart are asked once, too.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from portward.model.net import Family, Protocol
from portward.reach.alike import alike_devices
from portward.reach.answer import Machine
from portward.reach.cuts import target_ports
from portward.reach.effects import Effect, Share
from portward.reach.indexed import IndexedPaths, IndexedWalk
from portward.reach.packets import NUMBERS, SYN, packet
from portward.reach.path import Ending, follow
from portward.reach.port_spans import LAST
from portward.reach.ruleset import Kind, Place, Range
from portward.reach.sources import Sources
from portward.reach.walk import Decision, Spread

PROTOCOLS = (Protocol.TCP, Protocol.UDP)


class Answer(StrEnum):
    """What becomes of the question whether sources reach a port."""

    YES = "yes"
    PERHAPS = "perhaps"
    REFUSED = "refused"
    """No, and they are told so."""
    NO = "no"


class End(Struct, frozen=True):
    """Where packets end that get through."""

    address: int
    port: int | None
    """None: the port that they were sent to."""
    device: str | None
    """The interface by which they are passed on; None: this machine."""


class Fate(Struct, frozen=True):
    """What happens to some sources at some ports."""

    answer: Answer
    sources: int
    """As bits of the matrix' sources."""
    ends: tuple[End, ...]
    doubts: tuple[str, ...]
    """What could not be decided, for "perhaps"."""
    decided_by: tuple[int, ...]
    """The rules and policies that decided, as places of the matrix."""


class Area(Struct, frozen=True):
    """Ports that fare alike for packets to one address by some devices."""

    devices: tuple[str, ...]
    address: int
    """One of those of the machine that no rule tells apart."""
    protocol: Protocol
    ports: tuple[Range, ...]
    fates: tuple[Fate, ...]
    """Every source is in exactly one."""


class Matrix(Struct, frozen=True):
    """Everything that can be reached on one address family of a machine."""

    family: Family
    sources: Sources
    areas: tuple[Area, ...]
    places: tuple[Place, ...]

    def classes(self) -> list[int]:
        """Return the sets of sources that no port tells apart, the one with address 0 first."""
        return partition((fate.sources for area in self.areas for fate in area.fates), self.sources)

    def of(self, sources: int) -> Iterator[tuple[Area, Fate]]:
        """Yield what the sources of one class meet, area by area."""
        one = sources & -sources
        for area in self.areas:
            for fate in area.fates:
                if fate.sources & one:
                    yield area, fate


def matrix(machine: Machine) -> Matrix:
    """Ask for all ports, from all sources, by all devices."""
    making = _Making(machine)
    areas = [
        area
        for devices in alike_devices(making.paths, machine.asked)
        for address in machine.addresses
        for protocol in PROTOCOLS
        for area in making.areas(devices, address, protocol)
    ]
    return Matrix(
        family=machine.family,
        sources=machine.sources,
        areas=tuple(areas),
        places=tuple(making.told.places),
    )


def partition(sets: Iterable[int], sources: Sources) -> list[int]:
    """Cut all sources into the fewest sets that each given set is a union of."""
    flips: dict[int, int] = {0: 0}
    for number, bits in enumerate(dict.fromkeys(sets)):
        edges = bits ^ (bits << 1)
        for edge in _numbers(edges):
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


def _numbers(bits: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, ascending."""
    text = bin(bits)[:1:-1]
    at = text.find("1")
    while at >= 0:
        yield at
        at = text.find("1", at + 1)


class _Journey(NamedTuple):
    walk: IndexedWalk
    endings: list[Ending]


class _Making:
    """What the areas of one matrix have in common."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.paths = IndexedPaths(machine.ruleset, machine.host, machine.sources)
        self.saddr = Spread(machine.sources)
        self.told = _Told()
        targets = {low for low, _ in target_ports(machine.ruleset)}
        self._breaks = sorted({LAST + 1} | targets | {low + 1 for low in targets})

    def areas(self, devices: tuple[str, ...], address: int, protocol: Protocol) -> Iterator[Area]:
        """Yield the ports that fare alike together, the lowest port first."""
        ports: dict[tuple[Fate, ...], list[Range]] = {}
        port = 0
        while port <= LAST:
            journeys = [
                self._follow(devices[0], address, protocol, port, sport)
                for sport in self.machine.sports
            ]
            end = min(self._next(port), *(journey.walk.span[1] for journey in journeys))
            spans = ports.setdefault(self._fates(port, journeys), [])
            if spans and spans[-1][1] == port - 1:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((port, end))
            port = end + 1
        for fates, spans in ports.items():
            yield Area(devices, address, protocol, tuple(spans), fates)

    def _next(self, port: int) -> int:
        """Return the last port before one that packets are translated to, which stands alone."""
        return self._breaks[bisect_right(self._breaks, port)] - 1

    def _follow(
        self, device: str, address: int, protocol: Protocol, port: int, sport: int
    ) -> _Journey:
        first = packet(
            self.machine.host,
            self.machine.sources,
            device=device,
            protocol=NUMBERS[protocol],
            daddr=address,
            dport=port,
            sport=sport,
            saddr=self.saddr,
            tcp_flags=SYN if protocol == Protocol.TCP else None,
        )
        walk = self.paths.walk()
        return _Journey(walk, follow(self.paths, walk, first))

    def _fates(self, port: int, journeys: list[_Journey]) -> tuple[Fate, ...]:
        """Divide all sources by what happens to them; several packets are joined."""
        yes = perhaps = refused = dropped = 0
        ends: dict[End, int] = {}
        for journey in journeys:
            reached = denied = 0
            for ending in journey.endings:
                if ending.kind == Kind.ACCEPT:
                    reached |= ending.live
                    # A port that no translation changed stands for all that fare alike.
                    changed = None if ending.port == port else ending.port
                    end = End(ending.address, changed, ending.device)
                    ends[end] = ends.get(end, 0) | ending.live
                else:
                    denied |= ending.live
                    if ending.kind == Kind.REJECT:
                        refused |= ending.live
                    else:
                        dropped |= ending.live
            yes |= reached & ~denied
            perhaps |= reached & denied
        perhaps &= ~yes
        no = self.machine.sources.all & ~yes & ~perhaps
        parts = (
            (Answer.YES, yes),
            (Answer.PERHAPS, perhaps),
            (Answer.REFUSED, no & refused & ~dropped),
            (Answer.NO, no & ~(refused & ~dropped)),
        )
        return tuple(
            Fate(
                answer,
                part,
                where,
                self._doubts(journeys, part) if answer == Answer.PERHAPS else (),
                self.told.by([journey.walk.shares for journey in journeys], part),
            )
            for answer, bits in parts
            if bits
            for where, part in _by_end(ends, bits)
        )

    @staticmethod
    def _doubts(journeys: list[_Journey], bits: int) -> tuple[str, ...]:
        doubts = (item for journey in journeys for item in journey.walk.doubts.items())
        return tuple(sorted({name for name, live in doubts if live & bits}))


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
    """Numbers the places that decide, and tells them for an effect and its sources just once."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._numbers: dict[tuple[str, str, str, int], int] = {}
        self._told: dict[tuple[int, int], tuple[Effect, tuple[int, ...]]] = {}

    def by(self, walks: Iterable[Iterable[Decision | Share]], bits: int) -> tuple[int, ...]:
        """Return the numbers of the places that decided about some sources, in order."""
        numbers = (number for shares in walks for number in self._by(shares, bits))
        return tuple(dict.fromkeys(numbers))

    def _by(self, shares: Iterable[Decision | Share], bits: int) -> Iterator[int]:
        for one in shares:
            left = bits & one.live
            if not left:
                continue
            if isinstance(one, Decision):
                yield self._number(one.place)
                continue
            effect = one.effect
            left &= effect.touched
            if not left:
                continue
            key = (id(effect), left)
            if key not in self._told:
                self._told[key] = (effect, tuple(self._by(effect.decisions, left)))
            yield from self._told[key][1]

    def _number(self, place: Place) -> int:
        # The ruleset holds its rules as long as the matrix is made, so their ids stay theirs.
        key = (place.family, place.table, place.chain, id(place.rule))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.places)
            self.places.append(place)
        return number
