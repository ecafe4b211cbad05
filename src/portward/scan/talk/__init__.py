"""What answers behind an open TCP port: recognised by what it says, not by its number.

A server that speaks first is heard; to any other the greetings of the known protocols are said,
one connection each, those that are usual at its port first. Nothing that is said changes anything,
logs in, or goes on where a server wants a secret.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from msgspec.structs import replace

from portward.model.net import Protocol
from portward.model.scan import PortState, Scan, ScannedPort, Spoken, Tls
from portward.model.unknown import Unknown
from portward.scan.talk import hello, secure
from portward.scan.talk.line import REPLY_SECONDS, SECONDS, Line, OverError, Port
from portward.scan.talk.protocols import Conversation, conversations, recognise

WORKERS = 32
"""Ports talked to at once: nearly all of the time is waiting."""
FIRST_WORD_SECONDS = 1.0
"""How long a server that speaks first may take, where the port tells nothing."""
USUAL_FIRST_WORD_SECONDS = 6.0
"""The same at a port whose usual server speaks first: some look up who is there before it."""
_TLS_PORTS = frozenset({443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 2376, 3269, 4433})
_TLS_PORTS_MORE = frozenset({5061, 5223, 5349, 5671, 6443, 6514, 6697, 8443, 8883, 9443, 10250})
_OTHER_REPLY_SECONDS = 0.35
"""How long for an answer to a greeting that is not the one of the port's usual server."""
_PRINTERS = range(9100, 9108)
"""Ports where printers print what they are told (HP JetDirect): nothing is said to them."""
_BANNER = 1000
"""Characters that are kept of what a server said first."""

_SAYS_NOTHING_KNOWN = Unknown("what it says is of no known protocol")
_TLS_ONLY = Spoken(protocol="tls", cleartext=False)
"""TLS in which nothing was recognised."""


class Heard(NamedTuple):
    """What a port said; the fields are those of portward.model.scan.ScannedPort."""

    service: Spoken | Unknown | None = None
    banner: str = ""
    tls: Tls | Unknown | None = None


class _Found(NamedTuple):
    said: bytes
    spoken: Spoken | None
    conversation: Conversation | None
    is_tls: bool = False


def talk(address: str, port: int, name: str = "", *, seconds: float = SECONDS) -> Heard:
    """Find out what answers at an open port; ``name`` is the one that it was asked by.

    At most ``seconds``, 32 connections, and 32 KiB of each.
    """
    there = Port(address, port, seconds=seconds)
    try:
        found = _recognised(there)
    except OverError as error:
        return Heard(service=Unknown(str(error)))
    if found.is_tls:
        return _in_tls(there, name)
    banner = _banner(found.said)
    if found.spoken is None or found.conversation is None:
        return Heard(service=_SAYS_NOTHING_KNOWN if found.said else None, banner=banner)
    tls: Tls | Unknown | None = None
    if found.conversation.starttls:
        tls = secure.examine(there, found.conversation.starttls, name)
    return Heard(service=found.spoken, banner=banner, tls=tls)


def talk_to_all(
    ports: Iterable[tuple[str, int]], names: Mapping[str, str] | None = None
) -> dict[tuple[str, int], Heard]:
    """Talk to many ports at once; ``names`` are those that addresses were asked by."""
    known = names or {}
    asked = list(dict.fromkeys(ports))
    with ThreadPoolExecutor(max(1, min(WORKERS, len(asked)))) as pool:
        heard = pool.map(lambda one: talk(one[0], one[1], known.get(one[0], "")), asked)
        return dict(zip(asked, heard, strict=True))


def added(scan: Scan) -> Scan:
    """Return a scan with what answers behind its open TCP ports."""
    names = {host.address: host.name for host in scan.hosts}
    heard = talk_to_all(
        ((host.address, port.port) for host in scan.hosts for port in host.ports if _is_open(port)),
        names,
    )
    hosts = (
        replace(
            host,
            ports=tuple(
                replace(port, **heard[host.address, port.port]._asdict())
                if _is_open(port)
                else port
                for port in host.ports
            ),
        )
        for host in scan.hosts
    )
    return replace(scan, hosts=tuple(hosts))


