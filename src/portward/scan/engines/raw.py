"""A socket that sends whole IP packets; the kernel finds their way and the hardware address."""

import contextlib
import ctypes
import errno
import os
import socket
import struct
from collections.abc import Sequence

from portward.scan.route import Route

_SLOT = 64
"""Bytes for a probe: of IPv6 it has just as many."""
_ADDRESS = 28
_HEADER = struct.Struct("@PI4xPN")
"""The beginning of struct msghdr: name, its length, vector, its length."""
_HEADER_BYTES = 64  # struct mmsghdr
_VECTOR = struct.Struct("@PN")
_IPV4_BYTES = 4
_FULL = {errno.EAGAIN, errno.ENOMEM, errno.ENOBUFS}
_REFUSED = {errno.EPERM, errno.EINVAL, errno.ENETUNREACH, errno.EHOSTUNREACH}
"""EPERM: by a local firewall."""


class RawSocket:
    """Sends packets to the hosts of a block."""

    def __init__(self, route: Route, hosts: Sequence[bytes]) -> None:
        """Open it; raise PermissionError without CAP_NET_RAW."""
        self._family = socket.AF_INET if len(route.source) == _IPV4_BYTES else socket.AF_INET6
        self._socket = socket.socket(self._family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._socket.settimeout(0)
        self._route = route
        self._names = ctypes.create_string_buffer(
            b"".join(map(self._name, hosts)), _ADDRESS * len(hosts)
        )

    def _name(self, host: bytes) -> bytes:
        """Return the struct sockaddr_in or sockaddr_in6 of a host."""
        if self._family == socket.AF_INET:
            return struct.pack("=HH4s20x", socket.AF_INET, 0, host)
        scope = self._route.ifindex if host[:2] == b"\xfe\x80" else 0
        return struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, host, scope)

    def send(self, packet: bytes, host: bytes) -> bool:
        """Send one packet, if the kernel lets it through."""
        text = socket.inet_ntop(self._family, host)
        scope = (0, 0, self._route.ifindex) if host[:2] == b"\xfe\x80" else (0,)
        with contextlib.suppress(OSError):
            self._socket.sendto(packet, (text, *scope))
            return True
        return False

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def batch(self, size: int, length: int) -> "Batch":
        """Prepare batches of up to so many packets of a length."""
        return Batch(self._socket.fileno(), ctypes.addressof(self._names), size, length)


class Batch:
    """Packets that one sendmmsg() sends."""

    def __init__(self, descriptor: int, names: int, size: int, length: int) -> None:
        """Lay out the memory that the kernel is shown."""
        self.packets = bytearray(size * _SLOT)
        self._descriptor, self._base = descriptor, names
        self._headers = bytearray(size * _HEADER_BYTES)
        vectors = bytearray(size * _VECTOR.size)
        self._keep = vectors, _where(self.packets), _where(vectors), _where(self._headers)
        packets, vector = (ctypes.addressof(one) for one in self._keep[1:3])
        for number in range(size):
            _VECTOR.pack_into(vectors, number * _VECTOR.size, packets + number * _SLOT, length)
            at = vector + number * _VECTOR.size
            _HEADER.pack_into(self._headers, number * _HEADER_BYTES, names, _ADDRESS, at, 1)
        self._at = ctypes.addressof(self._keep[3])
        self._function = ctypes.CDLL(None, use_errno=True).sendmmsg

    @staticmethod
    def offset(slot: int) -> int:
        """Return where a packet lies."""
        return slot * _SLOT

    def address(self, slot: int, host: int) -> None:
        """Say to which host of the block a packet goes."""
        struct.pack_into("@P", self._headers, slot * _HEADER_BYTES, self._base + host * _ADDRESS)

    def send(self, first: int, last: int) -> int:
        """Send the packets from first up to last; return how many were taken.

        Raises OSError where this can never be.
        """
        sent = first
        while sent < last:
            result: int = self._function(
                self._descriptor,
                ctypes.c_void_p(self._at + sent * _HEADER_BYTES),
                last - sent,
                0,
            )
            if result < 0:
                number = ctypes.get_errno()
                if number in _FULL:
                    break
                if number not in _REFUSED:
                    raise OSError(number, os.strerror(number))
                result = 1  # this one packet is not let out: it counts as sent, and as silent
            sent += result
        return sent - first


def _where(memory: bytearray) -> "ctypes.Array[ctypes.c_char]":
    return (ctypes.c_char * len(memory)).from_buffer(memory)
