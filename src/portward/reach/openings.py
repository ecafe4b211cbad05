"""All ports at once: who gets through to each, by interface, family and protocol."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from portward.model.net import MAX_PORT, Protocol
from portward.model.reaching import Answer, Matrix, Opening, SourceClass
from portward.reach.answer import Machine
from portward.reach.cuts import cuts, representatives, target_ports
from portward.reach.indexed import IndexedPaths
from portward.reach.question import by_source_port, sources, spans
from portward.reach.ruleset import Range, Ruleset
from portward.reach.site import Site

PROTOCOLS = (Protocol.TCP, Protocol.UDP)


class Open(NamedTuple):
    """Who gets through to some ports."""

    protocol: Protocol
    ports: Range
    """No rule tells them apart."""
    yes: tuple[Range, ...]
    perhaps: tuple[Range, ...]
    source_ports: str | None = None
    """From these source ports only; None: from any."""


def port_classes(rulesets: Iterable[Ruleset]) -> list[Range]:
    """Cut all ports into ranges that none of the rulesets tells apart."""
    told_apart: set[Range] = {(1, MAX_PORT)}
    for ruleset in rulesets:
        told_apart |= cuts(ruleset, "dport") | cuts(ruleset, "original dport")
        told_apart |= target_ports(ruleset)
    starts = [start for start in representatives(told_apart, MAX_PORT) if start]
    ends = [*(start - 1 for start in starts[1:]), MAX_PORT]
    return list(zip(starts, ends, strict=True))


def openings(machine: Machine, device: str, ports: Iterable[Range]) -> Iterator[Open]:
    """Yield who gets through by one interface, for each protocol and range of ports."""
    paths = IndexedPaths(machine.ruleset, machine.host, machine.sources)
    for protocol in PROTOCOLS:
        for span in ports:
            for sports, yes, perhaps in by_source_port(machine, paths, device, protocol, span[0]):
                ranges = machine.sources.ranges
                yield Open(protocol, span, tuple(ranges(yes)), tuple(ranges(perhaps)), sports)


def matrix(site: Site) -> Matrix:
    """Say what every class of sources can reach."""
    ports = port_classes([site.ruleset])
    classes: list[SourceClass] = []
    reach: list[Opening] = []
    for machine in site.machines.values():
        for device in machine.host.devices:
            found = list(openings(machine, device, ports))
            for bits in _classes(machine, found):
                name = f"S{len(classes) + 1}"
                prefixes, words = sources(machine, device, bits, site.named)
                classes.append(
                    SourceClass(
                        name=name,
                        interface=device,
                        family=machine.family,
                        networks=prefixes,
                        words=words,
                    )
                )
                reach += _of_class(machine, name, bits, found)
    return Matrix(classes=tuple(classes), reach=tuple(reach), gaps=site.gaps)


def _classes(machine: Machine, found: Iterable[Open]) -> list[int]:
    """Part the sources by what they reach; those that reach nothing are left out."""
    reaching = {bits(machine, one.yes) for one in found} | {
        bits(machine, one.perhaps) for one in found
    }
    parts = [machine.sources.all]
    for each in reaching:
        parts = [part for whole in parts for part in (whole & each, whole & ~each) if part]
    anything = 0
    for each in reaching:
        anything |= each
    return sorted((part for part in parts if part & anything), key=lambda part: part & -part)


def _of_class(machine: Machine, name: str, part: int, found: Iterable[Open]) -> Iterator[Opening]:
    ports: dict[tuple[Protocol, Answer, str | None], list[Range]] = {}
    for one in found:
        if part & bits(machine, one.yes):
            ports.setdefault((one.protocol, Answer.YES, one.source_ports), []).append(one.ports)
        elif part & bits(machine, one.perhaps):
            ports.setdefault((one.protocol, Answer.PERHAPS, one.source_ports), []).append(one.ports)
    for (protocol, answer, sports), ranges in ports.items():
        yield Opening(
            source=name,
            protocol=protocol,
            ports=spans(ranges),
            source_ports=sports,
            answer=answer,
        )


def bits(machine: Machine, ranges: Iterable[Range]) -> int:
    """Return sources that the machine tells apart."""
    found = 0
    for first, last in ranges:
        found |= machine.sources.bits(first, last)
    return found
