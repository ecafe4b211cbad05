"""Allowed port that another program holds than the one expected.

Why it matters
    The policy opens a port for one service. Whatever else listens there is reached by everyone
    whom that rule lets in: the usual way to hide a tunnel or a shell is to put it on port 443.

How it is found
    Where an allowance names a program, the file that the holder runs is compared with it. Where
    it names a service, the holder is recognised by its unit, package or file, not by its port;
    a holder that is surely another service is a finding.

Remedy
    Find out who started the program. If it belongs there, name it in the policy.

False positives
    A reverse proxy or a program from outside the distribution that serves the same protocol.
"""

from collections.abc import Iterator

from portward.advice.groups import Group, grouped_by_program
from portward.advice.matters import is_exposed, is_published, meant_for_another
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.host import Process
from portward.model.policy import Allowance
from portward.model.status import Basis, Exposure

ID = "unexpected-program"


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each owner that sits on ports meant for something else."""
    exposed = [
        one
        for one in case.exposures
        if is_exposed(one) and not is_published(one.listener, case.snapshot)
    ]
    for group in grouped_by_program(one for one in exposed if meant_for_another(one, case)):
        meant = meant_for_another(group.exposures[0], case)
        if meant:
            yield _finding(group, meant, f"the program {meant.program}", Severity.HIGH)
    for group in grouped_by_program(one for one in exposed if _is_other_service(one)):
        allowance = group.exposures[0].allowance
        if allowance:
            yield _finding(group, allowance, f"the service {allowance.service}", Severity.MEDIUM)


def _is_other_service(exposure: Exposure) -> bool:
    """Say whether the holder is surely not the service that the port was opened for."""
    known, allowance = exposure.recognition, exposure.allowance
    return (
        known is not None
        and allowance is not None
        and allowance.service is not None
        and allowance.program is None
        and known.basis not in {Basis.PORT, Basis.INETD}
        and known.service.name != allowance.service
        and not known.usual_port
    )


def _finding(group: Group, allowance: Allowance, expected: str, severity: Severity) -> Finding:
    process = group.first.process
    exe = process.exe if isinstance(process, Process) else None
    named = f', for example program = "{exe}"' if isinstance(exe, str) else ""
    return Finding(
        check=ID,
        subject=group.subject,
        severity=severity,
        confidence=Confidence.LIKELY,
        title=f"{', '.join(group.ports)} is meant for {expected}, but {group.owner} holds it",
        why="Everyone whom the policy lets in to that port talks to a program nobody named.",
        evidence=(*group.evidence, _allowed_by(allowance)),
        remedy=Remedy(
            summary="Find out who started the program and stop it; if it belongs there, say so in"
            f" the policy{named}."
        ),
        listener=group.first,
    )


def _allowed_by(allowance: Allowance) -> Evidence:
    return Evidence(f"allowed because: {allowance.reason}", allowance.origin)
