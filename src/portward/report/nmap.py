"""The XML of nmap 7 for programs that read it, written from its public DTD; nmap is not needed.

``scanner`` is "portward", as portward looked. A port that portward is not certain of is "unknown",
which that DTD allows.
"""

from collections.abc import Iterator
from datetime import UTC, timedelta
from xml.sax.saxutils import quoteattr

from portward import __version__
from portward.model.scan import PortState, Scan, ScannedHost, ScannedPort, Spoken, Tls
from portward.model.words import printable
from portward.report import Look

STATES = {
    PortState.OPEN: "open",
    PortState.CLOSED: "closed",
    PortState.REFUSED: "filtered",
    PortState.FILTERED: "filtered",
    PortState.SILENT: "open|filtered",
    PortState.UNCERTAIN: "unknown",
}
_REASONS = {"no answer": "no-response", "rst": "reset"}
"""What nmap calls them; other reasons are written as they are."""
_USUAL_REASONS = {PortState.CLOSED: "reset", PortState.FILTERED: "no-response"}
_TUNNEL = {"https": "http", "imaps": "imap", "pop3s": "pop3", "ldaps": "ldap", "smtps": "smtp"}


def scan(scan: Scan, _look: Look) -> str:
    """Write the whole scan."""
    return "\n".join(_lines(scan)) + "\n"


def _lines(scan: Scan) -> Iterator[str]:
    start = scan.started.astimezone(UTC)
    end = start + timedelta(seconds=scan.duration)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield "<!DOCTYPE nmaprun>"
    yield _tag(
        "nmaprun",
        scanner="portward",
        args="portward scan",
        start=str(int(start.timestamp())),
        startstr=start.strftime("%c"),
        version=__version__,
        xmloutputversion="1.05",
    )
    for first in scan.hosts[:1]:
        for protocol, ports in first.asked.items():
            count = sum(high - low + 1 for low, high in first.spans(protocol))
            yield _tag(
                "scaninfo",
                close=True,
                type="udp" if protocol == "udp" else "syn",
                protocol=protocol,
                numservices=str(count),
                services=ports,
            )
    for host in scan.hosts:
        yield from _host(host, str(int(start.timestamp())), str(int(end.timestamp())))
    up = sum(map(_answers, scan.hosts))
    yield "<runstats>"
    yield _tag(
        "finished",
        close=True,
        time=str(int(end.timestamp())),
        timestr=end.strftime("%c"),
        elapsed=f"{scan.duration:.2f}",
        exit="success" if scan.complete else "error",
    )
    total = len(scan.hosts)
    yield _tag("hosts", close=True, up=str(up), down=str(total - up), total=str(total))
    yield "</runstats>"
    yield "</nmaprun>"


def _host(host: ScannedHost, start: str, end: str) -> Iterator[str]:
    yield _tag("host", starttime=start, endtime=end)
    up = _answers(host)
    state, reason = ("up", "user-set") if up else ("unknown", "no-response")
    yield _tag("status", close=True, state=state, reason=reason, reason_ttl="0")
    kind = "ipv6" if ":" in host.address else "ipv4"
    yield _tag("address", close=True, addr=host.address, addrtype=kind)
    yield "<hostnames>"
    if host.name:
        yield _tag("hostname", close=True, name=host.name, type="user")
    yield "</hostnames>"
    yield "<ports>"
    for protocol, counts in host.others.items():
        for other, count in counts.items():
            yield _tag("extraports", state=STATES[other], count=str(count))
            # Since 7.92 nmap says in here which protocol they are of.
            yield _tag(
                "extrareasons",
                close=True,
                reason=_USUAL_REASONS.get(other, "unknown"),
                count=str(count),
                proto=protocol,
            )
            yield "</extraports>"
    for port in host.ports:
        yield from _port(port)
    yield "</ports>"
    yield "</host>"


def _port(port: ScannedPort) -> Iterator[str]:
    yield _tag("port", protocol=str(port.protocol), portid=str(port.port))
    reason = _REASONS.get(port.reason, port.reason)
    yield _tag(
        "state",
        close=True,
        state=STATES[port.state],
        reason=reason,
        reason_ttl=str(port.ttl or 0),
    )
    if isinstance(port.service, Spoken):
        tunnel = isinstance(port.tls, Tls) and not port.tls.starttls
        name = port.service.protocol
        given = {"name": _TUNNEL.get(name, name) if tunnel else name}
        if port.service.product:
            given["product"] = port.service.product
        if tunnel:
            given["tunnel"] = "ssl"
        yield _tag("service", close=True, **given, method="probed", conf="10")
    if port.banner:
        yield _tag("script", close=True, id="banner", output=port.banner)
    yield "</port>"


def _tag(tag: str, /, *, close: bool = False, **attributes: str) -> str:
    # XML has no way to write control characters, so they are written as a person would see them.
    words = (f"{key}={quoteattr(printable(value))}" for key, value in attributes.items())
    return f"<{tag} {' '.join(words)}{'/' if close else ''}>"


def _answers(host: ScannedHost) -> bool:
    """Say whether anything at all came back."""
    heard = {PortState.OPEN, PortState.CLOSED, PortState.REFUSED}
    states = {port.state for port in host.ports}
    return bool(heard & states.union(*(counts for counts in host.others.values())))
