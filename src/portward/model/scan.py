"""What a look from outside found: the answer of each port asked, and who answered."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from portward.model.net import Protocol
from portward.model.unknown import Unknown

SCHEMA_VERSION = 1


class PortState(StrEnum):
    """What a probe of a port came to."""

    OPEN = "open"
    """A program answered: a SYN-ACK, or a datagram from the port asked."""
    CLOSED = "closed"
    """The host said that nothing listens: RST (RFC 9293), or ICMP port unreachable to UDP."""
    REFUSED = "refused"
    """A firewall or a router said no: an ICMP error other than that; the reason names its code."""
    FILTERED = "filtered"
    """Silence, after as many tries as the answers of other ports made necessary."""
    SILENT = "open or filtered"
    """Silence of a UDP port: its program may have nothing to say, or a firewall drops."""
    UNCERTAIN = "uncertain"
    """An answer may have come and been lost on this side, so silence proves nothing."""


class Certificate(Struct, frozen=True, kw_only=True, tag="certificate", tag_field="kind"):
    """What the certificate that a server showed says of itself; nobody checked its issuer."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    key: str
    """Such as "RSA 2048" or "EC secp256r1"."""
    signature: str
    """Name of its hash, such as "sha256"."""
    self_signed: bool
    sha256: str
    """Fingerprint of the DER form, in lower-case hexadecimal digits."""


class Tls(Struct, frozen=True, kw_only=True, tag="tls", tag_field="kind"):
    """What a port speaks of TLS."""

    versions: tuple[str, ...]
    """All that it accepted, such as "TLS 1.2", the oldest first."""
    refused: tuple[str, ...] = ()
    """Versions that it was asked for and declined."""
    cipher: str = ""
    """What it chose when asked with today's offers, by its IANA name."""
    starttls: bool = False
    """TLS begins only after a command in clear text (STARTTLS and its like)."""
    certificate: Certificate | Unknown | None = None


class Spoken(Struct, frozen=True, kw_only=True, tag="spoken", tag_field="kind"):
    """What a port was recognised as by what it said, not by its number."""

    protocol: str
    """As its service in the catalogue is named, if any: "ssh", "http", "postgresql"."""
    product: str = ""
    """As it calls itself, such as "OpenSSH 9.2p1"; a claim, not a proof."""
    cleartext: bool | None = None
    """Whether what people send it can be read on the way; None: could not be told."""


class ScannedPort(Struct, frozen=True, kw_only=True):
    """One port of one host, as seen from outside."""

    port: int
    protocol: Protocol
    state: PortState
    reason: str
    """What the state rests on: "syn-ack", "rst", "no answer", "icmp 3/13 from 192.0.2.1"..."""
    rtt: float | None = None
    """Seconds from the probe to its answer; None: no answer, or not measured."""
    ttl: int | None = None
    """Time to live, or hop limit, that the answer arrived with; None: no answer, or not seen."""
    service: Spoken | Unknown | None = None
    """None: it was not asked, or said nothing."""
    banner: str = ""
    """What it said first, cut short; bytes from outside, so escape it before showing."""
    tls: Tls | Unknown | None = None
    """None: it was not asked, or speaks none."""


class ScannedHost(Struct, frozen=True, kw_only=True):
    """One address that was looked at."""

    address: str
    name: str = ""
    """The name it was asked by, if it was."""
    ports: tuple[ScannedPort, ...]
    """Those worth a line each, by protocol and number; all others are in `others`."""
    others: Mapping[str, Mapping[PortState, int]] = {}
    """How many more ports answered how, by protocol."""
    asked: Mapping[str, str]
    """What was asked, by protocol: "1-1023,8080"; a port that is not in here is not known."""
    unknown: tuple[Unknown, ...] = ()
    """What could not be told about this host, such as that it answers for every port alike."""

    def spans(self, protocol: str) -> Iterator[tuple[int, int]]:
        """Yield the inclusive ranges of ports that were asked."""
        for item in self.asked.get(protocol, "").split(","):
            first, _, last = item.partition("-")
            if first:
                yield int(first), int(last or first)

    def was_asked(self, protocol: Protocol, port: int) -> bool:
        """Say whether the scan covered a port."""
        return any(first <= port <= last for first, last in self.spans(protocol))

    def states(self, protocol: Protocol, port: int) -> frozenset[PortState]:
        """Return the states that a port may be in; of one without a line there may be several.

        Empty: it is not known, as the port was not asked.
        """
        for one in self.ports:
            if (one.protocol, one.port) == (protocol, port):
                return frozenset({one.state})
        if not self.was_asked(protocol, port):
            return frozenset()
        return frozenset(state for state, count in self.others.get(protocol, {}).items() if count)


class PortChange(Struct, frozen=True, kw_only=True):
    """A port that two scans of a host do not tell alike."""

    address: str
    protocol: Protocol
    port: int
    before: tuple[PortState, ...]
    """Several: the scan counted the port among others, and does not say which is which."""
    after: tuple[PortState, ...]
    was: str = ""
    """What spoke there, such as "ssh: OpenSSH 9.2p1"; empty: not asked, or not recognised."""
    now: str = ""

    @property
    def opened(self) -> bool:
        """It answers now and did not."""
        return self.after == (PortState.OPEN,) and PortState.OPEN not in self.before

    @property
    def closed(self) -> bool:
        """It answered and does not now."""
        return self.before == (PortState.OPEN,) and PortState.OPEN not in self.after


class ScanDifference(Struct, frozen=True, kw_only=True):
    """What changed between two scans; only what both have asked can be compared."""

    old: str
    """Which scan, in the words of whoever asked."""
    new: str
    changes: tuple[PortChange, ...]
    gaps: tuple[str, ...] = ()
    """What could not be compared, each a sentence."""


class Scan(Struct, frozen=True, kw_only=True):
    """One look from one place at one or more hosts."""

    schema_version: int = SCHEMA_VERSION
    started: datetime
    duration: float
    """Seconds, by a clock that nobody sets."""
    engine: str
    """What sent the probes: "bpf", "ring", "connect"; "nmap" or "masscan" for an imported file."""
    engine_reason: str = ""
    """Why not a better engine, for a person; empty if it is the best."""
    rate: float | None = None
    """The highest number of probes a second that was reached; None: not known."""
    rounds: int | None = None
    """How often those that had not answered were asked again, the first time counted."""
    lost: int | None = None
    """Frames that the kernel dropped on this side for want of room; None: not known."""
    source: tuple[str, ...] = ()
    """Addresses of this side that the probes came from."""
    complete: bool = True
    """False: it was stopped, and only what had been found by then is here."""
    hosts: tuple[ScannedHost, ...]
