"""What opens and what closes between two rulesets: the difference of their answers."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from portward.model.net import Protocol
from portward.model.reaching import Answer, Change, Difference
from portward.reach import answer
from portward.reach.alike import alike_devices
from portward.reach.answer import Machine
from portward.reach.question import sources, spans
from portward.reach.ruleset import Range
from portward.reach.site import FAMILIES, Site
from portward.reach.sweep import PROTOCOLS, SourcePorts, Sweep, overlay

_WHAT = {
    (Answer.NO, Answer.YES): "opens",
    (Answer.YES, Answer.NO): "closes",
}


class _Step(NamedTuple):
    """Sources whose answer changes."""

    before: Answer
    after: Answer
    bits: int


class _Reached(NamedTuple):
    """Who gets through to some ports, on any address of the machine."""

    yes: int
    perhaps: int


def difference(old: Site, new: Site, names: tuple[str, str]) -> Difference:
    """Compare who gets through to each port, by each interface that either machine has."""
    changes: list[Change] = []
    for family in FAMILIES:
        before, after = old.machines[family], new.machines[family]
        sides = (
            _Side(Machine(old.ruleset, before.host, after.edges)),
            _Side(Machine(new.ruleset, after.host, before.edges)),
        )
        for devices in _alike(sides):
            for protocol in PROTOCOLS:
                changes += _changes(sides, devices, protocol, new.named)
    return Difference(
        old=names[0],
        new=names[1],
        changes=tuple(changes),
        gaps=tuple(dict.fromkeys([*old.gaps, *new.gaps])),
    )


class _Side:
    """One of the two machines; both tell the same sources apart."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.groups = alike_devices(machine.paths, machine.asked) if machine.addresses else []
        self._sweep = Sweep(machine)

    def group(self, device: str) -> int | None:
        """Return the number of the devices that fare as this one; None where it is not there."""
        return next((at for at, group in enumerate(self.groups) if device in group), None)

    def reached(
        self, device: str, protocol: Protocol, sport: int
    ) -> Iterator[tuple[Range, _Reached]]:
        """Yield who gets through to each port by a device; nobody where it is not there."""
        addresses = self.machine.addresses if self.group(device) is not None else []
        ways = (self._sweep.ports(device, address, protocol, sport) for address in addresses)
        for span, journeys in overlay(ways):
            yes = perhaps = 0
            for journey in journeys:
                reached, denied = answer.fates(journey.endings, answer.is_accepted)
                yes |= reached & ~denied
                perhaps |= reached & denied
            yield span, _Reached(yes, perhaps & ~yes)

    def refused(self, device: str) -> int:
        """Return the sources that routing refuses anyway: all where the device is not there."""
        machine = self.machine
        return machine.sources.all if self.group(device) is None else machine.refused(device)


def _refused(sides: tuple[_Side, _Side], device: str) -> int:
    """Return the sources that are no question: refused by both machines, or an address of one."""
    found = sides[0].refused(device) & sides[1].refused(device)
    for side in sides:
        found |= side.machine.sources.union([(own, own) for own in side.machine.host.own])
    return found


def _alike(sides: tuple[_Side, _Side]) -> Iterator[tuple[str, ...]]:
    """Yield the devices that fare alike on both sides."""
    groups: dict[tuple[int | None, int | None], list[str]] = {}
    for device in dict.fromkeys(one for side in sides for one in side.machine.host.devices):
        groups.setdefault((sides[0].group(device), sides[1].group(device)), []).append(device)
    yield from map(tuple, groups.values())


def _changes(
    sides: tuple[_Side, _Side],
    devices: tuple[str, ...],
    protocol: Protocol,
    named: dict[str, tuple[str, ...]],
) -> Iterator[Change]:
    """Yield what changes by devices that fare alike."""
    before, after = (side.machine for side in sides)
    refused = _refused(sides, devices[0])
    asked = before.sources.all & ~refused
    sports = SourcePorts(before.source_ports(protocol) | after.source_ports(protocol))
    found: dict[_Step, dict[int, list[Range]]] = {}
    for sport in sports.all:
        ways = (side.reached(devices[0], protocol, sport) for side in sides)
        for span, (was, now) in overlay(ways):
            for step in _steps(was, now, asked):
                found.setdefault(step, {}).setdefault(sport, []).append(span)
    writer = after if sides[1].group(devices[0]) is not None else before
    for step, by_sport in found.items():
        # What is refused anyway may lie in the networks where that makes them fewer.
        prefixes, words = min(
            (sources(writer, devices[0], bits, named) for bits in (step.bits, step.bits | refused)),
            key=lambda written: len(written[0]),
        )
        for ports, from_ports in _by_ports(by_sport):
            yield Change(
                what=_WHAT.get((step.before, step.after), "perhaps"),
                protocol=protocol,
                ports=ports,
                source_ports=sports.words(from_ports),
                interfaces=devices,
                family=writer.family,
                networks=prefixes,
                words=words,
                before=step.before,
                after=step.after,
            )


def _steps(was: _Reached, now: _Reached, asked: int) -> Iterator[_Step]:
    if was == now:
        return
    for old, before in _by_answer(was, asked):
        for new, after in _by_answer(now, asked):
            if old != new and before & after:
                yield _Step(old, new, before & after)


def _by_answer(one: _Reached, asked: int) -> tuple[tuple[Answer, int], ...]:
    return (
        (Answer.YES, one.yes & asked),
        (Answer.PERHAPS, one.perhaps & asked),
        (Answer.NO, asked & ~(one.yes | one.perhaps)),
    )


def _by_ports(by_sport: dict[int, list[Range]]) -> Iterable[tuple[str, list[int]]]:
    """Join the source ports from which the same ports change."""
    found: dict[str, list[int]] = {}
    for sport, ranges in by_sport.items():
        found.setdefault(spans(ranges), []).append(sport)
    return found.items()
