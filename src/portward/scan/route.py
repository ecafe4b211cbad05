"""Which way packets to an address take: the kernel's own answer, by RTM_GETROUTE.

Layouts and constants: include/uapi/linux/rtnetlink.h, netlink.h; rtnetlink(7).
"""

import errno
import os
import socket
import struct
from types import TracebackType
from typing import NamedTuple, Self

_RTM_GETROUTE = 26
_NLM_F_REQUEST = 1
_NLMSG_ERROR = 2
_HEADER = struct.Struct("=IHHII")
_RTMSG = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_TYPE_MASK = 0x3FFF
_ERROR = struct.Struct("=i")
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_VIA = 1, 4, 5, 7, 18
_UNICAST, _LOCAL = 1, 2
_NAMES = {3: "a broadcast address", 4: "an anycast address", 5: "a multicast address"}
_REFUSALS = {
    errno.ENETUNREACH: "there is no route to it from here",
    errno.EHOSTUNREACH: "routing here says that it is unreachable",
    errno.EACCES: "routing here prohibits it",
    errno.EINVAL: "routing here throws it away",
}
_ANSWER_BYTES = 8192


class Route(NamedTuple):
    """How packets to an address leave this machine."""

    device: str
    ifindex: int
    source: bytes
    """Address that they carry."""
    gateway: bytes | None
    """None: the address is on the link itself."""
    local: bool
    """It is an address of this machine."""


class NoRouteError(Exception):
    """Packets to the address do not leave; the text is a clause that says why."""


class Router:
    """Asks the kernel, in the network namespace of the calling thread."""

    def __init__(self) -> None:
        """Open a connection; raise OSError where there is none to be had."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self._devices: dict[int, str] = {}

    def __enter__(self) -> Self:
        """Return the router itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._socket.close()

    def route(self, address: bytes, zone: str = "") -> Route:
        """Return the way to an address; zone names the interface of a link-local one.

        Raises NoRouteError.
        """
        family = socket.AF_INET if len(address) == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
        body = _RTMSG.pack(family, len(address) * 8, 0, 0, 0, 0, 0, 0, 0)
        body += _attribute(_RTA_DST, address)
        if zone:
            try:
                number = socket.if_nametoindex(zone)
            except OSError:
                raise NoRouteError(f'there is no interface "{zone}"') from None
            body += _attribute(_RTA_OIF, struct.pack("=i", number))
        header = _HEADER.pack(_HEADER.size + len(body), _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0)
        self._socket.send(header + body)
        return self._read(self._socket.recv(_ANSWER_BYTES), len(address))

    def _read(self, answer: bytes, size: int) -> Route:
        _, kind, _, _, _ = _HEADER.unpack_from(answer)
        if kind == _NLMSG_ERROR:
            (code,) = _ERROR.unpack_from(answer, _HEADER.size)
            raise NoRouteError(_REFUSALS.get(-code, os.strerror(-code)))
        *_, sort, _ = _RTMSG.unpack_from(answer, _HEADER.size)
        if sort not in (_UNICAST, _LOCAL):
            raise NoRouteError(f"it is {_NAMES.get(sort, 'no address of a host')}")
        found = _attributes(answer, _HEADER.size + _RTMSG.size)
        via = found.get(_RTA_GATEWAY) or found.get(_RTA_VIA, b"")[2:]
        (ifindex,) = struct.unpack("=i", found.get(_RTA_OIF, bytes(4)))
        source = found.get(_RTA_PREFSRC)
        if not ifindex or not source or len(source) != size:
            raise NoRouteError("no address of this machine fits it")
        return Route(self._name(ifindex), ifindex, source, via or None, sort == _LOCAL)

    def _name(self, ifindex: int) -> str:
        if ifindex not in self._devices:
            self._devices[ifindex] = socket.if_indextoname(ifindex)
        return self._devices[ifindex]


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value


def _attributes(data: bytes, at: int) -> dict[int, bytes]:
    found = {}
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _TYPE_MASK] = data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found
