"""Service of inetd or xinetd that no role needs.

Why it matters
    The super-server starts these programs for whoever connects. They are mostly of a time when
    networks were trusted: telnet, the r-commands, finger and the small test services.

How it is found
    Every enabled line of inetd.conf and of xinetd's files, whether or not the super-server runs
    now. What it serves is told by the package and name of the program it starts, then by its own
    first word; a port number alone is only a hint. Lines whose port is open are the business of
    the check on open ports.

Remedy
    Put a # before the line and let the super-server read its file again.

False positives
    None: a line that is wanted belongs into the policy.
"""

from collections.abc import Iterator

from portward.advice.closing import leave_inetd
from portward.advice.undecided import unless_known
from portward.knowledge.recognise import recognise_inetd
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Severity, Undecided
from portward.model.host import InetdLine
from portward.model.net import Ports
from portward.model.service import Encryption
from portward.model.unknown import Unknown

ID = "inetd-service"


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding for each service that the super-server would start and nobody needs."""
    lines = case.snapshot.inetd
    yield from unless_known(ID, "services of inetd", lines, case.snapshot)
    if isinstance(lines, Unknown):
        return
    listening = {
        (one.listener.inetd.file, one.listener.inetd.service)
        for one in case.exposures
        if one.listener.inetd
    }
    seen: set[str] = set()
    for line in lines:
        subject = f"{line.service} in {line.file}"
        if (line.file, line.service) in listening or subject in seen or _allowed(line, case):
            continue
        seen.add(subject)  # tcp and udp, or tcp6, are one service
        yield _finding(line, subject, case)


def _finding(line: InetdLine, subject: str, case: Case) -> Finding:
    service = recognise_inetd(line, case.catalogue)
    port = (
        f"{line.port}/{line.protocol}" if line.port is not None else "a port not in /etc/services"
    )
    served = f"{line.service} ({port})"
    if service is not None and service.name != line.service:
        served += f", which is {service.title}"
    readable = service is not None and service.encryption == Encryption.NONE
    return Finding(
        check=ID,
        subject=subject,
        severity=Severity.MEDIUM if readable else Severity.LOW,
        confidence=Confidence.CERTAIN,
        title=f"inetd is told to serve {served}, and no role needs it",
        why=service.risk if service else _unknown(line, case),
        evidence=(Evidence(f"starts {line.program} as {line.user}", f"{line.file}:{line.line}"),),
        remedy=leave_inetd(line, case),
    )


def _unknown(line: InetdLine, case: Case) -> str:
    """Say what an unknown program would do, with the usual service of its port as a hint."""
    usual = [one.title for one in case.catalogue.services.values() if _has_port(line, one.ports)]
    hint = f" That port is usually {' or '.join(usual)}." if usual else ""
    return f"The catalogue does not know it; it opens the port once the super-server runs.{hint}"


def _allowed(line: InetdLine, case: Case) -> bool:
    """Say whether the policy opens the port today for the program or service of the line."""
    service = recognise_inetd(line, case.catalogue)
    return any(
        _has_port(line, one.ports)
        and one.program in {None, line.program}
        and (service is None or one.service in {None, service.name})
        for one in case.policy.allowances
        if one.until is None or case.day <= one.until
    )


def _has_port(line: InetdLine, ranges: tuple[Ports, ...]) -> bool:
    return line.port is not None and any((line.protocol, line.port) in ports for ports in ranges)
