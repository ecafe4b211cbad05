"""Words of the network: protocols, families, ports, addresses."""

from enum import StrEnum

from msgspec import Struct

from portward.model.errors import PortwardError

MAX_PORT = 65535
IPV4_ANY = "0.0.0.0"  # noqa: S104 - the wildcard is what we look for, nothing binds to it
IPV6_ANY = "::"


class Protocol(StrEnum):
    """How packets reach a socket.

    For ``raw`` the port is the IP protocol number, for ``packet`` the EtherType.
    """

    TCP = "tcp"
    UDP = "udp"
    UDPLITE = "udplite"
    SCTP = "sctp"
    DCCP = "dccp"
    RAW = "raw"
    PACKET = "packet"


class Family(StrEnum):
    """The address families that reach a socket."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    DUAL = "dual"
    """An IPv6 socket with v6only=0: IPv4 reaches it as well."""
    LINK = "link"
    """A packet socket: frames, below any address."""


class Ports(Struct, frozen=True, order=True):
    """An inclusive range of ports of one protocol."""

    protocol: Protocol
    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> "Ports":
        """Read ``22/tcp`` or ``6000-6063/tcp``; raise PortwardError for anything else."""
        span, slash, protocol = text.partition("/")
        first, dash, last = span.partition("-")
        try:
            ports = cls(Protocol(protocol), int(first), int(last if dash else first))
        except ValueError:
            slash = ""
            ports = cls(Protocol.TCP, 1, 1)
        if not slash or not 0 < ports.first <= ports.last <= MAX_PORT:
            raise PortwardError(
                f'"{text}" is no port', mend='write it like "22/tcp" or "6000-6063/tcp"'
            )
        return ports

    def __contains__(self, port: tuple[Protocol, int]) -> bool:
        """Say whether (protocol, port) lies in the range."""
        return self.first <= port[1] <= self.last and port[0] == self.protocol

    def __str__(self) -> str:
        """Write it the way parse() reads it."""
        span = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{span}/{self.protocol}"


def is_wildcard(address: str) -> bool:
    """Say whether a bind address takes packets for any address of the machine."""
    return address in {IPV4_ANY, IPV6_ANY, ""}


def is_loopback(address: str) -> bool:
    """Say whether a bind address is one that only this host can send to (RFC 1122, RFC 4291)."""
    return address == "::1" or address.startswith(("127.", "::ffff:127."))
