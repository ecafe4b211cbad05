"""All ports at once as a document: classes of sources, what each can reach, and by which rules."""

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from msgspec.structs import asdict

from portward.model.net import Family, Protocol
from portward.model.reaching import Answer, Matrix, Opening, RuleOfMatrix, SourceClass
from portward.reach.answer import Machine
from portward.reach.areas import Area, Areas, End, Fate, areas, numbers, partition
from portward.reach.letting_in import LettingIn
from portward.reach.question import alike, sources, spans, written
from portward.reach.ruleset import Kind, Place, Range
from portward.reach.site import Site
from portward.reach.walk import Decision
from portward.reach.wording import deciding


class _Way(NamedTuple):
    """What ports have in common that a class of sources reaches alike."""

    protocol: Protocol
    answer: Answer
    source_ports: str | None
    delivered: tuple[str, ...]
    doubts: tuple[str, ...]
    decided_by: tuple[str, ...]


class _Reached(NamedTuple):
    """Some ports that a class of sources reaches alike."""

    way: _Way
    ports: str
    to: tuple[str, ...]


class _Class(NamedTuple):
    """Sources of one family that reach the same, by whichever interface."""

    family: Family
    networks: tuple[str, ...]
    words: str
    reached: tuple[_Reached, ...]


def matrix(site: Site) -> Matrix:
    """Say what every class of sources can reach."""
    rules = _Rules(LettingIn(site.ruleset))
    found: dict[_Class, list[str]] = {}
    for machine in site.machines.values():
        known = areas(machine)
        for devices, group in groupby(known.areas, key=lambda area: area.devices):
            members = _Members(machine, known, list(group), rules)
            for bits, reached in members.reached():
                prefixes, words = sources(machine, devices[0], bits, site.named)
                one = _Class(machine.family, prefixes, words, reached)
                found.setdefault(one, []).extend(devices)
    hosts = site.hosts.values()
    devices_of_all = dict.fromkeys(name for host in hosts for name in host.devices)
    order = {name: at for at, name in enumerate(devices_of_all)}
    classes: list[SourceClass] = []
    reach: list[Opening] = []
    for number, (one, interfaces) in enumerate(found.items(), 1):
        name = f"S{number}"
        classes.append(
            SourceClass(
                name=name,
                interfaces=tuple(sorted(interfaces, key=order.__getitem__)),
                family=one.family,
                networks=one.networks,
                words=one.words,
            )
        )
        reach += (_opening(name, each) for each in one.reached)
    return Matrix(
        classes=tuple(classes), reach=tuple(reach), rules=tuple(rules.told), gaps=site.gaps
    )


def _order(one: _Reached) -> tuple[object, ...]:
    """Put what is open before what perhaps is or hangs on the source port, low ports first."""
    way = one.way
    first = int(one.ports.partition(",")[0].partition("-")[0])
    return way.protocol, way.source_ports or "", way.answer == Answer.PERHAPS, first, one.ports


def _opening(name: str, one: _Reached) -> Opening:
    return Opening(source=name, ports=one.ports, to=one.to, **one.way._asdict())


class _Rules:
    """The rules that decide something, each under a name."""

    def __init__(self, letting_in: LettingIn) -> None:
        self.told: list[RuleOfMatrix] = []
        self.letting_in = letting_in
        self._names: dict[tuple[object, ...], str] = {}

    def name(self, place: Place) -> str:
        key = *place[:3], id(place.rule)
        if key not in self._names:
            self._names[key] = f"R{len(self.told) + 1}"
            known = asdict(deciding(Decision(place, Kind.ACCEPT, 0)))
            self.told.append(RuleOfMatrix(name=self._names[key], **known))
        return self._names[key]


