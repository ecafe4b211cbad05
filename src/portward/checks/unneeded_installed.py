"""Network service that is installed although no role needs it.

Why it matters
    It neither runs nor starts at boot now. An upgrade, a dependency or a single command changes
    that, and until then it must be kept updated for nothing.

How it is found
    Installed packages of services in the catalogue that no role or exception of the policy names,
    that hold no port and have no unit that starts at boot. A package counts as a server if it
    brings a unit of the service, or if nobody should run the service at all. Packages that are
    installed for their client as well (nfs-common, rsync, git) are left alone, and so are those
    that also bring a needed service.

Remedy
    Remove the package.

False positives
    A package kept for its tools only.
"""

from collections.abc import Iterator

from portward.advice.needs import needed, services_by_package, template
from portward.advice.removing import remove
from portward.advice.undecided import unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Severity, Undecided
from portward.model.host import Package
from portward.model.service import Audience, Service
from portward.model.unknown import Unknown

ID = "unneeded-installed"


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding for each service whose packages lie idle."""
    snapshot = case.snapshot
    yield from unless_known(ID, "installed packages", snapshot.packages, snapshot)
    if isinstance(snapshot.packages, Unknown):
        return
    known, wanted, busy = services_by_package(case.catalogue), needed(case), _busy(case)
    idle: dict[str, list[Package]] = {}
    chosen: dict[str, Service] = {}
    busy_services = {one.name for name in busy for one in known.get(name, [])}
    for package in snapshot.packages:
        services = known.get(package.name, [])
        services = [one for one in services if _is_server(package.name, one, case)]
        names = {one.name for one in services}
        if (
            services
            and not names & (wanted | busy_services)
            and not any(one.essential for one in services)
        ):
            idle.setdefault(services[0].name, []).append(package)
            chosen[services[0].name] = services[0]
    for name, packages in idle.items():
        yield _finding(chosen[name], packages, case)


def _is_server(package: str, service: Service, case: Case) -> bool:
    """Say whether the package is there to serve, and is no client that could serve as well."""
    units = () if isinstance(case.snapshot.units, Unknown) else case.snapshot.units
    if package in {*service.debian.clients, *service.fedora.clients}:
        return False
    named = {*service.debian.units, *service.fedora.units}
    brings = any(unit.package == package and template(unit.name) in named for unit in units)
    return brings or service.audience == Audience.NOBODY or service.essential


def _busy(case: Case) -> set[str]:
    """Name the packages that other checks speak of: they listen, or start at boot."""
    units = () if isinstance(case.snapshot.units, Unknown) else case.snapshot.units
    lines = () if isinstance(case.snapshot.inetd, Unknown) else case.snapshot.inetd
    owners = (
        *(one.listener.package for one in case.exposures),
        *(unit.package for unit in units if unit.state.startswith("enabled")),
        *(line.package for line in lines),
    )
    return {owner for owner in owners if isinstance(owner, str)}


def _finding(service: Service, packages: list[Package], case: Case) -> Finding:
    names = tuple(package.name for package in packages)
    return Finding(
        check=ID,
        subject=f"{service.name} ({', '.join(names)})",
        severity=Severity.LOW,
        confidence=Confidence.CERTAIN,
        title=f"{service.title} ({', '.join(names)}) is installed, and no role needs it",
        why=service.risk,
        evidence=tuple(Evidence(f"{one.name} {one.version} is installed") for one in packages),
        remedy=remove(names, case),
    )
