"""The kernel's answers about internet sockets, taken apart; pure.

Layouts and constants: include/uapi/linux/inet_diag.h.
"""

import struct
import sys
from collections.abc import Iterable, Iterator
from itertools import repeat
from socket import AF_INET, AF_INET6
from typing import Any, NamedTuple

from portward.survey.netlink import HEADER_BYTES, NetlinkError, attribute, attributes, messages

ANY_STATE = 0xFFFFFFFF
CLOSE, LISTEN = 7, 10  # enum tcp_states; an unconnected UDP socket is "closed"

_REQ_PROTOCOL = 3  # INET_DIAG_REQ_PROTOCOL, for numbers that do not fit the request's byte
_SKV6ONLY, _LOCALS, _CGROUP_ID = 11, 12, 21  # INET_DIAG_*
_SOCKADDR_STORAGE = 128
_SOCKADDR_IN, _SOCKADDR_IN6 = slice(4, 8), slice(8, 24)  # where the address lies in it

# struct inet_diag_req_v2: family, protocol, extensions, padding, states, socket
_REQUEST = struct.Struct("=BBxxI48x")
# struct inet_diag_msg: family, state, timer, retransmits; source port, destination port, source
# address, destination address, interface, cookie; expiry, receive queue, send queue, uid, inode
_FIELDS = "BB2xH2x16s16xI8x8xIII"
_BODY = struct.Struct("=" + _FIELDS)
_START = HEADER_BYTES + _BODY.size


class Row(NamedTuple):
    """One socket as the kernel describes it."""

    family: int
    state: int
    port: int
    """In network byte order."""
    source: bytes
    """16 bytes, of which an IPv4 address takes the first four."""
    device: int
    queue: int
    """Length of the send queue; for a listener the most connections that wait for accept()."""
    uid: int
    inode: int
    v6only: int = 0
    cgroup: int = 0
    """0: not said."""


def request(family: int, protocol: int, states: int) -> bytes:
    """Return the body of a request for all sockets of a protocol in the given states."""
    if protocol <= 0xFF:  # noqa: PLR2004 - a byte
        return _REQUEST.pack(family, protocol, states)
    number = attribute(_REQ_PROTOCOL, struct.pack("=I", protocol))
    return _REQUEST.pack(family, 0xFF, states) + number


def rows(datagrams: Iterable[bytes]) -> Iterator[Row]:
    """Yield every socket of an answer; NetlinkError where it is damaged.

    An SCTP socket that is bound to several addresses is yielded once for each of them.
    """
    for datagram in datagrams:
        alike = rows_alike(datagram)
        yield from rows_apart(datagram) if alike is None else alike


def rows_apart(datagram: bytes) -> Iterator[Row]:
    """Take a datagram apart message by message, attribute by attribute."""
    for _, body in messages([datagram]):
        if len(body) < _BODY.size:
            raise NetlinkError(f"a socket in {len(body)} bytes")
        values = dict(attributes(body, _BODY.size))
        v6only = _number(values.get(_SKV6ONLY), 1)
        cgroup = _number(values.get(_CGROUP_ID), 8)
        row = Row._make((*_BODY.unpack_from(body), v6only, cgroup))
        addresses = values.get(_LOCALS, b"")
        if len(addresses) <= _SOCKADDR_STORAGE:
            yield row
            continue
        for offset in range(0, len(addresses), _SOCKADDR_STORAGE):
            yield _at(row, bytes(addresses[offset : offset + _SOCKADDR_STORAGE]))


def _number(value: memoryview | None, size: int) -> int:
    """Return the number in an attribute, 0 where there is none."""
    if value is None:
        return 0
    if len(value) != size:
        raise NetlinkError(f"a number of {size} bytes in {len(value)}")
    return int.from_bytes(value, sys.byteorder)


def _at(row: Row, sockaddr: bytes) -> Row:
    """Return the same socket at another of its addresses."""
    family = int.from_bytes(sockaddr[:2], sys.byteorder)
    places: dict[int, slice] = {AF_INET: _SOCKADDR_IN, AF_INET6: _SOCKADDR_IN6}
    place = places.get(family)
    if place is None or len(sockaddr) < place.stop:
        raise NetlinkError(f"an address of family {family} in {len(sockaddr)} bytes")
    return row._replace(family=family, source=sockaddr[place].ljust(16, b"\0"))


def rows_alike(datagram: bytes) -> Iterator[Row] | None:
    """Take a datagram apart at one stroke; None where its messages are not of one layout.

    The kernel gives every socket of one dump the same attributes, so nearly all answers are.
    """
    length = int.from_bytes(datagram[:4], sys.byteorder)
    if length < _START or length % 4 or len(datagram) % length:
        return None
    places: dict[int, tuple[int, int]] = {}
    headers, end, offset = "=I", 4, _START
    for kind, value in attributes(datagram[:length], _START):
        headers += f"{offset - end}xI"
        end = offset + 4
        places[kind] = end, len(value)
        offset += 4 + (len(value) + 3 & ~3)
    shapes = set(struct.iter_unpack(f"{headers}{length - end}x", datagram))
    v6only = places.get(_SKV6ONLY, (0, 1))
    cgroup = places.get(_CGROUP_ID, (0, 8))
    if len(shapes) != 1 or _LOCALS in places or v6only[1] != 1 or cgroup[1] != 8:  # noqa: PLR2004 - the sizes of the two numbers
        return None

    def column(fields: str, offset: int) -> Iterator[tuple[Any, ...]]:
        if not offset:
            return repeat((0,))
        size = struct.calcsize("=" + fields)
        layout = f"={offset}x{fields}{length - offset - size}x"
        return struct.iter_unpack(layout, datagram)

    columns = zip(
        column(_FIELDS, HEADER_BYTES), column("B", v6only[0]), column("Q", cgroup[0]), strict=False
    )
    return (Row._make(fields + only + group) for fields, only, group in columns)
