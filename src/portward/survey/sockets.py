"""Sockets that take packets nobody asked for, asked of the kernel through sock_diag(7).

Constants: include/uapi/linux/sock_diag.h, inet_diag.h and packet_diag.h.
"""

import errno
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from socket import AF_INET, AF_INET6, AF_PACKET, inet_ntop, ntohs
from typing import NamedTuple

from portward.model.net import IPV6_ANY, Family, Protocol
from portward.survey import files
from portward.survey.inet_diag import ANY_STATE, CLOSE, LISTEN, Row, request, rows
from portward.survey.netlink import (
    NETLINK_SOCK_DIAG,
    Netlink,
    NetlinkError,
    attributes,
    messages,
)

_SOCK_DIAG_BY_FAMILY = 20

_PACKET_REQUEST = struct.Struct("=BBHIIII")  # family, protocol, padding, inode, show, cookie
_PACKET_SHOW = 0x01 | 0x20  # PACKET_SHOW_INFO, PACKET_SHOW_FILTER
_PACKET_BODY = struct.Struct("=BBHIII")  # family, type, EtherType, inode, cookie
_PACKET_INFO, _PACKET_UID, _PACKET_FILTER = 0, 5, 7  # PACKET_DIAG_*
_WORD = struct.Struct("=I")  # PACKET_DIAG_UID, and the index that PACKET_DIAG_INFO begins with

_V4_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291, 2.5.5.2
_ROOT_CGROUP = 1  # also what every socket has where a net_cls or net_prio v1 hierarchy is active
_PROC_BYTES = 1 << 24


class Socket(NamedTuple):
    """A socket that takes packets nobody asked for."""

    protocol: Protocol
    family: Family
    address: str
    """Empty for packet sockets."""
    port: int
    """The IP protocol of a raw socket, the EtherType of a packet socket."""
    device: int
    """Index of the interface it is bound to; 0: any."""
    inode: int
    cgroup: int | None
    """Inode number of the cgroup v2 directory it was made in; None where the kernel is silent."""
    uid: int
    backlog: int | None
    """The most connections that wait for accept(); None for what has no connections."""
    mptcp: bool
    filtered: bool
    """A classic BPF filter is attached; asked of packet sockets only."""


class _Kind(NamedTuple):
    """One question to inet_diag."""

    name: str
    """As /proc/net/protocols has it."""
    protocol: Protocol
    number: int
    """IPPROTO_*"""
    states: int


_KINDS = (
    _Kind("MPTCP", Protocol.TCP, 262, 1 << LISTEN),
    _Kind("TCP", Protocol.TCP, 6, 1 << LISTEN),
    _Kind("UDP", Protocol.UDP, 17, 1 << CLOSE),
    _Kind("UDP-Lite", Protocol.UDPLITE, 136, 1 << CLOSE),
    _Kind("SCTP", Protocol.SCTP, 132, 1 << LISTEN),
    _Kind("DCCP", Protocol.DCCP, 33, 1 << LISTEN),
    _Kind("RAW", Protocol.RAW, 255, ANY_STATE),  # IPPROTO_RAW asks for every IP protocol
)


def sockets() -> tuple[list[Socket], tuple[str, ...]]:
    """List the listening sockets of the calling thread's network namespace.

    Returns them, and a sentence for every kind of socket that could not be listed.
    """
    found: list[Socket] = []
    gaps: list[str] = []
    try:
        netlink = Netlink(NETLINK_SOCK_DIAG)
    except OSError as error:
        return [], (f"Sockets could not be listed: {error.strerror}.",)
    with netlink:
        for kind in _KINDS:
            try:
                found += _inet_sockets(netlink, kind)
            except (OSError, NetlinkError) as error:
                gaps.append(f"{kind.name} sockets could not be listed: {_reason(error)}.")
        try:
            packet, unsure = packet_sockets(_ask_packet(netlink))
            found += packet
            if unsure:
                gaps.append("Filters of packet sockets could not be seen: needs root.")
        except (OSError, NetlinkError) as error:
            gaps.append(f"Packet sockets could not be listed: {_reason(error)}.")
    return _without_subflows(found), tuple(gaps)


def _reason(error: Exception) -> str:
    """Return why a question failed, as the end of a sentence."""
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        return "this kernel has no sock_diag for them"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _inet_sockets(netlink: Netlink, kind: _Kind) -> list[Socket]:
    """Ask for one kind of internet socket; a protocol that the kernel lacks has none."""
    try:
        datagrams = [
            datagram
            for family in (AF_INET, AF_INET6)
            for datagram in netlink.dump(
                _SOCK_DIAG_BY_FAMILY, request(family, kind.number, kind.states)
            )
        ]
    except FileNotFoundError:
        # No module answers: because there is no such protocol, or although there is.
        if kind.name not in _protocols():
            return []
        if kind.protocol is not Protocol.RAW:
            raise
        return inet_sockets(kind, _raw_rows())
    return inet_sockets(kind, rows(datagrams))


