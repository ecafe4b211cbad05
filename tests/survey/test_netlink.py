import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey.netlink import (
    NETLINK_ROUTE,
    NETLINK_SOCK_DIAG,
    Netlink,
    NetlinkError,
    attribute,
    attributes,
    check,
    messages,
)

RTM_NEWLINK, RTM_GETLINK = 16, 18
IFLA_IFNAME = 3
SOCK_DIAG_BY_FAMILY = 20


def message(kind: int, body: bytes, sequence: int = 1, flags: int = 2) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


def test_dump_of_the_links_names_the_loopback() -> None:
    with Netlink(NETLINK_ROUTE) as netlink:
        answer = netlink.dump(RTM_GETLINK, bytes(16))
    names = set()
    for kind, body in messages(answer):
        assert kind == RTM_NEWLINK
        names.add(bytes(dict(attributes(body, 16))[IFLA_IFNAME]).rstrip(b"\0").decode())
    assert names == {name for _, name in socket.if_nameindex()}


def test_one_connection_answers_many_dumps() -> None:
    with Netlink(NETLINK_ROUTE) as netlink:
        first = [body for _, body in messages(netlink.dump(RTM_GETLINK, bytes(16)))]
        second = [body for _, body in messages(netlink.dump(RTM_GETLINK, bytes(16)))]
    assert len(first) == len(second) > 0


def test_the_kernels_refusal_is_an_oserror_with_its_number() -> None:
    nobody = 99  # no address family
    with Netlink(NETLINK_SOCK_DIAG) as netlink, pytest.raises(OSError, match="Invalid") as caught:
        netlink.dump(SOCK_DIAG_BY_FAMILY, struct.pack("=BB54x", nobody, 6))
    assert caught.value.errno == errno.EINVAL


def test_the_end_of_a_dump_is_found_behind_messages() -> None:
    answer = message(20, b"abcd") + message(3, bytes(4))
    assert check(answer, 1) == (20, True, True)


def test_a_disturbed_dump_is_noticed_in_any_message() -> None:
    intr = 0x10
    answer = message(20, b"abcd") + message(20, b"abcd", flags=2 | intr) + message(20, b"abcd")
    assert check(answer, 1) == (60, False, False)


def test_an_error_at_the_end_of_a_dump_is_raised() -> None:
    with pytest.raises(PermissionError):
        check(message(20, b"abcd") + message(3, struct.pack("=i", -errno.EPERM)), 1)


def test_an_answer_to_another_request_is_refused() -> None:
    with pytest.raises(NetlinkError, match="request 7 instead of 8"):
        check(message(20, b"", sequence=7), 8)


@given(st.binary(max_size=200))
def test_noise_is_a_netlink_error_or_harmless(noise: bytes) -> None:
    for parse in (
        lambda: check(noise, 1),
        lambda: list(messages([noise])),
        lambda: list(attributes(noise)),
    ):
        try:
            parse()
        except NetlinkError as error:
            assert str(error)  # noqa: PT017 - either outcome is right, but never a silent error
        except OSError as error:
            assert error.errno  # noqa: PT017 - the noise spelt an NLMSG_ERROR


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=40))), st.data())
def test_attributes_reads_what_attribute_writes(
    pairs: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    written = b"".join(attribute(kind, value) for kind, value in pairs)
    assert [(kind, bytes(value)) for kind, value in attributes(written)] == pairs
    if written:
        cut = data.draw(st.integers(1, len(written) - 1))
        try:
            read = list(attributes(written[:cut]))
        except NetlinkError:
            return
        assert len(read) <= len(pairs)


@pytest.mark.parametrize("length", [0, 1, 3, 5, 0xFFFF])
def test_an_attribute_length_that_leads_nowhere_is_an_error(length: int) -> None:
    with pytest.raises(NetlinkError):
        list(attributes(struct.pack("=HH", length, 1)))
