"""Talking to open ports: to real servers, and to hostile ones."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.knowledge import catalogue
from portward.model.scan import Certificate, Spoken, Tls
from portward.model.unknown import Unknown
from portward.scan.talk import Heard, hello, talk, talk_to_all
from portward.scan.talk.protocols import conversations, recognise
from scan.tcp_servers import SERVERS, room_of_servers

HOST = "127.0.0.1"
STARTTLS = (21, 25, 110, 143, 389, 3306, 3389, 5222, 5269, 5432)
IN_TLS = (443, 465, 636, 993, 995, 8883, 40443)
PRODUCTS = {
    21: "vsFTPd 3",
    22: "OpenSSH 9.2p1",
    25: "Postfix",
    80: "nginx/1.",
    143: "Dovecot",
    443: "nginx/1.",
    3306: "MariaDB",
    6007: "lets anyone in",
    6379: "Redis 7.",
    6667: "irc.ward.test",
    11211: "memcached 1.",
}


@pytest.fixture(scope="module")
def heard() -> Iterator[dict[int, Heard]]:
    """What all servers said, asked at once."""
    with room_of_servers() as (room, ports):
        found = room.inside(lambda: talk_to_all((HOST, port) for port in ports))
        yield {port: one for (_, port), one in found.items()}


@pytest.mark.root
@pytest.mark.parametrize("port", [port for port in SERVERS if SERVERS[port]])
def test_a_real_server_is_recognised_by_what_it_says(heard: dict[int, Heard], port: int) -> None:
    spoken = heard[port].service
    assert isinstance(spoken, Spoken)
    assert spoken.protocol == SERVERS[port]
    assert PRODUCTS.get(port, "") in spoken.product


@pytest.mark.root
@pytest.mark.parametrize("port", [*STARTTLS, *IN_TLS])
def test_tls_is_examined(heard: dict[int, Heard], port: int) -> None:
    tls = heard[port].tls
    assert isinstance(tls, Tls)
    assert tls.starttls == (port in STARTTLS)
    assert "TLS 1.2" in tls.versions
    assert "SSL 3.0" in tls.refused
    assert not set(tls.versions) & set(tls.refused)
    assert tls.cipher.startswith("TLS_")
    shown = tls.certificate
    assert isinstance(shown, Certificate)
    assert shown.subject == "CN=ward.test,O=Ward"
    assert shown.names == ("ward.test", "192.0.2.1")
    assert (shown.key, shown.signature, shown.self_signed) == ("RSA 2048", "sha256", True)


@pytest.mark.root
def test_old_versions_are_seen_where_they_are_spoken(heard: dict[int, Heard]) -> None:
    tls = heard[443].tls
    assert isinstance(tls, Tls)
    assert tls.versions == ("TLS 1.0", "TLS 1.1", "TLS 1.2")
    assert tls.refused == ("SSL 3.0", "TLS 1.3")


@pytest.mark.root
def test_the_newest_version_alone_is_examined_too(heard: dict[int, Heard]) -> None:
    tls = heard[40444].tls
    assert isinstance(tls, Tls)
    assert tls.versions == ("TLS 1.3",)
    assert isinstance(tls.certificate, Certificate)


@pytest.mark.root
def test_who_wants_a_certificate_of_ours_still_shows_its_own(heard: dict[int, Heard]) -> None:
    tls = heard[40445].tls
    assert isinstance(tls, Tls)
    assert tls.versions == ("TLS 1.2",)
    assert isinstance(tls.certificate, Certificate)
    assert heard[40445].service == Unknown(
        "what is inside of TLS: the handshake failed: sslv3 alert handshake failure"
    )


@pytest.mark.root
def test_what_can_be_read_on_the_way_is_said(heard: dict[int, Heard]) -> None:
    def clear(port: int) -> bool | None:
        spoken = heard[port].service
        assert isinstance(spoken, Spoken)
        return spoken.cleartext

    assert [clear(port) for port in (23, 80, 6379, 21)] == [True] * 4
    assert [clear(port) for port in (22, 443, 993, 8883)] == [False] * 4


@pytest.mark.root
def test_the_first_words_are_kept(heard: dict[int, Heard]) -> None:
    assert heard[22].banner.startswith("SSH-2.0-OpenSSH_9.2")
    assert "hello" not in heard[80].banner  # the page is not a banner
    assert heard[80].banner.startswith("HTTP/1.1 200 OK")


def test_every_protocol_is_named_as_in_the_catalogue() -> None:
    known = set(catalogue.load().services)
    assert set(filter(None, SERVERS.values())) <= known
    others = {one.secured for one in conversations().values()}
    assert others - known == {"inetd_small", "rtsp", "xmpp"}


@contextmanager
def server(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on this host that behaves as it is told, in each connection."""
    with socket.create_server((HOST, 0)) as listening:
        done = threading.Event()

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                behave(connection)

        def accept() -> None:
            threads = []
            while True:
                connection, _ = listening.accept()
                if done.is_set():
                    connection.close()
                    break
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()
            for thread in threads:
                thread.join()

        accepting = threading.Thread(target=accept)
        accepting.start()
        port = listening.getsockname()[1]
        try:
            yield port
        finally:
            done.set()
            socket.create_connection((HOST, port)).close()
            accepting.join()


