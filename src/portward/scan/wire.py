"""Probes and their answers as packets (pure): RFC 791, 792, 8200, 4443, 9293.

Answers come from anywhere and may be anything: what is cut short, belongs to another program or
does not repeat what was sent is None. The cookie of a probe is its sequence number, which is
random: whoever acknowledges or quotes it has seen the probe.
"""

import struct
from enum import IntEnum
from typing import NamedTuple

ICMP, TCP, ICMPV6 = 1, 6, 58
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

UNREACHABLE, EXCEEDED = 3, 11
UNREACHABLE6, EXCEEDED6 = 1, 3
_NEEDS_FRAGMENTATION = 4

HOPS = 64
_WINDOW = 1024
_MSS = struct.pack("!BBH", 2, 4, 1460)
"""A SYN without any option is what some firewalls take for an attack."""

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIBBHHH")
_QUOTED = struct.Struct("!HHI")
"""Ports and sequence number: an ICMP error quotes eight bytes at least."""
_IPV4_BYTES, _IPV6_BYTES, _TCP_BYTES, _ICMP_BYTES = 20, 40, 20, 8


class Kind(IntEnum):
    """What an answer says of the port; the numbers are those of scan.bpf.c."""

    SILENT = 0
    OPEN = 1
    CLOSED = 2
    REFUSED = 3
    """An ICMP error."""


class Answer(NamedTuple):
    """A packet that answers a probe, if its cookie is that of the probe."""

    kind: Kind
    host: bytes
    """Address that was asked."""
    port: int
    own_port: int
    cookie: int
    hops: int
    """Time to live, or hop limit, that is left."""
    sender: bytes
    """Whose packet it is: the host, or a router on the way."""
    icmp: tuple[int, int] = (0, 0)
    """Type and code."""
    bare: bool = False
    """A SYN-ACK without options or with a window of 0, as a SYN proxy forges them."""


def syn(source: bytes, host: bytes, own_port: int, port: int, cookie: int) -> bytes:
    """Return the packet that asks a port."""
    return _packet(source, host, _segment(own_port, port, cookie, SYN, _MSS))


def rst(source: bytes, host: bytes, own_port: int, port: int, number: int) -> bytes:
    """Return the packet that ends a half-open connection; number is what the host acknowledged."""
    return _packet(source, host, _segment(own_port, port, number, RST, b""))


def _segment(own_port: int, port: int, number: int, flags: int, options: bytes) -> bytearray:
    window = 0 if flags & RST else _WINDOW
    length = (_TCP_BYTES + len(options)) // 4
    head = _TCP.pack(own_port, port, number, 0, length << 4, flags, window, 0, 0)
    return bytearray(head + options)


def _packet(source: bytes, host: bytes, segment: bytearray) -> bytes:
    pseudo = source + host + struct.pack("!HH", TCP, len(segment))
    struct.pack_into("!H", segment, 16, checksum(pseudo + segment))
    if len(host) == 16:  # noqa: PLR2004 - IPv6
        return _IPV6.pack(6 << 28, len(segment), TCP, HOPS, source, host) + segment
    length = _IPV4_BYTES + len(segment)
    head = bytearray(_IPV4.pack(0x45, 0, length, 0, 0x4000, HOPS, TCP, 0, source, host))
    struct.pack_into("!H", head, 10, checksum(head))
    return bytes(head + segment)


def checksum(data: bytes | bytearray) -> int:
    """Return the checksum of RFC 1071 of an even number of bytes."""
    return ~fold(words(data)) & 0xFFFF


def words(data: bytes | bytearray) -> int:
    """Return the sum of the 16-bit words."""
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def fold(total: int) -> int:
    """Fold a sum of words to 16 bits."""
    while total > 0xFFFF:  # noqa: PLR2004 - 16 bits
        total = (total >> 16) + (total & 0xFFFF)
    return total


