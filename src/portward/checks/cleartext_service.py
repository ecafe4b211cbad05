"""Service in use that sends secrets in the clear.

Why it matters
    Whoever can listen on the way (a neighbour in a wireless network, a broken-into switch, a
    provider) reads what passes, and passwords among it open other doors as well.

How it is found
    Listeners that others can reach and whose service has no encryption of its own, where the
    catalogue names secrets that travel with it. Of services that the policy does not allow only
    those with passwords are named here; closing the port is what settles the others.

Remedy
    Use the encrypted service that replaces it, then close the old port.

False positives
    A connection inside a VPN or a tunnel is encrypted by that. A web server on port 80 that only
    sends browsers on to HTTPS loses nothing, so it is not reported beside HTTPS.
"""

from collections.abc import Iterator

from portward.advice.groups import Group, grouped, service_of
from portward.advice.matters import is_exposed, is_housekeeping
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Remedy, Severity
from portward.model.service import Audience, Catalogue, Encryption, Service
from portward.model.status import Exposure

ID = "cleartext-service"


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each owner that serves secrets in the clear to others."""
    exposed = [one for one in case.exposures if is_exposed(one)]
    served = {service.name for one in exposed if (service := service_of(one))}
    for group in grouped(one for one in exposed if _is_mine(one)):
        service = group.service
        if service is None or (
            service.audience == Audience.ANYONE and service.replacement in served
        ):
            continue
        yield Finding(
            check=ID,
            subject=group.subject,
            severity=_severity(service),
            confidence=Confidence.LIKELY,
            title=f"{group.name} sends {', '.join(service.secrets)} in the clear",
            why=service.risk,
            evidence=group.evidence,
            remedy=_remedy(group, service, case.catalogue),
            listener=group.first,
        )


def _is_mine(exposure: Exposure) -> bool:
    service = service_of(exposure)
    if service is None or service.encryption != Encryption.NONE or is_housekeeping(exposure):
        return False
    return bool(service.secrets if exposure.allowance else "passwords" in service.secrets)


def _severity(service: Service) -> Severity:
    """Judge by what can be read; pages for everyone mostly have little to hide."""
    if service.audience == Audience.ANYONE:
        return Severity.LOW
    return Severity.HIGH if "passwords" in service.secrets else Severity.MEDIUM


def _remedy(group: Group, service: Service, catalogue: Catalogue) -> Remedy:
    replacement = catalogue.services.get(service.replacement or "")
    ports = f" ({replacement.ports[0]})" if replacement and replacement.ports else ""
    use = f"Use {replacement.title}{ports}. " if replacement else ""
    return Remedy(summary=f"{use}{service.instead} Then close {', '.join(group.ports)}.")
