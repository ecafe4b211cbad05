"""What is to be asked, in parts and in an order that spreads over hosts and ports (pure)."""

from collections.abc import Iterable, Iterator, Sequence
from math import gcd
from typing import NamedTuple

from portward.model.errors import UsageError

MAX_PROBES = 1 << 20
"""Of one block: 32 bytes of memory each."""


class Block(NamedTuple):
    """Every one of some ports of every one of some hosts.

    Probe ``number`` asks port ``number % len(ports)`` of host ``number // len(ports)``.
    """

    hosts: Sequence[bytes]
    ports: Sequence[int]

    @property
    def size(self) -> int:
        """How many probes there are."""
        return len(self.hosts) * len(self.ports)


class Order(NamedTuple):
    """A permutation of range(count): the n-th probe is number ``(n * factor + shift) % count``."""

    factor: int
    shift: int


class Shard(NamedTuple):
    """The part of a scan that one of several machines does; the first has number 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read ``2/4``; raise UsageError for anything else."""
        number, _, of = text.partition("/")
        if number.isdecimal() and of.isdecimal() and 0 < int(number) <= int(of):
            return cls(int(number), int(of))
        raise UsageError(f'"{text}" is no shard', mend='write "2/4" for the second of four')


WHOLE = Shard(1, 1)


def order(count: int, seed: int) -> Order:
    """Return the order of a block of count probes; another seed gives another one.

    Steps of a golden section keep probes of the same host and of neighbouring ports apart, and
    need no memory; count and factor have no common divisor, so every number comes once.
    """
    factor = (int(count * 0.6180339887) + seed % max(1, count // 16)) | 1
    while gcd(factor, count) != 1:
        factor += 2
    return Order(factor % count or 1, seed % count)


def shard(hosts: Sequence[bytes], ports: Sequence[int], part: Shard) -> Iterator[Block]:
    """Yield the blocks of one shard: a run of all probes, counted host by host.

    All shards of the same hosts and ports are disjoint, together they are everything, and their
    sizes differ by one at most.
    """
    width = len(ports)
    total = len(hosts) * width
    first = total * (part.number - 1) // part.of
    last = total * part.number // part.of
    while first < last:
        host, column = divmod(first, width)
        if column or last - first < width:
            end = min(width, column + last - first)
            yield Block(hosts[host : host + 1], ports[column:end])
            first += end - column
        else:
            whole = (last - first) // width
            yield Block(hosts[host : host + whole], ports)
            first += whole * width


def split(block: Block, most: int = MAX_PROBES) -> Iterator[Block]:
    """Yield a block in parts of at most so many probes, or of one host."""
    step = max(1, most // max(1, len(block.ports)))
    for first in range(0, len(block.hosts), step):
        yield Block(block.hosts[first : first + step], block.ports)


def grouped(hosts: Iterable[tuple[bytes, tuple[int, ...]]]) -> Iterator[Block]:
    """Yield blocks of hosts of which the same ports are still to be asked."""
    together: dict[tuple[int, ...], list[bytes]] = {}
    for host, ports in hosts:
        if ports:
            together.setdefault(ports, []).append(host)
    for ports, members in together.items():
        yield Block(members, ports)
