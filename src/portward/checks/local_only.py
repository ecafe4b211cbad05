"""Service that only this host reaches and no role needs.

Why it matters
    Nobody outside can talk to it, so it is no open door. It still runs, takes memory, and serves
    every local user and every program that is broken into; a changed setting would open it.

How it is found
    Listeners bound to a loopback address that no role or exception of the policy names, joined by
    owner. Only services of the catalogue are named; the housekeeping of every machine is not.

Remedy
    Stop the unit if nothing on this machine uses it, or name it in the policy.

False positives
    A database or a mail server for local programs is normal; that is why this only informs.
"""

from collections.abc import Iterator

from portward.advice.closing import close
from portward.advice.groups import grouped
from portward.advice.matters import is_housekeeping
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Severity
from portward.model.host import HOST
from portward.model.status import Exposure, Scope

ID = "local-only"


def check(case: Case) -> Iterator[Finding]:
    """Yield one finding for each known service on loopback that the policy does not name."""
    exposed = {_unit(one) for one in case.exposures if one.reach.scope != Scope.HOST} - {None}
    for group in grouped(one for one in case.exposures if _is_mine(one)):
        if _unit(group.exposures[0]) in exposed:
            continue  # what its other ports get said of it covers these
        yield Finding(
            check=ID,
            subject=group.subject,
            severity=Severity.INFO,
            confidence=Confidence.CERTAIN,
            title=f"{group.name} serves only this host, and no role needs it",
            why=f"Nobody outside reaches it, but {group.owner} is a program more to keep updated.",
            evidence=group.evidence,
            remedy=close(group, case),
            listener=group.first,
        )


def _is_mine(exposure: Exposure) -> bool:
    return (
        exposure.listener.namespace == HOST
        and exposure.reach.scope == Scope.HOST
        and exposure.allowance is None
        and exposure.recognition is not None
        and not is_housekeeping(exposure)
    )


def _unit(exposure: Exposure) -> str | None:
    unit = exposure.listener.unit
    return unit if isinstance(unit, str) else None