def _is_open(port: ScannedPort) -> bool:
    return port.protocol == Protocol.TCP and port.state == PortState.OPEN


def _recognised(port: Port) -> _Found:
    """Listen, then say one greeting after another until the answer is recognised."""
    said = b""
    for greeting in _greetings(port.port):
        try:
            with port.line() as line:
                found = _exchange(line, greeting, port.port)
        except OverError:
            if not port.connections or port.connections == 1:
                raise
            break  # what was said before still counts
        if found.spoken or found.is_tls:
            return found
        said = said or found.said
    return _Found(said, None, None)


def _greetings(port: int) -> Iterator[bytes]:
    """Yield what to say, in the order of what is likely; an empty one means to listen."""
    if port in _PRINTERS:
        yield b""
        return
    tls = hello.client_hello(hello.TLS_1_2, bytes(hello.RANDOM_BYTES))
    order: dict[bytes, None] = {}
    if port in _TLS_PORTS | _TLS_PORTS_MORE:
        order[tls] = None
    order |= {one.greeting or b"": None for one in _usual(port)}
    others = [one.greeting for one in conversations().values() if one.greeting]
    # TLS before HTTP: web servers answer a clear request at a port of TLS by an error in clear.
    order |= dict.fromkeys([b"", tls, conversations()["http"].greeting or b"", *others])
    yield from order


def _usual(port: int) -> list[Conversation]:
    return [one for one in conversations().values() if port in one.ports]


def _exchange(line: Line, greeting: bytes, port: int) -> _Found:
    if greeting:
        usual = any(greeting == one.greeting for one in _usual(port))
        line.send(greeting)
        said = line.hear(_is_enough, REPLY_SECONDS if usual else _OTHER_REPLY_SECONDS)
    else:
        speaks_first = any(not one.greeting for one in _usual(port))
        said = line.hear(
            _is_enough, USUAL_FIRST_WORD_SECONDS if speaks_first else FIRST_WORD_SECONDS
        )
    if hello.is_tls(said):
        return _Found(said, None, None, is_tls=True)
    found = recognise(said) if said != greeting else None
    return _Found(said, *(found or (None, None)))


def _is_enough(said: bytes) -> bool:
    return hello.is_tls(said) or recognise(said) is not None


def _in_tls(port: Port, name: str) -> Heard:
    """Tell what TLS is spoken, and what inside of it."""
    tls = secure.examine(port, (), name)
    said: bytes | None = None
    usual = [one.greeting or b"" for one in _usual(port.port)]
    http = conversations()["http"].greeting or b""
    for greeting in list(dict.fromkeys([*usual, http, b""]))[:4]:
        try:
            with port.line() as line:
                if failed := line.secure(name):
                    unknown = Unknown(f"what is inside of TLS: the handshake failed: {failed}")
                    return Heard(service=unknown, tls=tls)
                found = _exchange(line, greeting, port.port)
        except OverError as error:
            if said is None:
                return Heard(service=Unknown(f"what is inside of TLS: {error}"), tls=tls)
            break
        said = said or found.said
        if found.spoken and found.conversation:
            return Heard(_secured(found.spoken, found.conversation), _banner(found.said), tls)
    return Heard(service=_TLS_ONLY, banner=_banner(said or b""), tls=tls)


def _secured(spoken: Spoken, conversation: Conversation) -> Spoken:
    """Name a protocol as it is called inside of TLS."""
    name = conversation.secured if spoken.protocol == conversation.name else spoken.protocol
    if name == "docker-api":
        name = "docker-api-tls"
    return replace(spoken, protocol=name, cleartext=False)


def _banner(said: bytes) -> str:
    header = said.partition(b"\r\n\r\n")[0]  # what a web server says after it is a page
    return header[: 4 * _BANNER].decode("utf-8", "backslashreplace")[:_BANNER]
