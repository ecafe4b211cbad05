import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.net import Family, Protocol
from portward.survey.netlink import NetlinkError, attribute
from portward.survey.sockets import Socket, packet_sockets, proc_rows, sockets

RAW = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   1: 0100007F:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000 0 4711 2 0 0
"""


def seen(opened: socket.socket) -> list[Socket]:
    found, _ = sockets()
    inode = os.fstat(opened.fileno()).st_ino
    return [listener for listener in found if listener.inode == inode]


def test_a_tcp_listener_is_seen_with_everything() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=17) as server:
        (listener,) = seen(server)
        assert listener._replace(cgroup=None) == Socket(
            Protocol.TCP,
            Family.IPV4,
            "127.0.0.1",
            server.getsockname()[1],
            device=0,
            inode=os.fstat(server.fileno()).st_ino,
            cgroup=None,
            uid=os.getuid(),
            backlog=17,
            mptcp=False,
            filtered=False,
        )


@pytest.mark.parametrize(
    ("address", "v6only", "family", "shown"),
    [
        ("::", 0, Family.DUAL, "::"),
        ("::", 1, Family.IPV6, "::"),
        ("::1", 0, Family.IPV6, "::1"),
        ("::ffff:127.0.0.1", 0, Family.IPV4, "127.0.0.1"),
        ("::ffff:0.0.0.0", 0, Family.IPV4, "0.0.0.0"),
    ],
)
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_the_families_that_reach_an_ipv6_socket(
    kind: int, address: str, v6only: int, family: Family, shown: str
) -> None:
    with socket.socket(socket.AF_INET6, kind) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        server.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            server.listen()
        assert [(one.family, one.address) for one in seen(server)] == [(family, shown)]


def test_a_bound_tcp_socket_that_does_not_listen_is_none() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert seen(bound) == []


def test_udp_is_a_listener_until_it_has_a_peer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        (listener,) = seen(server)
        assert (listener.protocol, listener.backlog) == (Protocol.UDP, None)
        server.connect(("127.0.0.1", 9))
        assert seen(server) == []


def test_sockets_need_no_privilege_and_say_what_is_hidden() -> None:
    found, gaps = sockets()
    assert all(isinstance(listener, Socket) for listener in found)
    assert all(gap.endswith(".") for gap in gaps)


def packet(ethertype: int, *parts: bytes) -> bytes:
    body = struct.pack("=BBHIII", socket.AF_PACKET, 3, ethertype, 99, 0, 0) + b"".join(parts)
    return struct.pack("=IHHII", 16 + len(body), 20, 2, 1, 0) + body


INFO, UID = attribute(0, struct.pack("=I20x", 4)), attribute(5, struct.pack("=I", 1000))


@pytest.mark.parametrize(
    ("program", "filtered", "hidden"),
    [(b"", False, False), (attribute(7, b""), False, True), (attribute(7, bytes(8)), True, False)],
)
def test_a_packet_socket_and_what_is_known_of_its_filter(
    program: bytes, *, filtered: bool, hidden: bool
) -> None:
    (found,), unsure = packet_sockets([packet(0x0800, INFO, UID, program)])
    assert (found.port, found.device, found.uid, found.inode) == (0x0800, 4, 1000, 99)
    assert (found.family, found.filtered, unsure) == (Family.LINK, filtered, hidden)


def test_a_packet_socket_of_no_protocol_takes_no_frames() -> None:
    assert packet_sockets([packet(0, INFO, UID)]) == ([], False)


@pytest.mark.parametrize("parts", [(), (INFO,), (UID,), (attribute(0, b""), UID)])
def test_a_packet_socket_without_its_facts_is_refused(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(NetlinkError):
        packet_sockets([packet(3, *parts)])


@given(st.binary(max_size=120))
def test_noise_for_packet_sockets_is_refused_or_harmless(noise: bytes) -> None:
    try:
        found, _ = packet_sockets([noise])
    except NetlinkError:
        return
    assert len(found) <= len(noise) // 32


def test_raw_sockets_are_read_from_proc_where_sock_diag_has_none() -> None:
    (row,) = proc_rows(socket.AF_INET, RAW)
    assert row.source[:4] == bytes([127, 0, 0, 1])
    assert (socket.ntohs(row.port), row.uid, row.inode) == (1, 1000, 4711)


@given(st.text(max_size=200))
def test_a_damaged_table_of_proc_is_refused_or_harmless(noise: str) -> None:
    try:
        list(proc_rows(socket.AF_INET, f"head\n{noise}"))
    except NetlinkError as error:
        assert "no socket" in str(error)  # noqa: PT017 - either outcome is right
