"""What opens and what closes between two rulesets: the difference of their answers."""

from collections.abc import Iterable, Iterator
from itertools import product

from portward.model.net import Protocol
from portward.model.reaching import Answer, Change, Difference
from portward.reach.answer import Machine, networks
from portward.reach.openings import Open, bits, openings, port_classes
from portward.reach.question import sources, spans
from portward.reach.ruleset import Range, Ruleset
from portward.reach.site import FAMILIES, Site

_WHAT = {
    (Answer.NO, Answer.YES): "opens",
    (Answer.YES, Answer.NO): "closes",
}


_Key = tuple[Protocol, str | None, Answer, Answer, tuple[Range, ...]]
"""What ports of one change have in common."""


def difference(old: Site, new: Site, names: tuple[str, str]) -> Difference:
    """Compare who gets through to each port, by each interface that either machine has."""
    ports = port_classes([old.ruleset, new.ruleset])
    both = Ruleset(tables=(*old.ruleset.tables, *new.ruleset.tables))
    changes: list[Change] = []
    for family in FAMILIES:
        before, after = old.machines[family], new.machines[family]
        writer = Machine(both, after.host)
        for device in dict.fromkeys([*before.host.devices, *after.host.devices]):
            pairs = _paired(_openings(before, device, ports), _openings(after, device, ports))
            asked = tuple(complement(_refused((before, after), device), before.last))
            changes += _changes(writer, device, pairs, new.named, asked)
    return Difference(
        old=names[0],
        new=names[1],
        changes=tuple(changes),
        gaps=tuple(dict.fromkeys([*old.gaps, *new.gaps])),
    )


def _refused(machines: Iterable[Machine], device: str) -> list[Range]:
    """Return the sources that the routing of either machine refuses: they are no change."""
    return sorted(
        span
        for machine in machines
        if machine.addresses and device in machine.host.devices
        for span in machine.sources.ranges(machine.refused(device))
    )


def _paired(before: Iterable[Open], after: Iterable[Open]) -> Iterator[tuple[Open, Open]]:
    """Pair what is about the same ports, here and there; nobody where one side has nothing."""
    was = {(one.protocol, one.ports, one.source_ports): one for one in before}
    now = {(one.protocol, one.ports, one.source_ports): one for one in after}
    for key in dict.fromkeys([*was, *now]):
        nobody = (was.get(key) or now[key])._replace(yes=(), perhaps=())
        yield was.get(key, nobody), now.get(key, nobody)


def _openings(machine: Machine, device: str, ports: list[Range]) -> Iterator[Open]:
    """Yield who gets through; nobody by an interface that is not there."""
    there = device in machine.host.devices
    for one in openings(machine, device, ports):
        yield one if there else one._replace(yes=(), perhaps=())


def _changes(
    writer: Machine,
    device: str,
    pairs: Iterable[tuple[Open, Open]],
    named: dict[str, tuple[str, ...]],
    asked: tuple[Range, ...],
) -> Iterator[Change]:
    found: dict[_Key, list[Range]] = {}
    for before, after in pairs:
        was, now = _by_answer(before, writer.last), _by_answer(after, writer.last)
        for old, new in product(Answer, Answer):
            ranges = () if old == new else intersection(asked, intersection(was[old], now[new]))
            if ranges:
                key = (before.protocol, before.source_ports, old, new, ranges)
                found.setdefault(key, []).append(before.ports)
    for (protocol, sports, old, new, ranges), ports in found.items():
        members = bits(writer, ranges)
        prefixes = networks(ranges, writer.family)
        words = ", ".join(prefixes)
        exact = intersection(asked, tuple(writer.sources.ranges(members))) == ranges
        if exact and writer.addresses:
            prefixes, words = sources(writer, device, members, named)
        yield Change(
            what=_WHAT.get((old, new), "perhaps"),
            protocol=protocol,
            ports=spans(ports),
            source_ports=sports,
            interface=device,
            family=writer.family,
            networks=prefixes,
            words=words,
            before=old,
            after=new,
        )


def _by_answer(one: Open, last: int) -> dict[Answer, tuple[Range, ...]]:
    reached = sorted([*one.yes, *one.perhaps])
    return {
        Answer.YES: one.yes,
        Answer.PERHAPS: one.perhaps,
        Answer.NO: tuple(complement(reached, last)),
    }


def complement(ranges: Iterable[Range], last: int) -> Iterator[Range]:
    """Yield what lies between ascending ranges of 0 .. last."""
    start = 0
    for low, high in ranges:
        if low > start:
            yield start, low - 1
        start = max(start, high + 1)
    if start <= last:
        yield start, last


def intersection(ours: tuple[Range, ...], theirs: tuple[Range, ...]) -> tuple[Range, ...]:
    """Return what two ascending lists of ranges have in common."""
    found = []
    left = right = 0
    while left < len(ours) and right < len(theirs):
        low = max(ours[left][0], theirs[right][0])
        high = min(ours[left][1], theirs[right][1])
        if low <= high:
            found.append((low, high))
        if ours[left][1] < theirs[right][1]:
            left += 1
        else:
            right += 1
    return tuple(found)
