"""Hardware addresses of hosts on our own link: ARP (RFC 826) and neighbour discovery (RFC 4861).

They are asked for by frames of our own, not through the kernel's table, which has room for a
thousand neighbours and would have to throw out those that this machine works with.
"""

import socket
import struct
import time
from collections.abc import Callable, Collection, Iterable

from portward.scan.route import Route
from portward.scan.wire import checksum

_ETH_P_ARP, _ETH_P_IPV6 = 0x0806, 0x86DD
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_REQUEST, _REPLY = 1, 2
_SOLICITATION, _ADVERTISEMENT = 135, 136
_ICMPV6 = 58
_BROADCAST = b"\xff" * 6
_PATIENCE = (0.1, 0.3, 0.8)
"""Seconds after each round of questions: a radio that sleeps may hear only the last."""
_BURST = 128
_BURST_TIME = 0.005
"""Seconds between bursts: 25,000 questions a second, which a network of that size bears."""
_FRAME_BYTES = 256
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23


def resolve(route: Route, own: bytes, wanted: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the hardware addresses of those that answer; raise OSError without the right to."""
    left = list(dict.fromkeys(wanted))
    found: dict[bytes, bytes] = {}
    if not left:
        return found
    six = len(left[0]) == 16  # noqa: PLR2004 - IPv6
    kind = _ETH_P_IPV6 if six else _ETH_P_ARP
    read, question = (_advertised, _solicit) if six else (_replied, _request)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as link:
        link.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        link.bind((route.device, kind))
        for patience in _PATIENCE:
            for first in range(0, len(left), _BURST):
                for address in left[first : first + _BURST]:
                    link.send(question(own, route.source, address))
                _listen(link, read, found, left, _BURST_TIME)
            _listen(link, read, found, left, patience)
            left = [address for address in left if address not in found]
            if not left:
                break
    return found


def _listen(
    link: socket.socket,
    read: Callable[[bytes], tuple[bytes, bytes] | None],
    found: dict[bytes, bytes],
    wanted: Collection[bytes],
    patience: float,
) -> None:
    """Take in answers until all have come or time is up."""
    missing = {address for address in wanted if address not in found}
    end = time.monotonic() + patience
    while missing and (left := end - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            pair = read(link.recv(_FRAME_BYTES))
        except TimeoutError:
            return
        if pair and pair[0] in missing:
            missing.discard(pair[0])
            found[pair[0]] = pair[1]


def _request(own: bytes, source: bytes, wanted: bytes) -> bytes:
    arp = _ARP.pack(1, 0x0800, 6, 4, _REQUEST, own, source, bytes(6), wanted)
    return _BROADCAST + own + struct.pack("!H", _ETH_P_ARP) + arp


def _replied(frame: bytes) -> tuple[bytes, bytes] | None:
    if len(frame) < 14 + _ARP.size:
        return None
    _, _, _, _, operation, mac, address, _, _ = _ARP.unpack_from(frame, 14)
    return (address, mac) if operation == _REPLY else None


def _solicit(own: bytes, source: bytes, wanted: bytes) -> bytes:
    group = bytes.fromhex("ff0200000000000000000001ff") + wanted[-3:]  # solicited-node, RFC 4291
    body = bytearray(struct.pack("!BBHI", _SOLICITATION, 0, 0, 0) + wanted + b"\1\1" + own)
    pseudo = source + group + struct.pack("!II", len(body), _ICMPV6)
    struct.pack_into("!H", body, 2, checksum(pseudo + body))
    ip = struct.pack("!IHBB", 6 << 28, len(body), _ICMPV6, 255) + source + group
    return b"\x33\x33" + group[-4:] + own + struct.pack("!H", _ETH_P_IPV6) + ip + body


def _advertised(frame: bytes) -> tuple[bytes, bytes] | None:
    icmp = frame[54:]
    # The hop limit is 255 where no router was in between (RFC 4861, 7.1.2).
    if len(icmp) < 24 or frame[20] != _ICMPV6 or frame[21] != 255 or icmp[0] != _ADVERTISEMENT:  # noqa: PLR2004
        return None
    options = icmp[24:]
    mac = options[2:8] if options[:2] == b"\2\1" else frame[6:12]
    return icmp[8:24], mac
