"""Service in use that sends secrets in the clear.

Why it matters
    Whoever can listen on the way (a neighbour in a wireless network, a broken-into switch, a
    provider) reads what passes, and passwords among it open other doors as well.

How it is found
    Listeners that others can reach and whose service has no encryption of its own, where the
    catalogue names secrets that travel with it.

Remedy
    Use the encrypted service that replaces it, then close the old port.

False positives
    A connection inside a VPN or a tunnel is encrypted by that. A web server on port 80 that only
    sends browsers on to HTTPS loses nothing; beside HTTPS it is only reported as information.
"""

from collections.abc import Iterator

from portward.advice.groups import Group, grouped
from portward.advice.matters import is_exposed, is_housekeeping
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Remedy, Severity
from portward.model.service import Audience, Catalogue, Encryption, Service
from portward.model.status import Exposure

ID = "cleartext-service"


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each owner that serves secrets in the clear to others."""
    exposed = [one for one in case.exposures if is_exposed(one)]
    served = {one.recognition.service.name for one in exposed if one.recognition}
    for group in grouped(one for one in exposed if _is_mine(one)):
        service = group.service
        if service is None:
            continue
        severity = _severity(service, served)
        yield Finding(
            check=ID,
            subject=group.subject,
            severity=severity,
            confidence=Confidence.LIKELY if severity != Severity.INFO else Confidence.POSSIBLE,
            title=f"{group.name} sends {' and '.join(service.secrets)} in the clear",
            why=service.risk,
            evidence=group.evidence,
            remedy=_remedy(group, service, case.catalogue),
            listener=group.first,
        )


def _is_mine(exposure: Exposure) -> bool:
    known = exposure.recognition
    return (
        known is not None
        and known.service.encryption == Encryption.NONE
        and bool(known.service.secrets)
        and not is_housekeeping(exposure)
    )


def _severity(service: Service, served: set[str]) -> Severity:
    """Judge by what can be read; a public service beside its encrypted twin may redirect to it."""
    if service.audience == Audience.ANYONE:
        return Severity.INFO if service.replacement in served else Severity.LOW
    return Severity.HIGH if "passwords" in service.secrets else Severity.MEDIUM


def _remedy(group: Group, service: Service, catalogue: Catalogue) -> Remedy:
    replacement = catalogue.services.get(service.replacement or "")
    ports = f" ({replacement.ports[0]})" if replacement and replacement.ports else ""
    use = f"Use {replacement.title}{ports}. " if replacement else ""
    return Remedy(summary=f"{use}{service.instead} Then close {', '.join(group.ports)}.")
