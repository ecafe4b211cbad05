"""Service that starts at boot although no role needs it.

Why it matters
    It does not listen now, so looking at open ports misses it; after the next boot, or the first
    connection to its socket unit, it does.

How it is found
    Enabled units of services in the catalogue that no role or exception of the policy names and
    that hold no port now. The units of one package are one finding. Services that are listening
    are the business of the checks on open ports.

Remedy
    Disable the units, with the sockets and paths that would start them, or remove the package.

False positives
    A service that only listens on a Unix socket, or one that is configured not to open a port.
"""

from collections.abc import Iterator

from portward.advice.closing import stop
from portward.advice.needs import needed, services_by_unit, template
from portward.advice.stopping import of_all_instances
from portward.advice.undecided import unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Severity, Undecided
from portward.model.host import Unit
from portward.model.service import Audience, Service
from portward.model.unknown import Unknown

ID = "unneeded-enabled"


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding for each package whose units would open a port nobody needs."""
    yield from unless_known(ID, "services that start at boot", case.snapshot.units, case.snapshot)
    for owner, members in unneeded(case).items():
        yield _finding(owner, [unit for unit, _ in members], members[0][1], case)


def unneeded(case: Case) -> dict[str, list[tuple[Unit, Service]]]:
    """Return what starts at boot, does not listen now and is not needed, by its package."""
    if isinstance(case.snapshot.units, Unknown):
        return {}
    known, wanted = services_by_unit(case.catalogue), needed(case)
    listening = {
        name for one in case.exposures for name in (one.listener.unit, one.listener.activates)
    }
    listening |= {of_all_instances(name) for name in listening if isinstance(name, str)}
    listening |= {
        starter
        for unit in case.snapshot.units
        if unit.name in listening
        for starter in unit.triggered_by
    }
    found: dict[str, list[tuple[Unit, Service]]] = {}
    for unit in case.snapshot.units:
        services = known.get(template(unit.name), [])
        if not services or not _starts(unit) or unit.name in listening:
            continue
        if not any(one.name in wanted or one.essential for one in services):
            owner = unit.package if isinstance(unit.package, str) else unit.name
            found.setdefault(owner, []).append((unit, services[0]))
    return found


def _starts(unit: Unit) -> bool:
    return unit.state.startswith("enabled") and unit.manager != "user"


def _finding(owner: str, units: list[Unit], service: Service, case: Case) -> Finding:
    names = tuple(unit.name for unit in units)
    return Finding(
        check=ID,
        subject=f"{service.name} ({owner})",
        severity=Severity.MEDIUM if service.audience == Audience.NOBODY else Severity.LOW,
        confidence=Confidence.CERTAIN,
        title=f"{service.title} ({names[0]}) starts at boot, and no role needs it",
        why=service.risk,
        evidence=tuple(
            Evidence(
                f"{unit.name} is {unit.state}"
                + (f" and {unit.active} now" if isinstance(unit.active, str) else "")
                + (f", listens on {', '.join(unit.listens)}" if unit.listens else ""),
                unit.file or unit.name,
            )
            for unit in units
        ),
        remedy=stop(names, case, None, service),
    )
