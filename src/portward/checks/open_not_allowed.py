"""Open port that no role needs.

Why it matters
    Every open port is a program that strangers can talk to. A port that the machine's role does
    not need gives nothing back for that risk: the next fault in the program behind it, or a weak
    password, is a way in that nobody would miss if it were closed.

How it is found
    All TCP, UDP, SCTP and DCCP sockets that take packets nobody asked for are compared with what
    the roles and exceptions of the policy allow. All ports of one owner (a unit, a line of inetd,
    a container, else a program) are one finding, named after the most open of them. Packets are
    followed through the ruleset to say who reaches the port. A known service that only this host
    can reach, and one that the firewall keeps everyone out of, is named as well, but only informs.
    Where a match decides that is not understood, the finding is made with less confidence.

Remedy
    Stop and disable the unit, remove the package, or comment out the line of inetd. If the port
    is needed after all, add the role that needs it or an exception with a reason to the policy.

False positives
    A UDP socket with a random port may belong to a client that waits for an answer; such a socket
    of an unknown service is only reported as information, and not at all behind a firewall.
"""

from collections.abc import Iterator

from portward.advice.closing import close
from portward.advice.groups import EPHEMERAL_FIRST, Group, grouped, service_of
from portward.advice.matters import (
    is_exposed,
    is_firewalled,
    is_housekeeping,
    is_port,
    is_published,
    meant_for_another,
)
from portward.advice.openness import is_open, whom
from portward.advice.undecided import unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Severity, Undecided
from portward.model.net import Protocol
from portward.model.service import Audience, Encryption, Service
from portward.model.status import Exposure, Scope

ID = "open-not-allowed"


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield one finding for each owner of ports that the policy does not allow."""
    yield from unless_known(ID, "open ports", case.snapshot.listeners, case.snapshot)
    for group in grouped(one for one in case.exposures if _is_mine(one, case)):
        yield Finding(
            check=ID,
            subject=group.subject,
            severity=_severity(group),
            confidence=Confidence.LIKELY if group.scope == Scope.UNKNOWN else Confidence.CERTAIN,
            title=f"{group.widest.name} {_reached(group)}, and no role needs it",
            why=group.service.risk if group.service else _UNKNOWN_SERVICE,
            evidence=group.evidence,
            remedy=close(group, case),
            listener=group.first,
        )


_UNKNOWN_SERVICE = (
    "The catalogue does not know this program: whatever it does for those who connect, it was not"
    " asked for by any role of this machine."
)


def _is_mine(exposure: Exposure, case: Case) -> bool:
    return (
        is_port(exposure)
        and exposure.allowance is None
        and (is_exposed(exposure) or (service_of(exposure) is not None and _is_shut(exposure)))
        and not is_housekeeping(exposure)
        and not is_published(exposure.listener, case.snapshot)
        and not meant_for_another(exposure, case)
    )


def _is_shut(exposure: Exposure) -> bool:
    """Say whether it listens for others, or for this host, and no other reaches it."""
    return exposure.reach.scope == Scope.HOST or is_firewalled(exposure)


def _reached(group: Group) -> str:
    if group.scope == Scope.NOBODY:
        return "listens, the firewall keeps everyone out"
    if group.scope == Scope.HOST:
        return "serves only this host"
    if group.scope != Scope.UNKNOWN:
        reached = [one.reach for one in group.exposures]
        return f"is open to {whom(reached, (net for one in reached for net in one.networks))}"
    return "is listening (whether the firewall lets others in is not known)"


def _severity(group: Group) -> Severity:
    """Judge by who should reach the service at all; one step less where only networks can."""
    service = group.service
    if group.scope in {Scope.HOST, Scope.NOBODY}:
        return Severity.LOW if service and service.audience == Audience.NOBODY else Severity.INFO
    if service is None:
        level = Severity.INFO if _may_be_client(group) else Severity.MEDIUM
    elif service.audience == Audience.NOBODY:
        level = Severity.CRITICAL if _gives_passwords_away(service) else Severity.HIGH
    elif service.audience == Audience.HOST or _gives_passwords_away(service):
        level = Severity.HIGH
    else:
        level = Severity.MEDIUM
    nearly_all = any(is_open(one.reach) for one in group.exposures)
    if group.scope != Scope.NETWORKS or nearly_all or level == Severity.INFO:
        return level
    return list(Severity)[min(level.rank + 1, Severity.LOW.rank)]


def _gives_passwords_away(service: Service) -> bool:
    return service.encryption == Encryption.NONE and "passwords" in service.secrets


def _may_be_client(group: Group) -> bool:
    return all(
        one.listener.protocol == Protocol.UDP and one.listener.port >= EPHEMERAL_FIRST
        for one in group.exposures
    )
