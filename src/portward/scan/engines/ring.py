"""The ring engine: raw IP packets out, a packet ring in, Python in between.

For what the BPF engine cannot: addresses of this machine, devices without Ethernet, older
kernels. The kernel routes what it sends, so a local firewall sees it.
"""

import ctypes
import mmap
import os
import random
import socket
import struct
import time

from portward.scan import wire
from portward.scan.course import Counts
from portward.scan.engines.lanes import LANES, Lanes
from portward.scan.engines.losses import Losses
from portward.scan.engines.raw import RawSocket
from portward.scan.route import Route
from portward.scan.space import Block, Order
from portward.scan.table import NO_TIME, RECORD, Table

_BATCH = 64
"""Each has one canary, if there is an open port to ask again."""
_CANARIES = 256

# From include/uapi/linux/if_packet.h and filter.h, as packet(7) tells.
_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION = 5, 6, 10
_TPACKET_V2 = 1
_SO_ATTACH_FILTER = 26
_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD
_FRAME = 256
_FRAMES = 1 << 14
_PIECE = 1 << 16
_HEADER = struct.Struct("=IIIHHII")
"""struct tpacket2_hdr: status, length, what of it is here, link, network, time."""
_USER = 1
_SNAP = 160


class RingEngine:
    """Asks one block, through one device."""

    def __init__(self, block: Block, order: Order, route: Route) -> None:
        """Open its sockets; raise PermissionError without CAP_NET_RAW."""
        self._block, self._route, self._order = block, route, order
        self._index = {host: number for number, host in enumerate(block.hosts)}
        self._columns = {port: column for column, port in enumerate(block.ports)}
        self._raw = RawSocket(route, block.hosts)
        count = block.size
        self.table = Table(bytearray(count * RECORD.size), count, os.urandom(4 * count))
        self._lanes = Lanes(route.source, route.device)
        self._tap, self._ring = _tap(route, self._lanes.first)
        self._losses = Losses(route.device)
        self._at = self._next = self._tries = 0
        self._sent = self._answered = self._opened = self._refused = 0
        self._canaries = self._returned = self._full = self._dropped = 0
        self._slowest = self._usual = 0.0
        self._canary: list[int] = []
        self._probes = wire.Probes(route.source, self._lanes.first)
        self._batch = self._raw.batch(_BATCH, len(self._probes.plain))
        self._bases = [self._probes.for_host(host) for host in block.hosts]
        self._prepare()

    def _prepare(self) -> None:
        """Make the packets of this round: they have a source port of its own."""
        own_port = self._lanes.first + self._tries % LANES
        self._probes = wire.Probes(self._route.source, own_port)
        self._bases = [self._probes.for_host(host) for host in self._block.hosts]
        base = self._bases[0][0]
        for slot in range(_BATCH):
            at = self._batch.offset(slot)
            self._batch.packets[at : at + len(base)] = base

    def send(self, most: int) -> int:
        """Send up to so many probes of this round; 0: none is left."""
        sent = 0
        while sent < most and (batch := self._write(min(most - sent, _BATCH))):
            now = time.time_ns() // 1000
            for number in batch:
                self.table.sent(number, now, self._tries)
            taken = self._send_with_canary(len(batch))
            sent += taken
            self._sent += taken
            self.poll()
            if taken < len(batch):
                self._full += 1
                break
        return max(sent, self._next < self.table.count)

    def _send_with_canary(self, count: int) -> int:
        """Send the batch, with a canary somewhere in it: at an end it would fare better."""
        if not self._canary or count < _BATCH:
            return self._batch.send(0, count)
        middle = random.randrange(count)  # noqa: S311 - no secret
        taken = self._batch.send(0, middle)
        if taken < middle:
            return taken
        self._ask_canary()
        return middle + self._batch.send(middle, count)

    def _write(self, most: int) -> list[int]:
        """Write the next probes into the batch; return their numbers."""
        memory, count = self.table.memory, self.table.count
        factor, shift = self._order
        width, ports = len(self._block.ports), self._block.ports
        batch, packets, probes = self._batch, self._batch.packets, self._probes
        several = len(self._block.hosts) > 1
        unpack = struct.Struct("=I").unpack_from
        written: list[int] = []
        place = self._next
        while place < count and len(written) < most:
            number = (place * factor + shift) % count
            place += 1
            if memory[number * RECORD.size + 8]:
                continue
            host, column = divmod(number, width)
            slot = len(written)
            at = batch.offset(slot)
            base, total = self._bases[host]
            if several:
                packets[at : at + len(base)] = base
                batch.address(slot, host)
            probes.write(packets, at, total, ports[column], unpack(memory, number * RECORD.size)[0])
            written.append(number)
        self._next = place
        return written

    def _ask_canary(self) -> None:
        """Ask an open port again, from another source port."""
        number = self._canary[self._canaries % len(self._canary)]
        host, column = divmod(number, len(self._block.ports))
        own_port = self._lanes.first + LANES + self._canaries % LANES
        address = self._block.hosts[host]
        cookie, port = self.table.cookie(number), self._block.ports[column]
        packet = wire.syn(self._route.source, address, own_port, port, cookie)
        self._canaries += self._raw.send(packet, address)

    def poll(self) -> None:
        """Take in what lies in the ring."""
        ring = self._ring
        while True:
            at = self._at * _FRAME
            status, _, length, _, net, seconds, nanoseconds = _HEADER.unpack_from(ring, at)
            if not status & _USER:
                return
            answer = wire.read(ring[at + net : at + min(net + length, _FRAME)])
            ring[at : at + 4] = b"\0\0\0\0"  # TP_STATUS_KERNEL: the frame is the kernel's again
            self._at = (self._at + 1) % _FRAMES
            if answer:
                self._take(answer, seconds * 1_000_000 + nanoseconds // 1000)

    def _take(self, answer: wire.Answer, now: int) -> None:
        host = self._index.get(answer.host)
        column = self._columns.get(answer.port)
        lane = answer.own_port - self._lanes.first
        if host is None or column is None or not 0 <= lane < 2 * LANES:
            return
        number = host * len(self._block.ports) + column
        if self.table.cookie(number) != answer.cookie:
            return
        if answer.kind == wire.Kind.OPEN:
            following = answer.cookie + 1 & 0xFFFFFFFF
            packet = wire.rst(
                self._route.source, answer.host, answer.own_port, answer.port, following
            )
            self._raw.send(packet, answer.host)
        if lane >= LANES:
            self._returned += answer.kind != wire.Kind.REFUSED
            return
        before = self.table.memory[number * RECORD.size + 8]
        tries = self._tries if self._tries % LANES == lane else None
        first = self.table.answered(number, answer, now, tries)
        after = self.table.memory[number * RECORD.size + 8]
        if first:
            time_taken = self.table.record(number).time
            if time_taken != NO_TIME:
                self._slowest = max(self._slowest, time_taken / 1e6)
                self._usual += (time_taken / 1e6 - self._usual) / 8
        if after == before:
            return
        refused = wire.Kind.REFUSED
        self._refused += (after == refused) - (before == refused)
        self._answered += after != refused and before in (wire.Kind.SILENT, refused)
        if after == wire.Kind.OPEN:
            self._opened += 1
            if len(self._canary) < _CANARIES:
                self._canary.append(number)

    def counts(self) -> Counts:
        """Return what has been counted so far."""
        if self._tap.fileno() >= 0:
            statistics = self._tap.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
            self._dropped += struct.unpack("=II", statistics)[1]
        return Counts(
            sent=self._sent,
            answered=self._answered,
            opened=self._opened,
            refused=self._refused,
            canaries=self._canaries,
            returned=self._returned,
            full=self._full,
            dropped=self._dropped + self._losses.count(),
            slowest=self._slowest,
            usual=self._usual,
        )

    def next_round(self) -> None:
        """Begin again with those that have not answered."""
        self._next = 0
        self._tries += 1
        self._prepare()

    def close(self) -> None:
        """Close its sockets."""
        self._ring.close()
        self._tap.close()
        self._raw.close()
        self._lanes.close()


def _tap(route: Route, first_port: int) -> tuple[socket.socket, mmap.mmap]:
    """Open a packet socket that lets only answers through, with a ring to read them from."""
    six = len(route.source) == 16  # noqa: PLR2004 - IPv6
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    try:
        program = _filter6(first_port) if six else _filter4(first_port)
        code = bytearray(b"".join(struct.pack("=HBBI", *one) for one in program))
        where = (ctypes.c_char * len(code)).from_buffer(code)
        fprog = struct.pack("@HP", len(program), ctypes.addressof(where))
        tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
        tap.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
        layout = struct.pack("=IIII", _PIECE, _FRAMES * _FRAME // _PIECE, _FRAME, _FRAMES)
        tap.setsockopt(_SOL_PACKET, _PACKET_RX_RING, layout)
        ring = mmap.mmap(tap.fileno(), _FRAMES * _FRAME)
        # Bound last: before, no frame could come that the filter has not seen.
        tap.bind((route.device, _ETH_P_IPV6 if six else _ETH_P_IP))
    except OSError:
        tap.close()
        raise
    return tap, ring


_LDB, _LDH, _LDH_X, _LDX_IHL, _SUB, _RET = 0x30, 0x28, 0x48, 0xB1, 0x14, 0x06
_JEQ, _JGE, _JSET = 0x15, 0x35, 0x45


def _filter4(first: int) -> list[tuple[int, int, int, int]]:
    """Let TCP to our source ports and ICMP through; offsets count from the IP header."""
    return [
        (_LDB, 0, 0, 9),
        (_JEQ, 7, 0, wire.ICMP),
        (_JEQ, 0, 7, wire.TCP),
        (_LDH, 0, 0, 6),
        (_JSET, 5, 0, 0x1FFF),
        (_LDX_IHL, 0, 0, 0),
        (_LDH_X, 0, 0, 2),
        (_SUB, 0, 0, first),
        (_JGE, 1, 0, 2 * LANES),
        (_RET, 0, 0, _SNAP),
        (_RET, 0, 0, 0),
    ]


def _filter6(first: int) -> list[tuple[int, int, int, int]]:
    """Do the same for IPv6."""
    return [
        (_LDB, 0, 0, 6),
        (_JEQ, 4, 0, wire.ICMPV6),
        (_JEQ, 0, 4, wire.TCP),
        (_LDH, 0, 0, 42),
        (_SUB, 0, 0, first),
        (_JGE, 1, 0, 2 * LANES),
        (_RET, 0, 0, _SNAP),
        (_RET, 0, 0, 0),
    ]
