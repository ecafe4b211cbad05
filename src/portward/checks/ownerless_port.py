"""Open port without any owner.

Why it matters
    A port that answers and belongs to no program is either the kernel's own or something that
    hides its program. It cannot be judged, updated or stopped like a service.

How it is found
    Sockets that no process, no known part of the kernel and no container holds, although portward
    could see everything. Where it could not, it says for how many ports the holder is unknown.

Remedy
    Look at the loaded kernel modules, and for programs that hide themselves (compare the list
    from a rescue system).

False positives
    A part of the kernel that portward does not know by name, or a program that ended while
    portward looked.
"""

from collections.abc import Iterator

from portward.advice.groups import grouped
from portward.advice.undecided import mend
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Remedy, Severity, Undecided
from portward.model.host import HOST, Listener
from portward.model.net import Protocol
from portward.model.status import Scope
from portward.model.unknown import Unknown

ID = "ownerless-port"


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding for each port that nobody holds; say once for how many it is unknown."""
    for group in grouped(one for one in case.exposures if _is_ownerless(one.listener)):
        local = group.scope == Scope.HOST
        yield Finding(
            check=ID,
            subject=group.subject,
            severity=Severity.LOW if local else Severity.MEDIUM,
            confidence=Confidence.POSSIBLE,
            title=f"{', '.join(group.ports)} is open and no process holds it",
            why="Something answers here that is no program anyone could see.",
            evidence=group.evidence,
            remedy=Remedy(
                summary="See which kernel modules are loaded and whether one of them listens;"
                " otherwise examine the machine from a rescue system.",
                commands=("lsmod", "ss -tulpne"),
            ),
            listener=group.first,
        )
    hidden = [one for one in case.exposures if isinstance(one.listener.process, Unknown)]
    if hidden:
        reasons = dict.fromkeys(
            one.listener.process.reason
            for one in hidden
            if isinstance(one.listener.process, Unknown)
        )
        yield Undecided(
            check=ID,
            subject="owners of open ports",
            reason=f"who holds {len(hidden)} of {len(case.exposures)} sockets is not known:"
            f" {', '.join(reasons)}",
            mend=mend(case.snapshot),
        )


def _is_ownerless(listener: Listener) -> bool:
    return (
        listener.process is None
        and listener.inetd is None
        and not isinstance(listener.unit, str)
        and not isinstance(listener.container, str)
        and listener.namespace == HOST
        and listener.protocol not in {Protocol.RAW, Protocol.PACKET}
    )
