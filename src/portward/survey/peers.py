"""Who is connected to the machine's ports now, asked of the kernel through sock_diag(7)."""

import struct
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv6Address
from socket import AF_INET, AF_INET6, inet_ntop

from portward.model.host import Peer
from portward.model.net import Protocol
from portward.model.unknown import Maybe, Unknown
from portward.survey.inet_diag import request
from portward.survey.netlink import NETLINK_SOCK_DIAG, Netlink, NetlinkError, messages

_SOCK_DIAG_BY_FAMILY = 20
_ESTABLISHED = 1 << 1
"""As include/net/tcp_states.h has TCP_ESTABLISHED."""
_TCP = 6
_BODY = struct.Struct("=B3x")  # family; state, timer and retransmissions are not asked for
_ENDS = struct.Struct("!HH16s16s")  # struct inet_diag_sockid: ports and addresses of both ends


def peers(ports: Collection[int]) -> Maybe[tuple[Peer, ...]]:
    """List who is connected over TCP to these ports of the calling thread's namespace."""
    try:
        with Netlink(NETLINK_SOCK_DIAG) as netlink:
            datagrams = [
                datagram
                for family in (AF_INET, AF_INET6)
                for datagram in netlink.dump(
                    _SOCK_DIAG_BY_FAMILY, request(family, _TCP, _ESTABLISHED)
                )
            ]
        return counted(connections(datagrams), ports)
    except (OSError, NetlinkError) as error:
        return Unknown(f"connections could not be listed: {error}")


def connections(datagrams: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """Yield the machine's port and the other end's address of every connection; pure."""
    for _, body in messages(datagrams):
        if len(body) < _BODY.size + _ENDS.size:
            raise NetlinkError(f"a socket in {len(body)} bytes")
        (family,) = _BODY.unpack_from(body)
        port, _, _, there = _ENDS.unpack_from(body, _BODY.size)
        yield port, _written(family, there)


def counted(found: Iterable[tuple[int, str]], ports: Collection[int]) -> tuple[Peer, ...]:
    """Count the connections of each peer to each of the ports; pure."""
    counts = Counter(pair for pair in found if pair[0] in ports)
    return tuple(
        Peer(protocol=Protocol.TCP, port=port, address=address, connections=number)
        for (port, address), number in sorted(counts.items())
    )


def _written(family: int, address: bytes) -> str:
    if family == AF_INET:
        return inet_ntop(AF_INET, address[:4])
    mapped = IPv6Address(address).ipv4_mapped
    return str(mapped) if mapped else inet_ntop(AF_INET6, address)
