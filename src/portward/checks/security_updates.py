"""Security update that waits, worse where its program is open to others.

Why it matters
    The fault is public from the day of the update on, and so are the programs that use it.

How it is found
    Candidates of the package lists that come from a security archive. A package whose program
    holds a port that others may reach has a finding of its own; all others share one, in which
    those come first that such a program needs, then those that listen or run at all.

Remedy
    Install the updates, then restart what still runs the old files.

False positives
    A fault in a part of the package that this machine does not use.
"""

from collections.abc import Iterator

from portward.advice.matters import is_exposed
from portward.advice.software import security_upgrade
from portward.advice.undecided import unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity, Undecided
from portward.model.host import Package, PendingUpdate
from portward.model.net import Protocol
from portward.model.unknown import Unknown

ID = "security-updates"


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding for each exposed package that needs an update, and one for the rest."""
    updates = case.snapshot.updates
    if isinstance(updates, Unknown) or updates.manager is None:
        return
    yield from unless_known(ID, "pending updates", updates.pending, case.snapshot)
    if isinstance(updates.pending, Unknown):
        return
    exposed = _exposed_packages(case)
    rest = []
    for update in updates.pending:
        ports = exposed.get(update.package) or exposed.get(_source(update.package, case), [])
        if update.security and ports:
            yield _finding([update], case, ", ".join(ports))
        elif update.security:
            rest.append(update)
    if rest:
        users = _users(case, exposed)
        yield _finding(_ranked(rest, users, case), case, "", users)


def _ranked(pending: list[PendingUpdate], users: dict[str, str], case: Case) -> list[PendingUpdate]:
    """Put those first whose fault would expose most."""
    units = () if isinstance(case.snapshot.units, Unknown) else case.snapshot.units
    ranks = (
        users,
        {one.listener.package for one in case.exposures},
        {unit.package for unit in units if unit.active == "active"},
    )
    return sorted(
        pending, key=lambda one: ([one.package not in rank for rank in ranks], one.package)
    )


def _users(case: Case, exposed: dict[str, list[str]]) -> dict[str, str]:
    """Map packages to one that needs them and is open to others: "nginx, open on 80/tcp"."""
    known = case.snapshot.packages
    found: dict[str, str] = {}
    for package in () if isinstance(known, Unknown) else known:
        needing = () if isinstance(package.required_by, Unknown) else package.required_by
        user = next((name for name in needing if name in exposed), None)
        if user:
            found[package.name] = f"{user}, open on {', '.join(exposed[user])}"
    return found


def _exposed_packages(case: Case) -> dict[str, list[str]]:
    """Map packages, and the source packages they are built from, to ports that others reach."""
    found: dict[str, list[str]] = {}
    for one in case.exposures:
        package = one.listener.package
        if is_exposed(one) and isinstance(package, str):
            port = f"{one.listener.port}/{Protocol(one.listener.protocol)}"
            for name in {package, _source(package, case)}:
                if port not in found.setdefault(name, []):
                    found[name].append(port)
    return found


def _source(name: str, case: Case) -> str:
    """Return the source package: an update of one of its packages mostly is one of them all."""
    packages: tuple[Package, ...] | Unknown = case.snapshot.packages
    known = () if isinstance(packages, Unknown) else packages
    return next((one.source for one in known if one.name == name and one.source), name)


def _finding(
    pending: list[PendingUpdate], case: Case, ports: str, users: dict[str, str] | None = None
) -> Finding:
    first = pending[0].package
    title = (
        f"{first}, which is open on {ports}, waits for a security update"
        if ports
        else f"{len(pending)} package{'s wait' if len(pending) > 1 else ' waits'} for a security"
        " update"
    )
    return Finding(
        check=ID,
        subject=first if ports else "packages without open ports",
        severity=Severity.HIGH if ports else Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        title=title,
        why="The fault is public, and others reach the program that has it."
        if ports
        else "The faults are public; who gets in by another way uses them next.",
        evidence=tuple(_evidence(one, users or {}) for one in pending),
        remedy=Remedy(
            summary="Install the updates, then restart the services that still run the old files.",
            commands=security_upgrade(case.snapshot.machine),
        ),
    )


def _evidence(update: PendingUpdate, users: dict[str, str]) -> Evidence:
    user = users.get(update.package)
    needed = f", needed by {user}" if user else ""
    return Evidence(f"{update.package} {update.installed} -> {update.candidate}{needed}")