def test_endless_data_ends() -> None:
    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"\0" * 65_536)

    with server(flood) as port:
        heard = talk(HOST, port, seconds=3)
    assert isinstance(heard.service, Unknown)
    assert len(heard.banner) <= 1000


def test_a_slow_drip_gains_nothing() -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.05)

    with server(drip) as port:
        began = time.monotonic()
        heard = talk(HOST, port, seconds=2)
        took = time.monotonic() - began
    assert heard.service == Unknown("what it says is of no known protocol")
    assert took < 10  # the server drips for fifty seconds in each of its connections


def test_silence_is_no_service() -> None:
    def wait(connection: socket.socket) -> None:
        connection.settimeout(10)
        while connection.recv(4096):
            pass

    with server(wait) as port:
        assert talk(HOST, port, seconds=2) == Heard()


def test_who_hangs_up_at_once_is_no_service() -> None:
    with server(lambda connection: connection.close()) as port:
        assert talk(HOST, port, seconds=2) == Heard()


def test_a_port_that_closed_meanwhile_is_unknown() -> None:
    with socket.create_server((HOST, 0)) as closed:
        port = closed.getsockname()[1]
    assert talk(HOST, port).service == Unknown("it took no further connection: Connection refused")


def test_an_echo_service_is_not_taken_for_any_protocol() -> None:
    def echo(connection: socket.socket) -> None:
        while said := connection.recv(4096):
            connection.sendall(said)

    with server(echo) as port:
        heard = talk(HOST, port)
    assert not isinstance(heard.service, Spoken)


def test_nothing_is_said_to_printers(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        connection.settimeout(5)
        told.append(connection.recv(4096))

    with server(listen) as port:
        monkeypatch.setattr("portward.scan.talk._PRINTERS", range(port, port + 1))
        assert talk(HOST, port) == Heard()
    assert set(told) == {b""}


def test_a_server_that_stops_within_its_handshake_is_unknown_not_safe() -> None:
    def stop(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(bytes.fromhex("16030300040e000000")[:5] + b"\x02\0\0\x26" + b"\3\3")
        connection.settimeout(1)
        connection.recv(10)

    with server(stop) as port:
        heard = talk(HOST, port, seconds=4)
    assert isinstance(heard.tls, Unknown) or heard.tls is None
    assert isinstance(heard.service, Unknown)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (
            b"HTTP/1.1 404 Not Found\r\nApi-Version: 1.41\r\nServer: Docker/20.10\r\n\r\n",
            "docker-api",
        ),
        (b"HTTP/1.1 200 OK\r\nLibpod-Api-Version: 4.3.1\r\n\r\n", "podman-api"),
        (b"\0\0\x12\x04\0\0\0\0\0\0\3\0\0\0d", "http"),
        (b"RTSP/1.0 200 OK\r\nServer: gst\r\n\r\n", "rtsp"),
        (b"AMQP\0\0\x09\x00", "amqp"),
        (
            b"\1\0\0\0\0\1\xf0\0\x0a\0\x0a\0\x09\0\0\1\xcb\x07productS\0\0\0\x08RabbitMQ",
            "amqp",
        ),
        (b"200 ward.test InterNetNews NNRP server ready\r\n", "nntp"),
        (b'"IMPLEMENTATION" "Dovecot"\r\n"STARTTLS"\r\nOK "ready"\r\n', "managesieve"),
        (
            b"\x2b\0\0\0\0\0\0\0\x64\x72\x77\x70\1\0\0\0" + bytes(27),
            "mongodb",
        ),
        (b"F\0\0\0\xffj\x04Host '192.0.2.1' is not allowed to connect to this MySQL server", None),
        (b"220 something else entirely\r\n", "ftp"),
        (b"login: ", "telnet"),
        (b"GET / HTTP/1.0\r\n\r\n", None),
        (b"", None),
    ],
)
def test_what_servers_say_that_do_not_run_here(said: bytes, name: str | None) -> None:
    found = recognise(said)
    assert (found[0].protocol if found else None) == name


@given(st.binary(max_size=300))
def test_recognition_never_raises(said: bytes) -> None:
    for one in conversations().values():
        one.recognise(said)


@given(st.data())
def test_recognition_survives_what_is_nearly_right(data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(list(conversations().values())))
    said = bytearray(one.greeting or b"SSH-2.0-x\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        said[data.draw(st.integers(0, len(said) - 1))] = data.draw(st.integers(0, 255))
    one.recognise(bytes(said))


@given(st.binary(max_size=400))
def test_reading_a_hello_never_raises(said: bytes) -> None:
    hello.is_tls(said)
    hello.read(said)
    hello.read(b"\x16\x03\x03" + len(said).to_bytes(2, "big") + said)
    message = b"\2" + len(said).to_bytes(3, "big") + said
    hello.read(b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message)


@pytest.mark.parametrize("version", hello.VERSIONS)
def test_our_own_hello_is_no_answer(version: int) -> None:
    asked = hello.client_hello(version, bytes(hello.RANDOM_BYTES), "ward.test")
    assert not hello.is_tls(asked)
    assert (b"ward.test" in asked) == (version > hello.SSL_3)
    size = int.from_bytes(asked[3:5], "big")
    assert size == len(asked) - 5
