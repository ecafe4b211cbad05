"""Allowed port that is open to more than it should be.

Why it matters
    The policy allows the port for some networks only. Whoever else reaches it can try passwords
    and faults of the program, although nobody meant to invite them.

How it is found
    The audience of the allowance is compared with who can reach the port. Where a firewall stands
    before the port, who gets through is not known yet, and the check says so once for all ports.

Remedy
    Let the firewall pass only the networks that the policy names, or bind the service to an
    address of the network that needs it.

False positives
    A machine without a public address may be shielded by a router; then the severity is low.
"""

from collections.abc import Iterator

from portward.advice.closing import SSH
from portward.advice.groups import Group, grouped
from portward.advice.matters import is_exposed, is_housekeeping, is_published
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Remedy, Severity, Undecided
from portward.model.host import Facing, Snapshot
from portward.model.policy import Allowance
from portward.model.service import Audience
from portward.model.status import Exposure, Scope
from portward.model.unknown import Unknown

ID = "wider-than-allowed"


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding for each owner of ports that everyone reaches, though only some may."""
    narrow = [one for one in case.exposures if _is_narrow(one, case)]
    for group in grouped(one for one in narrow if one.reach.scope == Scope.EVERYONE):
        yield _finding(group, case)
    unknown = [one for one in narrow if one.reach.scope == Scope.UNKNOWN]
    if unknown:
        ports = sorted({(one.listener.port, one.listener.protocol) for one in unknown})
        yield Undecided(
            check=ID,
            subject=", ".join(f"{port}/{protocol}" for port, protocol in ports),
            reason=f"the policy lets only some reach it, and {unknown[0].reach.reason}",
            mend="compare the firewall's rules for these ports with the policy by hand",
        )


def _is_narrow(exposure: Exposure, case: Case) -> bool:
    allowance = exposure.allowance
    return (
        allowance is not None
        and allowance.sources.audience == Audience.PRIVATE
        and is_exposed(exposure)
        and not is_housekeeping(exposure)
        and not is_published(exposure.listener, case.snapshot)
    )


def _finding(group: Group, case: Case) -> Finding:
    allowance = group.exposures[0].allowance
    who = _who(allowance) if allowance else ""
    on_internet = _faces_internet(case.snapshot)
    ssh = group.service is not None and group.service.name == SSH
    return Finding(
        check=ID,
        subject=group.subject,
        severity=Severity.MEDIUM if on_internet else Severity.LOW,
        confidence=Confidence.CERTAIN if on_internet else Confidence.LIKELY,
        title=f"{group.name} is open to everyone, but allowed only for {who}",
        why=group.service.risk if group.service else "More can reach it than the policy means.",
        evidence=group.evidence,
        remedy=Remedy(
            summary=f"Let the firewall pass {', '.join(group.ports)} from {who} only, or bind the"
            " service to an address of that network; if everyone may reach it, say so in the"
            ' policy: from = "any".',
            caution="SSH may be your own way in: allow your own address first, and keep this"
            " session open until a second one works."
            if ssh
            else "",
        ),
        listener=group.first,
    )


def _who(allowance: Allowance) -> str:
    networks = ", ".join(allowance.sources.networks)
    return f"{allowance.sources.label} ({networks})" if networks else "private networks"


def _faces_internet(snapshot: Snapshot) -> bool:
    interfaces = snapshot.interfaces
    return isinstance(interfaces, Unknown) or any(
        one.facing == Facing.INTERNET for one in interfaces
    )
