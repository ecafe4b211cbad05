"""The language of systemd's unit files: pure, no I/O (systemd.syntax(7), systemd.unit(5))."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from portward.model.net import MAX_PORT, Protocol

TRUE_WORDS = frozenset({"1", "yes", "y", "true", "t", "on"})


class Settings:
    """The assignments of a unit: its file, then its drop-ins, in the order systemd reads them."""

    def __init__(self, *texts: str) -> None:
        """Parse the texts one after the other."""
        self._values: dict[tuple[str, str], list[str]] = {}
        self.sections: set[str] = set()
        for text in texts:
            for section, key, value in assignments(text):
                self.sections.add(section)
                if not key:
                    continue
                values = self._values.setdefault((section, key), [])
                if value:
                    values.append(value)
                else:
                    values.clear()  # an empty assignment forgets what stood before

    def all(self, section: str, key: str) -> tuple[str, ...]:
        """Return every value of a setting that may be given more than once."""
        return tuple(self._values.get((section, key), ()))

    def last(self, section: str, key: str) -> str:
        """Return the value that counts of a setting that has one; "" where it has none."""
        values = self._values.get((section, key))
        return values[-1] if values else ""

    def words(self, section: str, key: str) -> tuple[str, ...]:
        """Return every word of a setting that is a list separated by spaces."""
        return tuple(word for value in self.all(section, key) for word in value.split())


def assignments(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (section, key, value); a section's head yields an empty key.

    Lines that are neither are ignored, as systemd does (it logs a warning).
    """
    section = ""
    pending = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(("#", ";")) or (not line and not pending):
            continue
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        line, pending = (pending + line).strip(), ""
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            yield section, "", ""
        elif "=" in line and section:
            key, _, value = line.partition("=")
            yield section, key.strip(), value.strip()


def template(name: str) -> str | None:
    """Return the template of an instance: "ssh@7.service" gives "ssh@.service", else None."""
    prefix, at, rest = name.partition("@")
    instance, dot, kind = rest.rpartition(".")
    return f"{prefix}@.{kind}" if at and dot and instance else None


def expand(text: str, unit: str) -> str:
    """Replace the specifiers that a unit's name gives (systemd.unit(5)); others stay."""
    stem, _, _ = unit.rpartition(".")
    prefix, _, instance = stem.partition("@")
    known = {"i": instance, "I": instance, "p": prefix, "P": prefix, "n": unit, "N": stem, "%": "%"}
    return re.sub(r"%(.)", lambda match: known.get(match[1], match[0]), text)


# --- sockets --------------------------------------------------------------------------------

LISTEN_KEYS = ("ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenNetlink")
_STREAM = {"sctp": Protocol.SCTP}
_DATAGRAM = {"udplite": Protocol.UDPLITE}


class Endpoint(NamedTuple):
    """A port that a socket unit opens."""

    protocol: Protocol
    address: str | None
    """As written; None for a bare port: all addresses, IPv6 and IPv4."""
    port: int


def endpoints(settings: Settings, unit: str) -> Iterator[Endpoint]:
    """Yield the network ports of a socket unit; paths, vsock and netlink are none."""
    protocol = settings.last("Socket", "SocketProtocol").lower()
    for key, value in listens(settings):
        kind = {
            "ListenStream": _STREAM.get(protocol, Protocol.TCP),
            "ListenDatagram": _DATAGRAM.get(protocol, Protocol.UDP),
            "ListenSequentialPacket": Protocol.SCTP,
        }.get(key)
        place = parse_address(expand(value, unit))
        if kind and place:
            yield Endpoint(kind, *place)


def listens(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield key and value of every Listen*= that may be a port."""
    for key in LISTEN_KEYS:
        for value in settings.all("Socket", key):
            yield key, value


def parse_address(text: str) -> tuple[str | None, int] | None:
    """Read the address of Listen*= (systemd.socket(5)); None where it is no IP port."""
    if text.startswith(("/", "@", "vsock")):
        return None
    address, colon, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > MAX_PORT:  # noqa: PLR2004 - digits of 65535
        return None
    if not colon:
        return None, int(port)
    address = address.partition("%")[0].strip("[]")
    return address, int(port)


def activated(settings: Settings, name: str) -> str:
    """Return the service that a socket, path or timer unit starts."""
    kind = name.rpartition(".")[2]
    section = kind.capitalize()
    named = settings.last(section, "Service" if kind == "socket" else "Unit")
    if named:
        return expand(named, name)
    stem = name.removesuffix(f".{kind}")
    accept = kind == "socket" and settings.last(section, "Accept").lower() in TRUE_WORDS
    return f"{stem}@.service" if accept and "@" not in stem else f"{stem}.service"
