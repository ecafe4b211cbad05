"""Service of inetd or xinetd that no role needs.

Why it matters
    The super-server starts these programs for whoever connects. They are mostly of a time when
    networks were trusted: telnet, the r-commands, finger and the small test services.

How it is found
    Every enabled line of inetd.conf and of xinetd's files, whether or not the super-server runs
    now. Lines whose port is open are the business of the check on open ports. What a line serves
    is told by its package, its program and its name; the port alone is only a hint.

Remedy
    Put a # before the line and let the super-server read its file again.

False positives
    None: a line that is wanted belongs into the policy.
"""

from collections.abc import Iterator

from portward.advice.closing import leave_inetd
from portward.advice.undecided import unless_known
from portward.knowledge.recognise import recognise_line
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Severity, Undecided
from portward.model.host import InetdLine
from portward.model.service import Encryption
from portward.model.status import Basis, Recognition
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
    known = recognise_line(line, case.catalogue)
    port = (
        f"{line.port}/{line.protocol}" if line.port is not None else "a port not in /etc/services"
    )
    served = f"{line.service} ({port})"
    if known and known.basis != Basis.PORT and known.service.name != line.service:
        served += f", which is {known.service.title}"
    readable = known is not None and known.service.encryption == Encryption.NONE
    return Finding(
        check=ID,
        subject=subject,
        severity=Severity.MEDIUM if readable else Severity.LOW,
        confidence=Confidence.CERTAIN,
        title=f"inetd is told to serve {served}, and no role needs it",
        why=_why(line, known),
        evidence=(Evidence(f"starts {line.program} as {line.user}", f"{line.file}:{line.line}"),),
        remedy=leave_inetd(line, case),
    )


def _why(line: InetdLine, known: Recognition | None) -> str:
    """Explain what it is; where only the port tells, say that this is a hint."""
    if known is None:
        return "It opens the port as soon as the super-server runs."
    if known.basis != Basis.PORT or line.program == "internal":
        return known.service.risk
    return (
        f"The port is that of {known.service.title}; what {line.program} does there is not known."
        f" If it is that: {known.service.risk}"
    )


def _allowed(line: InetdLine, case: Case) -> bool:
    """Say whether the policy opens the port today for the program or service of the line."""
    known = recognise_line(line, case.catalogue)
    sure = known.service.name if known and known.basis != Basis.PORT else None
    return line.port is not None and any(
        (line.protocol, line.port) in ports
        and one.program in {None, line.program}
        and (sure is None or one.service in {None, sure})
        for one in case.policy.allowances
        if one.until is None or case.day <= one.until
        for ports in one.ports
    )
