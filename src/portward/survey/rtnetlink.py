"""What rtnetlink answers mean: links, addresses and routes (pure, no I/O).

Layouts and constants: include/uapi/linux/if_link.h, if_addr.h, rtnetlink.h; rtnetlink(7).
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from portward.survey.netlink import NetlinkError, attributes, messages

AF_INET = 2
AF_INET6 = 10

RTM_NEWLINK, RTM_GETLINK = 16, 18
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26

_IFINFO = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_IFADDR = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix, flags, scope, index
_RTMSG = struct.Struct("=BBBBBBBBI")  # struct rtmsg
_RTNEXTHOP = struct.Struct("=HBBi")  # struct rtnexthop: length, flags, hops, index
_U16, _U32, _I32 = struct.Struct("=H"), struct.Struct("=I"), struct.Struct("=i")

# A request for everything: an empty ifinfomsg with IFLA_EXT_MASK = RTEXT_FILTER_SKIP_STATS (the
# counters are most of an answer), an empty ifaddrmsg, an empty rtmsg.
LINKS = _IFINFO.pack(0, 0, 0, 0, 0) + struct.pack("=HHI", 8, 29, 1 << 3)
ADDRESSES = _IFADDR.pack(0, 0, 0, 0, 0)
ROUTES = bytes(_RTMSG.size)

IFF_UP = 0x1
IFF_LOOPBACK = 0x8
IFF_PROMISC = 0x100
_ARPHRD_PPP = 512

_IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_PROMISCUITY, _IFLA_XDP = 3, 10, 18, 30, 43
_IFLA_INFO_KIND = 1
_IFLA_XDP_ATTACHED = 2
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY = 1, 4, 5, 6
_RTA_MULTIPATH, _RTA_TABLE, _RTA_VIA = 9, 15, 18
_RTN_UNICAST = 1
_RTM_F_CLONED = 0x200
MAIN_TABLE = 254


class Link(NamedTuple):
    """A network device."""

    ifindex: int
    name: str
    kind: str
    """IFLA_INFO_KIND; "loopback", "ppp" or "physical" for a device without one."""
    flags: int
    master: int | None
    promiscuous: bool
    xdp: bool
    """An XDP program sees its packets before any firewall does."""


class Address(NamedTuple):
    """An address of a device, in the bytes of the wire."""

    ifindex: int
    address: bytes
    prefix: int


class Hop(NamedTuple):
    """One way of a unicast route; a multipath route has several."""

    family: int
    destination: bytes
    """Empty where the prefix is 0 and the kernel leaves it out."""
    prefix: int
    table: int
    ifindex: int | None
    gateway: bytes | None
    metric: int | None


def links(datagrams: Iterable[bytes]) -> Iterator[Link]:
    """Read the answer to RTM_GETLINK; raise NetlinkError where it is damaged."""
    for kind, body in messages(datagrams):
        if kind != RTM_NEWLINK:
            continue
        _, hardware, ifindex, flags, _ = _unpack(_IFINFO, body)
        found = dict(attributes(body, _IFINFO.size))
        promiscuity = _number(_U32, found.get(_IFLA_PROMISCUITY)) or 0
        yield Link(
            ifindex=ifindex,
            name=_text(found.get(_IFLA_IFNAME, memoryview(b""))),
            kind=_kind(found.get(_IFLA_LINKINFO), flags, hardware),
            flags=flags,
            master=_number(_U32, found.get(_IFLA_MASTER)),
            promiscuous=bool(flags & IFF_PROMISC or promiscuity),
            xdp=_xdp(found.get(_IFLA_XDP)),
        )


def addresses(datagrams: Iterable[bytes]) -> Iterator[Address]:
    """Read the answer to RTM_GETADDR; raise NetlinkError where it is damaged."""
    for kind, body in messages(datagrams):
        if kind != RTM_NEWADDR:
            continue
        family, prefix, _, _, ifindex = _unpack(_IFADDR, body)
        found = dict(attributes(body, _IFADDR.size))
        # On a point-to-point device IFA_ADDRESS is the other end's and IFA_LOCAL our own.
        own = found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS))
        if own is not None and family in (AF_INET, AF_INET6):
            yield Address(ifindex, _packed(own, family), prefix)


def hops(datagrams: Iterable[bytes]) -> Iterator[Hop]:
    """Read the unicast routes of RTM_GETROUTE's answer; raise NetlinkError where it is damaged."""
    for kind, body in messages(datagrams):
        if kind != RTM_NEWROUTE:
            continue
        family, prefix, _, _, table, _, _, sort, flags = _unpack(_RTMSG, body)
        if sort != _RTN_UNICAST or flags & _RTM_F_CLONED or family not in (AF_INET, AF_INET6):
            continue
        found = dict(attributes(body, _RTMSG.size))
        base = Hop(
            family=family,
            destination=bytes(found.get(_RTA_DST, b"")),
            prefix=prefix,
            table=_number(_U32, found.get(_RTA_TABLE)) or table,
            ifindex=_number(_I32, found.get(_RTA_OIF)),
            gateway=_gateway(found),
            metric=_number(_U32, found.get(_RTA_PRIORITY)),
        )
        if _RTA_MULTIPATH not in found:
            yield base
            continue
        for ifindex, gateway in _nexthops(found[_RTA_MULTIPATH]):
            yield base._replace(ifindex=ifindex, gateway=gateway)


