"""A look from outside: hosts and ports, by the engine that can, to what is told of them."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import replace

from portward.model.net import Protocol
from portward.model.scan import PortState, Scan, ScannedHost, ScannedPort
from portward.model.unknown import Unknown
from portward.scan import collect, links, targets
from portward.scan import ports as words
from portward.scan.course import Counts, Course, Limits, Pace
from portward.scan.engines import Engine, choice
from portward.scan.engines.udp import UdpEngine
from portward.scan.route import NoRouteError, Route, Router
from portward.scan.space import WHOLE, Block, Shard, grouped, order, shard, split
from portward.scan.sweep import Outcome, sweep

_CONTROLS = 5
_FEW_PORTS = 1000
"""So many say by themselves whether a host answers for every port alike."""
_HIGH = range(49152, 65536)
"""Where controls are drawn from: no program has a fixed port there (RFC 6335)."""
UDP_RATE = 1000
"""Datagrams a second, without --rate: each may make a program work."""
_FRAME_BITS = 84 * 8
"""What a probe takes of an Ethernet link, with preamble, gap and padding."""


class Host(NamedTuple):
    """One address to look at."""

    address: bytes
    zone: str = ""
    name: str = ""


class Asked(NamedTuple):
    """What to look at, and how."""

    hosts: tuple[Host, ...]
    ports: words.Numbers
    engine: str = choice.AUTO
    rate: float | None = None
    part: Shard = WHOLE
    earlier: Scan | None = None
    greetings: Mapping[int, tuple[bytes, ...]] = {}
    """What to send to UDP ports; an empty datagram to those that are not in it."""


class Progress(NamedTuple):
    """How far it is."""

    total: int
    """Probes of the first round."""
    done: int
    opened: int
    rate: float
    round: int


class Listener:
    """Is told what happens while it happens; does nothing with it."""

    def progress(self, progress: Progress) -> None:
        """Take several times a second how far it is."""

    def port(self, address: str, port: ScannedPort) -> None:
        """Take a port that was just found open."""

    def host(self, host: ScannedHost) -> None:
        """Take a host that is done with."""

    def close(self) -> None:
        """Take the end."""


class _Group(NamedTuple):
    """Hosts that packets reach by the same device, from the same address."""

    device: str
    ifindex: int
    source: bytes
    near: bool
    local: bool


def look(asked: Asked, listener: Listener) -> Scan:
    """Look; Ctrl-C ends it early, with what is known by then."""
    return _Look(asked, listener).run()


class _Look:
    """What accumulates during one look."""

    def __init__(self, asked: Asked, listener: Listener) -> None:
        self._asked, self._listener = asked, listener
        self._found: dict[bytes, list[ScannedHost]] = {}
        self._names = {host.address: host.name for host in asked.hosts}
        self._engines: dict[str, str] = {}
        self._sources: dict[bytes, None] = {}
        self._peak = 0.0
        self._rounds = self._lost = 0
        self._complete = True
        self._total = self._done = self._opened = 0
        if asked.earlier:
            for host in asked.earlier.hosts:
                packed = targets.packed(host.address)
                self._found[packed] = [host]
                self._names.setdefault(packed, host.name)

    def run(self) -> Scan:
        began, clock = datetime.now(UTC), time.monotonic()
        try:
            self._look()
        except KeyboardInterrupt:
            self._complete = False
        hosts = tuple(
            replace(collect.merged(parts), name=self._names.get(address, ""))
            for address, parts in sorted(self._found.items(), key=lambda one: (len(one[0]), one))
        )
        return Scan(
            started=began,
            duration=time.monotonic() - clock,
            engine=" and ".join(self._engines) or "none",
            engine_reason="; ".join(dict.fromkeys(filter(None, self._engines.values()))),
            rate=round(self._peak) if self._peak else None,
            rounds=self._rounds or None,
            lost=self._lost,
            source=tuple(map(targets.written, self._sources)),
            complete=self._complete,
            hosts=hosts,
        )

    def _look(self) -> None:
        """Look at all ports, first those of TCP."""
        protocols = [one for one in (Protocol.TCP, Protocol.UDP) if one in self._asked.ports]
        groups = {one: self._groups(self._todo(one)) for one in protocols}
        self._total = sum(
            len(ports) for each in groups.values() for them in each.values() for _, ports in them
        )
        for protocol in protocols:
            for group, members in groups[protocol].items():
                routes = {host: route for (host, route), _ in members}
                for block in grouped((host, ports) for (host, _), ports in members):
                    for part in split(block):
                        if not self._block(protocol, group, part, routes):
                            self._complete = False
                            return

    def _todo(self, protocol: Protocol) -> Iterator[tuple[Host, tuple[int, ...]]]:
        """Yield what this machine is to ask and has not asked before."""
        ports = self._asked.ports.get(protocol, ())
        by_address = {host.address: host for host in self._asked.hosts}
        before = {
            targets.packed(host.address): frozenset(words.read(host.asked.get(protocol, "")))
            for host in (self._asked.earlier.hosts if self._asked.earlier else ())
        }
        for block in shard(tuple(by_address), ports, self._asked.part):
            for address in block.hosts:
                known = before.get(address)
                left = tuple(block.ports)
                if known:
                    left = tuple(port for port in left if port not in known)
                yield by_address[address], left

    def _groups(
        self, todo: Iterable[tuple[Host, tuple[int, ...]]]
    ) -> dict[_Group, list[tuple[tuple[bytes, Route], tuple[int, ...]]]]:
        """Sort hosts by the way to them; those without a way are told of at once."""
        groups: dict[_Group, list[tuple[tuple[bytes, Route], tuple[int, ...]]]] = {}
        with Router() as router:
            for host, ports in todo:
                try:
                    way = router.route(host.address, host.zone)
                except NoRouteError as error:
                    self._tell(host.address, [_unseen(host.address, Unknown(str(error)))])
                    continue
                near = way.gateway is None
                group = _Group(way.device, way.ifindex, way.source, near, way.local)
                groups.setdefault(group, []).append(((host.address, way), ports))
                self._sources[way.source] = None
        return groups

    def _block(
        self, protocol: Protocol, group: _Group, block: Block, routes: Mapping[bytes, Route]
    ) -> bool:
        """Look at one block; say whether it was done to the end."""
        asked = len(block.ports)
        udp = protocol == Protocol.UDP
        ports = tuple(block.ports) if udp else (*block.ports, *_controls(block.ports))
        route = routes[block.hosts[0]]
        chosen = choice.choose(
            self._asked.engine, [routes[host] for host in block.hosts], block.hosts, group.local
        )
        for host in chosen.dead:
            self._tell(host, [_unseen(host, chosen.dead[host])])
        alive = Block(chosen.hosts, ports)
        if not alive.hosts:
            return True
        seed = int.from_bytes(os.urandom(4), "big")
        visit = order(alive.size, seed)
        bounds = limits(group, alive.hosts[0], self._asked.rate)
        engine: Engine
        if udp:
            engine = UdpEngine(alive, visit, route, self._asked.greetings)
            bounds = bounds.slower(UDP_RATE) if not self._asked.rate else bounds
        else:
            engine, name, reason = chosen.open(alive, visit, route)
            self._engines.setdefault(name, reason)
        pace = Pace(bounds)
        course = Course(alive.size, near=group.near, patient=udp)
        watch = self._watch(protocol, engine, pace, alive)
        try:
            outcome = sweep(engine, pace, course, watch)
        finally:
            engine.close()
        self._account(outcome, pace, alive)
        how = collect.Round(outcome.uncertain, outcome.rationed, outcome.complete)
        for number, address in enumerate(alive.hosts):
            first = number * len(ports)
            records = collect.Records(engine.table, first)
            found = collect.host(protocol, address, ports, records, how, asked)
            self._tell(address, [found])
        return outcome.complete

    def _account(self, outcome: Outcome, pace: Pace, block: Block) -> None:
        self._peak = max(self._peak, pace.peak)
        self._rounds = max(self._rounds, outcome.rounds)
        self._lost += outcome.counts.dropped
        self._done += block.size
        self._opened += outcome.counts.opened

    def _watch(
        self, protocol: Protocol, engine: Engine, pace: Pace, block: Block
    ) -> Callable[[Counts, int], None]:
        """Return what tells the listener of progress and of open ports."""
        told: set[int] = set()
        due = 0.0

        def watch(counts: Counts, turn: int) -> None:
            nonlocal due
            now = time.monotonic()
            if now < due:
                return
            due = now + 0.1
            done = min(block.size, counts.sent if turn == 1 else block.size)
            self._listener.progress(
                Progress(
                    self._total, self._done + done, self._opened + counts.opened, pace.rate, turn
                )
            )
            if counts.opened <= len(told):
                return
            states = engine.table.states()
            number = states.find(1)
            while number >= 0:
                if number not in told:
                    told.add(number)
                    index, column = divmod(number, len(block.ports))
                    record = engine.table.record(number)
                    address = block.hosts[index]
                    self._listener.port(
                        targets.written(address),
                        collect.port(
                            protocol,
                            block.ports[column],
                            PortState.OPEN,
                            record,
                            len(address),
                        ),
                    )
                number = states.find(1, number + 1)

        return watch

    def _tell(self, address: bytes, found: list[ScannedHost]) -> None:
        self._found.setdefault(address, []).extend(found)
        for host in found:
            self._listener.host(replace(host, name=self._names.get(address, "")))


def limits(group: _Group, host: bytes, rate: float | None) -> Limits:
    """Say between which rates to look for the one that path and host bear.

    A link of our own gets a tenth of what it carries at first, and is then found out. Behind a
    router, most of all one that translates addresses and keeps a state for every probe, a limit
    is set in advance.
    """
    if group.local:
        found = Limits(200_000, 10_000_000, 200_000)
    elif group.near:
        speed = links.speed(group.device)
        start = min(200_000.0, speed / _FRAME_BITS / 10) if speed else 5000.0
        found = Limits(start, 10_000_000, start)
    elif targets.is_private(group.source) and not targets.is_private(host):
        found = Limits(500, 1000, 1000)
    else:
        found = Limits(2000, 10_000, 10_000)
    if rate:
        return Limits(min(rate, found.start), rate, max(min(rate, found.blind), rate))
    return found


def _controls(ports: Iterable[int]) -> tuple[int, ...]:
    """Draw ports that nobody should answer on."""
    taken = set(ports)
    if not taken or len(taken) >= _FEW_PORTS:
        return ()
    drawn: dict[int, None] = {}
    while len(drawn) < _CONTROLS:
        port = _HIGH[int.from_bytes(os.urandom(2), "big") % len(_HIGH)]
        if port not in taken:
            drawn[port] = None
    return tuple(drawn)


def _unseen(address: bytes, why: Unknown) -> ScannedHost:
    return ScannedHost(address=targets.written(address), ports=(), asked={}, unknown=(why,))
