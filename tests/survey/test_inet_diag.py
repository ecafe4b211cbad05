import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey.inet_diag import LISTEN, Row, request, rows, rows_alike, rows_apart
from portward.survey.netlink import NETLINK_SOCK_DIAG, Netlink, NetlinkError, attribute

SOCK_DIAG_BY_FAMILY = 20
SHUTDOWN, SKV6ONLY, LOCALS, MARK, CGROUP_ID = 8, 11, 12, 15, 21

ROWS = st.builds(
    Row,
    family=st.sampled_from([socket.AF_INET, socket.AF_INET6]),
    state=st.integers(0, 255),
    port=st.integers(0, 0xFFFF),
    source=st.binary(min_size=16, max_size=16),
    device=st.integers(0, 2**32 - 1),
    queue=st.integers(0, 2**32 - 1),
    uid=st.integers(0, 2**32 - 1),
    inode=st.integers(0, 2**32 - 1),
    v6only=st.integers(0, 255),
    cgroup=st.integers(0, 2**64 - 1),
)


def message(row: Row, kinds: list[int], extra: bytes = b"") -> bytes:
    """Write a message as the kernel does (struct nlmsghdr, struct inet_diag_msg, attributes)."""
    values = {
        SHUTDOWN: b"\0",
        SKV6ONLY: bytes([row.v6only]),
        MARK: bytes(4),
        CGROUP_ID: struct.pack("=Q", row.cgroup),
    }
    body = struct.pack(
        "=BBBBHH16s16sIQIIIII",
        *(row.family, row.state, 0, 0, row.port, 0, row.source, bytes(16), row.device, 77),
        *(0, 5, row.queue, row.uid, row.inode),
    )
    body += b"".join(attribute(kind, values[kind]) for kind in kinds) + extra
    return struct.pack("=IHHII", 16 + len(body), SOCK_DIAG_BY_FAMILY, 2, 1, 0) + body


def without(row: Row, kinds: list[int]) -> Row:
    return row._replace(
        v6only=row.v6only if SKV6ONLY in kinds else 0,
        cgroup=row.cgroup if CGROUP_ID in kinds else 0,
    )


KINDS = st.lists(st.sampled_from([SHUTDOWN, SKV6ONLY, MARK, CGROUP_ID]), unique=True)


@given(st.lists(ROWS, min_size=1, max_size=5), KINDS)
def test_sockets_alike_are_read_at_one_stroke_as_they_are_one_by_one(
    written: list[Row], kinds: list[int]
) -> None:
    datagram = b"".join(message(row, kinds) for row in written)
    alike = rows_alike(datagram)
    assert alike is not None
    assert list(alike) == list(rows_apart(datagram)) == [without(row, kinds) for row in written]


@given(st.lists(st.tuples(ROWS, KINDS), min_size=1, max_size=4))
def test_sockets_of_any_layout_are_read_right(written: list[tuple[Row, list[int]]]) -> None:
    datagram = b"".join(message(row, kinds) for row, kinds in written)
    assert list(rows([datagram])) == [without(row, kinds) for row, kinds in written]


@given(st.lists(ROWS, min_size=1, max_size=3), KINDS, st.data())
def test_a_damaged_answer_is_read_the_same_both_ways_or_refused(
    written: list[Row], kinds: list[int], data: st.DataObject
) -> None:
    datagram = bytearray(b"".join(message(row, kinds) for row in written))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(datagram) - 1))
        datagram[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(datagram)))
    damaged = bytes(datagram[:cut])
    try:
        apart = list(rows_apart(damaged))
    except NetlinkError:
        with pytest.raises(NetlinkError):
            list(rows([damaged]))
    else:
        assert list(rows([damaged])) == apart


@given(st.binary(max_size=300))
def test_noise_is_refused_or_harmless(noise: bytes) -> None:
    try:
        read = list(rows([noise]))
    except NetlinkError:
        return
    assert len(read) <= len(noise) // 88


def test_a_socket_at_several_addresses_is_one_row_for_each() -> None:
    row = Row(socket.AF_INET6, LISTEN, 1, bytes(16), 0, 5, 0, 7)
    second = bytes.fromhex("20010db8000000000000000000000001")
    addresses = struct.pack("=HH4s120x", socket.AF_INET, 1, b"\xc0\0\2\1")
    addresses += struct.pack("=HHI16s104x", socket.AF_INET6, 1, 0, second)
    read = list(rows([message(row, [], attribute(LOCALS, addresses))]))
    assert read == [
        row._replace(family=socket.AF_INET, source=b"\xc0\0\2\1".ljust(16, b"\0")),
        row._replace(source=second),
    ]


def test_an_address_of_no_internet_family_is_refused() -> None:
    row = Row(socket.AF_INET6, LISTEN, 1, bytes(16), 0, 5, 0, 7)
    with pytest.raises(NetlinkError, match="family 1"):
        list(rows([message(row, [], attribute(LOCALS, struct.pack("=H254x", 1)))]))


def test_the_kernels_own_answer_is_read_the_same_both_ways() -> None:
    opened = [socket.create_server(("127.0.0.1", 0), backlog=3) for _ in range(300)]
    opened += [socket.create_server(("::", 0), family=socket.AF_INET6) for _ in range(300)]
    inodes = {os.fstat(listener.fileno()).st_ino for listener in opened}
    with Netlink(NETLINK_SOCK_DIAG) as netlink:
        answers = [
            datagram
            for family in (socket.AF_INET, socket.AF_INET6)
            for datagram in netlink.dump(SOCK_DIAG_BY_FAMILY, request(family, 6, 1 << LISTEN))
        ]
    alike = [rows_alike(datagram) for datagram in answers]
    read = [row for found in alike if found is not None for row in found]
    assert None not in alike
    assert read == [row for datagram in answers for row in rows_apart(datagram)]
    assert {row.inode for row in read} >= inodes
    for listener in opened:
        listener.close()
