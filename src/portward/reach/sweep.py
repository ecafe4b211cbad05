"""Every port of a machine, followed with as few walks as its rules tell ports apart.

The walk itself says for which other ports it would have been the same.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, TypeVar

from portward.model.net import MAX_PORT, Protocol
from portward.reach.answer import Machine
from portward.reach.cuts import representatives, target_ports
from portward.reach.indexed import IndexedWalk
from portward.reach.packets import EPHEMERAL
from portward.reach.path import Ending, follow
from portward.reach.port_spans import LAST
from portward.reach.question import spans
from portward.reach.ruleset import Range

PROTOCOLS = (Protocol.TCP, Protocol.UDP)
ALL_PORTS: Range = (0, LAST)

T = TypeVar("T")


class Swept(NamedTuple):
    """What became of packets from all sources to some ports that fare alike."""

    port: int
    """The one that was followed."""
    walk: IndexedWalk
    endings: list[Ending]


class Sweep:
    """Follows packets to all ports; what was found for one serves the next."""

    def __init__(self, machine: Machine) -> None:
        """Know nothing yet."""
        self.machine = machine
        targets = {low for low, _ in target_ports(machine.ruleset)}
        # What is translated to a port is told from what was sent to it, so it stands alone.
        self._breaks = sorted({LAST + 1} | targets | {low + 1 for low in targets})

    def ports(
        self, device: str, address: int, protocol: Protocol, sport: int
    ) -> Iterator[tuple[Range, Swept]]:
        """Yield what becomes of packets to all ports, the lowest first."""
        paths = self.machine.paths
        port = 0
        while port <= LAST:
            first = paths.first(device, protocol, address, port, sport)
            walk = paths.walk()
            endings = follow(paths, walk, first)
            end = min(self._breaks[bisect_right(self._breaks, port)] - 1, walk.span[1])
            yield (port, end), Swept(port, walk, endings)
            port = end + 1


def overlay(parts: Iterable[Iterator[tuple[Range, T]]]) -> Iterator[tuple[Range, list[T]]]:
    """Lay several divisions of all ports over each other."""
    running = [iter(part) for part in parts]
    if not running:
        yield ALL_PORTS, []
        return
    current = [next(part) for part in running]
    start = 0
    while True:
        end = min(last for (_, last), _ in current)
        yield (start, end), [value for _, value in current]
        if end >= LAST:
            return
        start = end + 1
        for number, ((_, last), _) in enumerate(current):
            if last == end:
                current[number] = next(running[number])


class SourcePorts:
    """Source ports by kind: those of a kind no rule tells apart. One stands for each kind."""

    def __init__(self, asked: Collection[Range]) -> None:
        """Take the ranges that rules ask for."""
        starts = representatives(asked, MAX_PORT)
        ends = [*(start - 1 for start in starts[1:]), MAX_PORT]
        wanted = sorted(asked)
        self._kinds: dict[int, list[Range]] = {}
        known: dict[tuple[bool, ...], int] = {}
        for start, end in zip(starts, ends, strict=True):
            key = tuple(low <= start <= high for low, high in wanted)
            kind = known.setdefault(key, EPHEMERAL if key == _kind(wanted) else start)
            self._kinds.setdefault(kind, []).append((start, end))

    @property
    def all(self) -> list[int]:
        """One port of each kind; first one as programs get it."""
        return [EPHEMERAL, *(kind for kind in self._kinds if kind != EPHEMERAL)]

    def words(self, kinds: Iterable[int]) -> str | None:
        """Write the ports of some kinds; None where these are all."""
        chosen = {*kinds}
        if len(chosen) == len(self._kinds):
            return None
        return spans(span for kind in chosen for span in self._kinds[kind])


def _kind(wanted: list[Range]) -> tuple[bool, ...]:
    return tuple(low <= EPHEMERAL <= high for low, high in wanted)
