"""Which ports a scan is asked to look at, as words and as numbers (pure, no I/O)."""

from collections.abc import Iterable, Iterator, Mapping

from portward.model.errors import UsageError
from portward.model.net import MAX_PORT, Ports, Protocol
from portward.model.service import Catalogue

WELL_KNOWN = range(1, 1024)
"""System ports (RFC 6335)."""
_MOST_OF_A_SERVICE = 100
"""By default, of a range of UDP ports: media servers have thousands that nothing answers on."""
_SCANNED = (Protocol.TCP, Protocol.UDP)
_LETTERS = {"T": Protocol.TCP, "U": Protocol.UDP}

Numbers = Mapping[Protocol, tuple[int, ...]]
"""Ports by protocol, ascending."""


def parse(text: str, known: Catalogue, names: Mapping[str, str]) -> Numbers:
    """Read ``22,80,8000-8100``, ``-`` for all, ``U:53``, ``53/udp``, or names.

    A name is one of the catalogue's services, one of its roles (what its services open), or one
    of the system's, which come in as ``{"22/tcp": "ssh"}``. ``U:`` and ``T:`` hold until the next
    one. Raises UsageError.
    """
    found: list[Ports] = []
    protocol = Protocol.TCP
    for item in text.split(","):
        word = item.strip()
        letter, colon, rest = word.partition(":")
        if colon:
            if letter.upper() not in _LETTERS:
                raise UsageError(f'"{word}" is no port', mend="T: is TCP, U: is UDP")
            protocol, word = _LETTERS[letter.upper()], rest.strip()
        found += _item(word, protocol, known, names)
    return numbers(found)


def _item(word: str, protocol: Protocol, known: Catalogue, names: Mapping[str, str]) -> list[Ports]:
    span, slash, suffix = word.partition("/")
    if not span.strip("0123456789-") and span:
        if slash and suffix not in _SCANNED:
            raise UsageError(f'"{word}" is no port', mend='write it like "53/udp"')
        return [_span(word, span, Protocol(suffix) if slash else protocol)]
    word = word.lower()
    if word in known.services:
        return _scanned(known.services[word].ports)
    if word in known.roles:
        return _scanned(
            port for need in known.roles[word].needs for port in known.services[need.service].ports
        )
    found = [Ports.parse(port) for port, name in names.items() if name == word]
    if not found:
        raise UsageError(
            f'"{word}" is no port, service or role', mend='such as "22,80,8000-8100", "ssh" or "-"'
        )
    return _scanned(found)


def _span(word: str, text: str, protocol: Protocol) -> Ports:
    first, dash, last = text.partition("-")
    if (not dash and not first) or "-" in last:
        raise UsageError(f'"{word}" is no port', mend=f"ports are 1 to {MAX_PORT}")
    low = int(first or 1)
    high = int(last or MAX_PORT) if dash else low
    if not 0 < low <= high <= MAX_PORT:
        raise UsageError(f'"{word}" is no port', mend=f"ports are 1 to {MAX_PORT}")
    return Ports(protocol, low, high)


def _scanned(ports: Iterable[Ports]) -> list[Ports]:
    return [one for one in ports if one.protocol in _SCANNED]


def numbers(ports: Iterable[Ports]) -> Numbers:
    """Return every port of some ranges once, by protocol and ascending."""
    found: dict[Protocol, set[int]] = {}
    for one in ports:
        found.setdefault(one.protocol, set()).update(range(one.first, one.last + 1))
    return {protocol: tuple(sorted(found[protocol])) for protocol in _SCANNED if protocol in found}


def default(known: Catalogue) -> Numbers:
    """Return the ports of every service of the catalogue, and the well-known ones of TCP."""
    every = [
        one
        for service in known.services.values()
        for one in _scanned(service.ports)
        if one.protocol == Protocol.TCP or one.last - one.first < _MOST_OF_A_SERVICE
    ]
    return numbers([*every, Ports(Protocol.TCP, WELL_KNOWN[0], WELL_KNOWN[-1])])


def top(count: int, known: Catalogue) -> Numbers:
    """Return the first TCP ports of the catalogue's own order.

    That is no measurement of the internet: first come the services that most roles need, then
    the rest of the catalogue, then the other well-known ports; within each, the lower port.
    """
    if not 0 < count <= MAX_PORT:
        raise UsageError(f"--top {count} is no number of ports", mend=f"1 to {MAX_PORT}")
    wanted: dict[int, int] = {}
    for role in known.roles.values():
        for need in role.needs:
            for port in _tcp(known.services[need.service].ports):
                wanted[port] = wanted.get(port, 0) + 1
    ranked = sorted(wanted, key=lambda port: (-wanted[port], port))
    rest = sorted({port for one in known.services.values() for port in _tcp(one.ports)})
    order = dict.fromkeys([*ranked, *rest, *WELL_KNOWN, *range(1, MAX_PORT + 1)])
    return {Protocol.TCP: tuple(sorted(list(order)[:count]))}


def _tcp(ports: Iterable[Ports]) -> Iterator[int]:
    for one in ports:
        if one.protocol == Protocol.TCP:
            yield from range(one.first, one.last + 1)


def written(ports: Iterable[int]) -> str:
    """Write ascending ports as parse() reads them: ``22,80,8000-8100``."""
    spans: list[list[int]] = []
    for port in ports:
        if spans and spans[-1][1] + 1 == port:
            spans[-1][1] = port
        else:
            spans.append([port, port])
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in spans)


def read(text: str) -> tuple[int, ...]:
    """Read what written() wrote; raise UsageError for anything else."""
    if not text:
        return ()
    found = [_span(item, item, Protocol.TCP) for item in text.split(",") if _digits(item)]
    return numbers(found).get(Protocol.TCP, ())


def _digits(item: str) -> bool:
    if not item or item.strip("0123456789-"):
        raise UsageError(f'"{item}" is no port')
    return True


def written_all(ports: Numbers) -> str:
    """Write ports of all protocols the way parse() reads them: "T:22,80,U:53"."""
    letters = {protocol: letter for letter, protocol in _LETTERS.items()}
    return ",".join(
        f"{letters[protocol]}:{written(some)}" for protocol, some in ports.items() if some
    )
