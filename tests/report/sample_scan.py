"""A scan with everything that a report must be able to write, nasty words included."""

from datetime import UTC, datetime, timedelta

from portward.model.net import Protocol
from portward.model.scan import (
    Certificate,
    PortState,
    Scan,
    ScannedHost,
    ScannedPort,
    Spoken,
    Tls,
)
from portward.model.unknown import Unknown

ESCAPE = "\x1b]0;owned\x07\x1b[2J"
STARTED = datetime(2026, 1, 15, 12, tzinfo=UTC)

CERTIFICATE = Certificate(
    subject=f"CN=web.example{ESCAPE}",
    issuer="CN=Ward CA",
    names=("web.example", "192.0.2.80"),
    not_before=STARTED - timedelta(days=10),
    not_after=STARTED + timedelta(days=80),
    key="EC secp256r1",
    signature="sha256",
    self_signed=False,
    sha256="ab" * 32,
)


def port(number: int, state: PortState = PortState.OPEN, **facts: object) -> ScannedPort:
    given: dict[str, object] = {"protocol": Protocol.TCP, "reason": "syn-ack", "ttl": 64}
    return ScannedPort(port=number, state=state, **(given | facts))  # type: ignore[arg-type]


def web() -> ScannedHost:
    https = Tls(
        versions=("TLS 1.0", "TLS 1.2"),
        refused=("SSL 3.0", "TLS 1.1", "TLS 1.3"),
        cipher="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        certificate=CERTIFICATE,
    )
    mail = Tls(versions=("TLS 1.3",), starttls=True, certificate=Unknown("it is damaged"))
    return ScannedHost(
        address="192.0.2.80",
        name="web.example",
        ports=(
            port(22, rtt=0.0004, service=Spoken(protocol="ssh", product="OpenSSH 9.2p1")),
            port(25, service=Spoken(protocol="smtp", product="a/b, c", cleartext=True), tls=mail),
            port(
                80,
                service=Spoken(protocol="http", product=f'"<{ESCAPE}>&', cleartext=True),
                banner=f"HTTP/1.1 200 OK\r\nServer: {ESCAPE}<&>\x00",
            ),
            port(443, service=Spoken(protocol="https", cleartext=False), tls=https),
            port(8080, service=Unknown("what it says is of no known protocol"), banner="?"),
            port(3306, PortState.REFUSED, reason="icmp 3/13 from 192.0.2.1", ttl=255),
            port(53, protocol=Protocol.UDP, reason="answer", service=Spoken(protocol="dns")),
            port(161, PortState.SILENT, protocol=Protocol.UDP, reason="no answer", ttl=None),
        ),
        others={
            "tcp": {PortState.CLOSED: 900, PortState.FILTERED: 94},
            "udp": {PortState.CLOSED: 3},
        },
        asked={"tcp": "1-1000", "udp": "50-53,161"},
    )


def scan() -> Scan:
    return Scan(
        started=STARTED,
        duration=1.5,
        engine="bpf",
        rate=200_000,
        rounds=2,
        lost=0,
        source=("192.0.2.7",),
        hosts=(
            web(),
            ScannedHost(
                address="2001:db8::9",
                ports=(port(5432, PortState.UNCERTAIN, reason="answers were lost", ttl=None),),
                others={"tcp": {PortState.FILTERED: 999}},
                asked={"tcp": "1-999,5432"},
                unknown=(Unknown("it answers for every port alike"),),
            ),
        ),
    )