def _nexthops(data: memoryview) -> Iterator[tuple[int, bytes | None]]:
    """Yield device and gateway of each way of RTA_MULTIPATH."""
    offset = 0
    while offset < len(data):
        length, _, _, ifindex = _unpack(_RTNEXTHOP, data[offset:])
        if not _RTNEXTHOP.size <= length <= len(data) - offset:
            raise NetlinkError(f"a next hop of {length} bytes in the last {len(data) - offset}")
        yield ifindex, _gateway(dict(attributes(data[offset : offset + length], _RTNEXTHOP.size)))
        offset += (length + 3) & ~3


def _gateway(found: dict[int, memoryview]) -> bytes | None:
    """Return the gateway; RTA_VIA (struct rtvia) names one of the other family."""
    if _RTA_GATEWAY in found:
        return bytes(found[_RTA_GATEWAY])
    return bytes(found[_RTA_VIA][2:]) if _RTA_VIA in found else None


def _kind(info: memoryview | None, flags: int, hardware: int) -> str:
    """Name the kind of a device."""
    if flags & IFF_LOOPBACK:
        return "loopback"
    found = dict(attributes(info)) if info is not None else {}
    if _IFLA_INFO_KIND in found:
        return _text(found[_IFLA_INFO_KIND])
    return "ppp" if hardware == _ARPHRD_PPP else "physical"


def _xdp(data: memoryview | None) -> bool:
    """Say whether IFLA_XDP tells of a program (XDP_ATTACHED_NONE is 0)."""
    attached = dict(attributes(data)).get(_IFLA_XDP_ATTACHED) if data is not None else None
    return bool(attached and attached[0])


def _packed(value: memoryview, family: int) -> bytes:
    """Return the bytes of an address, which must be as long as its family says."""
    length = 4 if family == AF_INET else 16
    if len(value) != length:
        raise NetlinkError(f"an address of {len(value)} bytes instead of {length}")
    return bytes(value)


def _text(value: memoryview) -> str:
    """Read a zero-terminated name; bytes that are no UTF-8 become lone surrogates."""
    return bytes(value).rstrip(b"\0").decode(errors="surrogateescape")


def _number(layout: struct.Struct, value: memoryview | None) -> int | None:
    """Read a number, where there is one."""
    return None if value is None else int(_unpack(layout, value)[0])


def _unpack(layout: struct.Struct, data: memoryview) -> tuple[int, ...]:
    """Unpack the beginning of data; raise NetlinkError where it is too short."""
    if len(data) < layout.size:
        raise NetlinkError(f"{layout.size} bytes are needed where {len(data)} are left")
    return layout.unpack_from(data)
