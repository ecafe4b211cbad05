"""Ports and addresses as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.errors import PortwardError
from portward.model.net import Ports, Protocol, is_loopback, is_wildcard

SPANS = st.tuples(st.integers(1, 65535), st.integers(1, 65535)).map(sorted)


@given(st.sampled_from([Protocol.TCP, Protocol.UDP, Protocol.SCTP]), SPANS)
def test_ports_are_read_as_they_are_written(protocol: Protocol, span: list[int]) -> None:
    ports = Ports(protocol, *span)
    assert Ports.parse(str(ports)) == ports
    assert (protocol, span[0]) in ports
    assert (protocol, span[1]) in ports
    assert (protocol, span[1] + 1) not in ports


@given(st.text(max_size=12))
def test_other_text_is_refused_by_name(text: str) -> None:
    said, spans = "", []
    try:
        spans.append(Ports.parse(text))
    except PortwardError as error:
        said = str(error)
    assert said.startswith(f'"{text}" is no port') or 0 < spans[0].first <= spans[0].last <= 65535


@pytest.mark.parametrize("text", ["22", "22/", "/tcp", "0/tcp", "65536/tcp", "9-3/udp", "22/tpc"])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(PortwardError, match="is no port"):
        Ports.parse(text)


@pytest.mark.parametrize(
    ("address", "wildcard", "loopback"),
    [
        ("0.0.0.0", True, False),
        ("::", True, False),
        ("", True, False),
        ("127.0.0.53", False, True),
        ("::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("192.0.2.7", False, False),
        ("fe80::1", False, False),
    ],
)
def test_what_an_address_takes(address: str, *, wildcard: bool, loopback: bool) -> None:
    assert is_wildcard(address) is wildcard
    assert is_loopback(address) is loopback
