"""Packets: what is sent is well-formed, what comes is believed only if it repeats a cookie."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.probes import checksum as other_checksum
from portward.scan import wire
from portward.scan.wire import Answer, Kind, Probes, read, rst, syn

PORT = st.integers(1, 65535)
COOKIE = st.integers(0, 0xFFFFFFFF)
ADDRESSES = st.one_of(
    st.tuples(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4)),
    st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16)),
)


def segment(packet: bytes) -> tuple[bytes, bytes]:
    """Return the pseudo header and the TCP segment."""
    if packet[0] >> 4 == 4:
        body = packet[20:]
        return packet[12:20] + struct.pack("!HH", 6, len(body)), body
    body = packet[40:]
    return packet[8:40] + struct.pack("!II", len(body), 6), body


@given(ADDRESSES, PORT, PORT, COOKIE)
def test_a_probe_has_right_checksums(
    addresses: tuple[bytes, bytes], own: int, port: int, cookie: int
) -> None:
    source, host = addresses
    for packet in (syn(source, host, own, port, cookie), rst(source, host, own, port, cookie)):
        pseudo, body = segment(packet)
        assert other_checksum(pseudo + body) == 0
        if len(source) == 4:
            assert other_checksum(packet[:20]) == 0
            assert struct.unpack_from("!H", packet, 2) == (len(packet),)


@given(ADDRESSES, PORT, PORT, COOKIE)
def test_the_quick_way_makes_the_same_packets(
    addresses: tuple[bytes, bytes], own: int, port: int, cookie: int
) -> None:
    source, host = addresses
    probes = Probes(source, own)
    plain, total = probes.for_host(host)
    packet = bytearray(b"before" + plain)
    probes.write(packet, 6, total, port, cookie)
    assert packet[6:] == syn(source, host, own, port, cookie)


def answer(source: bytes, host: bytes, own: int, port: int, cookie: int, flags: int) -> bytes:
    """Return what a host says to a probe: as a probe with addresses and ports exchanged."""
    packet = bytearray(syn(host, source, port, own, 99))
    at = 20 if len(host) == 4 else 40
    struct.pack_into("!I", packet, at + 8, (cookie + 1) & 0xFFFFFFFF)
    packet[at + 13] = flags
    return bytes(packet)


def refusal(router: bytes, kind: int, code: int, probe: bytes) -> bytes:
    """Return an ICMP error that quotes a probe."""
    icmp = bytes([kind, code, 0, 0, 0, 0, 0, 0]) + probe
    if len(router) == 4:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 0, 0, 61, 1, 0, router, router)
    else:
        head = struct.pack("!IHBB16s16s", 6 << 28, len(icmp), 58, 61, router, router)
    return head + icmp


@given(ADDRESSES, PORT, PORT, COOKIE)
def test_answers_are_read(addresses: tuple[bytes, bytes], own: int, port: int, cookie: int) -> None:
    source, host = addresses
    opened = read(answer(source, host, own, port, cookie, 0x12))
    assert opened == Answer(Kind.OPEN, host, port, own, cookie, 64, host)
    closed = read(answer(source, host, own, port, cookie, 0x14))
    assert closed == Answer(Kind.CLOSED, host, port, own, cookie, 64, host)


@given(ADDRESSES, PORT, PORT, COOKIE, st.integers(8, 60))
def test_icmp_errors_are_read_however_little_they_quote(
    addresses: tuple[bytes, bytes], own: int, port: int, cookie: int, quoted: int
) -> None:
    source, host = addresses
    probe = syn(source, host, own, port, cookie)
    head = 20 if len(host) == 4 else 40
    kind = 3 if len(host) == 4 else 1
    found = read(refusal(source, kind, 13, probe[: head + quoted]))
    assert found == Answer(Kind.REFUSED, host, port, own, cookie, 61, source, icmp=(kind, 13))


def test_what_needs_fragments_or_is_no_error_is_no_answer() -> None:
    probe = syn(b"\x0a\0\0\1", b"\x0a\0\0\2", 61000, 80, 7)
    assert read(refusal(b"\x0a\0\0\3", 3, 4, probe)) is None
    assert read(refusal(b"\x0a\0\0\3", 0, 0, probe)) is None
    assert read(refusal(b"\x0a\0\0\3", 11, 0, probe)) is not None


def test_a_forged_handshake_shows_itself() -> None:
    good = bytearray(answer(b"\x0a\0\0\1", b"\x0a\0\0\2", 61000, 80, 7, 0x12))
    found = read(bytes(good))
    assert found is not None
    assert not found.bare
    for place, value in ((32, b"\x50"), (34, b"\0\0")):  # no options; no window
        forged = bytearray(good)
        forged[place : place + len(value)] = value
        found = read(bytes(forged))
        assert found is not None
        assert found.bare


@pytest.mark.parametrize("flags", [0x00, 0x02, 0x04, 0x10, 0x18, 0x11])
def test_what_is_neither_handshake_nor_acknowledged_reset_is_no_answer(flags: int) -> None:
    assert read(answer(b"\x0a\0\0\1", b"\x0a\0\0\2", 61000, 80, 7, flags)) is None


@given(ADDRESSES, PORT, PORT, COOKIE, st.integers(0, 100))
def test_what_is_cut_short_is_no_answer(
    addresses: tuple[bytes, bytes], own: int, port: int, cookie: int, length: int
) -> None:
    source, host = addresses
    whole = answer(source, host, own, port, cookie, 0x12)
    if length < len(whole) - 4:  # the option may be missing
        assert read(whole[:length]) is None
    kind = 3 if len(host) == 4 else 1
    error = refusal(source, kind, 1, syn(source, host, own, port, cookie))
    needed = 56 if len(host) == 4 else 96
    if length < needed:
        assert read(error[:length]) is None


@given(st.binary(max_size=120))
def test_any_bytes_are_an_answer_or_none(data: bytes) -> None:
    found = read(data)
    assert found is None or found.kind in (Kind.OPEN, Kind.CLOSED, Kind.REFUSED)
    for version in (0x45, 0x4F, 0x60):
        read(bytes([version]) + data)


@given(st.binary(min_size=20, max_size=120), st.sampled_from([1, 6]))
def test_hostile_ipv4(data: bytes, protocol: int) -> None:
    packet = bytearray(data)
    packet[0], packet[9] = 0x40 | data[0] & 0xF, protocol
    read(bytes(packet))
    assert read(memoryview(packet)) == read(bytes(packet))


def test_a_fragment_is_no_answer() -> None:
    packet = bytearray(answer(b"\x0a\0\0\1", b"\x0a\0\0\2", 61000, 80, 7, 0x12))
    packet[6:8] = b"\0\1"
    assert read(bytes(packet)) is None


def test_options_of_ip_are_passed_over() -> None:
    packet = answer(b"\x0a\0\0\1", b"\x0a\0\0\2", 61000, 80, 7, 0x12)
    longer = bytes([0x46]) + packet[1:20] + b"\1\1\1\0" + packet[20:]
    found = read(longer)
    assert found is not None
    assert found.port == 80


def test_checksum_agrees_with_another() -> None:
    assert wire.checksum(b"\x12\x34\xff\xff") == other_checksum(b"\x12\x34\xff\xff")