def _protocols() -> set[str]:
    """Name the protocols that the kernel has sockets of."""
    table = files.read_bytes(Path("/"), "/proc/thread-self/net/protocols", _PROC_BYTES).decode()
    return {line.split(None, 1)[0] for line in table.splitlines()[1:]}


def inet_sockets(kind: _Kind, described: Iterable[Row]) -> list[Socket]:
    """Put what inet_diag says into words; pure."""
    places: dict[tuple[int, bytes, int], tuple[Family, str]] = {}
    found = []
    listens = kind.states == 1 << LISTEN
    # A raw IPv6 socket never takes IPv4 packets, whatever its v6only says.
    only = kind.protocol is Protocol.RAW
    mptcp = kind.name == "MPTCP"
    for family, _, port, source, device, queue, uid, inode, v6only, cgroup in described:
        key = (family, source, only or v6only)
        place = places.get(key)
        if place is None:
            place = places[key] = _place(*key)
        found.append(
            Socket(
                kind.protocol,
                *place,
                ntohs(port),
                device,
                inode,
                cgroup if cgroup > _ROOT_CGROUP else None,
                uid,
                queue if listens else None,
                mptcp,
                filtered=False,
            )
        )
    return found


def _place(family: int, source: bytes, v6only: int) -> tuple[Family, str]:
    """Say which family reaches an address, and write it."""
    if family == AF_INET:
        return Family.IPV4, inet_ntop(AF_INET, source[:4])
    if family != AF_INET6:
        raise NetlinkError(f"an internet socket of address family {family}")
    if source.startswith(_V4_MAPPED):
        return Family.IPV4, inet_ntop(AF_INET, source[12:])
    address = inet_ntop(AF_INET6, source)
    return Family.DUAL if address == IPV6_ANY and not v6only else Family.IPV6, address


def _without_subflows(found: list[Socket]) -> list[Socket]:
    """Drop the TCP socket that the kernel keeps below an MPTCP listener, with the same inode."""
    above = {listener.inode for listener in found if listener.mptcp}
    if not above:
        return found
    return [listener for listener in found if listener.mptcp or listener.inode not in above]


def _raw_rows() -> Iterator[Row]:
    """Read raw sockets where the kernel was built without a sock_diag for them."""
    for family, name in ((AF_INET, "raw"), (AF_INET6, "raw6")):
        path = f"/proc/thread-self/net/{name}"
        yield from proc_rows(family, files.read_bytes(Path("/"), path, _PROC_BYTES).decode())


def proc_rows(family: int, table: str) -> Iterator[Row]:
    """Take /proc/net/raw or raw6 apart (proc_net(5)); it does not tell the interface."""
    for line in table.splitlines()[1:]:
        try:
            _, local, _, state, _, _, _, uid, _, inode, *_ = line.split()
            address, _, protocol = local.partition(":")
            words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
            source = struct.pack(f"={len(words)}I", *words).ljust(16, b"\0")
            row = Row(
                family,
                int(state, 16),
                ntohs(int(protocol, 16)),
                source,
                device=0,
                queue=0,
                uid=int(uid),
                inode=int(inode),
            )
        except (ValueError, OverflowError, struct.error) as error:
            raise NetlinkError("a line of /proc/net that is no socket") from error
        yield row


def _ask_packet(netlink: Netlink) -> list[bytes]:
    """Ask for packet sockets; a kernel without them has none."""
    body = _PACKET_REQUEST.pack(AF_PACKET, 0, 0, 0, _PACKET_SHOW, 0, 0)
    try:
        return netlink.dump(_SOCK_DIAG_BY_FAMILY, body)
    except FileNotFoundError:
        if "PACKET" in _protocols():
            raise
        return []


def packet_sockets(datagrams: Iterable[bytes]) -> tuple[list[Socket], bool]:
    """Put what packet_diag says into words; pure.

    Returns the sockets, and True where the kernel kept their filters from us.
    """
    found = []
    hidden = False
    for _, body in messages(datagrams):
        if len(body) < _PACKET_BODY.size:
            raise NetlinkError(f"a packet socket in {len(body)} bytes")
        _, _, ethertype, inode, _, _ = _PACKET_BODY.unpack_from(body)
        values = dict(attributes(body, _PACKET_BODY.size))
        program = values.get(_PACKET_FILTER)
        hidden = hidden or (program is not None and not len(program))
        if not ethertype:
            continue  # bound to no protocol: it can send but takes no frame (packet(7))
        try:
            (device,) = _WORD.unpack_from(values[_PACKET_INFO])
            (uid,) = _WORD.unpack_from(values[_PACKET_UID])
        except (KeyError, struct.error) as error:
            raise NetlinkError("a packet socket without interface or owner") from error
        found.append(
            Socket(
                Protocol.PACKET,
                Family.LINK,
                "",
                ethertype,
                device,
                inode,
                cgroup=None,
                uid=uid,
                backlog=None,
                mptcp=False,
                filtered=bool(program),
            )
        )
    return found, hidden
