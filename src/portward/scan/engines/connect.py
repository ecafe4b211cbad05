"""The engine that needs no privilege: connect(), many at a time.

A port that refuses does so, on a near host, before the second look at its socket: then the socket
is used again at once, and a port costs two system calls. What takes longer waits in an epoll.
The kernel retransmits after a second; rounds are much faster than that.
"""

import contextlib
import errno
import os
import resource
import select
import socket
import struct
import time
from collections import deque

from portward.scan.course import Counts
from portward.scan.engines import errors
from portward.scan.route import Route
from portward.scan.space import Block, Order
from portward.scan.table import NO_TIME, RECORD, Table
from portward.scan.wire import EXCEEDED, EXCEEDED6, UNREACHABLE, UNREACHABLE6, Answer, Kind

_BATCH = 64
_MOST_SOCKETS = 16_384
"""About 70 MB of the kernel's memory, and half of the ports that it gives to one destination."""
_SPARE = 64
"""Descriptors that are left for everything else."""
_PATIENCE = 1.0
"""Seconds after which a socket is wanted for another port, before any round trip is known."""
_LEAST_PATIENCE = 0.3
_RETRANSMITTED = 0.9
"""Seconds after which an answer may be one to the kernel's second SYN (TCP_TIMEOUT_INIT is 1)."""
_RESET = struct.pack("ii", 1, 0)  # struct linger: close with a RST, and without TIME_WAIT
_TCP_INFO_BYTES, _TCP_INFO_RTT = 104, 68  # struct tcp_info, include/uapi/linux/tcp.h
_FULL = {errno.EAGAIN, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
_ICMP = {UNREACHABLE, EXCEEDED, UNREACHABLE6, EXCEEDED6}


class ConnectEngine:
    """Asks one block."""

    def __init__(self, block: Block, order: Order, route: Route) -> None:
        """Prepare; no socket is opened yet."""
        self._block, self._order, self._route = block, order, route
        self._family = socket.AF_INET if len(route.source) == 4 else socket.AF_INET6  # noqa: PLR2004
        names = [socket.inet_ntop(self._family, host) for host in block.hosts]
        zone = f"%{route.device}"
        self._names = [name + zone if name.startswith("fe80:") else name for name in names]
        count = block.size
        self.table = Table(bytearray(count * RECORD.size), count, bytes(4 * count))
        self._room = descriptors()
        self._free: list[socket.socket] = []
        self._waiting: dict[int, tuple[socket.socket, int]] = {}
        self._since: deque[tuple[float, int, int]] = deque()
        self._epoll = select.epoll()
        self._next = self._tries = 0
        self._sent = self._answered = self._opened = self._refused = self._full = 0
        self._slowest = self._usual = 0.0

    def send(self, most: int) -> int:
        """Begin up to so many connections of this round; 0: none is left to begin."""
        sent = 0
        count = self.table.count
        while sent < most and self._next < count:
            room = self._make_room()
            begun = self._begin(min(most - sent, _BATCH, room))
            self._sent += len(begun)
            sent += len(begun)
            for one, number in begun:
                self._look(one, number)
            if not begun and self._next < count:
                self._full += bool(room)
                self._wait(0.001)
                break
        return max(sent, self._next < count)

    def _begin(self, most: int) -> list[tuple[socket.socket, int]]:
        """Begin connections; return the sockets with the numbers of their probes."""
        memory, count = self.table.memory, self.table.count
        factor, shift = self._order
        width, ports, names = len(self._block.ports), self._block.ports, self._names
        begun: list[tuple[socket.socket, int]] = []
        place = self._next
        now = time.monotonic_ns() // 1000
        while place < count and len(begun) < most:
            number = (place * factor + shift) % count
            if not memory[number * RECORD.size + 8]:
                host, column = divmod(number, width)
                one = self._free.pop() if self._free else self._open()
                code = one.connect_ex((names[host], ports[column]))
                if code in _FULL:
                    self._free.append(one)
                    break
                self.table.sent(number, now, self._tries)
                begun.append((one, number))
            place += 1
        self._next = place
        return begun

    def _open(self) -> socket.socket:
        one = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        errors.ask_for(one)
        return one

    def _look(self, one: socket.socket, number: int) -> None:
        """Look once more at a connection that was just begun."""
        host, column = divmod(number, len(self._block.ports))
        code = one.connect_ex((self._names[host], self._block.ports[column]))
        if code == errno.ECONNREFUSED:
            self._refusal(one, number)
            self._free.append(one)
        elif code in (0, errno.EISCONN):
            self._accepted(one, number)
        elif code == errno.EALREADY:
            descriptor = one.fileno()
            self._waiting[descriptor] = one, number
            self._since.append((time.monotonic(), descriptor, number))
            self._epoll.register(descriptor, select.EPOLLOUT | select.EPOLLONESHOT)
        else:
            self._refusal(one, number, code)
            one.close()

    def _refusal(self, one: socket.socket, number: int, code: int = errno.ECONNREFUSED) -> None:
        """Note a RST, or the ICMP error in its place; an error of this machine is silence."""
        found = errors.next_error(one)
        if found is not None and found.kind in _ICMP:
            self._note(number, Kind.REFUSED, found.sender, (found.kind, found.code))
        elif code == errno.ECONNREFUSED:
            self._note(number, Kind.CLOSED)

    def _accepted(self, one: socket.socket, number: int) -> None:
        """Note an open port and leave it."""
        if one.getsockname() == _peer(one):
            # Connected with itself, as TCP can (RFC 9293, 3.5): nobody listens there.
            self._note(number, Kind.CLOSED)
            one.close()
            return
        try:
            info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            (taken,) = struct.unpack_from("=I", info, _TCP_INFO_RTT)
        except (OSError, struct.error):
            taken = NO_TIME
        self._note(number, Kind.OPEN, taken=taken)
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        one.close()

    def _note(
        self,
        number: int,
        kind: Kind,
        sender: bytes = b"",
        icmp: tuple[int, int] = (0, 0),
        taken: int = NO_TIME,
    ) -> None:
        now = time.monotonic_ns() // 1000
        before = self.table.record(number)
        waited = (now - before.time & NO_TIME) / 1e6
        if waited < _RETRANSMITTED:
            self._slowest = max(self._slowest, waited)
            self._usual += (waited - self._usual) / 8
        answer = Answer(kind, b"", 0, 0, 0, 0, sender, icmp)
        known = (now, self._tries) if taken == NO_TIME else (before.time + taken, self._tries)
        self.table.answered(number, answer, *known)
        self._answered += kind != Kind.REFUSED
        self._refused += kind == Kind.REFUSED
        self._opened += kind == Kind.OPEN

    def poll(self) -> None:
        """Take in what has been decided."""
        self._wait(0)

    def _wait(self, seconds: float) -> None:
        for descriptor, _ in self._epoll.poll(seconds, _MOST_SOCKETS):
            one, number = self._waiting.pop(descriptor)
            code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            found = errors.next_error(one) if code or not _peer(one) else None
            if found is not None and found.kind in _ICMP:
                self._note(number, Kind.REFUSED, found.sender, (found.kind, found.code))
                one.close()
            elif code == errno.ECONNREFUSED:
                self._note(number, Kind.CLOSED)
                one.close()
            elif code:
                one.close()
            else:
                self._accepted(one, number)

    def _make_room(self) -> int:
        """Return for how many sockets there is room, giving up on the oldest that wait."""
        patience = max(_LEAST_PATIENCE, 3 * self._slowest) if self._slowest else _PATIENCE
        if len(self._waiting) >= self._room:
            self._give_up(time.monotonic() - patience)
        return self._room - len(self._waiting)

    def _give_up(self, before: float) -> None:
        """Close what has been waiting since before a time."""
        while self._since and self._since[0][0] <= before:
            _, descriptor, number = self._since.popleft()
            found = self._waiting.get(descriptor)
            if found and found[1] == number:
                del self._waiting[descriptor]
                found[0].close()

    def counts(self) -> Counts:
        """Return what has been counted so far; the kernel itself repairs what this side loses."""
        return Counts(
            sent=self._sent,
            answered=self._answered,
            opened=self._opened,
            refused=self._refused,
            full=self._full,
            slowest=self._slowest,
            usual=self._usual,
        )

    def next_round(self) -> None:
        """Begin again with those that have not answered."""
        self._wait(0)
        self._give_up(time.monotonic())
        self._next = 0
        self._tries += 1

    def close(self) -> None:
        """Close everything."""
        self._give_up(time.monotonic())
        for one in self._free:
            one.close()
        self._free = []
        self._epoll.close()


def _peer(one: socket.socket) -> object:
    """Return the address that a socket is connected with; None while it is not."""
    try:
        return one.getpeername()
    except OSError:
        return None


def descriptors() -> int:
    """Allow as many descriptors as may be, and return how many sockets that is room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_SOCKETS + _SPARE
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as many as there are
    limit = wanted if soft == resource.RLIM_INFINITY else soft
    return max(1, min(_MOST_SOCKETS, limit - used - _SPARE // 2))
