import pytest
from hypothesis import given
from hypothesis import strategies as st

import build
from portward.model.net import Family
from portward.model.words import endpoint, port, printable, where


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 写", "plain é 写"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x9b", "\\x9b"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u200bb", "a\\u200bb"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_a_terminal_would_obey_is_written_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(codec=None)))
def test_everything_becomes_printable(text: str) -> None:
    assert printable(text).isprintable()


def test_places() -> None:
    ssh = build.listener("22/tcp", "::", family=Family.DUAL)
    assert (endpoint(ssh), port(ssh)) == ("[::]:22", "22/tcp")
    assert where(ssh) == "22/tcp on all addresses (IPv4 and IPv6)"
    dns = build.listener("53/udp", "127.0.0.53", device="lo")
    assert (endpoint(dns), where(dns)) == ("127.0.0.53%lo:53", "53/udp on 127.0.0.53")
    link = build.listener("546/udp", "fe80::1", device="eth0")
    assert endpoint(link) == "[fe80::1%eth0]:546"
    packet = build.listener("3/packet", "", device="eth0")
    assert where(packet) == "packet socket on eth0"
    assert endpoint(build.listener("1/raw")) == "0.0.0.0"