class Probes:
    """Probes of one source to hosts of one family, made quickly: all but a few fields is fixed."""

    def __init__(self, source: bytes, own_port: int) -> None:
        """Make the packet that all have in common."""
        self.plain = syn(source, bytes(len(source)), own_port, 0, 0)
        self._host_at = 16 if len(source) == 4 else 24  # noqa: PLR2004 - IPv4
        self._tcp_at = len(self.plain) - _TCP_BYTES - len(_MSS)
        self._sum_at = self._tcp_at + 16
        self._fields = struct.Struct("!HI")
        head = bytearray(self.plain[: self._tcp_at])
        head[10:12] = b"\0\0"  # of IPv4; of IPv6 it is part of the source, and not used
        self._head_sum = words(head)
        (given,) = struct.unpack_from("!H", self.plain, self._sum_at)
        self._sum = fold(~given & 0xFFFF)

    def for_host(self, host: bytes) -> tuple[bytes, int]:
        """Return the packet that all ports of a host have in common, and the sum for write()."""
        packet = bytearray(self.plain)
        packet[self._host_at : self._host_at + len(host)] = host
        if len(host) == 4:  # noqa: PLR2004 - IPv4
            struct.pack_into("!H", packet, 10, ~fold(self._head_sum + words(host)) & 0xFFFF)
        return bytes(packet), self._sum + words(host)

    def write(self, packet: bytearray, offset: int, total: int, port: int, cookie: int) -> None:
        """Write port and cookie into a packet of a host that lies at an offset."""
        self._fields.pack_into(packet, offset + self._tcp_at + 2, port, cookie)
        total += port + (cookie >> 16) + (cookie & 0xFFFF)
        total = (total >> 16) + (total & 0xFFFF)
        total = ~((total >> 16) + total) & 0xFFFF
        packet[offset + self._sum_at] = total >> 8
        packet[offset + self._sum_at + 1] = total & 0xFF


def read(packet: bytes | memoryview) -> Answer | None:
    """Read an answer from its IP header on; None for whatever else it is."""
    try:
        version = packet[0] >> 4
        if version == 4:  # noqa: PLR2004 - IPv4
            return _read_ipv4(packet)
        return _read_ipv6(packet) if version == 6 else None  # noqa: PLR2004 - IPv6
    except (struct.error, IndexError):
        return None


def _read_ipv4(packet: bytes | memoryview) -> Answer | None:
    head, _, _, _, fragment, hops, protocol, _, source, _ = _IPV4.unpack_from(packet)
    at = (head & 0xF) * 4
    if at < _IPV4_BYTES or fragment & 0x1FFF:
        return None
    if protocol == TCP:
        return _tcp(packet, at, source, hops)
    if protocol != ICMP:
        return None
    kind, code = packet[at], packet[at + 1]
    if kind not in (UNREACHABLE, EXCEEDED) or (
        kind == UNREACHABLE and code == _NEEDS_FRAGMENTATION
    ):
        return None
    at += _ICMP_BYTES
    head, *_, protocol, _, _, host = _IPV4.unpack_from(packet, at)
    inner = (head & 0xF) * 4
    if head >> 4 != 4 or inner < _IPV4_BYTES or protocol != TCP:  # noqa: PLR2004 - IPv4
        return None
    return _refusal(packet, at + inner, host, (kind, code), hops, source)


def _read_ipv6(packet: bytes | memoryview) -> Answer | None:
    _, _, protocol, hops, source, _ = _IPV6.unpack_from(packet)
    at = _IPV6_BYTES
    if protocol == TCP:
        return _tcp(packet, at, source, hops)
    if protocol != ICMPV6:
        return None
    kind, code = packet[at], packet[at + 1]
    if kind not in (UNREACHABLE6, EXCEEDED6):
        return None
    at += _ICMP_BYTES
    head, _, protocol, _, _, host = _IPV6.unpack_from(packet, at)
    if head >> 28 != 6 or protocol != TCP:  # noqa: PLR2004 - IPv6
        return None
    return _refusal(packet, at + _IPV6_BYTES, host, (kind, code), hops, source)


def _tcp(packet: bytes | memoryview, at: int, host: bytes, hops: int) -> Answer | None:
    port, own_port, _, number, length, flags, window, _, _ = _TCP.unpack_from(packet, at)
    if not flags & ACK:
        return None
    if flags & RST:
        kind = Kind.CLOSED
    elif flags & SYN:
        kind = Kind.OPEN
    else:
        return None
    bare = kind == Kind.OPEN and (window == 0 or length >> 4 <= _TCP_BYTES // 4)
    cookie = (number - 1) & 0xFFFFFFFF
    return Answer(kind, host, port, own_port, cookie, hops, host, bare=bare)


def _refusal(
    packet: bytes | memoryview,
    at: int,
    host: bytes,
    icmp: tuple[int, int],
    hops: int,
    sender: bytes,
) -> Answer:
    own_port, port, cookie = _QUOTED.unpack_from(packet, at)
    return Answer(Kind.REFUSED, host, port, own_port, cookie, hops, sender, icmp=icmp)
