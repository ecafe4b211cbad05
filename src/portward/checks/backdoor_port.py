"""Unknown program on a port that is the default of a known backdoor.

Why it matters
    Attack frameworks and trojans come with default ports, and some who use them do not change
    them. The number alone proves nothing: any program may use it.

How it is found
    Ports of the catalogue's list of such defaults, held by a program that no package brought or
    that is not known.

Remedy
    Find out what the program is; the finding about its place or its missing owner says more.

False positives
    Most of them. That is why the finding never says more than "possible".
"""

from collections.abc import Iterator

from portward.advice.groups import grouped_by_program
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.host import Kernel, Process
from portward.model.net import Protocol
from portward.model.service import BackdoorPort
from portward.model.status import Exposure
from portward.model.unknown import Unknown

ID = "backdoor-port"


def check(case: Case) -> Iterator[Finding]:
    """Yield a weak hint for each unknown program on such a port."""
    hints = {(one.protocol, one.port): one for one in case.catalogue.backdoors}
    for group in grouped_by_program(one for one in case.exposures if _is_mine(one, hints)):
        listener = group.first
        hint = hints[listener.protocol, listener.port]
        number = f"{hint.port}/{hint.protocol}"
        yield Finding(
            check=ID,
            subject=group.subject,
            severity=Severity.LOW if isinstance(listener.process, Process) else Severity.INFO,
            confidence=Confidence.POSSIBLE,
            title=f"{number}, held by {group.owner}, is the default of {hint.name}",
            why=hint.note,
            evidence=(*group.evidence, Evidence("the number is only a hint, never proof")),
            remedy=Remedy(summary=f"Find out what {group.owner} is and who started it."),
            listener=listener,
        )


def _is_mine(exposure: Exposure, hints: dict[tuple[Protocol, int], BackdoorPort]) -> bool:
    listener = exposure.listener
    return (
        (listener.protocol, listener.port) in hints
        and exposure.allowance is None
        and listener.inetd is None
        and listener.container is None
        and not isinstance(listener.package, str)
        and not isinstance(listener.process, Kernel | Unknown)
    )
