"""The screen of ``portward scan``."""

from collections import Counter

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
from portward.model.words import printable
from portward.report.screen import (
    Block,
    Column,
    Heading,
    Paragraph,
    Row,
    Screen,
    Spans,
    Table,
    Tone,
)
from portward.report.screen.head import plural

_COLUMNS = (
    Column("Port", 0),
    Column("State", 0, toned=True),
    Column("Answers", 1),
    Column("TLS", 2),
    Column("Reason", 2),
    Column("RTT", 3),
    Column("TTL", 4),
)
TONES = {
    PortState.OPEN: Tone.PARTLY,
    PortState.CLOSED: Tone.LOCAL,
    PortState.REFUSED: Tone.LOCAL,
    PortState.FILTERED: Tone.LOCAL,
    PortState.SILENT: Tone.UNKNOWN,
    PortState.UNCERTAIN: Tone.UNKNOWN,
}
_ENGINES = {
    "bpf": "the BPF engine",
    "ring": "raw packets",
    "connect": "connections",
}


def scan(found: Scan) -> Screen:
    """Show what answers, host by host; those that nothing is known of are gathered."""
    seen = [host for host in found.hosts if host.asked]
    screen: Screen = [_head(found)]
    screen += [_host(host) for host in seen if _worth(host) or len(seen) == 1]
    quiet = Counter(summary(host) for host in seen if not _worth(host) and len(seen) > 1)
    gathered: list[Block] = [
        Paragraph(((f"{plural(count, 'more host')}: ", Tone.TITLE), (text, Tone.PLAIN)))
        for text, count in quiet.items()
    ]
    missing: dict[str, list[str]] = {}
    for host in found.hosts:
        if not host.asked:
            reason = host.unknown[0].reason if host.unknown else "not asked"
            missing.setdefault(reason, []).append(host.name or host.address)
    for reason, names in missing.items():
        gathered.append(Heading(Tone.UNKNOWN, _missing(names, reason)))
    if gathered:
        screen.append(tuple(gathered))
    return screen


def _head(found: Scan) -> tuple[Block, ...]:
    source = ", ".join(found.source) or "nowhere"
    engine = " and ".join(_ENGINES.get(one, one) for one in found.engine.split(" and "))
    details = [
        f"{found.duration:.1f} s" if found.duration >= 1 else f"{found.duration * 1000:.0f} ms"
    ]
    if found.rate:
        details.append(f"up to {found.rate:,.0f} probes a second")
    if found.rounds:
        details.append(plural(found.rounds, "round"))
    if found.lost:
        details.append(f"{plural(found.lost, 'frame')} lost on this side")
    spans: Spans = (
        (f"Seen from {source}", Tone.TITLE),
        (f" by {engine}: {', '.join(details)}.", Tone.PLAIN),
    )
    blocks: list[Block] = [Paragraph(spans)]
    if found.engine_reason:
        blocks.append(Paragraph(((f"Not faster: {found.engine_reason}.", Tone.QUIET),)))
    if not found.complete:
        text = "Stopped early: what was not asked is not here. Go on with --resume FILE."
        blocks.append(Heading(Tone.UNKNOWN, ((text, Tone.UNKNOWN),)))
    return tuple(blocks)


def _worth(host: ScannedHost) -> bool:
    """Say whether a host among many gets a place of its own."""
    return bool(host.unknown) or any(port.state == PortState.OPEN for port in host.ports)


def _host(host: ScannedHost) -> tuple[Block, ...]:
    name = f"{printable(host.name)} ({host.address})" if host.name else host.address
    blocks: list[Block] = [
        Heading(Tone.PLAIN, ((f"{name}: ", Tone.TITLE), (summary(host), Tone.PLAIN)))
    ]
    if host.ports:
        blocks.append(Table(_COLUMNS, tuple(map(_row, host.ports))))
    blocks += [
        Heading(Tone.UNKNOWN, ((f"Not certain: {printable(one.reason)}.", Tone.UNKNOWN),))
        for one in host.unknown
    ]
    return tuple(blocks)


def summary(host: ScannedHost) -> str:
    """Count the ports by state: "20 open, 65,515 closed"."""
    counts: Counter[tuple[str, PortState]] = Counter()
    for port in host.ports:
        counts[port.protocol, port.state] += 1
    for protocol, others in host.others.items():
        for state, count in others.items():
            counts[protocol, state] += count
    parts = [
        f"{counts[protocol, state]:,} {state}" + (" (UDP)" if protocol == Protocol.UDP else "")
        for protocol in (Protocol.TCP, Protocol.UDP)
        for state in PortState
        if counts[protocol, state]
    ]
    return ", ".join(parts) or "nothing is known"


def _row(port: ScannedPort) -> Row:
    return Row(
        TONES[port.state],
        (
            f"{port.port}/{port.protocol}",
            str(port.state),
            spoken(port),
            tls(port),
            port.reason,
            "" if port.rtt is None else _time(port.rtt),
            "" if port.ttl is None else str(port.ttl),
        ),
    )


def spoken(port: ScannedPort) -> str:
    """Say what answers; that it can be read on the way is said with it."""
    match port.service:
        case Spoken(protocol=protocol, product=product):
            words = printable(f"{protocol}: {product}" if product else protocol)
            return f"{words} (clear text)" if port.service.cleartext else words
        case Unknown(reason=reason):
            return f"unknown ({printable(reason)})"
        case _:
            return ""


def tls(port: ScannedPort) -> str:
    """Name the versions of TLS that it speaks, oldest first."""
    match port.tls:
        case Tls(versions=versions, starttls=starttls):
            words = ", ".join(versions)
            return f"{words} after STARTTLS" if starttls else words
        case Unknown(reason=reason):
            return f"unknown ({printable(reason)})"
        case _:
            return ""


def certificate(port: ScannedPort) -> str:
    """Say whose the certificate is and until when it holds."""
    if not isinstance(port.tls, Tls):
        return ""
    match port.tls.certificate:
        case Certificate(subject=subject, not_after=end, self_signed=alone, key=key):
            how = ", self-signed" if alone else ""
            return printable(f"{subject}, {key}, until {end:%Y-%m-%d}{how}")
        case Unknown(reason=reason):
            return f"unknown ({printable(reason)})"
        case _:
            return ""


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.001 else f"{seconds * 1e6:.0f} us"  # noqa: PLR2004


def _missing(names: list[str], reason: str) -> Spans:
    most = 3
    listed = ", ".join(map(printable, names[:most]))
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ((f"{listed}{more}: ", Tone.TITLE), (f"not seen, {printable(reason)}", Tone.UNKNOWN))
