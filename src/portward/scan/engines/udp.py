"""The engine for UDP: datagrams that greet each port in the protocol that it should speak.

It needs no privilege. The kernel keeps the ICMP errors of its sockets, with who sent them. Hosts
ration those: Linux sends six at once and then one a second, so many closed ports stay silent.
"""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Mapping

from portward.scan.course import Counts
from portward.scan.engines import errors
from portward.scan.engines.connect import descriptors
from portward.scan.route import Route
from portward.scan.space import Block, Order
from portward.scan.table import NO_TIME, RECORD, Table
from portward.scan.wire import EXCEEDED, EXCEEDED6, UNREACHABLE, UNREACHABLE6, Answer, Kind

Greetings = Mapping[int, tuple[bytes, ...]]
"""UDP port -> the datagrams to send to it."""

_MOST_SOCKETS = 256
_PORT_UNREACHABLE = {(UNREACHABLE, 3), (UNREACHABLE6, 4)}
_ICMP = {UNREACHABLE, EXCEEDED, UNREACHABLE6, EXCEEDED6}
_ANSWER_BYTES = 2048
_TRIES = 8
_IP_RECVTTL, _IP_TTL, _IPV6_RECVHOPLIMIT, _IPV6_HOPLIMIT = 12, 2, 51, 52  # ip(7), ipv6(7)
_NUMBER = struct.Struct("=i")


class UdpEngine:
    """Asks one block."""

    def __init__(self, block: Block, order: Order, route: Route, greetings: Greetings) -> None:
        """Open its sockets."""
        self._block, self._order, self._greetings = block, order, greetings
        self._family = socket.AF_INET if len(route.source) == 4 else socket.AF_INET6  # noqa: PLR2004
        self._scope = route.ifindex
        self._names = [socket.inet_ntop(self._family, host) for host in block.hosts]
        self._index = {name: number for number, name in enumerate(self._names)}
        self._columns = {port: column for column, port in enumerate(block.ports)}
        self.table = Table(bytearray(block.size * RECORD.size), block.size, bytes(4 * block.size))
        self._epoll = select.epoll()
        # A port has a socket to itself, as far as they go: so an answer that comes from another
        # port, as TFTP's do, is known for what it is.
        count = min(len(block.ports), _MOST_SOCKETS, descriptors())
        self._sockets = [self._open() for _ in range(count)]
        self._by_number = {one.fileno(): place for place, one in enumerate(self._sockets)}
        self._next = self._tries = 0
        self._sent = self._answered = self._opened = self._refused = 0
        self._slowest = self._usual = 0.0

    def _open(self) -> socket.socket:
        one = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        errors.ask_for(one)
        if self._family == socket.AF_INET:
            one.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
        else:
            one.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVHOPLIMIT, 1)
        self._epoll.register(one, select.EPOLLIN)
        return one

    def send(self, most: int) -> int:
        """Greet up to so many ports of this round; 0: none is left."""
        factor, shift = self._order
        sent, count = 0, self.table.count
        while sent < most and self._next < count:
            number = (self._next * factor + shift) % count
            self._next += 1
            if not self.table.memory[number * RECORD.size + 8]:
                self._greet(number)
                sent += 1
        self._sent += sent
        return sent or int(self._next < count)

    def _greet(self, number: int) -> None:
        host, column = divmod(number, len(self._block.ports))
        port = self._block.ports[column]
        one = self._sockets[column % len(self._sockets)]
        name = self._names[host]
        address = (name, port, 0, self._scope) if name.startswith("fe80:") else (name, port)
        self.table.sent(number, time.monotonic_ns() // 1000, self._tries)
        for greeting in self._greetings.get(port) or (b"",):
            for _ in range(_TRIES):
                try:
                    one.sendto(greeting, address)
                    break
                except BlockingIOError:
                    time.sleep(0.001)
                except OSError:
                    # What an earlier datagram of this socket met with is told to a later one.
                    self._errors(one)

    def poll(self) -> None:
        """Take in answers and errors."""
        for descriptor, events in self._epoll.poll(0, _MOST_SOCKETS):
            place = self._by_number[descriptor]
            if events & select.EPOLLERR:
                self._errors(self._sockets[place])
            self._answers(place)

    def _answers(self, place: int) -> None:
        one = self._sockets[place]
        while True:
            try:
                _, extra, _, name = one.recvmsg(_ANSWER_BYTES, 128)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error, which the queue of errors has as well
            hops = 0
            for _, kind, data in extra:
                if kind in (_IP_TTL, _IPV6_HOPLIMIT) and len(data) >= _NUMBER.size:
                    (hops,) = _NUMBER.unpack_from(data)
            number = self._number(place, str(name[0]).partition("%")[0], name[1])
            if number is not None:
                self._note(number, Kind.OPEN, hops=hops)

    def _number(self, place: int, name: str, port: int) -> int | None:
        """Return the probe that a datagram on a socket answers; None: it was not asked for."""
        host = self._index.get(name)
        if host is None:
            return None
        column = self._columns.get(port)
        if len(self._sockets) == len(self._block.ports):
            column = place
        elif column is not None and column % len(self._sockets) != place:
            column = None
        return None if column is None else host * len(self._block.ports) + column

    def _errors(self, one: socket.socket) -> None:
        while found := errors.next_error(one):
            name, port = found.to
            host, column = self._index.get(name.partition("%")[0]), self._columns.get(port)
            if host is None or column is None or found.kind not in _ICMP:
                continue
            icmp = (found.kind, found.code)
            kind = Kind.CLOSED if icmp in _PORT_UNREACHABLE else Kind.REFUSED
            number = host * len(self._block.ports) + column
            if kind == Kind.CLOSED and found.sender != self._block.hosts[host]:
                kind = Kind.REFUSED  # a router or firewall speaks for the host
            self._note(number, kind, found.sender, icmp)

    def _note(
        self,
        number: int,
        kind: Kind,
        sender: bytes = b"",
        icmp: tuple[int, int] = (0, 0),
        hops: int = 0,
    ) -> None:
        before = self.table.memory[number * RECORD.size + 8]
        now = time.monotonic_ns() // 1000
        answer = Answer(kind, b"", 0, 0, 0, hops, sender, icmp)
        if not self.table.answered(number, answer, now, self._tries):
            if kind == Kind.OPEN != before:
                self._opened += 1
                self._refused -= before == Kind.REFUSED
                self._answered += before == Kind.REFUSED
            return
        taken = self.table.record(number).time
        if taken != NO_TIME:
            self._slowest = max(self._slowest, taken / 1e6)
            self._usual += (taken / 1e6 - self._usual) / 8
        self._refused += kind == Kind.REFUSED
        self._answered += kind != Kind.REFUSED
        self._opened += kind == Kind.OPEN

    def counts(self) -> Counts:
        """Return what has been counted so far."""
        return Counts(
            sent=self._sent,
            answered=self._answered,
            opened=self._opened,
            refused=self._refused,
            slowest=self._slowest,
            usual=self._usual,
        )

    def next_round(self) -> None:
        """Begin again with those that have not answered."""
        self._next = 0
        self._tries += 1

    def close(self) -> None:
        """Close its sockets."""
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.close()
        self._epoll.close()
