"""Packets that ask the kernel: each carries its number where no translation changes it.

The number stands in the identification of an IPv4 header or the flow label of an IPv6 header, in
both sequence numbers of TCP (a reset repeats one of them) and in the first two bytes of what else
carries data, so that answers and errors of the kernel show whose they are.
"""

import struct
from typing import NamedTuple

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
HOPS = 44
"""Time to live: packets that the kernel makes itself have more."""
NEW, INVALID, UNTRACKED = 8, 1, 64


class Group(NamedTuple):
    """Packets that share everything but their source."""

    bits: int
    """32 or 128."""
    device: str
    protocol: int
    daddr: int
    sport: int
    """For ICMP: the type."""
    dport: int
    """For ICMP: the code."""
    flags: int
    """Of TCP."""
    sources: tuple[int, ...]

    @property
    def state(self) -> int:
        """Return what connection tracking makes of the first such packet.

        net/netfilter/nf_conntrack_proto_{tcp,icmp,icmpv6}.c: a SYN or, by tcp_loose, an ACK
        opens a connection; requests open one, answers to nothing are invalid.
        """
        if self.protocol == TCP:
            return NEW if self.flags in {2, 16, 24} else INVALID
        if self.protocol == ICMP:
            return NEW if self.sport in {8, 13, 15, 17} else INVALID
        if self.protocol == ICMPV6:
            if self.sport in {130, 131, 132, 133, 134, 135, 136, 143}:
                return UNTRACKED
            return NEW if self.sport in {128, 139} else INVALID
        return NEW

    def packets(self, first: int) -> list[bytes]:
        """Return one packet for each source, numbered from first."""
        return [self._packet(first + index, source) for index, source in enumerate(self.sources)]

    def _packet(self, number: int, source: int) -> bytes:
        body = self._body(number)
        length = self.bits // 8
        addresses = source.to_bytes(length, "big") + self.daddr.to_bytes(length, "big")
        at = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}[self.protocol]
        pseudo = (
            b""
            if self.protocol == ICMP
            else addresses + struct.pack("!HH", self.protocol, len(body))
        )
        total = checksum(pseudo + body)
        if not total and self.protocol == UDP:
            total = 0xFFFF
        body = body[:at] + total.to_bytes(2, "big") + body[at + 2 :]
        if self.bits == 128:
            head = struct.pack("!IHBB", 0x60000000 | number, len(body), self.protocol, HOPS)
            return head + addresses + body
        head = struct.pack(
            "!BBHHHBBH", 0x45, 0, 20 + len(body), number, 0x4000, HOPS, self.protocol, 0
        )
        total = checksum(head + addresses)
        return head[:10] + total.to_bytes(2, "big") + addresses + body

    def _body(self, number: int) -> bytes:
        if self.protocol == TCP:
            return struct.pack(
                "!HHIIBBHHH",
                *(self.sport, self.dport, number << 8, number << 8),
                *(0x50, self.flags, 1024, 0, 0),
            )
        if self.protocol == UDP:
            return struct.pack("!HHHHHH", self.sport, self.dport, 12, 0, number, 0)
        return struct.pack("!BBHHHI", self.sport, self.dport, 0, number, number, 0)


def checksum(data: bytes) -> int:
    """Return the checksum of the internet (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


class Answer(NamedTuple):
    """What became of a packet: "input", "forward", "reject" or "drop"."""

    kind: str
    device: str | None = None
    daddr: int = 0
    dport: int = 0


DROPPED = Answer("drop")
REJECTED = Answer("reject")


def delivered(data: bytes, daddr: int | None, protocol: int) -> tuple[int, Answer]:
    """Read what a raw socket got; IPv4 ones get the header too, for IPv6 daddr is told apart."""
    if daddr is None:
        number = int.from_bytes(data[4:6], "big")
        daddr = int.from_bytes(data[16:20], "big")
        data = data[20:]
    elif protocol == TCP:
        number = int.from_bytes(data[4:7], "big")
    else:
        at = 8 if protocol == UDP else 4
        number = int.from_bytes(data[at : at + 2], "big")
    return number, Answer("input", None, daddr, _port(data, protocol))


def left(data: bytes, device: str) -> tuple[int, Answer] | None:
    """Read what left by an interface: a packet of ours passed on, or the kernel's refusal."""
    if data[0] >> 4 == 4:
        protocol, hops = data[9], data[8]
        number, body = int.from_bytes(data[4:6], "big"), data[20:]
        daddr = int.from_bytes(data[16:20], "big")
    else:
        protocol, hops = data[6], data[7]
        number, body = int.from_bytes(data[1:4], "big") & 0xFFFFF, data[40:]
        daddr = int.from_bytes(data[24:40], "big")
    if hops == HOPS - 1:
        return number, Answer("forward", device, daddr, _port(body, protocol))
    if hops == HOPS:  # a copy, or what "fwd" took away
        return None
    if protocol == TCP and body[13] & 4:
        # It acknowledges up to two more than it got: a SYN and a FIN count.
        return int.from_bytes(body[4:7], "big") or int.from_bytes(body[8:11], "big"), REJECTED
    if protocol == ICMP and body[0] == 3:
        return int.from_bytes(body[12:14], "big"), REJECTED
    if protocol == ICMPV6 and body[0] == 1:
        return int.from_bytes(body[9:12], "big") & 0xFFFFF, REJECTED
    return None


def is_reset(data: bytes) -> bool:
    """Say whether it is a reset of TCP, with which the kernel answers for a closed port."""
    protocol, body = (data[9], data[20:]) if data[0] >> 4 == 4 else (data[6], data[40:])
    return protocol == TCP and bool(body[13] & 4)


def _port(body: bytes, protocol: int) -> int:
    return int.from_bytes(body[2:4], "big") if protocol in {TCP, UDP} else 0
