"""ICMP errors that the kernel keeps for a socket: MSG_ERRQUEUE, ip(7), ipv6(7).

Layouts and constants: include/uapi/linux/errqueue.h, in.h, in6.h.
"""

import socket
import struct
from typing import NamedTuple

_IP_RECVERR, _IPV6_RECVERR = 11, 25
_EXTENDED = struct.Struct("=IBBBBII")  # struct sock_extended_err; the offender's address follows
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3
_SPACE = 512


class IcmpError(NamedTuple):
    """An ICMP error that came for a packet of a socket."""

    kind: int
    code: int
    sender: bytes
    to: tuple[str, int]
    """Address and port that the packet was for; empty and 0 on a connected socket."""


def ask_for(one: socket.socket) -> None:
    """Have the kernel keep the ICMP errors for a socket."""
    if one.family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        one.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


def next_error(one: socket.socket) -> IcmpError | None:
    """Return the oldest ICMP error, and take it off the queue; None where there is none."""
    while True:
        try:
            _, found, _, name = one.recvmsg(0, _SPACE, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:
            return None
        for _, _, data in found:
            if len(data) < _EXTENDED.size:
                continue
            _, origin, kind, code, *_ = _EXTENDED.unpack_from(data)
            if origin not in (_ORIGIN_ICMP, _ORIGIN_ICMP6):
                continue
            offender = data[_EXTENDED.size :]
            sender = offender[4:8] if origin == _ORIGIN_ICMP else offender[8:24]
            return IcmpError(kind, code, sender, (name[0], name[1]) if name else ("", 0))
