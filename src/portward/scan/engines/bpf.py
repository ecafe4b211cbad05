"""The BPF engine: the kernel sends and the kernel counts; nothing here runs once a packet.

``scan.bpf.c`` has the two programs. User space gives the pace, and ends half-open connections.
"""

import ctypes
import os
import socket
from array import array
from collections.abc import Sequence
from threading import Thread

from portward.bpf.loader import UnavailableError
from portward.bpf.objects import Programs
from portward.scan import wire
from portward.scan.course import Counts
from portward.scan.engines.lanes import Lanes
from portward.scan.engines.losses import Losses
from portward.scan.engines.raw import RawSocket
from portward.scan.route import Route
from portward.scan.space import Block, Order
from portward.scan.table import RECORD, Table

_PORTS = 65536
_HANDSHAKES = 1024
_CANARIES = 256
_BATCH = 64
_MOST_RUNS = 512
_WORTH_TWO = 512
"""From so many probes at a time on a second processor takes part."""
_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD
_SO_ATTACH_BPF = 50
_CANARY_EVERY = 64
"""Of so many probes, one is followed by a canary."""


class _Handshake(ctypes.Structure):
    _fields_ = (("number", ctypes.c_uint32), ("own_port", ctypes.c_uint32))


class _Control(ctypes.Structure):
    """``struct control`` of scan.bpf.c."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("next", "end", "limit")),
        *((name, ctypes.c_uint64) for name in ("count", "factor", "shift")),
        *((name, ctypes.c_uint64) for name in ("canary_every", "unused")),
        *((name, ctypes.c_uint32) for name in ("ports", "family", "ifindex")),
        *((name, ctypes.c_uint32) for name in ("first_port", "tries", "unused2")),
        ("source", ctypes.c_uint8 * 16),
        ("own_mac", ctypes.c_uint8 * 8),
        *((name, ctypes.c_uint64) for name in ("sent", "answered", "opened", "refused")),
        *((name, ctypes.c_uint64) for name in ("canaries", "returned", "full", "slowest")),
        *((name, ctypes.c_uint64) for name in ("usual", "bad", "handshakes")),
        ("handshake", _Handshake * _HANDSHAKES),
        ("found", ctypes.c_uint64),
        ("canary", ctypes.c_uint32 * _CANARIES),
    )


class BpfEngine:
    """Asks one block through one Ethernet device."""

    def __init__(
        self, block: Block, order: Order, route: Route, own: bytes, macs: Sequence[bytes]
    ) -> None:
        """Load the programs and hold the source ports.

        own is the hardware address of the device, macs has one for each host of the block.

        Raises:
            UnavailableError: the kernel or the privilege is missing.

        """
        self._block, self._route = block, route
        count = block.size
        six = len(route.source) == 16  # noqa: PLR2004 - IPv6
        self._kind = _ETH_P_IPV6 if six else _ETH_P_IP
        self._two = len(os.sched_getaffinity(0)) > 1
        self._ended = 0
        hosts = len(block.hosts)
        self._programs = Programs("scan", {"probes": count, "hosts": hosts, "numbers": hosts})
        try:
            self.table = Table(
                self._programs.memory("probes", count * RECORD.size), count, os.urandom(4 * count)
            )
            self._fill(macs)
            self._lanes = Lanes(route.source, route.device)
            self._control = self._controls(order, own)
            self._transmit = self._programs.program("transmit")
            self._losses = Losses(route.device)
            self._frame = own + own + self._kind.to_bytes(2, "big") + self._template()
            self._tap = self._listen()
            self._raw = RawSocket(route, ())
        except OSError as error:
            self._programs.close()
            raise UnavailableError(error.strerror or str(error)) from error

    def _fill(self, macs: Sequence[bytes]) -> None:
        """Write the hosts and the ports into their maps."""
        hosts = b"".join(
            host.ljust(16, b"\0") + mac + b"\0\0"
            for host, mac in zip(self._block.hosts, macs, strict=True)
        )
        self._programs.memory("hosts", len(hosts))[: len(hosts)] = hosts
        for number, host in enumerate(self._block.hosts):
            self._programs.write("numbers", host.ljust(16, b"\0"), number.to_bytes(4, "little"))
        ports = array("H", self._block.ports)
        columns = array("H", b"\xff\xff" * _PORTS)
        for column, port in enumerate(ports):
            columns[port] = column
        both = ports.tobytes().ljust(2 * _PORTS, b"\0") + columns.tobytes()
        self._programs.memory("columns", len(both))[: len(both)] = both

    def _controls(self, order: Order, own: bytes) -> _Control:
        memory = self._programs.memory("control", ctypes.sizeof(_Control))
        control = _Control.from_buffer(memory)
        control.count = control.end = self._block.size
        control.factor, control.shift = order
        control.canary_every = _CANARY_EVERY
        control.ports = len(self._block.ports)
        control.family, control.ifindex = self._kind, self._route.ifindex
        control.first_port = self._lanes.first
        ctypes.memmove(control.source, self._route.source, len(self._route.source))
        ctypes.memmove(control.own_mac, own, len(own))
        return control

    def _template(self) -> bytes:
        return wire.syn(self._route.source, bytes(len(self._route.source)), 1, 1, 0)

    def _listen(self) -> int:
        """Attach the program that receives; return the descriptor that keeps it there."""
        try:
            program = self._programs.program("receive")
            return self._programs.attach(program, self._route.ifindex)
        except UnavailableError:  # a kernel before TCX
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as tap:
                program = self._programs.program("overhear")
                tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_BPF, program)
                tap.bind((self._route.device, self._kind))
                return tap.detach()

    def send(self, most: int) -> int:
        """Send up to so many probes of this round; 0: none is left."""
        control = self._control
        before, full = control.sent, control.full
        control.limit = before + most
        if control.next < control.end and most >= _WORTH_TWO and self._two:
            other = Thread(target=self._push, args=(most, full))
            other.start()
            try:
                self._push(most, full)
            finally:
                other.join()
        else:
            self._push(most, full)
        sent: int = control.sent - before
        return sent or int(control.next < control.end)

    def _push(self, most: int, full: int) -> None:
        """Run the program until it has sent enough, the round is over or the queue is full."""
        control = self._control
        runs = most // _BATCH + 1
        while control.next < control.end and control.sent < control.limit and control.full == full:
            self._programs.run(self._transmit, self._frame, min(runs, _MOST_RUNS))
            runs *= 2  # most of those that are left have been answered already

    def poll(self) -> None:
        """End the connections that are half open since the last call."""
        control = self._control
        first = max(self._ended, control.handshakes - _HANDSHAKES)
        for at in range(first, control.handshakes):
            one = control.handshake[at % _HANDSHAKES]
            self._end(one.number, one.own_port)
        self._ended = control.handshakes

    def _end(self, number: int, own_port: int) -> None:
        index, column = divmod(number, len(self._block.ports))
        host, port = self._block.hosts[index], self._block.ports[column]
        cookie = self.table.cookie(number) + 1 & 0xFFFFFFFF
        packet = wire.rst(self._route.source, host, own_port, port, cookie)
        self._raw.send(packet, host)

    def counts(self) -> Counts:
        """Return what the programs have counted."""
        control = self._control
        return Counts(
            sent=control.sent,
            answered=control.answered,
            opened=control.opened,
            refused=control.refused,
            canaries=control.canaries,
            returned=control.returned,
            full=control.full,
            dropped=self._losses.count(),
            slowest=control.slowest / 1e6,
            usual=control.usual / 1e6,
        )

    def next_round(self) -> None:
        """Begin again with those that have not answered."""
        self._control.next = 0
        self._control.tries += 1

    def close(self) -> None:
        """Unload the programs."""
        os.close(self._tap)
        self._raw.close()
        self._lanes.close()
        self._programs.close()
