"""Allowed port that is open to more than it should be.

Why it matters
    The policy allows the port for some networks only. Whoever else reaches it can try passwords
    and faults of the program, although nobody meant to invite them.

How it is found
    The networks that the ruleset lets through to the port are compared with those of the
    allowance. Private networks without prefixes of their own are RFC 1918, carrier-grade NAT,
    link-local and unique local addresses. Where a match decides that is not understood the answer
    is "not decided".

Remedy
    Let the firewall pass only the networks that the policy names, or bind the service to an
    address of the network that needs it.

False positives
    A machine without a public address may be shielded by a router; then the severity is low.
"""

from collections.abc import Iterator
from ipaddress import ip_network

from portward.advice.closing import SSH
from portward.advice.groups import Group, grouped
from portward.advice.matters import is_exposed, is_housekeeping, is_published
from portward.advice.openness import EVERYWHERE, allowed_networks, excess, whom
from portward.advice.undecided import mend
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Remedy, Severity, Undecided
from portward.model.host import Facing, Snapshot
from portward.model.policy import Allowance
from portward.model.service import Audience
from portward.model.status import Exposure, Scope
from portward.model.unknown import Unknown
from portward.policy.networks import beyond

ID = "wider-than-allowed"


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding for each owner of ports that more can reach than may."""
    narrow = [one for one in case.exposures if _is_narrow(one)]
    ours = [one for one in narrow if not is_published(one.listener, case.snapshot)]
    for group in grouped(one for one in ours if excess(one)):
        yield _finding(group, case)
    unknown = [one for one in narrow if one.reach.scope == Scope.UNKNOWN]
    if unknown:
        ports = sorted({(one.listener.port, one.listener.protocol) for one in unknown})
        yield Undecided(
            check=ID,
            subject=", ".join(f"{port}/{protocol}" for port, protocol in ports),
            reason=f"the policy lets only some reach it, and who does is not known:"
            f" {unknown[0].reach.reason}",
            mend=mend(case.snapshot)
            or "compare the firewall's rules for these ports with the policy by hand",
        )


def _is_narrow(exposure: Exposure) -> bool:
    allowance = exposure.allowance
    return (
        allowance is not None
        and bool(beyond(EVERYWHERE, allowed_networks(allowance)))
        and allowance.sources.audience != Audience.HOST  # the check needless-wildcard
        and is_exposed(exposure)
        and not is_housekeeping(exposure)
    )


def _finding(group: Group, case: Case) -> Finding:
    allowance = group.exposures[0].allowance
    who = _who(allowance) if allowance else ""
    outside = group.scope == Scope.EVERYONE or any(
        not ip_network(one).is_private for one in _excess(group)
    )
    reached = whom((one.reach for one in group.exposures), _excess(group))
    on_internet = outside and _faces_internet(case.snapshot)
    ssh = group.service is not None and group.service.name == SSH
    return Finding(
        check=ID,
        subject=group.subject,
        severity=Severity.MEDIUM if on_internet else Severity.LOW,
        confidence=Confidence.CERTAIN
        if on_internet or group.scope == Scope.NETWORKS
        else Confidence.LIKELY,
        title=f"{group.name} is open to {reached}, but allowed only for {who}",
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


def _excess(group: Group) -> tuple[str, ...]:
    return tuple(dict.fromkeys(network for one in group.exposures for network in excess(one)))


def _who(allowance: Allowance) -> str:
    networks = ", ".join(allowance.sources.networks)
    return f"{allowance.sources.label} ({networks})" if networks else "private networks"


def _faces_internet(snapshot: Snapshot) -> bool:
    interfaces = snapshot.interfaces
    return isinstance(interfaces, Unknown) or any(
        one.facing == Facing.INTERNET for one in interfaces
    )
