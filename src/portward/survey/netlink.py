"""Netlink dumps: ask the kernel for a table and get it whole, checked, and without copies.

Layouts and constants: include/uapi/linux/netlink.h and rtnetlink.h, netlink(7).
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

NETLINK_ROUTE = 0
NETLINK_SOCK_DIAG = 4
NETLINK_NETFILTER = 12

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST = 0x1
_NLM_F_DUMP_INTR = 0x10
_NLM_F_DUMP = 0x300
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length, type
_ERRNO = struct.Struct("=i")  # struct nlmsgerr begins with it, and so does the body of DONE

HEADER_BYTES = _HEADER.size
_DATAGRAM_BYTES = 1 << 18  # the kernel packs a dump into at most 32 KiB, or one message
_ANSWER_BYTES = 1 << 28
_PATIENCE = struct.pack("@ll", 10, 0)  # struct timeval: a dump never waits for anything
_TRIES = 10


class NetlinkError(ValueError):
    """An answer that is no well-formed netlink."""


class Netlink:
    """One connection to a netlink family of the kernel, for dumps."""

    def __init__(self, protocol: int) -> None:
        """Open it in the network namespace of the calling thread; raise OSError if it cannot."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        try:
            self._socket.connect((0, 0))  # from now on only the kernel is heard
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
        except OSError:
            self._socket.close()
            raise
        self._buffer = memoryview(bytearray(_DATAGRAM_BYTES))
        self._sequence = 0

    def __enter__(self) -> Self:
        """Return the connection itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._socket.close()

    def dump(self, kind: int, body: bytes, flags: int = 0) -> list[bytes]:
        """Ask for a whole table and return the datagrams of the answer, without the DONE.

        Every datagram holds one or more whole messages; messages() takes them apart. An answer
        that the kernel says was disturbed by a change is asked for again.

        Raises:
            OSError: the kernel refused, with its errno, or the table never held still (EAGAIN).
            NetlinkError: the answer is damaged.

        """
        for _ in range(_TRIES):
            self._sequence += 1
            header = _HEADER.pack(
                HEADER_BYTES + len(body),
                kind,
                _NLM_F_REQUEST | _NLM_F_DUMP | flags,
                self._sequence,
                0,
            )
            self._socket.send(header + body)
            whole, datagrams = self._answer()
            if whole:
                return datagrams
        raise OSError(errno.EAGAIN, "the kernel's table changed during every reading")

    def _answer(self) -> tuple[bool, list[bytes]]:
        """Receive one answer; False when the table changed under the kernel's hands."""
        whole, done, total = True, False, 0
        datagrams: list[bytes] = []
        while not done:
            size = self._socket.recv_into(self._buffer, 0, socket.MSG_TRUNC)
            total += size
            if size > _DATAGRAM_BYTES or total > _ANSWER_BYTES:
                raise NetlinkError(f"an answer of {max(size, total)} bytes is too long")
            end, done, undisturbed = check(self._buffer[:size], self._sequence)
            whole = whole and undisturbed
            if end:
                datagrams.append(bytes(self._buffer[:end]))
        return whole, datagrams


def check(datagram: bytes | memoryview, sequence: int) -> tuple[int, bool, bool]:
    """Walk the headers of a datagram of a dump.

    Returns where its messages end, whether the dump is over, and whether nothing changed
    meanwhile (no NLM_F_DUMP_INTR). Raises as Netlink.dump() does.
    """
    offset, size, undisturbed = 0, len(datagram), True
    while offset < size:
        if size - offset < HEADER_BYTES:
            raise NetlinkError(f"a message header is cut off after {size - offset} bytes")
        length, kind, flags, number, _ = _HEADER.unpack_from(datagram, offset)
        if not HEADER_BYTES <= length <= size - offset:
            raise NetlinkError(f"a message of {length} bytes in the last {size - offset}")
        if number != sequence:
            raise NetlinkError(f"an answer to request {number} instead of {sequence}")
        if flags & _NLM_F_DUMP_INTR:
            undisturbed = False
        if kind in (_NLMSG_DONE, _NLMSG_ERROR):
            _raise(datagram[offset + HEADER_BYTES : offset + length])
            return offset, True, undisturbed
        offset += (length + 3) & ~3
    return size, False, undisturbed


def _raise(body: bytes | memoryview) -> None:
    """Raise the error that ends a dump, if it is one; a DONE may come without a number."""
    if len(body) >= _ERRNO.size:
        (code,) = _ERRNO.unpack_from(body)
        if code < 0:
            raise OSError(-code, os.strerror(-code))


def messages(datagrams: Iterable[bytes]) -> Iterator[tuple[int, memoryview]]:
    """Yield type and body (what follows the header) of every message that dump() returned."""
    for datagram in datagrams:
        view = memoryview(datagram)
        offset = 0
        while offset < len(view):
            if len(view) - offset < HEADER_BYTES:
                raise NetlinkError("a message header is cut off")
            length, kind, _, _, _ = _HEADER.unpack_from(view, offset)
            if not HEADER_BYTES <= length <= len(view) - offset:
                raise NetlinkError(f"a message of {length} bytes in the last {len(view) - offset}")
            yield kind, view[offset + HEADER_BYTES : offset + length]
            offset += (length + 3) & ~3


def attributes(data: bytes | memoryview, offset: int = 0) -> Iterator[tuple[int, memoryview]]:
    """Yield type (without its flags) and value of every attribute from offset on.

    Raises NetlinkError where a length leads outside of data or nowhere.
    """
    view = memoryview(data)
    size = len(view)
    while offset < size:
        if size - offset < _ATTRIBUTE.size:
            raise NetlinkError(f"an attribute header is cut off after {size - offset} bytes")
        length, kind = _ATTRIBUTE.unpack_from(view, offset)
        if not _ATTRIBUTE.size <= length <= size - offset:
            raise NetlinkError(f"an attribute of {length} bytes in the last {size - offset}")
        yield kind & _TYPE_MASK, view[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute for the body of a request, padded."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)
