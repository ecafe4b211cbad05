"""A host, a path and a clock that exist only in a test: as lossy, slow or stingy as it is told."""

import heapq
import random
from dataclasses import dataclass, field

from portward.scan.course import Counts
from portward.scan.space import Order, order
from portward.scan.table import RECORD, Table
from portward.scan.wire import Answer, Kind

HOST = b"\x0a\0\0\2"


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


@dataclass
class Bucket:
    """A limit of a rate: so many a second, after so many at once."""

    rate: float
    burst: float
    level: float = field(init=False)
    last: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.burst

    def take(self, now: float) -> bool:
        self.level = min(self.burst, self.level + (now - self.last) * self.rate)
        self.last = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


@dataclass
class World:
    """What lies behind the engine."""

    open_ports: frozenset[int]
    dropped: frozenset[int] = frozenset()
    loss: float = 0.0
    """Of each direction."""
    trip: float = 0.0002
    police: Bucket | None = None
    """Of everything that arrives at the host."""
    ration: Bucket | None = None
    """Of its refusals."""
    refuse: Bucket | None = None
    """Of ICMP errors for what is dropped."""
    speed: float = 300_000.0
    """Probes a second that the sender manages at most."""


class SimulatedEngine:
    """Asks a world instead of the network."""

    def __init__(self, world: World, count: int, clock: Clock, seed: int = 1) -> None:
        self.world, self.clock = world, clock
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.table = Table(bytearray(count * RECORD.size), count, bytes(4 * count))
        self.order: Order = order(count, seed)
        self.next = self.tries = 0
        self.coming: list[tuple[float, int, Kind, bool]] = []
        self.found: list[int] = []
        self.sent = self.answered = self.opened = self.refused = self.canaries = self.returned = 0
        self.slowest = 0.0
        self.duplicates = 0

    def send(self, most: int) -> int:
        sent, count = 0, self.table.count
        while sent < most and self.next < count:
            number = (self.next * self.order.factor + self.order.shift) % count
            self.next += 1
            if self.table.states_of(number, 1)[0]:
                continue
            self.clock.now += 1 / self.world.speed
            self.table.sent(number, int(self.clock.now * 1e6), self.tries)
            self._ask(number, canary=False)
            sent += 1
            self.sent += 1
            if self.found and self.sent % 32 == 0:
                self._ask(self.found[self.canaries % len(self.found)], canary=True)
                self.canaries += 1
        return sent or int(self.next < count)

    def _ask(self, number: int, *, canary: bool) -> None:
        world, now = self.world, self.clock.now
        if self.random.random() < world.loss or (world.police and not world.police.take(now)):
            return
        if number in world.open_ports:
            kind = Kind.OPEN
        elif number in world.dropped:
            if not world.refuse or not world.refuse.take(now):
                return
            kind = Kind.REFUSED
        elif world.ration and not world.ration.take(now):
            return
        else:
            kind = Kind.CLOSED
        if self.random.random() < world.loss:
            return
        heapq.heappush(self.coming, (now + world.trip, number, kind, canary))

    def poll(self) -> None:
        while self.coming and self.coming[0][0] <= self.clock.now:
            at, number, kind, canary = heapq.heappop(self.coming)
            if canary:
                self.returned += 1
                continue
            answer = Answer(kind, HOST, 0, 0, 0, 64, HOST, icmp=(3, 13))
            if not self.table.answered(number, answer, int(at * 1e6), self.tries):
                self.duplicates += 1
                continue
            self.slowest = max(self.slowest, self.table.record(number).time / 1e6 % 100)
            self.refused += kind == Kind.REFUSED
            self.answered += kind != Kind.REFUSED
            self.opened += kind == Kind.OPEN
            if kind == Kind.OPEN:
                self.found.append(number)

    def counts(self) -> Counts:
        return Counts(
            sent=self.sent,
            answered=self.answered,
            opened=self.opened,
            refused=self.refused,
            canaries=self.canaries,
            returned=self.returned,
            slowest=self.slowest,
            usual=self.world.trip if self.slowest else 0.0,
        )

    def next_round(self) -> None:
        self.next = 0
        self.tries += 1

    def close(self) -> None:
        """Nothing is open."""