class _Members:
    """Sources that come by some devices, sorted into classes."""

    def __init__(self, machine: Machine, known: Areas, group: list[Area], rules: _Rules) -> None:
        self._machine = machine
        self._known = known
        self._group = group
        self._rules = rules
        self._told: dict[tuple[int, ...], tuple[str, ...]] = {}
        self._inside: dict[int, tuple[int, ...]] = {}
        self._alike: dict[tuple[int, ...], tuple[str, ...]] = {}
        sets = [fate.sources for area in group for fate in area.fates]
        reaching = 0
        for bits in sets:
            reaching |= bits
        parts = partition(sets, known.sources)
        self._classes = sorted((one for one in parts if one & reaching), key=lambda one: one & -one)
        self._class_of: dict[int, int] = {
            bit: number for number, bits in enumerate(self._classes) for bit in numbers(bits)
        }

    def reached(self) -> Iterable[tuple[int, tuple[_Reached, ...]]]:
        """Yield each class with what it reaches."""
        found: list[dict[_Way, dict[int, list[Range]]]] = [{} for _ in self._classes]
        for area in self._group:
            for fate in area.fates:
                self._add(found, area, fate)
        for bits, ways in zip(self._classes, found, strict=True):
            reached = (one for way, ports in ways.items() for one in self._joined(way, ports))
            yield bits, tuple(sorted(reached, key=_order))

    def _add(self, found: list[dict[_Way, dict[int, list[Range]]]], area: Area, fate: Fate) -> None:
        """Add what a fate means to each class in it."""
        rules: dict[int, list[int]] = {}
        for rule, bits in fate.decided_by:
            for number in self._in(bits & fate.sources):
                rules.setdefault(number, []).append(rule)
        delivered = self._delivered(area, fate.ends)
        doubts: dict[int, list[str]] = {}
        for name, bits in fate.doubts:
            for number in self._in(bits):
                doubts.setdefault(number, []).append(name)
        for number in self._in(fate.sources):
            way = _Way(
                area.protocol,
                fate.answer,
                fate.source_ports,
                delivered,
                tuple(doubts.get(number, ())),
                self._names(tuple(rules.get(number, ()))),
            )
            ports = found[number].setdefault(way, {})
            ports.setdefault(area.address, []).extend(area.ports)

    def _in(self, bits: int) -> tuple[int, ...]:
        """Return the classes that have any of some sources."""
        if bits not in self._inside:
            which = {self._class_of.get(bit, -1) for bit in numbers(bits)}
            self._inside[bits] = tuple(sorted(which - {-1}))
        return self._inside[bits]

    def _names(self, places: tuple[int, ...]) -> tuple[str, ...]:
        if places not in self._told:
            accepts = ((place, place) for place in (self._known.places[one] for one in places))
            letting_in = self._rules.letting_in.those(accepts)
            self._told[places] = tuple(map(self._rules.name, letting_in))
        return self._told[places]

    def _delivered(self, area: Area, ends: Iterable[End]) -> tuple[str, ...]:
        """Write where packets end, unless it is where they were sent to."""
        return tuple(
            dict.fromkeys(
                text
                for end in ends
                if (end.address, end.port, end.device) != (area.address, None, None)
                for text in (self._end(end),)
            )
        )

    def _end(self, end: End) -> str:
        family = self._machine.family
        host = written(end.address, family)
        if end.port is not None:
            host = f"[{host}]:{end.port}" if family == Family.IPV6 else f"{host}:{end.port}"
        return f"{host} by {end.device}" if end.device else host

    def _joined(self, way: _Way, ports: dict[int, list[Range]]) -> Iterable[_Reached]:
        """Join addresses of the machine at which the same ports are reached."""
        addresses: dict[str, list[int]] = {}
        for address, ranges in ports.items():
            addresses.setdefault(spans(ranges), []).append(address)
        for text, some in addresses.items():
            yield _Reached(way, text, self._addresses(tuple(some)))

    def _addresses(self, some: tuple[int, ...]) -> tuple[str, ...]:
        """Write the addresses that these stand for; none where they are all."""
        if len(some) == len(self._machine.addresses):
            return ()
        if some not in self._alike:
            self._alike[some] = alike(self._machine, some)
        return self._alike[some]
