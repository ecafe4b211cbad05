"""The "grepable" lines of nmap (its option -oG), for scripts that read them."""

from collections import Counter
from datetime import timedelta

from portward.model.scan import Scan, ScannedHost, ScannedPort, Spoken, Tls
from portward.model.words import printable
from portward.report import Look
from portward.report.nmap import STATES


def scan(scan: Scan, _look: Look) -> str:
    """Write one line a host."""
    end = scan.started + timedelta(seconds=scan.duration)
    lines = [f"# portward scan initiated {scan.started:%c} as: portward scan"]
    lines += map(_line, scan.hosts)
    how = "done" if scan.complete else "stopped early"
    lines.append(
        f"# portward {how} at {end:%c} -- {len(scan.hosts)} IP addresses scanned "
        f"in {scan.duration:.2f} seconds"
    )
    return "\n".join(lines) + "\n"


def _line(host: ScannedHost) -> str:
    fields = [f"Host: {host.address} ({_clean(host.name)})"]
    if host.ports:
        fields.append("Ports: " + ", ".join(map(_port, host.ports)))
    ignored: Counter[str] = Counter()
    for counts in host.others.values():
        for state, count in counts.items():
            ignored[STATES[state]] += count
    if ignored:
        states = ", ".join(f"{state} ({count})" for state, count in ignored.items())
        fields.append(f"Ignored State: {states}")
    return "\t".join(fields)


def _port(port: ScannedPort) -> str:
    """Write port/state/protocol/owner/service/RPC/version, the fields of nmap."""
    name = product = ""
    if isinstance(port.service, Spoken):
        name, product = port.service.protocol, port.service.product
        if isinstance(port.tls, Tls) and not port.tls.starttls:
            name = f"ssl|{name}"
    fields = (str(port.port), STATES[port.state], str(port.protocol), "", name, "", product)
    return "/".join(map(_clean, fields)) + "/"


def _clean(text: str) -> str:
    """Write a field without what ends one; nmap writes a slash as a bar."""
    return printable(text).replace("/", "|").replace(",", ";")
